# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that this collection raises for a fault that a person can mend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MtlsError(Exception):
    """A fault with a sentence, a place and a remedy; it becomes text in ``_ansible`` only.

    *message* says what is wrong, *place* names the variable, the file and line, or host and port,
    *remedy* says what to do, *code* is the finding's code where the catalogue has one.
    None of them ever carries a secret.
    """

    def __init__(self, message: str, place: str = "", remedy: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy
        self.code = code

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} {self.remedy}" if self.remedy else text


class SeveralError(MtlsError):
    """Several faults that a person mends together. *findings* has each of them as a plain value; the rest
    speaks of the first, the message of all."""

    def __init__(self, message: str, place: str, remedy: str, code: str, findings: Sequence[Any]) -> None:
        super().__init__(message, place, remedy, code)
        self.findings = list(findings)

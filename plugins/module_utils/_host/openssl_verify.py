# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`openssl verify` of this host as the judge of a chain."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from typing import Optional

from .._core import judgement
from .._core.judgement import Judgement, Question
from . import openssl
from .openssl import Run


class Verifier:
    """Answers a Question; the version is asked once. Raises nothing: without the command, or without room
    for its files, there is no answer."""

    def __init__(self, run: Run = openssl.run, scratch: Optional[str] = None) -> None:
        self._run = run
        self._scratch = scratch

    def __call__(self, question: Question) -> Optional[Judgement]:
        if not self.engine:
            return None
        try:
            # mkdtemp makes it 0700: certificates are public, but nobody else shall steer the answer.
            with tempfile.TemporaryDirectory(prefix="mtls-verify-", dir=self._scratch) as folder:
                for name, data in question.files.items():
                    with open(os.path.join(folder, name), "xb") as file:
                        file.write(data)
                ended = self._run(question.arguments, cwd=folder)
        except OSError:
            return None
        return judgement.read(ended.code, ended.out, ended.err, self.engine) if ended.ran else None

    @cached_property
    def engine(self) -> str:
        """As ``openssl.engine``."""
        return openssl.engine(self._run)

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call of a module remembers: asked once, and not without bounds."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential, shelf
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus


def test_memory_keeps_what_was_asked_for_last() -> None:
    asked = []
    memory = shelf._Memory(2)

    def ask(question: str) -> str:
        return memory.ask(question, lambda: asked.append(question) or question.upper())

    assert [ask(question) for question in "abacab"] == list("ABACAB")
    # c displaced b, which was not asked for as lately as a; b then displaced c
    assert asked == list("abcb")


@pytest.mark.parametrize("number", [1, 30])
def test_files_and_signatures_are_read_once(number, monkeypatch) -> None:
    """However many credentials share them, three certificates have at most three signatures."""
    calls: list[str] = []
    verify = shelf.certificate.signed_by

    def counted(subject, issuer):
        calls.append(subject.facts.subject_text)
        return verify(subject, issuer)

    monkeypatch.setattr(shelf.certificate, "signed_by", counted)
    known = shelf.Shelf()
    elements = [credential.examine(corpus.good(), corpus.AT, known) for _each in range(number)]
    assert all(element["verifies"] for element in elements)
    assert len(calls) == len(set(calls)) <= 3

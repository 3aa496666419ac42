# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `openssl verify` is asked, how its answer is read, and what that makes of an undecided verdict.

The words in a finding are OpenSSL's own error strings; subjects, which it prints beside them, are not taken
from its output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Callable, NamedTuple, Optional

from . import certificate as rules
from . import expiry
from .certificate import CertificateFacts
from .chain import Verdict
from .findings import Finding
from .path import Path

# The files' fixed names in the directory where the command runs.
LEAF, SENT, TRUSTED, LISTS = "leaf.pem", "sent.pem", "trusted.pem", "crls.pem"
_PURPOSES = {rules.SERVER: "sslserver", rules.CLIENT: "sslclient", rules.ANY: "any"}
_MAX_DEPTH = 1 << 20
_MOST_TOLD = 3


@dataclass(frozen=True)
class Question:
    """PEM of the files, made by us from DER; *trusted* with the trust settings of its blocks; *crls* is None
    where none are checked, and empty where they are and there is none."""

    leaf: bytes = field(repr=False)
    sent: bytes = field(repr=False)
    trusted: bytes = field(repr=False)
    at: datetime
    purpose: str = rules.ANY
    depth: int = 1
    crls: bytes | None = field(repr=False, default=None)

    @property
    def files(self) -> dict[str, bytes]:
        named = {LEAF: self.leaf, SENT: self.sent, TRUSTED: self.trusted, LISTS: self.crls}
        return {name: data for name, data in named.items() if data}

    @property
    def arguments(self) -> list[str]:
        """Nothing of the question itself but numbers and words of ours; nothing of the host's own trust."""
        seconds = int(expiry.utc(self.at).timestamp())
        return [
            "verify", "-no-CApath", "-no-CAstore",
            *(["-CAfile", TRUSTED] if self.trusted else ["-no-CAfile"]),
            *(["-untrusted", SENT] if self.sent else []),
            *(["-CRLfile", LISTS] if self.crls else []),
            *(["-crl_check", "-crl_check_all"] if self.crls is not None else []),
            "-purpose", _PURPOSES.get(self.purpose, "any"), "-auth_level", "2",
            "-verify_depth", str(max(0, min(self.depth, _MAX_DEPTH))), "-attime", str(seconds), LEAF,
        ]  # fmt: skip


class Error(NamedTuple):
    """One error line: its number, at which certificate (0 is the leaf), OpenSSL's words."""

    code: int
    depth: int
    words: str


@dataclass(frozen=True)
class Judgement:
    """*accepted* with *engine*, the program and its version, or not with the *errors*."""

    accepted: bool
    engine: str
    errors: tuple[Error, ...] = ()


#: Question -> answer; None where there is no command, or none that answers.
Judge = Callable[[Question], Optional[Judgement]]


def nobody(question: Question) -> Judgement | None:
    """The judge of a host without one."""
    return None


# Anchored: a subject is printed on a line of its own, which begins with the type of an attribute.
_ERROR = re.compile(rb"^(?:\[CRL path\] ?)?error (\d{1,3}) at (\d{1,9}) depth lookup: ?([ -~]{0,200})$", re.M)


def read(code: int, out: bytes, err: bytes, engine: str) -> Judgement | None:
    """The answer in what `openssl verify` printed; None when it came to none (a file that it cannot load, an
    option that it does not know)."""
    if code == 0:
        return Judgement(True, engine) if out.rstrip().endswith(b": OK") else None
    errors = tuple(Error(int(n), int(d), words.decode("ascii")) for n, d, words in _ERROR.findall(err))
    return Judgement(False, engine, errors) if code > 0 and errors else None


# X509_V_ERR_* of include/openssl/x509_vfy.h, by the finding that says the same.
# fmt: off
_CODES = {
    2: "chain.root_missing", 3: "crl.missing_for_ca", 7: "chain.signature_invalid",
    8: "crl.signature_invalid", 9: "expiry.not_yet_valid", 10: "expiry.expired", 11: "crl.not_yet_valid",
    12: "crl.expired",
    13: "expiry.unreadable", 14: "expiry.unreadable", 15: "crl.unreadable_date", 16: "crl.unreadable_date",
    18: "chain.self_signed", 19: "chain.root_not_trusted",
    20: "chain.missing_intermediate", 22: "chain.too_deep", 23: "crl.revoked", 25: "chain.path_length",
    28: "chain.rejected", 32: "chain.not_a_ca", 34: "chain.unknown_critical", 35: "crl.not_allowed",
    36: "crl.unknown_critical", 41: "chain.invalid_extension", 44: "crl.partial",
    47: "chain.name_constraints", 48: "chain.name_constraints", 49: "chain.name_constraints",
    51: "chain.name_constraints", 52: "chain.name_constraints", 53: "chain.name_constraints",
    66: "key.weak", 67: "key.weak", 68: "signature.weak", 79: "chain.not_a_ca",
}
# fmt: on
_INVALID_PURPOSE = 26
_PURPOSE_CODES = {rules.SERVER: "purpose.server_auth_missing", rules.CLIENT: "purpose.client_auth_missing"}


def findings(judgement: Judgement, path: Path, purpose: str) -> list[Finding]:
    """One for each error, in OpenSSL's words; its depth counts along *path* where that is as long."""
    return [_finding(error, path.certificates, purpose) for error in judgement.errors]


def _finding(error: Error, certificates: Sequence[CertificateFacts], purpose: str) -> Finding:
    code = _CODES.get(error.code, "chain.refused")
    if error.code == _INVALID_PURPOSE:
        code = _PURPOSE_CODES.get(purpose, "chain.refused")
    about = certificates[min(error.depth, len(certificates) - 1)]
    subject = f'"{about.subject_text}"' if error.depth < len(certificates) else "an issuer"
    return Finding(code, f"OpenSSL says of {subject}: {error.words} (error {error.code}).", about.place)


def settle(verdict: Verdict, question: Question, judge: Judge) -> tuple[Verdict, str]:
    """The *verdict*, decided by *judge* where it was open, and the engine that spoke: "" when none did."""
    if verdict.accepted is not None:
        return verdict, ""
    judgement = judge(question)
    leaf = verdict.path.certificates[0]
    if judgement is None:
        asked = "; ".join(verdict.open_questions[:_MOST_TOLD])
        more = len(verdict.open_questions) - _MOST_TOLD
        asked += f"; and {more} more" if more > 0 else ""
        open_end = Finding("chain.undecided", f"Only OpenSSL can tell {asked}.", leaf.place)
        # What might refuse it, and does not for certain.
        maybe = [replace(found, harmless=True) for found in verdict.findings]
        return Verdict(None, verdict.path, (*maybe, open_end), verdict.open_questions), ""
    if judgement.accepted:
        return Verdict(True, verdict.path, ()), judgement.engine
    found = tuple(findings(judgement, verdict.path, question.purpose))
    return Verdict(False, verdict.path, found), judgement.engine

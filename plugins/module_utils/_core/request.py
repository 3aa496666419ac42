# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a credential needs a new certificate, and why: rules over plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from . import certificate as rules
from . import expiry, hostnames, names
from .certificate import CertificateFacts
from .errors import MtlsError

NO_CERTIFICATE = "no_certificate"
UNREADABLE = "unreadable"
EXPIRED = "expired"
NAMES = "names"
KEY_TYPE = "key_type"
PURPOSE = "purpose"
ISSUER = "issuer"
FORCED = "forced"

PURPOSES = (rules.SERVER, rules.CLIENT)
_USES = {rules.SERVER: "serverAuth", rules.CLIENT: "clientAuth"}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_HOSTNAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_COMMON_NAME_LIMIT = 64  # X.520, ub-common-name


@dataclass(frozen=True)
class Wanted:
    """One credential as it should be. Raises MtlsError for what no certificate can hold."""

    part: str
    name: str
    purpose: str
    common_name: str
    hostnames: tuple[str, ...]
    key_type: str
    reuse: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MtlsError(
                f"{self.name!r} is no name of a credential.",
                f"credentials: {self.part}",
                "Use lower-case letters, digits, hyphen and underscore.",
            )
        if len(self.common_name) > _COMMON_NAME_LIMIT:
            raise MtlsError(
                f"The common name {self.common_name!r} has more than {_COMMON_NAME_LIMIT} characters.",
                self.label,
                "Choose a shorter name (X.520, ub-common-name).",
            )
        if not self.common_name and not self.hostnames:
            raise MtlsError(
                "It has neither a common name nor a host name.",
                self.label,
                "Give `common_name`, `hostnames` or both.",
            )
        for hostname in self.hostnames:
            if not hostnames.as_ip(hostname) and not _HOSTNAME.fullmatch(hostname):
                raise MtlsError(
                    f"{hostname!r} is no host name.",
                    self.label,
                    "Give DNS names in ASCII (xn-- for others) or IP addresses.",
                )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Wanted:
        return cls(
            values["part"],
            values["name"],
            values["purpose"],
            values.get("common_name") or "",
            tuple(values.get("hostnames") or ()),
            values["key_type"],
            bool(values.get("reuse")),
            bool(values.get("force")),
        )

    @property
    def label(self) -> str:
        return f"{self.part}/{self.name}"

    @property
    def use(self) -> str:
        """The extended key usage."""
        return _USES[self.purpose]

    def summary(self) -> str:
        """For the diff."""
        listed = ", ".join(self.hostnames) or "none"
        return f"{self.label}: CN={self.common_name}, names {listed}, {self.use}, key {self.key_type}"


@dataclass(frozen=True)
class Live:
    """The credential in the live release. *facts* is None when its files cannot be used: unreadable, or key
    and certificate are no pair. *key_type* is one of the options' words."""

    facts: Optional[CertificateFacts]
    key_type: str = ""
    trust: tuple[CertificateFacts, ...] = ()


def reason(wanted: Wanted, live: Optional[Live], at: datetime, issuer_name: str = "") -> str:
    """Why a new certificate is needed; "" when the live one will do. What is merely due is no reason.

    With *issuer_name* a certificate of any other issuer than that private CA is not ours.
    """
    if live is None:
        return NO_CERTIFICATE
    if live.facts is None:
        return UNREADABLE
    cert = live.facts
    if expiry.is_expired(cert.not_after, at):
        return EXPIRED
    if not same_names(wanted, cert.common_name, cert.san_dns + cert.san_ip):
        return NAMES
    if live.key_type != wanted.key_type:
        return KEY_TYPE
    if not rules.serves_purpose(cert, wanted.purpose) or rules.is_ca(cert):
        return PURPOSE
    if issuer_name and not is_issued_by(cert, issuer_name):
        return ISSUER
    return FORCED if wanted.force else ""


def same_names(wanted: Wanted, common_name: str, alternative_names: tuple[str, ...]) -> bool:
    return wanted.common_name == common_name and hostnames.name_set(wanted.hostnames) == hostnames.name_set(
        alternative_names
    )


def is_issued_by(cert: CertificateFacts, issuer_name: str) -> bool:
    """By the names that the private CA gives its certificates: `<name> CA <generation>`."""
    return any(
        common_name.startswith(f"{issuer_name} CA ") for common_name in names.common_names(cert.issuer)
    )

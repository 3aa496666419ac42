# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the private CA asks before it signs: is the request what the model wants, and who trusts what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.hostnames import as_ip

# X.509 extensions that the private CA copies from a request. community.crypto copies whatever is there, so
# a request with anything else is refused whole (RFC 5280, 4.2.1; names in the order of the numbers).
COPIED = {
    "2.5.29.14": "subject key identifier",
    "2.5.29.15": "key usage",
    "2.5.29.17": "subject alternative name",
    "2.5.29.19": "basic constraints",
    "2.5.29.37": "extended key usage",
}
PURPOSES = {"server": "TLS Web Server Authentication", "client": "TLS Web Client Authentication"}
KEY_USAGES = {"Digital Signature", "Key Encipherment"}
KEY_TYPES = {
    "p256": ("ECC", "secp256r1"),
    "p384": ("ECC", "secp384r1"),
    "rsa2048": ("RSA", 2048),
    "rsa3072": ("RSA", 3072),
    "rsa4096": ("RSA", 4096),
    "ed25519": ("Ed25519", None),
}


def request_problems(request: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Where a request is not what the model wants, one sentence each; an empty list: it may be signed.

    *request* is the result of ``community.crypto.openssl_csr_info``, *wanted* a credential of the model.
    The host that made the request may be in other hands: whatever is not expected is a problem, and so is
    a credential that the model does not have (*wanted* empty) or that another issuer signs.
    Does NOT ask whether this host asks for the first time; a host may renew its own names at will.
    """
    if not wanted or wanted.get("issuer") != "private_ca":
        return ["the model has no credential of this name that the private CA issues"]
    if not request:
        return ["the host made none"]
    found = [
        _difference("subject", _subject(request), _wanted_subject(wanted)),
        _difference("names", _names(request), _wanted_names(wanted)),
        _difference("purpose", request.get("extended_key_usage") or [], [PURPOSES[wanted["purpose"]]]),
        _difference("key", _key(request), list(KEY_TYPES[wanted["key"]["type"]])),
    ]
    if request.get("signature_valid") is not True:
        found.append("its signature is not that of its key")
    if (request.get("basic_constraints") or ["CA:FALSE"]) != ["CA:FALSE"]:
        found.append(f"it asks for basic constraints {request['basic_constraints']}")
    more = sorted(set(request.get("key_usage") or []) - KEY_USAGES)
    if more:
        found.append(f"it asks for key usage {more}")
    strange = sorted(set(request.get("extensions_by_oid") or {}) - set(COPIED))
    if strange:
        found.append(f"it asks for extensions {strange}")
    return [problem for problem in found if problem]


def trusted_generations(requests: Any, name: str) -> list[dict[str, Any]]:
    """The private CAs called *name* that a host's live credentials trust: ``[{generation, sha256}]``.

    *requests* is what ``credential_request`` or ``credential_info`` returned there; anything else is a host
    that said nothing. Told by the subject alone, so a stranger's CA of the same name counts, on purpose.
    """
    subject = re.compile(rf"CN\s?=\s?{re.escape(name)} CA ([1-9][0-9]*)")
    found = set()
    for credential in requests.get("credentials") or [] if isinstance(requests, Mapping) else []:
        for certificate in (credential.get("live") or credential).get("trust") or []:
            match = subject.fullmatch(str(certificate.get("subject", "")))
            if match:
                found.add((int(match.group(1)), str(certificate.get("sha256", "")).replace(":", "").lower()))
    return [{"generation": number, "sha256": digest} for number, digest in sorted(found)]


def hosts_that_trust(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], name: str
) -> list[dict[str, Any]]:
    """:func:`trusted_generations` of all *hosts* that were reached: ``[{host, generation, sha256}]``."""
    return [
        {"host": host, **trusted}
        for host in hosts
        if host in hostvars
        for trusted in trusted_generations(
            hostvars[host].get("mtls_requests") or hostvars[host].get("mtls_installed"), name
        )
    ]


def _difference(what: str, found: list[Any], wanted: list[Any]) -> str:
    return "" if found == wanted else f"its {what} is {found}, wanted is {wanted}"


def _subject(request: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in request.get("subject_ordered") or []]


def _wanted_subject(wanted: Mapping[str, Any]) -> list[str]:
    return [f"commonName={wanted['common_name']}"] if wanted.get("common_name") else []


def _names(request: Mapping[str, Any]) -> list[str]:
    return sorted(_plain(*str(name).partition(":")[::2]) for name in request.get("subject_alt_name") or [])


def _wanted_names(wanted: Mapping[str, Any]) -> list[str]:
    return sorted({_plain("IP" if as_ip(name) else "DNS", name) for name in wanted.get("hostnames") or []})


def _plain(kind: str, value: str) -> str:
    return f"{kind}:{as_ip(value) if kind == 'IP' else value.lower()}"


def _key(request: Mapping[str, Any]) -> list[Any]:
    data = request.get("public_key_data") or {}
    return [request.get("public_key_type"), data.get("curve") or data.get("size")]

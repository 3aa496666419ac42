# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CRLs of a credential are due, and whether the new ones may be installed.

nginx refuses every client of a CA from the second on in which its CRL ends, so nothing is installed that
would do that: the new lists pass the gate of ``crl_bundle`` first, beside the trust that the host has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import due, expiry, names
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl import CrlFacts
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl_bundle import DROP, Policy
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import crl, crl_bundle
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files

CRL = "crl"
#: The place of what the private CA has made.
OWN = "the private CA"
#: As for a certificate: install what is new, or only a person can.
INSTALL, STUCK = "install", "stuck"
_WORDS = {
    due.EXPIRED: "its CRL of {issuer} has ended, and every client of it is refused",
    due.THIRD: "a third of the life of its CRL of {issuer} or less is left",
    due.CRL: "{places} holds another CRL than the host",
}


def source(
    credential: Mapping[str, Any], private_ca: Mapping[str, Any], files: Files
) -> Optional[list[tuple[str, bytes]]]:
    """The CRLs that the inventory wants for a credential: (where from, content), None where it wants none, or
    the private CA has none yet. Raises MtlsError for a file that cannot be read."""
    if isinstance(credential["crl"], list):
        return [(one["src"], files.read(one["src"], "crl")) for one in credential["crl"]]
    if credential["crl"] == "auto" and private_ca.get("crls"):
        return [(OWN, one.encode()) for one in private_ca["crls"]]
    return None


def planned(
    credential: Mapping[str, Any],
    live: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    files: Files,
    at: datetime,
) -> Optional[dict[str, Any]]:
    """The element of `settings` for the CRLs of one live credential, None where nothing is due.

    *live*: what ``credential_info`` says of it, with its files. Of *private_ca* `changed` says that the lists
    are being made anew, though those of before may still be the ones at hand (check mode).
    """
    here = _lists(_here(live))
    fault = ""
    try:
        given = source(credential, private_ca, files)
    except MtlsError as error:
        given, fault = [], error.message
    if given is None:
        return None
    new = not fault and is_other(live, given)
    to_come = credential["crl"] == "auto" and bool(private_ca.get("changed"))
    first = min(_ending(here), key=lambda one: one[2], default=None)
    if first is None:
        word = due.CRL if new or to_come else ""
    else:
        word = due.crl_reason(first[1], first[2], new or to_come, at)
        if word == due.THIRD and credential["crl"] == "auto" and not (new or to_come):
            word = ""  # private_ca_crl_days is less than it was: the CA makes it anew later
    if not word:
        return None
    places = ", ".join(place for place, _data in given[:1]) or credential["crl"][0]["src"]
    told = _WORDS[word].format(issuer=first[0] if first else "", places=places)
    if new:
        fault = refusal(live, private_ca, given, at)
        fault = fault and f" The new one is not installed: {fault}"
    elif not to_come:
        fault = f" {fault or f'{places} still holds what is live.'} Put the new list there, and run again."
    return {
        "part": live["part"],
        "name": live["name"],
        "kinds": [CRL],
        "reason": due.CRL,
        "why": f"{told}.{fault}" if fault else told,
        "not_after": expiry.rfc3339(first[2] if first else at),
        "days_left": expiry.days_left(first[2], at) if first else None,
        "action": STUCK if fault else INSTALL,
    }


def is_other(live: Mapping[str, Any], given: Iterable[tuple[str, bytes]]) -> bool:
    """Whether a live credential has other CRLs than those."""
    return {one.sha256 for one in _lists(given)} != {one.sha256 for one in _lists(_here(live))}


def others(lists: bytes, given: Iterable[bytes]) -> list[bytes]:
    """Those of *lists* whose issuers have none among the *given*."""
    known = {_issuer(one) for one in _lists(("", data) for data in given)}
    return [one.pem for one in crl.load(lists, "crl.pem")[0] if _issuer(one.facts) not in known]


def refusal(
    live: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    given: Sequence[tuple[str, bytes]],
    at: datetime,
    min_hours: int = 0,
) -> str:
    """Why nginx would refuse clients by these CRLs beside the trust that a live credential has; "" where it
    would not. An intermediate of the private CA that clients send needs one, too."""
    trust = [("trust.pem", ((live.get("pem") or {}).get("trust") or "").encode())]
    if private_ca.get("chain") and any(place == OWN for place, _data in given):
        trust.append(("the intermediate that signs", private_ca["chain"].encode()))
    policy = Policy(min_hours, on_foreign=DROP)
    try:
        crl_bundle.build(crl_bundle.Sources(trust), crl_bundle.Sources(given), at, policy)
    except MtlsError as error:
        return str(error)
    return ""


def _here(live: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    return [("crl.pem", ((live.get("pem") or {}).get("crl") or "").encode())]


def _lists(given: Iterable[tuple[str, bytes]]) -> list[CrlFacts]:
    return [one.facts for place, data in given if data.strip() for one in crl.load(data, place)[0]]


def _issuer(one: CrlFacts) -> Any:
    return one.issuer_key, one.authority_key_id


def _ending(lists: Iterable[CrlFacts]) -> Iterable[tuple[str, datetime, datetime]]:
    """(issuer, begin, end) of the CRL of each issuer that ends last. One that never ends is never due."""
    found: dict[Any, CrlFacts] = {}
    for one in lists:
        key = _issuer(one)
        before = found.get(key)
        if before is None or (
            before.next_update and (not one.next_update or one.next_update > before.next_update)
        ):
            found[key] = one
    return [
        (names.text(one.issuer), one.last_update.at, one.next_update.at)
        for one in found.values()
        if one.next_update
    ]

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates of the private CA are to be revoked, and when one of its CRLs is to be made anew."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from . import client_names, expiry
from .ca_store import PLACE, REVOKED
from .crl import CrlFacts
from .errors import MtlsError

# For hosts whose clock is behind.
EARLIER = timedelta(hours=1)
# Each run of revoke.yml makes and revokes one for each Server A.
PROBE = "probe-revoked"
_SERIAL = re.compile(r"[0-9A-F]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# RFC 5280, 4.1.2.2: positive, at most 20 octets.
_MAX_SERIAL = 1 << 159
# What a line of issued.jsonl has that a line of revoked.jsonl repeats.
_KEPT = ("serial", "generation", "issuer", "sha256")
_OWNER = ("host", "side", "credential")


@dataclass(frozen=True)
class Issuer:
    """A certificate of the CA that signs or has signed: the number of its generation and its subject."""

    generation: int
    subject: str


@dataclass(frozen=True)
class Asked:
    """Who is to be revoked: *serials* with, each, a generation or the issuer's subject where one is given,
    SHA-256 digests, and all live certificates of *host*, or of one *credential* of it (``name`` or
    ``side/name``)."""

    serials: Sequence[Mapping[str, Any]] = ()
    sha256: Sequence[str] = ()
    host: str = ""
    credential: str = ""


def issued_lines(text: str) -> list[dict[str, Any]]:
    """The lines of issued.jsonl. One that a killed run left unfinished is passed over: what it speaks of was
    never delivered."""
    found = [_line(line) for line in text.splitlines()]
    return [entry for entry in found if entry is not None]


def revoked_lines(text: str, path: str) -> list[dict[str, Any]]:
    """The lines of revoked.jsonl. It is written whole, so a line that cannot be read is damage, and might be
    the one that keeps somebody out. Raises MtlsError."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = _line(line)
        if entry is None or "revoked_at" not in entry:
            raise MtlsError(
                f"{path}/{REVOKED}, line {number}, cannot be read.", PLACE, "Restore it from the backup."
            )
        entries.append(entry)
    return entries


def _line(line: str) -> Optional[dict[str, Any]]:
    try:
        entry = json.loads(line)
        serial_number(entry["serial"])
        return entry if all(name in entry for name in _KEPT) else None
    except (ValueError, TypeError, KeyError, AttributeError, MtlsError):
        return None


def serial_number(text: str) -> int:
    """The serial that is written so: hexadecimal, in upper or lower case, with leading zeros or colons or
    without. Raises MtlsError."""
    digits = text.strip().replace(":", "").upper()
    number = int(digits, 16) if _SERIAL.fullmatch(digits) else 0
    if not 0 < number < _MAX_SERIAL:
        raise MtlsError(f"{text[:60]!r} is no serial number.", "serials", "Give it in hexadecimal digits.")
    return number


def serial_text(number: int) -> str:
    """Upper-case with whole bytes, as issued.jsonl has it."""
    return client_names.serial(f"{number:X}")


def find(
    asked: Asked,
    issued: Sequence[Mapping[str, Any]],
    revoked: Sequence[Mapping[str, Any]],
    issuers: Collection[Issuer],
    now: datetime,
) -> list[dict[str, Any]]:
    """An entry of revoked.jsonl for each certificate that is *asked* for; for one that is revoked already,
    its present one. Each is there once.

    Raises MtlsError that names all that is not known, or that several certificates answer to.
    """
    present = {_identity(entry): dict(entry) for entry in revoked}
    faults: list[str] = []
    found: list[Mapping[str, Any]] = []
    for one in asked.serials:
        found += _by_serial(one, issued, issuers, faults)
    for digest in asked.sha256:
        found += _by_digest(digest, issued, faults)
    if asked.host:
        found += _by_host(asked, issued, now, faults)
    faults += _of_no_issuer(found, issuers)
    if faults:
        raise MtlsError(
            f"Nothing is revoked: {'; '.join(faults)}.",
            remedy="Look it up in issued.jsonl. One that is not there is named by its serial and its issuer.",
        )
    entries = {_identity(entry): _entry(entry, now) for entry in found}
    return [present.get(key, entry) for key, entry in entries.items()]


def is_new(entry: Mapping[str, Any], revoked: Iterable[Mapping[str, Any]]) -> bool:
    """Whether *entry* is none of the *revoked*."""
    return _identity(entry) not in {_identity(other) for other in revoked}


def _identity(entry: Mapping[str, Any]) -> tuple[int, int, str]:
    """What tells a certificate from all others: RFC 5280, 4.1.2.2."""
    return serial_number(entry["serial"]), int(entry["generation"]), str(entry["issuer"])


def barred(issued: Iterable[Mapping[str, Any]], revoked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The owners whose newest certificate is revoked: who gets another one has been asked about first.
    ``{host, side, credential, serial, revoked_at}``."""
    since = {_identity(entry): entry["revoked_at"] for entry in revoked}
    owners = (entry for entry in issued if entry.get("credential") != PROBE)
    newest = {tuple(entry.get(name, "") for name in _OWNER): entry for entry in owners}
    return [
        {**dict(zip(_OWNER, owner)), "serial": entry["serial"], "revoked_at": since[_identity(entry)]}
        for owner, entry in newest.items()
        if _identity(entry) in since
    ]


def _by_serial(
    one: Mapping[str, Any],
    issued: Sequence[Mapping[str, Any]],
    issuers: Collection[Issuer],
    faults: list[str],
) -> list[Mapping[str, Any]]:
    number = serial_number(one["serial"])
    generation, issuer = one.get("generation"), one.get("issuer")
    candidates = [
        entry
        for entry in issued
        if serial_number(entry["serial"]) == number
        and generation in (None, entry["generation"])
        and issuer in (None, entry["issuer"])
    ]
    name = f"serial {serial_text(number)}"
    if len({_identity(entry) for entry in candidates}) > 1:
        of = sorted({f"generation {entry['generation']} ({entry['issuer']})" for entry in candidates})
        faults.append(f"{name} is in {' and '.join(of)}: say which by generation or issuer")
        return []
    if candidates:
        return candidates[-1:]
    if not issuer:
        where = f" of generation {generation}" if generation else ""
        faults.append(f"{name}{where} is not in issued.jsonl")
        return []
    own = [known for known in issuers if known.subject == issuer and generation in (None, known.generation)]
    if not own:
        have = ", ".join(sorted(known.subject for known in issuers))
        faults.append(f"{name} is of {issuer!r}, and this CA has {have} only")
    return [{"serial": one["serial"], "generation": known.generation, "issuer": issuer} for known in own[:1]]


def _by_digest(
    digest: str, issued: Sequence[Mapping[str, Any]], faults: list[str]
) -> list[Mapping[str, Any]]:
    wanted = digest.strip().replace(":", "").lower()
    candidates = [entry for entry in issued if entry["sha256"] == wanted]
    if not _SHA256.fullmatch(wanted):
        faults.append(f"{digest[:80]!r} is no SHA-256")
    elif not candidates:
        faults.append(f"SHA-256 {wanted} is not in issued.jsonl")
    return candidates[-1:]


def _by_host(
    asked: Asked, issued: Sequence[Mapping[str, Any]], now: datetime, faults: list[str]
) -> list[Mapping[str, Any]]:
    """All that are live; a host or a credential of which none was ever issued is a fault."""
    own = [entry for entry in issued if entry.get("host") == asked.host]
    if not own:
        faults.append(f"host {asked.host!r} is not in issued.jsonl")
    elif asked.credential:
        own = [entry for entry in own if asked.credential in _names(entry)]
        if not own:
            faults.append(f"credential {asked.credential!r} of host {asked.host!r} is not in issued.jsonl")
    return [entry for entry in own if _is_live(entry, now)]


def _is_live(entry: Mapping[str, Any], now: datetime) -> bool:
    """Also where a line that a person added does not say."""
    return "not_after" not in entry or expiry.parse_rfc3339(entry["not_after"]) > now


def _names(entry: Mapping[str, Any]) -> tuple[str, str]:
    name = str(entry.get("credential"))
    return name, f"{entry.get('side')}/{name}"


def _of_no_issuer(found: Sequence[Mapping[str, Any]], issuers: Collection[Issuer]) -> list[str]:
    """No CRL could say of these that they are revoked."""
    return [
        f"serial {entry['serial']} is of generation {entry['generation']} ({entry['issuer']}), which is not"
        " there any more"
        for entry in found
        if Issuer(entry["generation"], entry["issuer"]) not in issuers
    ]


def _entry(entry: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "serial": serial_text(serial_number(entry["serial"])),
        "generation": entry["generation"],
        "issuer": entry["issuer"],
        "sha256": entry.get("sha256", ""),
        "revoked_at": expiry.rfc3339(now),
        **{name: entry.get(name, "") for name in _OWNER},
    }


def listed(revoked: Iterable[Mapping[str, Any]], issuer: Issuer) -> dict[int, datetime]:
    """What the CRL of an issuer has to list: when each serial was revoked.

    An expired certificate stays on it: no clock that goes wrong for a day lets it in again.
    """
    return {
        serial_number(entry["serial"]): expiry.parse_rfc3339(entry["revoked_at"])
        for entry in revoked
        if Issuer(entry["generation"], entry["issuer"]) == issuer
    }


def why_anew(
    crl: Optional[CrlFacts],
    by_issuer: Optional[bool],
    serials: Collection[int],
    now: datetime,
    renew_before: timedelta,
) -> str:
    """Why a CRL of the CA's has to be made anew, as the rest of a sentence; empty where it is good.

    *by_issuer*: whether the issuer's key signed it (None: the library cannot tell); *serials*: what it has
    to list; *renew_before*: how long before its nextUpdate it is due.
    """
    if crl is None:
        return "is not there"
    if by_issuer is False:
        return "is of another key"
    if not_listed(crl, serials) or len(crl.entries) != len(serials):
        return "does not list what is revoked"
    if crl.last_update.seconds > now.timestamp():
        return f"is valid from {crl.last_update.text} on only"
    if crl.next_update is None or crl.next_update.seconds - renew_before.total_seconds() <= now.timestamp():
        return f"ends at {crl.next_update.text}" if crl.next_update else "has no end"
    return ""


def has_ended(crl: Optional[CrlFacts], now: datetime) -> bool:
    """Whether nginx refuses every client of the issuer by this CRL."""
    return crl is not None and crl.next_update is not None and crl.next_update.seconds <= now.timestamp()


def not_listed(crl: CrlFacts, serials: Iterable[int]) -> list[int]:
    """What a CRL does not list of the *serials* that are revoked."""
    return [one for one in serials if crl.entries.find(one, crl.issuer_key, crl.issuer_key) is None]


def kept(root: str, crl: CrlFacts, missing: Collection[int], now: datetime) -> str:
    """What a run says of a generation whose keys are lost, so that the CRL that there is stays its last one.
    *root*: the path of its certificate; *missing*: what the CRL should list."""
    end = crl.next_update.text if crl.next_update else "never"
    if has_ended(crl, now):
        return (
            f"{root} has lost its key, and its CRL has ended at {end}: every client of it is refused."
            " Run rotate.yml, which gives hosts another authority: docs/recovery.md."
        )
    said = (
        f"{root} has lost its key, so its CRL is kept as it is. It ends at {end}, and from then on every"
        " client of it is refused: let rotate_ca.yml replace it before, all three phases: docs/recovery.md."
    )
    if missing:
        listed = ", ".join(serial_text(one) for one in sorted(missing))
        said += f" It does not list {listed}, which is revoked: that client is still let in."
    return said


def next_number(crl: Optional[CrlFacts], now: datetime) -> int:
    """The number of a CRL: more than that of the one before it, and where that is lost, more than it had
    (RFC 5280, 5.2.3)."""
    before = (crl.number if crl else None) or 0
    return max(before + 1, int(now.timestamp()))


def check_days(crl_days: int, renew_before_days: Optional[int]) -> timedelta:
    """How long before its end a CRL is due: as said, else a third of its time. Raises MtlsError."""
    if crl_days < 1:
        raise MtlsError("must be at least 1.", "crl_days")
    if renew_before_days is None:
        return timedelta(days=crl_days) / 3
    if not 0 <= renew_before_days < crl_days:
        raise MtlsError(
            f"must be less than crl_days, {crl_days}, and not negative: a list would be due as soon as it is"
            " made.",
            "renew_before_days",
        )
    return timedelta(days=renew_before_days)


def key_away(certificate: str, key: str, why: str, lost: bool = False) -> MtlsError:
    """The error for a CRL that needs a key that is not there; *why*: what is wrong with it; *lost*: whether
    the whole generation has no key."""
    return MtlsError(
        f"the CRL of {certificate} {why}, and {key}, which has to sign it, is not there.",
        PLACE,
        f"Put {key} back from the backup. If it is lost, the last CRL is on the hosts, in any crl.pem; where"
        " they have none, or not the one to be revoked, let rotate_ca.yml replace this generation first:"
        " docs/recovery.md."
        if lost
        else f"Put {key} back for one run (mode 0600). With a longer private_ca_crl_days in that run, 365 for"
        " example, it is needed once a year.",
    )

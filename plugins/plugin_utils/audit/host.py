# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of the audit: what ``nginx_tls_info`` and ``credential_info`` said of it, in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate, crl, crl_bundle

#: What the playbook registers.
TLS, INSTALLED = "mtls_audit_tls", "mtls_installed"
FACTS = (TLS, INSTALLED)

_RELEASE = re.compile(r"/releases/[^/]+/(server|proxy)/credentials/([^/]+)/[^/]+\Z")
_LIVE = re.compile(r"/releases/[^/]+/")
_COMMON_NAME = re.compile(r"(?:\A|[,+])CN=((?:\\.|[^,+\\])*)")
_ESCAPE = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|(.))")
_FILES = {"certificate": "fullchain.pem", "trust": "trust.pem", "crl": "crl.pem"}
_CERTIFICATE = ("subject", "issuer", "serial", "sha256", "not_before", "not_after")
_INSTANCE = ("pid", "program", "conf_path", "version", "openssl", "unit", "user", "ok", "emerg", "loaded")
_SERVER = (
    "place",
    "module",
    "names",
    "ours",
    "listens",
    "tls",
    "verify",
    "depth",
    "protocols",
    "reject_handshake",
)
_LOCATION = (
    "place", "module", "path", "server_names", "ours", "protocol", "pass", "servers", "verify", "depth",
    "name", "sni", "protocols",
)  # fmt: skip
_FINDING = ("code", "severity", "message", "remedy", "place")


def host(name: str, sides: list[str], facts: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The element of ``hosts`` in docs/audit.schema.json. *sides*: the parts that the inventory wants of it;
    *facts*: the results of FACTS, as far as they are there."""
    tls, installed = _told(facts.get(TLS), "instances"), _told(facts.get(INSTALLED), "installed")
    state, error = _state(facts, tls, installed)
    release = _release(installed)
    paths = _paths(tls)
    found = {
        "name": name,
        "state": state,
        "error": error,
        "sides": sides,
        "release": release,
        "instances": [_of(one, _INSTANCE) for one in instances(tls)],
        "servers": [_server(one) for one in _each(tls, "servers")],
        "locations": [_location(one) for one in _each(tls, "locations")],
        "certificates": [],
        "crls": [],
        "files": [_of(one, ("path", "kind", "state", "mode", "owner")) for one in _list(tls, "files")],
        "served": list(_served(tls, installed)),
    }
    for path, certificates, crls in _contents(tls, installed, release):
        users = paths.get(path, [])
        found["certificates"] += [_certificate(path, users, at, *one) for one in certificates]
        found["crls"] += [_crl(path, users, one, at) for one in crls]
    own = audit.unread(state, name, error), audit.unproven((release or {}).get("step"), name)
    said = [one.to_dict() for one in own if one is not None]
    said += _list(tls, "findings") + _list(installed, "findings")
    found["findings"] = list(_once(said))
    return found


def instances(tls: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _list(tls, "instances")


def _told(result: Any, key: str) -> dict[str, Any]:
    """The result of a module that did its work, else nothing: ``failed_when: false`` hides the rest."""
    if not isinstance(result, Mapping) or result.get("unreachable") or result.get(key) is None:
        return {}
    return dict(result)


def _state(facts: Mapping[str, Any], *told: Mapping[str, Any]) -> tuple[str, str]:
    results = [one for one in (facts.get(name) for name in FACTS) if isinstance(one, Mapping)]
    missing = [one for one, said in zip((facts.get(name) for name in FACTS), told) if not said]
    if not missing:
        return audit.READ, ""
    why = next((str(one.get("msg") or "") for one in missing if isinstance(one, Mapping)), "")
    if any(told):
        return audit.PARTLY, why
    if not results:
        return audit.NOT_ASKED, ""
    if any(one.get("unreachable") for one in results):
        return audit.UNREACHABLE, why
    return audit.FAILED, why


def _release(installed: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    told = installed.get("installed") or {}
    if not told.get("exists"):
        return None
    step = (told.get("state") or {}).get("step")
    return {
        "base": told.get("base"),
        "id": told.get("release"),
        "step": step,
        "proven": audit.unproven(step, "") is None,
        "parts": told.get("parts") or [],
        "sites": [one["name"] for one in told.get("sites") or []],
        "routes": [one["name"] for one in told.get("routes") or []],
        "prepared": bool(told.get("prepared")),
        "next_run": told.get("next_run") or "",
    }


def _server(one: Mapping[str, Any]) -> dict[str, Any]:
    pairs = one.get("certificates") or []
    return {
        **_of(one, _SERVER),
        "certificates": [_path(pair.get("certificate")) for pair in pairs],
        "keys": [_path(pair.get("key")) for pair in pairs],
        "trust": _path(one.get("trust")),
        "crl": _path(one.get("crl")),
    }


def _location(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_of(one, _LOCATION),
        **{slot: _path(one.get(slot)) for slot in ("certificate", "key", "trust", "crl")},
    }


def _path(file: Any) -> Optional[str]:
    """The path of a file that a directive names; of what is no file a word in brackets."""
    if not isinstance(file, Mapping):
        return None
    return str(
        file.get("path") or f"({'variable' if file.get('variable') else file.get('scheme') or 'none'})"
    )


def _paths(tls: Mapping[str, Any]) -> dict[str, list[str]]:
    """Path to who uses it, in words."""
    users: dict[str, list[str]] = {}
    for one in _each(tls, "servers"):
        name = " ".join(one.get("names") or []) or "(no name)"
        for path in _named(_server(one)):
            users.setdefault(path, []).append(f"server {name}")
    for one in _each(tls, "locations"):
        for path in _named(_location(one)):
            users.setdefault(path, []).append(f"{one.get('module')} {one.get('path') or one.get('pass')}")
    return {path: list(dict.fromkeys(names)) for path, names in users.items()}


def _named(one: Mapping[str, Any]) -> Iterator[str]:
    for path in [*one.get("certificates", []), *(one.get(slot) for slot in ("certificate", "trust", "crl"))]:
        if path:
            yield path


_File = tuple[str, list[tuple[str, Mapping[str, Any]]], list[Mapping[str, Any]]]


def _contents(
    tls: Mapping[str, Any], installed: Mapping[str, Any], release: Optional[Mapping[str, Any]]
) -> Iterator[_File]:
    """Path, certificates with their role, and CRLs of each file; those of the live release also where
    ``nginx_tls_info`` has not told of them."""
    known = set()
    for file in _list(tls, "files"):
        known.add(file.get("path"))
        roles = _roles(file.get("kind") or "", file.get("certificates") or [])
        yield str(file.get("path") or ""), roles, list(file.get("crls") or [])
    for credential in installed.get("credentials") or []:
        pem = credential.get("pem") or {}
        if not pem or release is None:
            continue
        where = f"{release['base']}/releases/{release['id']}"
        where += f"/{credential['part']}/credentials/{credential['name']}"
        for slot, file_name in _FILES.items():
            path = f"{where}/{file_name}"
            if pem.get(slot) and path not in known:
                yield (
                    path,
                    _roles(slot, [] if slot == "crl" else _certificates(pem[slot])),
                    (_crls(pem[slot]) if slot == "crl" else []),
                )


def _roles(kind: str, found: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """In a certificate's file the first is the leaf, and the others are its chain."""
    if kind == "trust":
        return [("trust", one) for one in found]
    return [("chain" if position else "leaf", one) for position, one in enumerate(found)]


@cache
def _certificates(pem: str) -> list[dict[str, Any]]:
    try:
        return [certificate.describe(one) for one in certificate.split(pem.encode())]
    except MtlsError:  # a finding of `credential_info` says what is wrong with the file
        return []


@cache
def _crls(pem: str) -> list[dict[str, Any]]:
    return [crl_bundle.described(one.facts) for one in crl.load(pem.encode(), "crl.pem")[0]]


def _certificate(
    path: str, users: list[str], at: datetime, role: str, one: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "role": role,
        "path": path,
        "file": live_path(path),
        "credential": credential(path),
        "used_by": users,
        **_of(one, _CERTIFICATE),
        "common_name": common_name(one.get("subject")),
        "issuer_common_name": common_name(one.get("issuer")),
        "names": [*(one.get("san") or {}).get("dns", []), *(one.get("san") or {}).get("ip", [])],
        **_span(one.get("not_before"), one.get("not_after"), at),
    }


def _crl(path: str, users: list[str], one: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    number = one.get("number")
    return {
        "path": path,
        "file": live_path(path),
        "credential": credential(path),
        "used_by": users,
        "issuer": one.get("issuer"),
        "issuer_common_name": common_name(one.get("issuer")),
        "number": None if number is None else str(number),
        "revoked": one.get("revoked"),
        "this_update": one.get("this_update"),
        "next_update": one.get("next_update"),
        **_span(one.get("this_update"), one.get("next_update"), at),
    }


def common_name(name: Optional[str]) -> str:
    """The first CN of a name as nginx writes it (RFC 4514), its escapes undone, "" without one. What cannot
    be printed becomes U+FFFD."""
    found = _COMMON_NAME.search(name or "")
    if found is None:
        return ""
    octets = _ESCAPE.sub(lambda one: bytes([int(one[1], 16)]) if one[1] else one[2], found[1].encode())
    return "".join(one if one.isprintable() else "\ufffd" for one in octets.decode(errors="replace"))


def _span(begin: Optional[str], end: Optional[str], at: datetime) -> dict[str, Any]:
    first, last = parsed(begin), parsed(end)
    return {
        "days_left": None if last is None else expiry.days_left(last, at),
        "validity": audit.validity(first, last, at),
    }


def parsed(moment: Optional[str]) -> Optional[datetime]:
    try:
        return expiry.parse_rfc3339(moment) if moment else None
    except MtlsError:  # the year 0: a date that no datetime has
        return None


def live_path(path: str) -> str:
    """The path through the link ``current``, which stays the same from one release to the next."""
    return _LIVE.sub("/current/", path, count=1) if _RELEASE.search(path) else path


def credential(path: str) -> str:
    """``server/orders`` of a file of ours, "" of another one."""
    found = _RELEASE.search(path)
    return f"{found[1]}/{found[2]}" if found else ""


def _served(tls: Mapping[str, Any], installed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What nginx hands out, and whether that is what its files have; each address and name once."""
    seen = set()
    leaves = {
        file.get("path"): (file.get("certificates") or [{}])[0].get("sha256") for file in _list(tls, "files")
    }
    for server in _each(tls, "servers"):
        paths = _server(server)["certificates"]
        on_disk = [sha256 for sha256 in (leaves.get(path) for path in paths) if sha256]
        for row in server.get("served") or []:
            seen.add((row.get("address"), row.get("server_name")))
            yield _row(row, on_disk)
    for credential in installed.get("credentials") or []:
        own = (credential.get("certificate") or {}).get("sha256")
        for row in credential.get("served") or []:
            if (row.get("address"), row.get("server_name")) not in seen:
                yield _row(row, [own] if own else [])


def _row(row: Mapping[str, Any], on_disk: list[str]) -> dict[str, Any]:
    sha256 = row.get("sha256")
    known = bool(sha256 and on_disk)
    return {
        **_of(row, ("address", "server_name", "sha256", "subject", "not_after")),
        "error": row.get("error") or "",
        "differs": sha256 not in on_disk if known else None,
    }


def _once(said: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each finding once: both modules may tell of one file."""
    seen = set()
    for one in said:
        row = {key: str(one.get(key) or "") for key in _FINDING}
        key = row["code"], row["place"], row["message"]
        if key not in seen:
            seen.add(key)
            yield row


def _of(one: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: one.get(key) for key in keys}


def _list(told: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [one for one in told.get(key) or [] if isinstance(one, Mapping)]


def _each(tls: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    for instance in instances(tls):
        yield from _list(instance, key)

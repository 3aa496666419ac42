# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted release as values: what was given, laid over what is live.

The live release is the only store of certificates: whatever a call does not give is kept from there, each
file by itself. What needs cryptography comes in as ``Tools``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from . import hashes, release, revocation
from .blocks import Site, sites
from .default_server import DefaultPlan, Trust, UserServer, plan_defaults
from .errors import MtlsError
from .inputs import passphrase_of
from .release import PARTS, Source, credential_files, credential_path
from .tlsconf import DEFAULT_DEPTH, TlsSettings, settings_of, tls_conf

#: The client identity by which A proves itself to itself; it has no trust and no tls.conf.
PROBE = "probe"
_PURPOSES = {"server": "server", "proxy": "client"}
_FILES = {"certificate": "fullchain.pem", "private_key": "privkey.pem"}


class NotYet(MtlsError):
    """An input that an earlier step makes, and that does not exist yet; in check mode it becomes a line of
    the plan."""


@dataclass(frozen=True)
class Tools:
    """*read*: bytes of a path on this host.

    *bundle* returns an object with pem, verify_depth and findings.
    """

    read: Callable[[str], bytes]
    assemble: Callable[[bytes, Optional[bytes]], bytes]
    normalise_key: Callable[[bytes, Optional[bytes]], bytes]
    bundle: Callable[[list[tuple[str, bytes]], Mapping[str, Any]], Any]
    decode: Callable[[str], bytes]


@dataclass(frozen=True)
class Revoked:
    """A client that must be refused, for this call's proof only: it is in no release."""

    name: str
    certificate: bytes
    key: bytes = field(repr=False)


@dataclass
class Credential:
    """One credential of the wanted release; *proof*: clients that its own CRL revokes."""

    part: str
    name: str
    purpose: str
    files: Source
    changed: bool = False
    hostnames: tuple[str, ...] = ()
    findings: list[dict[str, Any]] = field(default_factory=list)
    proof: list[Revoked] = field(default_factory=list)


@dataclass
class Desired:
    """The wanted source without default.conf and mtls.conf (see ``complete``), and its credentials."""

    source: Source
    credentials: list[Credential]
    waiting: list[str] = field(default_factory=list)

    @property
    def revoked(self) -> dict[str, list[Revoked]]:
        """Credential of part server → the revoked clients to prove it by."""
        return {one.name: one.proof for one in self.credentials if one.proof}


def build(
    parts: Mapping[str, Any],
    kept: Mapping[str, bytes],
    live: Mapping[str, bytes],
    tools: Tools,
    planning: bool = False,
) -> Desired:
    """Lay *parts* (the module's option) over the source that is *kept*, the live one but for a rollback.

    *planning*: a credential whose input does not exist yet becomes a sentence in ``waiting``, not a fault.
    Raises MtlsError, naming the option.
    """
    source: Source = {}
    credentials: list[Credential] = []
    waiting: Optional[list[str]] = [] if planning else None
    for part in PARTS:
        given = parts.get(part)
        if given is None:
            source.update(release.part_of(kept, part))
            credentials += [_kept(part, name, kept) for name in release.credential_names(kept, part)]
            continue
        credentials += _credentials(part, given, kept, tools, waiting)
        for kind, folder in release.FOLDERS.items():
            if folder.startswith(part + "/"):
                source.update(_blocks(part, kind, given.get(kind), kept))
    for credential in credentials:
        for file, data in credential.files.items():
            source[credential_path(credential.part, credential.name, file)] = data
        credential.changed = credential.files != credential_files(live, credential.part, credential.name)
    source.pop("server/default.conf", None)
    if not waiting:
        release.check_references(source)
    return Desired(source, credentials, waiting or [])


def _blocks(
    part: str, kind: str, given: Optional[Sequence[Mapping[str, str]]], live: Mapping[str, bytes]
) -> Source:
    if given is None:
        return {path: data for path, data in live.items() if path.startswith(release.FOLDERS[kind] + "/")}
    found: Source = {}
    for block in given:
        path = release.block_path(kind, release.check_name(block["name"], kind[:-1]))
        if path in found:
            raise MtlsError(
                f"'{block['name']}' is listed twice.", f"parts.{part}.{kind}", "Give each a name of its own."
            )
        found[path] = block["content"].encode()
    return found


def _credentials(
    part: str, given: Mapping[str, Any], live: Mapping[str, bytes], tools: Tools, waiting: Optional[list[str]]
) -> list[Credential]:
    listed = given.get("credentials")
    if listed is None:
        return [_kept(part, name, live) for name in release.credential_names(live, part)]
    names = [release.check_name(spec["name"], "credential") for spec in listed]
    found = []
    for spec in listed:
        if names.count(spec["name"]) > 1:
            raise MtlsError(
                f"'{spec['name']}' is listed twice.",
                f"parts.{part}.credentials",
                "Give each a name of its own.",
            )
        try:
            found.append(_credential(part, spec, live, tools))
        except NotYet as error:
            if waiting is None:
                raise
            waiting.append(f"{error.place}: {error.message}")
    return found


def _kept(part: str, name: str, live: Mapping[str, bytes]) -> Credential:
    return Credential(part, name, _purpose(part, name), credential_files(live, part, name))


def _purpose(part: str, name: str) -> str:
    return "client" if part == "server" and name == PROBE else _PURPOSES[part]


def _credential(part: str, spec: Mapping[str, Any], live: Mapping[str, bytes], tools: Tools) -> Credential:
    name = spec["name"]
    place = f"parts.{part}.credentials[{name}]"
    purpose = _purpose(part, name)
    if spec.get("purpose") not in (None, purpose):
        raise MtlsError(
            f"Its purpose is '{spec['purpose']}', but '{name}' of part {part} is a {purpose}'s.",
            place,
            f"Leave purpose out; only '{PROBE}' of part server is a client's.",
        )
    before = credential_files(live, part, name)
    try:
        files = _pair(spec, before, place, tools)
        credential = Credential(part, name, purpose, files)
        credential.hostnames = tuple(spec.get("hostnames") or ())
        if spec.get("proof") and (part != "server" or name == PROBE):
            raise MtlsError(
                "Only a site of part server refuses clients.", f"{place}.proof", "Leave proof out here."
            )
        if part == "server" and name == PROBE:
            return credential
        depth = _trust(spec, before, credential, place, tools)
        files.update(_crl(spec, before, place, tools))
        files["tls.conf"] = tls_conf(
            part, name, _settings(spec, before, depth), files["trust.pem"], files.get("crl.pem", b"")
        ).encode()
        credential.proof = _revoked(spec, files.get("crl.pem", b""), place, tools)
    except MtlsError as error:
        raise error if error.place.startswith("parts.") else _placed(error, place) from error
    return credential


def _placed(error: MtlsError, place: str) -> MtlsError:
    inner = f"{place}: {error.place}" if error.place else place
    return type(error)(error.message, inner, error.remedy, error.code)


def _given(spec: Mapping[str, Any], what: str, tools: Tools) -> Optional[bytes]:
    """The bytes of ``<what>_content`` or ``<what>_path``, None where neither is given."""
    if spec.get(f"{what}_content"):
        return tools.decode(spec[f"{what}_content"])
    if spec.get(f"{what}_path"):
        return tools.read(spec[f"{what}_path"])
    return None


def _passphrase(spec: Mapping[str, Any], tools: Tools) -> Optional[bytes]:
    if spec.get("private_key_passphrase"):
        return passphrase_of(spec["private_key_passphrase"])
    if spec.get("private_key_passphrase_path"):
        return tools.read(spec["private_key_passphrase_path"]).rstrip(b"\r\n")
    return None


def _pair(spec: Mapping[str, Any], before: Mapping[str, bytes], place: str, tools: Tools) -> Source:
    certificate, key = _given(spec, "certificate", tools), _given(spec, "private_key", tools)
    chain = _given(spec, "chain", tools)
    if chain is not None and certificate is None:
        raise MtlsError(
            "A chain without its certificate.", place, "Give the certificate too, or leave the chain out."
        )
    files: Source = {}
    if certificate is not None:
        files["fullchain.pem"] = tools.assemble(certificate, chain)
    if key is not None:
        files["privkey.pem"] = tools.normalise_key(key, _passphrase(spec, tools))
    for what, file in _FILES.items():
        if file not in files:
            if file not in before:
                raise NotYet(
                    f"No {what.replace('_', ' ')} is given, and the live release has none to keep.",
                    place,
                    f"Give {what}_path, {what}_content or {what}_src.",
                )
            files[file] = before[file]
    return files


def _revoked(spec: Mapping[str, Any], crl: bytes, place: str, tools: Tools) -> list[Revoked]:
    found: list[Revoked] = []
    for one in spec.get("proof") or []:
        name = release.check_name(one["name"], "credential")
        where = f"{place}.proof[{name}]"
        if any(other.name == name for other in found):
            raise MtlsError(f"'{name}' is listed twice.", where, "Give each a name of its own.")
        try:
            pair = _pair(one, {}, where, tools)
            revocation.check(pair["fullchain.pem"], crl)
        except MtlsError as error:
            raise error if error.place.startswith("parts.") else _placed(error, where) from error
        found.append(Revoked(name, pair["fullchain.pem"], pair["privkey.pem"]))
    return found


def _sources(entries: Sequence[Mapping[str, Any]], what: str, tools: Tools) -> list[tuple[str, bytes]]:
    found = []
    for number, entry in enumerate(entries):
        if entry.get("content"):
            found.append((f"{what}[{number}]", tools.decode(entry["content"])))
        elif entry.get("path"):
            found.append((entry["path"], tools.read(entry["path"])))
        else:
            raise MtlsError(
                "It has neither path nor content.", f"{what}[{number}]", "Give src, path or content."
            )
    return found


def _trust(
    spec: Mapping[str, Any], before: Mapping[str, bytes], credential: Credential, place: str, tools: Tools
) -> Optional[int]:
    """Put trust.pem into the credential's files; the depth that its CAs need, None where the trust is
    kept."""
    trust = spec.get("trust")
    if trust is None or trust.get("sources") is None:
        if "trust.pem" not in before:
            raise NotYet(
                "No trust is given, and the live release has none to keep.",
                place,
                "Give trust.sources: the CAs that this side accepts from the other one.",
            )
        credential.files["trust.pem"] = before["trust.pem"]
        return None
    if not trust["sources"]:
        raise NotYet(
            "trust.sources is empty.", place, "List the CAs that this side accepts from the other one."
        )
    bundle = tools.bundle(_sources(trust["sources"], f"{place}.trust.sources", tools), trust)
    credential.files["trust.pem"] = bundle.pem
    credential.findings += [finding.to_dict() for finding in bundle.findings]
    return int(bundle.verify_depth)


def _crl(spec: Mapping[str, Any], before: Mapping[str, bytes], place: str, tools: Tools) -> Source:
    if spec.get("crl") is None:
        return {"crl.pem": before["crl.pem"]} if "crl.pem" in before else {}
    lists = []
    for label, data in _sources(spec["crl"], f"{place}.crl", tools):
        if b"-----BEGIN X509 CRL-----" not in data:
            raise MtlsError("It holds no CRL in PEM.", label, "nginx reads CRLs as PEM only: convert it.")
        lists.append(data.strip() + b"\n")
    return {"crl.pem": b"".join(dict.fromkeys(lists))} if lists else {}


def _settings(spec: Mapping[str, Any], before: Mapping[str, bytes], depth: Optional[int]) -> TlsSettings:
    kept = settings_of(before["tls.conf"].decode()) if "tls.conf" in before else None
    sessions = spec.get("sessions") or (kept.sessions if kept else "")
    wanted = spec.get("verify_depth")
    if wanted is not None:
        return TlsSettings(int(wanted), sessions)
    if depth is None:
        # The trust is kept, so what was computed from it, or asked for beside it, is kept as well.
        depth = kept.verify_depth if kept else DEFAULT_DEPTH
    return TlsSettings(depth, sessions)


def complete(
    desired: Desired,
    users: Sequence[UserServer],
    nginx_version: tuple[int, ...],
    digest: Callable[[str], str],
    taken: Collection[str] = (),
) -> DefaultPlan:
    """Add default.conf and mtls.conf to the source; returns the default servers. Raises MtlsError.

    *taken*: the names of directives that somebody else's configuration has at http level.
    """
    source = desired.source
    found = sites(release.texts(source, "sites"))

    def trust_of(site: Site) -> Trust:
        files = credential_files(source, "server", site.credential or "")
        depth = settings_of(files.get("tls.conf", b"").decode()).verify_depth
        return _digest(files.get("trust.pem", b"")), "", _digest(files.get("crl.pem", b"")), str(depth)

    def sessions_of(site: Site) -> str:
        return session_zone(source, site)

    plan = plan_defaults(found, users, nginx_version, trust_of, sessions_of, digest)
    if plan.text:
        source["server/default.conf"] = plan.text.encode()
    desired.source = release.with_entry(source, hashes.room(source, taken))
    return plan


def session_zone(source: Mapping[str, bytes], site: Site) -> str:
    """The site's ``ssl_session_cache``, which is ``off`` unless its credential asks for shared sessions."""
    files = credential_files(source, "server", site.credential or "")
    for line in files.get("tls.conf", b"").decode().splitlines():
        if line.startswith("ssl_session_cache "):
            return line[len("ssl_session_cache ") :].rstrip(";")
    return "off"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""

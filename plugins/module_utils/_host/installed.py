# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed below ``nginx_mtls_base`` and what nginx serves of it: read only, without the lock."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from .._core import allowlist, blocks, release
from .._core.desired import PROBE
from .._core.errors import MtlsError
from .._core.findings import Finding
from .._core.listen import Listen
from .._core.tlsconf import settings_of
from .._core.transaction import Action, recover
from . import probe
from .probe import Identity, Observation, Target
from .store import Store

_TIMEOUT_S = 3.0
_TRIES = 3
# No credential is without these; trust and CRL are given or not.
_NEEDED = ("certificate", "private_key")
_DIFFERS = "endpoint.served_differs_from_file"

Ask = Callable[..., Observation]
#: DER of a served certificate → at least `sha256`, `subject` and `not_after`; empty where it cannot be read.
Describe = Callable[[bytes], dict[str, Any]]


@dataclass
class Installed:
    """*facts* is the element `installed` of the result. *source*: the live release, empty where there is
    none."""

    facts: dict[str, Any]
    directory: str = ""
    source: release.Source = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def look(base: str) -> Installed:
    """What lies on the disk. Tolerates a host with nothing installed, and one where a run has left a mess:
    `next_run` then says what the next call of ``release`` would mend first.

    A switch that takes place meanwhile is waited for by reading again.
    """
    store = Store(base.rstrip("/") or "/")
    facts: dict[str, Any] = {
        "base": store.base, "exists": store.exists(), "release": None, "releases": [], "state": None,
        "parts": [], "sites": [], "routes": [], "pending": [], "next_run": "",
    }  # fmt: skip
    found = Installed(facts)
    if not facts["exists"]:
        return found
    try:
        _read(store, found)
    except OSError as error:
        place = error.filename or store.base
        said = f"It cannot be read: {error.strerror}; root may (become: true)."
        found.findings.append(Finding("file.unreadable", said, place))
    return found


def _read(store: Store, found: Installed) -> None:
    names = store.names()
    for _try in range(_TRIES):
        live = store.current()
        state = store.state()
        files = store.read(live) if live else {}
        if live == store.current():
            break
    found.source = release.unrender(files)
    found.directory = store.directory(live) if live else ""
    recovery = recover(state, live, store.whole(), not store.has_link() and not store.has_state())
    mends = recovery.action not in (Action.GO_ON, Action.LAY_EMPTY) or bool(recovery.reason)
    found.facts.update(
        release=live,
        releases=names,
        state=state.to_dict() if state else None,
        parts=[part for part in release.PARTS if release.part_of(found.source, part)],
        sites=list(_described_sites(found.source)),
        routes=list(_described_routes(found.source)),
        pending=sorted(_pending(store.base)),
        next_run=(recovery.reason or recovery.action.value) if mends else "",
    )


def prepared(found: Installed) -> Optional[Installed]:
    """What waits for its switch, None where nothing does, or not all of it is there any more. Its `facts` has
    `own`: the credentials, (part, name), that it changes."""
    state = found.facts["state"] or {}
    waiting = state.get("prepared")
    store = Store(found.facts["base"])
    if not waiting or waiting == found.facts["release"] or waiting not in store.whole():
        return None
    source = release.unrender(store.read(waiting))
    own = [tuple(path.split("/")[::2]) for path in state["own"] if "/credentials/" in path]
    return Installed({"own": own}, store.directory(waiting), source)


def _pending(base: str) -> Iterator[str]:
    for part in release.PARTS:
        folder = f"{base}/pending/{part}"
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            yield f"{part}/{name}"


def specs(found: Installed) -> Iterator[tuple[str, dict[str, Any]]]:
    """(part, what ``credential.examine`` takes) for each installed credential.

    Its trust is for the other side's certificates, so it stands beside, as `peers_trust` and `peers_crl`.
    """
    wanted = _hostnames(found.source)
    for part in release.PARTS:
        for name in release.credential_names(found.source, part):
            files = release.credential_files(found.source, part, name)
            spec: dict[str, Any] = {"name": name}
            for slot, file in (
                ("certificate", "fullchain.pem"),
                ("private_key", "privkey.pem"),
                ("peers_trust", "trust.pem"),
                ("peers_crl", "crl.pem"),
            ):
                place = f"{found.directory}/{release.credential_path(part, name, file)}"
                spec[slot], spec[f"{slot}_place"] = files.get(file), place
                if spec[slot] is None and slot in _NEEDED:
                    spec[slot] = Finding("file.missing", "The live release has lost this file.", place)
            spec["purpose"] = "server" if part == "server" and name != PROBE else "client"
            spec["hostnames"] = wanted.get(name, []) if part == "server" else []
            yield part, spec


def public(found: Installed, part: str, name: str) -> dict[str, Any]:
    """What is no secret of an installed credential: its PEM files but the key, and how deep it verifies."""
    files = release.credential_files(found.source, part, name)
    texts = {
        slot: files[file].decode("utf-8", "replace") if file in files else None
        for slot, file in (("certificate", "fullchain.pem"), ("trust", "trust.pem"), ("crl", "crl.pem"))
    }
    try:
        depth = settings_of(files["tls.conf"].decode("utf-8", "replace")).verify_depth
    except (KeyError, ValueError, MtlsError):  # a probe identity has none; somebody edited it
        depth = None
    return {**texts, "verify_depth": depth}


def _described_sites(source: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """The sites with whom they let in; a site of somebody else's text has no allowlist that is known."""
    for site in _sites(source):
        allow, probes = allowlist.read(release.texts(source, "sites")[site.name], site.name)
        yield {
            "name": site.name,
            "server_names": list(site.server_names),
            "listen": sorted({listen.key for listen in site.listens if listen.tls and not listen.is_unix}),
            "credential": site.credential,
            "verify": site.verify,
            "protocols": list(site.protocols),
            "curves": site.curves.split(":") if site.curves else [],
            "allow": allow,
            "probes": probes,
        }


def _described_routes(source: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """Each route once, by the upstream that is its own."""
    try:
        texts = release.texts(source, "routes")
        owners, servers = blocks.upstream_owners(texts), blocks.upstream_servers(texts)
    except MtlsError:
        return
    ways = [way for listener in _listeners(source) for way in (*listener.ways, *listener.routes)]
    for way in {owners[way.upstream]: way for way in ways if way.upstream in owners}.values():
        yield {
            "name": owners[way.upstream],
            "server_name": way.server_name,
            "credential": way.credential,
            "servers": [
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                for host, port in servers[way.upstream]
            ],
        }


def _hostnames(source: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Credential → the names that its sites are asked by."""
    found: dict[str, list[str]] = {}
    for site in _sites(source):
        if site.credential and site.host_name:
            found.setdefault(site.credential, []).append(site.host_name)
    return {name: list(dict.fromkeys(hosts)) for name, hosts in found.items()}


def _sites(source: Mapping[str, bytes]) -> list[blocks.Site]:
    try:
        return blocks.sites(release.texts(source, "sites"))
    except MtlsError:  # somebody edited the release's own text; `next_run` says so
        return []


def _listeners(source: Mapping[str, bytes]) -> list[blocks.Listener]:
    try:
        return blocks.listeners(release.texts(source, "listeners"))
    except MtlsError:
        return []


class Served:
    """Asks each listen address of the live release what it serves, as a client of this host.

    A site of Server A is asked for its certificate, and by A's own probe identity for the release that runs;
    a listener of Server B tells its release. Who does not answer in time is asked no second time.
    """

    def __init__(self, found: Installed, describe: Describe, ask: Ask = probe.probe) -> None:
        self._found = found
        self._describe = describe
        self._ask = ask
        self._silent: dict[tuple[str, int], Observation] = {}
        self._known: dict[Target, Observation] = {}

    def of(self, part: str, name: str, on_disk: str) -> tuple[list[dict[str, Any]], list[Finding]]:
        """What is served for one credential, one element for each address and site, and what is wrong.

        *on_disk*: SHA-256 of the credential's own certificate, "" where that cannot be read.
        """
        rows: list[dict[str, Any]] = []
        findings: list[Finding] = []
        for target in self._targets(part, name):
            seen = self._seen(target)
            row = self._row(target, seen)
            rows.append(row)
            findings += self._differences(part, on_disk, row)
        return rows, findings

    def _targets(self, part: str, name: str) -> Iterator[Target]:
        if part == "server":
            for site in _sites(self._found.source):
                for listen in site.listens if site.credential == name and site.host_name else ():
                    if listen.tls:
                        path = site.probe_path or "/"
                        yield _target(listen, path, site.host_name or "", True)
        else:
            for listener in _listeners(self._found.source):
                for listen in listener.listens if name in listener.credentials and listener.has_probe else ():
                    yield _target(listen, blocks.PROXY_PROBE, "", listen.tls)

    def _seen(self, target: Target) -> Observation:
        where = (target.address, target.port)
        if where in self._silent:
            return self._silent[where]
        if target not in self._known:
            self._known[target] = self._asked(target)
        seen = self._known[target]
        if seen.timed_out and seen.phase in ("resolve", "connect", "handshake"):
            self._silent[where] = seen
        return seen

    def _asked(self, target: Target) -> Observation:
        identity = self._identity() if target.tls else None
        try:
            return self._ask(target, identity, timeout_s=_TIMEOUT_S)
        except MtlsError as error:
            if identity is None:
                return Observation(error=str(error))
        # A probe identity that cannot be loaded hides no certificate.
        return self._ask(target, None, timeout_s=_TIMEOUT_S)

    def _identity(self) -> Optional[Identity]:
        folder = f"{self._found.directory}/{release.credential_path('server', PROBE)}"
        if release.credential_path("server", PROBE, "privkey.pem") not in self._found.source:
            return None
        return Identity(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")

    def _row(self, target: Target, seen: Observation) -> dict[str, Any]:
        words = seen.body.decode("utf-8", "replace").split() if seen.status == 200 else []
        running = words[0] if words and release.is_release_id(words[0]) else None
        row: dict[str, Any] = {
            "address": target.name, "server_name": target.server_name, "release": running, "sha256": None,
            "subject": None, "not_after": None, "error": seen.error,
        }  # fmt: skip
        if seen.served:
            known = self._describe(seen.served[0])
            row.update({key: known.get(key) for key in ("subject", "not_after")})
            row["sha256"] = hashlib.sha256(seen.served[0]).hexdigest()
        return row

    def _differences(self, part: str, on_disk: str, row: Mapping[str, Any]) -> Iterator[Finding]:
        where = f"{row['address']} ({row['server_name']})" if row["server_name"] else row["address"]
        live = self._found.facts["release"]
        if part == "server" and row["sha256"] and on_disk and row["sha256"] != on_disk:
            yield Finding(
                _DIFFERS,
                f'nginx serves "{row["subject"]}" (SHA-256 {row["sha256"][:16]}…) at {where}, on disk is'
                f" {on_disk[:16]}….",
                row["address"],
            )
        elif row["release"] and row["release"] != live:
            yield Finding(
                _DIFFERS,
                f"nginx at {where} runs release {row['release']}, the live one on disk is {live}.",
                row["address"],
            )


def _target(listen: Listen, path: str, server_name: str, tls: bool) -> Target:
    return Target(
        address=listen.address if listen.is_unix else listen.local_host,
        port=listen.port or 443,
        server_name=server_name,
        http_host=server_name,
        path=path,
        tls=tls,
        proxy_protocol=listen.proxy_protocol,
    )

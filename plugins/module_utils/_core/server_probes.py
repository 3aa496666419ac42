# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the sites of part server: who must get in, who must not, and what the default server says.

``_core/proof_plan.py`` puts the questions together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Optional

from . import release
from .blocks import PROTOCOLS, Site, sites, sockets
from .desired import PROBE, session_zone
from .listen import Listen
from .probe_trust import not_for_the_probe
from .probes import (
    DEFAULT,
    FOREIGN,
    FOREIGN_CERTIFICATE,
    GOOD,
    NO_CERTIFICATE,
    NO_SNI,
    NOBODYS_HOST,
    REVOKED,
    SESSION,
    UNKNOWN_NAME,
    UNKNOWN_SNI,
    UNRECOGNIZED_NAME,
    Probe,
    leaf_of,
)


def server_probes(source: Mapping[str, bytes], identity: str, rounds: int, quick: bool) -> list[Probe]:
    """Each site at each of its addresses; each socket's default server once.

    It is a user's where the release's own ``default.conf`` has none for that socket.
    """
    probes: list[Probe] = []
    seen_sockets: set[tuple[str, str, str]] = set()
    places = _places(source)
    others = not_for_the_probe(source)
    ours = sockets(release.default_text(source))
    # Only a site that answers with the id, and to known clients alone, tells who got in by another block.
    sites_with_probe_path = {
        listen.key: site
        for site, listen, dummy in reversed(places)
        if site.probe_path and site.verify != "off"
    }
    for site, listen, address in places:
        if "ssl" not in listen.flags:
            probes.append(_not_by_tcp(site, listen))
            continue
        for version in _versions(site, quick):
            first = (listen.key, address, version) not in seen_sockets
            seen_sockets.add((listen.key, address, version))
            asked = _site_probes(source, identity, site, listen, version, rounds, others)
            if first:
                if listen.key in ours:
                    asked += _socket_probes(site, listen, version)
                else:
                    told_by = sites_with_probe_path.get(listen.key)
                    asked += _user_default_probes(identity, told_by, site, listen, version)
            probes += [replace(probe, address=address) for probe in asked]
    return probes


def _places(source: Mapping[str, bytes]) -> list[tuple[Site, Listen, str]]:
    """Each site at each address that it is asked at, once: a socket for TCP and QUIC is listed twice."""
    found: dict[tuple[str, Optional[str], str, str], tuple[Site, Listen, str]] = {}
    for site in sites(release.texts(source, "sites")):
        for listen in sorted(site.listens, key=lambda one: "ssl" not in one.flags):
            for address in listen.local_addresses if listen.tls else ():
                found.setdefault((site.name, site.host_name, listen.key, address), (site, listen, address))
    return list(found.values())


def _not_by_tcp(site: Site, listen: Listen) -> Probe:
    return replace(
        _server_probe(site, listen, ""),
        kind=GOOD,
        rounds=0,
        expected="QUIC",
        without="QUIC is not spoken here; ask with a client of HTTP/3",
    )


def _versions(site: Site, quick: bool) -> list[str]:
    known = [PROTOCOLS[name] for name in PROTOCOLS if name in site.protocols] or [""]
    return known[-1:] if quick else known


def _server_probe(site: Site, listen: Listen, version: str) -> Probe:
    name = site.host_name or ""
    return Probe(
        kind="",
        part="server",
        subject=site.name,
        credential=site.credential or "",
        address=listen.local_addresses[0],
        port=listen.port,
        expected="",
        server_name=name,
        http_host=name,
        path=site.probe_path or "/",
        tls_version=version,
        proxy_protocol=listen.proxy_protocol,
        # Without a name that reaches it nothing can be asked of the site.
        rounds=1 if name else 0,
        without="" if name else "the site has no name that a client could send",
    )


def _site_probes(
    source: Mapping[str, bytes],
    identity: str,
    site: Site,
    listen: Listen,
    version: str,
    rounds: int,
    others: frozenset[str],
) -> list[Probe]:
    """*others*: credentials whose clients the probe identity is none of."""
    base = _server_probe(site, listen, version)
    files = release.credential_files(source, "server", site.credential or "")
    leaf = leaf_of(files.get("fullchain.pem", b""))
    own = leaf_of(release.credential_files(source, "server", PROBE).get("fullchain.pem", b""))
    good = (identity, "SUCCESS", own.sha1 if own else "") if site.probe_path else ()
    probes = [
        replace(
            base,
            kind=GOOD,
            identity=PROBE,
            rounds=base.rounds * rounds,
            want_status=(200,),
            want_words=good,
            expected=f"200, release {identity}, SUCCESS" if site.probe_path else "200",
        )
    ]
    if site.verify == "off":
        # Nobody is let in or refused there; what it serves is still this release.
        expected = f"200, release {identity}"
        probes = [
            replace(probes[0], kind="release served", identity="", want_words=good[:1], expected=expected)
        ]
    elif site.credential in others:
        without = "the site trusts other authorities than that of the probe identity"
        probes = [replace(probes[0], rounds=0, without=without)]
    if leaf:
        probes.append(
            replace(
                base,
                kind="certificate served",
                want_leaf=leaf.sha256,
                expected=f"the leaf {leaf.sha256[:16]}",
            )
        )
    if site.verify != "off":
        none = (400,) if site.verify == "on" else (403,)
        probes += [
            _refused(base, site, identity, NO_CERTIFICATE, "", none),
            _refused(base, site, identity, FOREIGN_CERTIFICATE, FOREIGN, _unverified(site)),
        ]
    return probes


def _unverified(site: Site) -> tuple[int, ...]:
    """The status for a certificate that nginx does not verify; behind optional_no_ca the site says it."""
    return (403,) if site.verify == "optional_no_ca" else (400,)


def _refused(
    base: Probe,
    site: Site,
    identity: str,
    kind: str,
    who: str,
    status: tuple[int, ...],
    resumes: bool = False,
) -> Probe:
    return replace(
        base,
        kind=kind,
        identity=who,
        want_status=status,
        expected=f"{status[0]}",
        unwanted=identity if site.probe_path else "",
        refused=True,
        resumes=resumes,
    )


def revoked_probes(
    source: Mapping[str, bytes], identity: str, given: Mapping[str, Sequence[str]], quick: bool = False
) -> list[Probe]:
    """A new connection of each revoked client, at each site of the credential that it was given for.

    *given*: credential of part server → names of identities that its CRL revokes.
    """
    found: list[Probe] = []
    for credential, names in sorted(given.items()):
        asked = _revoked(source, identity, credential, names, False, quick)
        found += asked or [_nowhere(credential, name) for name in names]
    return found


def revoked_session_probes(
    before: Mapping[str, bytes], after: Mapping[str, bytes], identity: str, given: Mapping[str, Sequence[str]]
) -> list[Probe]:
    """The same clients with the session that each has from before the switch, at sites that were there."""
    old = {(site.name, address) for site, dummy, address in _places(before)}
    found = [
        probe
        for credential, names in sorted(given.items())
        for probe in _revoked(after, identity, credential, names, True, False)
    ]
    return [probe for probe in found if (probe.subject, probe.address) in old]


def _revoked(
    source: Mapping[str, bytes],
    identity: str,
    credential: str,
    names: Sequence[str],
    resumes: bool,
    quick: bool,
) -> list[Probe]:
    found = []
    for site, listen, address in _places(source):
        if site.credential != credential or site.verify == "off" or "ssl" not in listen.flags:
            continue
        for version in _versions(site, quick):
            base = replace(_server_probe(site, listen, version), address=address)
            for name in names:
                kind = f"{REVOKED} {name}, {SESSION}" if resumes else f"{REVOKED} {name}"
                who = f"{REVOKED}:{credential}/{name}"
                found.append(_refused(base, site, identity, kind, who, _unverified(site), resumes))
    return found


def _nowhere(credential: str, name: str) -> Probe:
    return Probe(
        kind=f"{REVOKED} {name}",
        part="server",
        subject=credential,
        credential=credential,
        address="",
        port=0,
        expected="400",
        rounds=0,
        without="no site verifies clients by this credential",
    )


def _socket_probes(site: Site, listen: Listen, version: str) -> list[Probe]:
    """What the default server of the socket answers to those who name no site, or no site's Host."""
    stranger, host = _nameless(site, listen, version)
    words = f"refused, alert {UNRECOGNIZED_NAME}"
    return _by_name(
        replace(stranger, expected=words, want_alert=UNRECOGNIZED_NAME),
        replace(host, expected="421", want_status=(421,)),
        "refused",
    )


def _user_default_probes(
    identity: str, told_by: Optional[Site], site: Site, listen: Listen, version: str
) -> list[Probe]:
    """The same of a user's block, which may answer what it likes but not as a site of ours. *told_by*: the
    site whose probe path tells who got in."""
    stranger, host = (
        replace(probe, expected="no way into the site", unwanted=identity)
        for probe in _nameless(told_by or site, listen, version)
    )
    if told_by is None:
        without = "no site there verifies clients and has a probe path, by which one sees who got in"
        stranger, host = (replace(probe, rounds=0, without=without) for probe in (stranger, host))
    return _by_name(stranger, host, "the user's default")


def _nameless(site: Site, listen: Listen, version: str) -> tuple[Probe, Probe]:
    base = replace(_server_probe(site, listen, version), subject=DEFAULT)
    # A client that the site would refuse: by a default server that verifies nobody it must not get in either.
    stranger = replace(base, identity=FOREIGN, rounds=1, without="")
    return stranger, replace(base, identity=PROBE, http_host=UNKNOWN_NAME)


def _by_name(stranger: Probe, host: Probe, kind: str) -> list[Probe]:
    return [
        replace(stranger, kind=f"{NO_SNI}, {kind}", server_name=""),
        replace(stranger, kind=f"{UNKNOWN_SNI}, {kind}", server_name=UNKNOWN_NAME),
        replace(host, kind=f"{NOBODYS_HOST}, {kind}"),
    ]


def session_probes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Probe]:
    """Probes that offer a session from before the switch: for each site in both, where none may be resumed.

    With shared sessions and the same trust and CRL a session may go on, so nothing is asked there.
    """
    old = {(site.name, address): site for site, dummy, address in _places(before)}
    found = []
    others = not_for_the_probe(after)
    for site, listen, address in _places(after):
        past = old.get((site.name, address))
        zone = session_zone(after, site)
        if past is None or site.verify == "off" or (zone != "off" and zone == session_zone(before, past)):
            continue
        for version in _versions(site, False) if "ssl" in listen.flags else []:
            good = _site_probes(after, "", site, listen, version, 1, others)[0]
            found.append(
                replace(
                    good,
                    kind=SESSION,
                    address=address,
                    want_status=(),
                    want_words=(),
                    expected="not resumed",
                    resumes=True,
                )
            )
    return found

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of a release: which requests show that it works, and what their answers mean.

A refused client is one that gets HTTP 400: nginx completes the handshake with it. So every row is judged by
what came back over HTTP, by the certificate that was served, and never by the handshake alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from . import release
from .blocks import PROTOCOLS, PROXY_PROBE, Listener, Route, Site, listeners, sites, upstream_servers
from .blocks import ROUTE_PROBE as ROUTE_PROBE
from .desired import PROBE, session_zone
from .listen import Listen

UNKNOWN_NAME = "mtls-unknown.invalid"
FOREIGN = "foreign"
SESSION = "session from before"
OK, FAILED, INCONCLUSIVE, WAS_FAILING = "ok", "failed", "inconclusive", "was_failing"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Leaf:
    """The fingerprints of a credential's own certificate, lower-case hex as nginx prints its SHA-1."""

    sha1: str
    sha256: str


def leaf_of(fullchain: bytes) -> Optional[Leaf]:
    """The fingerprints of the first certificate of a PEM file; None where it has none."""
    block = _PEM.search(fullchain)
    if not block:
        return None
    der = base64.b64decode(block.group(1))
    return Leaf(hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest())


@dataclass(frozen=True)
class Answer:
    """One answer as plain values; *reused* is about the TLS session, *offered* whether there was one to offer."""

    phase: str
    status: Optional[int] = None
    body: str = ""
    error: str = ""
    alert: Optional[int] = None
    leaf_sha256: str = ""
    reused: bool = False
    offered: bool = True


@dataclass(frozen=True)
class Probe:
    """One row: a request, asked *rounds* times, and what must come back.

    *identity*: "" sends no certificate, ``probe`` A's own, ``foreign`` one of a CA made for the run, anything
    else is a credential of part proxy. *trust*: the proxy credential whose trust the server's chain is verified by.
    """

    kind: str
    part: str
    subject: str
    credential: str
    address: str
    port: int
    expected: str
    tls: bool = True
    server_name: str = ""
    http_host: str = ""
    path: str = "/"
    tls_version: str = ""
    proxy_protocol: bool = False
    identity: str = ""
    trust: str = ""
    rounds: int = 1
    want_status: tuple[int, ...] = ()
    want_words: tuple[str, ...] = ()
    want_leaf: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, int, str]:
        """The same question asked of another release has the same key."""
        return self.kind, self.part, self.subject, self.address, self.port, self.tls_version

    @property
    def target(self) -> str:
        host = (
            f"[{self.address}]"
            if ":" in self.address and not self.address.startswith("unix:")
            else self.address
        )
        where = host if host.startswith("unix:") else f"{host}:{self.port}"
        version = f" TLS {self.tls_version}" if self.tls_version else ""
        return f"{self.part} {self.subject} at {where}{version}"


@dataclass
class Row:
    """One line of the proof. *cause* groups failures: id, leaf, unreachable, certificate, refused, admitted, other."""

    probe: Probe
    got: str
    verdict: str
    cause: str = ""
    statuses: tuple[Optional[int], ...] = field(default=())

    def to_dict(self) -> dict[str, str]:
        return {
            "probe": self.probe.kind,
            "target": self.probe.target,
            "expected": self.probe.expected,
            "got": self.got,
            "verdict": self.verdict,
        }


# ---------------------------------------------------------------------------------------------------- plan


def plan(
    source: Mapping[str, bytes],
    identity: str,
    user_defaults: Sequence[str] = (),
    rounds: int = 3,
    quick: bool = False,
) -> list[Probe]:
    """All probes for a release. *user_defaults*: sockets (Listen.key) whose default server is the user's.

    *quick*: one round, the newest TLS version only; for a release that is live and proven already.
    """
    probes: list[Probe] = []
    rounds = 1 if quick else rounds
    seen_sockets: set[tuple[str, str]] = set()
    for site in sites(release.texts(source, "sites")):
        for listen in site.listens:
            if not listen.tls:
                continue
            for version in _versions(site, quick):
                first = (listen.key, version) not in seen_sockets
                seen_sockets.add((listen.key, version))
                probes += _site_probes(source, identity, site, listen, version, rounds)
                if first:
                    probes += _socket_probes(identity, site, listen, version, listen.key in user_defaults)
    probes += _proxy_probes(source, identity, rounds)
    return probes


def _versions(site: Site, quick: bool) -> list[str]:
    known = [PROTOCOLS[name] for name in PROTOCOLS if name in site.protocols] or [""]
    return known[-1:] if quick else known


def _site_probes(
    source: Mapping[str, bytes], identity: str, site: Site, listen: Listen, version: str, rounds: int
) -> list[Probe]:
    name = site.host_name or ""
    base = Probe(
        kind="",
        part="server",
        subject=site.name,
        credential=site.credential or "",
        address=listen.address if listen.is_unix else listen.local_host,
        port=listen.port,
        expected="",
        server_name=name,
        http_host=name,
        path=site.probe_path or "/",
        tls_version=version,
        proxy_protocol=listen.proxy_protocol,
    )
    files = release.credential_files(source, "server", site.credential or "")
    leaf = leaf_of(files.get("fullchain.pem", b""))
    own = leaf_of(release.credential_files(source, "server", PROBE).get("fullchain.pem", b""))
    probes = [
        replace(
            base,
            kind="client accepted",
            identity=PROBE,
            rounds=rounds,
            want_status=(200,),
            want_words=(identity, "SUCCESS", own.sha1 if own else ""),
            expected=f"200, release {identity}, SUCCESS",
        )
    ]
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
        refused = (400,) if site.verify == "on" else (403,)
        foreign = (403,) if site.verify == "optional_no_ca" else (400,)
        probes += [
            replace(base, kind="no certificate", want_status=refused, expected=f"{refused[0]}"),
            replace(
                base,
                kind="foreign certificate",
                identity=FOREIGN,
                want_status=foreign,
                expected=f"{foreign[0]}",
            ),
        ]
    return probes


def _socket_probes(
    identity: str, site: Site, listen: Listen, version: str, user_default: bool
) -> list[Probe]:
    base = Probe(
        kind="",
        part="server",
        subject=site.name,
        credential=site.credential or "",
        address=listen.address if listen.is_unix else listen.local_host,
        port=listen.port,
        expected="no way into the site" if user_default else "refused in the handshake",
        http_host=site.host_name or "",
        path=site.probe_path or "/",
        tls_version=version,
        proxy_protocol=listen.proxy_protocol,
        # A client that the site would refuse: by a default server that verifies nobody it must not get in either.
        identity=FOREIGN,
        want_words=(identity,) if user_default else (),
    )
    kind = "the user's default" if user_default else "refused"
    return [
        replace(base, kind=f"no SNI, {kind}"),
        replace(base, kind=f"unknown SNI, {kind}", server_name=UNKNOWN_NAME),
    ]


def session_probes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Probe]:
    """Probes that offer a session from before the switch: for each site in both, where none may be resumed.

    With shared sessions and the same trust and CRL a session may go on, so nothing is asked there.
    """
    old = {site.name: site for site in sites(release.texts(before, "sites"))}
    found = []
    for site in sites(release.texts(after, "sites")):
        past = old.get(site.name)
        zone = session_zone(after, site)
        if past is None or site.verify == "off" or (zone != "off" and zone == session_zone(before, past)):
            continue
        shared = {listen.key for listen in past.listens}
        for listen in site.listens:
            for version in _versions(site, False) if listen.tls and listen.key in shared else []:
                positive = _site_probes(after, "", site, listen, version, 1)[0]
                found.append(
                    replace(
                        positive,
                        kind=SESSION,
                        want_status=(),
                        want_words=(),
                        expected="not resumed",
                    )
                )
    return found


def _proxy_probes(source: Mapping[str, bytes], identity: str, rounds: int) -> list[Probe]:
    probes: list[Probe] = []
    for listener in listeners(release.texts(source, "listeners")):
        for listen in listener.listens:
            base = _listener_probe(listener, listen)
            if listener.has_probe:
                probes.append(
                    replace(
                        base,
                        kind="release served",
                        path=PROXY_PROBE,
                        rounds=rounds,
                        want_status=(200,),
                        want_words=(identity,),
                        expected=f"200, release {identity}",
                    )
                )
            probes += [_route_probe(base, route, source) for route in listener.routes]
    return probes + direct_probes(source)


def _listener_probe(listener: Listener, listen: Listen) -> Probe:
    return Probe(
        kind="",
        part="proxy",
        subject=listener.name,
        credential="",
        address=listen.address if listen.is_unix else listen.local_host,
        port=listen.port,
        expected="",
        tls=listen.tls,
        proxy_protocol=listen.proxy_protocol,
    )


def _client_words(source: Mapping[str, bytes], route: Route) -> tuple[str, ...]:
    files = release.credential_files(source, "proxy", route.credential or "")
    leaf = leaf_of(files.get("fullchain.pem", b""))
    return ("*", "SUCCESS", leaf.sha1 if leaf else "")


def _route_probe(base: Probe, route: Route, source: Mapping[str, bytes]) -> Probe:
    return replace(
        base,
        kind="route",
        subject=route.name,
        credential=route.credential or "",
        path=ROUTE_PROBE + route.name,
        want_status=(200,),
        want_words=_client_words(source, route) if route.path != "/" else (),
        expected="200, SUCCESS, seen by A with the certificate of this release",
    )


def direct_probes(source: Mapping[str, bytes]) -> list[Probe]:
    """One request to each server of each route with the route's own identity, past nginx."""
    upstreams = upstream_servers(release.texts(source, "routes"))
    found: dict[tuple[str, str, int], Probe] = {}
    for listener in listeners(release.texts(source, "listeners")):
        for route in listener.routes:
            for host, port in upstreams.get(route.upstream, []) if route.credential else []:
                found[(route.name, host, port)] = Probe(
                    kind="server of the route",
                    part="proxy",
                    subject=route.name,
                    credential=route.credential or "",
                    address=host,
                    port=port,
                    server_name=route.server_name,
                    http_host=route.server_name,
                    path=route.path,
                    identity=route.credential or "",
                    trust=route.credential or "",
                    want_status=(200,),
                    want_words=_client_words(source, route) if route.path != "/" else (),
                    expected="200, SUCCESS, the certificate of this release",
                )
    return list(found.values())


# ------------------------------------------------------------------------------------------------- judging


def judge(probe: Probe, answers: Sequence[Answer]) -> Row:
    """The row for what came back. Never ``ok`` for a question that could not be asked."""
    if not answers:
        return Row(probe, "not asked: the release has no probe identity", INCONCLUSIVE)
    rows = [_judge_one(probe, answer) for answer in answers]
    worst = next((row for row in rows if row.verdict == FAILED), None)
    worst = worst or next((row for row in rows if row.verdict == INCONCLUSIVE), rows[-1])
    count = sum(row.verdict == OK for row in rows)
    got = worst.got if len(rows) == 1 else f"{worst.got} ({count} of {len(rows)} as expected)"
    return Row(probe, got, worst.verdict, worst.cause, tuple(answer.status for answer in answers))


def _judge_one(probe: Probe, answer: Answer) -> Row:
    if probe.kind == SESSION:
        return _judge_session(probe, answer)
    if probe.want_leaf:
        return _judge_leaf(probe, answer)
    if "SNI" in probe.kind:
        return _judge_default(probe, answer)
    if answer.status is None:
        return Row(probe, _words(answer), FAILED, _cause(answer))
    if probe.identity in ("", FOREIGN) and probe.tls and probe.part == "server":
        return _judge_refusal(probe, answer)
    return _judge_accepted(probe, answer)


def _words(answer: Answer) -> str:
    if answer.status is not None:
        return str(answer.status)
    alert = f", alert {answer.alert}" if answer.alert is not None else ""
    return f"no answer ({answer.phase}: {answer.error}{alert})"


def _cause(answer: Answer) -> str:
    if answer.phase in ("resolve", "connect"):
        return "unreachable"
    if answer.phase == "handshake":
        return "refused" if answer.alert is not None else "certificate"
    return "unreachable" if "no end within" in answer.error else "other"


def _judge_session(probe: Probe, answer: Answer) -> Row:
    if not answer.offered:
        return Row(probe, "there was no session to resume", OK)
    if answer.reused:
        return Row(probe, "resumed, so the client was not verified again", FAILED, "admitted")
    return Row(probe, "not resumed", OK)


def _judge_leaf(probe: Probe, answer: Answer) -> Row:
    if not answer.leaf_sha256:
        return Row(probe, _words(answer), FAILED, _cause(answer))
    same = answer.leaf_sha256 == probe.want_leaf
    return Row(probe, f"the leaf {answer.leaf_sha256[:16]}", OK if same else FAILED, "" if same else "leaf")


def _judge_default(probe: Probe, answer: Answer) -> Row:
    if probe.want_words:
        entered = answer.status == 200 and answer.body.startswith(probe.want_words[0])
        return Row(probe, _words(answer), FAILED if entered else OK, "admitted" if entered else "")
    if answer.phase == "handshake" and answer.alert is not None:
        return Row(probe, f"refused, alert {answer.alert}", OK)
    if answer.status is None:
        return Row(
            probe, _words(answer), FAILED if answer.phase == "connect" else INCONCLUSIVE, _cause(answer)
        )
    return Row(probe, f"{answer.status}: a server answered", FAILED, "admitted")


def _judge_refusal(probe: Probe, answer: Answer) -> Row:
    if answer.status in probe.want_status:
        return Row(probe, _words(answer), OK)
    admitted = answer.status is not None and answer.status < 400
    if admitted:
        return Row(probe, f"{answer.status}: admitted", FAILED, "admitted")
    return Row(probe, _words(answer), INCONCLUSIVE)


def _judge_accepted(probe: Probe, answer: Answer) -> Row:
    words = answer.body.split()
    if answer.status in probe.want_status:
        if not probe.want_words:
            return Row(probe, f"{answer.status}, an answer that is not ours to read", INCONCLUSIVE)
        return _judge_words(probe, answer, words)
    if answer.status == 400:
        return Row(probe, "400: the client certificate is not accepted", FAILED, "refused")
    if answer.status == 403 and probe.want_words:
        return Row(probe, "403: the certificate is accepted, its owner is not allowed", FAILED, "forbidden")
    if answer.status in (502, 504):
        return Row(probe, f"{answer.status}: no answer of A that this side accepts", FAILED, "upstream")
    foreign = not probe.want_words and answer.status is not None and answer.status < 500
    return Row(probe, _words(answer), INCONCLUSIVE if foreign else FAILED, "" if foreign else "other")


def _judge_words(probe: Probe, answer: Answer, words: Sequence[str]) -> Row:
    wanted = probe.want_words
    pairs = [(want, words[n] if n < len(words) else "nothing") for n, want in enumerate(wanted)]
    wrong = [(want, found) for want, found in pairs if want not in ("", "*", found)]
    if not wrong:
        return Row(probe, f"{answer.status}, " + " ".join(found for _want, found in pairs[:2]), OK)
    if wrong[0] is pairs[0]:
        return Row(probe, f"{answer.status}, release {pairs[0][1]}", FAILED, "id")
    return Row(probe, f"{answer.status}, {' '.join(found for _want, found in pairs[1:])}", FAILED, "identity")


def cross_check(rows: Sequence[Row]) -> None:
    """A refusal that the good client got as well proves nothing: such rows become inconclusive."""
    good = {_place(row.probe): row.statuses for row in rows if row.probe.kind == "client accepted"}
    for row in rows:
        same = set(row.statuses) & set(good.get(_place(row.probe), ())) - {None}
        if row.verdict == OK and row.probe.kind in ("no certificate", "foreign certificate") and same:
            row.verdict = INCONCLUSIVE
            row.got += ", as the good client did"


def _place(probe: Probe) -> tuple[str, str, int, str]:
    return probe.subject, probe.address, probe.port, probe.tls_version


def settle(
    rows: Sequence[Row], changed: frozenset[tuple[str, str]], baseline: Mapping[Any, Row]
) -> list[Row]:
    """The rows that block. What is only carried over and failed before in the same way becomes ``was_failing``.

    *changed*: (kind of thing, name) of what this call changes: ``(part, credential)`` as ``("server", "orders")``
    and blocks as ``("server block", "orders")``.
    """
    blocking = []
    for row in rows:
        if row.verdict != FAILED:
            continue
        before = baseline.get(row.probe.key)
        touched = {
            (row.probe.part, row.probe.credential),
            (f"{row.probe.part} block", row.probe.subject),
        } & changed
        same = before is not None and before.verdict == FAILED and before.cause == row.cause
        # The id of the release is this call's doing, whatever was served before.
        if same and not touched and row.cause != "id":
            row.verdict = WAS_FAILING
        else:
            blocking.append(row)
    return blocking


def positive(rows: Sequence[Row]) -> str:
    """``proven`` when every good client was let in, else ``unproven``; a host without sites has nothing open."""
    good = [row for row in rows if row.probe.kind == "client accepted"]
    return "proven" if all(row.verdict == OK for row in good) else "unproven"


def drifted(rows: Sequence[Row]) -> bool:
    """Does nginx serve something else than this release? Only rows that this host alone decides count."""
    return any(
        row.verdict == FAILED and row.cause in ("id", "leaf", "unreachable") and _local(row.probe)
        for row in rows
    )


def _local(probe: Probe) -> bool:
    return probe.kind in ("client accepted", "certificate served", "release served")


_REMEDIES = {
    "id": "nginx serves another release: see whether somebody else's reload or a second nginx is at work.",
    "leaf": "Another server block answers with its own certificate there: look for one with the same name.",
    "unreachable": "Start that server, or open the way to it, and run again: what is prepared is taken up.",
    "certificate": "Mend the certificate or the name of that server, or this side's trust, and run again.",
    "refused": "The other side's trust does not accept this certificate, or it is sent without its intermediate.",
    "forbidden": "Put the client on the site's allow list, or use another credential.",
    "upstream": "See nginx's error log on this host for the cause; endpoint_info asks that server directly.",
    "admitted": "A client got in that must not: look at trust, ssl_verify_client and sessions of the site.",
    "identity": "Another client certificate was seen: does another upstream or server block answer?",
}


def remedy(row: Row) -> str:
    """What a person does about a failed row."""
    if row.cause == "refused" and row.probe.part == "server":
        return "The site does not accept the probe's certificate: is its CA among the trust, and the CRL current?"
    return _REMEDIES.get(row.cause, "See the row's got, and nginx's error log on this host.")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers on an address and port when no site was named: the default server.

It governs more than its own requests. A client of one site's CA gets into another site through a default
server that verifies clients, the default's session settings and (before nginx 1.30) its protocols rule all
the other
blocks of the socket (nginx-facts: "Several sites on one address:port"). So on each socket where we verify
clients the default refuses the handshake, or the user's own default is one that lets nobody in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional

from .blocks import Site
from .errors import MtlsError
from .listen import Listen, parse_listen
from .nginx_conf import Directive
from .tlsconf import DEFAULT_DEPTH

CODE = "server.default_governs"
#: ssl_protocols where nobody sets it: TLSv1.3 is among nginx's defaults since 1.23.4.
_OLD_DEFAULT = ("TLSv1", "TLSv1.1", "TLSv1.2")
_NEW_DEFAULT = ("TLSv1.2", "TLSv1.3")
_TRUST = ("ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl", "ssl_verify_depth")


#: Digests of trust, further trust and CRL, and the depth.
Trust = tuple[str, str, str, str]


@dataclass(frozen=True)
class UserServer:
    """A server block that is not ours, with the http level's settings filled in.

    *before* ours in nginx's order.
    """

    place: str
    listens: tuple[tuple[Listen, str], ...]
    before: bool
    settings: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return self.settings.get(name, default)


@dataclass(frozen=True)
class DefaultPlan:
    """*text* is ``server/default.conf``; *warnings* are sentences about users' blocks that lose their
    place."""

    text: str
    warnings: tuple[str, ...]


_EFFECTIVE = (
    *_TRUST,
    "ssl_session_cache",
    "ssl_session_ticket_key",
    "ssl_protocols",
    "ssl_ecdh_curve",
    "ssl_verify_client",
    "ignore_invalid_headers",
)


def user_servers(tree: Sequence[Directive], include_argument: str) -> list[UserServer]:
    """The server blocks of a dump in which *include_argument* (our mtls.conf) brought in nothing of ours."""
    found: list[UserServer] = []
    for http in (item for item in tree if item.name == "http" and item.block is not None):
        level = _settings(http)
        before = True
        for item in http.block or ():
            if item.name == "include" and item.args == (include_argument,):
                before = False
            if item.name == "server" and item.block is not None:
                listens = tuple(
                    (parse_listen(one.args, one.place), one.place) for one in item.children("listen")
                )
                if not listens:
                    listens = ((Listen("*", 80), item.place),)
                found.append(UserServer(item.place, listens, before, {**level, **_settings(item)}))
    return found


def _settings(block: Directive) -> dict[str, str]:
    values = {name: block.value(name) for name in _EFFECTIVE}
    return {name: value for name, value in values.items() if value is not None}


def plan_defaults(
    sites: Sequence[Site],
    users: Sequence[UserServer],
    nginx_version: tuple[int, ...],
    trust_of: Callable[[Site], Trust],
    sessions_of: Callable[[Site], str],
    digest: Callable[[str], str],
) -> DefaultPlan:
    """default.conf for all sockets of *sites*.

    *trust_of* gives what a site verifies clients by, *sessions_of* its session cache, *digest* the digest
    of the content of a user's file.

    Raises MtlsError (``server.default_governs``) for a user's default that would let clients in or keep
    sessions, and where two sites of one socket differ in protocols, curves or proxy_protocol.
    """
    sockets: dict[str, list[tuple[Site, Listen]]] = {}
    for site in sites:
        for listen in site.listens:
            if listen.tls:
                sockets.setdefault(listen.key, []).append((site, listen))
    text, warnings = "", []
    for key, entries in sorted(sockets.items()):
        _equal_on(key, entries)
        cache = _session_cache(key, entries, sessions_of)
        governing, displaced = _governing(key, users)
        if governing is None:
            text += _ours(entries, cache)
            warnings += displaced
        else:
            _judge(governing, key, [one for one, _listen in entries], users, nginx_version, trust_of, digest)
    return DefaultPlan(text, tuple(warnings))


def _session_cache(
    key: str, entries: Sequence[tuple[Site, Listen]], sessions_of: Callable[[Site], str]
) -> str:
    """The one session cache of the socket: the default server's governs, so all must have the same."""
    caches = {sessions_of(site): site.name for site, _listen in entries}
    if len(caches) > 1:
        raise MtlsError(
            f"It keeps TLS sessions of its own on {key}, which it shares with sites of another credential.",
            f"site {next(name for cache, name in caches.items() if cache != 'off')}",
            "Set sessions: off, or give the site an address and port of its own.",
        )
    return next(iter(caches))


def _ours(entries: Sequence[tuple[Site, Listen]], cache: str) -> str:
    site, listen = entries[0]
    address = listen.address if listen.is_unix else f"{listen.address}:{listen.port}"
    # Flags of any block hold for the whole socket; saying them here too avoids "protocol options redefined".
    flags = dict.fromkeys(flag for _site, one in entries for flag in one.shared())
    lines = [
        "server {",
        f"    listen {' '.join([address, *flags, 'default_server'])};",
        "    ssl_reject_handshake on;",
        # Inherited from the http level it would need an ssl_client_certificate here.
        "    ssl_verify_client off;",
        f"    ssl_session_cache {cache};",
        "    ssl_session_tickets off;",
    ]
    if site.protocols:
        lines.append(f"    ssl_protocols {' '.join(site.protocols)};")
    if site.curves:
        lines.append(f"    ssl_ecdh_curve {site.curves};")
    # A handshake with a site's name and a Host that no block has ends here, without a client certificate:
    # nginx answers 421 by itself only where this block verifies clients (ngx_http_set_virtual_server).
    lines.append("    return 421;")
    return "\n".join([*lines, "}", ""])


def _equal_on(key: str, entries: Sequence[tuple[Site, Listen]]) -> None:
    first, first_listen = entries[0]
    for site, listen in entries[1:]:
        if (
            set(site.protocols) != set(first.protocols)
            or site.curves != first.curves
            or listen.proxy_protocol != first_listen.proxy_protocol
        ):
            raise MtlsError(
                f"It shares {key} with site {first.name}, but not its protocols, curves or proxy_protocol.",
                f"site {site.name}",
                "Make them equal on all sites of one address and port: the default server's govern them all.",
            )


def _on(user: UserServer, key: str) -> Optional[Listen]:
    return next((listen for listen, _place in user.listens if listen.key == key), None)


def _listen_place(user: UserServer, key: str) -> str:
    return next((place for listen, place in user.listens if listen.key == key), user.place)


def _governing(key: str, users: Sequence[UserServer]) -> tuple[Optional[UserServer], list[str]]:
    """The user's block that is and stays the default of the socket, or None and what must be said about
    it."""
    here = [user for user in users if _on(user, key) is not None]
    for user in here:
        listen = _on(user, key)
        if listen is not None and listen.default:
            return user, []
    if here and here[0].before:
        return here[0], []
    return None, [
        f"{_listen_place(user, key)}: this block was the default server of {key} as no other was marked; "
        "the release's own, which refuses the handshake without a known name, takes its place. "
        "Write default_server there if it shall stay."
        for user in here[:1]
    ]


def _judge(
    user: UserServer,
    key: str,
    sites: Sequence[Site],
    users: Sequence[UserServer],
    nginx_version: tuple[int, ...],
    trust_of: Callable[[Site], Trust],
    digest: Callable[[str], str],
) -> None:
    site = sites[0]
    place = _listen_place(user, key)
    cache = user.get("ssl_session_cache", "none")
    if cache not in ("none", "off"):
        _refuse(
            place,
            key,
            f"keeps sessions (ssl_session_cache {cache}) for every block there",
            "ssl_session_cache off;",
        )
    if user.get("ssl_session_ticket_key"):
        _refuse(
            place, key, "has a ticket key file, so sessions outlive every change", "no ssl_session_ticket_key"
        )
    if user.get("ignore_invalid_headers") == "off":
        # Without a server name nginx reads all that comes before Host by the default's rules.
        _refuse(
            place, key, "takes headers with odd names for every block there", "ignore_invalid_headers on;"
        )
    protocols = tuple(user.get("ssl_protocols").split())
    effective = protocols or (_NEW_DEFAULT if nginx_version >= (1, 23, 4) else _OLD_DEFAULT)
    wanted = set(site.protocols)
    if not wanted <= set(effective):
        _refuse(
            place,
            key,
            "rules out " + ", ".join(sorted(wanted - set(effective))),
            f"ssl_protocols {' '.join(site.protocols)};",
        )
    if wanted and nginx_version < (1, 30) and set(effective) - wanted:
        _refuse(
            place,
            key,
            "also allows " + ", ".join(sorted(set(effective) - wanted)) + " for the sites of the release",
            f"ssl_protocols {' '.join(site.protocols)};",
        )
    if site.curves and user.get("ssl_ecdh_curve") != site.curves:
        # A site's own are without effect there (measured on 1.22 to 1.30).
        _refuse(place, key, "has other curves", f"ssl_ecdh_curve {site.curves};")
    if user.get("ssl_verify_client", "off") != "off":
        verifying = [
            one for one in users if _on(one, key) is not None and one.get("ssl_verify_client", "off") != "off"
        ]
        trusts = {trust_of(site) for site in sites} | {_user_trust(one, digest) for one in verifying}
        if len(trusts) > 1:
            _refuse(
                place,
                key,
                "verifies clients by another trust, CRL or depth than a site there: its clients get in",
                "ssl_verify_client off;",
            )


def _user_trust(user: UserServer, digest: Callable[[str], str]) -> Trust:
    files = [user.get(name).strip('"') for name in _TRUST[:3]]
    client, trusted, crl = (digest(path) if path else "" for path in files)
    return client, trusted, crl, user.get("ssl_verify_depth", str(DEFAULT_DEPTH))


def _refuse(place: str, key: str, what: str, line: str) -> None:
    raise MtlsError(
        f"This block is the default server of {key}, and it {what}.",
        place,
        f"Set there: {line} or give its default_server to no block, so that the release's own governs.",
        CODE,
    )

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with TLS that is in force, whoever wrote it (nginx-facts: "What leaks into a server block",
"Several sites on one address:port", "Sessions outlive trust", "Identities leak between locations of B").

A finding says what nginx then does, and stays silent where it depends on what is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..findings import Finding
from . import defaults
from .behind import LOOPBACK, Neighbours
from .values import is_address

Server = Mapping[str, Any]
Location = Mapping[str, Any]
_TLS = ("https", "grpcs", "suwsgi", "tls")
_PREFIX = {"grpcs": "grpc", "suwsgi": "uwsgi"}


@dataclass(frozen=True)
class Known:
    """Of files by path: the fingerprints of the certificates in it, and the digest of its bytes."""

    certificates: Mapping[str, frozenset[str]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def of_servers(servers: Sequence[Server], version: tuple[int, ...], known: Known) -> list[list[Finding]]:
    """One list for each of *servers*, in their order; those of one module."""
    sharing, behind = _sockets(servers), Neighbours(servers)
    return [
        list(
            dict.fromkeys(
                finding
                for listen in server["listens"]
                if listen["tls"] and not server["reject_handshake"]
                for finding in _on_socket(server, sharing[_key(server, listen)], listen, version, known)
            )
        )
        + list(_by_itself(server))
        + list(behind.of_server(server))
        for server in servers
    ]


def _key(server: Server, listen: Mapping[str, Any]) -> tuple[Any, ...]:
    return server["module"], listen["address"], listen["port"], listen["quic"]


def _sockets(servers: Sequence[Server]) -> dict[tuple[Any, ...], Server]:
    """The default server of each socket."""
    return {
        _key(server, listen): server
        for server in servers
        for listen in server["listens"]
        if listen["default"]
    }


def _by_itself(server: Server) -> Iterator[Finding]:
    if not server["tls"]:
        return
    places = server["places"]
    if server["verify"] == "optional_no_ca":
        yield Finding(
            "server.unverified_clients",
            "It takes client certificates of anybody (ssl_verify_client optional_no_ca).",
            places["ssl_verify_client"],
        )
    own_trust = server["trust"] and "ssl_client_certificate" not in server["inherited"]
    for name, what in (("ssl_trusted_certificate", "trusted"), ("ssl_crl", "crl")):
        if server["verify"] != "off" and server[what] and own_trust and name in server["inherited"]:
            means = (
                "whoever has a certificate of these CAs is let in, too"
                if what == "trusted"
                else "clients of a CA without a list in it are refused"
            )
            yield Finding(
                "server.trust_inherited",
                f"The server block at {server['place']} verifies clients and inherits {name} from here:"
                f" {means}.",
                places[name],
            )
    if any(_is_variable(pair) for pair in server["certificates"]):
        yield _variable("ssl_certificate", places)


def _is_variable(pair: Mapping[str, Any]) -> bool:
    return any(pair[name] and pair[name]["variable"] for name in ("certificate", "key"))


def _variable(name: str, places: Mapping[str, str]) -> Finding:
    return Finding(
        "tls.variable_certificate",
        f"The worker processes read what {name} names for each connection, and nginx -t does not look.",
        places[name],
    )


def _on_socket(
    server: Server, default: Server, listen: Mapping[str, Any], version: tuple[int, ...], known: Known
) -> Iterator[Finding]:
    if server["verify"] == "off":
        return
    where = _address(listen)
    if default is not server and _lets_others_in(default, server, known):
        yield Finding(
            "server.other_trust_admitted",
            f"The default server of {where}, at {default['place']}, verifies clients by another trust:"
            " without a server name they get in here as verified.",
            server["place"],
        )
    why = "" if default["ours"] else _kept_sessions(default, version)
    if why:
        yield Finding(
            "server.sessions_outlive_trust",
            f"Clients of {where} resume sessions without being verified again, also after a reload with"
            f" another trust or CRL: {why}.",
            _kept_at(default),
        )


def _lets_others_in(default: Server, server: Server, known: Known) -> bool:
    """Whether *default* verifies somebody whom *server* would refuse."""
    if default["verify"] == "off" or default["reject_handshake"]:
        return False
    theirs, ours = _trusted(default, known), _trusted(server, known)
    crls = [known.digests.get(one["crl"]["path"], "?") if one["crl"] else "" for one in (default, server)]
    if crls[1] and crls[0] != crls[1]:
        return True
    return theirs is None or ours is None or not theirs <= ours or default["depth"] > server["depth"]


def _trusted(server: Server, known: Known) -> Optional[frozenset[str]]:
    """The CAs that it verifies clients by; None where they cannot be told. Files by name where they cannot be
    read, so that equal names are equal."""
    found: frozenset[str] = frozenset()
    for name in ("trust", "trusted"):
        file = server[name]
        if file is not None:
            found |= known.certificates.get(file["path"]) or frozenset([file["path"]])
    return found


def _kept_sessions(default: Server, version: tuple[int, ...]) -> str:
    if default["session_ticket_keys"]:
        return "the default server there has ssl_session_ticket_key"
    if "shared:" not in default["session_cache"]:
        return ""
    if not default["session_tickets"] or defaults.tickets_outlive_a_reload(version):
        return "the default server there has a shared ssl_session_cache"
    return ""


def _kept_at(default: Server) -> str:
    places = default["places"]
    name = "ssl_session_ticket_key" if default["session_ticket_keys"] else "ssl_session_cache"
    return str(places.get(name, default["place"]))


def _address(listen: Mapping[str, Any]) -> str:
    return (
        listen["address"]
        if listen["address"].startswith("unix:")
        else f"{listen['address']}:{listen['port']}"
    )


# -- locations


def of_locations(locations: Sequence[Location]) -> list[list[Finding]]:
    """One list for each of *locations*, in their order."""
    shared = _shared(locations)
    return [[*_of_location(one), *shared.get(number, ())] for number, one in enumerate(locations)]


def _of_location(one: Location) -> Iterator[Finding]:
    prefix = _PREFIX.get(one["protocol"], "proxy")
    asked = one["upstream"] or one["pass"]
    if one["protocol"] in _TLS:
        if not one["verify"]:
            yield Finding(
                "proxy.not_verified",
                f"The certificate of {asked} is not verified: whoever answers there gets the requests.",
                one["places"].get(f"{prefix}_ssl_verify", one["place"]),
            )
        yield from _names(one, prefix, asked)
    open_listens = [_address(listen) for listen in one["listens"] if _is_open(listen)]
    presents = one["certificate"] and one["protocol"] in _TLS
    if presents and open_listens and not one["guarded"] and one["module"] == "http":
        yield Finding(
            "proxy.open_listener",
            f"Whoever reaches {', '.join(open_listens[:3])} by plain HTTP speaks to {asked} with the client"
            " certificate of this host.",
            one["place"],
        )
    if _is_variable({"certificate": one["certificate"], "key": one["key"]}):
        yield _variable(f"{prefix}_ssl_certificate", one["places"])


def _is_open(listen: Mapping[str, Any]) -> bool:
    return not listen["tls"] and not listen["address"].startswith(LOOPBACK)


def _names(one: Location, prefix: str, asked: str) -> Iterator[Finding]:
    name = one["name"]
    place = one["places"].get(f"{prefix}_ssl_name", one["place"])
    if one["name_variable"] or not name:
        return
    if one["verify"] and is_address(name):
        yield Finding(
            "proxy.name_mismatch",
            f"nginx compares the certificate of {asked} with {name}, and no certificate matches an address.",
            place,
        )
    elif one["verify"] and name == one["upstream"] and "." not in name and place == one["place"]:
        yield Finding(
            "proxy.name_mismatch",
            f"nginx compares the certificate of {asked} with the name of the upstream block itself,"
            f" as no {prefix}_ssl_name is given: 502 unless the certificate is for {name}.",
            place,
        )
    if not one["sni"] and not is_address(name):
        yield Finding(
            "proxy.sni_off",
            f"No server name is sent to {asked}, so its default server answers.",
            one["places"].get(f"{prefix}_ssl_server_name", one["place"]),
        )


def _shared(locations: Sequence[Location]) -> dict[int, list[Finding]]:
    """Locations that share connections or sessions with one of another identity."""
    found: dict[int, list[Finding]] = {}
    first: dict[tuple[str, str], dict[tuple[Any, ...], int]] = {}
    for number, one in enumerate(locations):
        # An address that a variable tells is looked up for each request, and nothing is kept for it
        # (ngx_http_upstream_create_round_robin_peer).
        if one["protocol"] not in _TLS or ("$" in one["pass"] and not one["upstream"]):
            continue
        for peer in _peers(one):
            seen = first.setdefault(peer, {})
            identity = _identity(one)
            others = (old for told, old in seen.items() if told != identity and _leaks(locations[old], one))
            other = next(others, None)
            if other is not None:
                # Whichever is asked first, by its identity the other one is asked as well.
                for mine, theirs in ((number, other), (other, number)):
                    found.setdefault(mine, [_as_one(peer[1], locations[mine], locations[theirs])])
            seen.setdefault(identity, number)
        if one["certificate"] and one["certificate"]["variable"] and number not in found and _leaks(one, one):
            found[number] = [
                Finding(
                    "proxy.identity_shared",
                    f"The client certificate is a variable, and {one['upstream'] or one['pass']} sees the"
                    " first one for others, too: connections and sessions are kept.",
                    one["place"],
                )
            ]
    return found


def _as_one(peer: str, one: Location, other: Location) -> Finding:
    return Finding(
        "proxy.identity_shared",
        f"It leads to {peer}, as does {other['place']}, with another client certificate or verification:"
        " connections and sessions of one are used for the other.",
        one["place"],
    )


def _peers(one: Location) -> list[tuple[str, str]]:
    names = [one["upstream"]] if one["upstream"] else one["servers"]
    return [(one["module"], name) for name in names]


def _identity(one: Location) -> tuple[Any, ...]:
    files = [one[name] and (one[name]["path"], one[name]["text"]) for name in ("certificate", "trust")]
    return files[0], one["verify"], files[1] if one["verify"] else None


def _leaks(one: Location, other: Location) -> bool:
    """Sessions are kept with the peer's address, idle connections where several locations share them."""
    return bool((one["session_reuse"] and other["session_reuse"]) or one["keepalive_shared"])

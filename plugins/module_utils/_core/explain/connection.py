# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a connection before certificates are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from . import answer
from .case import CLIENT, SERVER, Case, Cause, Seen, host_of, name_sent
from .end import End
from .refusal import logged

#: Alerts of RFC 8446, 6.2.
HANDSHAKE_FAILURE, PROTOCOL_VERSION, INTERNAL_ERROR, UNRECOGNIZED_NAME = 40, 70, 80, 112
#: What is told of the three by us, by OpenSSL (ssl/ssl_err.c) and by nginx.
_NOT_TLS = ("the answer is not TLS", "wrong version number", "packet length too long", "http request")
_LATE = ("no end within", "timed out")
#: EHOSTUNREACH and ENETUNREACH (errno(3)): a router or a firewall says so, or nobody on the link answers.
_NO_WAY = ("No route to host", "Network is unreachable")
_CLOSED = ("closed without a word", "connection was closed", "Connection reset", "closed connection")
#: Classes of answers that no server of TLS gives.
_PLAIN = ("tls_to_plain_http", "not_tls")
#: Classes of answers to plain HTTP that only a server of TLS gives.
_TLS = ("plain_http_to_tls", "tls")


def explain(case: Case, asked: Seen, answers: str = SERVER) -> Iterator[Cause]:
    """Causes for what the one who *asked* got of the side that *answers*, none where it says no more."""
    connection = _Connection(case, asked, answers)
    if asked.phase == "resolve":
        yield connection.unresolved()
    elif asked.phase == "connect":
        yield connection.unreached()
    elif asked.status is None:
        yield from connection.broken()
    else:
        yield from answer.explain(case, asked, answers)


def is_late(asked: Seen) -> bool:
    """Was it waited for longer than we do?"""
    return _says(asked, _LATE)


def down(case: Case, which: str = SERVER, asked: Optional[Seen] = None) -> Cause:
    """The nginx of one side does not run; whoever *asked* all the same got an answer of something else."""
    return _Connection(case, asked, which).down()


class _Connection(End):
    def unresolved(self) -> Cause:
        asked = self._asked
        return self.cause(
            "endpoint.name_unresolved",
            f"The name of {asked.target} does not resolve: {asked.error}.",
            confirm=f"getent ahosts {asked.target.rpartition(':')[0]}",
        )

    def unreached(self) -> Cause:
        asked, instance = self._asked, self._side.instance
        if _says(asked, _LATE):
            return self.cause(
                "endpoint.timed_out",
                f"The address {asked.target} does not take the connection: {asked.error}.",
                "Look for a firewall that drops packets between the two, and whether the host is up.",
                self._way(),
                *self._at_home(),
            )
        if _says(asked, _NO_WAY):
            return self.cause(
                "endpoint.unreachable",
                f"The network has no way to {asked.target}: {asked.error}.",
                "",
                self._way(),
                *self._at_home(),
            )
        if instance is not None and instance.get("pid") is None:
            return self.down()
        at_home = tuple(self._at_home())
        return self.cause(
            "endpoint.connection_refused",
            f"Nothing answers at {asked.target}: {asked.error}.",
            f"Look for a firewall that rejects between the two, whether nginx of {self._on} listens on that"
            " address (listen), and whether the address is of that host."
            if at_home
            else "",
            f"{self._on}: ss -ltnp",
            *at_home,
        )

    def down(self) -> Cause:
        lines = tuple((self._side.instance or {}).get("emerg", ()))
        who = "nothing" if self._asked.status is None else "something else"
        so = f", so {who} answers at {self._asked.target}" if self._asked.target else ""
        return self.cause(
            "endpoint.nginx_down",
            f"The nginx of {self._who} does not run{so}.",
            "Mend what nginx says of its configuration, then start it." if lines else "",
            f"{self._on}: nginx -t" if lines else f"{self._on}: systemctl status nginx",
            *lines,
        )

    def _way(self) -> str:
        address = self._asked.target.rpartition(":")[0].strip("[]")
        shows = "getent ahosts" if name_sent(address) else "ip route get"
        return f"{host_of(self._case.client, CLIENT)}: {shows} {address}"

    def _at_home(self) -> Iterator[str]:
        """What says that the server does answer, on its own host."""
        served = (self._side.config or {}).get("served", ())
        for one in [one for one in served if one["sha256"]][:1]:
            yield f"{self._on} itself gets a certificate there, at {one['address']}"

    def broken(self) -> Iterator[Cause]:
        """The connection stands, and no answer came."""
        asked = self._asked
        if asked.body_class == "http2":
            yield self.cause("endpoint.http2_only", f"{self._who} speaks HTTP/2 only.")
        elif asked.alert is not None:
            yield from self._by_alert(asked.alert)
        elif asked.body_class in _PLAIN or _says(asked, _NOT_TLS):
            yield self.cause(
                "endpoint.plain_on_tls_port",
                f"The port {asked.target} does not speak TLS.",
                confirm=f"curl -i http://{asked.target}/",
            )
        elif asked.body_class in _TLS:
            yield self.tls_wanted()
        elif _says(asked, _LATE):
            yield self._silent()
        elif _says(asked, _CLOSED):
            yield self._closed()

    def _silent(self) -> Cause:
        asked = self._asked
        who = f"nginx of {self._who}" if self._mine else "server"
        remedy = "Look at what stands behind it, and at the load of the host."
        direct = self._case.direct
        if self._mine and direct is not None and direct.status is not None:
            remedy = (
                "Asked directly, the server answers. Look at the other addresses of its name, which nginx"
                " asks in turn, and at the load of the host."
            )
        elif asked.phase == "handshake":
            remedy = (
                f"Look whether nginx of {self._on} is stopped, or out of connections or files (its error"
                " log), and for a path between the two that loses large packets (MTU)."
            )
        return self.cause(
            "endpoint.timed_out",
            f"The {who} at {asked.target} is silent in the phase {asked.phase}: {asked.error}.",
            remedy,
        )

    def _by_alert(self, alert: int) -> Iterator[Cause]:
        who, connect = self._who, f"openssl s_client -connect {self._asked.target}"
        if alert == PROTOCOL_VERSION:
            said = f"{who} and the client have no TLS version in common."
            confirm = f"{connect} -tls1_3 </dev/null"
            yield self.cause("endpoint.protocol_version", said, "", confirm, *self._offers())
        elif alert == HANDSHAKE_FAILURE:
            said = f"{who} and the client have no cipher, curve or signature in common that fits the keys."
            confirm = f"{connect} -tls1_2 </dev/null"
            yield self.cause("endpoint.no_shared_cipher", said, "", confirm, *self._offers())
        elif alert == INTERNAL_ERROR and self._by_variable():
            yield self._unreadable()
        elif alert == UNRECOGNIZED_NAME and self._asked.server_name:
            said = f"{who} has no server block for the name {self._asked.server_name}."
            yield self.cause("endpoint.sni_unknown", said)
        elif alert == UNRECOGNIZED_NAME:
            said = f"{who} answers to server names only, and none was sent."
            yield self.cause("endpoint.sni_missing", said)
        else:
            said = f"{who} ends the handshake: {self._asked.error or f'TLS alert {alert}'}."
            yield self.cause("endpoint.handshake_failed", said, "", f"{connect} </dev/null")

    def _by_variable(self) -> bool:
        """Does the server read its certificate for each connection?"""
        pairs = (self._side.config or {}).get("certificates", ())
        files = [file for pair in pairs for file in pair.values() if file]
        return any(file["variable"] for file in files) or bool(self._side.events("worker_file"))

    def _unreadable(self) -> Cause:
        said = f"A worker of the nginx of {self._who} cannot read a file that a variable names."
        told = (logged(self._on, one) for one in self._side.events("worker_file")[:1])
        return self.cause(
            "endpoint.worker_cannot_read", said, "", f"{self._on}: nginx -T | grep -n 'ssl_cert.*\\$'", *told
        )

    def _closed(self) -> Cause:
        target = self._asked.target
        listens = (self._case.server.config or {}).get("listens", ())
        if any(one.get("proxy_protocol") for one in listens):
            said = f"The port {target} expects the PROXY protocol, and none was sent."
            return self.cause("endpoint.proxy_protocol", said, "", "", "its listen has proxy_protocol")
        return self.cause("endpoint.closed", f"The server at {target} closes the connection without a word.")

    def _offers(self) -> Iterator[str]:
        """What the two configurations say of protocols and ciphers."""
        for which in (CLIENT, SERVER):
            config = self._case.side(which).config or {}
            said = [
                f"{key} {value}" for key in ("protocols", "ciphers") if (value := _words(config.get(key)))
            ]
            if said:
                yield f"{self._case.called(which)}: {'; '.join(said)}"


def _says(asked: Seen, words: Sequence[str]) -> bool:
    return any(one in asked.error for one in words)


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")

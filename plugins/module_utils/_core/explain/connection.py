# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a connection before certificates are judged, and answers that need no judgement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from ..nginx_tls.backends import taking
from ..nginx_tls.behind import underscored, why_lost
from .case import CLIENT, SERVER, Case, Cause, Seen, Side, host_of, name_sent
from .refusal import logged, seen

#: Alerts of RFC 8446, 6.2.
HANDSHAKE_FAILURE, PROTOCOL_VERSION, INTERNAL_ERROR, UNRECOGNIZED_NAME = 40, 70, 80, 112
_UNAUTHORIZED = 401
#: What is told of the three by us, by OpenSSL (ssl/ssl_err.c) and by nginx.
_NOT_TLS = ("the answer is not TLS", "wrong version number", "packet length too long", "http request")
_LATE = ("no end within", "timed out")
#: EHOSTUNREACH and ENETUNREACH (errno(3)): a router or a firewall says so, or nobody on the link answers.
_NO_WAY = ("No route to host", "Network is unreachable")
_CLOSED = ("closed without a word", "connection was closed", "Connection reset", "closed connection")
#: What `limit_req_status` and the like are usually set to, and statuses of servers in trouble.
_LIMITED, _OWN_ERRORS = (429,), 500
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
        yield from connection.answered()


def is_late(asked: Seen) -> bool:
    """Was it waited for longer than we do?"""
    return _says(asked, _LATE)


def down(case: Case, which: str = SERVER, asked: Optional[Seen] = None) -> Cause:
    """The nginx of one side does not run; whoever *asked* all the same got an answer of something else."""
    return _Connection(case, asked, which).down()


def not_sent(case: Case, asked: Seen) -> Cause:
    """The client has sent no certificate, however that was told."""
    return _Connection(case, asked, SERVER).not_sent()


class _Connection:
    def __init__(self, case: Case, asked: Optional[Seen], answers: str) -> None:
        self._case, self._asked, self._side = case, asked or Seen(), case.side(answers)
        self._who = case.called(answers)
        self._on = host_of(self._side, answers)
        self._evidence = (seen(asked),) if asked else ()
        self._mine = answers == CLIENT

    def _cause(self, code: str, message: str, remedy: str = "", confirm: str = "", *more: str) -> Cause:
        return Cause(code, message, (*self._evidence, *more), remedy, confirm)

    def unresolved(self) -> Cause:
        asked = self._asked
        return self._cause(
            "endpoint.name_unresolved",
            f"The name of {asked.target} does not resolve: {asked.error}.",
            confirm=f"getent ahosts {asked.target.rpartition(':')[0]}",
        )

    def unreached(self) -> Cause:
        asked, instance = self._asked, self._side.instance
        if _says(asked, _LATE):
            return self._cause(
                "endpoint.timed_out",
                f"The address {asked.target} does not take the connection: {asked.error}.",
                "Look for a firewall that drops packets between the two, and whether the host is up.",
                self._way(),
                *self._at_home(),
            )
        if _says(asked, _NO_WAY):
            return self._cause(
                "endpoint.unreachable",
                f"The network has no way to {asked.target}: {asked.error}.",
                "",
                self._way(),
                *self._at_home(),
            )
        if instance is not None and instance.get("pid") is None:
            return self.down()
        at_home = tuple(self._at_home())
        return self._cause(
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
        return self._cause(
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
            yield self._cause("endpoint.http2_only", f"{self._who} speaks HTTP/2 only.")
        elif asked.alert is not None:
            yield from self._by_alert(asked.alert)
        elif asked.body_class in _PLAIN or _says(asked, _NOT_TLS):
            yield self._cause(
                "endpoint.plain_on_tls_port",
                f"The port {asked.target} does not speak TLS.",
                confirm=f"curl -i http://{asked.target}/",
            )
        elif asked.body_class in _TLS:
            yield self._tls_wanted()
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
        return self._cause(
            "endpoint.timed_out",
            f"The {who} at {asked.target} is silent in the phase {asked.phase}: {asked.error}.",
            remedy,
        )

    def _by_alert(self, alert: int) -> Iterator[Cause]:
        who, connect = self._who, f"openssl s_client -connect {self._asked.target}"
        if alert == PROTOCOL_VERSION:
            said = f"{who} and the client have no TLS version in common."
            confirm = f"{connect} -tls1_3 </dev/null"
            yield self._cause("endpoint.protocol_version", said, "", confirm, *self._offers())
        elif alert == HANDSHAKE_FAILURE:
            said = f"{who} and the client have no cipher, curve or signature in common that fits the keys."
            confirm = f"{connect} -tls1_2 </dev/null"
            yield self._cause("endpoint.no_shared_cipher", said, "", confirm, *self._offers())
        elif alert == INTERNAL_ERROR and self._by_variable():
            yield self._unreadable()
        elif alert == UNRECOGNIZED_NAME and self._asked.server_name:
            said = f"{who} has no server block for the name {self._asked.server_name}."
            yield self._cause("endpoint.sni_unknown", said)
        elif alert == UNRECOGNIZED_NAME:
            said = f"{who} answers to server names only, and none was sent."
            yield self._cause("endpoint.sni_missing", said)
        else:
            said = f"{who} ends the handshake: {self._asked.error or f'TLS alert {alert}'}."
            yield self._cause("endpoint.handshake_failed", said, "", f"{connect} </dev/null")

    def _by_variable(self) -> bool:
        """Does the server read its certificate for each connection?"""
        pairs = (self._side.config or {}).get("certificates", ())
        files = [file for pair in pairs for file in pair.values() if file]
        return any(file["variable"] for file in files) or bool(self._side.events("worker_file"))

    def _unreadable(self) -> Cause:
        said = f"A worker of the nginx of {self._who} cannot read a file that a variable names."
        told = (logged(self._on, one) for one in self._side.events("worker_file")[:1])
        return self._cause(
            "endpoint.worker_cannot_read", said, "", f"{self._on}: nginx -T | grep -n 'ssl_cert.*\\$'", *told
        )

    def _tls_wanted(self) -> Cause:
        return self._cause(
            "endpoint.tls_on_plain_port",
            f"Plain HTTP was sent to {self._asked.target}, which speaks TLS.",
        )

    def _closed(self) -> Cause:
        target = self._asked.target
        listens = (self._case.server.config or {}).get("listens", ())
        if any(one.get("proxy_protocol") for one in listens):
            said = f"The port {target} expects the PROXY protocol, and none was sent."
            return self._cause("endpoint.proxy_protocol", said, "", "", "its listen has proxy_protocol")
        return self._cause("endpoint.closed", f"The server at {target} closes the connection without a word.")

    def _offers(self) -> Iterator[str]:
        """What the two configurations say of protocols and ciphers."""
        for which in (CLIENT, SERVER):
            config = self._case.side(which).config or {}
            said = [
                f"{key} {value}" for key in ("protocols", "ciphers") if (value := _words(config.get(key)))
            ]
            if said:
                yield f"{self._case.called(which)}: {'; '.join(said)}"

    def answered(self) -> Iterator[Cause]:
        who, meaning = self._who, self._asked.body_class
        if meaning == "plain_http_to_tls":
            yield self._tls_wanted()
        elif meaning == "misdirected":
            said = (
                f"The Host of the request is of another server block of {who} than the name of the handshake."
            )
            yield self._cause("endpoint.misdirected", said)
        elif meaning == "no_certificate" and not self._left_out():
            yield from list(self.not_asked()) or [self.not_sent()]
        elif meaning == "forbidden" or self._asked.status == _UNAUTHORIZED:
            yield from self._unknown_client()
            if meaning == "forbidden":
                yield self._forbidden()
        elif meaning in ("bad_gateway", "gateway_timeout") and self._asked.tls:
            said = f"{who} accepts the client, and what is behind it does not answer."
            yield self._cause("endpoint.backend_down", said)
        elif self._asked.status in _LIMITED or (self._asked.status or 0) >= _OWN_ERRORS:
            yield self._error()

    def _forbidden(self) -> Cause:
        denied = self._side.events("access_denied")
        if not denied:
            said = f"{self._who} accepts the client's certificate, and answers 403 all the same."
            return self._cause("endpoint.client_not_allowed", said)
        return self._cause(
            "endpoint.address_denied",
            f"{self._who} denies the client's address or method (allow, deny, limit_except), and accepts its"
            " certificate.",
            "",
            f"{self._on}: nginx -T 2>/dev/null | grep -nE '(allow|deny|limit_except) '",
            logged(self._on, denied[0]),
        )

    def _error(self) -> Cause:
        """An error that is none of TLS, the server's own or of what is behind it."""
        asked, direct = self._asked, self._case.direct
        side, which = self._side, SERVER
        said = f"{self._who} accepts the client, and answers {asked.status}, or what is behind it does."
        remedy = ""
        limits = any(self._case.server.events("limited"))  # it may have been our own first request
        if direct is not None and direct is not asked and (direct.status or 999) < 400 and not limits:
            side, which = self._case.client, CLIENT
            who = self._case.called(CLIENT)
            said = f"The nginx of {who} answers {asked.status}. Asked directly, the server answers"
            said += f" {direct.status}."
            remedy = (
                "Read its error log: limits (limit_req, limit_conn), files that its workers cannot read, and"
                " room on its disk. The server may have a limit as well."
            )
        on = host_of(side, which)
        limited = [logged(on, one) for one in side.events("limited")[:1]]
        if limited:
            remedy = f"Raise the limit of {on} (limit_req, limit_conn), or ask less often."
        return self._cause("endpoint.error_answer", said, remedy, f"{on}: tail {_log_of(side)}", *limited)

    def _unknown_client(self) -> Iterator[Cause]:
        """What is behind the server may refuse a client only because nobody tells who it is."""
        config = self._case.server.config or {}
        backend = taking(config.get("backends", ()), self._asked.path)
        if backend is None:
            return
        why, name = why_lost(config, backend), underscored(backend)
        if not why and name:
            why = f"nginx, for one, drops {name}, as it has an underscore (underscores_in_headers)"
        if why:
            said = f"What is behind {self._who} does not learn who the client is: {why}."
            confirm = f"{self._on}: nginx -T 2>/dev/null | grep -nE 'location|_pass|_set_header|_param'"
            remedy = (
                "Name the header with hyphens, as both ends then read it." if name in why and name else ""
            )
            yield self._cause(
                "endpoint.identity_lost", said, remedy, confirm, f"passed on at {backend['place']}"
            )

    def _left_out(self) -> bool:
        """Was it asked without the certificate that the client has, as nobody but nginx can use it?"""
        config = self._case.client.config or {}
        return self._asked is self._case.direct and bool(config.get("certificate")) and not self._asked.sent

    def not_asked(self) -> Iterator[Cause]:
        """The name of the handshake has chosen a server block that asks for no certificate, and the Host one
        that wants it. That is the default server: by another one's name it would be 421."""
        direct = self._case.direct
        if direct is None or not self._has_certificate():
            return
        name, config = direct.server_name, self._side.config
        off = config is not None and config.get("verify") == "off"
        # Where that was not seen, its configuration says whether it asks.
        if direct.asked_for_certificate or (
            direct.asked_for_certificate is None and not (off and direct.sent)
        ):
            return
        if config is not None and off and name and name.lower() in config.get("names", ()):
            yield self._ends_here(str(config.get("place", "")))
            return
        code = "endpoint.sni_unknown" if name else "endpoint.sni_missing"
        what = f"{self._who} has no server block for the name {name}" if name else "no server name was sent"
        said = f"{what}, so its default server answered in the handshake, which asks for no certificate."
        if config is None:
            said += " Or TLS ends there, and who wants the certificate is behind it."
        place = self._case.client.place("proxy_ssl_name" if name else "proxy_ssl_server_name")
        evidence = (*self._evidence, "no certificate was asked for in the handshake")
        yield Cause(code, said, evidence, place=place)

    def _ends_here(self, place: str) -> Cause:
        said = f"TLS ends at {self._who}, which asks for no certificate and passes on to one that wants it."
        evidence = (*self._evidence, f"the server block at {place} has ssl_verify_client off")
        confirm = f"{self._on}: nginx -T 2>/dev/null | grep -nE 'ssl_verify_client|_pass'"
        return Cause("endpoint.tls_ends_before", said, evidence, "", confirm, place)

    def _has_certificate(self) -> bool:
        config, direct = self._case.client.config or {}, self._case.direct
        return bool(config.get("certificate")) or bool(direct and direct.sent)

    def _passed_by(self) -> bool:
        """Has the server block that wants certificates a default server beside it that does not ask?"""
        own = [(one["address"], one["port"]) for one in (self._side.config or {}).get("listens", ())]
        return any(
            one["default"] and (one["address"], one["port"]) in own and block["verify"] == "off"
            for block in (self._side.instance or {}).get("servers", ())
            for one in block["listens"]
        )

    def not_sent(self) -> Cause:
        config = self._case.client.config
        place = str((config or {}).get("place", ""))
        said, remedy = f"{self._case.called(CLIENT)} sent none", ""
        if config is not None and not config.get("certificate"):
            said = f"{self._case.called(CLIENT)} has none for this location"
            remedy = (
                f"Set proxy_ssl_certificate and proxy_ssl_certificate_key in the location at {place}. An"
                " include by a glob that matches nothing leaves them out in silence."
            )
        elif config is None and self._passed_by():
            said += ", or it was not asked for one, as it sends no server name or another one"
        on = host_of(self._case.client, CLIENT)
        return Cause(
            "endpoint.client_cert_not_sent",
            f"{self._who} requires a client certificate, and {said}.",
            self._evidence,
            remedy,
            f"{on}: nginx -T 2>/dev/null | grep -n proxy_ssl_certificate",
            place,
        )


def _says(asked: Seen, words: Sequence[str]) -> bool:
    return any(one in asked.error for one in words)


def _log_of(side: Side) -> str:
    logs = (side.instance or {}).get("error_logs", ())
    return next((str(one["path"]) for one in logs), "the error log")


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers by HTTP that need no judgement of a certificate."""

from __future__ import annotations

from collections.abc import Iterator

from ..nginx_tls.backends import taking
from ..nginx_tls.behind import underscored, why_lost
from .case import CLIENT, SERVER, Case, Cause, Seen, Side, host_of
from .end import End
from .refusal import logged

_UNAUTHORIZED = 401
#: What `limit_req_status` and the like are usually set to, and statuses of servers in trouble.
_LIMITED, _OWN_ERRORS = (429,), 500


def explain(case: Case, asked: Seen, answers: str = SERVER) -> Iterator[Cause]:
    """Causes for the status that the one who *asked* got of the side that *answers*."""
    yield from _Answer(case, asked, answers).answered()


def not_sent(case: Case, asked: Seen) -> Cause:
    """The client has sent no certificate, however that was told."""
    return _Answer(case, asked, SERVER).not_sent()


class _Answer(End):
    def answered(self) -> Iterator[Cause]:
        who, meaning = self._who, self._asked.body_class
        if meaning == "plain_http_to_tls":
            yield self.tls_wanted()
        elif meaning == "misdirected":
            said = (
                f"The Host of the request is of another server block of {who} than the name of the handshake."
            )
            yield self.cause("endpoint.misdirected", said)
        elif meaning == "no_certificate" and not self._left_out():
            yield from list(self.not_asked()) or [self.not_sent()]
        elif meaning == "forbidden" or self._asked.status == _UNAUTHORIZED:
            yield from self._unknown_client()
            if meaning == "forbidden":
                yield self._forbidden()
        elif meaning in ("bad_gateway", "gateway_timeout") and self._asked.tls:
            said = f"{who} accepts the client, and what is behind it does not answer."
            yield self.cause("endpoint.backend_down", said)
        elif self._asked.status in _LIMITED or (self._asked.status or 0) >= _OWN_ERRORS:
            yield self._error()

    def _forbidden(self) -> Cause:
        denied = self._side.events("access_denied")
        if not denied:
            said = f"{self._who} accepts the client's certificate, and answers 403 all the same."
            return self.cause("endpoint.client_not_allowed", said)
        return self.cause(
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
        return self.cause("endpoint.error_answer", said, remedy, f"{on}: tail {_log_of(side)}", *limited)

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
            yield self.cause(
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


def _log_of(side: Side) -> str:
    logs = (side.instance or {}).get("error_logs", ())
    return next((str(one["path"]) for one in logs), "the error log")

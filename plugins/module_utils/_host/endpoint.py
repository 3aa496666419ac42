# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One probe of `endpoint_info`: its files and contents, the request, the result as plain data."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from .._core import http_body
from .._core import s_client as core
from .._core.endpoint_plan import check
from .._core.errors import MtlsError
from .._core.tls_messages import Flight
from .probe import Identity, Limits, Observation, Target, probe
from .s_client import Heard

# What helps to tell who answered. No Set-Cookie and the like: a result is printed and kept.
_HEADERS = ("content-type", "location", "server", "via", "www-authenticate")
_NO_APPLICATION_PROTOCOL = 120
_HTTP1, _HTTP2 = "http/1.1", "h2"

Describe = Callable[[bytes], dict[str, Any]]
# Asks once more for what Python's ssl does not tell: (target, peer, timeout_s, limits)
Listen = Callable[..., Heard]


def ask(entry: Mapping[str, Any], describe: Describe, listen: Listen) -> dict[str, Any]:
    """Run the merged probe *entry* and return its result; with ``session: resume`` two requests.

    *describe(der)* adds to what is said of each served certificate; *listen* is a ``SClient``. Raises
    MtlsError for options that are wrong and files that cannot be read, never for what the endpoint does.
    """
    check(entry)
    target = Target(
        address=entry["host"],
        port=entry["port"],
        server_name=entry["server_name"],
        http_host=entry["http_host"],
        path=entry["path"],
        method=entry["method"],
        headers=tuple((name, str(value)) for name, value in (entry["headers"] or {}).items()),
        tls=entry["tls"],
        proxy_protocol=entry["proxy_protocol"],
        tls_version=entry["tls_version"] or "",
        verify_hostname=entry["verify_hostname"],
        alpn=tuple(entry["alpn"] or ()) if entry["tls"] else (),
    )
    limits = Limits(*(entry[f"{part}_timeout_s"] for part in ("connect", "handshake", "response")))
    with contextlib.ExitStack() as stack:
        files = _Files(entry, stack)
        target = dataclasses.replace(target, cafile=files.path("trust") or "")
        try:
            seen = _observe(target, files.identity(), entry, limits)
        except MtlsError as error:
            raise MtlsError(error.message, files.place(error.place), error.remedy, error.code) from error
    heard = Heard(Flight(), "", "")
    if entry["tls"] and entry["requested"]:
        heard = _listen(target, seen, lambda *what: listen(*what, entry["timeout_s"], limits))
    return _result(entry, target, seen, heard, describe)


def _observe(
    target: Target, identity: Optional[Identity], entry: Mapping[str, Any], limits: Limits
) -> Observation:
    first = probe(target, identity, entry["timeout_s"], None, limits)
    if entry["session"] != "resume" or first.session is None:
        return first
    second = probe(target, None, entry["timeout_s"], first.session, limits)
    if second.session_reused:
        # A resumed connection brings no certificate, Python repeats what the session holds of the first.
        second.served, second.served_complete = first.served, first.served_complete
    return second


def _listen(target: Target, seen: Observation, listen: Listen) -> Heard:
    """What the one who answered says in another handshake, where one has a chance."""
    why = ""
    if seen.peer is None:
        why = "there was no connection"
    elif seen.phase == "handshake" and seen.timed_out:
        why = "the handshake did not end"
    elif seen.stray and not seen.protocol:
        why = "the answer is not TLS"
    if why:
        return Heard(Flight(), "", why)
    if seen.alert == _NO_APPLICATION_PROTOCOL:
        # By what it takes instead one knows what it speaks.
        target = dataclasses.replace(target, alpn=(_HTTP2, _HTTP1))
    return listen(target, seen.peer)


class _Files:
    """The files behind ``*_path`` and ``*_content``, open as long as *stack*.

    OpenSSL loads a client's certificate from files only. A content goes into an anonymous file in memory
    (memfd_create(2)): a temporary file would outlive a killed process, with the key in it.
    """

    def __init__(self, entry: Mapping[str, Any], stack: contextlib.ExitStack) -> None:
        self._entry = entry
        self._stack = stack
        self._options: dict[str, str] = {}

    def path(self, name: str) -> Optional[str]:
        """Return a readable path for the options ``<name>_path`` and ``<name>_content``, or None."""
        path, option = self._entry.get(f"{name}_path"), f"{name}_path"
        if path:
            self._read(option, 1)
        elif self._entry.get(f"{name}_content"):
            option = f"{name}_content"
            path = self._in_memory(option)
        else:
            return None
        self._options.setdefault(path, option)
        return str(path)

    def identity(self) -> Optional[Identity]:
        """Return the client's identity; without a key the certificate's file holds both."""
        certificate = self.path("certificate")
        if certificate is None:
            return None
        passphrase = self._entry.get("private_key_passphrase")
        secret = _bytes(passphrase) if passphrase else None
        if self._entry.get("private_key_passphrase_path"):
            lines = self._read("private_key_passphrase_path", 4096).splitlines()
            secret = lines[0] if lines else b""
        return Identity(certificate, self.path("private_key") or certificate, secret)

    def place(self, place: str) -> str:
        """Return the option, and the path, for the *place* of an error of the probe."""
        option = self._options.get(place, {"address": "host", "cafile": "trust_path"}.get(place, place))
        path = f" ({place})" if place in self._options and option.endswith("_path") else ""
        return f"{self._entry['place']}{option}{path}"

    def _read(self, option: str, size: int) -> bytes:
        path = self._entry[option]
        try:
            with open(path, "rb") as file:
                return file.read(size)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise MtlsError(
                f"{path} cannot be read: {getattr(error, 'strerror', error)}.",
                f"{self._entry['place']}{option}",
                "It is a path on the host that the module runs on.",
            ) from error

    def _in_memory(self, option: str) -> str:
        if not hasattr(os, "memfd_create"):
            raise MtlsError(
                "This system has no files in memory.", f"{self._entry['place']}{option}", "Give a path."
            )
        descriptor = os.memfd_create("mtls")
        self._stack.callback(os.close, descriptor)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(_bytes(self._entry[option]))
        return f"/proc/self/fd/{descriptor}"


def _bytes(text: str) -> bytes:
    """Return *text* as UTF-8; a lone surrogate, of which PEM has none, must only not raise."""
    return text.encode("utf-8", "surrogatepass")


class _Chain(NamedTuple):
    certificates: Sequence[bytes]
    complete: bool
    spoke: str


def _served(seen: Observation, heard: Heard) -> _Chain:
    """The certificates, by who saw more of them: Python shows none of a handshake that failed."""
    flight = heard.flight
    if flight.whole and (
        not seen.served or (not seen.served_complete and seen.served[0] in flight.certificates)
    ):
        return _Chain(flight.certificates, True, heard.spoke)
    return _Chain(seen.served, seen.served_complete, _python(bool(seen.protocol)) if seen.served else "")


def _python(tls: bool) -> str:
    """Who speaks: `python-ssl OpenSSL 3.5.7`."""
    return f"python-ssl {' '.join(ssl.OPENSSL_VERSION.split()[:2])}" if tls else "python"


def _body_class(target: Target, seen: Observation, heard: Heard) -> str:
    refused = target.alpn if seen.alert == _NO_APPLICATION_PROTOCOL else ()
    if _HTTP1 in refused and heard.flight.alpn == _HTTP2:
        return http_body.HTTP2
    strange = http_body.classify_stray(seen.stray, target.tls, bool(seen.protocol))
    return strange or http_body.classify(seen.status, seen.body)


def _result(
    entry: Mapping[str, Any], target: Target, seen: Observation, heard: Heard, describe: Describe
) -> dict[str, Any]:
    served = _served(seen, heard)
    result: dict[str, Any] = {
        "name": entry["name"],
        "target": target.name,
        "address": seen.peer.name if seen.peer else "",
        "phase": seen.phase,
        "timed_out": seen.timed_out,
        "protocol": seen.protocol,
        "cipher": seen.cipher,
        "alpn": seen.alpn,
        "served": [
            {"sha256": hashlib.sha256(der).hexdigest(), **describe(der)} for der in served.certificates
        ],
        "served_complete": served.complete,
        "ocsp": core.staple(heard.flight) if heard.flight.whole else None,
        "requested": core.requested(heard.flight) if heard.flight.whole else None,
        "status": seen.status,
        "body_class": _body_class(target, seen, heard),
        "headers": {name: _joined(seen.headers, name) for name in _HEADERS if _joined(seen.headers, name)},
        "error": seen.error,
        "alert": seen.alert,
        "session_reused": seen.session_reused,
        "seconds": seen.seconds,
        "spoke": {"exchange": _python(target.tls), "served": served.spoke, "requested": heard.spoke},
        "why": heard.why,
    }
    if entry["return_body"]:
        result["body"] = seen.body.decode("utf-8", "replace")
    return result


def _joined(headers: list[tuple[str, str]], wanted: str) -> str:
    return ", ".join(value for name, value in headers if name.lower() == wanted)

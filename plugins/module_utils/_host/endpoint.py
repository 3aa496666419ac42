# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One probe of `endpoint_info`: its files and contents, the request, the result as plain data."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import http_body
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.endpoint_plan import check
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import (
    Identity,
    Observation,
    Target,
    probe,
)

# What helps to tell who answered. No Set-Cookie and the like: a result is printed and kept.
_HEADERS = ("content-type", "location", "server", "via", "www-authenticate")


def ask(entry: Mapping[str, Any], describe: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    """Run the merged probe *entry* and return its result; with ``session: resume`` two requests.

    *describe(der)* adds to what is said of each served certificate. Raises MtlsError for options that are
    wrong and files that cannot be read, never for what the endpoint does.
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
    )
    with contextlib.ExitStack() as stack:
        files = _Files(entry, stack)
        target = dataclasses.replace(target, cafile=files.path("trust") or "")
        try:
            seen = _observe(target, files.identity(), entry["timeout_s"], entry["session"] == "resume")
        except MtlsError as error:
            raise MtlsError(error.message, files.place(error.place), error.remedy, error.code) from error
    return _result(entry, target, seen, describe)


def _observe(target: Target, identity: Optional[Identity], timeout_s: float, resume: bool) -> Observation:
    first = probe(target, identity, timeout_s)
    if not resume or first.session is None:
        return first
    second = probe(target, None, timeout_s, first.session)
    if second.session_reused:
        # A resumed connection brings no certificate, Python repeats what the session holds of the first.
        second.served, second.served_complete = first.served, first.served_complete
    return second


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


def _result(
    entry: Mapping[str, Any],
    target: Target,
    seen: Observation,
    describe: Callable[[bytes], dict[str, Any]],
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": entry["name"],
        "target": target.name,
        "phase": seen.phase,
        "protocol": seen.protocol,
        "cipher": seen.cipher,
        "served": [{"sha256": hashlib.sha256(der).hexdigest(), **describe(der)} for der in seen.served],
        "served_complete": seen.served_complete,
        "status": seen.status,
        "body_class": http_body.classify(seen.status, seen.body),
        "headers": {name: _joined(seen.headers, name) for name in _HEADERS if _joined(seen.headers, name)},
        "error": seen.error,
        "alert": seen.alert,
        "session_reused": seen.session_reused,
        "seconds": seen.seconds,
    }
    if entry["return_body"]:
        result["body"] = seen.body.decode("utf-8", "replace")
    return result


def _joined(headers: list[tuple[str, str]], wanted: str) -> str:
    return ", ".join(value for name, value in headers if name.lower() == wanted)

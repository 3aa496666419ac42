# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of credentials: from the options ``*_path`` and ``*_content`` to bytes, each path read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Union

from .._core.findings import Finding
from .._core.inputs import bytes_of, utf8
from .intake import shown

SLOTS = ("certificate", "private_key", "chain", "trust", "crl")
_PASSPHRASE = "private_key_passphrase"
_RULES = ("name", "purpose", "hostnames", "verify_depth", "min_days")

#: The bytes of a file, or why there are none.
Taken = Union[bytes, Finding]


class CredentialFiles:
    """*read(path)* reads one file, and *secrecy(path, what)* says where others may read it, too; both are
    asked once for each path."""

    def __init__(self, read: Callable[[str], Taken], secrecy: Callable[[str, str], list[Finding]]) -> None:
        self._read = read
        self._secrecy = secrecy
        self._known: dict[str, Taken] = {}
        self._said: dict[str, list[Finding]] = {}

    def spec(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What ``credential.examine`` takes, of one element of the option ``credentials``.

        A file that cannot be read is the Finding that says why. The place of a content is its option.
        """
        spec: dict[str, Any] = {name: given.get(name) for name in _RULES}
        findings: list[Finding] = []
        for slot in SLOTS:
            path, content = given.get(f"{slot}_path"), given.get(f"{slot}_content")
            if path is not None:
                spec[slot], spec[f"{slot}_place"] = self._file(path), shown(path)
            elif content is not None:
                spec[slot], spec[f"{slot}_place"] = bytes_of(content), f"{slot}_content"
        if given.get("private_key_path") is not None:
            findings += self._others(given["private_key_path"], "private key")
        spec["passphrase"] = self._passphrase(given, findings)
        return {**spec, "findings": findings}

    def _file(self, path: str) -> Taken:
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _others(self, path: str, what: str) -> list[Finding]:
        if path not in self._said:
            self._said[path] = self._secrecy(path, what)
        return self._said[path]

    def _passphrase(self, given: Mapping[str, Any], findings: list[Finding]) -> Union[bytes, None]:
        """The option as UTF-8, or the first line of its file as nginx takes it (ngx_ssl_read_password_file);
        None without either, and with a finding where the file cannot be read."""
        if given.get(_PASSPHRASE) is not None:
            return utf8(given[_PASSPHRASE])
        path = given.get(f"{_PASSPHRASE}_path")
        if path is None:
            return None
        taken = self._file(path)
        if isinstance(taken, Finding):
            findings.append(taken)
            return None
        findings += self._others(path, "passphrase")
        return taken.split(b"\n", 1)[0].rstrip(b"\r")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's files that edges are judged by: certificates, authorities and CRLs, never a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Union

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import sources

_VAULT = b"$ANSIBLE_VAULT;"


def vault_files(fleet: Mapping[str, Any]) -> list[str]:
    """The controller's files with certificates or CRLs of *fleet* that are encrypted by Ansible Vault."""
    files = Files({})
    return [path for path in dict.fromkeys(_paths(fleet)) if files.is_vault(path)]


def _paths(fleet: Mapping[str, Any]) -> Iterator[str]:
    for model in fleet["hosts"].values():
        for one in model["credentials"]:
            yield from (one["files"][name] for name in ("certificate", "chain") if one["files"].get(name))
            lists = [one["trust"]["sources"], one["crl"] if isinstance(one["crl"], list) else []]
            yield from (source["src"] for each in lists for source in each if isinstance(source, Mapping))
        for site in model["sites"]:
            yield from (entry["certificate"]["src"] for entry in site["allow"] if "certificate" in entry)


class Files:
    """The controller's files, each read once."""

    def __init__(self, opened: Mapping[str, str]) -> None:
        self._opened = opened
        self._known: dict[str, Union[bytes, MtlsError]] = {}

    def read(self, path: str, option: str) -> bytes:
        if path not in self._known:
            self._known[path] = self._read(path, option)
        found = self._known[path]
        if isinstance(found, MtlsError):
            raise found
        return found

    def is_vault(self, path: str) -> bool:
        try:
            with open(path, "rb") as file:
                return file.read(len(_VAULT)) == _VAULT
        except OSError:
            return False

    def _read(self, path: str, option: str) -> Union[bytes, MtlsError]:
        try:
            with open(sources.find(path, ["/"], option), "rb") as file:
                data = file.read()
        except MtlsError as error:
            return error
        except OSError as error:
            return MtlsError(f"The file '{path}' cannot be read: {error.strerror}.", option)
        if data.startswith(_VAULT):
            if path not in self._opened:
                return MtlsError(f"The file '{path}' is encrypted.", option)
            data = self._opened[path].encode("utf-8", "surrogateescape")
        return data

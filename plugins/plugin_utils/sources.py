# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that options name: where they are looked for, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.inputs import content_of, hide_passphrase

_PASSPHRASE = "private_key_passphrase"

#: Path and option → content.
Reader = Callable[[str, str], bytes]


def find(path: str, folders: Sequence[str], option: str) -> str:
    """The absolute path of *path*, a relative one looked for in *folders* in this order.

    Ansible's own search would begin in the collection's playbooks folder. Raises MtlsError that lists where
    it looked. A leading ``~`` is the home of the user who runs Ansible.
    """
    expanded = os.path.expanduser(path)
    looked = [os.path.normpath(os.path.join(folder, expanded)) for folder in folders if folder]
    for candidate in looked:
        if os.path.isfile(candidate):
            return candidate
    there = next((candidate for candidate in looked if os.path.lexists(candidate)), "")
    if there:
        what = "is a directory" if os.path.isdir(there) else "is no plain file, or a link to none"
        raise MtlsError(f"'{there}' on the controller {what}.", option, "Name a file.")
    raise MtlsError(
        f"The file '{path}' is not on the controller; looked for {' and '.join(dict.fromkeys(looked))}.",
        option,
        "Give an absolute path, or one relative to the inventory's directory.",
    )


def read(loader: Any, path: str, option: str) -> bytes:
    """The content, a vault file's decrypted in memory. *loader*: Ansible's DataLoader.

    Raises MtlsError for an empty file: further on, empty would count as not given, and what is live be kept.
    Not get_real_file(): that writes the clear text to a temporary file on the controller.
    """
    try:
        # The public get_text_file_contents() wants UTF-8, and a certificate may be DER.
        content, _show = loader._get_file_contents(path)
    except AnsibleError as error:
        raise MtlsError(
            f"The file '{path}' cannot be read: {str(error).splitlines()[0]}",
            option,
            "If it is a vault file, give its password (--vault-id or --ask-vault-pass).",
        ) from error
    if not bytes(content).strip():
        raise MtlsError(f"The file '{path}' is empty.", option, "Put its content back, or name another file.")
    return bytes(content)


def with_content(arguments: dict[str, Any], read: Reader) -> dict[str, Any]:
    """The arguments with each ``*_src`` replaced by the content that *read(path, option)* gives."""
    parts = {
        part: _part(part, given, read) if isinstance(given, dict) else given
        for part, given in (arguments.get("parts") or {}).items()
    }
    return {**arguments, "parts": parts} if parts else dict(arguments)


def _part(part: str, given: dict[str, Any], read: Reader) -> dict[str, Any]:
    if given.get("credentials") is None:
        return dict(given)
    credentials = [
        _credential(f"parts.{part}.credentials[{one['name']}]", one, read) for one in given["credentials"]
    ]
    return {**given, "credentials": credentials}


def _credential(place: str, given: dict[str, Any], read: Reader) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in given.items():
        if not name.endswith("_src"):
            result[name] = value
        elif name == f"{_PASSPHRASE}_src" and value:
            result[_PASSPHRASE] = _passphrase(read(value, f"{place}.{name}"), f"{place}.{name}")
        elif value:
            result[f"{name[:-4]}_content"] = content_of(read(value, f"{place}.{name}"))
    if result.get(_PASSPHRASE):
        result[_PASSPHRASE] = hide_passphrase(result[_PASSPHRASE])
    if result.get("trust"):
        trust = dict(result["trust"])
        trust["sources"] = _list(f"{place}.trust.sources", trust.get("sources") or [], read)
        result["trust"] = trust
    if result.get("proof"):
        result["proof"] = [_credential(f"{place}.proof[{one['name']}]", one, read) for one in result["proof"]]
    if result.get("crl"):
        result["crl"] = _list(f"{place}.crl", result["crl"], read)
    return result


def _passphrase(data: bytes, option: str) -> str:
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:  # its text would show a byte of the passphrase
        raise MtlsError("The file is not UTF-8 text.", option, "Write the passphrase as UTF-8.") from None


def _list(place: str, given: list[dict[str, Any]], read: Reader) -> list[dict[str, Any]]:
    return [
        {"content": content_of(read(one["src"], f"{place}[{number}].src"))} if one.get("src") else dict(one)
        for number, one in enumerate(given)
    ]

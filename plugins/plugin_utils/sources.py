# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that options name: where they are looked for, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError


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

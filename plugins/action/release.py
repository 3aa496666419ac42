# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the controller's files into the module's arguments, before any connection is made."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.release_spec import ARGUMENT_SPEC
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import sources
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sources import Reader, with_content

_PRIVATE = ("private_key_content", "private_key_passphrase")


def files_of(arguments: dict[str, Any], message: str) -> str:
    """The controller's files of the credential that *message* names: the host saw contents only."""
    for part, given in (arguments.get("parts") or {}).items():
        for credential in (given or {}).get("credentials") or []:
            name = credential["name"]
            if f"parts.{part}.credentials[{name}]" in message or f"{part} credential {name}:" in message:
                pairs = [credential, *(credential.get("proof") or [])]
                named = [
                    f"{key[:-4]} {value}"
                    for pair in pairs
                    for key, value in pair.items()
                    if key.endswith("_src")
                ]
                trust = (credential.get("trust") or {}).get("sources") or []
                for what, several in (("trust", trust), ("crl", credential.get("crl") or [])):
                    named += [f"{what} {one['src']}" for one in several if one.get("src")]
                return ", ".join(named)
    return ""


def holds_private_content(arguments: dict[str, Any]) -> bool:
    """Is there a key or a passphrase among the contents, also one that was put in a certificate's place?"""
    for given in (arguments.get("parts") or {}).values():
        for credential in (given or {}).get("credentials") or []:
            pairs = [credential, *(credential.get("proof") or [])]
            if any(pair.get(name) for pair in pairs for name in _PRIVATE):
                return True
            if "PRIVATE KEY-----" in str(credential):
                return True
    return False


class ActionModule(ActionBase):
    """``release`` with files of the controller."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        given = self._validated()
        try:
            arguments = with_content(given, self._reader(variables))
        except MtlsError as error:
            raise AnsibleActionFail(str(error)) from None  # Ansible would append the cause's words once more
        wrap_async = bool(self._task.async_val)
        if holds_private_content(arguments) and not self._is_pipelining_enabled("new", wrap_async):
            raise AnsibleActionFail(
                "parts: a private key or passphrase would be written to temporary files, because this "
                "connection does not pipeline or remote files are kept. Set ansible_pipelining: true for the "
                "host, and leave ANSIBLE_KEEP_REMOTE_FILES unset; or put the key on the host and name it by "
                "private_key_path."
            )
        result.update(
            self._execute_module(
                module_name="mutual_tls.nginx.release",
                module_args=arguments,
                task_vars=task_vars,
                wrap_async=wrap_async,
            )
        )
        if result.get("failed") and (files := files_of(given, str(result.get("msg", "")))):
            result["msg"] = f"{result['msg']} Files on the controller: {files}."
        return result

    def _validated(self) -> dict[str, Any]:
        """The task's arguments; a wrong one fails here, and its message names the option."""
        checked = ArgumentSpecValidator(_texts(ARGUMENT_SPEC)).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        given = {name: checked.validated_parameters[name] for name in self._task.args}
        return {name: _without_none(value) for name, value in given.items()}

    def _reader(self, variables: dict[str, Any]) -> Reader:
        folders = [variables.get("inventory_dir") or "", os.getcwd()]

        def read(path: str, option: str) -> bytes:
            return sources.read(self._loader, sources.find(path, folders, option), option)

        return read


def _texts(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with paths as plain text: ``~`` and variables in them are the host's, not the controller's."""
    return {
        name: {
            **option,
            "type": "str" if option["type"] == "path" else option["type"],
            **({"options": _texts(option["options"])} if "options" in option else {}),
        }
        for name, option in spec.items()
    }


def _without_none(value: Any) -> Any:
    """The validator fills in None for every option of a dict that was not given."""
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value

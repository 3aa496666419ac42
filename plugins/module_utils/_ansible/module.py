# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule for modules that take secrets inside of lists and dicts."""

from __future__ import annotations

import re
from typing import Any, NoReturn, Optional

from ansible.module_utils.basic import AnsibleModule

# Ansible's own word for it.
BLOTTED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_PRIVATE_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*", re.DOTALL)


class SecretModule(AnsibleModule):
    """An AnsibleModule that does not write its arguments to the host's log.

    Ansible logs the arguments of every call on the host (``_log_invocation``), and masks what is no_log in
    them. It turns a list or dict into text by ``str()`` first, where a line feed is ``\\n``: a PEM key below
    it no longer equals the secret that is looked for, and stands in the journal for everybody of the group
    adm to read (seen with core 2.21). A result is masked before it becomes text, so it is not concerned.
    """

    def log(self, msg: str, log_args: Optional[dict[str, Any]] = None) -> None:
        """Log *msg*; with *log_args*, which only the log of the call has, nothing but that it took place."""
        super().log(msg if log_args is None else "Invoked")

    def _log_invocation(self) -> None:
        """As ``log``; what it overrides ends in a traceback for a path whose name is not UTF-8."""
        self.log("", {})


class FactsModule(SecretModule):
    """A SecretModule whose result is made of facts about secrets, never of their text.

    Ansible masks each secret wherever its letters stand in the result: a passphrase ``a`` makes
    ``ch********in`` of ``chain``, and a thousand keys in the arguments are looked for in each of ten
    thousand texts. So the secrets are taken out of the arguments that a result repeats, all at once and by
    their place, and the search is not done. Should a private key ever come into a result, it is cut off.
    """

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(**self._blotted(kwargs))

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        # also called from the constructor, for arguments that the spec refuses
        super().fail_json(without_keys(msg), **self._blotted(kwargs))

    def _blotted(self, result: dict[str, Any]) -> dict[str, Any]:
        self.params = blotted_options(self.params, self.argument_spec)
        self.no_log_values = set()
        clean: dict[str, Any] = without_keys(result)
        return clean


def blotted_options(given: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """*given* without what is no_log in *spec*, at any depth, nor what the spec does not know: a misspelt
    option may hold a secret, too. What begins with an underscore is Ansible's own."""
    return {
        name: value if name.startswith("_ansible_") else _blotted_value(value, spec.get(name))
        for name, value in given.items()
    }


def _blotted_value(value: Any, option: Optional[dict[str, Any]]) -> Any:
    if value is None:
        return None
    if option is None or option.get("no_log"):
        return BLOTTED
    inner = option.get("options")
    if inner is None:
        return value
    if isinstance(value, dict):
        return blotted_options(value, inner)
    if isinstance(value, list):
        return [_blotted_value(element, option) for element in value]
    return BLOTTED  # text that should have been a list or a dict of these options


def without_keys(value: Any) -> Any:
    """*value*, plain data of any depth, with each text cut off where a private key begins."""
    if isinstance(value, str):
        return _PRIVATE_BLOCK.sub(BLOTTED, value) if "PRIVATE KEY-----" in value else value
    if isinstance(value, dict):
        return {without_keys(name): without_keys(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_keys(inner) for inner in value]
    return value

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' argument specs, read as data: what variables there are, and their values with every default."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jinja2
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.release import __version__ as core_version

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

#: Role to the prefix of its variables.
PREFIXES = {
    "nginx": "nginx_mtls_",
    "mtls_server": "mtls_server_",
    "mtls_proxy": "mtls_proxy_",
    "private_ca": "private_ca_",
}
#: What the roles themselves register under such a prefix; a second play of the same run sees it in hostvars.
REGISTERED = frozenset({"mtls_server_result", "mtls_proxy_result"})
#: Kept out of the model, so never read: not even a vault is opened for it.
UNREAD = frozenset({"private_ca_passphrase"})

HOSTVARS = "hostvars"

#: Values that are planned, and what is said until then.
NOT_YET = {
    ("issuer", "command"): "An issuer by command comes later; until then use private_ca or files.",
    ("store", "hsm"): "Keys in a hardware token come later; until then use file.",
}
UNKNOWN = {"sha256": "nginx knows no SHA-256 fingerprint of a client. Give sha1, or certificate with src."}
#: Digits without quotes are decimal or octal to YAML.
HEXADECIMAL = frozenset({"serial", "sha1"})

_FLAT = ("type", "elements", "choices", "default")
_LEAVES_TEMPLATES = tuple(map(int, core_version.split(".")[:2])) < (2, 19)


class Problems:
    """All that is wrong with one host, each with the full path of the value."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, place: str, message: str, remedy: str = "") -> None:
        entry = (place, f"{message} {remedy}" if remedy else message)
        if entry not in self.found:
            self.found.append(entry)

    def add_error(self, place: str, error: MtlsError) -> None:
        self.add(place, error.message, error.remedy)

    def __bool__(self) -> bool:
        return bool(self.found)


@cache
def role_options() -> dict[str, dict[str, Any]]:
    """Role to its options, as ``meta/argument_specs.yml`` beside this file's collection says."""
    return {
        role: role_data(role, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
        for role in PREFIXES
    }


def role_data(role: str, *path: str) -> dict[str, Any]:
    """A YAML file of a role beside this file's collection."""
    roles = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "roles")
    with open(os.path.join(roles, role, *path), encoding="utf-8") as stream:
        found: dict[str, Any] = yaml_load(stream)
    return found


def suggest(word: str, words: Iterable[str]) -> str:
    """``Did you mean "x"?`` for the nearest of *words*, or nothing."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.7)
    return f'Did you mean "{near[0]}"?' if near else ""


def unknown_variables(names: Iterable[str], problems: Problems) -> list[str]:
    """Refuses names that begin with a role's prefix and are none of its variables.

    Returns warnings for names that only look like one (``mtls_servers_sites``): those may be the user's own.
    """
    known = sorted({name for options in role_options().values() for name in options} | REGISTERED)
    prefixes = tuple(PREFIXES.values())
    warnings = []
    for name in names:
        if name in known or not isinstance(name, str):
            continue
        if name.startswith(prefixes):
            problems.add(name, "there is no such variable.", suggest(name, known))
        elif name.startswith(("mtls_", "nginx_mtls", "private_ca")):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.88)
            if near:
                warnings.append(
                    f'the variable {name} is not one of this collection. Did you mean "{near[0]}"?'
                )
    return warnings


def read(variables: Mapping[str, Any], name: str, problems: Problems) -> Any:
    """The value of one variable as plain data; None where it is not set, or, with a problem, not rendered."""
    if name not in variables:
        return None
    try:
        return _plain(variables[name])
    except (AnsibleError, jinja2.exceptions.TemplateError, _Unrendered) as error:
        said = " ".join(str(error).split()).rstrip(".")
        problems.add(name, f"cannot be rendered: {said}.", _remedy(said, variables))
        return None


def _remedy(said: str, variables: Mapping[str, Any]) -> str:
    if HOSTVARS not in said:
        return ""
    if HOSTVARS not in variables:
        return "It uses other hosts: give mtls_model all of hostvars, with groups=groups."
    return "What is read from hostvars has to be defined there, and cannot use hostvars in turn."


class _Unrendered(Exception):
    """A template that has no value."""


def _plain(value: Any) -> Any:
    """Lists, dicts and scalars of the language itself: no tags, no lazy containers, no vaulted strings.

    The model is kept as a fact and read by other plays, where a lazy value would be rendered again.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, jinja2.Undefined):
        raise _Unrendered(getattr(value, "_undefined_message", "a variable in it is undefined"))
    if isinstance(value, str):
        text = str(value)
        if _LEAVES_TEMPLATES and ("{{" in text or "{%" in text):  # core 2.18 does so for undefined variables
            raise _Unrendered(f"a variable in {text!r} is undefined")
        return text
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)  # dates, and the vaulted text of core 2.18


def overlay(below: Any, above: Any) -> Any:
    """*above* laid over *below*: mappings are merged, None counts as not given, all else replaces."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return below if above is None else above
    return {**below, **{key: overlay(below.get(key), item) for key, item in above.items()}}


def fill(
    options: Mapping[str, Any], given: Mapping[str, Any], place: str, problems: Problems
) -> dict[str, Any]:
    """Every option with its value or default, typed, at every depth.

    Each level is one call of Ansible's own validator, so that a role's argument validation accepts the same.
    It is applied level by level because it names no list index. A problem gives the option its default.
    """
    path = f"{place}." if place else ""
    known = {}
    for key, value in given.items():
        if key not in options:
            problems.add(f"{path}{key}", "there is no such key.", UNKNOWN.get(key) or suggest(key, options))
        elif value is not None:
            misfit = _misfit(key, options[key], value)
            if misfit:
                problems.add(f"{path}{key}", misfit)
            else:
                known[key] = value
    for key, option in options.items():
        if option.get("required") and given.get(key) is None:
            problems.add(f"{path}{key}", "is missing.")
    flat = {key: {word: option[word] for word in _FLAT if word in option} for key, option in options.items()}
    result = ArgumentSpecValidator(flat).validate(known)
    if result.error_messages:
        for key in list(known):
            messages = ArgumentSpecValidator({key: flat[key]}).validate({key: known[key]}).error_messages
            if messages:
                problems.add(f"{path}{key}", _complaint(key, options[key], known.pop(key), messages[0]))
        result = ArgumentSpecValidator(flat).validate(known)
    filled = result.validated_parameters
    return {
        key: _deeper(option, filled.get(key), f"{path}{key}", problems) for key, option in options.items()
    }


def _deeper(option: Mapping[str, Any], value: Any, place: str, problems: Problems) -> Any:
    inner = option.get("options")
    if inner is None or value is None:
        return value
    if isinstance(value, dict):
        return fill(inner, value, place, problems)
    if isinstance(value, list):
        return [
            fill(inner, item, f"{place}[{index}]", problems) if isinstance(item, dict) else item
            for index, item in enumerate(value)
        ]
    return value


def _misfit(key: str, option: Mapping[str, Any], value: Any) -> str:
    """What Ansible would make a text or number of without a word, and should not."""
    if option["type"] == "int" and isinstance(value, bool):
        return "must be a whole number."
    if option["type"] == "str" and isinstance(value, (dict, list)):
        return "must be a text."
    if option["type"] == "str" and "choices" not in option and isinstance(value, bool):
        return 'is true or false to YAML. Quote it; "" is none.'
    if key in HEXADECIMAL and isinstance(value, (int, float)):
        return "is a number to YAML. Quote it: it is hexadecimal."
    items = value if option.get("elements") == "str" and isinstance(value, list) else []
    if any(isinstance(item, (dict, list, bool)) for item in items) and "choices" not in option:
        return "must be a list of texts."
    return ""


def _complaint(key: str, option: Mapping[str, Any], value: Any, message: str) -> str:
    """Ansible's sentence where it helps, ours where it would repeat the value or say less."""
    if "choices" in option and not isinstance(value, (dict, list)):
        remedy = NOT_YET.get((key, value)) or suggest(str(value), option["choices"])
        return f"{value!r} is not one of {', '.join(option['choices'])}.{' ' + remedy if remedy else ''}"
    kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
    words = {
        "int": "a whole number",
        "bool": "true or false",
        "dict": "a mapping",
        "list of dict": "a list of mappings",
    }
    if kind in words:
        return f"must be {words[kind]}."
    return re.sub(r"^argument '\S+' is of type", "is of type", message)

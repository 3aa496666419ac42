# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model to the arguments of one ``credential_request`` and one ``release`` call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def release_credentials(
    model: Mapping[str, Any],
    side: str,
    requests: Mapping[str, Any],
    issued: Mapping[str, str],
    private_ca: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The credentials of one *side* of a host as ``release`` takes them.

    *requests* is the result of ``credential_request`` on that host, *issued* maps ``<side>/<name>`` to the
    certificates that the private CA made in this run, *private_ca* holds its ``trust``, ``chain`` and
    ``crls``.
    A credential that was not issued anew gives neither certificate nor key: the live release keeps both.
    Holds no private content, only where it lies.
    """
    keys = {
        (entry["part"], entry["name"]): entry.get("private_key_path")
        for entry in requests.get("credentials") or []
    }
    return [
        _credential(credential, keys, issued, private_ca)
        for credential in model["credentials"]
        if credential["side"] == side
    ]


def request_credentials(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The credentials of a host whose keys are made there, as ``credential_request`` takes them."""
    return [
        {
            "part": credential["side"],
            "name": credential["name"],
            "purpose": credential["purpose"],
            "common_name": credential["common_name"],
            "hostnames": list(credential["hostnames"]),
            "key_type": credential["key"]["type"],
            "reuse": credential["key"]["reuse"],
        }
        for credential in model["credentials"]
        if credential["issuer"] == "private_ca"
    ]


def _credential(
    credential: Mapping[str, Any],
    keys: Mapping[tuple[str, str], str | None],
    issued: Mapping[str, str],
    private_ca: Mapping[str, Any],
) -> dict[str, Any]:
    side, name = credential["side"], credential["name"]
    result: dict[str, Any] = {"name": name, "purpose": credential["purpose"]}
    if credential["issuer"] == "files":
        files = credential["files"]
        result["certificate_src"] = files["certificate"]
        result["private_key_src"] = files["private_key"]
        if files.get("chain"):
            result["chain_src"] = files["chain"]
        if files.get("passphrase"):
            result["private_key_passphrase_src"] = files["passphrase"]
    elif issued.get(f"{side}/{name}"):
        result["certificate_content"] = issued[f"{side}/{name}"]
        result["private_key_path"] = keys[side, name]
        if private_ca.get("chain"):
            result["chain_content"] = private_ca["chain"]
    if name == "probe" and side == "server":
        return result
    result["hostnames"] = list(credential["hostnames"])
    result["trust"] = _trust(credential["trust"], private_ca)
    if credential["crl"] != "auto":
        result["crl"] = [] if credential["crl"] == "off" else [dict(source) for source in credential["crl"]]
    elif private_ca.get("crls") and "issuer" in credential["trust"]["sources"]:
        result["crl"] = [{"content": one} for one in private_ca["crls"]]
    if credential["verify_depth"] not in (None, "auto"):
        result["verify_depth"] = int(credential["verify_depth"])
    result["sessions"] = credential["sessions"]
    return result


def _trust(trust: Mapping[str, Any], private_ca: Mapping[str, Any]) -> dict[str, Any]:
    sources: list[dict[str, Any]] = []
    for source in trust["sources"]:
        if source == "issuer":
            sources.extend({"content": root} for root in private_ca.get("trust") or [])
        else:
            sources.append(dict(source))
    return {
        "sources": sources,
        "on_expired": trust.get("on_expired") or "drop",
        "allow_pinned": list(trust.get("allow_pinned") or []),
    }

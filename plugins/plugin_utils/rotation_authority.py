# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings a host back to the private authority: its trust in what signs, a certificate of a generation
that is not retired, and a clock by which those are valid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import due, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate

#: What can follow what cannot sign any more.
GENERATION, INTERMEDIATE = "generation", "intermediate"
_NEW = "It is to trust the next generation of the private CA."
_LACKING = "It does not trust the generation of the private CA that signs."
_ISSUER = re.compile(r"CA ([1-9][0-9]*)(?: .*)?")


def settings(
    model: Mapping[str, Any], live: Iterable[Mapping[str, Any]], private_ca: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The *live* credentials whose trust is given anew, since it lacks the root of what signs, or of what is
    made next: ``[{part, name, kinds, why}]``.

    *private_ca* is the fact ``mtls_private_ca``. What only is to sign later is trusted by ``rotate_ca.yml``.
    """
    follows = (private_ca.get("unable") or {}).get("next") == GENERATION
    root = (private_ca.get("issuer") or {}).get("root") or ""
    if not follows and not root:
        return []
    signs = set() if follows else _digests(root)
    wanted = {(one["side"], one["name"]): one for one in model["credentials"]}
    found = []
    for one in live:
        credential = wanted.get((one["part"], one["name"]))
        if credential is None or "issuer" not in _sources(credential):
            continue
        if follows or not signs & _digests((one.get("pem") or {}).get("trust") or ""):
            kinds = ["trust", "crl"] if private_ca.get("crls") else ["trust"]
            why = _NEW if follows else _LACKING
            found.append({"part": one["part"], "name": one["name"], "kinds": kinds, "why": why})
    return found


def _sources(credential: Mapping[str, Any]) -> list[Any]:
    # The probe identity has none: A trusts nobody by it.
    if (credential["side"], credential["name"]) == ("server", "probe"):
        return []
    return list(credential["trust"]["sources"])


def _digests(pem: str) -> set[str]:
    loaded = certificate.load("trust", pem.encode(), "trust").certificates
    return {one.facts.sha256 for one in loaded}


def is_retired(known: Mapping[str, Any], private_ca: Mapping[str, Any], name: str) -> bool:
    """Whether a certificate (*known*: as ``credential_info`` tells of it) is of a generation of the private
    CA *name* that is there no longer for hosts to trust."""
    issuer = str(known.get("issuer") or "").replace("CN = ", "CN=")
    if not private_ca.get("generations") or not issuer.startswith(f"CN={name} CA "):
        return False
    match = _ISSUER.fullmatch(issuer[len(f"CN={name} ") :])
    return match is not None and int(match[1]) not in private_ca["generations"]


def clock(
    told: Mapping[str, Any], live: Iterable[Mapping[str, Any]], days: Optional[int], at: datetime
) -> tuple[str, bool]:
    """A sentence about the clock of a host that differs from the controller's by an hour or more, else "";
    and whether a run can do nothing there before it is right.

    *told* is what ``credential_info`` said there, with the time; *days*: how long a certificate is valid that
    is to be signed for it now, None where none is.
    """
    if not told.get("at"):
        return "", False
    there = expiry.parse_rfc3339(told["at"])
    ahead = there - at
    if abs(ahead) < due.BACKDATED:
        return "", False
    where = "ahead of" if ahead > timedelta(0) else "behind"
    said = f"Its clock is {_length(abs(ahead))} {where} the controller's"
    dates = [one["certificate"] for one in live if one.get("certificate")]
    if ahead > timedelta(0):
        bad = any(
            at < expiry.parse_rfc3339(one["not_after"]) <= there for one in dates if one.get("not_after")
        ) or (days is not None and ahead >= timedelta(days=days))
        harm = "what is valid now has expired there"
    else:
        bad = days is not None or any(
            there < expiry.parse_rfc3339(one["not_before"]) <= at for one in dates if one.get("not_before")
        )
        harm = "what is signed now is not valid there yet"
    mend = "Set the clock that is wrong (timedatectl, chronyc tracking), and run again."
    return (f"{said}, and {harm}. {mend}" if bad else f"{said}. {mend}"), bad


def _length(difference: timedelta) -> str:
    hours = round(difference / timedelta(hours=1))
    if hours < 48:
        return f"{hours} {'hour' if hours == 1 else 'hours'}"
    return f"{round(hours / 24)} days"


def lines(private_ca: Mapping[str, Any], signs: bool) -> list[str]:
    """What the plan says of an authority that cannot sign. *signs*: whether it is to, in this run."""
    unable = private_ca.get("unable") or {}
    if not unable:
        return []
    if not signs:
        return [f"private CA: WARNING: {unable['why']} Nothing is due that it would sign."]
    if unable["next"] == GENERATION:
        what = "another generation, and all hosts get to trust it with their new certificates"
    else:
        what = "another intermediate below the same root"
    return [f"private CA: {unable['why']} It makes {what}."]

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings a host back to the private authority: its trust in what signs, a certificate of a generation
that is not retired, and a clock by which those are valid."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import due, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.certificate import CertificateFacts
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import rotation_crls

#: What can follow what cannot sign any more.
GENERATION, INTERMEDIATE = "generation", "intermediate"
_NEW = "It is to trust the next generation of the private CA."
_LACKING = "It does not trust the generation of the private CA that signs."
_RETIRED = "It trusts {}, which is retired."
_ISSUER = re.compile(r"CA ([1-9][0-9]*)(?: .*)?")
_AGAIN = "Run rotate.yml again."
_BESIDE = "It gets that beside what it trusts, and new certificates once all trust what signs."
_WAITS = "Others do not trust what signs yet."
_STILL = "Others still use it, so it stays for now."


def settings(
    model: Mapping[str, Any],
    live: Iterable[Mapping[str, Any]],
    private_ca: Mapping[str, Any],
    at: datetime,
) -> list[dict[str, Any]]:
    """The *live* credentials whose trust is given anew, since it lacks the root of what signs, or of what is
    made next, or has one that is retired: ``[{part, name, kinds, why, lacks}]``.

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
        sources = _sources(credential) if credential else []
        if "issuer" not in sources:
            continue
        trust = _certificates((one.get("pem") or {}).get("trust") or "")
        lacks = follows or not signs & {each.sha256 for each in trust}
        # What a file of the inventory gives besides is not known here, and site.yml's.
        retired = [
            each.subject_text
            for each in trust
            if sources == ["issuer"]
            and not expiry.is_expired(each.not_after, at)
            and of_retired(each.subject_text, private_ca, model["private_ca"]["name"])
        ]
        if lacks or retired:
            kinds = ["trust", "crl"] if private_ca.get("crls") else ["trust"]
            why = (_NEW if follows else _LACKING) if lacks else _RETIRED.format(", ".join(retired))
            found.append(
                {"part": one["part"], "name": one["name"], "kinds": kinds, "why": why, "lacks": lacks}
            )
    return found


def ways(
    plan: Mapping[str, Mapping[str, Any]], private_ca: Mapping[str, Any]
) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """The *plan*, and what a run may do instead where that would break an edge, the most first: nobody loses
    trust; and besides, nobody gets a certificate before all trust what signs. A rerun goes on from there.

    With two hosts that only trust what is retired, and whose edge works by that, the runs are: trust beside
    it, new certificates, and no more trust in it.
    """
    yield plan
    if private_ca.get("unable"):  # what is not there yet can be trusted beside nothing
        return
    lacks = [
        one["lacks"] for planned in plan.values() for one in planned["settings"] if _is_changing(planned, one)
    ]
    if lacks:
        yield {host: _gently(planned, True) for host, planned in plan.items()}
    if any(lacks):
        yield {host: _gently(planned, False) for host, planned in plan.items()}


def _is_changing(planned: Mapping[str, Any], setting: Mapping[str, Any]) -> bool:
    return planned["state"] == "due" and "lacks" in setting


def _gently(planned: Mapping[str, Any], reissues: bool) -> Mapping[str, Any]:
    changing = [one for one in planned["settings"] if _is_changing(planned, one)]
    waiting = [one for one in planned["credentials"] if one["action"] == "request" and not reissues]
    if planned["state"] != "due" or not (changing or waiting):
        return planned
    settings = [
        {**one, "beside": True} if "lacks" in one else one
        for one in planned["settings"]
        if one.get("lacks", True)
    ]
    credentials = [one for one in planned["credentials"] if one not in waiting]
    lacks = any(one["lacks"] for one in changing)
    said = _STILL if reissues else _BESIDE if lacks else _WAITS
    found = {**planned, "why": f"{planned['why']} {said} {_AGAIN}".strip(), "settings": settings}
    if settings or credentials:
        return {**found, "credentials": credentials}
    return {**found, "state": "waits"}


def beside(given: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """A credential for ``release`` with the trust, and the CRLs, that the *live* one has besides."""
    pem = live.get("pem") or {}
    trust = given["trust"]
    found = {**given, "trust": {**trust, "sources": [*trust["sources"], {"content": pem["trust"]}]}}
    if given.get("crl"):
        lists = [one["content"].encode() for one in given["crl"] if "content" in one]
        more = rotation_crls.others((pem.get("crl") or "").encode(), lists)
        found["crl"] = [*given["crl"], *({"content": one.decode()} for one in more)]
    return found


def _sources(credential: Mapping[str, Any]) -> list[Any]:
    # The probe identity has none: A trusts nobody by it.
    if (credential["side"], credential["name"]) == ("server", "probe"):
        return []
    return list(credential["trust"]["sources"])


def _certificates(pem: str) -> list[CertificateFacts]:
    return [one.facts for one in certificate.load("trust", pem.encode(), "trust").certificates]


def _digests(pem: str) -> set[str]:
    return {one.sha256 for one in _certificates(pem)}


def is_retired(known: Mapping[str, Any], private_ca: Mapping[str, Any], name: str) -> bool:
    """Whether a certificate (*known*: as ``credential_info`` tells of it) is of a generation of the private
    CA *name* that is there no longer for hosts to trust, or of one that nobody accepts any more."""
    return of_retired(str(known.get("issuer") or ""), private_ca, name, private_ca.get("ended") or ())


def of_retired(subject: str, private_ca: Mapping[str, Any], name: str, ended: Container[int] = ()) -> bool:
    """The same of the *subject* of an authority."""
    subject = subject.replace("CN = ", "CN=")
    if not private_ca.get("generations") or not subject.startswith(f"CN={name} CA "):
        return False
    match = _ISSUER.fullmatch(subject[len(f"CN={name} ") :])
    return match is not None and (int(match[1]) not in private_ca["generations"] or int(match[1]) in ended)


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

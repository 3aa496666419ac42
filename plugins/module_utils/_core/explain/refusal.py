# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side refuses the certificate of the other: which of all causes it is, by all that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from . import vocabulary as codes
from .case import CLIENT, NAMED, OTHER, SERVER, Case, Cause, Seen
from .wording import WORDS, fields

#: Events in the log of the side that refuses, by whose certificate it is.
_EVENTS = {CLIENT: ("client_verify",), SERVER: ("upstream_verify", "upstream_name")}
#: From these a certificate suffers wherever it is sent, so its own findings tell them without the other end.
_OWN = (codes.EXPIRED, codes.NOT_YET_VALID, codes.PURPOSE, codes.WEAK_KEY, codes.WEAK_DIGEST)
_CLOCK_S = 60.0
#: What the http level may say for a server block that has a trust of its own, and by which code it shows.
_LEAKS = {codes.CRL_MISSING: "ssl_crl", codes.DEPTH: "ssl_verify_depth"}
_TRUST = "ssl_client_certificate"
_OF_TRUST = (codes.ISSUER_UNKNOWN, codes.CA_NOT_ACCEPTED[CLIENT], codes.SELF_SIGNED, codes.ROOT_MISSING)


def explain(case: Case, whose: str, evidence: Sequence[str], by_alert: Sequence[str] = ()) -> Iterator[Cause]:
    """Causes for the refusal of the certificate of *whose*, none where nothing tells.

    *evidence*: what was seen of the refusal itself. *by_alert*: what the alert that came may mean.
    """
    for cause in _explained(case, whose, evidence, by_alert):
        yield from _inherited(case, whose, cause)
        yield cause


def _explained(case: Case, whose: str, evidence: Sequence[str], by_alert: Sequence[str]) -> Iterator[Cause]:
    sender, judge = case.side(whose), case.side(OTHER[whose])
    event = next(iter(judge.events(*_EVENTS[whose])), None)
    narrowed = _narrowed(event, whose) or by_alert
    told = (*evidence, *([logged(judge.name or NAMED[OTHER[whose]], event)] if event else []))
    judged = codes.of_judged(judge.judged or (), whose)
    for code, finding in judged:
        if not narrowed or code in narrowed or code == codes.ISSUER_UNKNOWN:
            code = _issuer(case, whose, code, finding)
            yield _clocked(case, whose, _cause(case, whose, code, told, finding))
            return
    if judged:  # the log speaks of something else, so of another time or another certificate
        code, finding = judged[0]
        yield _cause(case, whose, code, told, finding)
        return
    own = [(code, one) for code, one in codes.of_judged(sender.own, whose) if code in _OWN]
    for code, finding in own:
        if not narrowed or code in narrowed:
            yield _clocked(case, whose, _cause(case, whose, code, told, finding))
            return
    code = _by_number(case, whose, narrowed)
    if code:
        yield _clocked(case, whose, _cause(case, whose, code, told, None))


def _narrowed(event: Optional[Mapping[str, Any]], whose: str) -> tuple[str, ...]:
    if event is None:
        return ()
    if event["kind"] == "upstream_name":
        return (codes.SERVER_NAME,)
    return codes.of_number(event["code"], whose)


def logged(name: str, event: Mapping[str, Any]) -> str:
    return f"the error log of {name} at {event['time']}: {event['text']}"


def _by_number(case: Case, whose: str, narrowed: Sequence[str]) -> str:
    """The code where the log alone decides, or what is known beside it; "" where several remain."""
    if len(narrowed) == 1:
        return narrowed[0]
    return _by_names(case) if whose == CLIENT and (not narrowed or codes.ISSUER_UNKNOWN in narrowed) else ""


def expected(case: Case) -> bool:
    """Would the server refuse the client's certificate, by its files or by the authorities that it names?"""
    return bool(codes.of_judged(case.server.judged or (), CLIENT)) or bool(_by_names(case))


def _by_names(case: Case) -> str:
    """By the names of the authorities that the server sends, and the client's chain. What is not named may be
    trusted all the same (``ssl_trusted_certificate``), but then the server would have let it in."""
    names, chain = case.direct.accepted_names if case.direct else None, case.client.chain
    if not names or not chain or {one[key] for one in chain for key in ("subject", "issuer")} & set(names):
        return ""
    if chain[-1]["subject"] != chain[-1]["issuer"]:
        return codes.ISSUER_UNKNOWN
    return codes.CA_NOT_ACCEPTED[CLIENT] if len(chain) > 1 else codes.SELF_SIGNED


def _inherited(case: Case, whose: str, cause: Cause) -> Iterator[Cause]:
    """A list or a depth that the http level gives to a block whose trust is its own."""
    directive, server = _LEAKS.get(cause.code, ""), case.server
    outer = (server.config or {}).get("inherited", ())
    if whose == CLIENT and directive in outer and _TRUST not in outer:
        place, name = server.place(directive), case.called(SERVER)
        yield replace(
            cause,
            code="endpoint.trust_inherited",
            message=f"The http level gives {directive} to the server block of {name}, whose trust is its own."
            f" So: {cause.message}",
            evidence=(*cause.evidence, f"{directive} stands at {place}, outside of the server block"),
            remedy=f"Write {directive} in the server block itself"
            + (', "" where it shall have none.' if directive == "ssl_crl" else "."),
            confirm=f"{server.name or NAMED[SERVER]}: nginx -T 2>/dev/null | grep -n {directive}",
            place=place,
        )


def _issuer(case: Case, whose: str, code: str, finding: Mapping[str, Any]) -> str:
    """A missing issuer is an intermediate that was forgotten, or an authority that is not trusted: told where
    its certificate is known from elsewhere (``issuer`` of the finding), else it stays open. One that is there
    with another key, and only with that (`replaced`), is another authority."""
    if code == codes.SIGNATURE and finding.get("issuer") == "replaced":
        return codes.CA_NOT_ACCEPTED[whose]
    if code in (codes.ISSUER_UNKNOWN, codes.CA_NOT_ACCEPTED[whose]) and _is_in_trust(case, whose):
        return codes.LEAF_TRUSTED
    if code != codes.ISSUER_UNKNOWN:
        return code
    kind = finding.get("issuer", "")
    return {"intermediate": codes.INTERMEDIATE_MISSING, "root": codes.CA_NOT_ACCEPTED[whose]}.get(kind, code)


def _is_in_trust(case: Case, whose: str) -> bool:
    """Is the certificate that is refused itself among those that the other side trusts?"""
    sent = _sent(case, whose)
    judge = case.side(OTHER[whose])
    files = [(judge.config or {}).get(name) for name in ("trust", "trusted")]
    paths = [file["path"] for file in files if file]
    trusted = [one for state in judge.files if state.get("path") in paths for one in state["certificates"]]
    leaf = sent[0].get("sha256") if sent else None
    return leaf is not None and leaf in [one.get("sha256") for one in trusted]


def _cause(
    case: Case, whose: str, code: str, evidence: Sequence[str], finding: Optional[Mapping[str, Any]]
) -> Cause:
    words, known = WORDS[code], fields(case, whose)
    judged = str(finding["message"]).rstrip(".") if finding and code != codes.LEAF_TRUSTED else ""
    said = judged or words.why.format(**known)
    more = [f"{finding['code']} {finding['place']}".rstrip()] if finding else []
    if whose == CLIENT and code in _OF_TRUST and _TRUST in (case.server.config or {}).get("inherited", ()):
        more.append(f"{_TRUST} is that of the http level, at {case.server.place(_TRUST)}")
    return Cause(
        code=code,
        message=f"{case.called(OTHER[whose])} refuses the certificate of {case.called(whose)}: {said}.",
        evidence=(*evidence, *more),
        remedy=_remedy(case, whose, code, finding, words.remedy).format(**known),
        confirm=words.confirm.format(**known),
        place=str(finding["place"]) if finding else "",
    )


def _remedy(case: Case, whose: str, code: str, finding: Optional[Mapping[str, Any]], usual: str) -> str:
    """Whoever renews a leaf renews no authority above it."""
    leaf = next((one.get("subject") for one in _sent(case, whose)), None)
    if code != codes.EXPIRED or finding is None or not leaf or f'"{leaf}"' in finding["message"]:
        return usual
    return (
        "It is an authority's: put a valid certificate of that authority in its place, or have one issued by"
        " another authority (rotate_ca.yml replaces that of the private CA), then reload nginx."
    )


def _sent(case: Case, whose: str) -> Sequence[Mapping[str, Any]]:
    """What is known of the certificates that *whose* sends, the leaf first."""
    return case.client.chain if whose == CLIENT else case.direct.served if case.direct else ()


def _clocked(case: Case, whose: str, cause: Cause) -> Cause:
    """A date that refuses may be a clock that is wrong."""
    judge = case.side(OTHER[whose])
    if cause.code not in codes.DATES or judge.clock_s is None or abs(judge.clock_s) < _CLOCK_S:
        return cause
    if judge.truly is None or any(code == cause.code for code, dummy in codes.of_judged(judge.truly, whose)):
        return cause
    name = judge.name or NAMED[OTHER[whose]]
    off = f"{abs(judge.clock_s):.0f} s"
    way = "ahead" if judge.clock_s > 0 else "behind"
    return replace(
        cause,
        code="endpoint.clock",
        message=f"{cause.message} The clock of {case.called(OTHER[whose])} is {off} {way},"
        " and by the right time it would be accepted.",
        remedy=f"Set the clock of {name} (chronyc makestep, timedatectl), then ask again.",
        confirm=f"{name}: date -u",
    )


def seen(asked: Seen) -> str:
    """A request and its answer, as evidence."""
    name = f" for {asked.server_name}" if asked.server_name else ""
    with_ = "" if not asked.tls else ", with a certificate" if asked.sent else ", without a certificate"
    if asked.status is not None:
        what = f"{asked.status}" + (f" ({asked.body_class})" if asked.body_class else "")
    elif asked.alert is not None:
        what = f"TLS alert {asked.alert} in the phase {asked.phase}"
    else:
        what = f"{asked.error or 'no answer'} in the phase {asked.phase}"
    return f"asked {asked.target}{name}{with_}: {what}"

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen to its cause: findings, the most specific first, and what is missing to say more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from . import answer, connection, doubts, heard, refusal
from . import vocabulary as codes
from .case import CLIENT, SERVER, Case, Cause, Explanation, Seen, host_of
from .missing import missing
from .refusal import seen

#: Alerts by which a server speaks of the client's certificate (RFC 8446, 6.2).
_CLIENT_ALERTS = (42, 43, 44, 45, 46, 48)
_NO_CERTIFICATE_ALERTS = (41, 116)
#: What ``endpoint_info`` says where it verifies the server, with OpenSSL's number.
_NOT_ACCEPTED = re.compile(r"certificate is not accepted: .*\((\d+)\)$")
#: Statuses by which a server, or what is behind it, refuses somebody.
_REFUSED = (400, 401, 403)
#: Classes of answers that `error_page` may have put in the place of nginx's own.
_OWN_PAGES = ("forbidden", "other")


def explain(case: Case) -> Explanation:
    """Findings for one connection, none where all is well. Raises nothing."""
    found = _in_order(case, list(_causes(case)))
    unique = {(one.code, one.place): one for one in reversed(found)}
    ordered = [one for one in found if unique.get((one.code, one.place)) is one]
    placed = tuple(one if one.place else replace(one, place=case.target) for one in ordered)
    return Explanation(placed, tuple(missing(case, ordered)))


#: What may be for want of connections, files, memory or room.
_MAY_BE_EXHAUSTED = ("timed_out", "closed", "error_answer", "bad_gateway", "connection_refused")


def _in_order(case: Case, found: list[Cause]) -> list[Cause]:
    """What is behind the causes that were *found*, before them; none where all is well."""
    if not found:
        return []
    evidence, first = found[0].evidence[:1], found[0].code.partition(".")[2]
    behind: list[Cause] = [_another(case, evidence)] if case.meant else []
    behind += _address_kept(case, evidence)
    beside: list[Cause] = []
    if not any(one.code in ("endpoint.not_reloaded", "endpoint.reload_refused") for one in found):
        for which in (SERVER, CLIENT):
            beside += doubts.configuration_changed(case.side(which), which, evidence)
        if beside and _contradicted(case, first):
            behind, beside = [*behind, *beside], []
    if first in _MAY_BE_EXHAUSTED:
        behind += _exhausted(case, evidence)
    return [*behind, *found, *beside]


def _contradicted(case: Case, code: str) -> bool:
    """Does the server's configuration on disk say that this cannot be?"""
    config = case.server.config or {}
    if code == "sni_unknown":
        name = case.direct.server_name if case.direct else ""
        return name.lower() in config.get("names", ())
    served = config.get("served", ())
    return code == "connection_refused" and bool(served) and not any(one["sha256"] for one in served)


def _exhausted(case: Case, evidence: tuple[str, ...]) -> Iterator[Cause]:
    for which in (SERVER, CLIENT):
        side, name = case.side(which), host_of(case.side(which), which)
        for event in side.events("exhausted")[:1]:
            said = f"The nginx of {name} has run out of what it needs: {event['text']}."
            yield Cause("endpoint.exhausted", said, (*evidence, refusal.logged(name, event)))


def _another(case: Case, evidence: tuple[str, ...]) -> Cause:
    asked = case.direct or Seen()
    subject = (asked.served[0].get("subject") or "unknown") if asked.served else "unknown"
    on, host = host_of(case.client, CLIENT), asked.target.rpartition(":")[0].strip("[]")
    return Cause(
        "endpoint.another_server",
        f"Who answers at {asked.target} is not the nginx of {case.meant}: it has another certificate,"
        f' "{subject}".',
        (*evidence, f"the connection went to {asked.address}") if asked.address else evidence,
        confirm=f"{on}: getent ahosts {host}",
    )


def _address_kept(case: Case, evidence: tuple[str, ...]) -> Iterator[Cause]:
    """The client's nginx has asked another address than the one that answers us well."""
    event = next(iter(case.client.events(*heard.PHASES, "upstream_verify", "upstream_name")), None)
    direct = case.direct
    if event is None or case.through is None or case.through.status not in (None, 502, 504):
        return
    # An address that was asked as such leads to itself.
    if direct is None or (direct.status or 999) >= 400 or direct.address in ("", direct.target):
        return
    if event["upstream"] in ("", direct.address) or event["upstream"].startswith("unix:"):
        return
    on, host = host_of(case.client, CLIENT), direct.target.rpartition(":")[0].strip("[]")
    yield Cause(
        "endpoint.address_kept",
        f"The nginx of {case.called(CLIENT)} asks {event['upstream']}; {direct.target} leads to"
        f" {direct.address}, which answers well.",
        (*evidence, refusal.logged(on, event)),
        confirm=f"{on}: getent ahosts {host}",
    )


def _causes(case: Case) -> Iterator[Cause]:
    if case.through is not None:
        yield from _through(case, case.through)
    elif case.direct is not None:
        yield from _direct(case, case.direct)
    else:
        yield from _overheard(case)


def _overheard(case: Case) -> Iterator[Cause]:
    """Nobody asked: what the server itself knows of those who did."""
    instance = case.server.instance or {}
    if instance and instance.get("pid") is None:
        yield connection.down(case)
    elif (asked := heard.by_server(case)) is not None:
        yield from _direct(case, asked)


def _through(case: Case, asked: Seen) -> Iterator[Cause]:
    """By the client's own nginx."""
    silent = case.direct if case.direct is not None and case.direct.status in (None, 504) else None
    if asked.status is not None and (case.client.instance or {"pid": 0})["pid"] is None:
        yield connection.down(case, CLIENT, asked)
    elif asked.status is None and connection.is_late(asked) and silent is not None:
        # It still waits for the server, and for longer than we do.
        yield from _direct(case, silent)
    elif asked.status is None:
        yield from connection.explain(case, asked, CLIENT)
    elif asked.status == 502:
        yield from _no_upstream(case, asked)
    elif asked.status == 504 and case.direct is not None and case.direct.status == 504:
        yield from connection.explain(case, case.direct)
    elif asked.status == 504:
        yield _silent(case, asked)
    elif asked.status == 500 and _by_variable(case):
        yield _unreadable(case, asked)
    else:
        yield from _as_another(case, asked)
        yield from _by_answer(case, asked)


def _as_another(case: Case, asked: Seen) -> Iterator[Cause]:
    """The client's nginx has asked by a connection or session of another identity."""
    told, direct = case.client.finding("proxy.identity_shared"), case.direct
    if told is None or direct is None or not direct.sent:
        return
    if asked.status in _REFUSED and (direct.status or 999) < 400:
        said = (
            f"{case.called(CLIENT)} is let in with its own certificate, and its nginx is not: that goes on"
            " with a connection or session of another client certificate."
        )
        name = host_of(case.client, CLIENT)
        yield Cause(
            "endpoint.identity_shared",
            said,
            (seen(asked), seen(direct), str(told["message"])),
            confirm=f"{name}: nginx -T 2>/dev/null | grep -nE 'upstream|proxy_pass|proxy_ssl_certificate '",
            place=str(told["place"]),
        )


def _direct(case: Case, asked: Seen) -> Iterator[Cause]:
    if asked.status is None and asked.alert in _CLIENT_ALERTS:
        yield from _client_refused(case, asked, codes.of_alert(asked.alert, CLIENT))
    elif asked.status is None and asked.alert in _NO_CERTIFICATE_ALERTS:
        yield answer.not_sent(case, asked)
    elif asked.status is None and (told := _NOT_ACCEPTED.search(asked.error)):
        narrowed = codes.of_number(int(told.group(1)), SERVER)
        # Whoever asks here allows any depth.
        only = (codes.ISSUER_UNKNOWN,) if codes.ISSUER_UNKNOWN in narrowed else narrowed
        yield from refusal.explain(case, SERVER, (seen(asked),), only)
    elif asked.status is None:
        yield from connection.explain(case, asked)
    else:
        yield from _by_answer(case, asked)
        yield from _server_refused(case, (seen(asked),))


def _by_answer(case: Case, asked: Seen) -> Iterator[Cause]:
    if asked.body_class == "certificate_error":
        yield from _client_refused(case, asked, ())
    elif asked.body_class in _OWN_PAGES and (why := _behind(case)):
        yield from (
            _client_refused(case, asked, ()) if why == "client_verify" else [answer.not_sent(case, asked)]
        )
    elif asked.status is not None and asked.status < 400:
        yield from doubts.admitted(case, (seen(asked),))
    else:
        yield from connection.explain(case, asked)


def _behind(case: Case) -> str:
    """Of an answer that may be a page of one's own for 495 or 496 (``error_page``): the kind of event that is
    behind it, "" where it is the application's."""
    told = next(iter(case.server.events("client_verify", "client_no_certificate")), None)
    if told is not None:
        return str(told["kind"])
    client, server = case.client.config, case.server.config or {}
    if client is not None and not client.get("certificate"):
        return "client_no_certificate" if server.get("verify") == "on" else ""
    return "client_verify" if refusal.expected(case) else ""


def _server_refused(case: Case, evidence: tuple[str, ...]) -> Iterator[Cause]:
    """The client refuses the server's certificate."""
    found = list(refusal.explain(case, SERVER, evidence))
    if found and case.server.stale:
        yield from doubts.not_reloaded(case.server, SERVER, evidence)
    if found and found[0].code == codes.SERVER_NAME and case.named:
        said = (
            f"{case.called(CLIENT)} sends no server name, so {case.called(SERVER)} answers as another server."
        )
        place = case.client.place("proxy_ssl_server_name")
        yield Cause("endpoint.sni_missing", said, (*evidence, found[0].message), place=place)
    yield from found


def _client_refused(case: Case, asked: Seen, narrowed: tuple[str, ...]) -> Iterator[Cause]:
    evidence = (seen(asked),)
    # By the files that lie there it is accepted: so what runs are others, and the log speaks of those.
    found = list(doubts.refused(case, CLIENT, evidence))
    found += refusal.explain(case, CLIENT, evidence, narrowed)
    if found:
        yield from doubts.mended(case, found[0].code, evidence)
    yield from found
    if not found:
        said = (
            f"{case.called(SERVER)} refuses the client's certificate, and says why in its own error log only."
        )
        yield Cause("endpoint.client_refused", said, evidence)


def _no_upstream(case: Case, asked: Seen) -> Iterator[Cause]:
    """502 of the client's nginx: its log and its files, then what a direct request says."""
    evidence = (seen(asked),)
    found = list(_server_refused(case, evidence))
    if not found and (event := heard.by_client(case)) is not None:
        found += connection.explain(case, event)
    if not found and case.direct is not None and case.direct.status in (None, 502, 504):
        found += connection.explain(case, case.direct)
    found += doubts.not_reloaded(case.client, CLIENT, evidence) if not found else ()
    yield from found
    if not found:
        said = f"The nginx of {case.called(CLIENT)} gets no answer that it accepts."
        yield Cause("endpoint.bad_gateway", said, evidence)


def _silent(case: Case, asked: Seen) -> Cause:
    said = f"{case.called(SERVER)} does not answer {case.called(CLIENT)} in time."
    remedy = "Look at what stands behind it, and at the load of the host."
    return Cause("endpoint.timed_out", said, (seen(asked),), remedy)


def _by_variable(case: Case) -> bool:
    config = case.client.config or {}
    named = any((config.get(file) or {}).get("variable") for file in ("certificate", "key"))
    return named or bool(case.client.events("worker_file"))


def _unreadable(case: Case, asked: Seen) -> Cause:
    name = host_of(case.client, CLIENT)
    return Cause(
        "endpoint.worker_cannot_read",
        f"A worker of the nginx of {case.called(CLIENT)} cannot read a file that a variable names.",
        (seen(asked), *(refusal.logged(name, one) for one in case.client.events("worker_file")[:1])),
        place=case.client.place("proxy_ssl_certificate_key"),
    )

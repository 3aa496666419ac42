# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what is seen and what the files say do not agree: what runs is not what lies on the disk, a session
remembers, or nobody verifies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import vocabulary as codes
from .case import CLIENT, SERVER, Case, Cause, Side, host_of

#: Of these nginx itself answers 400 to a certificate that it does not accept, whoever is let in without one.
_VERIFIES = ("on", "optional")
#: Finding of nginx_tls_info about a part of the configuration.
_LOAD = (
    "Reload nginx if that change is wanted, else take it back: until then nginx does what stood there before."
)
_CHANGED = "tls.file_newer_than_loaded"


def refused(case: Case, whose: str, evidence: Sequence[str]) -> Iterator[Cause]:
    """The certificate of *whose* is refused, and by its files the other side accepts it."""
    judge_is = SERVER if whose == CLIENT else CLIENT
    judge = case.side(judge_is)
    if judge.judged is None or codes.of_judged(judge.judged, whose):
        return
    for side, which in ((judge, judge_is), (case.side(whose), whose)):
        yield from not_reloaded(side, which, evidence)
    passed = case.direct is not None and case.direct.sent and (case.direct.status or 999) < 400
    if whose == CLIENT and passed and case.through is not None:
        yield Cause(
            "endpoint.refusal_remembered",
            f"The same certificate is accepted in a new session, and {case.called(CLIENT)} goes on with one"
            " from before the fault was mended.",
            tuple(evidence),
            confirm=f"{host_of(case.client, CLIENT)}: nginx -T 2>/dev/null | grep -n proxy_ssl_session_reuse",
        )


def mended(case: Case, code: str, evidence: Sequence[str]) -> Iterator[Cause]:
    """The server's log says that a CRL has ended, nothing is known of the client, and the file is current."""
    server = case.server
    file = (server.config or {}).get("crl")
    state = next((one for one in server.files if file and one.get("path") == file["path"]), None)
    if code != codes.CRL_EXPIRED or server.judged is not None or state is None or state["findings"]:
        return
    stale = list(not_reloaded(server, SERVER, evidence))
    yield from stale
    if not stale and _keeps_sessions(server):
        yield Cause(
            "endpoint.refusal_remembered",
            f"The CRL of {case.called(SERVER)} is current: what its log says is of before, or of a session"
            " from before, which remembers the refusal.",
            (*evidence, f"{state['path']} has no list that has ended"), place=server.place("ssl_crl"),
            confirm=f"{host_of(server, SERVER)}: nginx -T 2>/dev/null | grep -n ssl_session",
        )  # fmt: skip


def admitted(case: Case, evidence: Sequence[str]) -> Iterator[Cause]:
    """The client is let in, and by its files the server would refuse it."""
    server = case.server
    # How weak is too weak is said by the security level of its OpenSSL, which is not known here.
    judged = codes.of_judged(server.judged or (), CLIENT)
    wrong = [one for one in judged if one[0] not in (codes.WEAK_KEY, codes.WEAK_DIGEST)]
    verify = str((server.config or {}).get("verify", "on"))
    name, on = case.called(SERVER), host_of(server, SERVER)
    asked = case.direct or case.through
    sends = bool((case.client.config or {}).get("certificate")) or bool(asked and asked.sent)
    if verify not in _VERIFIES and sends and (verify == "off" or wrong):
        if any(configuration_changed(server, SERVER, evidence)):  # what is in force is not known
            return
        yield Cause(
            "endpoint.not_verified",
            f"{name} lets in clients that it has not verified (ssl_verify_client {verify}).",
            tuple(evidence), place=server.place("ssl_verify_client"),
            confirm=f"{on}: nginx -T 2>/dev/null | grep -n ssl_verify_client",
        )  # fmt: skip
        return
    if not wrong or not sends:
        return
    told = (*evidence, f"{wrong[0][1]['code']}: {wrong[0][1]['message']}")
    stale = list(not_reloaded(server, SERVER, told))
    yield from stale
    if stale:
        return
    resumed = any(one is not None and one.resumed for one in (case.direct, case.through))
    if resumed or _keeps_sessions(server):
        yield Cause(
            "endpoint.session_outlives_trust",
            f"{name} lets in a client that it would refuse in a new session: a resumed one is not verified"
            " again.",
            told, place=server.place("ssl_session_cache"),
            confirm=f"{on}: nginx -T 2>/dev/null | grep -n ssl_session",
        )  # fmt: skip
        return
    yield Cause(
        "endpoint.admitted", f"{name} lets in a client that its files refuse.", told,
        confirm=f"{on}: nginx -T 2>/dev/null | grep -nE 'listen|server_name|ssl_'",
    )  # fmt: skip


def _keeps_sessions(server: Side) -> bool:
    config = server.config or {}
    return config.get("session_cache", "none") not in ("none", "off") or bool(
        config.get("session_ticket_key")
    )


def not_reloaded(side: Side, which: str, evidence: Sequence[str]) -> Iterator[Cause]:
    """Files that were replaced after nginx had read them, or a configuration that it refuses to read."""
    name = host_of(side, which)
    instance = side.instance or {}
    if instance.get("pid") is not None and not instance.get("ok", True):
        yield Cause(
            "endpoint.reload_refused",
            f"The nginx of {name} refuses the configuration that lies there, and runs with an older one.",
            (*evidence, *instance.get("emerg", ())), confirm=f"{name}: nginx -t",
        )  # fmt: skip
        return
    newer = [one for one in side.files if one.get("newer_than_loaded")]
    if newer:
        yield Cause(
            "endpoint.not_reloaded",
            f"The file {newer[0]['path']} was replaced after nginx of {name} had read it.",
            (
                *evidence,
                f"it is of {newer[0]['changed']}, nginx has read it at {instance.get('loaded')}",
                # Why a reload was lost: an address that is taken, for one.
                *(f"the error log of {name}: {one['text']}" for one in side.events("emerg")[:1]),
            ),
            place=str(newer[0]["path"]), confirm=f"{name}: nginx -t && nginx -s reload",
        )  # fmt: skip
        return
    yield from configuration_changed(side, which, evidence)


def configuration_changed(side: Side, which: str, evidence: Sequence[str]) -> Iterator[Cause]:
    """What lies there is not what is in force: it was changed after nginx had read it."""
    name, instance = host_of(side, which), side.instance or {}
    changed = [one for one in instance.get("findings", ()) if one["code"] == _CHANGED]
    if changed and instance.get("pid") is not None:
        place = str(changed[0]["place"])
        said = f"The configuration in {place} was changed after nginx of {name} had read it."
        told = (*evidence, f"nginx has read it at {instance.get('loaded')}")
        yield Cause("endpoint.not_reloaded", said, told, _LOAD, f"{name}: nginx -t && nginx -s reload", place)

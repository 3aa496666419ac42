# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a trial mean, with what its nginx says of them in its error log."""

from __future__ import annotations

import re
from dataclasses import replace

from .answers import (
    CERTIFICATE,
    FAILED,
    INCONCLUSIVE,
    OTHER,
    REFUSED,
    REFUSED_PAGE,
    UNREACHABLE,
    UPSTREAM,
    Answer,
    Row,
    judge,
)
from .probes import Probe
from .trial_questions import PATH

_WORDS_LIMIT = 200
_LINE = re.compile(
    r'\[(?:info|error|crit|warn)\] \d+#\d+: (?:\*\d+ )?(.*?), client: .*request: "GET ' + PATH + r"(\d+) "
)
_VERIFY = re.compile(r"SSL certificate verify error: \((\d+):([^)]*)\)")
_ALERT = re.compile(r"SSL alert number (\d+)")


def said(log: str) -> dict[int, str]:
    """Question number → what nginx's error log says last of it, without the request's own words."""
    found: dict[int, str] = {}
    for line in log.splitlines():
        match = _LINE.search(line)
        if match:
            found[int(match.group(2))] = match.group(1)
    return found


def with_cause(row: Row, line: str) -> Row:
    """A failed row with the cause that the error log gives. *line* is from ``said``, "" for nothing."""
    if row.verdict != FAILED or not line:
        return row
    cause, words = _cause(line)
    status = row.statuses[0] if row.statuses else None
    return replace(row, cause=cause or row.cause, got=f"{status}: {words}" if status else words)


def judge_route(probe: Probe, answer: Answer, line: str) -> Row:
    """The row of one server of a route. *line*: what the trial's error log says of it, "" for nothing.

    A server that is not ours is known as far as TLS goes: what it answers behind that is its own backend's.
    """
    if probe.want_words:
        return with_cause(judge(probe, [answer]), line)
    statuses = (answer.status,)
    if answer.status is None:
        words = f"no answer ({answer.phase}: {answer.error})"
        return with_cause(Row(probe, words, FAILED, OTHER, statuses), line)
    if line and not ("timed out" in line and "while reading response header" in line):
        return with_cause(Row(probe, f"{answer.status}", FAILED, UPSTREAM, statuses), line)
    if line:
        return Row(probe, "TLS is accepted, no answer in time", INCONCLUSIVE, "", statuses)
    if answer.status == 400 and REFUSED_PAGE in answer.body:
        got = "400: the client certificate is not accepted"
        return Row(probe, got, FAILED, REFUSED, statuses)
    got = f"{answer.status}, an answer that is not ours to read"
    return Row(probe, got, INCONCLUSIVE, "", statuses)


def _cause(line: str) -> tuple[str, str]:
    verify = _VERIFY.search(line)
    if verify:
        whose = "the client" if line.startswith("client") else "the server's certificate"
        cause = REFUSED if line.startswith("client") else CERTIFICATE
        return cause, f"{whose} is not accepted, code {verify.group(1)}, {verify.group(2)}"
    alert = _ALERT.search(line)
    if alert:
        return REFUSED, f"the server refuses, alert {alert.group(1)}"
    if "upstream SSL certificate does not match" in line:
        return CERTIFICATE, "the server's certificate has another name"
    if "SSL_do_handshake() failed" in line:
        return CERTIFICATE, "the TLS handshake failed"
    reached = "while connecting" not in line and "while SSL handshaking" not in line
    if "timed out" in line or (not reached and re.search(r"connect\(\) |prematurely|reset by peer", line)):
        return UNREACHABLE, line[:_WORDS_LIMIT]
    return "", line[:_WORDS_LIMIT]

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server A's access logs: where a site writes them, which files logrotate made of them, and what their lines
say about the clients.

A line is what ``log_format`` of roles/mtls_server/templates/site.conf.j2 makes. With ``escape=json`` nginx
escapes quotation marks, backslashes and control characters in each value, so no client can end a value or a
line; bytes beyond ASCII come as they are. Whatever the bytes are, nothing here raises, and memory is bounded.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from .allowlist import is_probe
from .blocks import Site
from .client_names import distinguished_name, serial
from .errors import MtlsError
from .expiry import parse_rfc3339, rfc3339
from .nginx_conf import Directive

#: Of the probe location of a site whose block is not known.
PROBE_PATH = "/.mtls/probe"
#: In octets. A request line has 8 KiB (large_client_header_buffers), a name what fits into a handshake.
LINE_LIMIT = 256 * 1024
#: Of one log, in memory at once: so many clients, and so many octets of their names.
CLIENTS, CLIENT_OCTETS = 10_000, 16 * 1024 * 1024
_ADDRESSES = 5
_REASONS = 20
_PLACES = 3
#: In seconds. Lines are written when a request ends, by several workers: a little disorder is usual.
TOLERANCE = 60
#: Clocks of machines that see each other may differ so much.
_FUTURE = 300
#: Nobody asked for so long, not even a proof: sooner the clock was wrong.
_SILENCE = 90 * 86400
_DAYS = 36500
_END_OF_TIME = 253_000_000_000  # in the year 9987: RFC 3339 has no other years
#: From the first moment at which a site could be asked to the first line: its own proof.
_FIRST_PROOF = 600

_BACK = "The time goes back there: the clock was set, and lines tell a wrong time."
_SILENT = "Nothing stands in the log for 90 days before that: the clock may have been wrong."
_AHEAD = "By the host's clock the time there has not come yet."

_VALUE = rb'[^"\\\n]*(?:\\.[^"\\\n]*)*'
_HEAD = (
    rb'\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d)","site":"V","client":"(V)","host":"V",'
    rb'"request":"(V)","status":\d+,"verify":"(V)"'
)
_CLIENT = rb',("serial":"V","sha1":"V","issuer":"V","subject":"V")'
_TAIL = rb'(?:,"[a-z0-9_]+":(?:"V"|[0-9.]+))*\}'


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern.replace(b"V", _VALUE), re.MULTILINE)


_LINE = _compiled(b"^" + _HEAD + _CLIENT + _TAIL + b"\n")
_HEAD_ALONE = _compiled(_HEAD)
_NAMES = _compiled(rb'"serial":"(V)","sha1":"(V)","issuer":"(V)","subject":"(V)"')
_TIME = _compiled(rb'^\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d)","site":"')

#: Time, the client's address, request, outcome of the verification, and the certificate's four fields.
_Row = tuple[bytes, ...]


# -- what is looked for


class Wanted:
    """The clients that a caller looks for: each ``{issuer}``, or ``{issuer, serial}``."""

    def __init__(self, clients: Sequence[Mapping[str, Optional[str]]]) -> None:
        """Raises MtlsError for what nginx would never write, since that would match nobody in silence."""
        self._found: set[tuple[str, Optional[str]]] = set()
        for index, one in enumerate(clients):
            try:
                number = one.get("serial")
                issuer = distinguished_name(one["issuer"] or "")
                self._found.add((issuer, serial(number) if number else None))
            except MtlsError as error:
                raise MtlsError(error.message, f"clients[{index}]", error.remedy) from error

    def has(self, issuer: str, number: str) -> bool:
        return (issuer, None) in self._found or (issuer, number) in self._found


def begin_of(since: str, days: float, at: datetime) -> int:
    """From when on to look, as time_t: the RFC 3339 time *since*, or *days* before *at*. Raises MtlsError."""
    if since:
        return int(parse_rfc3339(since, "since").timestamp())
    if not 0 <= days <= _DAYS:
        raise MtlsError(f"{days} is no number of days to look back.", "days", f"From 0 to {_DAYS}.")
    return max(0, int(at.timestamp() - days * 86400))


# -- where the log is


@dataclass(frozen=True)
class Log:
    """One log of one site. *path* is None where the site writes none that can be read. *unknown*: why not all
    requests are in it."""

    site: str
    path: Optional[str]
    probe_paths: frozenset[str] = frozenset({PROBE_PATH})
    unknown: tuple[str, ...] = ()


def usual(site: str) -> str:
    """Where the role's template lets a site write."""
    return f"/var/log/nginx/mtls-{site}.access.log"


def logs(sites: Sequence[Site]) -> list[Log]:
    """The logs that the blocks of a release write, those of one site and path as one."""
    found: dict[tuple[str, Optional[str]], Log] = {}
    for site in sites:
        paths = [item.args[0] for item in _ours(site.block)]
        unknown = tuple(_elsewhere(site.block))
        path = paths[0] if paths else None
        before = found.get((site.name, path), Log(site.name, path, frozenset()))
        probe = frozenset({site.probe_path} if site.probe_path else ())
        both = tuple(dict.fromkeys([*before.unknown, *unknown]))
        found[site.name, path] = Log(site.name, path, before.probe_paths | probe, both)
    return list(found.values())


def _ours(block: Directive) -> list[Directive]:
    """Its access_log directives with the format of the role, into a file whose name is known."""
    return [
        item
        for item in block.children("access_log")
        if len(item.args) > 1
        and item.args[1].startswith("mtls_server_")
        and re.match(r"/[^$]*\Z", item.args[0])
    ]


def _elsewhere(block: Directive) -> Iterator[str]:
    """Why requests to this block may be missing in its log."""
    ours = _ours(block)
    if not ours:
        yield "The site's block has no access_log in the role's format."
    if any(item.args[:1] == ("off",) for item in block.children("access_log")):
        # ngx_http_log_set_log: off beside others turns all of that level off
        yield "The site's block says access_log off."
    for item in ours[:1]:
        if any(option.startswith("if=") for option in item.args[2:]):
            yield f"The access_log of the site has a condition ({item.args[-1]})."
    known = {item.args[:2] for item in ours}
    for inner in _below(block):
        own = inner.children("access_log")
        if own and not any(item.args[:2] in known and len(item.args) == 2 for item in own):
            name = " ".join([inner.name, *inner.args])
            where = " ".join(own[-1].args)
            yield f"Requests to `{name}` are logged elsewhere (access_log {where})."


def _below(block: Directive) -> Iterator[Directive]:
    for item in block.block or ():
        if item.block is not None:
            yield item
            yield from _below(item)


@dataclass(frozen=True)
class Rotated:
    """A file that logrotate made of a log. *number* is None where its name has a date. Sorted, the oldest is
    first; of two with one *order* the later one in the sort is the whole one."""

    name: str
    number: Optional[int]
    order: tuple[int, int, str]
    plain: bool


_ROTATED = re.compile(
    r"(?:\.log)?([.-])(\d[\d_.-]*?)(?:\.log)?(\.(?:gz|bz2|xz|zst|lz4|lzo|lzma|Z|zip))?", re.ASCII
)


def rotated(log_name: str, names: Collection[str]) -> list[Rotated]:
    """Of the *names* of a directory those that logrotate made of *log_name*, the oldest first.

    Numbers (``.1``, ``.2.gz``), or dates (``-20261122``, ``.2026-11-22-03``), which logrotate wants to be
    sortable as text; the suffix ``.log`` may come last (``extension .log``). Of a file and what is being
    compressed of it the file is taken.
    """
    stem = log_name[: -len(".log")] if log_name.endswith(".log") else log_name
    found: dict[tuple[int, int, str], Rotated] = {}
    for name in names:
        match = _ROTATED.fullmatch(name[len(stem) :]) if name.startswith(stem) else None
        if match is None:
            continue
        is_number = match[1] == "." and match[2].isdigit() and len(match[2]) < 5
        number = int(match[2]) if is_number else None
        order = (1, -int(match[2]), "") if is_number else (0, 0, match[2])
        one = Rotated(name, number, order, match[3] is None)
        if one.plain or order not in found:
            found[order] = one
    return [found[order] for order in sorted(found)]


def missing_numbers(files: Sequence[Rotated]) -> list[int]:
    """The numbers that are not there between the log itself and the oldest of *files*."""
    numbers = {one.number for one in files if one.number is not None}
    return [number for number in range(1, max(numbers, default=0)) if number not in numbers][:_PLACES]


# -- lines


def moment_of(time: bytes) -> Optional[int]:
    """The second of a line's time, as time_t; None for one that no calendar has, or before 1970."""
    try:
        moment = int(datetime.fromisoformat(time.decode("ascii")).timestamp())
    except ValueError:
        return None
    return moment if 0 <= moment < _END_OF_TIME else None


def shown(moment: Optional[int]) -> Optional[str]:
    """RFC 3339 of a time_t; None for None."""
    return None if moment is None else rfc3339(datetime.fromtimestamp(moment, timezone.utc))


def first_time(block: bytes) -> Optional[int]:
    """When the first line that can be read in the beginning of a file was written; None for none."""
    times = (moment_of(match[1]) for match in _TIME.finditer(block))
    return next((moment for moment in times if moment is not None), None)


def _text(raw: bytes) -> str:
    """The value that nginx has escaped."""
    text = raw.decode("utf-8", "replace")
    if "\\" in text:
        with contextlib.suppress(ValueError):
            text = str(json.loads(f'"{text}"', strict=False))
    return text.encode("utf-8", "replace").decode()


def _path(request: bytes) -> str:
    """The path that a request line asks for, without its query."""
    words = request.split(b" ")
    return _text(words[1].partition(b"?")[0]) if len(words) > 1 else ""


class Client:
    """One certificate that verified, and what it was seen with."""

    __slots__ = ("addresses", "first", "last", "matched", "names", "only_probes", "requests")

    def __init__(self, names: Sequence[str], matched: bool, moment: int) -> None:
        """*names*: serial, SHA-1, issuer, subject."""
        self.names = names
        self.matched = matched
        self.first = self.last = moment
        self.requests = 0
        self.addresses: list[bytes] = []
        self.only_probes = True

    def to_dict(self, with_match: bool) -> dict[str, Any]:
        number, sha1, issuer, subject = self.names
        return {
            "issuer": issuer, "serial": number, "subject": subject, "sha1": sha1, "verify": "SUCCESS",
            "requests": self.requests, "first_seen": shown(self.first), "last_seen": shown(self.last),
            "addresses": [_text(address) for address in self.addresses],
            # The name opens nothing but the probe path: what it asked besides got 403.
            "only_probes": self.only_probes or is_probe(subject),
            "matched": self.matched if with_match else None,
        }  # fmt: skip


class Tally:
    """What the lines of one log say: ``begin``, ``feed``, ``end`` for each file, the oldest first.

    Lines count from the first one on that was written at *since* or later, whatever time those behind it
    tell: a clock that is set back hides nobody. *since* and *now* are time_t.
    """

    def __init__(self, since: int, now: int, wanted: Wanted, probe_paths: Collection[str]) -> None:
        self.first: Optional[int] = None
        self.last: Optional[int] = None
        self.lines = 0
        self.unreadable = 0
        self.places: list[str] = []
        self._since, self._now, self._wanted, self._probe_paths = since, now, wanted, probe_paths
        self._clients: dict[bytes, Client] = {}
        self._room = CLIENT_OCTETS
        self._left_out = {matched: Client(("", "", "", ""), matched, 0) for matched in (False, True)}
        self._refused: dict[bytes, int] = {}
        self._faults: dict[str, str] = {}
        self._inside = False
        self._time, self._moment = b"", 0
        self._rest, self._skipping = b"", False
        self._file, self._number = "", 0

    # -- bytes

    def begin(self, file: str) -> None:
        self._file, self._number = file, 0
        self._rest, self._skipping = b"", False

    def feed(self, block: bytes) -> None:
        if self._skipping:
            end = block.find(b"\n")
            if end < 0:
                return
            block, self._skipping = block[end + 1 :], False
        data = self._rest + block
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        self._whole_lines(data[:end])
        if len(self._rest) > LINE_LIMIT:
            self._odd(self._rest[:LINE_LIMIT])
            self._rest, self._skipping = b"", True

    def end(self, live: bool) -> None:
        """*live*: nginx may be about to write the rest of the last line."""
        last = self._rest + b"\n"
        if self._rest and (not live or _LINE.fullmatch(last)):
            self._whole_lines(last)

    def _whole_lines(self, data: bytes) -> None:
        rows = _LINE.findall(data)
        if len(rows) == data.count(b"\n"):
            self._rows(rows)
            return
        for line in data.split(b"\n")[:-1]:
            match = _LINE.fullmatch(line + b"\n")
            if match:
                self._rows([match.groups()])
            else:
                self._odd(line)

    def _odd(self, line: bytes) -> None:
        """A line that is not whole. Its beginning is enough for a client that did not verify: that one may
        send a name of any length."""
        match = _HEAD_ALONE.match(line)
        if match and match[4] != b"SUCCESS":
            self._rows([(*match.groups(), b"")])
        else:
            self.lines += 1
            self._number += 1
            self._not_read(self._number)

    # -- rows

    def _rows(self, rows: Sequence[_Row]) -> None:
        number = self._number
        time, moment, inside = self._time, self._moment, self._inside
        find = self._clients.get
        for number, (written, address, request, verify, names) in enumerate(rows, self._number + 1):
            if written != time:
                if not self._tick(written, number):
                    continue
                time, moment, inside = self._time, self._moment, self._inside
            if not inside:
                continue
            if verify != b"SUCCESS":
                self._refuse(verify)
                continue
            client = find(names) or self._meet(names, moment)
            client.requests += 1
            if moment > client.last:
                client.last = moment
            elif moment < client.first:
                client.first = moment
            if address not in client.addresses and len(client.addresses) < _ADDRESSES:
                client.addresses.append(address)
            if client.only_probes and _path(request) not in self._probe_paths:
                client.only_probes = False
        self.lines += len(rows)
        self._number = number

    def _tick(self, time: bytes, number: int) -> bool:
        """Another second than that of the line before; False for a time that there is not."""
        moment = moment_of(time)
        if moment is None:
            self._not_read(number)
            return False
        if self.first is None or self.last is None:
            self.first = self.last = moment
        elif moment < self.last - TOLERANCE:
            self._fault(_BACK, number)
        elif moment > self._moment + _SILENCE and moment >= self._since:
            self._fault(_SILENT, number)
        if moment > self._now + _FUTURE:
            self._fault(_AHEAD, number)
        self.last = max(self.last, moment)
        self._time, self._moment = time, moment
        if moment >= self._since:
            self._inside = True
        elif not self._inside:
            self.unreadable, self.places = 0, []
        return True

    def _fault(self, sentence: str, number: int) -> None:
        self._faults.setdefault(sentence, f"{self._file}:{number}")

    def _not_read(self, number: int) -> None:
        self.unreadable += 1
        if len(self.places) < _PLACES:
            self.places.append(f"{self._file}:{number}")

    def _refuse(self, verify: bytes) -> None:
        verify = verify if verify in self._refused or len(self._refused) < _REASONS else b"other"
        self._refused[verify] = self._refused.get(verify, 0) + 1

    def _meet(self, raw: bytes, moment: int) -> Client:
        """A client that is seen for the first time; those for whom there is no room are one together."""
        match = _NAMES.fullmatch(raw)
        names = [_text(value) for value in match.groups()] if match else ["", "", "", ""]
        matched = self._wanted.has(names[2], names[0])
        if len(self._clients) < CLIENTS and len(raw) <= self._room:
            self._room -= len(raw)
            self._clients[raw] = client = Client(names, matched, moment)
            return client
        return self._left_out[matched]

    # -- what is told

    def unknown(self) -> list[str]:
        """Why the lines do not tell everything."""
        found = [f"{place}: {sentence}" for sentence, place in self._faults.items()]
        if self._now + _FUTURE < self._since:
            found.append(f"The host's clock says {shown(self._now)}, before the time to look back to.")
        if self.unreadable:
            found.append(
                f"Lines that cannot be read: {self.unreadable}, the first at {', '.join(self.places)}."
            )
        return found

    def to_dict(self, with_match: bool) -> dict[str, Any]:
        left = self._left_out
        last = max(left[False].last, left[True].last)
        return {
            "covers_since": shown(self.first),
            "covers_until": shown(self.last),
            "lines": self.lines,
            "unreadable_lines": {"count": self.unreadable, "places": self.places},
            "not_verified": {
                "requests": sum(self._refused.values()),
                "reasons": {_text(reason): count for reason, count in sorted(self._refused.items())},
            },
            "clients": [one.to_dict(with_match) for one in self._clients.values()],
            "left_out": {
                "requests": left[False].requests + left[True].requests,
                "matched": left[True].requests,
                "last_seen": shown(last) if last else None,
            },
        }


def not_reached(first: Optional[int], since: int, born: Optional[int]) -> str:
    """Why a log that begins at *first* does not tell of all requests since *since*, "" where it does.

    *born*: a time at which the site was not there yet, or had just come; a log that begins with it is whole.
    One that is older shows that the site was there before, at times of which nothing is left.
    """
    if first is None:
        return "No line can be read, not even of the proof of a release."
    if first <= since or (born is not None and abs(first - born) <= _FIRST_PROOF):
        return ""
    return f"The log begins at {shown(first)}. Who asked between {shown(since)} and then is not known."

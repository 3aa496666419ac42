# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``rotate.yml`` does on each host, planned before anything is touched.

Real is what ``credential_info`` read on the hosts, wanted is the model. There is no other memory: a rerun
plans anew, and what is done is not due any more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import due, expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.request import Live, Wanted, reason
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import certificate
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import part, rotation_authority, rotation_crls
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.edge_files import Files
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_options import (
    CHECKED,
    PREVIOUS,
    Options,
)
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.rotation_previous import stays

#: Nothing to do; to be done; to be done, but not in these hours; prepared before; what it has is not known;
#: only a person can.
FRESH, DUE, WAITS, READY, UNREAD, STUCK = "fresh", "due", "waits", "ready", "unread", "stuck"
#: Where a new certificate comes from: a request, the controller's files; or nginx is only to load what is
#: there.
REQUEST, FILES, RELOAD = "request", "files", "reload"
#: It is due, and its owner is revoked: nothing is done unless by force.
REVOKED = "revoked"
#: The client that ``revoke.yml`` makes for a run, to be revoked and refused by each Server A.
PROBE_REVOKED = "probe-revoked"
#: Kinds of options of a credential, and how their names begin: its pair, and what a plan may name in
#: `settings`.
PAIR, TRUST, CRL = "pair", "trust", rotation_crls.CRL
_OPTIONS = {
    PAIR: ("certificate", "private_key", "chain"),
    TRUST: ("trust", "verify_depth"),
    CRL: ("crl",),
}
_SERVED = "endpoint.served_differs_from_file"
_KEYS = {("ec", 256): "p256", ("ec", 384): "p384", ("ed25519", 256): "ed25519"}
_WORDS = {
    due.EXPIRED: "it has expired",
    due.FILE: "the file on the controller holds another certificate",
    due.SERVED: "nginx serves another certificate than the live release has",
    due.THIRD: "a third of its lifetime or less is left",
    due.MIN_DAYS: "fewer days are left than wanted",
    due.FORCED: "forced",
}
_DIFFERS = {
    "unreadable": "its files cannot be used",
    "names": "the inventory wants other names",
    "key_type": "the inventory wants another kind of key",
    "purpose": "it is for another purpose",
    "issuer": "it is of another issuer",
    "retired": "its authority is retired",
}


def plan(
    fleet: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    hosts: Container[str],
    options: Options,
    opened: Mapping[str, str],
    at: datetime,
) -> dict[str, dict[str, Any]]:
    """Host to ``{state, credentials, settings, why, to}``: `credentials` are those that are due; `settings`
    those whose trust or CRLs are given anew, each ``{part, name, kinds}``; `why` is a sentence where the
    state needs one, `to` the argument of ``release`` that switches to what is prepared or goes back.

    *fleet* is the model of all hosts, *hosts* are those of this run; *opened*: content of vault files, by
    path; *at* the time.
    """
    files = Files(opened)

    def planned(more: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {
            host: _host(
                model,
                _installed(hostvars, host),
                {**_private_ca(hostvars, host), **more},
                options,
                files,
                at,
            )
            for host, model in fleet["hosts"].items()
            if host in hosts and (options.hosts is None or host in options.hosts)
        }

    # What follows an authority that cannot sign is made, and trusted, when there is something to sign.
    found = planned({"unable": {}})
    return planned({}) if asks(found) else found


def asks(plan: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the private authority is to sign for a host of the plan."""
    return any(
        one["action"] == REQUEST
        for planned in plan.values()
        if planned["state"] == DUE
        for one in planned["credentials"]
    )


def _installed(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    found = hostvars[host].get("mtls_installed") if host in hostvars else None
    return found if isinstance(found, Mapping) else {}


def _private_ca(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    return (hostvars[host].get("mtls_private_ca") if host in hostvars else None) or {}


def _host(
    model: Mapping[str, Any],
    told: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    options: Options,
    files: Files,
    at: datetime,
) -> dict[str, Any]:
    installed = told.get("installed")
    if told.get("unreachable") or told.get("failed") or not installed:
        return entry(UNREAD, why=str(told.get("msg") or "it was not read in this run."))
    if options.to == PREVIOUS:
        return entry(FRESH, why=why) if (why := stays(installed)) else entry(DUE, to=PREVIOUS)
    found: list[dict[str, Any]] = []
    lists: list[dict[str, Any]] = []
    revoked = barred(private_ca, model["host"], told)
    for live in _live(told):
        if (wanted := _wanted(model, live)) is None:
            continue
        if one := _credential(model, wanted, live, private_ca, options, files, at):
            found.append(_unless_barred(one, revoked, options))
        if crls := rotation_crls.planned(wanted, live, private_ca, files, at):
            lists.append(crls)
    settings = rotation_authority.settings(model, _live(told), private_ca, at)
    # Who gets new trust gets its CRLs with it.
    covered = {(one["part"], one["name"]) for one in settings if CRL in one["kinds"]}
    lists = [one for one in lists if (one["part"], one["name"]) not in covered]
    days = model["private_ca"]["leaf_days"] if any(one["action"] == REQUEST for one in found) else None
    clock, wrong = rotation_authority.clock(told, _live(told), days, at)
    if wrong:
        return entry(STUCK, found, why=clock, settings=lists)
    # What a killed run left half done may be new on the disk and not loaded: `release` ends it.
    unfinished = installed.get("next_run") or ""
    # A CRL cannot wait for what was prepared with the one from before.
    to_install = any(one["action"] == rotation_crls.INSTALL for one in lists)
    waiting = _prepared(installed) and not (options.force or options.made_before or to_install)
    stale = _stale(model, installed["prepared"], private_ca, options, files, at) if waiting else ""
    prepared = waiting and not stale
    if prepared and options.until == CHECKED:
        return entry(READY, found, "it is prepared; without rotate_until a run switches.", settings=lists)
    to_do = prepared or unfinished or settings
    actions = {one["action"] for one in (*found, *lists)}
    if not to_do and actions <= {STUCK, REVOKED}:
        return entry(STUCK if STUCK in actions else FRESH, found, why=clock, settings=lists)
    why = unfinished and f"It is not at rest: {unfinished}."
    settings = [] if prepared else settings
    why = " ".join(
        [*filter(None, (why, stale)), *dict.fromkeys(one["why"] for one in settings), clock]
    ).strip()
    planned = entry(DUE, found, why, "prepared" if prepared else "", [*settings, *lists])
    if not may_begin(planned, options, at):
        planned.update(state=WAITS, why="rotate_window is closed, and nothing expires before it opens again.")
    return planned


def _prepared(installed: Mapping[str, Any]) -> bool:
    """Whether a release waits for its switch, and is whole."""
    return installed.get("prepared") is not None


def _stale(
    model: Mapping[str, Any],
    prepared: Iterable[Mapping[str, Any]],
    private_ca: Mapping[str, Any],
    options: Options,
    files: Files,
    at: datetime,
) -> str:
    """Why what was prepared is not to go live any more: it would be due itself. "" where it would not."""
    for one in prepared:
        wanted = _wanted(model, one)
        again = wanted and _credential(model, wanted, one, private_ca, options, files, at)
        if again:
            place = f"{one['part']}/{one['name']}"
            return f"What was prepared is left: {place} of it would be due: {again['why']}."
    return ""


def entry(
    state: str, credentials: Any = (), why: str = "", to: str = "", settings: Any = ()
) -> dict[str, Any]:
    """A host in a plan."""
    return {
        "state": state,
        "credentials": list(credentials),
        "settings": list(settings),
        "why": why,
        "to": to,
    }


def _live(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for one in told.get("credentials") or [] if one.get("part"))


def _wanted(model: Mapping[str, Any], live: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The model of one live credential. One that the inventory does not have any more is site.yml's to take
    off."""
    return next(
        (one for one in model["credentials"] if (one["side"], one["name"]) == (live["part"], live["name"])),
        None,
    )


def barred(private_ca: Mapping[str, Any], host: str, told: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """The credentials, ``(part, name)``, that get no new certificate by themselves: their owner is revoked,
    or what is live is, also where it was issued to another name of the host."""
    revoked = private_ca.get("barred") or ()
    serials = {one["serial"] for one in revoked}
    by_name = {(one["side"], one["credential"]) for one in revoked if one["host"] == host}
    live = {
        (one["part"], one["name"])
        for one in _live(told)
        if (one.get("certificate") or {}).get("serial") in serials
    }
    return frozenset(by_name | live)


def _unless_barred(
    one: dict[str, Any], revoked: Container[tuple[str, str]], options: Options
) -> dict[str, Any]:
    """*one*, with nothing to be done where its owner is *revoked* and nobody forces a new certificate."""
    forced = options.force or options.made_before
    if one["action"] != REQUEST or forced or (one["part"], one["name"]) not in revoked:
        return one
    why = f"{one['why']}; it is revoked, and gets a new one by rotate_force only"
    return {**one, "action": REVOKED, "why": why}


def _credential(
    model: Mapping[str, Any],
    wanted: Mapping[str, Any],
    live: Mapping[str, Any],
    private_ca: Mapping[str, Any],
    options: Options,
    files: Files,
    at: datetime,
) -> Optional[dict[str, Any]]:
    """What is to be done about the certificate of one live credential, None for nothing."""
    own_files = wanted["issuer"] == "files"
    known = live.get("certificate") or {}
    differs = "" if own_files else _differs(model, wanted, live, at)
    if not own_files and rotation_authority.is_retired(known, private_ca, model["private_ca"]["name"]):
        differs = differs or "retired"
    on_file = _on_file(wanted, files) if own_files else ""
    if not known.get("not_after") or not known.get("not_before"):
        word = due.FINDING
    else:
        facts = due.Facts(
            not_before=expiry.parse_rfc3339(known["not_before"]),
            not_after=expiry.parse_rfc3339(known["not_after"]),
            errors=[one["code"] for one in live["findings"] if one["severity"] == "error"],
            differs=differs,
            file_differs=bool(on_file) and on_file != known.get("sha256"),
            served_differs=any(one["code"] == _SERVED for one in live["findings"]),
        )
        rule = due.Rule(
            max(options.min_days, wanted["renew"]["min_days"]), options.force, options.made_before
        )
        word = due.reason(facts, rule, at)
    if not word:
        return None
    return {
        "part": live["part"],
        "name": live["name"],
        "reason": word,
        "why": _why(word, differs, live),
        "serial": known.get("serial") or "",
        "not_after": known.get("not_after") or expiry.rfc3339(at),
        "days_left": known.get("days_left"),
        **_action(word, wanted, on_file, known.get("sha256") or ""),
    }


def _action(word: str, wanted: Mapping[str, Any], on_file: str, live: str) -> dict[str, Any]:
    """*on_file*, *live*: SHA-256 of the certificate in the controller's file and of the live one."""
    if word == due.SERVED:
        return {"action": RELOAD}
    if wanted["issuer"] != "files":
        return {"action": REQUEST}
    if on_file and on_file != live:
        return {"action": FILES}
    path = wanted["files"]["certificate"]
    has = "still holds what is live" if on_file else "cannot be read or holds no certificate"
    return {
        "action": STUCK,
        "why": f"{wanted['side']}/{wanted['name']} is due, and {path} {has}."
        " Put the new certificate and its key there, and run again.",
    }


def _why(word: str, differs: str, live: Mapping[str, Any]) -> str:
    if word == due.WANTED:
        return _DIFFERS.get(differs, differs)
    if word == due.FINDING:
        errors = [one["message"] for one in live["findings"] if one["severity"] == "error"]
        return errors[0] if errors else "its dates cannot be read"
    return _WORDS[word]


def _differs(
    model: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any], at: datetime
) -> str:
    """Why the live certificate is not the one that the inventory wants, by the rule by which it is asked
    for."""
    (asked,) = (
        one
        for one in part.request_credentials(model)
        if (one["part"], one["name"]) == (wanted["side"], wanted["name"])
    )
    pem = ((live.get("pem") or {}).get("certificate") or "").encode()
    loaded = certificate.load("certificate", pem, "certificate").certificates
    key = live.get("private_key") or {}
    kind = _KEYS.get((key.get("type"), key.get("size")), f"{key.get('type')}{key.get('size')}")
    found = Live(loaded[0].facts if loaded and live.get("matches") is not False else None, kind)
    word = reason(Wanted.from_mapping(asked), found, at, model["private_ca"]["name"])
    return "" if word == "expired" else word


def _on_file(wanted: Mapping[str, Any], files: Files) -> str:
    """SHA-256 of the first certificate in the controller's file, "" where it cannot be read: ``release`` says
    so when it needs it."""
    try:
        data = files.read(wanted["files"]["certificate"], "files.certificate")
        loaded = certificate.load("certificate", data, "certificate").certificates
    except MtlsError:
        return ""
    return loaded[0].facts.sha256 if loaded else ""


def parts(
    planned: Mapping[str, Any],
    model: Mapping[str, Any],
    installed: Mapping[str, Any],
    requests: Mapping[str, Any],
    issued: Mapping[str, str],
    private_ca: Mapping[str, Any],
) -> dict[str, Any]:
    """The option ``parts`` of the one ``release`` call on a host: what is due gets its new certificate, what
    the plan says of trust and CRLs is given as the inventory wants it, everything else of its part is kept.
    Sites and routes are never given.

    *planned* is its element of the plan, *installed* what ``credential_info`` said of it.
    """
    given: dict[tuple[str, str], set[str]] = {}
    beside = {(one["part"], one["name"]) for one in planned["settings"] if one.get("beside")}
    proofs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in planned["credentials"]:
        if one["action"] in (REQUEST, FILES):
            given.setdefault((one["part"], one["name"]), set()).add(PAIR)
    for one in planned["settings"]:
        if one.get("action") != STUCK:
            given.setdefault((one["part"], one["name"]), set()).update(one["kinds"])
        if one.get("proof"):
            proofs[one["part"], one["name"]] = [_revoked_probe(model, issued, private_ca)]
    found: dict[str, Any] = {}
    for side in dict.fromkeys(side for side, _name in given):
        wanted = {
            one["name"]: one for one in part.release_credentials(model, side, requests, issued, private_ca)
        }
        for one in _live(installed):
            if (one["part"], one["name"]) in beside and one["part"] == side:
                wanted[one["name"]] = rotation_authority.beside(wanted[one["name"]], one)
        found[side] = {
            "credentials": [
                {
                    **_only(wanted[one["name"]], given[side, one["name"]]),
                    **({"proof": proofs[side, one["name"]]} if (side, one["name"]) in proofs else {}),
                }
                if (side, one["name"]) in given
                else {"name": one["name"]}
                for one in _live(installed)
                if one["part"] == side
            ]
        }
    return found


def _revoked_probe(
    model: Mapping[str, Any], issued: Mapping[str, str], private_ca: Mapping[str, Any]
) -> dict[str, Any]:
    """The client of ``revoke.yml`` that each Server A is to refuse, with the key that was made there."""
    if f"server/{PROBE_REVOKED}" not in issued:
        raise MtlsError("No client was made there to be refused.", PROBE_REVOKED, "Run the same again.")
    found = {
        "name": PROBE_REVOKED,
        "certificate_content": issued[f"server/{PROBE_REVOKED}"],
        "private_key_path": f"{model['nginx']['base']}/pending/server/{PROBE_REVOKED}/privkey.pem",
    }
    return {**found, "chain_content": private_ca["chain"]} if private_ca.get("chain") else found


def _only(given: Mapping[str, Any], kinds: Iterable[str]) -> dict[str, Any]:
    """The options of a credential that are of these kinds, and what is asked about it anyway."""
    wanted = ("name", "hostnames", *(start for kind in kinds for start in _OPTIONS[kind]))
    return {key: value for key, value in given.items() if key.startswith(wanted)}


def asked(model: Mapping[str, Any], planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The option ``credentials`` of ``credential_request`` for what is due on a host, all by force: the plan
    has decided."""
    wanted = {(one["part"], one["name"]) for one in planned["credentials"] if one["action"] == REQUEST}
    return [
        {**one, "force": True}
        for one in part.request_credentials(model)
        if (one["part"], one["name"]) in wanted
    ]


def may_begin(host: Mapping[str, Any], options: Options, at: datetime) -> bool:
    """Whether the window lets a host begin at the time *at*: it is open, or what is due would expire before
    it has been open the next time."""
    if options.window is None or options.until == CHECKED or options.window.is_open(at):
        return True
    end = options.window.next_end(at)
    ends = [one["not_after"] for one in (*host["credentials"], *host["settings"]) if one.get("not_after")]
    return any(expiry.parse_rfc3339(one) <= end for one in ends)

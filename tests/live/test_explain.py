# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of each fault between Server B and Server A, by both ends, by B alone and by A alone.

By both ends the first finding is the cause. By one end alone it is the cause, or less is said (what is
missing is named): never another cause. A twin, where all is well, has no finding.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from explain_cases import DAY, NOW, Case, cases, leaf, order, sends

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections, diagnosis, diagnosis_run

#: These say that the cause is not known.
OPEN = ("endpoint.client_refused", "endpoint.bad_gateway", "endpoint.issuer_unknown", "endpoint.nginx_down")
#: What one end alone sees of what only the other knows; a file that A's nginx does not load is one, too.
LESS = {
    "endpoint.connection_refused": ("endpoint.nginx_down",),
    "endpoint.closed": ("endpoint.proxy_protocol",),
    "endpoint.expired": ("endpoint.not_reloaded",),
    "endpoint.client_not_allowed": ("endpoint.identity_lost", "endpoint.address_denied"),
    "endpoint.handshake_failed": ("endpoint.worker_cannot_read",),
    "endpoint.sni_unknown": ("endpoint.not_reloaded",),
    "endpoint.signature": ("endpoint.client_ca_not_accepted",),
}
#: What a configuration does besides, while all requests succeed.
REMARKS = (
    "proxy.identity_shared",
    "server.backend_unguarded",
    "server.identity_lost",
    "server.other_trust_admitted",
    "server.trust_inherited",
)
CASES = cases()


def sampled(table: Sequence[Case]) -> list[Any]:
    """For parametrize. In the sample of `make test` are two cases of each cause, each second twin, and what
    has a proof."""
    met: Counter[str] = Counter()
    rows = []
    for case in table:
        met[case.code] += 1
        chosen = met[case.code] <= 2 if case.code else met[""] % 2 or case.proof
        rows.append(pytest.param(case, id=case.name, marks=() if chosen else pytest.mark.whole))
    return rows


RIGHT, SILENT, WRONG = "right", "silent", "wrong"


@pytest.fixture(name="counts", scope="module")
def _counts(machine: Any, say: Callable[[str], None]) -> Iterator[Counter[tuple[str, str]]]:
    """How often each view was right, silent or wrong; printed at the end."""
    counts: Counter[tuple[str, str]] = Counter()
    yield counts
    for view, name in (("both", "both ends"), ("b", "B alone"), ("a", "A alone")):
        told = ", ".join(f"{counts[view, verdict]} {verdict}" for verdict in (RIGHT, SILENT, WRONG))
        say(f"{machine.image}, {name}: {told}")


@pytest.fixture(name="told", scope="module")
def _told(machine: Any, request: Any) -> dict[str, Any]:
    """What the modules say of each case that is run, by its name."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = {one.params["case"].name for one in params if one and isinstance(one.params.get("case"), Case)}
    return asked_on(machine, [case for case in CASES if case.name in wanted])


def asked_on(machine: Any, some: Sequence[Case], clock: str = "") -> dict[str, Any]:
    machine.write("/lab/explain_host.py", (Path(__file__).parent / "explain_host.py").read_text())
    machine.reset()
    command = ["podman", "exec", "-i", machine.container, "bash", "-c"]
    script = f"cd /lab && PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 {clock} python3 explain_host.py"
    asked = json.dumps([order(case) for case in some])
    done = subprocess.run([*command, script], input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


def ends(told: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is known of B and of A."""
    tls = told["tls"]
    locations = [one for each in tls["instances"] for one in each["locations"]]
    pairs = [
        {"asked": asked, "seen": seen} for asked, seen in zip(told["asked"], told["seen"].get("probes", ()))
    ]
    ways = {one["asked"]["name"].split()[0]: one for one in pairs}
    location = min(locations, key=lambda one: one["path"] != "/", default=None)
    client = {"host": "b.example.com", "tls": tls, "location": location, **ways}
    name = location["name"] if location and location["sni"] else ""
    server = {"host": "a.example.com", "tls": tls, "block": connections.block_for(tls, 8443, name)}
    return client, server


def views(told: dict[str, Any]) -> dict[str, list[str]]:
    at = datetime.now(timezone.utc)
    client, server = ends(told)
    found = {
        "both": diagnosis.diagnose(client, server, at),
        "b": diagnosis.diagnose(client, None, at),
        "a": diagnosis.diagnose(None, {**server, "tls": {**server["tls"], "log": told["alone"]}}, at),
    }
    return {view: [one["code"] for one in one["findings"]] for view, one in found.items()}


def verdict(code: str, found: list[str], view: str) -> str:
    first = found[0] if found else ""
    if first == code:
        return RIGHT
    if view == "a" and first == "endpoint.client_cert_not_sent" and code.startswith("endpoint.sni_"):
        return SILENT  # what came of it
    if view != "both" and first in LESS and (code in LESS[first] or not code.startswith("endpoint.")):
        return SILENT
    return SILENT if first in ("", *OPEN) and code else WRONG


def remarks(told: dict[str, Any]) -> dict[str, set[str]]:
    """What the configurations do besides, by those who read them."""
    client, server = ends(told)
    said = {
        view: {one["code"] for one in (part or {}).get("findings", ())} & set(REMARKS)
        for view, part in (("b", client["location"]), ("a", server["block"]))
    }
    return {**said, "both": said["a"] | said["b"]}


def judged(case: Case, told: dict[str, Any]) -> dict[str, str]:
    """By view, what is said beside what is so: the first finding, and the remarks."""
    code = case.code if "." in case.code or not case.code else f"endpoint.{case.code}"
    verdicts = {view: verdict(code, codes, view) for view, codes in views(told).items()}
    for view, said in remarks(told).items():
        wanted = {case.remark} - {""}
        if said - wanted:
            verdicts[view] = WRONG
        elif wanted - said and verdicts[view] == RIGHT:
            verdicts[view] = SILENT
    return verdicts


@pytest.mark.parametrize("case", sampled(CASES))
def test_each_fault_has_its_cause(told, counts, case: Case) -> None:
    one = told[case.name]
    verdicts = judged(case, one)
    counts.update(verdicts.items())
    assert not any(one["proof"]), (case.proof, one["proof"])
    found = (views(one), remarks(one))
    assert verdicts["both"] == RIGHT and WRONG not in verdicts.values(), (case.code, found, verdicts)


@pytest.mark.whole
def test_a_clock_that_is_wrong(machine: Any) -> None:
    """Server A, started by hand, believes that it is two days later, and so does who asks there."""
    machine.sh("command -v faketime || { apt-get update && apt-get install -y faketime; }")
    short = Case("short", "", b={"pair": sends(leaf("client", start=NOW - DAY, end=NOW + DAY))}, unit="b")
    begun = datetime.now(timezone.utc).timestamp()
    for clock, code in (("faketime -f +2d", ["endpoint.clock"]), ("", [])):
        told = asked_on(machine, [short], clock)["short"]
        client, server = ends(told)
        now = datetime.now(timezone.utc)
        server["clock_s"] = diagnosis_run.clock(told["tls"], begun, now)
        assert (server["clock_s"] > 86400 * 1.9) == bool(code)
        found = diagnosis.diagnose(client, server, now)["findings"]
        assert [one["code"] for one in found] == code

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the modules return to one cause. tests/live/test_explain.py takes it from real hosts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import connections, diagnosis, diagnosis_run
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._configurations import (
    CLIENT,
    INTERMEDIATE,
    NAME,
    OTHER,
    ROOT,
    SERVER,
    block,
    file,
    location,
    nginx,
    state,
)


def host_b(*files: dict[str, Any], where: Any = None, **more: Any) -> dict[str, Any]:
    given = {one["path"]: one for one in (state("/b/cert.pem", CLIENT), state("/b/trust.pem", ROOT), *files)}
    where = where or location()
    tls = {"instances": [nginx(locations=[where])], "files": list(given.values()), "log": [], "findings": []}
    return {"host": "b", "tls": tls, "location": where, **more}


def host_a(*files: dict[str, Any], site: Any = None, **more: Any) -> dict[str, Any]:
    given = {one["path"]: one for one in (state("/a/cert.pem", SERVER), state("/a/trust.pem", ROOT), *files)}
    site = site or block()
    tls = {"instances": [nginx([site])], "files": list(given.values()), "log": [], "findings": []}
    return {"host": "a", "tls": tls, "block": site, **more}


def probe(status: Any = 200, served: Any = (SERVER,), **more: Any) -> dict[str, Any]:
    asked = {"name": "direct 192.0.2.1:443", "host": "192.0.2.1", "port": 443, "server_name": NAME,
             "certificate_path": "/b/cert.pem", **more.pop("asked", {})}  # fmt: skip
    sent = [{**state("", one)["certificates"][0], "pem": one.pem.decode()} for one in served]
    seen = {
        "target": "192.0.2.1:443", "phase": "done" if status else "handshake", "status": status,
        "body_class": "", "error": "", "alert": None, "protocol": "TLSv1.3", "session_reused": False,
        "served": sent, **more,
    }  # fmt: skip
    return {"asked": asked, "seen": seen}


REFUSED = {"status": 400, "body_class": "certificate_error"}


def codes(client: Any, server: Any) -> list[str]:
    return [one["code"] for one in diagnosis.diagnose(client, server, AT)["findings"]]


def test_all_is_well():
    assert codes(host_b(direct=probe()), host_a()) == []


OLD = builders.client(ROOT, start=AT - 9 * DAY, end=AT - DAY)
BELOW = builders.client(INTERMEDIATE)
STRANGER = builders.client(builders.root("CN=Unheard of"))
A_SIDE = [
    ([state("/b/cert.pem", OLD)], [], {}, "endpoint.expired"),
    ([state("/b/cert.pem", STRANGER)], [], {}, "endpoint.issuer_unknown"),
    ([], [state("/a/trust.pem", OTHER)], {}, "endpoint.client_ca_not_accepted"),
    (
        [state("/b/cert.pem", CLIENT, ROOT)],
        [state("/a/trust.pem", OTHER)],
        {},
        "endpoint.client_ca_not_accepted",
    ),
    ([state("/b/cert.pem", BELOW)], [], {}, "endpoint.issuer_unknown"),
    (
        [state("/b/cert.pem", BELOW)],
        [state("/a/more.pem", INTERMEDIATE)],
        {},
        "endpoint.intermediate_missing",
    ),
    ([state("/b/cert.pem", BELOW)], [state("/a/trust.pem", INTERMEDIATE)], {}, "endpoint.root_missing"),
    ([state("/b/cert.pem", BELOW, INTERMEDIATE)], [], {"depth": 0}, "endpoint.depth"),
]


@pytest.mark.parametrize(("theirs", "ours", "site", "code"), A_SIDE)
def test_the_clients_certificate_by_the_servers_files(theirs, ours, site, code):
    where = block(**site)
    assert codes(host_b(*theirs, direct=probe(**REFUSED)), host_a(*ours, site=where)) == [code]


def test_the_servers_revocation_list():
    listed = [state("/a/crl.pem", crl=builders.revoke(ROOT, one).public_bytes(builders._ENCODING.PEM))
              for one in (CLIENT, SERVER)]  # fmt: skip
    site = block(crl=file("/a/crl.pem"))
    assert codes(host_b(direct=probe(**REFUSED)), host_a(listed[0], site=site)) == ["endpoint.revoked"]
    assert codes(host_b(direct=probe()), host_a(listed[1], site=site)) == []


def test_both_files_of_trust_count():
    site = block(trusted=file("/a/more.pem"))
    given = [state("/a/trust.pem", OTHER), state("/a/more.pem", ROOT)]
    assert codes(host_b(direct=probe()), host_a(*given, site=site)) == []
    assert codes(host_b(direct=probe()), host_a(given[0], site=site)) == ["endpoint.admitted"]


def test_the_servers_certificate_by_the_clients_files():
    gateway = {**probe(status=502, body_class="bad_gateway", served=()), "asked": {"tls": False}}
    for served, where, code in (
        (builders.server(OTHER), {}, ["endpoint.issuer_unknown"]),
        (builders.server(OTHER), {"verify": False}, ["endpoint.bad_gateway"]),
        (builders.server(ROOT, names=("x.example.com",)), {}, ["endpoint.server_name"]),
        (builders.server(ROOT, names=("x.example.com",)), {"name_variable": True}, ["endpoint.bad_gateway"]),
        (SERVER, {}, ["endpoint.bad_gateway"]),
    ):
        client = host_b(where=location(**where), direct=probe(served=(served,)), through=gateway)
        server = host_a(state("/a/cert.pem", served))
        assert codes(client, server) == code


def test_the_name_that_is_not_sent():
    wrong, right = builders.server(ROOT, names=("x.example.com",)), SERVER
    gateway = {**probe(status=502, body_class="bad_gateway", served=()), "asked": {"tls": False}}
    for has, code in ((right, "endpoint.sni_missing"), (wrong, "endpoint.server_name")):
        client = host_b(
            where=location(sni=False),
            direct=probe(served=(wrong,)),
            named=probe(served=(has,)),
            through=gateway,
        )
        assert codes(client, host_a(state("/a/cert.pem", wrong)))[0] == code


@pytest.mark.parametrize(
    ("clock_s", "code"), [(3 * DAY.total_seconds(), "endpoint.clock"), (None, "endpoint.client_refused")]
)
def test_a_clock_that_is_ahead(clock_s, code):
    short = builders.client(ROOT, start=AT - DAY, end=AT + DAY)
    client = host_b(state("/b/cert.pem", short), direct=probe(**REFUSED))
    assert codes(client, host_a(clock_s=clock_s)) == [code]


def test_what_is_served_is_not_what_lies_there():
    expired = builders.server(ROOT, start=AT - 9 * DAY, end=AT - DAY)
    client = host_b(direct=probe(served=(expired,)), through=probe(status=502, served=()))
    stale = host_a(state("/a/cert.pem", SERVER, newer_than_loaded=True, changed="2026-06-01T01:00:00Z"))
    assert codes(client, stale) == ["endpoint.not_reloaded", "endpoint.expired"]
    assert codes(client, host_a(state("/a/cert.pem", expired))) == ["endpoint.expired"]


def test_a_file_that_nginx_does_not_load():
    bad = {
        "code": "pair.key_mismatch",
        "severity": "error",
        "message": "No.",
        "remedy": "Do.",
        "place": "/a/key.pem",
    }
    less = {**bad, "code": "name.mismatch"}
    server = host_a()
    server["tls"]["instances"] = [nginx([server["block"]], pid=None, ok=False, emerg=["nginx: [emerg] x"])]
    server["tls"]["findings"] = [less, bad, {**bad, "code": "expiry.soon", "severity": "warning"}]
    nobody = probe(status=None, served=(), phase="connect", error="Connection refused")
    told = diagnosis.diagnose(host_b(direct=nobody), server, AT)["findings"]
    assert [one["code"] for one in told] == ["pair.key_mismatch", "name.mismatch", "endpoint.nginx_down"]
    assert told[0]["evidence"] == ["nginx: [emerg] x"]


def test_a_name_that_nginx_could_not_resolve():
    client = host_b()
    line = 'nginx: [emerg] host not found in upstream "…" in /etc/nginx/b.conf:3'
    client["tls"]["instances"] = [nginx(locations=[client["location"]], pid=None, ok=False, emerg=[line])]
    nobody = probe(status=None, served=(), phase="connect", error="Connection refused")
    assert codes({**client, "through": nobody}, host_a())[0] == "endpoint.name_unresolved"


def test_logs_are_those_of_the_nginx_in_question():
    event = {"time": "t", "kind": "client_verify", "code": 23, "alert": None, "text": "x", "upstream": ""}
    for log, code in (
        ("/var/log/e.log", "endpoint.revoked"),
        ("/var/log/other.log", "endpoint.client_refused"),
    ):
        server = host_a()
        server["tls"]["log"] = [{**event, "file": log}]
        assert codes(host_b(direct=probe(**REFUSED)), server) == [code]


def test_by_one_end_alone():
    assert codes(host_b(direct=probe(**REFUSED)), None) == ["endpoint.client_refused"]
    assert codes(None, host_a()) == []


def test_what_is_asked():
    direct, through = diagnosis.questions(location(), [])
    assert (direct["host"], direct["port"], direct["server_name"]) == ("192.0.2.1", 443, NAME)
    assert (direct["certificate_path"], direct["private_key_path"]) == ("/b/cert.pem", "/b/key.pem")
    assert "tls_version" not in direct
    assert (through["host"], through["port"], through["tls"], through["http_host"]) == (
        "127.0.0.1", 8080, False, "b.example.com",
    )  # fmt: skip
    assert diagnosis.questions(location(protocols=["TLSv1.3"]), [])[0]["tls_version"] == "1.3"
    names = [
        one["name"] for one in diagnosis.questions(location(sni=False, servers=["[2001:db8::1]:8443"]), [])
    ]
    assert names == ["direct [2001:db8::1]:8443", "named", "through"]
    assert diagnosis.questions(location(servers=["unix:/run/a"]), [])[0]["host"] == "unix:/run/a"


@pytest.mark.parametrize(
    ("written", "asked"),
    [("/", "/x"), ("/api/", "/api/"), ("= /one", "/one"), ("^~ /two", "/two"), ("~ ^/r", "/x"),
     ("@named", "/x"), ("", "/x")],
)  # fmt: skip
def test_by_which_path_nginx_is_asked(written, asked):
    assert diagnosis.questions(location(path=written), [], "/x")[1]["path"] == asked


def test_our_own_probe_locations_are_no_connections():
    every = [location(), location(path="= /.mtls/probe/orders", ours=True), location(path="= /.mtls/probe/x")]
    told = [one["path"] for one in connections.locations({"instances": [nginx(locations=every)]})]
    assert told == ["/", "= /.mtls/probe/x"]


@pytest.mark.parametrize(
    ("code", "severity", "sent"),
    [("pair.key_mismatch", "error", False), ("format.der", "error", False), ("expiry.expired", "error", True),
     ("file.permissions", "warning", True)],
)  # fmt: skip
def test_a_pair_that_cannot_be_used_is_not_sent(code, severity, sent):
    said = [{"code": code, "severity": severity}]
    direct, dummy = diagnosis.questions(location(), [state("/b/key.pem", findings=said)])
    assert direct["certificate_path"] == ("/b/cert.pem" if sent else "")
    other, dummy = diagnosis.questions(location(), [state("/b/other.pem", findings=said)])
    assert other["certificate_path"] == "/b/cert.pem"


@pytest.mark.parametrize("what", [{"variable": True}, {"scheme": "engine"}])
def test_what_only_nginx_can_use_is_not_sent(what):
    direct, dummy = diagnosis.questions(location(key={**file("/b/key.pem"), **what}), [])
    assert direct["certificate_path"] == ""
    # And that it was asked without says nothing.
    client = host_b(where=location(key={**file("/b/key.pem"), **what}))
    asked = probe(status=400, body_class="no_certificate", asked={"certificate_path": ""})
    assert codes({**client, "direct": asked}, host_a()) == []


def test_which_block_answers():
    exact, wild, default = (block(names=names) for names in ([NAME], ["*.example.com"], ["_"]))
    for one in (exact, wild):
        one["listens"] = [{**one["listens"][0], "default": False}]
    tls = {"instances": [nginx([default, wild, exact])]}
    assert connections.block_for(tls, 443, NAME) == exact
    assert connections.block_for(tls, 443, "x.example.com") == wild
    assert connections.block_for(tls, 443, "x.y.example.com") == wild
    assert connections.block_for(tls, 443, "example.org") == default
    assert connections.block_for(tls, 443, "") == default
    assert connections.block_for(tls, 443, f"{NAME}.") == exact
    assert connections.block_for(tls, 8443, NAME) is None


def readings(direct: Any, **more: Any) -> dict[str, Any]:
    client, server = host_b(), host_a()
    asked = [{**one, "name": f"0 {one['name']}"} for one in diagnosis.questions(client["location"], [])]
    seen = [direct["seen"], probe(target="127.0.0.1:8080")["seen"]]
    return {"b": {"tls": client["tls"], "asked": asked, "probes": seen}, "a": {"tls": server["tls"]}, **more}


def test_one_line_where_all_is_well():
    told = diagnosis_run.report(readings(probe()), AT)
    assert told["lines"] == ["ok      b / → a (192.0.2.1:443)"]
    assert (told["broken"], told["edges"][0]["server"], told["edges"][0]["well"]) == (0, "a", True)


TWO = ["192.0.2.1:443", "192.0.2.2:443"]


def in_turn(first: Any, second: Any, through: Any) -> list[str]:
    """The lines of a location that asks two servers."""
    client, server = host_b(where=location(servers=TWO)), host_a()
    asked = [{**one, "name": f"0 {one['name']}"} for one in diagnosis.questions(client["location"], [])]
    seen = [one["seen"] for one in (first, second, through)]
    given = {"b": {"tls": client["tls"], "asked": asked, "probes": seen}, "a": {"tls": server["tls"]}}
    return [line for line in diagnosis_run.report(given, AT)["lines"] if not line.startswith(" ")]


def test_one_of_two_servers():
    """nginx goes on with the other one, or it is chance which one it asks."""
    down = probe(status=None, served=(), phase="connect", error="Connection refused", target=TWO[1])
    assert in_turn(probe(), probe(), probe()) == [
        "ok      b / → a (192.0.2.1:443)",
        "ok      b / → a (192.0.2.2:443)",
    ]
    for through in (probe(), probe(**REFUSED)):
        well, broken = in_turn(probe(), down, through)
        assert well == "ok      b / → a (192.0.2.1:443)"
        assert broken.startswith(f"BROKEN  b / → {TWO[1]}: ") and "[endpoint.connection_refused]" in broken
    # Where none is well, what nginx itself got says most.
    gateway = probe(status=502, body_class="bad_gateway", served=(), target="127.0.0.1:8080")
    assert all("BROKEN" in line for line in in_turn(down, down, gateway))
    assert all("BROKEN" in line for line in in_turn(probe(), probe(), gateway))


def test_a_name_that_stands_for_several_addresses():
    where = location(servers=["a.example.com:443"])
    for addresses, targets in (
        ((), {"a.example.com:443": "a.example.com"}),
        (["192.0.2.1"], {"a.example.com:443": "a.example.com"}),
        (["192.0.2.1", "2001:db8::1"], {"a.example.com:443 at 192.0.2.1": "192.0.2.1",
                                        "a.example.com:443 at 2001:db8::1": "2001:db8::1"}),
    ):  # fmt: skip
        asked = diagnosis.questions(where, [], "/", {"a.example.com": addresses, "x.example.com": TWO})
        direct = {one["name"].partition("direct ")[2]: one for one in asked if "direct" in one["name"]}
        assert {target: one["host"] for target, one in direct.items()} == targets
        assert {(one["port"], one["server_name"]) for one in direct.values()} == {(443, NAME)}


def test_more_servers_than_are_asked():
    for count in (diagnosis.MOST_TARGETS, diagnosis.MOST_TARGETS + 3):
        where = location(servers=[f"192.0.2.{number}:443" for number in range(count)])
        asked = [{**one, "name": f"0 {one['name']}"} for one in diagnosis.questions(where, [])]
        given = {"tls": host_b(where=where)["tls"], "asked": asked, "probes": [probe()["seen"]] * len(asked)}
        edges = diagnosis_run.report({"b": given, "a": {"tls": host_a()["tls"]}}, AT)["edges"]
        assert len(edges) == diagnosis.MOST_TARGETS
        more = "Of whom it asks in turn 3 more were not asked." in edges[-1]["missing"]
        assert more is (count > diagnosis.MOST_TARGETS)


def test_what_the_configurations_do_besides_is_noted():
    said = {
        "code": "server.trust_inherited",
        "message": "It leaks.",
        "place": "a.conf:3",
        "severity": "warning",
    }
    only = {**said, "code": "proxy.sni_off", "severity": "info"}
    leaks = readings(probe())
    leaks["a"]["tls"]["instances"][0]["servers"][0]["findings"] = [said, only]
    told = diagnosis_run.report(leaks, AT)
    assert told["lines"] == [
        "ok      b / → a (192.0.2.1:443)",
        "        note: a.conf:3: It leaks. [server.trust_inherited]",
    ]
    assert told["broken"] == 0 and told["edges"][0]["well"]


def test_cause_evidence_and_remedy_where_it_is_not():
    broken = readings(probe(status=None, served=(), phase="connect", error="Connection refused"))
    broken["b"]["probes"][1].update(status=502, body_class="bad_gateway")
    broken["c"] = {"error": "no route"}
    said = {"code": "proxy.not_verified", "message": "Nobody verifies.", "place": "/etc/nginx/b.conf:9"}
    broken["b"]["tls"]["instances"][0]["locations"][0]["findings"] = [said]
    told = diagnosis_run.report(broken, AT)
    assert told["lines"][0].startswith("BROKEN  b / → 192.0.2.1:443: ")
    assert "[endpoint.connection_refused]" in told["lines"][0]
    assert any(line.startswith("        do: ") for line in told["lines"])
    assert told["lines"][-2:] == [
        "        note: /etc/nginx/b.conf:9: Nobody verifies. [proxy.not_verified]",
        "UNREAD  c: no route",
    ]
    assert told["edges"][0]["remarks"] == [said]
    # Whose address it is, is told by the inventory.
    broken["a"]["addresses"] = ["192.0.2.1"]
    assert diagnosis_run.report(broken, AT)["edges"][0]["server"] == "a"


def test_only_some_connections():
    every = readings(probe())
    for client, server, count in (("b", "", 1), ("", "a", 1), ("b", "a", 1), ("a", "", 0), ("", "b", 0)):
        assert len(diagnosis_run.report(every, AT, client, server)["edges"]) == count


def test_no_connection_is_a_line_too():
    """Silence would seem to be well."""
    every = {**readings(probe()), "d": {"error": "no route"}}
    said = {
        ("a", ""): "NONE    a asks nobody by TLS: no location of its nginx has a proxy_pass https://…",
        (
            "b",
            "b",
        ): "NONE    b does not ask b, or it cannot be told that it does. It asks: b / → a (192.0.2.1:443)",
    }
    for (client, server), line in said.items():
        assert diagnosis_run.report(every, AT, client, server)["lines"][0] == line
    assert diagnosis_run.report(every, AT, "d")["lines"] == ["UNREAD  d: no route"]


def test_an_answer_that_is_no_matter_of_tls():
    asked = readings(probe())
    asked["b"]["probes"][1].update(status=404, body_class="other")
    told = diagnosis_run.report(asked, AT)
    assert told["lines"] == ["ok      b / → a (192.0.2.1:443): TLS is well, the answer is 404"]
    assert told["edges"][0]["status"] == 404


def test_whose_certificate_came():
    """By another port, as through a load balancer; of two hosts with one certificate, by the address."""
    moved = readings(probe())
    moved["a"]["tls"]["instances"][0]["servers"][0]["listens"][0]["port"] = 8443
    assert diagnosis_run.report(moved, AT)["edges"][0]["server"] == "a"
    both = {**readings(probe()), "c": {"tls": host_a()["tls"]}}
    assert diagnosis_run.report(both, AT)["edges"][0]["server"] == ""
    both["c"]["addresses"] = ["192.0.2.1"]
    assert diagnosis_run.report(both, AT)["edges"][0]["server"] == "c"


def test_the_name_leads_to_somebody_else():
    """Its host serves another certificate there; where that is not known, nothing is said of it."""
    wrong = builders.server(OTHER)
    for served, code in (([{"sha256": "ab"}], "endpoint.another_server"), ([], "endpoint.issuer_unknown")):
        told = readings(probe(served=(wrong,)))
        told["b"]["probes"][1].update(status=502, body_class="bad_gateway")
        told["a"]["addresses"] = ["192.0.2.1"]
        told["a"]["tls"]["instances"][0]["servers"][0]["served"] = served
        (edge,) = diagnosis_run.report(told, AT)["edges"]
        assert (edge["findings"][0]["code"], edge["server"]) == (code, "")


def test_an_authority_of_the_same_name_and_another_key():
    namesake = builders.root()
    assert codes(host_b(direct=probe(**REFUSED)), host_a(state("/a/trust.pem", namesake))) == [
        "endpoint.client_ca_not_accepted"
    ]


def test_a_host_that_is_not_there():
    with pytest.raises(MtlsError, match="x is no host of this run"):
        diagnosis_run.report(readings(probe()), AT, "x", "")


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("path", ["/", "/x?y"], ["x", "http://a/"]),
        ("log_minutes", [1, "1440"], [0, -1, "1441", "ten", 1.5, True]),
        ("client", ["b"], []),
    ],
)
def test_values_of_options(option, good, bad):
    assert [diagnosis_run.wrong(option, value) for value in good] == [""] * len(good)
    assert all(diagnosis_run.wrong(option, value) for value in bad)


def test_a_server_whom_nobody_here_asks():
    alone = {"a": {"tls": host_a()["tls"]}}
    assert [line[:7] for line in diagnosis_run.report(alone, AT)["lines"]] == ["NONE   "]
    event = {"time": "t", "kind": "client_verify", "code": 23, "alert": None, "text": "x", "upstream": "",
             "file": "/var/log/e.log"}  # fmt: skip
    alone["a"]["tls"]["before"] = [event]
    assert "[endpoint.revoked]" in diagnosis_run.report(alone, AT)["lines"][0]
    assert "[endpoint.revoked]" in diagnosis_run.report(alone, AT, server="a")["lines"][0]


def test_what_the_playbook_has_registered():
    tls = host_b()["tls"]
    hostvars = {
        "b": {"mtls_diagnosis_first": {**tls, "log": [5, 5]},
              "mtls_diagnosis_then": {**tls, "log": [5, 1, 5, 2]},
              "ansible_host": "192.0.2.9", "mtls_diagnosis_asked": {"probes": [1, 2]}},
        "c": {"mtls_diagnosis_first": {"failed": True, "msg": "not root"}},
        "d": {},
    }  # fmt: skip
    found = diagnosis_run.readings(hostvars, ["b", "c", "d"], AT)
    assert found["b"]["tls"]["log"] == [1, 2] and found["b"]["addresses"] == ["192.0.2.9"]
    assert [one["name"] for one in found["b"]["asked"]] == ["0 direct 192.0.2.1:443", "0 through"]
    assert (found["c"], found["d"]) == ({"error": "not root"}, {"error": "it was not reached"})


def test_a_host_where_nobody_could_be_asked_is_a_line():
    told = {
        "mtls_diagnosis_first": host_b()["tls"],
        "mtls_diagnosis_asked": {"failed": True, "msg": "no way"},
    }
    found = diagnosis_run.readings({"b": told}, ["b"], AT)
    assert diagnosis_run.report(found, AT)["lines"] == ["UNREAD  b: nobody was asked: no way"]


@pytest.mark.parametrize(
    ("at", "off"),
    [("2026-06-01T12:00:00Z", 0), ("2026-06-01T11:59:30Z", 0), ("2026-06-01T11:58:00Z", -60),
     ("2026-06-01T14:00:00Z", 7200), (None, None)],
)  # fmt: skip
def test_a_clock_is_wrong_where_it_cannot_be_right(at, off):
    """The host was asked between that task's begin and now, a minute later."""
    told = {"mtls_diagnosis_then": {**host_b()["tls"], "at": at}, "mtls_diagnosis_begun": AT.timestamp() - 60}
    assert diagnosis_run.readings({"b": told}, ["b"], AT)["b"]["clock_s"] == off
    without = {"mtls_diagnosis_then": {**host_b()["tls"], "at": at}}
    assert diagnosis_run.readings({"b": without}, ["b"], AT)["b"]["clock_s"] is None

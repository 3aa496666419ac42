# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen to one cause. tests/live/test_explain.py asks nginx itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.case import (
    CLIENT,
    SERVER,
    Case,
    Seen,
    Side,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.explanation import explain
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import CATALOGUE

GOOD = Seen(target="a:443", server_name="orders.example.com", sent=True, status=200)
REFUSED = replace(GOOD, status=400, body_class="certificate_error")
THROUGH = Seen(target="127.0.0.1:8080", tls=False, status=200)
GATEWAY = replace(THROUGH, status=502, body_class="bad_gateway")
PASSED_ON = replace(THROUGH, status=400, body_class="certificate_error")
RUNNING = {"pid": 1, "ok": True, "emerg": [], "loaded": "2026-11-22T00:00:00Z", "error_logs": []}
QUIET = {
    **RUNNING,
    "error_logs": [{"path": "/var/log/e.log", "level": "error", "place": "/etc/nginx.conf:3"}],
}


def found(code, severity="error", **more):
    return {"code": code, "severity": severity, "message": f"It is {code}.", "place": "x.pem", **more}


def event(kind, number=None, alert=None, text="nginx says so", upstream=""):
    return {"time": "2026-11-22T01:00:00", "kind": kind, "code": number, "alert": alert, "text": text,
            "upstream": upstream}  # fmt: skip


def codes(case):
    told = explain(case).to_dict()
    return [one["code"] for one in told["findings"]]


def refused(judged=None, log=None, seen=REFUSED, client=None, **server):
    return Case(seen, None, client or Side("b"), Side("a", judged=judged, log=log, **server))


def gateway(judged=None, log=None, direct=GOOD, server=None, **client):
    return Case(direct, GATEWAY, Side("b", judged=judged, log=log, **client), server or Side("a"))


def test_all_is_well():
    told = explain(Case(GOOD, THROUGH, Side("b", judged=[]), Side("a", judged=[], config={"verify": "on"})))
    assert told.to_dict() == {"findings": [], "missing": []}


JUDGED = [
    ("expiry.expired", 10, "endpoint.expired"),
    ("expiry.not_yet_valid", 9, "endpoint.not_yet_valid"),
    ("chain.self_signed", 18, "endpoint.self_signed"),
    ("chain.too_deep", 20, "endpoint.depth"),
    ("chain.too_deep", 2, "endpoint.depth"),
    ("chain.root_missing", 2, "endpoint.root_missing"),
    ("chain.root_not_trusted", 19, "endpoint.client_ca_not_accepted"),
    ("chain.missing_intermediate", 21, "endpoint.issuer_unknown"),
    ("chain.signature_invalid", 7, "endpoint.signature"),
    ("chain.no_key_identifier", 7, "endpoint.signature"),
    ("chain.name_constraints", 47, "endpoint.chain_refused"),
    ("purpose.client_auth_missing", 26, "endpoint.purpose"),
    ("crl.revoked", 23, "endpoint.revoked"),
    ("crl.expired", 12, "endpoint.crl_expired"),
    ("crl.not_yet_valid", 11, "endpoint.crl_not_yet_valid"),
    ("crl.missing_for_ca", 3, "endpoint.crl_missing"),
    ("crl.signature_invalid", 8, "endpoint.crl_unusable"),
    ("key.weak", 66, "endpoint.weak_key"),
    ("signature.weak", 68, "endpoint.weak_digest"),
]


@pytest.mark.parametrize(("ours", "number", "code"), JUDGED)
def test_the_clients_certificate_is_refused(ours, number, code):
    """By the files of both ends, with the log beside them and without it."""
    assert codes(refused([found(ours)], [])) == [code]
    assert codes(refused([found(ours)], [event("client_verify", number)])) == [code]
    told = explain(refused([found(ours)])).to_dict()["findings"][0]
    assert told["severity"] == CATALOGUE[code].severity
    assert "The server a refuses the certificate of the client b: " in told["message"]
    assert any("certificate_error" in line for line in told["evidence"])
    assert told["remedy"] and "{" not in told["remedy"] + told["confirm"]


#: What the log tells without the files of either end; "" where it leaves several causes open.
BY_LOG = {
    2: "", 3: "endpoint.crl_missing", 7: "endpoint.signature", 9: "endpoint.not_yet_valid",
    10: "endpoint.expired", 11: "endpoint.crl_not_yet_valid", 12: "endpoint.crl_expired",
    18: "endpoint.self_signed",
    19: "endpoint.client_ca_not_accepted", 20: "", 21: "", 22: "endpoint.depth", 23: "endpoint.revoked",
    26: "endpoint.purpose", 66: "endpoint.weak_key", 68: "endpoint.weak_digest", 47: "endpoint.chain_refused",
}  # fmt: skip


@pytest.mark.parametrize(("number", "code"), BY_LOG.items())
def test_by_the_servers_log_alone(number, code):
    told = explain(refused(log=[event("client_verify", number)])).to_dict()
    assert [one["code"] for one in told["findings"]] == [code or "endpoint.client_refused"]
    assert bool(told["missing"]) == (not code)


def test_the_log_chooses_among_what_is_judged():
    """Of two faults the one that nginx names; one that it does not name is another certificate's."""
    both = [found("expiry.expired"), found("crl.revoked")]
    assert codes(refused(both, [event("client_verify", 23)])) == ["endpoint.revoked"]
    assert codes(refused(both, [event("client_verify", 10)])) == ["endpoint.expired"]
    assert codes(refused(both, [])) == ["endpoint.expired"]
    only_said = [found("expiry.expired", "warning")]
    assert codes(refused(only_said, [event("client_verify", 23)])) == ["endpoint.revoked"]


@pytest.mark.parametrize(("subject", "words"), [("CN=b", "rotate.yml"), ("CN=Issuing", "an authority's")])
def test_whose_date_it_is(subject, words):
    """Whoever renews the leaf renews no intermediate."""
    client = Side("b", chain=[{"subject": "CN=b", "issuer": "CN=Issuing", "sha256": "ab"}])
    expired = {**found("expiry.expired"), "message": f'"{subject}" expired at 2026-11-01T00:00:00Z.'}
    (told,) = explain(refused([expired], [], client=client)).to_dict()["findings"]
    assert (told["code"], words in told["remedy"]) == ("endpoint.expired", True)
    (told,) = explain(refused([expired], [])).to_dict()["findings"]
    assert "rotate.yml" in told["remedy"]


def test_the_newest_line_counts():
    log = [event("client_verify", 10), event("client_verify", 23), event("client_no_certificate")]
    assert codes(refused(log=log)) == ["endpoint.revoked"]


@pytest.mark.parametrize(
    ("chain", "names", "code"),
    [
        ([("b", "CA")], ["Other"], "endpoint.issuer_unknown"),
        ([("b", "Int"), ("Int", "CA")], ["Other"], "endpoint.issuer_unknown"),
        ([("b", "CA"), ("CA", "CA")], ["Other"], "endpoint.client_ca_not_accepted"),
        ([("b", "b")], ["Other"], "endpoint.self_signed"),
        # Its authority is named, so it is something else; or nobody said which are accepted.
        ([("b", "CA")], ["CA"], "endpoint.client_refused"),
        ([("b", "Int"), ("Int", "CA")], ["CA"], "endpoint.client_refused"),
        ([("b", "CA")], [], "endpoint.client_refused"),
        ([("b", "CA")], None, "endpoint.client_refused"),
        ([], ["Other"], "endpoint.client_refused"),
    ],
)
def test_by_the_names_that_the_server_sends(chain, names, code):
    client = Side("b", chain=[{"subject": subject, "issuer": issuer} for subject, issuer in chain])
    case = refused(seen=replace(REFUSED, accepted_names=names), client=client)
    assert codes(case) == [code]
    told = explain(case)
    assert bool(told.missing) == (code in ("endpoint.client_refused", "endpoint.issuer_unknown"))


@pytest.mark.parametrize(
    ("ours", "code"), [("expiry.expired", "expired"), ("purpose.client_auth_missing", "purpose")]
)
def test_what_is_wrong_wherever_it_is_sent(ours, code):
    """By the client's own file, without anything of the server."""
    assert codes(refused(client=Side("b", own=[found(ours)]))) == [f"endpoint.{code}"]
    # Its near miss: that is no reason for a refusal, and neither is a warning.
    assert codes(refused(client=Side("b", own=[found("expiry.soon", "warning")]))) == [
        "endpoint.client_refused"
    ]
    # What the server's log says is not overruled by it.
    log = [event("client_verify", 23)]
    assert codes(refused(log=log, client=Side("b", own=[found(ours)]))) == ["endpoint.revoked"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("intermediate", "endpoint.intermediate_missing"), ("root", "endpoint.client_ca_not_accepted"),
     ("", "endpoint.issuer_unknown")],
)  # fmt: skip
def test_an_issuer_that_is_known_from_elsewhere(kind, code):
    assert codes(refused([found("chain.missing_intermediate", issuer=kind)])) == [code]


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        (45, "expired"),
        (44, "revoked"),
        (48, "client_refused"),
        (42, "client_refused"),
        (116, "client_cert_not_sent"),
    ],
)
def test_a_server_that_refuses_by_an_alert(alert, code):
    """nginx does not; others do, in TLS 1.3 on the first read."""
    asked = replace(GOOD, status=None, alert=alert, phase="response", error="the server sent TLS alert")
    assert codes(Case(asked)) == [f"endpoint.{code}"]


@pytest.mark.parametrize(
    ("off", "truly", "code"),
    [(7200, [], "endpoint.clock"), (-7200, [], "endpoint.clock"), (5, [], "endpoint.expired"),
     (7200, None, "endpoint.expired"), (7200, ["expiry.expired"], "endpoint.expired"),
     (None, [], "endpoint.expired")],
)  # fmt: skip
def test_a_clock_that_is_wrong(off, truly, code):
    real = None if truly is None else [found(one) for one in truly]
    assert codes(refused([found("expiry.expired")], clock_s=off, truly=real)) == [code]
    assert codes(refused([found("crl.revoked")], clock_s=off, truly=real)) == ["endpoint.revoked"]


def test_no_certificate_was_sent():
    asked = replace(PASSED_ON, body_class="no_certificate")
    without = Side("b", config={"place": "/etc/nginx/b.conf:9", "certificate": None, "places": {}})
    told = explain(Case(None, asked, without, Side("a"))).to_dict()["findings"]
    assert [one["code"] for one in told] == ["endpoint.client_cert_not_sent"]
    assert told[0]["place"] == "/etc/nginx/b.conf:9" and "/etc/nginx/b.conf:9" in told[0]["remedy"]
    assert codes(Case(replace(GOOD, sent=False, status=400, body_class="no_certificate"))) == [
        "endpoint.client_cert_not_sent"
    ]


@pytest.mark.parametrize(
    ("ours", "number", "code"), [row for row in JUDGED if row[0] != "purpose.client_auth_missing"]
)
def test_the_servers_certificate_is_refused(ours, number, code):
    code = code.replace("client_ca", "server_ca")
    assert codes(gateway([found(ours)], [])) == [code]
    assert codes(gateway([found(ours)], [event("upstream_verify", number)])) == [code]
    told = explain(gateway([found(ours)])).to_dict()["findings"][0]
    assert told["message"].startswith("The client b refuses the certificate of the server a: ")
    # Asked directly by somebody who does not verify, it is the same.
    assert codes(Case(GOOD, None, Side("b", judged=[found(ours)]), Side("a"))) == [code]


def test_the_server_has_another_name():
    assert codes(gateway([found("name.mismatch")], [])) == ["endpoint.server_name"]
    assert codes(gateway(None, [event("upstream_name", text="upstream SSL certificate does not match")])) == [
        "endpoint.server_name"
    ]


UPSTREAM = [
    (event("upstream_handshake", alert=70), "endpoint.protocol_version"),
    (event("upstream_handshake", alert=40), "endpoint.no_shared_cipher"),
    (event("upstream_handshake", text="the answer is not TLS"), "endpoint.plain_on_tls_port"),
    (
        event("upstream_connect", text="connect() failed (111: Connection refused)"),
        "endpoint.connection_refused",
    ),
    (event("upstream_connect", text="no end within 60 s"), "endpoint.timed_out"),
    (event("upstream_resolve", text="could not be resolved"), "endpoint.name_unresolved"),
    (event("upstream_closed", text="closed without a word"), "endpoint.closed"),
]


@pytest.mark.parametrize(("line", "code"), UPSTREAM)
def test_by_the_clients_log(line, code):
    assert codes(gateway([], [line])) == [code]
    assert codes(gateway(None, [line])) == [code]


@pytest.mark.parametrize(("sni", "code"), [(True, "endpoint.sni_unknown"), (False, "endpoint.sni_missing")])
def test_a_name_that_the_server_does_not_have(sni, code):
    config = {"sni": sni, "name": "orders.example.com", "places": {}}
    assert codes(gateway([], [event("upstream_handshake", alert=112)], config=config)) == [code]
    asked = replace(GOOD, status=None, alert=112, phase="handshake", server_name="x" if sni else "")
    assert codes(Case(asked)) == [code]


UNREACHED = [
    ({"phase": "resolve", "error": "Name or service not known"}, None, "endpoint.name_unresolved"),
    ({"phase": "connect", "error": "Connection refused"}, None, "endpoint.connection_refused"),
    ({"phase": "connect", "error": "Connection refused"}, RUNNING, "endpoint.connection_refused"),
    ({"phase": "connect", "error": "Connection refused"}, {"pid": None, "emerg": []}, "endpoint.nginx_down"),
    ({"phase": "connect", "error": "no end within 5 s"}, None, "endpoint.timed_out"),
    ({"phase": "connect", "error": "No route to host"}, RUNNING, "endpoint.unreachable"),
    ({"phase": "connect", "error": "Network is unreachable"}, {"pid": None}, "endpoint.unreachable"),
    ({"phase": "response", "error": "no end within 5 s"}, None, "endpoint.timed_out"),
    ({"phase": "handshake", "error": "the answer is not TLS"}, None, "endpoint.plain_on_tls_port"),
    (
        {"phase": "handshake", "error": "the connection was closed without a word of TLS"},
        None,
        "endpoint.closed",
    ),
    ({"phase": "handshake", "error": "x", "alert": 120}, None, "endpoint.handshake_failed"),
    ({"phase": "handshake", "error": "x", "alert": 120, "body_class": "http2"}, None, "endpoint.http2_only"),
    (
        {"phase": "response", "error": "x", "body_class": "tls", "tls": False},
        None,
        "endpoint.tls_on_plain_port",
    ),
    (
        {"phase": "handshake", "error": "x", "body_class": "tls_to_plain_http"},
        None,
        "endpoint.plain_on_tls_port",
    ),
    ({"phase": "response", "error": "x", "body_class": "http2"}, None, "endpoint.http2_only"),
]


@pytest.mark.parametrize(("got", "instance", "code"), UNREACHED)
def test_nobody_answers(got, instance, code):
    asked = replace(GOOD, status=None, **got)
    assert codes(Case(asked, None, Side("b"), Side("a", instance=instance))) == [code]
    assert codes(gateway([], [], asked, Side("a", instance=instance))) == [code]


SERVED = {"places": {}, "served": [{"address": "127.0.0.1:443", "sha256": "ab"}]}


def test_a_server_that_answers_on_its_own_host():
    """So what stands between the two is to be looked at, not the server."""
    refused_ = replace(GOOD, status=None, phase="connect", error="Connection refused")
    home = Side("a", instance=RUNNING, config=SERVED)
    (told,) = explain(Case(refused_, None, Side("b"), home)).to_dict()["findings"]
    assert "firewall that rejects" in told["remedy"] and any(
        "127.0.0.1:443" in one for one in told["evidence"]
    )
    mute = Side("a", instance=RUNNING, config={**SERVED, "served": [{"address": "x", "sha256": None}]})
    (told,) = explain(Case(refused_, None, Side("b"), mute)).to_dict()["findings"]
    assert told["remedy"] == CATALOGUE["endpoint.connection_refused"].remedy
    lost = replace(refused_, error="no end within 5 s")
    (told,) = explain(Case(lost, None, Side("b"), home)).to_dict()["findings"]
    assert "drops" in told["remedy"] and any("127.0.0.1:443" in one for one in told["evidence"])


WAITS = replace(THROUGH, status=None, phase="response", error="no end within 5 s")


def test_the_clients_nginx_still_waits_for_the_server():
    """Its own time is a minute, so what a direct request says is the cause."""
    lost = replace(GOOD, status=None, phase="connect", error="no end within 5 s")
    (told,) = explain(Case(lost, WAITS, Side("b"), Side("a"))).to_dict()["findings"]
    assert told["code"] == "endpoint.timed_out" and "a:443 does not take the connection" in told["message"]
    mute = replace(lost, phase="handshake")
    (told,) = explain(Case(mute, WAITS, Side("b"), Side("a"))).to_dict()["findings"]
    assert "server at a:443 is silent in the phase handshake" in told["message"]
    assert "out of connections" in told["remedy"]
    # The server answers: so it is the client's own nginx.
    (told,) = explain(Case(GOOD, WAITS, Side("b"), Side("a"))).to_dict()["findings"]
    assert "nginx of the client b at 127.0.0.1:8080 is silent" in told["message"]
    assert "other addresses" in told["remedy"]
    # It is not late, it is down: the server's fault is another one.
    gone = replace(THROUGH, status=None, phase="connect", error="Connection refused")
    (told,) = explain(Case(lost, gone, Side("b"), Side("a"))).to_dict()["findings"]
    assert "Nothing answers at 127.0.0.1:8080" in told["message"]


def test_something_else_answers_in_the_place_of_nginx():
    stopped = Side("b", instance={"pid": None, "emerg": []})
    (told,) = explain(Case(GOOD, THROUGH, stopped, Side("a"))).to_dict()["findings"]
    assert told["code"] == "endpoint.nginx_down"
    assert "client b does not run, so something else answers at 127.0.0.1:8080" in told["message"]
    assert codes(Case(GOOD, THROUGH, Side("b", instance=RUNNING), Side("a"))) == []


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "[2001:db8::1]"])
def test_an_address_is_no_server_name(address):
    """Neither nginx nor we send it, so none was sent."""
    config = {"sni": True, "name": address, "places": {}}
    assert codes(gateway([], [event("upstream_handshake", alert=112)], config=config)) == [
        "endpoint.sni_missing"
    ]
    got = {
        "target": "a:443", "phase": "handshake", "status": None, "body_class": "", "error": "x",
        "alert": 112, "protocol": "", "served": [], "session_reused": False,
    }  # fmt: skip
    assert codes(Case(Seen.of({"server_name": address}, got))) == ["endpoint.sni_missing"]
    assert codes(Case(Seen.of({"server_name": "x.example.com"}, got))) == ["endpoint.sni_unknown"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(10, "expired"), (18, "self_signed"), (19, "server_ca_not_accepted"), (20, "issuer_unknown"),
     (21, "issuer_unknown"), (62, "server_name")],
)  # fmt: skip
def test_a_server_whom_we_verify_ourselves(number, code):
    error = f"the server's certificate is not accepted: some words ({number})"
    assert codes(Case(replace(GOOD, status=None, phase="handshake", error=error))) == [f"endpoint.{code}"]


def test_a_listen_with_the_proxy_protocol():
    asked = replace(
        GOOD, status=None, phase="handshake", error="the connection was closed without a word of TLS"
    )
    server = Side("a", config={"listens": [{"proxy_protocol": True}]})
    assert codes(Case(asked, None, Side(), server)) == ["endpoint.proxy_protocol"]


ANSWERS = [
    ("plain_http_to_tls", 400, "endpoint.tls_on_plain_port"),
    ("misdirected", 421, "endpoint.misdirected"),
    ("forbidden", 403, "endpoint.client_not_allowed"),
    ("bad_gateway", 502, "endpoint.backend_down"),
    ("gateway_timeout", 504, "endpoint.backend_down"),
]


@pytest.mark.parametrize(("meaning", "status", "code"), ANSWERS)
def test_answers(meaning, status, code):
    assert codes(Case(replace(GOOD, status=status, body_class=meaning))) == [code]
    # The application's own page is nobody's fault here.
    for status in (301, 401, 404, 413):
        assert codes(Case(replace(GOOD, status=status, body_class="other"))) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_that_is_none_of_tls(status):
    """Nobody calls that well; whose it is, is told by asking past the client's nginx."""
    own = replace(GOOD, status=status, body_class="other")
    (told,) = explain(Case(own)).to_dict()["findings"]
    assert (told["code"], "accepts the client" in told["message"]) == ("endpoint.error_answer", True)
    passed_on = replace(THROUGH, status=status, body_class="other")
    (told,) = explain(Case(own, passed_on, Side("b"), Side("a"))).to_dict()["findings"]
    assert told["message"].startswith(f"The server a accepts the client, and answers {status}")
    (told,) = explain(Case(GOOD, passed_on, Side("b"), Side("a"))).to_dict()["findings"]
    assert told["message"].startswith(f"The nginx of the client b answers {status}")
    limited = Side("a", log=[event("limited", text="limiting requests")])
    (told,) = explain(Case(own, passed_on, Side("b"), limited)).to_dict()["findings"]
    assert "Raise the limit of a" in told["remedy"] and "limiting requests" in told["evidence"][-1]
    # Of two requests the first one was within it.
    (told,) = explain(Case(GOOD, passed_on, Side("b"), limited)).to_dict()["findings"]
    assert "Raise the limit of a" in told["remedy"] and told["message"].startswith("The server a ")


def test_403_of_an_address_and_of_a_certificate():
    no = replace(GOOD, status=403, body_class="forbidden")
    denied = Side("a", log=[event("access_denied", text="access forbidden by rule")])
    assert codes(Case(no, None, Side("b"), denied)) == ["endpoint.address_denied"]
    assert codes(Case(no, None, Side("b"), Side("a", log=[]))) == ["endpoint.client_not_allowed"]


CHANGED = {
    **RUNNING,
    "findings": [{"code": "tls.file_newer_than_loaded", "place": "/etc/nginx/a.conf"}],
}


def test_a_configuration_that_is_not_loaded():
    """What lies on the disk is not what is in force."""
    (told,) = explain(refused([], [], instance=CHANGED)).to_dict()["findings"]
    assert (told["code"], told["place"]) == ("endpoint.not_reloaded", "/etc/nginx/a.conf")
    # It works, and whether anybody verifies is not known: to reload might break it.
    off = explain(Case(GOOD, THROUGH, Side("b"), Side("a", config={"verify": "off"}, instance=CHANGED)))
    assert off.to_dict() == {
        "findings": [],
        "missing": ["What is in force at the server a: /etc/nginx/a.conf was changed and is not loaded."],
    }
    # Nothing is wrong, so that is nobody's question.
    assert codes(Case(GOOD, THROUGH, Side("b"), Side("a", config={"verify": "on"}, instance=CHANGED))) == []
    # The name stands there, and is not in force; another one is not there either.
    unknown = replace(GOOD, status=None, alert=112, phase="handshake")
    named = {"names": [GOOD.server_name], "places": {}}
    case = Case(unknown, None, Side("b"), Side("a", config=named, instance=CHANGED))
    assert codes(case) == ["endpoint.not_reloaded", "endpoint.sni_unknown"]
    case = Case(unknown, None, Side("b"), Side("a", config={**named, "names": ["x"]}, instance=CHANGED))
    assert codes(case) == ["endpoint.sni_unknown", "endpoint.not_reloaded"]
    # The listen stands there, and nobody listens, on its own host either.
    nobody = replace(GOOD, status=None, phase="connect", error="Connection refused")
    mute = {"places": {}, "served": [{"address": "127.0.0.1:443", "sha256": None}]}
    case = Case(nobody, None, Side("b"), Side("a", config=mute, instance=CHANGED))
    assert codes(case) == ["endpoint.not_reloaded", "endpoint.connection_refused"]
    case = Case(nobody, None, Side("b"), Side("a", config=SERVED, instance=CHANGED))
    assert codes(case)[0] == "endpoint.connection_refused"


@pytest.mark.parametrize(
    ("block", "asked", "code"),
    [
        ({"verify": "off", "names": [GOOD.server_name]}, None, "endpoint.tls_ends_before"),
        ({"verify": "off", "names": [GOOD.server_name]}, False, "endpoint.tls_ends_before"),
        ({"verify": "off", "names": ["_"]}, None, "endpoint.sni_unknown"),
        ({"verify": "on", "names": [GOOD.server_name]}, False, "endpoint.sni_unknown"),
        ({"verify": "on", "names": [GOOD.server_name]}, None, "endpoint.client_cert_not_sent"),
        (None, False, "endpoint.sni_unknown"),
    ],
)
def test_a_certificate_that_nobody_asks_for(block, asked, code):
    """It was there to be sent, and the page says that none was."""
    direct = replace(GOOD, status=400, body_class="no_certificate", asked_for_certificate=asked)
    passed_on = replace(PASSED_ON, body_class="no_certificate")
    config = block and {**block, "place": "/etc/nginx/lb.conf:3", "places": {}}
    case = Case(direct, passed_on, Side("b", config={"certificate": {"path": "/b.pem"}, "places": {}}),
                Side("a", config=config))  # fmt: skip
    (told,) = explain(case).to_dict()["findings"]
    assert (told["code"], "Or TLS ends there" in told["message"]) == (code, block is None)
    # Our own request had none to send: so it is the client's.
    (told,) = explain(replace(case, direct=replace(direct, sent=False, asked_for_certificate=True))).causes
    assert told.code == "endpoint.client_cert_not_sent"


def test_somebody_else_answers():
    """The host that is meant serves another certificate than the one that came."""
    served = [{"subject": "CN=elsewhere"}]
    asked = replace(GOOD, served=served, address="192.0.2.9:443")
    case = Case(asked, GATEWAY, Side("b", judged=[found("chain.self_signed")]), Side(), meant="a.example.com")
    told = explain(case).to_dict()["findings"]
    assert [one["code"] for one in told] == ["endpoint.another_server", "endpoint.self_signed"]
    assert "is not the nginx of a.example.com" in told[0]["message"] and "CN=elsewhere" in told[0]["message"]
    assert "the connection went to 192.0.2.9:443" in told[0]["evidence"]
    # It works: so that is meant.
    assert codes(Case(asked, THROUGH, Side("b", judged=[]), Side(), meant="a.example.com")) == []


@pytest.mark.parametrize(
    ("upstream", "first"),
    [
        ("192.0.2.9:443", "endpoint.address_kept"),
        ("192.0.2.1:443", "endpoint.self_signed"),
        ("", "endpoint.self_signed"),
    ],
)
def test_nginx_asks_another_address_than_we_do(upstream, first):
    log = [event("upstream_verify", 18, upstream=upstream)]
    case = gateway([], log, replace(GOOD, address="192.0.2.1:443"))
    assert codes(case)[0] == first
    # An address that was asked as such, one of several that nginx asks in turn, leads nowhere else.
    itself = replace(GOOD, target="192.0.2.1:443", address="192.0.2.1:443")
    assert codes(gateway([], log, itself))[0] == "endpoint.self_signed"
    # Where we fare no better, it is not the address.
    worse = replace(GOOD, address="192.0.2.1:443", status=None, phase="connect", error="Connection refused")
    assert codes(gateway(None, log, worse))[0] == "endpoint.self_signed"


def test_an_nginx_that_has_run_out():
    out = Side("a", log=[event("exhausted", text="accept4() failed (24: Too many open files)")])
    mute = replace(GOOD, status=None, phase="handshake", error="no end within 5 s")
    told = explain(Case(mute, None, Side("b"), out)).to_dict()["findings"]
    assert [one["code"] for one in told] == ["endpoint.exhausted", "endpoint.timed_out"]
    assert "accept4() failed" in told[0]["message"]
    # It is of no account where something else is wrong, or nothing.
    assert codes(refused([found("crl.revoked")], out.log)) == ["endpoint.revoked"]
    assert codes(Case(GOOD, None, Side("b"), out)) == []


def test_an_authority_that_was_replaced_by_one_of_the_same_name():
    assert codes(refused([found("chain.signature_invalid", issuer="replaced")])) == [
        "endpoint.client_ca_not_accepted"
    ]


def test_502_of_the_servers_own_backend():
    down = replace(GOOD, status=502, body_class="bad_gateway")
    assert codes(gateway([], [], down)) == ["endpoint.backend_down"]


def test_504_of_the_servers_own_backend():
    silent = replace(THROUGH, status=504, body_class="gateway_timeout")
    late = replace(GOOD, status=504, body_class="gateway_timeout")
    assert codes(Case(late, silent, Side("b"), Side("a"))) == ["endpoint.backend_down"]
    assert codes(Case(GOOD, silent, Side("b"), Side("a"))) == ["endpoint.timed_out"]
    assert codes(Case(None, silent, Side("b"), Side("a"))) == ["endpoint.timed_out"]


def test_why_a_reload_was_lost():
    log = [event("emerg", text="bind() to 0.0.0.0:443 failed (98: Address already in use)")]
    stale = refused([], log, instance=RUNNING, files=[newer()])
    (told,) = explain(stale).to_dict()["findings"]
    assert told["code"] == "endpoint.not_reloaded"
    assert any("Address already in use" in line for line in told["evidence"])


def test_a_variable_certificate_that_the_worker_cannot_read():
    asked = replace(THROUGH, status=500, body_class="other")
    line = event("worker_file", text="cannot load certificate key")
    assert codes(Case(GOOD, asked, Side("b", log=[line]), Side("a"))) == ["endpoint.worker_cannot_read"]
    assert codes(Case(GOOD, asked, Side("b", log=[]), Side("a"))) == ["endpoint.error_answer"]


def test_a_variable_certificate_that_the_servers_worker_cannot_read():
    asked = replace(GOOD, status=None, phase="handshake", error="the server sent TLS alert 80", alert=80)
    line = event("worker_file", text="cannot load certificate")
    named = [{"certificate": {"variable": True}, "key": None}]
    for server in (Side("a", log=[line]), Side("a", config={"certificates": named})):
        assert codes(Case(asked, None, Side("b"), server)) == ["endpoint.worker_cannot_read"]
        assert codes(gateway([], [event("upstream_handshake", alert=80)], server=server)) == [
            "endpoint.worker_cannot_read"
        ]
    assert codes(Case(None, None, Side(), Side("a", log=[line]))) == ["endpoint.worker_cannot_read"]
    fixed = [{"certificate": {"variable": False}, "key": None}]
    for server in (Side("a", log=[]), Side("a", config={"certificates": fixed})):
        assert codes(Case(asked, None, Side("b"), server)) == ["endpoint.handshake_failed"]


NOT_SENT = replace(GOOD, status=400, body_class="no_certificate", asked_for_certificate=False)
WITH_ONE = {"certificate": {"path": "/etc/b.pem"}, "places": {"proxy_ssl_server_name": "b.conf:3"}}


@pytest.mark.parametrize(
    ("asked", "config", "code"),
    [
        ({"server_name": ""}, WITH_ONE, "endpoint.sni_missing"),
        ({}, WITH_ONE, "endpoint.sni_unknown"),
        # The server has asked, or nobody saw whether it has, or there is nothing to send.
        ({"asked_for_certificate": True}, WITH_ONE, "endpoint.client_cert_not_sent"),
        ({"asked_for_certificate": None}, WITH_ONE, "endpoint.client_cert_not_sent"),
        ({"sent": False}, {"certificate": None}, "endpoint.client_cert_not_sent"),
    ],
)
def test_another_server_block_that_asks_for_no_certificate(asked, config, code):
    case = Case(replace(NOT_SENT, **asked), None, Side("b", config=config), Side("a"))
    assert codes(case) == [code]
    through = replace(THROUGH, status=400, body_class="no_certificate")
    told = explain(replace(case, through=through)).to_dict()["findings"]
    assert [one["code"] for one in told] == [code]
    assert (told[0]["place"] == "b.conf:3") == (code == "endpoint.sni_missing")


def test_who_was_not_asked_is_told_where_only_the_server_is_known():
    socket = {"address": "*", "port": 443}
    mine = {"verify": "on", "listens": [{**socket, "default": False}]}
    log = [event("client_no_certificate")]
    for verify, told in (("off", True), ("on", False)):
        other = {"verify": verify, "listens": [{**socket, "default": True}]}
        server = Side("a", config=mine, log=log, instance={**RUNNING, "servers": [other, mine]})
        (one,) = explain(Case(None, None, Side(), server)).to_dict()["findings"]
        assert one["code"] == "endpoint.client_cert_not_sent"
        assert ("or it was not asked for one" in one["message"]) == told


def backend(**more):
    found = {"place": "a.conf:9", "path": "/", "identity": ["X-DN"], "dropped": [], "dropped_place": ""}
    return {**found, **more}


LOST = [
    (backend(), "on", None),
    (backend(dropped=["X-DN"], identity=[], dropped_place="a.conf:3"), "on", "a.conf:3"),
    (backend(dropped=["X-DN"], path="/other/"), "on", None),
    (backend(identity=["X_DN"]), "on", "underscores_in_headers"),
    (backend(identity=[]), "on", None),
    (backend(), "off", "asks for no client certificate"),
    (backend(identity=[]), "off", None),
]


@pytest.mark.parametrize(("passed", "verify", "says"), LOST)
def test_a_backend_that_does_not_learn_who_the_client_is(passed, verify, says):
    server = Side("a", config={"verify": verify, "backends": [passed]})
    for status, more in ((403, ["endpoint.client_not_allowed"]), (401, [])):
        meaning = "forbidden" if status == 403 else "other"
        asked = replace(GOOD, status=status, body_class=meaning)
        told = explain(Case(asked, None, Side("b"), server)).to_dict()["findings"]
        assert [one["code"] for one in told] == [*(["endpoint.identity_lost"] if says else []), *more]
        assert not says or (says in told[0]["message"] and "a.conf:9" in str(told[0]["evidence"]))
    assert codes(Case(replace(GOOD, status=404, body_class="other"), None, Side("b"), server)) == []


def test_a_connection_of_another_identity():
    refusal = replace(THROUGH, status=403, body_class="forbidden")
    said = found("proxy.identity_shared", "warning")
    shares = Side("b", config={"certificate": {"path": "b.pem"}, "findings": [said]})
    told = ["endpoint.identity_shared", "endpoint.client_not_allowed"]
    assert codes(Case(GOOD, refusal, shares, Side("a"))) == told
    for direct, client, through in (
        (GOOD, replace(shares, config={"findings": [found("proxy.sni_off")]}), refusal),
        (replace(GOOD, status=403), shares, refusal),
        (replace(GOOD, sent=False), shares, refusal),
        (None, shares, refusal),
    ):
        assert codes(Case(direct, through, client, Side("a"))) == told[1:]
    assert codes(Case(GOOD, THROUGH, shares, Side("a"))) == []
    assert codes(Case(GOOD, replace(THROUGH, status=404), shares, Side("a"))) == []


@pytest.mark.parametrize(("ours", "number", "name", "code"), [
    ("crl.missing_for_ca", 3, "ssl_crl", "endpoint.crl_missing"),
    ("chain.too_deep", 22, "ssl_verify_depth", "endpoint.depth"),
])  # fmt: skip
def test_what_the_http_level_gives_to_a_block_of_another_trust(ours, number, name, code):
    for inherited, first in (
        ([name], ["endpoint.trust_inherited"]),
        ([], []),
        # Then it is the list, or the depth, of that trust.
        ([name, "ssl_client_certificate"], []),
        (["ssl_protocols"], []),
    ):
        config = {"inherited": inherited, "places": {name: "nginx.conf:7"}}
        told = explain(refused([found(ours)], [], config=config)).to_dict()["findings"]
        assert [one["code"] for one in told] == [*first, code]
        assert not first or (told[0]["place"] == "nginx.conf:7" and name in told[0]["remedy"])
        assert codes(refused(None, [event("client_verify", number)], config=config)) == [*first, code]


def test_a_trust_of_the_http_level_is_named():
    config = {"inherited": ["ssl_client_certificate"], "places": {"ssl_client_certificate": "nginx.conf:7"}}
    for ours, named in (("chain.root_not_trusted", True), ("crl.revoked", False)):
        (told,) = explain(refused([found(ours)], [], config=config)).to_dict()["findings"]
        assert ("nginx.conf:7" in str(told["evidence"])) == named


@pytest.mark.parametrize("ours", ["chain.missing_intermediate", "chain.root_not_trusted"])
def test_a_leaf_in_place_of_its_authority(ours):
    file = {"path": "/ca.pem", "variable": False, "certificate": None}
    chain = [{"sha256": "aa", "subject": "CN=b", "issuer": "CN=ca"}]
    for sha256, is_it in (("aa", True), ("bb", False)):
        files = [{"path": "/ca.pem", "certificates": [{"sha256": "cc"}, {"sha256": sha256}]}]
        config = {"trust": file, "places": {}}
        asked = refused([found(ours)], client=Side("b", chain=chain), config=config, files=files)
        told = explain(asked).to_dict()["findings"][0]
        assert (told["code"] == "endpoint.leaf_trusted") == is_it
        assert ("a leaf is no anchor" in told["message"]) == is_it
        direct = replace(GOOD, served=chain)
        case = gateway([found(ours)], [], direct, config=config, files=files)
        assert (codes(case) == ["endpoint.leaf_trusted"]) == is_it


def test_a_list_that_is_current_by_now():
    log, config = [event("client_verify", 12)], {"crl": {"path": "/a.crl"}, "session_cache": "shared:a:1m"}
    current = {"path": "/a.crl", "findings": []}
    for file, more, first in (
        (current, {}, ["endpoint.refusal_remembered"]),
        ({**current, **newer("/a.crl")}, {}, ["endpoint.not_reloaded"]),
        ({**current, "findings": [found("crl.expired")]}, {}, []),
        (current, {"config": {**config, "session_cache": "off"}}, []),
        (current, {"log": [event("client_verify", 23)]}, []),
    ):
        side = {"log": log, "config": config, "files": [file], "instance": RUNNING, **more}
        told = codes(Case(None, None, Side(), Side("a", **side)))
        assert told[:-1] == first and told[-1] in ("endpoint.crl_expired", "endpoint.revoked")


def newer(path="/etc/nginx/ca.pem"):
    return {"path": path, "newer_than_loaded": True, "changed": "2026-11-22T02:00:00Z"}


def test_refused_although_the_files_accept_it():
    stale = refused([], [], instance=RUNNING, files=[newer()])
    assert codes(stale) == ["endpoint.not_reloaded"]
    assert codes(refused([], [], instance={**RUNNING, "ok": False, "emerg": ["[emerg] x"]})) == [
        "endpoint.reload_refused"
    ]
    old = Side("b", instance=RUNNING, files=[newer("/etc/nginx/b.pem")])
    assert codes(refused([], [], client=old, instance=RUNNING)) == ["endpoint.not_reloaded"]
    # Nothing of it.
    assert codes(refused([], [], instance=RUNNING)) == ["endpoint.client_refused"]
    # What the files refuse needs no reload to explain it.
    assert codes(refused([found("crl.revoked")], [], instance=RUNNING, files=[newer()])) == [
        "endpoint.revoked"
    ]


def test_a_refusal_that_a_session_remembers():
    server = Side("a", judged=[], log=[])
    assert codes(Case(GOOD, PASSED_ON, Side("b"), server)) == ["endpoint.refusal_remembered"]
    assert codes(Case(REFUSED, PASSED_ON, Side("b"), server)) == ["endpoint.client_refused"]


ADMITTED = [
    # How weak is too weak is a matter of the server's security level.
    ({"verify": "on"}, {}, [found("key.weak"), found("signature.weak")], None),
    ({"verify": "off"}, {}, [], "endpoint.not_verified"),
    ({"verify": "optional_no_ca"}, {}, [found("crl.revoked")], "endpoint.not_verified"),
    ({"verify": "optional_no_ca"}, {}, [], None),
    ({"verify": "optional"}, {}, [], None),
    ({"verify": "optional"}, {}, [found("crl.revoked")], "endpoint.admitted"),
    ({"verify": "on"}, {}, [], None),
    ({"verify": "on"}, {}, [found("crl.revoked", "warning")], None),
    ({"verify": "on"}, {}, [found("crl.revoked")], "endpoint.admitted"),
    (
        {"verify": "on", "session_cache": "shared:a:1m"},
        {},
        [found("crl.revoked")],
        "endpoint.session_outlives_trust",
    ),
    ({"verify": "on", "session_cache": "shared:a:1m"}, {}, [], None),
    ({"verify": "on"}, {"files": [newer()]}, [found("crl.revoked")], "endpoint.not_reloaded"),
]


@pytest.mark.parametrize(("config", "more", "judged", "code"), ADMITTED)
def test_let_in_although_the_files_refuse_it(config, more, judged, code):
    server = Side("a", config=config, judged=judged, instance=RUNNING, **more)
    for case in (Case(GOOD, None, Side("b"), server), Case(GOOD, THROUGH, Side("b"), server)):
        assert codes(case) == ([code] if code else [])


def test_a_session_that_was_resumed():
    server = Side("a", config={"verify": "on"}, judged=[found("crl.revoked")], instance=RUNNING)
    assert codes(Case(replace(GOOD, resumed=True), None, Side("b"), server)) == [
        "endpoint.session_outlives_trust"
    ]


def test_what_is_missing():
    assert explain(refused(log=[], instance=QUIET)).missing == (
        "The trust, CRL and verify depth of the server a (nginx_tls_info there).",
        (
            "A line of the error log of the server a at level info: its level is error (/etc/nginx.conf:3)."
            " Set `error_log /var/log/e.log info;`, reload, ask again."
        ),
    )
    assert explain(refused(instance=QUIET)).missing[1] == "The error log of the server a."
    loud = {**QUIET, "error_logs": [{"path": "/e", "level": "info", "place": ""}]}
    assert len(explain(refused(log=[], instance=loud)).missing) == 1
    assert explain(refused([found("crl.revoked")], log=[], instance=QUIET)).missing == ()


def test_a_log_that_is_elsewhere_is_missing():
    def missing(**log):
        place = {"place": "/etc/nginx.conf:3", "level": "info"}
        instance = {**RUNNING, "error_logs": [{**place, **log}]}
        return explain(refused([], log=[], instance=instance)).missing

    syslog = {"path": "syslog", "to": "logs.example.com"}
    (said,) = missing(**syslog, read_as="")
    assert said.endswith(
        "goes to syslog at logs.example.com (/etc/nginx.conf:3), and is not read: look there."
    )
    assert missing(**syslog, read_as="journalctl _COMM=nginx") == ()
    quiet = missing(**syslog, read_as="journalctl _COMM=nginx", level="error")
    assert "Set `error_log … info;`" in quiet[0]
    assert missing(path="/e", to="", read_as="/e") == ()


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ([event("client_verify", 23)], "endpoint.revoked"),
        ([event("client_no_certificate")], "endpoint.client_cert_not_sent"),
        ([event("misdirected")], "endpoint.misdirected"),
        ([event("plain_http")], "endpoint.tls_on_plain_port"),
        ([event("handshake", text="unsupported protocol")], "endpoint.protocol_version"),
        ([event("handshake", text="no shared cipher")], "endpoint.no_shared_cipher"),
        # Of the client it is the last one that counts, and none of these says what it was.
        ([event("client_verify", 23), event("misdirected")], "endpoint.misdirected"),
        ([event("handshake", text="bad record type")], ""),
        ([], ""),
    ],
)
def test_what_the_server_alone_knows(log, code):
    assert codes(Case(server=Side("a", log=log, config={"verify": "on"}))) == ([code] if code else [])


def test_what_the_server_alone_knows_of_itself():
    (told,) = explain(Case(server=Side("a", instance={"pid": None}))).to_dict()["findings"]
    assert (told["code"], told["evidence"]) == ("endpoint.nginx_down", [])
    assert told["message"] == "The nginx of the server a does not run."
    # Most sites verify nobody, and who asked is not known.
    assert codes(Case(server=Side("a", instance=RUNNING, config={"verify": "off"}))) == []


def test_what_is_missing_of_the_client():
    """It is the one that refuses."""
    assert explain(gateway([found("chain.missing_intermediate")], [], instance=RUNNING)).missing == ()
    assert explain(gateway(None, None)).missing == (
        "The trust, CRL and verify depth of the client b (nginx_tls_info there).",
        "The error log of the client b.",
    )


def test_nothing_was_asked():
    assert explain(Case()).to_dict() == {"findings": [], "missing": []}


def test_what_is_named():
    """The files and lines of both ends, in remedy and command."""
    client = Side("b.example.com", config={"certificate": {"path": "/etc/b.pem"}, "places": {}})
    server = Side(
        "a.example.com",
        judged=[found("chain.too_deep")],
        config={"trust": {"path": "/etc/ca.pem"}, "depth": 1, "verify": "on", "certificates": [],
                "places": {"ssl_verify_depth": "/etc/nginx/a.conf:7"}},
    )  # fmt: skip
    (told,) = explain(Case(REFUSED, None, client, server)).to_dict()["findings"]
    assert "ssl_verify_depth at /etc/nginx/a.conf:7" in told["remedy"]
    assert told["confirm"].startswith("b.example.com: openssl ") and "/etc/b.pem" in told["confirm"]
    assert {CLIENT, SERVER} == {"client", "server"}

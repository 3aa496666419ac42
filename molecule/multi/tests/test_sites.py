# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites of different trust on one address and port: none is opened by what opens another, be it a missing
name, another Host, or a session. On nginx 1.22 and 1.30. Of a default server that is another's:
test_beside_a_default_server_of_the_user in tests/live/test_server.py."""

from __future__ import annotations

from typing import Any

import pytest
from live import headers_at_the_backend
from scene import CALLER, TOOLS

PARTNER = {"certificate": f"{TOOLS}/partner.pem", "key": f"{TOOLS}/partner.key"}
IDENTITIES = {"a": (1443, "TLSv1_2"), "c": (2443, "TLSv1_3")}
UNKNOWN = "other.example.com"


def to(site: str, client: dict[str, str], host: str = "", **more: Any) -> dict[str, Any]:
    """A request for the Host of one site to the name of another, or the same."""
    asked = {"http_host": f"{host or site}.example.com", **client, **more}
    return {"sni": f"{site}.example.com", **asked} if site else asked


#: What is asked, and the status; None where the handshake is refused.
QUESTIONS: dict[str, tuple[dict[str, Any], int | None]] = {
    "each with its own": (to("orders", CALLER), 200),
    "the same trust": (to("returns", CALLER), 200),
    "the other trust": (to("partners", PARTNER), 200),
    "the other port": (to("ledger", PARTNER, port=8443), 200),
    "a client of the other trust": (to("orders", PARTNER), 400),
    "a client of the other trust, the same trust": (to("returns", PARTNER), 400),
    "the other way round": (to("partners", CALLER), 400),
    "the other way round, the other port": (to("ledger", CALLER, port=8443), 400),
    "no certificate": (to("orders", {}), 400),
    "no certificate, the other trust": (to("partners", {}), 400),
    "no name, a client of orders": (to("", CALLER, "orders"), None),
    "no name, a client of partners": (to("", PARTNER, "orders"), None),
    "no name, a client of partners, partners": (to("", PARTNER, "partners"), None),
    "no name, the other port": (to("", PARTNER, "ledger", port=8443), None),
    "an unknown name": ({**to("orders", PARTNER), "sni": UNKNOWN}, None),
    "another Host": (to("partners", PARTNER, "orders"), 421),
    "another Host, the other way round": (to("orders", CALLER, "partners"), 421),
    "another Host of the same trust": (to("orders", CALLER, "returns"), 421),
    "a Host of the other port": (to("ledger", PARTNER, "orders", port=8443), 421),
    "a Host that nobody has": ({**to("orders", CALLER), "http_host": UNKNOWN}, 421),
}


@pytest.fixture(
    name="answers",
    scope="module",
    params=[(a, v) for a in "ac" for v in ("TLSv1_2", "TLSv1_3")],
    ids="-".join,
)
def _answers(multi, request) -> dict[str, dict[str, Any]]:
    scene, dummy = multi
    name, version = request.param
    asked = {question: {**given, "version": version} for question, (given, dummy) in QUESTIONS.items()}
    return ask(scene, name, asked)


def ask(scene: Any, name: str, asked: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    told = scene.lab.ask_all(
        scene.full("stranger"), [{"host": scene.full(name), **given} for given in asked.values()]
    )
    return dict(zip(asked, told))


def test_each_site_is_opened_by_its_own_alone(answers):
    expected = {question: status for question, (dummy, status) in QUESTIONS.items()}
    assert {question: answer.get("status") for question, answer in answers.items()} == expected
    for question, status in expected.items():
        if status is None:
            assert "unrecognized name" in answers[question]["error"].lower(), answers[question]
    said = headers_at_the_backend(answers["the other trust"])
    assert said["x-ssl-client-s-dn"] == ["CN=partner"]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("name", ["a", "c"])
def test_no_session_opens_another_site(multi, name, version):
    """Each second request would be let in if the session of the first were taken for it."""
    scene, dummy = multi
    orders, partners = to("orders", CALLER), to("partners", PARTNER)
    names = {
        key: {"sni": f"{key}.example.com", "http_host": f"{key}.example.com"}
        for key in ("orders", "partners")
    }
    asked = {
        "itself": {**orders, "again": True},
        "another trust": {**partners, "again": names["orders"]},
        "the other way round": {**orders, "again": names["partners"]},
        "without a name": {**partners, "again": {"sni": None, "http_host": "orders.example.com"}},
        "of another port": {**to("ledger", PARTNER, port=8443), "again": {**names["orders"], "port": 443}},
    }
    told = ask(scene, name, {key: {**given, "version": version} for key, given in asked.items()})
    assert [answer["first_status"] for answer in told.values()] == [200] * len(asked)
    assert [answer.get("status") for answer in told.values()] == [200, 400, 400, None, 400]
    assert not [key for key, answer in told.items() if answer.get("resumed")]


@pytest.mark.parametrize("name", ["a", "c"])
def test_a_session_is_resumed_where_that_is_asked_for_and_nowhere_else(multi, name):
    """The twin: this client's session is a good one."""
    scene, dummy = multi
    port, version = IDENTITIES[name]
    site = to("any", CALLER, path="/whoami", port=port, version=version)
    elsewhere = {"sni": "partners.example.com", "http_host": "partners.example.com", "port": 443, "path": "/"}
    same = {"sni": "orders.example.com", "http_host": "orders.example.com", "port": 443, "path": "/"}
    asked = {"itself": True, "one": {"sni": "one.example.com", "http_host": "one.example.com"}}
    asked |= {"same": same, "elsewhere": elsewhere}
    told = ask(scene, name, {key: {**site, "again": again} for key, again in asked.items()})
    assert [answer["first_status"] for answer in told.values()] == [200] * len(asked)
    assert (told["itself"]["status"], told["itself"]["resumed"]) == (200, True)
    # Of one trust, on one port: the session is good, but its client is none of that site. Before that, a
    # session of TLS 1.2 has a name that is not the Host.
    assert told["one"]["status"] == {"a": 421, "c": 403}[name]
    assert (told["same"]["status"], told["same"]["resumed"]) == (200, False)
    assert (told["elsewhere"]["status"], told["elsewhere"]["resumed"]) == (400, False)

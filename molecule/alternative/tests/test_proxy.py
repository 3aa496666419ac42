# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server B with every variable changed: routes to several A, for callers on other hosts."""

from __future__ import annotations

import json
import subprocess

from alternative import HASTY, LIVE, ORDERS
from live import headers_at_the_backend

SECOND = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8005/go').read().decode())"
# Prints what has come before anything more was asked for, and then the rest.
STREAM = """
import socket
connection = socket.create_connection(("b1.example.com", 8088))
connection.sendall(b"GET /live/stream HTTP/1.1\\r\\nHost: b1\\r\\nConnection: close\\r\\n\\r\\n")
answer = connection.makefile()
while answer.readline().strip():
    pass
print(answer.readline().strip(), flush=True)
print(answer.read())
"""


def seen(answers):
    return [headers_at_the_backend(answer) for answer in answers]


def test_a_caller_on_another_host(project):
    headers = seen(project.plain("caller", *[{"path": "/"}] * 16))
    assert {one["x-caller"][0] for one in headers} == {"CN=b1,O=Shop"}
    assert {one["host"][0] for one in headers} == {"orders.example.com"}
    assert {one["x-forwarded-for"][0].split(", ")[0] for one in headers} == {project.address("caller")}
    # a1 tells by all headers, a2 by one; a1 has three times the weight.
    of_a1 = sum("x-caller-serial" in one for one in headers)
    assert 8 < of_a1 < 16


def test_it_listens_where_it_was_told(project):
    assert "error" in project.lab.ask("b1.example.com", host="127.0.0.1", port=8088, tls=False)


def test_another_path_has_another_identity(project):
    (answer,) = project.plain("caller", {"path": "/ledger/2026"})
    (headers,) = seen([answer])
    assert json.loads(answer["body"])["path"] == "/books/ledger/2026"
    assert headers["x-ssl-client-s-dn"] == ["CN=b1.example.com"]
    assert headers["x-real-ip"] == ["fd6d:746c:7300::b1"]  # to A by IPv6


def test_callers_that_are_let_in(project):
    """The ledger has a list, and one of that list is denied; the orders have none."""
    for host, status in (("caller", 200), ("app", 403)):
        ledger, orders = project.plain(host, {"path": "/ledger/"}, {"path": "/"})
        assert (ledger["status"], orders["status"]) == (status, 200)
    address = project.address("b1")
    ask = {"host": address, "port": 8088, "tls": False, "path": "/ledger/"}
    assert project.lab.ask("a1.example.com", **ask)["status"] == 403


def test_what_b_tells_of_itself_it_tells_on_its_own_host(project):
    """Whoever may ask for the orders themselves."""
    ask = {"host": project.address("b1"), "port": 8088, "tls": False}
    for path in ("/.mtls/proxy", "/.mtls/probe/orders", "/.mtls/probe/spare"):
        statuses = [
            project.lab.ask(f"{host}.example.com", **ask, path=path)["status"]
            for host in ("caller", "app", "b1")
        ]
        assert statuses == [404, 404, 200], path
    assert [project.plain(host, {"path": "/"})[0]["status"] for host in ("caller", "app")] == [200, 200]


def test_who_may_say_who_the_original_client_was(project):
    claim = [["X-SSL-Client-S-DN", "CN=original"], ["X-SSL-Client-Verify", "SUCCESS"]]
    forged = [["X-Original-SSL-Client-S-DN", "CN=admin"], ["X_Original_SSL_Client_S_DN", "CN=admin"]]
    question = {"path": "/", "headers": claim + forged}
    (headers,) = seen(project.plain("caller", question))
    assert headers["x-original-ssl-client-s-dn"] == ["CN=original"]
    assert headers["x-original-ssl-client-verify"] == ["SUCCESS"]
    assert headers["x-caller"] == ["CN=b1,O=Shop"]
    assert not {"x-ssl-client-s-dn", "x_original_ssl_client_s_dn"} & set(headers)
    (headers,) = seen(project.plain("app", question))
    assert [name for name in headers if "original" in name] == []


def test_the_other_b_is_an_a_as_well(project):
    answer = project.lab.ask("a2.example.com", host="::1", port=8080, tls=False, http_host="localhost")
    assert headers_at_the_backend(answer)["x-ssl-client-s-dn"] == ["CN=a2.example.com"]


def test_somebody_elses_a(project):
    (answer,) = project.plain("caller", {"path": "/", "port": 8089})
    assert (answer["status"], answer["body"]) == (200, "SUCCESS CN=b1-external,O=Shop\n")


def test_a_session_where_a_allows_it(project):
    """No connection is kept on the way to the ledger, but its session is. Of the orders a2 keeps none, and b1
    takes none of those that a1 keeps."""
    project.plain("caller", *[{"path": "/ledger/session"}] * 6, *[{"path": "/"}] * 6)
    of_b1 = [
        line for line in project.log("a1", "ledger") if line["request"].startswith("GET /ledger/session")
    ]
    assert "r" in {line["resumed"] for line in of_b1}
    for host in ("a1", "a2"):
        orders = [line for line in project.log(host, "orders") if line["subject"] == "CN=b1,O=Shop"]
        assert {line["resumed"] for line in orders} == {"."}, host


def test_how_much_a_caller_may_send(project, ask):
    """2 MB for that site, 3 MB for the route to it; 1 MB where nothing was said."""
    body = "x" * ((1 << 20) + 1)

    def announced(path, size):
        return {"method": "POST", "path": path, "headers": [["Content-Length", str(size)]]}

    whole, hasty, live = project.plain(
        "caller",
        {"method": "POST", "path": "/live/upload", "body": body},
        announced("/hasty/upload", len(body)),
        announced("/live/upload", (3 << 20) + 1),
    )
    assert json.loads(whole["body"])["bytes"] == len(body)
    assert (hasty["status"], live["status"]) == (413, 413)
    for site, size in ((LIVE, (2 << 20) + 1), (HASTY, len(body))):
        assert ask("by-serial", **site, headers={"Content-Length": str(size)})["status"] == 413


def test_how_long_a_may_take(project):
    hasty, live = project.plain("caller", {"path": "/hasty/slow"}, {"path": "/live/slow"})
    assert (hasty["status"], live["status"]) == (504, 200)


def test_websocket_where_it_was_asked_for(project):
    asked = {"how": "websocket", "body": "hello"}
    live, hasty = project.plain("caller", {**asked, "path": "/live/ws"}, {**asked, "path": "/hasty/ws"})
    assert live == {"status": 101, "body": "hello"}
    assert hasty["status"] == 200


def test_what_comes_is_passed_on_at_once(project):
    """The answer's end is not there yet. Whoever collected it would have nothing to pass on."""
    container = project.lab.container("caller.example.com")
    command = ["podman", "exec", container, "python3", "-c", STREAM]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert asking.stdout.readline() == "first\n"
    assert asking.poll() is None
    project.host("a2").run_expect([0], "python3 -c %s", SECOND)
    assert asking.communicate(timeout=20)[0].strip() == "second"


def test_one_a_that_is_down_disturbs_nobody(project, ask):
    """By the other one of the orders, by the spare one of the route that has one."""
    (before,) = seen(project.plain("caller", {"path": "/spare/"}))
    a1 = project.host("a1")
    a1.run_expect([0], "systemctl stop edge")
    try:
        orders, spare = seen(project.plain("caller", {"path": "/"}, {"path": "/spare/"}))
    finally:
        a1.run_expect([0], "systemctl start edge")
    told = ["x-caller-serial" in headers for headers in (before, orders, spare)]
    assert told == [True, False, False]
    assert ask("by-serial", **ORDERS)["status"] == 200

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of `release` against real nginx: each kind of listener, revoked clients, a server that is not
ours, a half of the host that was broken before."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


live = _load("mtls_live_machines", HERE / "conftest.py")
pki = _load("mtls_live_pki", HERE.parent / "lab" / "pki.py")

#: Kind of listener → its listen lines. ADDRESS is the host's own, not the loopback's.
KINDS = {
    "ipv4": "listen 1443 ssl;",
    "ipv6": "listen [::]:2443 ssl;",
    "both": "listen [::]:3443 ssl ipv6only=off;",
    "loopback": "listen 127.0.0.2:4443 ssl;",
    "address": "listen ADDRESS:4443 ssl;",
    "unix": "listen unix:/run/mtls-proof.sock ssl;",
    "proxy": "listen 5443 ssl proxy_protocol; listen [::]:5443 ssl proxy_protocol;",
    "first": "listen 6443 ssl; listen [::]:6443 ssl;",
    "second": "listen 6443 ssl; listen [::]:6443 ssl;",
    "page": "listen 7443 ssl; error_page 495 496 =302 https://help.example.com/;",
    "sorry": "listen 7444 ssl; error_page 495 496 =200 /sorry; location = /sorry { return 200 sorry; }",
}
#: Kind → at how many addresses it is asked.
PLACES = {"both": 2, "proxy": 2, "first": 2, "second": 2}
OF_A_SITE = {"client accepted", "certificate served", "no certificate", "foreign certificate"}
OF_A_SOCKET = {"no SNI, refused", "unknown SNI, refused", "Host of nobody, refused"}

# The backend is dead: it never has a say.
SITE = """
server {
    LISTEN
    server_name NAME.example.com;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    if ($host != NAME.example.com) { return 421; }
    location = /.mtls/probe {
        if ($ssl_client_verify != SUCCESS) { return 403; }
        return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }
    location / { proxy_pass http://127.0.0.1:9; }
}
"""
LISTENER = """
server {
    listen 127.0.0.1:8080;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location = /.mtls/probe/ours { OURS proxy_pass https://ours/.mtls/probe; }
    location /ours { OURS proxy_pass https://ours; }
    location /strange { LEADS proxy_ssl_name stranger.example.com; proxy_pass https://strange; }
}
""".replace("OURS", "LEADS proxy_ssl_name ipv4.example.com; proxy_set_header Host ipv4.example.com;").replace(
    "LEADS",
    "include @MTLS_RELEASE@/proxy/credentials/client/tls.conf; proxy_ssl_protocols TLSv1.2 TLSv1.3;",
)
#: The identity at the level of the server, a location in a location, and one that no known path comes to.
INHERITING = """
server {
    listen 127.0.0.1:8080;
    include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
    proxy_ssl_name stranger.example.com;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location /out { location /out/in { proxy_pass https://strange; MORE } }
    location ~ ^/by {
        proxy_ssl_name ipv4.example.com;
        proxy_set_header Host ipv4.example.com;
        proxy_pass https://ours;
    }
}
"""
STRANGER = """
server {
    listen 9443 ssl;
    server_name stranger.example.com;
    ssl_certificate /root/pki/stranger.pem;
    ssl_certificate_key /root/pki/stranger.key;
    ssl_client_certificate /root/pki/clients.pem;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / { ANSWER; }
}
"""
USERS = """
server {
    listen 1443 ssl default_server;
    ssl_certificate /root/pki/stranger.pem;
    ssl_certificate_key /root/pki/stranger.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    return 200 "theirs\\n";
}
"""


class Fleet:
    """A host that is A, B and a stranger at once, and its two CAs."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.clients, self.servers = (pki.Authority.make(f"CN={name}") for name in ("Clients", "Servers"))
        (folder / "clients.pem").write_bytes(self.clients.pem())
        names = tuple(f"{kind}.example.com" for kind in KINDS)
        self.server("server", *names)
        self.server("stranger", "stranger.example.com")
        for name in ("probe", "client"):
            self.client(name)
        self.revoked = self.client("revoked")
        for name in ("stranger.pem", "stranger.key", "clients.pem"):
            machine.write(f"/root/pki/{name}", self.text(name))
        machine.sh("mkdir -p /etc/nginx/conf.d")
        self.stranger("return 204")
        found = machine.sh("hostname -I").split()
        self.address = next(one for one in found if ":" not in one)

    def client(self, name: str, days: tuple[float, float] = (-1, 30)) -> Any:
        return self.clients.leaf(self.folder / name, f"CN=mtls-probe.{name}", pki.CLIENT, days=days)

    def server(self, name: str, *names: str) -> None:
        self.servers.leaf(self.folder / name, f"CN={name}", pki.SERVER, names=names)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def pair(self, name: str) -> dict[str, str]:
        return {
            "name": name,
            "certificate_content": self.text(f"{name}.pem"),
            "private_key_content": self.text(f"{name}.key"),
        }

    def stranger(self, answer: str) -> None:
        self.machine.write("/etc/nginx/conf.d/stranger.conf", STRANGER.replace("ANSWER", answer))
        self.machine.sh("nginx -t -q && systemctl reload nginx && sleep 0.5")

    def a(self, kinds: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        server = {
            **self.pair("server"),
            "trust": {"sources": [{"content": self.clients.pem().decode()}]},
            **more,
        }
        sites = [
            {"name": kind, "content": SITE.replace("LISTEN", listen).replace("NAME", kind)}
            for kind, listen in (
                (kind, listen.replace("ADDRESS", self.address)) for kind, listen in (kinds or KINDS).items()
            )
        ]
        return {"credentials": [server, self.pair("probe")], "sites": sites}

    def b(self) -> dict[str, Any]:
        client = {**self.pair("client"), "trust": {"sources": [{"content": self.servers.pem().decode()}]}}
        return {
            "credentials": [client],
            "routes": [
                {"name": "ours", "content": "upstream ours { server 127.0.0.1:1443; }"},
                {"name": "strange", "content": "upstream strange { server 127.0.0.1:9443; }"},
            ],
            "listeners": [{"name": "1", "content": LISTENER}],
        }

    def call(self, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.call(**options)
        return found

    def both(self, kinds: dict[str, str]) -> dict[str, Any]:
        """A before B, as site.yml does it: B's proof is a request to A."""
        stable(self.call(parts={"server": self.a(kinds)}))
        return self.call(parts={"proxy": self.b()})

    def crl(self) -> list[dict[str, str]]:
        return [{"content": self.clients.revocation_list(self.revoked).decode()}]


@pytest.fixture(name="machine", scope="module", params=live.IMAGES)
def _machine(request: Any) -> Iterator[Any]:
    with live.running(request.param, "proof") as found:
        yield found


@pytest.fixture(name="fleet")
def _fleet(machine: Any, tmp_path: Path) -> Fleet:
    # Quicker than a reset; what a killed nginx would leave of a unix socket is not there either.
    gone = machine.call(state="absent")
    assert gone["state"] == "absent", gone
    return Fleet(machine, tmp_path)


def rows(done: dict[str, Any], **wanted: str) -> list[dict[str, str]]:
    return [row for row in done["proof"] if all(row[key].startswith(value) for key, value in wanted.items())]


def failures(done: dict[str, Any]) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in done["proof"] if row["verdict"] != "ok"]


def stable(done: dict[str, Any]) -> dict[str, Any]:
    assert done.get("state") == "stable", (done.get("msg"), failures(done) if "proof" in done else done)
    return done


def test_each_kind_of_listener_and_both_versions(fleet: Fleet) -> None:
    first = stable(fleet.call(parts={"server": fleet.a()}))
    done = stable(fleet.call(parts={"proxy": fleet.b()}))
    assert failures(first) == failures(done) == []
    assert first["positive"] == done["positive"] == "proven"
    for kind in KINDS:
        for probe in OF_A_SITE:
            of_this = rows(done, probe=probe, target=f"server {kind} at ")
            assert len(of_this) == 2 * PLACES.get(kind, 1), (kind, probe)
    sockets = sum(PLACES.get(kind, 1) for kind in KINDS if kind != "second")
    for probe in OF_A_SOCKET:
        assert len(rows(done, probe=probe)) == 2 * sockets
    # Of this call, which changes B, the sessions of A's good client are asked for as well.
    assert len(rows(done, probe="session from before")) == 2 * (sockets + 2)
    for probe, target in (
        ("release served", "proxy 1"),
        ("route", "proxy ours"),
        ("route", "proxy strange"),
        ("server of the route", "proxy ours"),
        ("server of the route", "proxy strange"),
    ):
        assert len(rows(done, probe=probe, target=target)) == 1
    assert "page for who is refused" in rows(done, probe="no certificate", target="server page")[0]["got"]


@pytest.mark.parametrize("sessions", ["off", "shared"])
def test_a_revoked_client_is_refused_fresh_and_with_its_session(fleet: Fleet, sessions: str) -> None:
    kinds = {kind: KINDS[kind] for kind in ("ipv4", "both", "unix")}
    stable(fleet.call(parts={"server": fleet.a(kinds, sessions=sessions)}))
    fleet.client("other")
    revoked = [fleet.pair("revoked")]
    wrong = fleet.call(parts={"server": fleet.a(kinds, proof=[fleet.pair("other")], crl=fleet.crl())})
    assert "No CRL of this credential revokes" in wrong["msg"]
    spec = {"name": "server", "crl": fleet.crl(), "proof": revoked}
    given = {"server": {"credentials": [spec, {"name": "probe"}]}}
    done = stable(fleet.call(parts=given))
    assert failures(done) == []
    asked = rows(done, probe="revoked revoked")
    assert len(asked) == 2 * 2 * 4
    assert {row["got"].split(": ")[-1].removeprefix("resumed, ") for row in asked} == {"400"}
    again = stable(fleet.call(parts=given))
    assert not again["changed"]
    assert {row["verdict"] for row in rows(again, probe="revoked revoked")} == {"ok"}
    key = fleet.text("revoked.key").split("\n")[1]
    found = fleet.machine.sh(f"grep -rl '{key}' /etc/nginx /run /tmp /var/log /root 2>/dev/null", check=False)
    assert found == ""
    assert key not in str(done) + str(again)


@pytest.mark.parametrize("kept", [True, False])
def test_the_clients_of_this_host_that_its_list_revokes_are_refused_rightly(fleet: Fleet, kept: bool) -> None:
    """B's own client gets 400 from A, as it must. That another one does, whose CA the same call takes away,
    is a failure."""
    partner = pki.Authority.make("CN=Partner")
    partner.leaf(fleet.folder / "other", "CN=mtls-probe.other", pki.CLIENT)
    revoked = fleet.client("client")
    both = {"sources": [{"content": one.pem().decode()} for one in (fleet.clients, partner)]}
    stable(fleet.call(parts={"server": fleet.a({"ipv4": KINDS["ipv4"]}, trust=both)}))
    given = fleet.b()
    (client,) = given["credentials"]
    head = LISTENER.partition("    location /ours")[0]
    theirs = head.splitlines()[-1].replace("ours", "other").replace("/client/", "/other/")
    given = {
        "credentials": [client, {**client, **fleet.pair("other")}],
        "routes": [
            {"name": name, "content": f"upstream {name} {{ server 127.0.0.1:1443; }}"}
            for name in ("ours", "other")
        ],
        "listeners": [{"name": "1", "content": f"{head}{theirs}\n}}\n"}],
    }
    first = stable(fleet.call(parts={"proxy": given}))
    lists = [
        one.revocation_list(*several).decode() for one, several in ((fleet.clients, [revoked]), (partner, []))
    ]
    server = {"name": "server", "crl": [{"content": one} for one in lists], "trust": both}
    if not kept:
        server["trust"] = {"sources": both["sources"][:1]}
        server["crl"] = server["crl"][:1]
    done = fleet.call(parts={"server": {"credentials": [server, {"name": "probe"}]}})
    assert (done["state"], done["release"] == first["release"]) == (
        ("stable", False) if kept else ("rolled_back", True)
    )
    ours, other = (rows(done, target=f"proxy {name}") for name in ("ours", "other"))
    assert [row["verdict"] for row in ours] == ["ok", "ok"], ours
    assert all(row["got"].startswith("400") and row["got"].endswith("it is revoked") for row in ours), ours
    assert [row["verdict"] for row in other] == ["ok" if kept else "failed"] * 2, other
    if not kept:
        assert "proxy other" in done["msg"]
        assert "400" in done["msg"]


def test_what_was_broken_before_never_keeps_the_other_half_from_being_mended(fleet: Fleet) -> None:
    kinds = {"ipv4": KINDS["ipv4"]}
    first = stable(fleet.both(kinds))
    # Longer than the calls take that install them.
    life = 5 + 5 * first["seconds_in_all"]
    begin = time.monotonic()
    for name in ("probe", "client"):
        fleet.client(name, days=(-1, life / 86400))
    stable(fleet.call(parts={"server": {"credentials": [fleet.pair("server"), fleet.pair("probe")]}}))
    stable(fleet.call(parts={"proxy": {"credentials": [fleet.pair("client")]}}))
    time.sleep(max(0.0, life + 1 - (time.monotonic() - begin)))
    # Both halves are broken now. A change of A that does not mend its probe identity is not proven.
    fleet.server("server", "ipv4.example.com")
    kept = {"credentials": [fleet.pair("server"), {"name": "probe"}]}
    assert "client accepted" in fleet.call(parts={"server": kept})["msg"]
    # A is mended; what is B's stays broken, also where nginx's old sessions still worked.
    fleet.client("probe")
    done = stable(fleet.call(parts={"server": {"credentials": [fleet.pair("server"), fleet.pair("probe")]}}))
    assert done["positive"] == "proven"
    assert {row["verdict"] for row in rows(done, probe="route", target="proxy ours")} == {"was_failing"}
    # The expired probe identity had no session before the switch: inconclusive, on A.
    failing = rows(done, verdict="was_failing") + rows(done, verdict="failed")
    assert {row["target"].split()[0] for row in failing} == {"proxy"}


def test_a_broken_a_half_never_blocks_the_b_half(fleet: Fleet) -> None:
    first = stable(fleet.both({"ipv4": KINDS["ipv4"]}))
    life = 5 + 3 * first["seconds_in_all"]
    begin = time.monotonic()
    fleet.client("probe", days=(-1, life / 86400))
    stable(fleet.call(parts={"server": {"credentials": [fleet.pair("server"), fleet.pair("probe")]}}))
    time.sleep(max(0.0, life + 1 - (time.monotonic() - begin)))
    fleet.client("client")
    done = stable(fleet.call(parts={"proxy": {"credentials": [fleet.pair("client")]}}))
    assert {row["verdict"] for row in rows(done, probe="client accepted")} == {"was_failing"}
    assert {row["verdict"] for row in rows(done, target="proxy")} == {"ok"}
    assert done["positive"] == "unproven"


@pytest.mark.parametrize(("more", "state"), [("", "stable"), ("return 502;", "rolled_back")])
def test_what_a_location_inherits_is_asked_as_well(fleet: Fleet, more: str, state: str) -> None:
    first = stable(fleet.both({"ipv4": KINDS["ipv4"]}))
    listener = {"name": "1", "content": INHERITING.replace("MORE", more)}
    done = fleet.call(parts={"proxy": {**fleet.b(), "listeners": [listener]}})
    assert (done["state"], done["release"] == first["release"]) == (state, bool(more)), done
    found = {(row["probe"], row["target"].split()[1]): row for row in rows(done, target="proxy ")}
    assert found["route", "strange"]["verdict"] == ("failed" if more else "ok")
    assert found["server of the route", "strange"]["verdict"] == "ok"
    assert "no path is known" in found["route", "ours"]["got"]
    # Its A takes the certificate; the backend behind it is dead.
    assert "502" in found["server of the route", "ours"]["got"]
    assert {found[kind, "ours"]["verdict"] for kind in ("route", "server of the route")} == {"inconclusive"}


def test_a_server_that_is_not_ours(fleet: Fleet) -> None:
    fleet.stranger("return 400")
    first = fleet.both({"ipv4": KINDS["ipv4"]})
    # Without an answer from before a 400 may be the refusal of the certificate.
    assert (first["state"] in ("checked", "rolled_back"), "400" in first["msg"]) == (True, True)
    fleet.stranger("return 204")
    stable(fleet.call(parts={"proxy": fleet.b()}))
    for answer, verdict in (("404", "ok"), ("502", "inconclusive"), ("400", "inconclusive")):
        fleet.stranger(f"return {answer}")
        fleet.client("client")
        done = stable(fleet.call(parts={"proxy": {"credentials": [fleet.pair("client")]}}))
        found = rows(done, target="proxy strange")
        assert [row["verdict"] for row in found] == [verdict] * 2, found
    fleet.stranger("return 204")
    # Of a CA that the stranger does not trust.
    pki.Authority.make("CN=Other").leaf(fleet.folder / "client", "CN=mtls-probe.client", pki.CLIENT)
    done = fleet.call(parts={"proxy": {"credentials": [fleet.pair("client")]}})
    assert (done["state"], "400" in done["msg"]) == ("checked", True), done


@pytest.mark.parametrize("theirs", [True, False])
def test_a_site_that_moves_to_another_port_in_vain(fleet: Fleet, theirs: bool) -> None:
    """The way back is proven by the default server that the old release had: the user's, or its own."""
    if theirs:
        fleet.machine.sh("cat >> /etc/nginx/conf.d/stranger.conf; systemctl reload nginx", stdin=USERS)
    first = stable(fleet.call(parts={"server": fleet.a({"ipv4": KINDS["ipv4"]})}))
    assert failures(first) == []
    moved = {"ipv4": KINDS["ipv4"].replace("1443", "8443") + " return 403;"}
    done = fleet.call(parts={"server": fleet.a(moved)})
    assert (done["state"], done["release"]) == ("rolled_back", first["release"]), done
    assert "403" in done["msg"]
    assert {row["verdict"] for row in done["restored"]} == {"ok"}
    asked = {row["probe"].split(", ")[1] for row in done["restored"] if "SNI" in row["probe"]}
    assert asked == {"the user's default" if theirs else "refused"}


def test_a_hundred_sites_are_proven_in_seconds(fleet: Fleet) -> None:
    kinds = {f"s{number}": "listen 1443 ssl; listen [::]:1443 ssl;" for number in range(100)}
    fleet.server("server", *(f"{kind}.example.com" for kind in kinds))
    done = stable(fleet.call(parts={"server": fleet.a(kinds)}, timeout_s=30))
    assert failures(done) == []
    # A machine of one's own needs about five; with others at work on it, it is nginx that is slow.
    assert done["seconds"]["prove"] < 60, done["seconds"]
    print("\n", len(done["proof"]), "rows:", done["seconds"])

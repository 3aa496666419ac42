# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`nginx_tls_info` beside real nginx: configurations as people have them, each claim tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nginx_corpus
import pytest
from pki import CLIENT, SERVER, Authority

ROOT = Path(__file__).resolve().parents[2]
PKI = nginx_corpus.PKI
MAIN = "worker_processes 2;\nevents {{ }}\nerror_log /var/log/nginx/error.log info;\nhttp {{ {} }}\n"
NAMES = (
    "api.example.com www.example.com first.example.com second.example.com third.example.com a.example.com"
    " b.example.com u.example.com p.example.com r.example.com later.example.com"
).split()  # fmt: skip
PAIR = f"ssl_certificate {PKI}/server.pem; ssl_certificate_key {PKI}/server.key;"
AS_B = f"proxy_ssl_certificate {PKI}/b.pem; proxy_ssl_certificate_key {PKI}/b.key;"
AS_C = AS_B.replace("/b.", "/c.")
VERIFIED = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {PKI}/servers-ca.pem;"
NAMED = "proxy_ssl_name api.example.com; proxy_ssl_server_name on;"
SAID = 'return 200 "$server_name $ssl_client_verify $ssl_client_s_dn $ssl_server_name\\n";'


def a(name: str = "api.example.com", lines: str = "", ca: str = "clients-ca", listen: str = "443 ssl") -> str:
    trust = f"ssl_client_certificate {PKI}/{ca}.pem; ssl_verify_client on;" if ca else ""
    return (
        f"server {{ listen {listen}; server_name {name}; {PAIR} {trust} {lines} location / {{ {SAID} }} }}\n"
    )


def b(lines: str, listen: str = "127.0.0.1:8080", more: str = "") -> str:
    return f"server {{ listen {listen}; location / {{ {lines} }} {more} }}\n"


class World:
    """A host on which nginx runs with one configuration after the other."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.machine = machine
        clients, others, servers = (Authority.make(f"CN={name}") for name in ("Clients", "Others", "Servers"))
        strangers = Authority.make("CN=Strangers")
        for name, authority in (("clients", clients), ("others", others), ("servers", servers)):
            (folder / f"{name}-ca.pem").write_bytes(authority.pem())
        (folder / "clients.crl").write_bytes(clients.revocation_list())
        revoked = clients.leaf(folder / "b", "CN=b", CLIENT)
        (folder / "revoked.crl").write_bytes(clients.revocation_list(revoked))
        clients.leaf(folder / "c", "CN=c", CLIENT)
        others.leaf(folder / "x", "CN=x", CLIENT)
        strangers.leaf(folder / "forged", "CN=b", CLIENT)
        servers.leaf(folder / "server", "CN=server", SERVER, names=tuple(NAMES))
        servers.leaf(folder / "old", "CN=old", SERVER, names=tuple(NAMES), days=(-30, 3))
        strangers.leaf(folder / "impostor", "CN=server", SERVER, names=tuple(NAMES))
        machine.sh("cp -a /etc/nginx /root/nginx.before; rm -rf /etc/nginx/*; mkdir -p /root/pki")
        for path in folder.iterdir():
            machine.write(f"/root/pki/{path.name}", path.read_text())
        machine.sh("chmod 600 /root/pki/*.key")
        machine.write("/lab/ask.py", (ROOT / "tests" / "live" / "ask.py").read_text())

    def serve(self, files: dict[str, str] | str) -> None:
        """nginx, started anew, serves these files of /etc/nginx and nothing else."""
        files = {"nginx.conf": MAIN.format(files)} if isinstance(files, str) else files
        self.machine.sh("systemctl stop nginx; rm -rf /etc/nginx/*; cp -a /root/pki /etc/nginx/pki")
        self.machine.sh("mkdir -p /etc/nginx/live/a; : >/var/log/nginx/error.log")
        for name, kind in (("fullchain", "pem"), ("privkey", "key")):
            self.machine.sh(f"ln -s ../../pki/server.{kind} /etc/nginx/live/a/{name}.pem")
        for path, text in files.items():
            self.machine.write(f"/etc/nginx/{path}", text)
        self.machine.sh("systemctl reset-failed nginx; systemctl start nginx; nginx -t")

    def reload(self) -> None:
        self.machine.sh("nginx -t -q && systemctl reload nginx && sleep 1.5")

    def look(self, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.module("nginx_tls_info", **options)
        assert "instances" in found, found
        return found

    def codes(self, **options: Any) -> set[str]:
        return {one["code"] for one in self.look(**options)["findings"]}

    def ask(self, **question: Any) -> dict[str, Any]:
        """An A, by ask.py."""
        asked = {"one": {"port": 443, "sni": "api.example.com", **question}}
        out = self.machine.sh(f"python3 /lab/ask.py {PKI}", stdin=json.dumps(asked))
        found: dict[str, Any] = json.loads(out)["one"]
        return found

    def call(self, path: str = "/", port: int = 8080, address: str = "127.0.0.1") -> tuple[int, str]:
        """A B, by plain HTTP."""
        script = (
            "import http.client as h, sys\n"
            f"c = h.HTTPConnection({address!r}, {port}, timeout=9); c.request('GET', {path!r})\n"
            "r = c.getresponse(); print(r.status, r.read().decode().strip())"
        )
        status, _blank, body = self.machine.sh("python3 -", stdin=script).partition(" ")
        return int(status), body


@pytest.fixture(name="world", scope="module")
def _world(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(machine, tmp_path_factory.mktemp("info"))


def one(found: dict[str, Any]) -> dict[str, Any]:
    (instance,) = found["instances"]
    assert isinstance(instance, dict)
    return instance


# -- configurations as people have them


@pytest.mark.parametrize(
    "name", [name for name in nginx_corpus.CORPUS if name not in nginx_corpus.NEEDS_A_MODULE]
)
def test_each_block_serves_what_is_told(world: World, name: str) -> None:
    world.serve(nginx_corpus.CORPUS[name])
    found = world.look()
    instance = one(found)
    assert (
        instance["ok"] and instance["emerg"] == [] and instance["pid"] and instance["unit"] == "nginx.service"
    )
    assert all(file["state"] == "ok" for file in found["files"]), found["files"]
    by_path = {file["path"]: file for file in found["files"]}
    for server in instance["servers"]:
        fixed = [pair for pair in server["certificates"] if pair["certificate"]["path"]]
        if server["tls"] and fixed and not server["reject_handshake"]:
            assert server["served"], server
        for row in server["served"] if fixed else ():
            assert row["error"] == "", (server["place"], row)
            on_disk = {by_path[pair["certificate"]["path"]]["certificates"][0]["sha256"] for pair in fixed}
            assert row["sha256"] in on_disk
    assert not {one["code"] for one in found["findings"]} & {
        "endpoint.served_differs_from_file",
        "tls.file_newer_than_loaded",
        "pair.key_mismatch",
        "name.mismatch",
    }  # fmt: skip


@pytest.mark.parametrize("name", nginx_corpus.BROKEN)
def test_what_nginx_refuses_is_told_in_its_words(world: World, name: str) -> None:
    world.serve(a())
    world.machine.sh("sleep 2")  # the start of a process is known to a second
    text, words = nginx_corpus.BROKEN[name]
    world.machine.write("/etc/nginx/nginx.conf", text)
    found = world.look()
    instance = one(found)
    assert not instance["ok"] and any(words in line for line in instance["emerg"]), instance["emerg"]
    assert "s3cr3t" not in json.dumps(found)
    assert {"nginx.configuration_refused", "tls.file_newer_than_loaded"} <= {
        x["code"] for x in found["findings"]
    }
    if name != "no end":
        assert instance["servers"][0]["names"] == ["api.example.com"], "read without nginx"
    if name == "a file that is not there":
        assert "file.missing" in {x["code"] for x in found["findings"]}
    if name == "another key":
        assert "pair.key_mismatch" in {x["code"] for x in found["findings"]}
    assert world.ask(who="b")["status"] == 200, "it goes on with the old one"


def test_a_stopped_nginx_is_told_and_stays_stopped(world: World) -> None:
    world.serve(a())
    world.machine.sh("systemctl stop nginx")
    before = world.machine.sh("ls -la /run /var/log/nginx")
    found = world.look()
    instance = one(found)
    assert instance["pid"] is None and instance["loaded"] is None and instance["ok"]
    assert instance["servers"][0]["served"] == []
    assert found["files"][0]["newer_than_loaded"] is None
    assert world.machine.sh("ls -la /run /var/log/nginx") == before
    assert world.machine.sh("pgrep nginx", check=False) == ""


def test_two_instances(world: World) -> None:
    world.serve(a())
    other = MAIN.format(a("u.example.com", listen="8443 ssl")).replace(
        "error_log", "pid /run/o.pid; error_log"
    )
    world.machine.write("/etc/nginx/other.conf", other)
    world.machine.sh("nginx -c /etc/nginx/other.conf")
    try:
        first, second = world.look()["instances"]
        assert {first["conf_path"], second["conf_path"]} == {"/etc/nginx/nginx.conf", "/etc/nginx/other.conf"}
        for instance in (first, second):
            assert instance["ok"] and instance["servers"][0]["served"][0]["error"] == ""
        by_hand = first if first["conf_path"].endswith("other.conf") else second
        assert by_hand["unit"] == ""
    finally:
        world.machine.sh("kill $(cat /run/o.pid)")


# -- each claim, and its twin


def test_an_upstream_that_is_not_verified(world: World) -> None:
    impostor = a().replace("/server.", "/impostor.")
    world.serve(impostor + b(f"{AS_B} {NAMED} proxy_pass https://127.0.0.1;"))
    assert world.call()[0] == 200
    assert "proxy.not_verified" in world.codes()
    world.serve(impostor + b(f"{AS_B} {NAMED} {VERIFIED} proxy_pass https://127.0.0.1;"))
    assert world.call()[0] == 502
    assert "proxy.not_verified" not in world.codes()


def test_a_listener_that_anybody_reaches(world: World) -> None:
    lines = f"{AS_B} {NAMED} {VERIFIED} proxy_pass https://127.0.0.1;"
    address = world.machine.sh("hostname -I").split()[0]
    world.serve(a() + b(lines, listen="8080"))
    assert world.call(address=address) == (200, "api.example.com SUCCESS CN=b api.example.com")
    assert "proxy.open_listener" in world.codes()
    world.serve(a() + b(f"deny {address}; {lines}", listen="8080"))
    assert world.call(address=address)[0] == 403
    assert "proxy.open_listener" not in world.codes()
    world.serve(a() + b(lines))
    assert "proxy.open_listener" not in world.codes()


def test_identities_that_share_an_upstream(world: World) -> None:
    def two(second: str) -> str:
        upstreams = "".join(
            f"upstream {name} {{ server 127.0.0.1:443; }}" for name in ("one.test", "two.test")
        )
        more = f"location /c/ {{ {AS_C} {NAMED} {VERIFIED} proxy_pass https://{second}; }}"
        return upstreams + a() + b(f"{AS_B} {NAMED} {VERIFIED} proxy_pass https://one.test;", more=more)

    def subjects() -> set[str]:
        asked = [world.call(path)[1].split()[2] for dummy in range(8) for path in ("/", "/c/")]
        return set(asked[1::2])

    world.serve(two("one.test"))
    assert "CN=b" in subjects(), "A sees b where c asks"
    assert "proxy.identity_shared" in world.codes()
    by_variable = "set $to 127.0.0.1; proxy_pass https://$to:443;"
    for text in (two("two.test"), two("one.test").replace("proxy_pass https://one.test;", by_variable)):
        world.serve(text)
        assert subjects() == {"CN=c"}
        assert "proxy.identity_shared" not in world.codes()


def test_a_name_that_cannot_match(world: World) -> None:
    upstream = "upstream orders { server 127.0.0.1:443; }"
    for to in ("orders", "127.0.0.1"):
        lines = f"{AS_B} {VERIFIED} proxy_ssl_server_name on;"
        world.serve(upstream + a() + b(f"{lines} proxy_pass https://{to};"))
        assert world.call()[0] == 502
        assert "proxy.name_mismatch" in world.codes()
        world.serve(upstream + a() + b(f"{lines} {NAMED.partition(';')[0]}; proxy_pass https://{to};"))
        assert world.call()[0] == 200
        assert "proxy.name_mismatch" not in world.codes()


def test_a_name_that_is_not_sent(world: World) -> None:
    first = a("first.example.com")
    lines = f"{AS_B} {VERIFIED} proxy_set_header Host api.example.com; proxy_pass https://127.0.0.1;"
    world.serve(first + a() + b(f"{lines} proxy_ssl_name api.example.com;"))
    assert world.call()[1] == "api.example.com SUCCESS CN=b"
    assert "proxy.sni_off" in world.codes()
    world.serve(first + a() + b(f"{lines} {NAMED}"))
    assert world.call()[1] == "api.example.com SUCCESS CN=b api.example.com"
    assert "proxy.sni_off" not in world.codes()


def test_a_default_server_of_another_trust(world: World) -> None:
    asked = {"who": "x", "sni": None, "host": "api.example.com"}
    world.serve(a("first.example.com", ca="others-ca") + a())
    assert world.ask(**asked)["body"].split()[:2] == ["api.example.com", "SUCCESS"]
    assert "server.other_trust_admitted" in world.codes()
    refusing = "server { listen 443 ssl default_server; ssl_reject_handshake on; }"
    for beside in (a("first.example.com"), refusing + a("first.example.com", ca="others-ca")):
        world.serve(beside + a())
        assert world.ask(**asked).get("status") != 200
        assert "server.other_trust_admitted" not in world.codes()


def behind(lines: str = "", more: str = "") -> str:
    """A, with a backend that says who it thinks the client is."""
    backend = 'server { listen 127.0.0.1:9000; return 200 "for $http_x_dn"; }'
    passes = f"location / {{ {more} proxy_pass http://127.0.0.1:9000; }}"
    site = a(lines=f"{lines} {passes}").replace(f"location / {{ {SAID} }}", "")
    return f"{backend} {site}"


def test_a_backend_that_is_reached_past_the_site(world: World) -> None:
    def beside(lines: str) -> str:
        block = a("first.example.com", lines, ca="").replace(SAID, "proxy_pass http://127.0.0.1:9000;")
        return block + behind()

    asked = {"sni": None, "host": "nobody.example.com", "headers": [["X-DN", "CN=forged"]]}
    world.serve(beside("server_name _;"))
    assert world.ask(**asked)["body"] == "for CN=forged"
    assert "server.backend_unguarded" in world.codes()
    for lines in ("return 421;", "ssl_reject_handshake on;"):
        world.serve(beside(lines))
        assert world.ask(**asked).get("status") != 200
        assert "server.backend_unguarded" not in world.codes()


def test_a_header_of_identity_that_gets_lost(world: World) -> None:
    told, asked = "proxy_set_header X-DN $ssl_client_s_dn;", {"who": "b", "headers": [["X-DN", "CN=forged"]]}
    for more, seen in (("proxy_set_header X-More 1;", "CN=forged"), (told, "CN=b"), ("", "CN=b")):
        world.serve(behind(told, more))
        assert world.ask(**asked)["body"] == f"for {seen}"
        assert ("server.identity_lost" in world.codes()) == (seen == "CN=forged")


def test_sessions_that_outlive_a_revocation(world: World) -> None:
    revoke = (
        f"cp {PKI}/revoked.crl {PKI}/n && mv {PKI}/n {PKI}/clients.crl && systemctl reload nginx && sleep 1.5"
    )

    def resumed(lines: str) -> Any:
        world.serve(a(lines=f"ssl_crl {PKI}/clients.crl; {lines}"))
        codes = world.codes()
        first = {"port": 443, "sni": "api.example.com", "who": "b"}
        found = world.ask(how="resume", first=first, between=revoke, who="b")
        assert found["first"] == 200
        return found.get("status"), "server.sessions_outlive_trust" in codes

    assert resumed("ssl_session_cache shared:s:1m; ssl_session_tickets off;") == (200, True)
    assert resumed("ssl_session_cache off; ssl_session_tickets off;") == (400, False)
    assert resumed("") == (400, False)
    version = tuple(map(int, one(world.look())["version"].split(".")))
    outlives = version >= (1, 23, 2)
    assert resumed("ssl_session_cache shared:s:1m;") == ((200, True) if outlives else (400, False))


def test_trust_of_the_http_level(world: World) -> None:
    outer = f"ssl_trusted_certificate {PKI}/others-ca.pem; "
    world.serve(outer + a())
    assert world.ask(who="x")["status"] == 200
    assert "server.trust_inherited" in world.codes()
    world.serve(outer + a(lines='ssl_trusted_certificate "";'))
    assert world.ask(who="x")["status"] == 400
    assert "server.trust_inherited" not in world.codes()


def test_clients_whom_nobody_has_verified(world: World) -> None:
    text = a()
    world.serve(text.replace("ssl_verify_client on", "ssl_verify_client optional_no_ca"))
    answer = world.ask(who="forged")
    assert answer["status"] == 200 and "FAILED" in answer["body"]
    assert "server.unverified_clients" in world.codes()
    world.serve(text)
    assert world.ask(who="forged")["status"] == 400
    assert "server.unverified_clients" not in world.codes()


def test_a_certificate_that_the_worker_cannot_read(world: World) -> None:
    by_variable = a().replace(f"{PKI}/server.", f"{PKI}/$ssl_server_name.")
    world.serve(by_variable)
    world.machine.sh(
        f"cd {PKI}; for e in pem key; do cp -p server.$e api.example.com.$e; done; chmod 755 . .."
    )
    assert "error" in world.ask(who="b")
    found = world.look(log_minutes=5)
    assert "tls.variable_certificate" in {x["code"] for x in found["findings"]}
    (event, *_more) = [x for x in found["log"] if x["kind"] == "worker_file"]
    assert "Permission denied" in event["text"] and "example.com" not in event["text"]
    world.serve(a())
    assert world.ask(who="b")["status"] == 200
    assert "tls.variable_certificate" not in world.codes()


def test_a_file_that_was_replaced(world: World) -> None:
    world.serve(a())
    told = {"tls.file_newer_than_loaded", "endpoint.served_differs_from_file"}
    assert not told & world.codes()
    world.machine.sh(f"sleep 2; cd {PKI}; for e in pem key; do cp -p old.$e n && mv n server.$e; done")
    found = world.look()
    assert told <= {x["code"] for x in found["findings"]}
    state = next(file for file in found["files"] if file["path"] == f"{PKI}/server.pem")
    assert state["newer_than_loaded"] and state["certificates"][0]["subject"] == "CN=old"
    assert one(found)["servers"][0]["served"][0]["subject"] == "CN=server"
    world.reload()
    assert not told & world.codes()


def test_a_mode_or_an_owner_that_was_changed_alone(world: World) -> None:
    """Of what is served it is known that nginx has it; of the rest only that it may have been changed."""
    world.serve(a(lines=f"ssl_crl {PKI}/clients.crl;"))
    newer = "tls.file_newer_than_loaded"
    world.machine.sh(
        f"sleep 2; cd {PKI}; chmod 640 server.key; chown www-data server.pem; cp -p server.pem n"
    )
    world.machine.sh(f"cd {PKI}; mv n server.pem")
    assert newer not in world.codes()
    assert newer in world.codes(probe=False), "nobody was asked"
    world.machine.sh(f"cd {PKI}; chmod 640 clients.crl")
    (told,) = [one for one in world.look()["findings"] if one["code"] == newer]
    assert told["place"].startswith(f"{PKI}/clients.crl") and "owner or mode alone" in told["message"]
    world.machine.sh(f"cd {PKI}; cat clients.crl >n; mv n clients.crl")
    (told,) = [one for one in world.look()["findings"] if one["code"] == newer]
    assert "owner or mode" not in told["message"]
    # A key that fits no more is none that nginx has.
    world.machine.sh(f"cd {PKI}; cp -p old.key n && mv n server.key")
    assert {newer, "pair.key_mismatch"} <= world.codes()
    world.serve(a())


# -- stream

STREAM = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" + MAIN.replace("http {{", "stream {{")
WHO = 'return "$ssl_client_verify $ssl_client_s_dn";'
TALK = """
import socket, ssl, sys
port, who, name = sys.argv[1:]
asked = socket.create_connection(("127.0.0.1", int(port)), 5)
said = b""
try:
    if who != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if who:
            context.load_cert_chain(f"/etc/nginx/pki/{who}.pem", f"/etc/nginx/pki/{who}.key")
        asked = context.wrap_socket(asked, server_hostname=name or None)
    said = asked.recv(999)
except OSError:
    pass
print(said.decode())
"""


def stream_a(lines: str = "", listen: str = "127.0.0.1:5433 ssl", verify: str = "on") -> str:
    trust = f"ssl_client_certificate {PKI}/clients-ca.pem; ssl_verify_client {verify};"
    return f"server {{ listen {listen}; {PAIR} {trust} {lines} {WHO} }}\n"


def stream_b(lines: str, listen: int = 5434) -> str:
    return f"server {{ listen 127.0.0.1:{listen}; {lines} }}\n"


def talk(world: World, port: int, who: str = "plain", name: str = "") -> str:
    """What comes back from a stream server; *who*: "plain" speaks no TLS, "" has no certificate."""
    return world.machine.sh(f"python3 - {port} {who!r} {name!r}", stdin=TALK)


def stream(world: World, text: str) -> dict[str, Any]:
    world.serve({"nginx.conf": STREAM.format(text)})
    return world.look()


def codes_of(found: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in found["findings"]}


@pytest.mark.parametrize(
    ("verify", "b", "nobody", "forged"),
    [
        ("on", "SUCCESS CN=b", "", ""),
        ("optional", "SUCCESS CN=b", "NONE", ""),
        ("off", "NONE", "NONE", "NONE"),
    ],
)
def test_a_stream_server_that_verifies(world: World, verify: str, b: str, nobody: str, forged: str) -> None:
    found = stream(world, stream_a(verify=verify))
    (server,) = one(found)["servers"]
    assert (server["module"], server["verify"], server["tls"]) == ("stream", verify, True)
    assert server["trust"]["path"] == f"{PKI}/clients-ca.pem"
    leaf = next(file for file in found["files"] if file["path"] == f"{PKI}/server.pem")["certificates"][0]
    assert [row["sha256"] for row in server["served"]] == [leaf["sha256"]]
    assert [talk(world, 5433, who) for who in ("b", "", "forged")] == [b, nobody, forged]


def test_the_depth_the_list_and_the_trust_of_a_stream_server(world: World) -> None:
    found = stream(world, f"ssl_trusted_certificate {PKI}/others-ca.pem;" + stream_a())
    assert talk(world, 5433, "x") == "SUCCESS CN=x"
    assert "server.trust_inherited" in codes_of(found)
    found = stream(
        world, f"ssl_trusted_certificate {PKI}/others-ca.pem;" + stream_a('ssl_trusted_certificate "";')
    )
    assert talk(world, 5433, "x") == ""
    assert "server.trust_inherited" not in codes_of(found)
    for name, said in (("revoked", ""), ("clients", "SUCCESS CN=b")):
        (server,) = one(stream(world, stream_a(f"ssl_crl {PKI}/{name}.crl;")))["servers"]
        assert server["crl"]["path"] == f"{PKI}/{name}.crl"
        assert talk(world, 5433, "b") == said


def test_a_stream_that_asks_by_tls_with_a_certificate(world: World) -> None:
    to = "proxy_ssl on; proxy_pass 127.0.0.1:5433;"
    verified = f"{VERIFIED} proxy_ssl_name api.example.com; proxy_ssl_server_name on;"
    text = stream_a() + stream_b(f"{to} {AS_B} {verified}")
    found = stream(world, text)
    (place,) = one(found)["locations"]
    assert (place["module"], place["protocol"], place["servers"]) == ("stream", "tls", ["127.0.0.1:5433"])
    assert (place["certificate"]["path"], place["verify"], place["sni"]) == (f"{PKI}/b.pem", True, True)
    assert talk(world, 5434) == "SUCCESS CN=b"
    assert not codes_of(found) & {"proxy.not_verified", "proxy.name_mismatch", "proxy.sni_off"}
    # Without a certificate, without TLS, by another trust, by an address: each beside the first.
    found = stream(world, text.replace(AS_B, ""))
    assert (one(found)["locations"][0]["certificate"], talk(world, 5434)) == (None, "")
    found = stream(world, text.replace("proxy_ssl on;", ""))
    assert (one(found)["locations"], talk(world, 5434)) == ([], "")
    found = stream(world, text.replace("servers-ca", "others-ca"))
    assert (one(found)["locations"][0]["trust"]["path"], talk(world, 5434)) == (f"{PKI}/others-ca.pem", "")
    found = stream(world, text.replace("proxy_ssl_name api.example.com;", ""))
    assert ("proxy.name_mismatch" in codes_of(found), talk(world, 5434)) == (True, "")
    found = stream(world, text.replace(verified, "").replace("/server.", "/impostor."))
    assert ("proxy.not_verified" in codes_of(found), talk(world, 5434)) == (True, "SUCCESS CN=b")


def test_identities_that_share_a_stream_upstream(world: World) -> None:
    def both(second: str, more: str = "") -> tuple[set[str], bool]:
        lines = f"proxy_ssl on; {VERIFIED} {NAMED} {more}"
        found = stream(
            world,
            "upstream one.test { server 127.0.0.1:5433; } upstream two.test { server 127.0.0.1:5433; }"
            + stream_a()
            + stream_b(f"{lines} {AS_B} proxy_pass one.test;")
            + stream_b(f"{lines} {AS_C} proxy_pass {second};", 5435),
        )
        said = [talk(world, port) for dummy in range(8) for port in (5434, 5435)]
        return set(said[1::2]), "proxy.identity_shared" in codes_of(found)

    seen, told = both("one.test")
    assert "SUCCESS CN=b" in seen and told, "A sees b where c asks"
    assert both("two.test") == ({"SUCCESS CN=c"}, False)
    assert both("one.test", "proxy_ssl_session_reuse off;") == ({"SUCCESS CN=c"}, False)


# -- logs


def test_the_log_tells_each_refusal_and_no_request(world: World) -> None:
    up = "".join(
        f"upstream {name} {{ server 127.0.0.1:{port}; }}" for name, port in (("d", 1), ("plain", 8000))
    )
    # nginx 1.22 offers no TLS 1.3 by itself
    lines = f"{AS_B} {VERIFIED} proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    other = lines.replace("servers-ca", "others-ca")
    world.serve(
        up
        + "server { listen 127.0.0.1:8000; return 204; }"
        + "server { listen 443 ssl default_server; ssl_reject_handshake on; ssl_protocols TLSv1.3; }"
        + a(lines=f"ssl_crl {PKI}/revoked.crl; ssl_protocols TLSv1.3;")
        + a("second.example.com", ca="others-ca")
        + b(
            f"{lines} {NAMED} proxy_pass https://127.0.0.1;",
            more=f"location /d/ {{ {lines} proxy_pass https://d; }}"
            f"location /plain/ {{ {lines} proxy_pass https://plain; }}"
            f"location /name/ {{ {lines} proxy_ssl_server_name on; proxy_ssl_name x.example.com;"
            " proxy_pass https://127.0.0.1; }"
            f"location /wrong/ {{ {other} proxy_ssl_server_name on; proxy_ssl_name second.example.com;"
            " proxy_pass https://127.0.0.1; }",
        )
    )
    secret = {"path": "/s3cr3t?client=6.6.6.6", "headers": [["X-Token", "s3cr3t"], ["Referer", "s3cr3t"]]}
    for question in (
        {}, {"who": "forged"}, {"who": "b"}, {"who": "c", "host": "second.example.com"}, {"sni": "s3cr3t.x"},
        {"version": "TLSv1_2"},
    ):  # fmt: skip
        world.ask(**{**secret, **question})
    world.call("/s3cr3t", port=443)
    for path in ("/d/s3cr3t", "/plain/s3cr3t", "/wrong/s3cr3t", "/name/s3cr3t"):
        assert world.call(path)[0] == 502
    found = world.look(log_minutes=5, probe=False)
    assert "s3cr3t" not in json.dumps(found)
    kinds = {event["kind"] for event in found["log"]}
    assert {
        "client_verify", "client_no_certificate", "misdirected", "handshake", "rejected", "plain_http",
        "upstream_connect", "upstream_handshake", "upstream_verify",
    } <= kinds, kinds  # fmt: skip
    assert {event["code"] for event in found["log"] if event["kind"] == "client_verify"} == {21, 23}
    assert 112 in {event["alert"] for event in found["log"]}
    (refused,) = [event for event in found["log"] if event["kind"] == "upstream_connect"]
    assert (refused["upstream"], refused["client"]) == ("127.0.0.1:1", "127.0.0.1")
    assert all(event["file"] == "/var/log/nginx/error.log" for event in found["log"])
    world.machine.sh("sed -i 's/^[0-9/]* /2001\\/01\\/01 /' /var/log/nginx/error.log")
    assert world.look(log_minutes=5, probe=False)["log"] == []
    assert world.look(probe=False)["log"] == []


def test_an_upstreams_name_and_silence(world: World) -> None:
    world.machine.sh("systemd-run --quiet --collect --unit=silent python3 -c 'import socket as s, time;"
                     ' l = s.create_server(("127.0.0.1", 9009)); time.sleep(60)\'')  # fmt: skip
    lines = f"{AS_B} {VERIFIED} proxy_ssl_server_name on; proxy_connect_timeout 1s;"
    world.serve(
        a()
        + b(
            f"{lines} proxy_ssl_name nobody.example.com; proxy_pass https://127.0.0.1;",
            more=f"location /slow/ {{ {lines} proxy_pass https://127.0.0.1:9009; }}",
        )
    )
    assert (world.call()[0], world.call("/slow/")[0]) == (502, 504)
    world.machine.sh("systemctl stop silent", check=False)
    log = {event["kind"]: event for event in world.look(log_minutes=5, probe=False)["log"]}
    assert log["upstream_name"]["upstream"] == "127.0.0.1:443"
    assert "nobody" not in log["upstream_name"]["text"]
    assert log["upstream_timeout"]["upstream"] == "127.0.0.1:9009"


@pytest.mark.parametrize("to", ["syslog:server=unix:/dev/log,nohostname", "stderr"])
def test_a_log_that_goes_to_the_journal(world: World, to: str) -> None:
    main = MAIN.replace("/var/log/nginx/error.log", to)
    world.serve({"nginx.conf": main.format(a())})
    assert world.ask()["status"] == 400
    # journald has the line a moment later than the client its answer
    world.machine.sh("sleep 1; journalctl --sync || journalctl --flush", check=False)
    found = world.look(log_minutes=2, probe=False)
    (log,) = one(found)["error_logs"]
    assert log["read_as"] == "journalctl _SYSTEMD_UNIT=nginx.service" and found["why"] == ""
    (event,) = [event for event in found["log"] if event["kind"] == "client_no_certificate"][-1:]
    assert event["file"] == log["read_as"]
    assert "client sent no required SSL certificate" in world.machine.sh(log["read_as"])
    assert world.look(probe=False)["log"] == []


def test_a_log_that_is_not_on_this_host_is_told(world: World) -> None:
    world.serve(
        {"nginx.conf": MAIN.replace("/var/log/nginx/error.log", "syslog:server=127.0.0.9").format(a())}
    )
    found = world.look(log_minutes=2, probe=False)
    assert "goes to syslog at 127.0.0.9, and is not read here" in found["why"] and found["log"] == []
    assert world.look(probe=False)["why"] == ""
    world.serve(a())
    assert world.look(log_minutes=2, probe=False)["why"] == ""


# -- what must not leave the host, and hosts that lack something

SECRETS = f"""\
env TOKEN=s3cr3t-env;
worker_processes 1;
events {{ }}
http {{
    # s3cr3t-comment
    log_format s '$remote_addr s3cr3t-format';
    map $http_x $pass {{ default s3cr3t-map; "~^s3cr3t-regex" 1; }}
    geo $geo {{ default s3cr3t-geo; }}
    upstream api {{ server 127.0.0.1:443; }}
    server {{
        listen 127.0.0.1:8080; server_name b.example.com;
        set $user s3cr3t-set;
        set $url "https://u:s3cr3t-url@127.0.0.1";
        auth_basic "s3cr3t-realm";
        add_header X-Token s3cr3t-header;
        location / {{
            {AS_B}
            proxy_set_header Authorization "Bearer s3cr3t-bearer";
            proxy_set_header Host "s3cr3t host";
            proxy_set_header X-Key s3cr3t-key;
            proxy_pass https://api/x?token=s3cr3t-query;
        }}
        location /a/ {{ {AS_B} proxy_pass https://u:s3cr3t-password@$host/; }}
        location /b/ {{ {AS_B} proxy_pass $url; }}
        location /c/ {{ return 200 "s3cr3t-body"; }}
        location /d/ {{ fastcgi_param PASSWORD s3cr3t-param; fastcgi_pass 127.0.0.1:9000; }}
        if ($http_x_key = s3cr3t-condition) {{ return 403; }}
    }}
    {a()}
}}
"""


def test_no_secret_of_the_configuration_leaves_the_host(world: World) -> None:
    world.serve({"nginx.conf": SECRETS})
    found = world.look(pem=True, log_minutes=60)
    text = json.dumps(found)
    assert "s3cr3t" not in text and "PRIVATE" not in text
    assert len(one(found)["locations"]) == 3
    certificate = next(file for file in found["files"] if file["kind"] == "certificate")
    assert certificate["pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert not any("pem" in file for file in found["files"] if file["kind"] == "key")


def test_a_host_without_the_library(world: World) -> None:
    world.serve(a(lines=f"ssl_crl {PKI}/clients.crl;"))
    whole = world.look()
    world.machine.write("/lab/cryptography/__init__.py", "raise ImportError('not here')\n")
    try:
        found = world.look()
    finally:
        world.machine.sh("rm -rf /lab/cryptography")
    assert "python3-cryptography" in found["why"] and whole["why"] == ""
    assert [file["certificates"] for file in found["files"]] == [
        file["certificates"] for file in whole["files"]
    ]
    assert [file["crls"] for file in found["files"]] == [file["crls"] for file in whole["files"]]
    assert one(found)["servers"] == one(whole)["servers"]


def test_who_is_not_root_is_told_so(world: World) -> None:
    world.serve(a())
    world.machine.sh("chmod -R a+rX /lab")
    nobody = (
        "setpriv --reuid=65534 --regid=65534 --clear-groups env PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1"
    )
    command = f"cd /lab && echo '{{}}' | HOME=/tmp {nobody} python3 run.py nginx_tls_info"
    said = world.machine.sh(command, check=False)
    assert "Run it as root (become: true)" in said and '"failed": true' in said


def test_a_hostile_configuration_is_read_in_bounds(world: World) -> None:
    blocks = "".join(
        f"location /{number} {{ {AS_B} {VERIFIED} {NAMED} proxy_pass https://127.0.0.1; }}\n"
        for number in range(3000)
    )
    world.serve(a() + b("return 204;", more=blocks + ("# " + "x" * 98 + "\n") * 40_000))
    assert len(one(world.look())["locations"]) == 3000
    deep = "location /a { " * 150 + "}" * 150
    world.serve(a() + b("return 204;", more=deep))
    found = world.look()
    assert "nginx.configuration_unread" in {x["code"] for x in found["findings"]}


# -- what others write into their files

IMPOSTOR = PAIR.replace("/server.", "/impostor.")
OLD = PAIR.replace("/server.", "/old.")


def site(name: str, pair: str = PAIR, listen: str = "443 ssl", lines: str = "") -> str:
    return f"server {{ listen {listen}; server_name {name}; {pair} {lines} location / {{ return 204; }} }}\n"


@pytest.mark.parametrize(
    "before",
    [
        "# content_by_lua_block {\n#   x()\n# }\n",
        "# see content_by_lua_block of the docs\n",
        "# configuration file /etc/nginx/nginx.conf:\n# configuration file /etc/nginx/conf.d/a.conf:\n",
        'map $host $x { default "content_by_lua_block {"; }\n',
    ],
)
def test_no_comment_hides_a_block(world: World, before: str) -> None:
    comment = before if before.startswith("#") else ""
    http = f"http {{\n{before}{site('api.example.com')}{comment}}}\n"
    world.serve({"nginx.conf": f"{comment}events {{}}\n{http}"})
    found = world.look()
    (server,) = one(found)["servers"]
    (certificate,) = [file for file in found["files"] if file["kind"] == "certificate"]
    assert server["served"][0]["sha256"] == certificate["certificates"][0]["sha256"]


@pytest.mark.parametrize(
    ("blocks", "asked"),
    [
        (site("api.example.com") + site("127.0.0.1", IMPOSTOR), 1),
        (site("api.example.com") + site("b.example.com", IMPOSTOR, "127.0.0.1:443 ssl"), 2),
        (site("api.example.com", listen="[::]:443 ssl") + site("b.example.com", OLD, "[::1]:443 ssl"), 1),
        (site(".example.com") + site("example.com", IMPOSTOR), 1),
        (site("example.com") + site(".example.com", IMPOSTOR), 1),
        (site("*.example.com") + site("*.mtls-probe.example.com", IMPOSTOR), 2),
        (site("$hostname") + site("_ 127.0.0.2", IMPOSTOR, "443 ssl default_server") + site("a.b", OLD), 2),
    ],
)
def test_nobody_else_answers_for_a_block(world: World, blocks: str, asked: int) -> None:
    world.serve(blocks)
    found = world.look()
    assert sum(bool(server["served"]) for server in one(found)["servers"]) == asked
    assert "endpoint.served_differs_from_file" not in {x["code"] for x in found["findings"]}


@pytest.mark.parametrize("to", ["$scheme://127.0.0.1:443", "$proto://127.0.0.1:443", "$mapped"])
def test_a_scheme_of_a_variable_is_tls_and_not_verified(world: World, to: str) -> None:
    mapped = "map $host $mapped { default https://127.0.0.1:443; plain http://127.0.0.1; }\n"
    asks = f"set $proto https; location /x {{ proxy_pass {to}; }}"
    world.serve(mapped + a(ca="") + site("b.example.com", IMPOSTOR, "8443 ssl", asks))
    found = world.look()
    (location,) = one(found)["locations"]
    assert location["protocol"] == "https" and "proxy.not_verified" in {x["code"] for x in found["findings"]}


def test_a_missing_semicolon_lets_no_secret_out(world: World) -> None:
    header = 'proxy_set_header Authorization "Bearer s3cr3t";'
    world.serve(f"server {{ listen 443 ssl; {PAIR} server_name api.example.com\n{header} }}")
    found = world.look()
    assert one(found)["ok"] and one(found)["servers"][0]["names"] == ["api.example.com"]
    assert "s3cr3t" not in json.dumps(found)
    refused = site("api.example.com", lines=f"ssl_ciphers X\n{header}")
    world.machine.write("/etc/nginx/nginx.conf", MAIN.format(refused))
    found = world.look()
    assert not one(found)["ok"] and one(found)["servers"][0]["ciphers"] == "X"
    assert "s3cr3t" not in json.dumps(found)

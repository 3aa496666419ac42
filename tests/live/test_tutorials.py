# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What usual tutorials lead to, a test for each row of docs/tutorials.md, by its name.

Each one writes the tutorial's lines to the host, asks, and sees the harm. Its twin is the same question to a
release beside it in the same nginx, which the roles' own templates made of variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rendered
from pki import CLIENT, SERVER, Authority

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.part import release_credentials
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sources import with_content
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import fleet

ROOT = Path(__file__).resolve().parents[2]
KEYS = "/srv/keys"
HOST = "h.test"
#: Of the sites of the release.
NAMES = [f"{name}.test" for name in "orders billing deep kept fresh list noca cert".split()]
V12, V13 = {"version": "TLSv1_2"}, {"version": "TLSv1_3"}
B1, B2 = "CN=b1,O=Shop", "CN=b2,O=Shop"
# Where tutorials listen: their Server A, and their Server B.
TLS, PLAIN = 9443, 9080
PASS = "proxy_pass http://127.0.0.1:8000;"
CREDENTIAL = f"proxy_ssl_certificate {KEYS}/b1.pem; proxy_ssl_certificate_key {KEYS}/b1.key;"
VERIFIED = f"{CREDENTIAL} proxy_ssl_verify on; proxy_ssl_trusted_certificate {KEYS}/servers-ca.pem;"
# As every user, not only root, may open what is there.
OPENER = """
import glob, os, sys
found, opened = {}, []
while not os.path.exists("/run/opener.stop"):
    for path in glob.glob(sys.argv[1], recursive=True):
        if path not in found:
            try:
                found[path] = open(path)
            except OSError:
                pass
    open("/run/opener/ready", "w").close()
print(sum("PRIVATE KEY" in file.read() for file in found.values()))
"""


def server(
    lines: str = "", location: str = PASS, port: int = TLS, trust: str = "clients-ca", **more: str
) -> str:
    """A tutorial's Server A."""
    return f"""
    server {{
        listen {port} ssl;
        server_name {more.get("name", "t.test")};
        ssl_certificate {KEYS}/server.pem;
        ssl_certificate_key {KEYS}/server.key;
        ssl_client_certificate {KEYS}/{trust}.pem;
        ssl_verify_client {more.get("verify", "on")};
        {lines}
        location / {{ {location} }}
    }}
    """


def proxy(location: str, listen: str = f"127.0.0.1:{PLAIN}") -> str:
    """A tutorial's Server B."""
    return f"server {{ listen {listen}; location / {{ {location} }} }}\n"


def far(certificate: str = "server", port: int = 3443) -> str:
    """A Server A of somebody else; the first of its names has a certificate of its own."""
    blocks = ""
    for name, pem in (("other.test", "other"), ("far.test", certificate)):
        told = "$ssl_client_s_dn|$connection|$server_protocol|$http_authorization"
        text = server(f'return 200 "{told}";', port=port, name=name)
        blocks += text.replace(f"{KEYS}/server.", f"{KEYS}/{pem}.")
    return blocks


def make_pki(folder: Path) -> None:
    authorities = {
        name: Authority.make(f"CN={name.title()},O=Shop") for name in ("clients", "others", "public")
    }
    authorities["servers"], strangers = Authority.make("CN=Servers"), Authority.make("CN=Strangers")
    for name, authority in authorities.items():
        (folder / f"{name}-ca.pem").write_bytes(authority.pem())
    clients, servers = authorities["clients"], authorities["servers"]
    first = clients.intermediate("CN=Below")
    second = first.intermediate("CN=Below that")
    second.leaf(folder / "deep", "CN=deep", CLIENT)
    chain = first.pem() + second.pem()
    (folder / "deep-ca.pem").write_bytes(clients.pem() + chain)
    (folder / "deep-chain.pem").write_bytes((folder / "deep.pem").read_bytes() + chain)
    (folder / "deep-chain.key").write_bytes((folder / "deep.key").read_bytes())
    (folder / "second.crl").write_bytes(second.revocation_list())
    revoked = clients.leaf(folder / "revoked", "CN=revoked", CLIENT)
    (folder / "before.crl").write_bytes(clients.revocation_list())
    (folder / "after.crl").write_bytes(clients.revocation_list(revoked))
    for name in ("b1", "b2"):
        clients.leaf(folder / name, f"CN={name},O=Shop", CLIENT)
    clients.leaf(folder / "b1-old", B1, CLIENT, days=(-9, -1))
    clients.leaf(folder / "probe", "CN=mtls-probe.h", CLIENT)
    authorities["others"].leaf(folder / "x1", "CN=x1", CLIENT)
    authorities["public"].leaf(folder / "anybody", "CN=anybody", CLIENT)
    strangers.leaf(folder / "forged", B1, CLIENT)
    servers.leaf(folder / "server", "CN=server", SERVER, names=(*NAMES, "far.test"))
    servers.leaf(folder / "old", "CN=server", SERVER, names=(*NAMES, "far.test"), days=(-9, -1))
    servers.leaf(folder / "other", "CN=other", SERVER, names=("other.test",))
    strangers.leaf(folder / "impostor", "CN=server", SERVER, names=(*NAMES, "far.test"))
    texts = {path.stem: path.read_text() for path in folder.glob("*.pem")}
    (folder / "pinned.pem").write_text(texts["clients-ca"] + texts["b1"])
    (folder / "both.pem").write_text(texts["b1"] + texts["b2"])
    (folder / "named.key").write_text((folder / "server.key").read_text())
    (folder / "named.pem").write_text(texts["server"])


def site(name: str, port: int = 443, **more: Any) -> dict[str, Any]:
    listen = {"server_names": [f"{name}.test"], "listen": [str(port)]}
    return {"name": name, "credential": "server", **listen, **more}


def route(name: str, path: str, **more: Any) -> dict[str, Any]:
    at = {"listen": "127.0.0.1:8080", "path": path, "servers": ["127.0.0.1:3443"], "server_name": "far.test"}
    return {"name": name, "credential": "b1", **at, **more}


def variables(folder: Path) -> dict[str, Any]:
    """What a user of the collection writes for the host."""

    def credential(name: str, pair: str, trust: str, **more: Any) -> dict[str, Any]:
        files = {
            key: str(folder / f"{pair}.{end}")
            for key, end in (("certificate", "pem"), ("private_key", "key"))
        }
        probe = {**files, **{key: value.replace(pair, "probe") for key, value in files.items()}}
        return {
            "name": name,
            "issuer": "files",
            "files": files,
            "trust": {"sources": [{"src": str(folder / f"{trust}-ca.pem")}]},
            **({"hostnames": [*NAMES], "probe": probe} if pair == "server" else {}),
            **more,
        }

    return {
        "mtls_server_credentials": [
            credential("server", "server", "clients"),
            *(
                {
                    key: value
                    for key, value in credential(name, "server", trust, **more).items()
                    if key != "probe"
                }
                for name, trust, more in (
                    ("others", "others", {}),
                    ("deep", "deep", {}),
                    ("kept", "clients", {"sessions": "shared"}),
                    ("fresh", "clients", {}),
                )
            ),
        ],
        "mtls_server_sites": [
            site("orders", extra_server="location /more/ { proxy_pass http://127.0.0.1:8000; }"),
            site("billing", credential="others"),
            site("deep", 8441, credential="deep"),
            site("kept", 8442, credential="kept"),
            site("fresh", 8443, credential="fresh"),
            site("list", 8444, allow=[{"dn": B1}]),
            site("noca", 8445, verify="optional_no_ca"),
            site("cert", 8446, headers={"certificate": "X-SSL-Client-Cert"}, backend="http://127.0.0.1:8001"),
        ],
        "mtls_proxy_credentials": [credential(name, name, "servers") for name in ("b1", "b2")],
        "mtls_proxy_routes": [route("far", "/"), route("two", "/two/", credential="b2")],
    }


class World:
    """A host with a release of the collection, and room for one tutorial at a time beside it."""

    def __init__(self, machine: Any, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        machine.reset()
        make_pki(folder)
        for path in sorted([*folder.glob("*.pem"), *folder.glob("*.key"), *folder.glob("*.crl")]):
            machine.write(f"{KEYS}/{path.name}", path.read_text())
        machine.sh(
            f"chmod 600 {KEYS}/*.key; grep -q far.test /etc/hosts || echo '127.0.0.1 far.test' >>/etc/hosts"
        )
        for name, place in (("ask.py", "live"), ("caller.py", "lab"), ("far_side.py", "lab")):
            machine.write(f"/lab/{name}", (ROOT / "tests" / place / name).read_text())
        machine.sh(
            "systemctl stop far-side 2>/dev/null;"
            " systemd-run --quiet --collect --unit=far-side python3 /lab/far_side.py 8000"
        )
        machine.write(
            "/etc/nginx/conf.d/other.conf",
            'server { listen 127.0.0.1:8001; return 200 "$http_x_ssl_client_cert"; }',
        )
        self.tutorial("")
        self.given = variables(folder)
        version = machine.sh("nginx -v 2>&1 | sed 's|.*/||; s| .*||'")
        self.version = tuple(map(int, version.split(".")))
        hosts = {HOST: self.given}
        model = fleet(folder, hosts, hosts)
        part = {
            "credentials": release_credentials(model["hosts"][HOST], "proxy", {}, {}, {}),
            **rendered.proxy_blocks(folder, model, HOST, version),
        }
        found = with_content({"parts": {"proxy": part}}, lambda path, option: Path(path).read_bytes())
        self.parts = {**found["parts"], **rendered.server_parts(folder, version, hosts)["parts"][HOST]}
        self.done = self.release()

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def release(self) -> dict[str, Any]:
        """The release as the variables have it."""
        done: dict[str, Any] = self.machine.call(parts=self.parts, timeout_s=20)
        assert done.get("state") == "stable", done.get("msg")
        return done

    def changed(self, side: str, name: str, **more: Any) -> dict[str, Any]:
        """The option `parts`, by which one credential changes and all else is kept."""
        listed = [one["name"] for one in self.parts[side]["credentials"]]
        return {side: {"credentials": [{"name": one, **(more if one == name else {})} for one in listed]}}

    def refused(self, parts: dict[str, Any]) -> dict[str, Any]:
        """What `release` says; nothing on the host has changed."""
        before = self.machine.current()
        done: dict[str, Any] = self.machine.call(parts=parts, timeout_s=20)
        assert done.get("failed"), done
        assert self.machine.current() == before
        return done

    def write(self, text: str, a: str = "") -> None:
        self.machine.write("/etc/nginx/conf.d/tutorial.conf", (a or far()) + text)

    def tutorial(self, text: str, a: str = "") -> None:
        """nginx serves *text* beside the release; *a* in place of the usual Server A of somebody else."""
        self.write(text, a)
        self.machine.sh(
            "old=$(pgrep -f 'nginx: worker process$'); nginx -t -q && nginx -s reload || exit 1;"
            " for turn in $(seq 100); do new=$(pgrep -f 'nginx: worker process$');"
            ' [ -n "$new" ] && ! grep -qxF "$old" <<<"$new" && exit 0; sleep 0.1; done; exit 1'
        )

    def tested(self) -> tuple[int, str]:
        """Exit code and words of `nginx -t`."""
        out = self.machine.sh("nginx -t 2>&1 </dev/null; echo $?")
        words, _line, code = out.rpartition("\n")
        return int(code), words

    def ask(self, **questions: dict[str, Any]) -> dict[str, Any]:
        """Of an A, by ask.py: a tutorial's where no port is given."""
        asked = {name: {"port": TLS, "sni": "t.test", **one} for name, one in questions.items()}
        answers: dict[str, Any] = json.loads(
            self.machine.sh(f"python3 /lab/ask.py {KEYS}", stdin=json.dumps(asked))
        )
        return answers

    def status(self, **question: Any) -> Any:
        return self.ask(one=question)["one"].get("status", "no answer")

    def call(self, *questions: dict[str, Any]) -> list[Any]:
        """Of a B, by caller.py."""
        answers: list[Any] = json.loads(
            self.machine.sh("python3 /lab/caller.py", stdin=json.dumps(questions))
        )
        return answers


@pytest.fixture(name="world", scope="module")
def _world(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield World(machine, tmp_path_factory.mktemp("tutorials"))
    machine.sh("systemctl stop far-side", check=False)


ORDERS = {"port": 443, "sni": "orders.test"}
FAR, TWO = {"port": 8080, "path": "/"}, {"port": 8080, "path": "/two/"}


def ours(name: str, port: int, **more: Any) -> dict[str, Any]:
    return {"port": port, "sni": f"{name}.test", **more}


def seen(answer: dict[str, Any]) -> dict[str, str]:
    """The headers of an identity that the backend received, by the names that were sent."""
    assert answer.get("status") == 200, answer
    return {name: value for name, value in json.loads(answer["body"])["headers"] if "ssl" in name.lower()}


def codes(done: dict[str, Any]) -> set[str]:
    found = {one["code"] for credential in done["credentials"] for one in credential["findings"]}
    return {*found, done["code"]}


# -- Server A


def test_handshake(world: World) -> None:
    world.tutorial(server())
    for who in ("", "forged", "b1-old"):
        pair = f"-cert {KEYS}/{who}.pem -key {KEYS}/{who}.key" if who else ""
        said = world.machine.sh(
            f"openssl s_client -connect 127.0.0.1:{TLS} -servername t.test -CAfile {KEYS}/servers-ca.pem"
            f" {pair} </dev/null 2>&1; echo code $?"
        )
        assert "Verify return code: 0 (ok)" in said
        assert said.endswith("code 0")
        assert world.status(**({"who": who} if who else {})) == 400
    rows = {row["probe"]: row for row in world.done["proof"] if row["target"].startswith("server orders")}
    assert [rows[name]["got"] for name in ("no certificate", "foreign certificate")] == ["400", "400"]
    assert rows["client accepted"]["verdict"] == "ok"


def test_default_server(world: World) -> None:
    world.tutorial(
        server(trust="others-ca", name="x.test")
        + server(name="s.test", location=f"{PASS} proxy_set_header X-SSL-Client-Verify $ssl_client_verify;")
    )
    asked = {"who": "x1", "host": "s.test", "sni": None}
    for key in (V12, V13):
        assert seen(world.ask(one={**asked, **key})["one"]) == {"X-SSL-Client-Verify": "SUCCESS"}
        assert world.status(**{**asked, **key, "sni": "s.test"}) == 400
        answer = world.ask(one={**ORDERS, **asked, **key, "host": "orders.test"})["one"]
        assert "UNRECOGNIZED_NAME" in answer["error"]
        assert world.status(**ORDERS, **key, who="b1") == 200


def test_host_not_named(world: World) -> None:
    world.tutorial(server(location=f"{PASS} proxy_set_header Host $host;"))
    answer = world.ask(one={"who": "b1", "host": "admin.test"})["one"]
    assert dict(json.loads(answer["body"])["headers"])["Host"] == "admin.test"
    assert world.status(**ORDERS, who="b1", host="admin.test") == 421


def test_two_blocks_of_one_name(world: World) -> None:
    open_to_all = server(verify="off")
    world.tutorial(
        open_to_all + server(location=f"if ($ssl_client_verify != SUCCESS) {{ return 403; }} {PASS}")
    )
    code, words = world.tested()
    assert (code, "conflicting server name" in words) == (0, True)
    assert world.status() == 200
    assert world.status(**ORDERS) == 400
    sites = [*world.given["mtls_server_sites"], site("again", server_names=["orders.test"])]
    with pytest.raises(Exception, match=r"'orders.test' on .* is a name of site 'orders' already"):
        fleet(world.folder, {HOST: {**world.given, "mtls_server_sites": sites}})


def test_verify_in_a_location(world: World) -> None:
    world.write(server(verify="off", location=f"ssl_verify_client on; {PASS}"))
    code, words = world.tested()
    assert (code, '"ssl_verify_client" directive is not allowed here' in words) == (1, True)
    sites = [site("orders", extra_location="ssl_verify_client on;")]
    with pytest.raises(Exception, match="'ssl_verify_client' is set by this collection"):
        fleet(world.folder, {HOST: {**world.given, "mtls_server_sites": sites}})


def test_optional_no_ca(world: World) -> None:
    told = f"{PASS} proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;"
    world.tutorial(server(verify="optional_no_ca", location=told))
    assert seen(world.ask(one={"who": "forged"})["one"]) == {"X-SSL-Client-S-DN": B1}
    assert seen(world.ask(one=ours("noca", 8445, who="forged"))["one"]) == {}
    assert seen(world.ask(one=ours("noca", 8445, who="b1"))["one"])["X-SSL-Client-S-DN"] == B1
    assert world.status(**ORDERS, who="forged") == 400


def test_leaf_in_the_bundle(world: World) -> None:
    world.tutorial(server(trust="pinned") + server(trust="b1", port=TLS + 1))
    assert world.status(who="b2") == 200
    assert world.status(who="b1", port=TLS + 1) == 400
    assert [world.status(**ours("list", 8444, who=who)) for who in ("b1", "b2")] == [200, 403]
    trust = {"sources": [{"content": world.text("pinned.pem")}]}
    assert "bundle.leaf" in codes(world.refused(world.changed("server", "server", trust=trust)))


def test_trust_of_the_http_level(world: World) -> None:
    world.tutorial(f"ssl_trusted_certificate {KEYS}/public-ca.pem;" + server())
    assert world.status(who="anybody") == 200
    assert world.status(**ORDERS, who="anybody") == 400
    world.tutorial(server())
    assert world.status(who="anybody") == 400


def test_depth(world: World) -> None:
    world.tutorial(server(trust="deep-ca") + server("ssl_verify_depth 2;", trust="deep-ca", port=TLS + 1))
    assert world.status(who="deep-chain") == 400
    assert world.status(who="deep-chain", port=TLS + 1) == 200
    assert world.status(**ours("deep", 8441, who="deep-chain")) == 200


def test_crl_of_one_authority(world: World) -> None:
    lines = f"ssl_verify_depth 2; ssl_crl {KEYS}/second.crl;"
    world.tutorial(server(lines, trust="deep-ca"))
    assert world.status(who="deep-chain") == 400
    done = world.refused(world.changed("server", "deep", crl=[{"content": world.text("second.crl")}]))
    assert "crl.missing_for_ca" in codes(done)
    assert world.status(**ours("deep", 8441, who="deep-chain")) == 200


def test_revoked_but_not_reloaded(world: World) -> None:
    world.machine.sh(f"cp {KEYS}/before.crl {KEYS}/list.crl")
    world.tutorial(server(f"ssl_crl {KEYS}/list.crl;"))
    world.machine.sh(f"cp {KEYS}/after.crl {KEYS}/list.crl")
    assert world.status(who="revoked") == 200
    assert world.status(**ours("fresh", 8443, who="revoked")) == 200
    try:
        parts = world.changed("server", "fresh", crl=[{"content": world.text("after.crl")}])
        assert world.machine.call(parts=parts, timeout_s=20)["state"] == "stable"
        assert [world.status(**ours("fresh", 8443, who=who)) for who in ("revoked", "b1")] == [400, 200]
    finally:
        world.release()


def test_reload_that_was_lost(world: World) -> None:
    """With exit code 0 everywhere."""
    world.machine.sh(f"cp {KEYS}/before.crl {KEYS}/list.crl")
    tutorial = server(f"ssl_crl {KEYS}/list.crl;")
    world.tutorial(tutorial)
    world.machine.sh("systemd-run --quiet --collect --unit=squatter python3 -m http.server 9999; sleep 1")
    try:
        world.machine.sh(f"cp {KEYS}/after.crl {KEYS}/list.crl")
        world.write(tutorial + proxy(PASS, listen="9999"))
        world.machine.sh("nginx -t && nginx -s reload && systemctl reload nginx && sleep 4")
        assert world.status(who="revoked") == 200
        parts = world.changed("server", "fresh", crl=[{"content": world.text("after.crl")}])
        before = world.machine.current()
        done = world.machine.call(parts=parts, timeout_s=20)
        assert (done.get("failed"), world.machine.current()) == (True, before)
        assert "9999" in done["msg"]
    finally:
        world.machine.sh("systemctl stop squatter")
        world.tutorial(tutorial)
        world.release()
    assert world.status(who="revoked") == 400


@pytest.mark.parametrize("key", [V12, V13], ids=["TLS 1.2", "TLS 1.3"])
def test_session_outlives_the_revocation(world: World, key: dict[str, str]) -> None:
    world.machine.sh(f"cp {KEYS}/before.crl {KEYS}/list.crl")
    lines = f"ssl_session_cache shared:SSL:10m; ssl_session_tickets off; ssl_crl {KEYS}/list.crl;"
    world.tutorial(server(f"{lines} ssl_protocols TLSv1.2 TLSv1.3;"))
    revoke = f"cp {KEYS}/after.crl {KEYS}/list.crl; nginx -s reload; sleep 2"
    asked = {"who": "revoked", **key}
    again = {"how": "resume", **asked, "first": {"port": TLS, "sni": "t.test", **asked}}
    answer = world.ask(one={**again, "between": revoke})["one"]
    assert (answer["first"], answer["status"], answer["resumed"]) == (200, 200, True)
    assert world.status(**asked) == 400
    parts = world.changed("server", "kept", crl=[{"content": world.text("after.crl")}])
    given = {"base": "/etc/nginx/mtls", "parts": parts, "timeout_s": 20}
    world.machine.write("/lab/revoke.json", json.dumps(given))
    kept = ours("kept", 8442, **asked)
    call = "cd /lab && PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 python3 run.py </lab/revoke.json"
    try:
        found = world.ask(before={**again, **kept, "first": kept})["before"]
        assert (found["status"], found["resumed"]) == (200, True)
        found = world.ask(after={**again, **kept, "first": kept, "between": call})["after"]
        assert (found["first"], found["status"], found["resumed"]) == (200, 400, False)
    finally:
        world.release()


def test_key_by_variable(world: World) -> None:
    """By a name that the client gives; the worker reads it, and the worker is not root."""
    text = server().replace(f"{KEYS}/server.", f"{KEYS}/$ssl_server_name.").replace("t.test;", "named;")
    world.tutorial(text)
    assert world.tested()[0] == 0
    assert world.status(sni="named", who="b1") == "no answer"
    world.machine.sh(f"chmod 644 {KEYS}/named.key")
    assert world.status(sni="named", who="b1") == 200
    key = "/etc/nginx/mtls/current/server/credentials/server/privkey.pem"
    assert world.machine.sh(f"stat -L -c '%a %U' {key}") == "600 root"
    assert world.status(**ORDERS, who="b1") == 200


def test_key_made_before_its_mode(world: World) -> None:
    world.machine.write("/lab/opener.py", OPENER)

    def opened(pattern: str, command: str) -> str:
        return world.machine.sh(
            "rm -rf /run/opener*; install -d -o www-data /run/opener;"
            " setpriv --reuid=www-data --regid=www-data --clear-groups"
            f" python3 /lab/opener.py '{pattern}' >/run/opener.said & "
            f"until [ -e /run/opener/ready ]; do sleep 0.05; done; {{ {command}; }} >/dev/null 2>&1;"
            " touch /run/opener.stop; wait; cat /run/opener.said"
        )

    made = "rm -f /srv/tutorial.key; openssl genrsa 3072 >/srv/tutorial.key; chmod 600 /srv/tutorial.key"
    assert opened("/srv/*.key", f"umask 022; {made}") == "1"
    other = {"certificate_content": world.text("b2.pem"), "private_key_content": world.text("b2.key")}
    given = {"base": "/etc/nginx/mtls", "parts": world.changed("proxy", "b1", **other), "timeout_s": 20}
    world.machine.write("/lab/other.json", json.dumps(given))
    before = world.machine.current()
    call = "cd /lab && umask 022 && PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 python3 run.py </lab/other.json"
    try:
        assert opened("/etc/nginx/mtls/**/*key.pem", call) == "0"
        assert world.machine.current() != before
    finally:
        world.release()


def test_what_nginx_t_passes(world: World) -> None:
    """An expired certificate: nginx takes it, and nobody can speak to it any more."""
    world.tutorial(
        proxy(f"proxy_pass https://far.test:3443; proxy_ssl_server_name on; {VERIFIED}"), a=far("old")
    )
    assert world.tested()[0] == 0
    (answer,) = world.call({"port": PLAIN})
    assert answer["status"] == 502
    pair = {"certificate_content": world.text("old.pem"), "private_key_content": world.text("old.key")}
    assert "expiry.expired" in codes(world.refused(world.changed("server", "server", **pair)))


def test_der(world: World) -> None:
    world.machine.sh(f"openssl x509 -in {KEYS}/server.pem -outform der -out {KEYS}/server.der")
    world.write(server().replace("server.pem", "server.der"))
    assert world.tested()[0] == 1
    der = world.machine.sh(f"base64 -w0 {KEYS}/server.der")
    pair = {"certificate_content": der, "private_key_content": world.text("server.key")}
    world.tutorial(server())
    done = world.machine.call(parts=world.changed("server", "server", **pair), timeout_s=20)
    assert done.get("state") == "stable", done.get("msg")
    file = "/etc/nginx/mtls/current/server/credentials/server/fullchain.pem"
    assert world.machine.sh(f"head -n1 {file}") == "-----BEGIN CERTIFICATE-----"
    assert world.status(**ORDERS, who="b1") == 200


def test_rsa_check(world: World) -> None:
    world.tutorial(server())
    assert (
        world.machine.sh(
            f"openssl rsa -in {KEYS}/server.key -check -noout >/dev/null 2>&1 && echo good", False
        )
        == ""
    )
    assert world.status(who="b1") == 200
    assert world.machine.sh(f"openssl pkey -in {KEYS}/server.key -check -noout") == "Key is valid"
    (found,) = [one for one in world.done["credentials"] if one["name"] == "server"]
    assert found["findings"] == []


def test_suites(world: World) -> None:
    world.tutorial(server("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL:!MD5;"))
    asked = {"who": "b1", "ciphers": "ECDHE-ECDSA-AES128-SHA", **V12}
    assert world.status(**asked) == 200
    assert "HANDSHAKE_FAILURE" in world.ask(one={**ORDERS, **asked})["one"]["error"]


def test_debug_log(world: World) -> None:
    log = "/var/log/nginx/tutorial.log"
    asked = {"who": "forged", "headers": [["Authorization", "Bearer secret-of-the-caller"]]}
    world.tutorial(server(f"error_log {log};") + server(f"error_log {log}.debug debug;", port=TLS + 1))
    assert [world.status(**asked), world.status(**asked, port=TLS + 1)] == [400, 400]
    assert world.machine.sh(f"cat {log}") == ""
    assert "secret-of-the-caller" in world.machine.sh(f"cat {log}.debug")
    assert world.status(**ORDERS, **asked) == 400
    last = world.machine.sh("tail -n1 /var/log/nginx/mtls-orders.access.log")
    assert json.loads(last)["verify"].startswith("FAILED:")
    assert "secret-of-the-caller" not in world.machine.sh(
        "cat /var/log/nginx/mtls-*.log /var/log/nginx/error.log"
    )


# -- what the backend is told

CLAIM = [["X-SSL-Client-S-DN", B1]]


def test_header_that_nobody_sets(world: World) -> None:
    world.tutorial(server(location=f"{PASS} proxy_set_header X-SSL-Client-Verify $ssl_client_verify;"))
    answer = world.ask(one={"who": "b2", "headers": CLAIM})["one"]
    assert seen(answer) == {"X-SSL-Client-Verify": "SUCCESS", "X-SSL-Client-S-DN": B1}
    assert seen(world.ask(one={**ORDERS, "who": "b2", "headers": CLAIM})["one"])["X-SSL-Client-S-DN"] == B2


def test_headers_of_the_server_level(world: World) -> None:
    """One proxy_set_header in a location drops all of them."""
    world.tutorial(
        server(
            "proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;",
            location=f"{PASS} proxy_set_header Host $host;",
        )
    )
    asked = {"who": "b2", "headers": CLAIM}
    assert seen(world.ask(one=asked)["one"]) == {"X-SSL-Client-S-DN": B1}
    for path in ("/", "/more/"):
        answer = world.ask(one={**ORDERS, **asked, "path": path})["one"]
        assert seen(answer)["X-SSL-Client-S-DN"] == B2


def test_underscores(world: World) -> None:
    told = f"{PASS} proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;"
    world.tutorial("underscores_in_headers on;" + server(location=told))
    asked = {"who": "b2", "headers": [["X_SSL_Client_S_DN", B1]]}
    assert seen(world.ask(one=asked)["one"]) == {"X-SSL-Client-S-DN": B2, "X_SSL_Client_S_DN": B1}
    found = seen(world.ask(one={**ORDERS, **asked})["one"])
    assert (found["X-SSL-Client-S-DN"], "X_SSL_Client_S_DN" in found) == (B2, False)


def test_certificate_with_line_breaks(world: World) -> None:
    location = "proxy_pass http://127.0.0.1:8001; proxy_set_header X-SSL-Client-Cert $ssl_client_cert;"
    world.tutorial(server(location=location))
    assert world.status(who="b1") == 400
    answer = world.ask(one=ours("cert", 8446, who="b1"))["one"]
    assert (answer["status"], answer["body"][:30]) == (200, "-----BEGIN%20CERTIFICATE-----%")


# -- Server B


def test_proxy_ssl_verify(world: World) -> None:
    world.tutorial(proxy(f"proxy_pass https://far.test:3443; {CREDENTIAL}"), a=far("impostor"))
    secret = [["Authorization", "Bearer secret"]]
    theirs, here = world.call({"port": PLAIN, "headers": secret}, {**FAR, "headers": secret})
    assert (theirs["status"], theirs["body"].split("|")[-1]) == (200, "Bearer secret")
    assert here["status"] == 502
    world.tutorial("")
    assert [one["status"] for one in world.call(FAR)] == [200]


def test_proxy_ssl_server_name(world: World) -> None:
    lines = f"proxy_pass https://far.test:3443; {VERIFIED}"
    world.tutorial(proxy(lines) + proxy(f"{lines} proxy_ssl_server_name on;", f"127.0.0.1:{PLAIN + 1}"))
    assert [one["status"] for one in world.call({"port": PLAIN}, {"port": PLAIN + 1}, FAR)] == [502, 200, 200]


def test_name_of_an_upstream(world: World) -> None:
    # The good twin has an upstream of its own: with TLS 1.2 it would resume the session that the other began.
    pools = "".join(f"upstream {name} {{ server 127.0.0.1:3443; }}" for name in ("pool", "named"))
    lines = f"{VERIFIED} proxy_ssl_server_name on; proxy_pass https://"
    named = f"proxy_set_header Host far.test; proxy_ssl_name far.test; {lines}named;"
    world.tutorial(pools + proxy(f"{lines}pool;") + proxy(named, f"127.0.0.1:{PLAIN + 1}"))
    assert [one["status"] for one in world.call({"port": PLAIN}, {"port": PLAIN + 1}, FAR)] == [502, 200, 200]


def test_listen_on_every_address(world: World) -> None:
    location = f"proxy_pass https://far.test:3443; {VERIFIED} proxy_ssl_server_name on;"
    world.tutorial(proxy(location, str(PLAIN + 2)))
    (address,) = world.machine.sh("hostname -I").split()[:1]
    theirs, here = world.call({"port": PLAIN + 2, "host": address}, {**FAR, "host": address})
    assert theirs["body"].split("|")[0] == B1
    assert "ConnectionRefusedError" in here["error"]


def test_identities_share_an_upstream(world: World) -> None:
    """A sees the one that came first, by the session that it began."""
    locations = ""
    for name in ("b1", "b2"):
        lines = VERIFIED.replace("/b1.", f"/{name}.")
        locations += (
            f"location /{name} {{ proxy_pass https://far.test:3443; {lines} proxy_ssl_server_name on; }}"
        )
    world.tutorial(f"server {{ listen 127.0.0.1:{PLAIN}; {locations} }}")
    turns = [{"port": PLAIN, "path": path} for path in ("/b1", "/b2")] * 20
    theirs = [one["body"].split("|")[0] for one in world.call(*turns)]
    wrong = sum(told != wanted for told, wanted in zip(theirs, [B1, B2] * 20))
    print(world.version, f"{wrong} of 40 wrong")
    assert wrong > 0
    here = [one["body"].split("|")[0] for one in world.call(*[FAR, TWO] * 20)]
    assert here == [B1, B2] * 20


def test_two_certificates_in_a_file(world: World) -> None:
    lines = VERIFIED.replace("b1.pem", "both.pem")
    world.tutorial(proxy(f"proxy_pass https://far.test:3443; {lines} proxy_ssl_server_name on;"))
    assert world.tested()[0] == 0
    answers = world.call(*[{"port": PLAIN}] * 4, FAR, TWO)
    assert [one["body"].split("|")[0] for one in answers] == [B1] * 4 + [B1, B2]


def test_leaf_without_its_chain(world: World) -> None:
    """OpenSSL's own command finds the intermediates where nginx has them not."""
    a = far().replace("ssl_verify_client", "ssl_verify_depth 3; ssl_verify_client")
    lines = VERIFIED.replace("/b1.", "/deep.")
    world.tutorial(proxy(f"proxy_pass https://far.test:3443; {lines} proxy_ssl_server_name on;"), a=a)
    assert world.machine.sh(f"openssl verify -CAfile {KEYS}/deep-ca.pem {KEYS}/deep.pem").endswith("OK")
    assert world.tested()[0] == 0
    (answer,) = world.call({"port": PLAIN})
    assert answer["status"] == 400
    pair = {"certificate_content": world.text("deep.pem"), "private_key_content": world.text("deep.key")}
    done = world.refused(world.changed("proxy", "b1", **pair))
    assert "400" in done["msg"]
    whole = {**pair, "chain_content": world.text("deep-ca.pem")}
    done = world.machine.call(parts=world.changed("proxy", "b1", **whole), until="checked")
    assert done["state"] == "checked", done["msg"]


def test_connection_for_each_request(world: World) -> None:
    world.tutorial(proxy(f"proxy_pass https://far.test:3443; {VERIFIED} proxy_ssl_server_name on;"))
    theirs, here = world.call({"port": PLAIN, "times": 10}, {**FAR, "times": 10})
    found = [[one["body"].split("|")[1:3] for one in answers] for answers in (theirs, here)]
    connections = [len({number for number, _spoken in one}) for one in found]
    spoken = [{spoken for _number, spoken in one} for one in found]
    assert connections == [10, 1]
    assert spoken == [{"HTTP/1.1" if world.version >= (1, 30) else "HTTP/1.0"}, {"HTTP/1.1"}]

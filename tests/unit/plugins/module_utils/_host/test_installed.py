# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed and what is served: read as it is, and nothing is changed by looking."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import installed
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.probe import (
    Identity,
    Observation,
    Target,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.installations import (
    credential,
    install,
    listener,
    site,
)

DISK, OTHER = b"the leaf on disk", b"another leaf"
SERVER = credential("server", "server", fullchain=b"S", privkey=b"K", trust=b"T", crl=b"L")
PROBE = credential("server", "probe", fullchain=b"P", privkey=b"K")
CLIENT = credential("proxy", "client", fullchain=b"C", privkey=b"K", trust=b"T")

# As the role writes it, without what plays no part here.
OURS = b"""
map "$ssl_client_verify" $mtls_server_ours_probe { default 0; }
map "$ssl_client_verify" $mtls_server_ours_listed { default 1; }
map "$ssl_client_verify" $mtls_server_ours_issued { default 0; }
server {
    listen 443 ssl;
    listen [::]:8443 ssl;
    listen 80;
    server_name ours.test;
    ssl_verify_client on;
    ssl_protocols TLSv1.2;
    ssl_ecdh_curve X25519:P-256;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
}
"""


def break_the_letters(store: Store, live: str) -> None:
    for text in ("server/sites/a.conf.in", "proxy/listeners/l.conf.in"):
        path = Path(f"{store.directory(live)}/{text}")
        if path.parent.is_dir():
            path.write_bytes(b"server { # \xff")


@pytest.fixture(name="base")
def _base(tmp_path: Path) -> str:
    return str(tmp_path / "mtls")


def digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def tree(base: str) -> dict[str, Any]:
    return {
        os.path.join(folder, name): os.lstat(os.path.join(folder, name)).st_mtime_ns
        for folder, folders, names in os.walk(base)
        for name in [*folders, *names]
    }


class Asked:
    """Answers each question by *answer(target)* and records it."""

    def __init__(self, answer: Callable[[Target], Observation]) -> None:
        self.questions: list[tuple[Target, Optional[Identity]]] = []
        self._answer = answer

    def __call__(self, target: Target, identity: Optional[Identity], timeout_s: float) -> Observation:
        self.questions.append((target, identity))
        return self._answer(target)


def answered(body: str = "", served: bytes = b"", **more: Any) -> Callable[[Target], Observation]:
    seen = Observation(
        phase="done", status=200, body=body.encode(), served=[served] if served else [], **more
    )
    return lambda _target: seen


def served(found: installed.Installed, ask: Any) -> installed.Served:
    return installed.Served(found, lambda der: {"subject": f"CN={len(der)}", "not_after": "soon"}, ask)


def break_a_text(store: Store, live: str) -> None:
    Path(f"{store.directory(live)}/server/sites/a.conf.in").write_bytes(b"server {")


# -- on the disk


def test_a_bare_host(base: str) -> None:
    found = installed.look(base)
    assert found.facts == {
        "base": base, "exists": False, "release": None, "releases": [], "state": None, "parts": [],
        "sites": [], "routes": [], "pending": [], "next_run": "",
    }  # fmt: skip
    assert (found.findings, list(installed.specs(found)), os.path.exists(base)) == ([], [], False)


def test_an_installed_host(base: str) -> None:
    identity = install(base, SERVER, PROBE, CLIENT, site("orders", 443, "orders.test"), listener("1", 8080))
    before = tree(base)
    found = installed.look(base + "/")
    assert found.facts["release"] == identity and found.facts["releases"] == [identity]
    assert (found.facts["state"]["step"], found.facts["state"]["to"]) == ("stable", identity)
    assert (found.facts["parts"], found.facts["pending"], found.facts["next_run"]) == (
        ["server", "proxy"],
        [],
        "",
    )
    specs = {(part, spec["name"]): spec for part, spec in installed.specs(found)}
    assert list(specs) == [("server", "probe"), ("server", "server"), ("proxy", "client")]
    assert [spec["purpose"] for spec in specs.values()] == ["client", "server", "client"]
    one = specs["server", "server"]
    assert (one["certificate"], one["private_key"], one["hostnames"]) == (b"S", b"K", ["orders.test"])
    assert (one["peers_trust"], one["peers_crl"]) == (b"T", b"L")
    assert "trust" not in one  # it is for the clients' certificates, not for its own
    assert Path(one["certificate_place"]).read_bytes() == b"S"
    assert specs["server", "probe"]["peers_trust"] is None
    assert tree(base) == before and not os.path.exists(f"{base}/.lock")


@pytest.mark.parametrize(("whole", "live"), [(True, False), (False, False), (True, True)])
def test_what_is_prepared(base: str, whole: bool, live: bool) -> None:
    """Only what is its own; nothing where it is live by now, or not what was written."""
    now = install(base, SERVER, PROBE, CLIENT, site("orders", 443, "orders.test"))
    new = credential("server", "server", fullchain=b"NEW", privkey=b"K", trust=b"T")
    waits = install(base, new, PROBE, CLIENT, site("orders", 443, "orders.test"))
    store = Store(base)
    assert installed.prepared(installed.look(base)) is None
    store.switch(waits if live else now)
    own = ("server/credentials/server", "server/sites/orders.conf")
    store.write_state(State("stable", "empty", waits if live else now, prepared=waits, own=own))
    if not whole:
        Path(f"{store.directory(waits)}/server/credentials/server/fullchain.pem").write_bytes(b"?")
    found = installed.prepared(installed.look(base))
    if live or not whole:
        assert found is None
        return
    assert found is not None and found.facts == {"own": [("server", "server")]}
    specs = {(part, spec["name"]): spec for part, spec in installed.specs(found)}
    assert specs["server", "server"]["certificate"] == b"NEW"
    assert specs["server", "server"]["hostnames"] == ["orders.test"]


def test_sites_and_routes_are_told_by_their_texts(base: str) -> None:
    routes = {
        f"proxy/routes/{name}.conf": f"upstream {name} {{ server {servers}; }}".encode()
        for name, servers in (("orders", "a1:443 max_fails=0; server [2001:db8::1]:8443"), ("unused", "a9:1"))
    }
    ours = {"server/sites/ours.conf": OURS}
    install(
        base, SERVER, CLIENT, site("orders", 443, "orders.test"), ours, listener("1", 8080, "client"), routes
    )
    facts = installed.look(base).facts
    assert facts["routes"] == [
        {
            "name": "orders",
            # Without a proxy_ssl_name nginx asks for the upstream's.
            "server_name": "orders",
            "credential": "client",
            "servers": ["a1:443", "[2001:db8::1]:8443"],
        }
    ]
    foreign, own = facts["sites"]
    assert foreign == {
        "name": "orders",
        "server_names": ["orders.test"],
        "listen": ["127.0.0.1:443"],
        "credential": "server",
        "verify": "off",
        "protocols": [],
        "curves": [],
        "allow": None,  # the text is not the role's, so who is let in is not known
        "probes": [],
    }
    assert (own["protocols"], own["curves"]) == (["TLSv1.2"], ["X25519", "P-256"])
    assert (own["name"], own["listen"], own["verify"], own["allow"]) == (
        "ours",
        ["*:443", "[::]:8443"],
        "on",
        [],
    )


def test_what_is_public_of_a_credential_has_no_key(base: str) -> None:
    tls_conf = {"server/credentials/server/tls.conf": b"ssl_verify_depth 3;\n"}
    install(base, SERVER, tls_conf, PROBE)
    found = installed.look(base)
    expected = {"certificate": "S", "trust": "T", "crl": "L", "verify_depth": 3}
    assert installed.public(found, "server", "server") == expected
    install(base, PROBE, {"server/credentials/probe/tls.conf": b"ssl_verify_depth many;"})
    expected = {"certificate": "P", "trust": None, "crl": None, "verify_depth": None}
    assert installed.public(installed.look(base), "server", "probe") == expected


def test_pending_keys_are_named(base: str) -> None:
    install(base, SERVER)
    os.makedirs(f"{base}/pending/proxy/client")
    assert installed.look(base).facts["pending"] == ["proxy/client"]


@pytest.mark.parametrize(
    ("mess", "words"),
    [
        (lambda store, live: None, ""),
        (lambda store, live: os.unlink(f"{store.base}/state.json"), "state.json is missing"),
        (lambda store, live: store.write_state(State("switched", "empty", live)), "stopped at 'switched'"),
        (lambda store, live: os.unlink(store.link), "current leads nowhere"),
        (lambda store, live: store.remove(live), "current leads nowhere"),
        (lambda store, live: Path(f"{store.base}/state.json").write_text("[" * 9000), "state.json"),
        (break_a_text, "is not what was written"),
        (break_the_letters, "is not what was written"),
    ],
)
def test_what_a_run_has_left_is_told(base: str, mess: Callable[[Store, str], None], words: str) -> None:
    live = install(base, SERVER, site("a", 443, "a.test"))
    mess(Store(base), live)
    found = installed.look(base)
    assert words in found.facts["next_run"] and bool(found.facts["next_run"]) is bool(words)
    list(installed.specs(found))
    assert found.findings == []


def test_the_directory_alone_is_a_bare_host(base: str) -> None:
    os.makedirs(base)
    found = installed.look(base)
    assert (found.facts["exists"], found.facts["release"], found.facts["next_run"]) == (True, None, "")


@pytest.mark.parametrize("lost, slot", [("fullchain", "certificate"), ("privkey", "private_key")])
def test_a_lost_file_is_told(base: str, lost: str, slot: str) -> None:
    live = install(base, SERVER, PROBE, CLIENT, site("a", 443, "a.example.com"), listener("l", 8080))
    path = f"{Store(base).directory(live)}/server/credentials/server/{lost}.pem"
    os.unlink(path)
    for part, spec in installed.specs(installed.look(base)):
        for each in ("certificate", "private_key"):
            finding = spec[each]
            if (part, spec["name"], each) == ("server", "server", slot):
                assert (finding.code, finding.place) == ("file.missing", path)
            else:
                assert isinstance(finding, bytes)


def test_who_may_not_read_is_told(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(base, SERVER)

    def refused(_self: Store) -> list[str]:
        raise PermissionError(13, "Permission denied", f"{base}/releases")

    monkeypatch.setattr(Store, "names", refused)
    found = installed.look(base)
    (finding,) = found.findings
    assert (finding.code, finding.place) == ("file.unreadable", f"{base}/releases")
    assert found.facts["release"] is None


def test_a_switch_meanwhile_is_read_again(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = install(base, SERVER)
    second = install(base, CLIENT)
    links = iter([first, second, second, second])
    monkeypatch.setattr(Store, "current", lambda _self: next(links))
    found = installed.look(base)
    assert found.facts["release"] == second and found.facts["parts"] == ["proxy"]


# -- what is served


def test_the_same_certificate_and_release(base: str) -> None:
    live = install(base, SERVER, PROBE, site("orders", 8443, "orders.test"))
    ask = Asked(answered(f"{live} SUCCESS", DISK))
    rows, findings = served(installed.look(base), ask).of("server", "server", digest(DISK))
    assert rows == [
        {
            "address": "127.0.0.1:8443", "server_name": "orders.test", "release": live,
            "sha256": digest(DISK), "subject": "CN=16", "not_after": "soon", "error": "",
        }
    ]  # fmt: skip
    assert findings == []
    ((target, identity),) = ask.questions
    assert (target.path, target.http_host, target.tls) == ("/.mtls/probe", "orders.test", True)
    assert identity is not None and identity.private_key_path.endswith("server/credentials/probe/privkey.pem")


@pytest.mark.parametrize(
    ("body", "leaf", "words"),
    [
        ("{live} SUCCESS", OTHER, "on disk is"),
        ("0123456789abcdef SUCCESS", DISK, "runs release 0123456789abcdef"),
        ("0123456789abcdef SUCCESS", OTHER, "on disk is"),
        ("no word of a release", DISK, ""),
        ("", DISK, ""),
    ],
)
def test_a_difference_is_a_finding(base: str, body: str, leaf: bytes, words: str) -> None:
    live = install(base, SERVER, site("orders", 8443, "orders.test"))
    ask = Asked(answered(body.format(live=live), leaf))
    _rows, findings = served(installed.look(base), ask).of("server", "server", digest(DISK))
    assert [finding.code for finding in findings] == ["endpoint.served_differs_from_file"] * bool(words)
    for finding in findings:
        assert words in finding.message and finding.place == "127.0.0.1:8443"


def test_an_unreadable_file_differs_from_nothing(base: str) -> None:
    install(base, SERVER, site("orders", 8443, "orders.test"))
    found = served(installed.look(base), Asked(answered("", DISK)))
    assert found.of("server", "server", "")[1] == []


def test_each_site_of_the_credential_and_no_other(base: str) -> None:
    install(
        base, SERVER, credential("server", "second", fullchain=b"2", privkey=b"K"),
        site("a", 443, "a.test"), site("b", 443, "b.test"), site("c", 444, "c.test", "second"),
    )  # fmt: skip
    found = served(installed.look(base), Asked(answered("", DISK)))
    names = {
        name: [row["server_name"] for row in found.of("server", name, "")[0]] for name in ("server", "second")
    }
    assert names == {"server": ["a.test", "b.test"], "second": ["c.test"]}
    assert found.of("server", "probe", "") == ([], [])


def test_a_listener_of_b_tells_its_release(base: str) -> None:
    live = install(base, CLIENT, listener("1", 8080))
    ask = Asked(answered(live))
    rows, findings = served(installed.look(base), ask).of("proxy", "client", digest(DISK))
    (row,) = rows
    assert (row["address"], row["release"], row["sha256"]) == ("127.0.0.1:8080", live, None)
    assert findings == [] and not ask.questions[0][0].tls and ask.questions[0][1] is None
    old = served(installed.look(base), Asked(answered("0123456789abcdef")))
    assert len(old.of("proxy", "client", digest(DISK))[1]) == 1


def test_nobody_answers(base: str) -> None:
    install(base, SERVER, site("a", 443, "a.test"))
    ask = Asked(lambda _target: Observation(phase="connect", error="Connection refused"))
    (row,), findings = served(installed.look(base), ask).of("server", "server", digest(DISK))
    assert (row["error"], row["sha256"], findings) == ("Connection refused", None, [])


def test_a_silent_address_is_waited_for_once(base: str) -> None:
    install(base, SERVER, *[site(f"s{n}", 443, f"{n}.test") for n in range(9)], site("z", 444, "z.test"))
    ask = Asked(lambda _target: Observation(phase="handshake", error="no end within 3 s", timed_out=True))
    rows, _findings = served(installed.look(base), ask).of("server", "server", "")
    assert (len(rows), len(ask.questions)) == (10, 2)


def test_a_probe_identity_that_cannot_be_loaded_hides_no_certificate(base: str) -> None:
    install(base, SERVER, PROBE, site("a", 443, "a.test"))
    asked: list[Optional[Identity]] = []

    def ask(target: Target, identity: Optional[Identity], timeout_s: float) -> Observation:
        asked.append(identity)
        if identity is not None:
            raise MtlsError("The private key is encrypted.")
        return Observation(phase="done", status=400, served=[DISK])

    (row,), _findings = served(installed.look(base), ask).of("server", "server", digest(DISK))
    assert (row["sha256"], row["release"], len(asked)) == (digest(DISK), None, 2)

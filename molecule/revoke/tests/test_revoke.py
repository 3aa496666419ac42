# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""revoke.yml on real hosts: who is revoked is refused, all others are not, and lists are renewed in time."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ca_scene import unreachable
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from live import reload_nginx
from page import Page
from pki import Authority
from scene import BASE, CALLER, Scene

A, B, C, STRANGER = "a.example.com", "b.example.com", "c.example.com", "stranger.example.com"
PAGE = Page("revocation.md")
HOST_B = PAGE.arguments("revoke -e revoke_host=b.example.com")
OWN = f"{BASE}/current/proxy/credentials/client"
# A client with connections of each version of TLS, which lets nginx wait for it until it is told to go on:
# {"TLSv1.2 kept": "200", …}. What it sends meanwhile keeps nginx from ending a request as too slow.
HOLD = f"""
import http.client, json, socket, ssl, sys, threading, time
BODY = 1000

def connect(context, session=None):
    held = http.client.HTTPConnection("orders.example.com", timeout=20)
    raw = socket.create_connection(("{A}", 443), timeout=20)
    held.sock = context.wrap_socket(raw, server_hostname="orders.example.com", session=session)
    held.auto_open = 0
    return held

def told(ask):
    try:
        answer = ask()
        answer.read()
        return str(answer.status)
    except (OSError, http.client.HTTPException) as fault:
        return "closed"

def get(held):
    held.request("GET", "/")
    return held.getresponse()

def rest(held, sent):
    held.send(b"x" * (BODY - sent[0]))
    return held.getresponse()

held, open_ = {{}}, True
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.create_default_context(cafile="{OWN}/trust.pem")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain("{OWN}/fullchain.pem", "{OWN}/privkey.pem")
    silent, kept, sending = (connect(context) for _ in range(3))
    assert told(lambda: get(kept)) == "200"
    session = kept.sock.session
    sending.putrequest("POST", "/")
    sending.putheader("Content-Length", str(BODY))
    sending.endheaders(b"x")
    held[kept.sock.version()] = context, session, silent, kept, sending, [1]

def trickle():
    while open_:
        time.sleep(2)
        for *_, sending, sent in held.values():
            try:
                sending.send(b"x")
                sent[0] += 1
            except OSError:
                pass

threading.Thread(target=trickle, daemon=True).start()
print("open", flush=True)
sys.stdin.readline()
open_ = False
time.sleep(2.5)
said = {{}}
for version, (context, session, silent, kept, sending, sent) in held.items():
    said[version + " silent"] = told(lambda: get(silent))
    said[version + " kept"] = told(lambda: get(kept))
    said[version + " sending"] = told(lambda: rest(sending, sent))
    said[version + " resumed"] = told(lambda: get(connect(context, session)))
    said[version + " fresh"] = told(lambda: get(connect(context)))
print(json.dumps(said))
"""
VERSIONS = ("TLSv1.2", "TLSv1.3")


def play(scene: Scene, name: str, *arguments: str) -> tuple[int, str]:
    code, output = scene.ansible("ansible-playbook", f"mutual_tls.nginx.{name}", *arguments)
    return code, " ".join(output.split())


def snapshots(scene: Scene) -> list[str]:
    return [scene.snapshot(host) for host in "abc"]


def by_b(scene: Scene) -> int:
    """The status that a caller of B gets."""
    status: int = scene.lab.ask(B, host="127.0.0.1", port=8080, tls=False)["status"]
    return status


def by_c(scene: Scene) -> int:
    status: int = scene.lab.ask(C, host="127.0.0.1", port=8080, tls=False)["status"]
    return status


def directly(scene: Scene, asker: str, **pair: str) -> list[int]:
    """What both A say to a client, past any B."""
    asked = [
        {"host": host, "sni": sni, **pair}
        for host, sni in ((A, "orders.example.com"), (C, "stock.example.com"))
    ]
    return [one["status"] for one in scene.lab.ask_all(asker, asked)]


def as_b(scene: Scene) -> list[int]:
    return directly(scene, B, certificate=f"{OWN}/fullchain.pem", key=f"{OWN}/privkey.pem")


def serial_of_b(scene: Scene) -> str:
    told = scene.run("b", f"openssl x509 -in {OWN}/fullchain.pem -noout -serial")
    return told.strip().partition("=")[2]


def let_in_again(scene: Scene) -> None:
    again = PAGE.arguments("rotate -e rotate_hosts=b.example.com -e rotate_force=true")
    code, output = play(scene, "rotate", *again)
    assert code == 0, output
    assert (by_b(scene), as_b(scene)) == (200, [200, 200])


@pytest.fixture(name="admitted")
def _admitted(scene: Scene) -> Iterator[None]:
    """B is let in before the test, and after it."""
    if by_b(scene) != 200:
        let_in_again(scene)
    yield
    let_in_again(scene)


def crl(
    by: Authority, *revoked: int, start: timedelta = timedelta(hours=-1), end: timedelta = timedelta(days=9)
) -> str:
    now = datetime.now(timezone.utc)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(now + start)
        .next_update(now + end)
        .add_extension(x509.CRLNumber(int(time.time())), critical=False)
        .add_extension(identifier, critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now + start)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_host_is_revoked_and_refused_everywhere(scene):
    assert (by_b(scene), as_b(scene)) == (200, [200, 200])
    given = PAGE.arguments("revoke -e revoke_host=b.example.com -e revoke_expected_hosts=12", {"=12": "=3"})
    code, output = play(scene, "revoke", *given, "-v")
    assert code == 0, output
    assert f"owner {B} proxy/client" in output
    assert "3 of 3 hosts done" in output
    # The host's own B, and its certificate in anybody's hands.
    assert (by_b(scene), as_b(scene)) == (400, [400, 400])
    # All others.
    assert by_c(scene) == 200
    assert directly(scene, STRANGER, **CALLER) == [200, 200]
    # Each A was asked by a revoked client of its own, newly and with a session; and that one is gone.
    said = " ".join(output.split())
    rows = re.findall(r"probe: (revoked probe-revoked\b.*?) target: (.+?) verdict: (\w+)", said)  # as YAML
    rows += [
        (one["probe"], one["target"], one["verdict"])
        for one in map(json.loads, re.findall(r"\{[^{}]*revoked probe-revoked[^{}]*\}", output))  # or JSON
    ]
    assert {row[2] for row in rows} == {"ok"}, output
    assert len({row[0] for row in rows}) == 2
    for host in "ac":
        assert scene.run(host, f"find {BASE} -name 'probe-revoked*'") == ""

    before = snapshots(scene)
    lists = (scene.project / "private_ca" / "generations" / "1" / "root-crl.pem").read_bytes()
    code, output = play(scene, "revoke", *HOST_B)
    assert code == 0, output
    assert "3 hosts: 3 fresh" in output
    assert "changed=0" in output
    assert not re.search(r"changed=[1-9]", output)
    assert snapshots(scene) == before
    assert (scene.project / "private_ca" / "generations" / "1" / "root-crl.pem").read_bytes() == lists


@pytest.mark.whole
def test_who_is_revoked_is_let_in_again_by_force_only(scene):
    if by_b(scene) == 200:
        assert play(scene, "revoke", *HOST_B)[0] == 0
    before = serial_of_b(scene)
    code, output = play(scene, "rotate", "-e", "rotate_min_days=90", "-e", f"rotate_hosts={B}")
    assert code == 0, output
    assert "it is revoked, and gets a new one by rotate_force only" in output
    assert (serial_of_b(scene), by_b(scene)) == (before, 400)
    let_in_again(scene)
    assert serial_of_b(scene) != before


@pytest.fixture(name="inventory")
def _inventory(scene: Scene) -> Iterator[Any]:
    """inventory(a): more variables for a."""
    path = scene.project / "more.yml"

    def write(variables: dict[str, Any]) -> tuple[str, str]:
        path.write_text(json.dumps({"all": {"hosts": {A: variables}}}))
        return "-i", "more.yml"

    yield write
    path.unlink(missing_ok=True)


def with_list(path: Path) -> dict[str, Any]:
    return {"mtls_server_credentials": [{"name": "server", "crl": [{"src": str(path)}]}]}


@pytest.mark.whole
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (f"revoke_host={A}", "Replace it first"),
        ("revoke_host=nobody.example.com", "is not in issued.jsonl"),
        ("revoke_serial=0BADBADBAD", "is not in issued.jsonl"),
        ("revoke_crl=pki/nobodys.crl", "Add the line `crl: [{src:"),
        ("revoke_hosts=b", "There is no such option"),
        (f"revoke_host={B} revoke_expected_hosts=4", "4 hosts are expected"),
        (f"revoke_host={B} revoke_expected_hosts=3 awx_job_slice_count=2", "This job is a slice"),
        ("other=1", "Nobody is named"),
    ],
)
def test_what_cannot_be_revoked_changes_nothing(scene, given, says):
    before = snapshots(scene), sorted((scene.project / "private_ca").rglob("*"))
    code, output = play(scene, "revoke", "-e", given)
    assert code != 0
    assert says in output
    assert (snapshots(scene), sorted((scene.project / "private_ca").rglob("*"))) == before


@pytest.mark.whole
@pytest.mark.parametrize(
    ("made", "says"),
    [("another CA", "mtls CA 1"), ("ended", "has ended"), ("none", "cannot be read")],
)
def test_a_list_that_would_refuse_everybody_is_not_installed(scene, inventory, made, says):
    """Its twin is below."""
    path = scene.pki / "partner.crl"
    path.write_text(
        {
            "another CA": crl(scene.legacy()),
            "ended": crl(scene.authority(), start=timedelta(days=-9), end=timedelta(hours=-1)),
            "none": "nothing\n",
        }[made]
    )
    before = snapshots(scene)
    code, output = play(scene, "revoke", *inventory(with_list(path)), "-e", f"revoke_crl={path}")
    assert code != 0
    assert "Revoking may not begin. No host was changed." in output
    assert says in output or made != "another CA"
    assert snapshots(scene) == before
    assert by_b(scene) == 200


@pytest.mark.whole
def test_a_list_of_another_issuer(scene, inventory):
    """The caller is revoked by it on a, and on no other host."""
    caller = x509.load_pem_x509_certificate((scene.pki / "caller.pem").read_bytes())
    path = scene.pki / "partner.crl"
    path.write_text(crl(scene.authority(), caller.serial_number))
    more = inventory(with_list(path))
    try:
        code, output = play(scene, "revoke", *more, *PAGE.arguments("revoke -e revoke_crl=pki/partner.crl"))
        assert code == 0, output
        assert directly(scene, STRANGER, **CALLER) == [400, 200]
        assert (by_b(scene), by_c(scene)) == (200, 200)
        # A file that is due and has not changed.
        path.write_text(crl(scene.authority(), start=timedelta(days=-6), end=timedelta(days=2)))
        assert play(scene, "rotate", *more)[0] == 0
        assert directly(scene, STRANGER, **CALLER) == [200, 200]
        code, output = play(scene, "rotate", *more)
        assert code != 0
        assert f"{path} still holds what is live. Put the new list there, and run again." in output
    finally:
        code, output = play(scene, "rotate", *PAGE.arguments("rotate"))
    assert code == 0, output
    assert directly(scene, STRANGER, **CALLER) == [200, 200]


@contextlib.contextmanager
def holding(scene: Scene) -> Iterator[Any]:
    """Connections from B to a with B's certificate, which stay open until the function is called. It tells
    what came of each, and of a new one and one with a session from before."""
    command = ["podman", "exec", "--interactive", scene.lab.container(B), "python3", "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "open\n"

        def say() -> dict[str, str]:
            said: dict[str, str] = json.loads(running.communicate("\n", timeout=120)[0])
            assert len(said) == 5 * len(VERSIONS)
            return said

        yield say


@contextlib.contextmanager
def users_timeout(scene: Scene, time: str) -> Iterator[None]:
    """The user's own worker_shutdown_timeout in a's nginx.conf."""
    ours = "/etc/nginx/modules-enabled/mtls.conf"
    scene.run(
        "a", f"mv {ours} /root/ours.conf; sed -i '1i worker_shutdown_timeout {time};' /etc/nginx/nginx.conf"
    )
    reload_nginx(scene.hosts["a"])
    try:
        yield
    finally:
        scene.run(
            "a", f"sed -i '/^worker_shutdown_timeout/d' /etc/nginx/nginx.conf; mv /root/ours.conf {ours}"
        )
        reload_nginx(scene.hosts["a"])


@pytest.mark.whole
@pytest.mark.usefixtures("admitted")
def test_fresh_resumed_and_over_a_connection_from_before(scene):
    told = scene.run("b", f"openssl x509 -in {OWN}/fullchain.pem -noout -fingerprint -sha256")
    sha256 = told.strip().partition("=")[2]
    given = PAGE.arguments("revoke -e revoke_sha256=9f86d0…", {"9f86d0…": sha256})
    dry = PAGE.arguments("revoke -e revoke_host=b.example.com -e rotate_dry_run=true")
    before = snapshots(scene)
    with users_timeout(scene, "15s"):
        # Its twin: nobody is revoked, and all of them work.
        with holding(scene) as say:
            code, output = play(scene, "revoke", *dry)
            assert code == 0, output
            assert f"owner {B} proxy/client" in output
            assert set(say().values()) == {"200"}
        with holding(scene) as say:
            code, output = play(scene, "revoke", *given)
            assert code == 0, output
            assert "no connection from before is open, nginx ends them after 15 s" in output
            said = say()
        for version in VERSIONS:
            assert {said[f"{version} {how}"] for how in ("fresh", "resumed")} == {"400"}, said
            assert {said[f"{version} {how}"] for how in ("silent", "kept", "sending")} == {"closed"}, said
        assert directly(scene, STRANGER, **CALLER) == [200, 200]
    assert snapshots(scene) != before


@pytest.mark.whole
@pytest.mark.usefixtures("admitted")
def test_a_connection_that_nginx_would_not_end(scene):
    """All hosts have the list, and the one that goes on serving by the old one is named until it does not."""
    serial = serial_of_b(scene)
    given = ("-e", f"revoke_serial={serial}", "-e", "__nginx_mtls_longest_s=10")
    with users_timeout(scene, "20m"):
        with holding(scene) as say:
            for dummy in range(2):
                code, output = play(scene, "revoke", *given)
                assert code != 0
                assert f"1 host is not done: {A}. {A}: failed: It has the list, and an old worker" in output
                assert as_b(scene) == [400, 400]
            # It was true.
            assert say()["TLSv1.3 sending"] == "200"
        code, output = play(scene, "revoke", *given)
        assert code == 0, output


@pytest.mark.whole
@pytest.mark.usefixtures("admitted")
def test_a_host_that_is_away_is_named_and_keeps_nobody_waiting(scene):
    given = PAGE.arguments("revoke -e revoke_serial=0A1B,0C2D", {"0A1B,0C2D": serial_of_b(scene)})
    with unreachable(scene, "c"):
        code, output = play(scene, "revoke", *given)
        assert code != 0
        assert "c.example.com: UNREAD:" in output
        assert "It still admits who is revoked." in output
        assert as_b(scene) == [400, 200]
        assert by_b(scene) == 400
    code, output = play(scene, "revoke", *given)
    assert code == 0, output
    assert as_b(scene) == [400, 400]


@pytest.mark.whole
@pytest.mark.usefixtures("admitted")
def test_a_server_that_is_down_keeps_no_list_from_who_asks_it(scene):
    """The whole host is; b asks it, and so does c, which is a Server A itself."""
    given = HOST_B
    with unreachable(scene, "a"):
        scene.run("a", "systemctl stop nginx")
        try:
            code, output = play(scene, "revoke", *given)
        finally:
            scene.run("a", "systemctl start nginx")
    assert code != 0
    assert "1 host is not done: a.example.com." in output
    assert "It still admits who is revoked." in output
    assert as_b(scene) == [200, 400]
    code, output = play(scene, "revoke", *given)
    assert code == 0, output
    assert as_b(scene) == [400, 400]


@contextlib.contextmanager
def lost(scene: Scene, name: str, after: str) -> Iterator[None]:
    """A host is there, and gone as soon as another one has its new release."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        before = scene.live(after)

        def wait() -> None:
            while scene.live(after) == before:
                time.sleep(0.2)
            stack.enter_context(unreachable(scene, name))

        waiting = pool.submit(wait)
        yield
        waiting.result(timeout=1)


@pytest.mark.whole
@pytest.mark.usefixtures("admitted")
def test_a_host_that_is_lost_on_the_way_is_named_and_the_others_go_on(scene):
    given = HOST_B
    b_before, c_before = scene.live("b"), scene.live("c")
    with lost(scene, "c", after="a"):
        code, output = play(scene, "revoke", *given)
        assert code != 0
        assert "not done, and nobody waits for it: c.example.com" in output
        assert "1 host is not done: c.example.com. c.example.com: unreachable:" in output
        assert "It may still admit who is revoked." in output
        assert (as_b(scene), by_b(scene), by_c(scene)) == ([400, 200], 400, 200)
        # Behind c, and done.
        assert (scene.live("b") != b_before, scene.live("c")) == (True, c_before)
    code, output = play(scene, "revoke", *given)
    assert code == 0, output
    assert as_b(scene) == [400, 400]


@pytest.mark.whole
def test_a_list_that_breaks_a_host_does_not_spread(scene):
    """The twin of the one above: a's own probe would be refused by it, and no other host gets it."""
    path = scene.pki / "partner.crl"
    probe = scene.run(
        "a", f"openssl x509 -in {BASE}/current/server/credentials/probe/fullchain.pem -noout -serial"
    )
    path.write_text(crl(scene.authority(), int(probe.strip().partition("=")[2], 16)))
    more = scene.project / "more.yml"
    more.write_text(json.dumps({"all": {"hosts": {host: with_list(path) for host in (A, C)}}}))
    before = snapshots(scene)
    try:
        code, output = play(scene, "revoke", "-i", "more.yml", "-e", f"revoke_crl={path}")
    finally:
        more.unlink()
    assert code != 0
    assert f"the run stops after {A}" in output
    assert f"1 host is not done: {A}. {A}: failed:" in output
    assert "certificate revoked" in output
    assert "not reached" in output
    assert (by_b(scene), as_b(scene)) == (200, [200, 200])
    assert snapshots(scene)[1:] == before[1:]
    assert play(scene, "rotate")[0] == 0


@pytest.mark.whole
def test_lists_that_have_ended_are_renewed(scene):
    """All is refused while they have, and rotate.yml mends it."""
    end = timedelta(seconds=100)
    text = crl(scene.authority(), end=end)
    since = time.monotonic()
    for host, part, others in (("a", "server", ["probe"]), ("b", "proxy", []), ("c", "server", ["probe"])):
        name = "server" if part == "server" else "client"
        listed = [{"name": name, "crl": [{"content": text}]}, *({"name": one} for one in others)]
        scene.change(host, {part: {"credentials": listed}})
    time.sleep(max(0, end.total_seconds() + 1 - (time.monotonic() - since)))
    assert directly(scene, STRANGER, **CALLER) == [400, 400]
    assert by_b(scene) in (400, 502)
    dry = play(scene, "rotate", "-e", "rotate_dry_run=true")[1]
    assert "has ended, and every client of it is refused" in dry
    assert directly(scene, STRANGER, **CALLER) == [400, 400]
    code, output = play(scene, "rotate")
    assert code == 0, output
    assert "server/server crl" in output
    assert directly(scene, STRANGER, **CALLER) == [200, 200]
    assert (by_b(scene), by_c(scene)) == (200, 200)
    assert "3 hosts have nothing that is due" in play(scene, "rotate")[1]

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`audit.yml` as a person runs it: a host that nobody manages, one without an answer, no variable of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
#: A name that Ansible must not read as a template, and a browser not as HTML.
SUBJECT = "/CN={{ 7*7 }}<b>legacy"
TLS = "/etc/ssl/own"
CONF = "/etc/nginx/conf.d/own.conf"
BLOCK = f"""server {{
    listen 443 ssl;
    server_name legacy.example.com;
    ssl_certificate {TLS}/c.pem;
    ssl_certificate_key {TLS}/k.pem;
    location / {{ return 204; }}
}}
"""


class Audit:
    """One run: *code* and *text* of ansible-playbook, *found* is audit.json."""

    def __init__(self, folder: Path, host: Any, *options: str) -> None:
        connection = {"ansible_connection": "containers.podman.podman"}
        python = {"ansible_python_interpreter": "/usr/bin/python3"}
        hosts = {
            "legacy": {**connection, **python, "ansible_host": host.container},
            "down": {**connection, **python, "ansible_host": f"{host.container}-none"},
        }
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [program, "-i", "inventory.json", "mutual_tls.nginx.audit", *options]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache")}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        self.code, self.text = done.returncode, done.stdout + done.stderr
        self.folder = folder / "audit"
        path = self.folder / "audit.json"
        self.found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def host(self, name: str) -> dict[str, Any]:
        (found,) = (one for one in self.found["hosts"] if one["name"] == name)
        return dict(found)


@pytest.fixture(scope="module")
def legacy(machine: Any) -> Iterator[Any]:
    """A host as somebody else has set it up."""
    machine.reset()
    machine.sh(
        f"""
        mkdir -p {TLS}; cd {TLS}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 20 \
            -keyout k.pem -out c.pem -subj '{SUBJECT}' -addext subjectAltName=DNS:legacy.example.com 2>&1
        """
    )
    machine.write(CONF, BLOCK)
    machine.sh("nginx -t 2>&1 && systemctl reload nginx; sleep 1")
    yield machine
    machine.reset()
    machine.sh(f"rm -rf {TLS}")


@pytest.fixture(scope="module")
def audit(legacy: Any, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return Audit(tmp_path_factory.mktemp("audit"), legacy)


def test_a_host_that_nobody_manages_has_its_row(audit: Audit) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(audit.found)
    found = audit.host("legacy")
    assert (found["state"], found["release"]) == ("read", None)
    (leaf,) = found["certificates"]
    assert leaf["common_name"] == "{{ 7*7 }}<b>legacy"
    assert (leaf["path"], leaf["used_by"]) == (f"{TLS}/c.pem", ["server legacy.example.com"])
    served = {(one["server_name"], one["sha256"], one["differs"]) for one in found["served"] if one["sha256"]}
    assert served == {("legacy.example.com", leaf["sha256"], False)}


def test_a_host_without_an_answer_has_its_row_and_fails_the_run(audit: Audit) -> None:
    assert audit.host("down")["state"] == "unreachable"
    assert audit.code == 2
    assert "down: audit.unreachable: The host could not be reached" in audit.text


def test_all_files_are_there_and_none_of_a_half(audit: Audit) -> None:
    assert sorted(one.name for one in audit.folder.iterdir()) == ["audit.html", "audit.json", "mtls.prom"]
    text = (audit.folder / "mtls.prom").read_text(encoding="utf-8")
    assert 'subject_CN="{{ 7*7 }}<b>legacy"' in text
    assert 'mtls_audit_read_error{host="down"} 1\nmtls_audit_read_error{host="legacy"} 0\n' in text
    page = (audit.folder / "audit.html").read_text(encoding="utf-8")
    assert "{{ 7*7 }}" in page and "<b>legacy" not in page


def test_the_run_ends_well_where_nothing_makes_it_fail(legacy: Any, tmp_path: Path) -> None:
    options = "-e audit_fail_on=never -e audit_formats=json --check".split()
    run = Audit(tmp_path, legacy, *options)
    assert run.code == 0, run.text
    assert [one.name for one in run.folder.iterdir()] == ["audit.json"]


def test_what_is_served_otherwise_than_on_disk(legacy: Any, tmp_path: Path) -> None:
    """A certificate that was replaced, and nginx not reloaded."""
    renew = "openssl x509 -in old.pem -signkey k.pem -days 30 -out c.pem"
    legacy.sh(f"cd {TLS}; mv c.pem old.pem; {renew} 2>&1")
    try:
        run = Audit(tmp_path, legacy, "--limit", "legacy", "-e", "audit_fail_on=warning")
        assert [one["differs"] for one in run.host("legacy")["served"] if one["sha256"]] == [True]
        assert run.host("down")["state"] == "not_asked"
        assert run.code == 2
        assert "mtls_served_differs" in (run.folder / "mtls.prom").read_text(encoding="utf-8")
    finally:
        legacy.sh(f"mv {TLS}/old.pem {TLS}/c.pem")


#: By path: what the location adds, who stands behind it, and what the two ends say of each other.
EDGES = {
    "/well/": ("proxy_ssl_certificate {tls}/c.pem; proxy_ssl_certificate_key {tls}/k.pem;", "accepted", 204),
    "/without/": ("", "endpoint.client_cert_not_sent", 400),
    "/other/": (
        "proxy_ssl_certificate {tls}/o.pem; proxy_ssl_certificate_key {tls}/k.pem;", "chain.self_signed", 400,
    ),
}  # fmt: skip


def test_edges_of_a_host_that_nobody_manages(legacy: Any, tmp_path: Path) -> None:
    """What the files say is what nginx does; a name of /etc/hosts leads to the host, plain http to nobody."""
    legacy.sh(
        f"""cd {TLS}; openssl req -x509 -key k.pem -out o.pem -days 9 -subj /CN=other 2>&1
        echo "$(hostname -I | cut -d' ' -f1) who.example.com" >>/etc/hosts"""
    )
    more = f"ssl_client_certificate {TLS}/c.pem; ssl_verify_client on;"
    # A session that is kept would carry one location's certificate to the other (proxy.identity_shared).
    ask = "proxy_ssl_session_reuse off; proxy_ssl_server_name on; proxy_ssl_name legacy.example.com;"
    ask += f" proxy_ssl_verify on; proxy_ssl_trusted_certificate {TLS}/c.pem;"
    places = "".join(
        f"location {path} {{ {ask} {lines.format(tls=TLS)} proxy_pass https://who.example.com:443; }}\n"
        for path, (lines, *dummy) in EDGES.items()
    )
    places += "location /plain/ { proxy_pass http://who.example.com:80; }\n"
    places += "location /away/ { proxy_pass https://192.0.2.99; }\n"
    text = BLOCK.replace("server_name", f"{more} server_name", 1)
    legacy.write(CONF, f"{text}server {{ listen 127.0.0.1:8081; {places} }}\n")
    try:
        legacy.sh("nginx -t 2>&1 && systemctl reload nginx; sleep 1")
        run = Audit(tmp_path, legacy, "--limit", "legacy", "-e", "audit_fail_on=never")
        jsonschema.Draft202012Validator(SCHEMA).validate(run.found)
        edges = {one["route"]: one for one in run.found["edges"]}
        assert set(edges) == {*EDGES, "/away/"}
        for path, (dummy, told, status) in EDGES.items():
            answer = edges[path]["client_accepted"]
            assert (answer["code"] or answer["state"], edges[path]["server_accepted"]["state"]) == (
                told, "accepted",
            )  # fmt: skip
            assert (edges[path]["server"], edges[path]["place"][: len(CONF)]) == ("legacy", CONF)
            script = f"""import http.client as h
c = h.HTTPConnection('127.0.0.1', 8081)
c.request('GET', '{path}')
print(c.getresponse().status)"""
            assert legacy.sh("python3 -", stdin=script) == str(status)
        assert (edges["/away/"]["external"], edges["/away/"]["state"]) == (True, "unknown")
        assert "edges: 1 of 4 accepted in both directions, 2 refused, 1 unknown" in run.text
        text = (run.folder / "mtls.prom").read_text(encoding="utf-8")
        assert 'mtls_edge_refused{proxy="legacy",route="/other/"' in text
    finally:
        legacy.sh("sed '/who.example.com/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts")
        legacy.write(CONF, BLOCK)
        legacy.sh("systemctl reload nginx")


def test_an_option_that_means_nothing_asks_no_host(legacy: Any, tmp_path: Path) -> None:
    run = Audit(tmp_path, legacy, "-e", "audit_fail_on=eror")
    assert run.code == 2 and "audit_fail_on" in run.text
    assert "PLAY [Read]" not in run.text and run.found == {}

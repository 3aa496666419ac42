# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""endpoint_info as Ansible runs it: arguments in, JSON out, real servers on the loopback."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.mutual_tls.nginx.plugins.modules import endpoint_info
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host.tls_servers import (
    PASSPHRASE,
    Pki,
    http_server,
    make_pki,
    server_context,
    tls_server,
)

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", name="pki")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="log")
def _log() -> list[str]:
    """What the module wrote to the host's syslog."""
    return []


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: list[str]) -> Run:
    def run(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": "/tmp"}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # core 2.19 and later
        monkeypatch.setattr(basic, "has_journal", False)
        monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda _self, message: log.append(message))
        with pytest.raises(SystemExit):
            endpoint_info.main()
        return json.loads(capsys.readouterr().out)

    return run


def text(pki: Pki, name: str) -> str:
    return Path(pki.path(name)).read_text(encoding="ascii")


def client(pki: Pki) -> dict[str, str]:
    return {"certificate_path": pki.path("client.pem"), "private_key_path": pki.path("client.key")}


@pytest.mark.parametrize("check_mode", [False, True])
def test_one_probe(pki: Pki, run: Run, check_mode: bool) -> None:
    with tls_server(server_context(pki)) as served:
        result = run(
            check_mode, host="127.0.0.1", port=served.port, server_name="server.test", return_body=True
        )
    (seen,) = result["probes"]
    assert result["changed"] is False
    assert seen["target"] == f"127.0.0.1:{served.port}"
    assert (seen["phase"], seen["status"], seen["body"], seen["body_class"]) == ("done", 200, "ok\n", "")
    assert (seen["error"], seen["alert"], seen["session_reused"]) == ("", None, False)
    assert seen["headers"] == {"server": "lab"}
    leaf = seen["served"][0]
    assert leaf["sha256"] == hashlib.sha256(pki.server.der).hexdigest()
    assert (leaf["subject"], leaf["issuer"]) == ("CN=server", "CN=intermediate")
    assert leaf["san"]["dns"] == ["server.test", "*.srv.test"]
    assert leaf["not_after"].endswith("Z")
    assert served.names == ["server.test"] * 2  # the second is openssl's
    assert len([request for request in served.requests if request]) == 1


def test_without_cryptography_there_are_fingerprints(
    pki: Pki, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_info._deps, "IMPORT_ERROR", "No module named 'cryptography'")
    with tls_server(server_context(pki)) as served:
        (seen,) = run(host="127.0.0.1", port=served.port)["probes"]
    assert seen["served"][0] == {"sha256": hashlib.sha256(pki.server.der).hexdigest()}


def test_what_was_seen_is_explained(pki: Pki, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {"certificate_path": pki.path("foreign.pem"), "private_key_path": pki.path("foreign.key")}
    page = b"<html><head><title>400 The SSL certificate error</title></head></html>"
    answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" + page
    with tls_server(server_context(pki), answer) as served:
        at = {"host": "127.0.0.1", "port": served.port, "requested": False}
        (refused,) = run(**at, **foreign)["probes"]
        (mistrusted,) = run(**at, trust_path=pki.path("other.pem"))["probes"]
        monkeypatch.setattr(endpoint_info._deps, "IMPORT_ERROR", "No module named 'cryptography'")
        (plain,) = run(**at, **foreign)["probes"]
    with tls_server(server_context(pki)) as served:
        (well,) = run(host="127.0.0.1", port=served.port, **client(pki))["probes"]
    assert [one["code"] for one in refused["findings"]] == ["endpoint.client_refused"]
    assert refused["missing"]
    assert [one["code"] for one in mistrusted["findings"]] == ["endpoint.issuer_unknown"]
    assert [one["code"] for one in plain["findings"]] == ["endpoint.client_refused"]
    assert (well["findings"], well["missing"]) == ([], [])


def test_many_probes_in_one_call(pki: Pki, run: Run) -> None:
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        result = run(
            host="127.0.0.1",
            port=served.port,
            **client(pki),
            probes=[
                {"name": "good"},
                {"name": "good 1.2", "tls_version": "1.2"},
                {"name": "anonymous", "certificate_path": ""},
                {
                    "name": "foreign",
                    "certificate_path": pki.path("foreign.pem"),
                    "private_key_path": pki.path("foreign.key"),
                },
                {"name": "resumed", "session": "resume"},
                {"name": "nobody", "port": 1},
                {"name": "verified", "trust_path": pki.path("root.pem")},
                {"name": "impostor", "trust_path": pki.path("other.pem")},
            ],
        )
    seen = {probe["name"]: probe for probe in result["probes"]}
    assert [probe["name"] for probe in result["probes"]] == list(seen)
    assert {name: probe["status"] for name, probe in seen.items()} == {
        "good": 200,
        "good 1.2": 200,
        "anonymous": None,
        "foreign": None,
        "resumed": 200,
        "nobody": None,
        "verified": 200,
        "impostor": None,
    }
    assert (seen["good"]["protocol"], seen["good 1.2"]["protocol"]) == ("TLSv1.3", "TLSv1.2")
    assert (seen["anonymous"]["alert"], seen["foreign"]["alert"]) == (116, 48)
    assert [probe["session_reused"] for probe in result["probes"]].count(True) == 1
    assert seen["resumed"]["session_reused"]
    assert seen["resumed"]["served"] == seen["good"]["served"]
    assert seen["resumed"]["served_complete"] == seen["good"]["served_complete"]
    assert (seen["nobody"]["phase"], seen["nobody"]["error"]) == ("connect", "Connection refused")
    assert "not accepted" in seen["impostor"]["error"]


def test_no_session_to_resume_is_told(run: Run) -> None:
    with http_server() as served:
        (seen,) = run(host="127.0.0.1", port=served.port, tls=False, session="resume")["probes"]
    assert (seen["status"], seen["session_reused"]) == (200, False)
    assert len(served.requests) == 1


def test_a_page_of_nginx_is_classified(run: Run) -> None:
    page = b"<title>400 No required SSL certificate was sent</title>"
    with http_server(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n" + page) as served:
        (seen,) = run(host="127.0.0.1", port=served.port, tls=False)["probes"]
    assert (seen["status"], seen["body_class"]) == (400, "no_certificate")
    assert "body" not in seen


def test_the_request_is_as_asked(run: Run) -> None:
    with http_server() as served:
        run(
            host="127.0.0.1",
            port=served.port,
            tls=False,
            proxy_protocol=True,
            http_host="h.test",
            probes=[{"method": "HEAD", "path": "/p", "headers": {"X-SSL-Client-Verify": "SUCCESS", "N": 1}}],
        )
    (request,) = served.requests
    assert request.startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
    assert b"\r\nHEAD /p HTTP/1.1\r\nHost: h.test\r\n" in request
    assert b"\r\nX-SSL-Client-Verify: SUCCESS\r\nN: 1\r\n" in request


@pytest.mark.parametrize(
    "names",
    [
        ("client.pem", "client.key", ""),
        ("client.pem", "client.enc", PASSPHRASE.decode()),
        ("client.both", "", ""),
    ],
)
@pytest.mark.parametrize("kind", ["path", "content"])
def test_an_identity_by_path_and_by_content(pki: Pki, run: Run, names: tuple[str, ...], kind: str) -> None:
    certificate, key, passphrase = names
    value = pki.path if kind == "path" else lambda name: text(pki, name)
    options = {f"certificate_{kind}": value(certificate), f"trust_{kind}": value("root.pem")}
    if key:
        options[f"private_key_{kind}"] = value(key)
    if passphrase:
        options["private_key_passphrase"] = passphrase
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        result = run(
            host="127.0.0.1", port=served.port, server_name="server.test", verify_hostname=True, **options
        )
    assert result["probes"][0]["status"] == 200
    assert served.clients == ["client"]
    assert "PRIVATE KEY" not in json.dumps(result)
    assert not [fd for fd in os.scandir("/proc/self/fd") if "memfd:mtls" in os.path.realpath(fd.path)]


def test_a_passphrase_by_path(pki: Pki, run: Run, tmp_path: Path) -> None:
    (tmp_path / "pass").write_bytes(PASSPHRASE + b"\nsecond line\n")
    with tls_server(server_context(pki, verify_mode=ssl.CERT_REQUIRED)) as served:
        result = run(
            host="127.0.0.1",
            port=served.port,
            certificate_path=pki.path("client.pem"),
            private_key_path=pki.path("client.enc"),
            private_key_passphrase_path=str(tmp_path / "pass"),
        )
    assert result["probes"][0]["status"] == 200


def test_content_leaves_nothing_on_disk(
    pki: Pki, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run(
        host="127.0.0.1",
        port=1,
        certificate_content=text(pki, "client.pem"),
        private_key_content=text(pki, "client.key"),
    )
    assert list(tmp_path.iterdir()) == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"host": ""}, "host: There is nobody to ask."),
    ({"host": None, "probes": [{"host": "127.0.0.1"}, {}]}, "probes[1].host: There is nobody to ask."),
    ({"port": 70000}, "port: 70000"),
    ({"certificate_path": "/none.pem"}, "certificate_path: /none.pem cannot be read: No such file"),
    ({"certificate_path": "/a\0b"}, "certificate_path: /a\0b cannot be read"),
    # Not a lone surrogate: once a test has loaded the controller's side, core refuses one before the module.
    ({"certificate_content": "\u20ac \x00"}, "certificate_content: The client certificate"),
    ({"timeout_s": "nan"}, "timeout_s: nan is not a time"),
    ({"certificate_path": "/etc"}, "certificate_path: /etc cannot be read: Is a directory"),
    ({"probes": [{"trust_path": "/none.pem"}]}, "probes[0].trust_path: /none.pem cannot be read"),
    ({"certificate_path": "{client.pem}", "private_key_path": "/none.key"}, "private_key_path: /none.key"),
    (
        {"certificate_path": "{client.pem}", "private_key_path": "{client.enc}"},
        "private_key_path ({client.enc}): The private key is encrypted",
    ),
    (
        {
            "certificate_path": "{client.pem}",
            "private_key_path": "{client.enc}",
            "private_key_passphrase": "secret",
        },
        "private_key_path ({client.enc}): The private key cannot be decrypted",
    ),
    (
        {"certificate_path": "{client.pem}", "private_key_passphrase_path": "/none"},
        "private_key_passphrase_path: /none cannot be read",
    ),
    (
        {"certificate_path": "{client.pem}", "private_key_path": "{foreign.key}"},
        "certificate_path ({client.pem}): The client certificate and key cannot be loaded: key",
    ),
    ({"certificate_content": "junk"}, "certificate_content: The client certificate and key cannot be loaded"),
    ({"private_key_path": "{client.key}"}, "private_key_path: There is a key and no certificate."),
    ({"trust_content": "junk"}, "trust_content: The CA file cannot be loaded"),
    ({"verify_hostname": True}, "verify_hostname: A name is only worth checking"),
    ({"probes": [{"path": "x"}]}, "probes[0].path: 'x' is not a request path."),
    ({"headers": {"Host": "x"}}, "headers: Host is set by the probe itself. For Host use http_host."),
    ({"headers": {"X": [1]}}, "headers: The value of X is not text."),
    ({"timeout_s": 0}, "timeout_s: 0 is not a time to wait"),
    ({"tls_version": "1.1"}, "tls_version must be one of: 1.2, 1.3"),
    ({"certificate_path": "/a", "certificate_content": "b"}, "mutually exclusive"),
    ({"probes": [{"trust_path": "/a", "trust_content": "b"}]}, "mutually exclusive"),
    ({"probes": [{"hots": "x"}]}, "hots"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_fails_with_option_and_path(
    pki: Pki, run: Run, options: dict[str, Any], words: str
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            for name in ("client.pem", "client.key", "client.enc", "foreign.key"):
                value = value.replace("{" + name + "}", pki.path(name))
        return value

    given = {key: filled(value) for key, value in {"host": "127.0.0.1", "port": 1, **options}.items()}
    result = run(**given)
    assert result["failed"] is True
    assert filled(words) in result["msg"]
    assert "secret" not in json.dumps(result)


def test_no_secret_in_the_log_of_the_host(pki: Pki, run: Run, log: list[str]) -> None:
    secret = {"certificate_content": text(pki, "client.pem"), "private_key_content": text(pki, "client.key")}
    run(host="127.0.0.1", port=1, **secret, probes=[secret, {"private_key_passphrase": "correct horse"}])
    assert log == ["Invoked"]


def test_secrets_are_masked_and_paths_are_not() -> None:
    for options in (endpoint_info.OPTIONS, endpoint_info.PROBE):
        for name, option in options.items():
            secret = name.endswith("_content") or name == "private_key_passphrase"
            if secret or name.endswith("_path"):
                assert option["no_log"] is secret, name


def test_every_value_returned_is_documented(pki: Pki, run: Run) -> None:
    with tls_server(server_context(pki)) as served:
        (seen,) = run(host="127.0.0.1", port=served.port, return_body=True, pem=True)["probes"]
        (without,) = run(host="127.0.0.1", port=served.port)["probes"]
    documented = yaml.safe_load(endpoint_info.RETURN)["probes"]["contains"]
    assert list(seen) != []
    assert set(seen) == set(documented)
    assert set(seen["served"][0]) == set(documented["served"]["contains"])
    told = hashlib.sha256(ssl.PEM_cert_to_DER_cert(seen["served"][0]["pem"])).hexdigest()
    assert told == seen["served"][0]["sha256"]
    assert "pem" not in without["served"][0]

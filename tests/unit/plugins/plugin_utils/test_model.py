# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model of good variables says."""

from __future__ import annotations

import copy
import json

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import Problems, fill, role_options
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.plugin_utils._inventory import A, B, fleet

FILES = {
    "issuer": "files",
    "files": {"certificate": "pki/a.pem", "private_key": "/srv/a.key"},
    "trust": {"sources": [{"src": "pki/ca.pem"}]},
}

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#: Mozilla's guidelines 5.7 without the three DHE suites, 6.0 as they are.
INTERMEDIATE = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]


def server(folder, **variables):
    return fleet(folder, {A: variables})["hosts"][A]


def site(folder, **values):
    name = {"name": "orders", "server_names": ["orders.example.com"]}
    (found,) = server(folder, mtls_server_sites=[{**name, **values}])["sites"]
    return found


def proxy(folder, **variables):
    return fleet(folder, {A: {}}, {B: variables})["hosts"][B]


def credential(folder, **values):
    return server(folder, mtls_server_credentials=[{"name": "server", **values}])["credentials"][0]


def test_a_server_without_variables(tmp_path):
    model = server(tmp_path)
    assert (model["host"], model["address"], model["sides"]) == (A, A, ["server"])
    assert model["nginx"] == {
        "base": "/etc/nginx/mtls",
        "packages": [],
        "service": "nginx",
        "worker_shutdown_timeout": "60s",
        "keep": 3,
    }
    assert model["private_ca"] == {
        "host": "localhost",
        "dir": str(tmp_path / "private_ca"),
        "name": "mtls",
        "intermediate": False,
        "leaf_days": 90,
        "crl_days": 30,
        "throttle": 8,
        "become": False,
    }
    assert model["sites"] == [
        {
            "name": "default",
            "server_names": [A],
            "listen": ["443", "[::]:443"],
            "listeners": [
                {"address": "0.0.0.0", "port": 443, "ipv6": False, "spec": "443"},
                {"address": "::", "port": 443, "ipv6": True, "spec": "[::]:443"},
            ],
            "credential": "server",
            "backend": {
                "scheme": "http",
                "servers": ["127.0.0.1:8000"],
                "keepalive": 64,
                "max_fails": None,
                "fail_timeout": "",
                "uri": "",
                "url": "http://127.0.0.1:8000",
            },
            "verify": "on",
            "allow": [],
            "headers": {
                "verify": "X-SSL-Client-Verify",
                "subject": "X-SSL-Client-S-DN",
                "issuer": "X-SSL-Client-I-DN",
                "serial": "X-SSL-Client-Serial",
                "fingerprint": "X-SSL-Client-Fingerprint",
                "certificate": "",
            },
            "tls_profile": "intermediate",
            "tls": {
                "protocols": ["TLSv1.2", "TLSv1.3"],
                "ciphers": INTERMEDIATE,
                "prefer_server_ciphers": False,
                "curves": [],
            },
            "http2": False,
            "proxy_protocol": False,
            "probe_path": "/.mtls/probe",
            "error_pages": {},
            "max_body_size": "",
            "timeouts": {"connect": "", "send": "", "read": ""},
            "websocket": False,
            "streaming": False,
            "response_headers": {},
            "extra_server": "",
            "extra_location": "",
        }
    ]
    assert model["routes"] == []
    assert [(entry["name"], entry["purpose"]) for entry in model["credentials"]] == [
        ("server", "server"),
        ("probe", "client"),
    ]
    assert model["credentials"][0] == {
        "side": "server",
        "name": "server",
        "purpose": "server",
        "common_name": A,
        "hostnames": [A],
        "issuer": "private_ca",
        "files": {"certificate": None, "private_key": None, "chain": None, "passphrase": None},
        "key": {"type": "p256", "store": "file", "reuse": False},
        "trust": {"sources": ["issuer"], "on_expired": "drop", "allow_pinned": []},
        "crl": "auto",
        "verify_depth": "auto",
        "sessions": "off",
        "renew": {"before": "third", "min_days": 0},
        "probe": "auto",
    }


def test_a_proxy_without_variables(tmp_path):
    model = proxy(tmp_path)
    assert model["routes"] == [
        {
            "name": "default",
            "listen": "127.0.0.1:8080",
            "path": "/",
            "server_name": A,
            "servers": [{"address": f"{A}:443", "backup": False, "weight": 1}],
            "max_fails": 0,
            "fail_timeout": "10s",
            "credential": "client",
            "keepalive": 384,
            "retry_non_idempotent": False,
            "max_body_size": "",
            "timeouts": {"connect": "", "send": "", "read": ""},
            "websocket": False,
            "streaming": False,
            "allow": [],
            "deny": [],
            "accept_client_certificate_from": [],
            "probe_path": "/.mtls/probe",
            "external": False,
        }
    ]
    (client,) = model["credentials"]
    assert (client["side"], client["purpose"], client["common_name"]) == ("proxy", "client", B)
    assert (client["hostnames"], client["probe"]) == ([], None)


def test_a_host_on_both_sides(tmp_path):
    model = fleet(tmp_path, {A: {}}, {A: {}})["hosts"][A]
    assert model["sides"] == ["server", "proxy"]
    assert [entry["name"] for entry in model["credentials"]] == ["server", "probe", "client"]
    assert [server["address"] for server in model["routes"][0]["servers"]] == [f"{A}:443"]


def test_variables_of_the_other_side_are_not_read(tmp_path):
    """group_vars/all may hold what only one side can render."""
    assert server(tmp_path, mtls_proxy_routes="{{ nowhere }}")["routes"] == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (True, "on"),
        ("on", "on"),
        ("optional", "optional"),
        ("optional_no_ca", "optional_no_ca"),
    ],
)
def test_an_unquoted_on_is_on(given, wanted, tmp_path):
    assert site(tmp_path, verify=given)["verify"] == wanted


@pytest.mark.parametrize(("given", "wanted"), [({}, "shared"), ({"sessions": False}, "off")])
def test_a_proxy_resumes_unless_told_not_to(given, wanted, tmp_path):
    found = proxy(tmp_path, mtls_proxy_credentials=[{"name": "client", **given}])["credentials"]
    assert [entry["sessions"] for entry in found] == [wanted]


@pytest.mark.parametrize(("given", "wanted"), [(False, "off"), ("off", "off"), ("shared", "shared")])
def test_an_unquoted_off_is_off(given, wanted, tmp_path):
    assert credential(tmp_path, sessions=given)["sessions"] == wanted


def test_a_list_may_be_one_text(tmp_path):
    found = site(tmp_path, listen=8443, server_names="Orders.example.com")
    assert (found["listen"], found["server_names"]) == (["8443"], ["orders.example.com"])


@pytest.mark.parametrize(
    ("given", "servers", "scheme", "uri"),
    [
        ("http://127.0.0.1:8000", ["127.0.0.1:8000"], "http", ""),
        ("http://127.0.0.1:8000/", ["127.0.0.1:8000"], "http", "/"),
        ("https://App.example.internal/base/", ["app.example.internal:443"], "https", "/base/"),
        ("http://[::1]:8000", ["[::1]:8000"], "http", ""),
        ("unix:/run/app.sock", ["unix:/run/app.sock"], "http", ""),
        ("http://unix:/run/app.sock:/base", ["unix:/run/app.sock"], "http", "/base"),
        ({"servers": ["10.0.0.5", "x.test:81"]}, ["10.0.0.5:80", "x.test:81"], "http", ""),
        ({"servers": ["10.0.0.5"], "scheme": "https"}, ["10.0.0.5:443"], "https", ""),
        ({"servers": "unix:/run/a.sock"}, ["unix:/run/a.sock"], "http", ""),
    ],
)
def test_backend(given, servers, scheme, uri, tmp_path):
    assert site(tmp_path, backend=given)["backend"] == {
        "scheme": scheme,
        "servers": servers,
        "keepalive": 64,
        "max_fails": None,
        "fail_timeout": "",
        "uri": uri,
        "url": given if isinstance(given, str) else None,
    }


def test_profiles(tmp_path):
    own = {
        "old": {
            "protocols": "TLSv1.2",
            "ciphers": "ECDHE-RSA-AES256-GCM-SHA384,AES256-SHA",
            "curves": "X25519",
        },
        "new": {"protocols": ["TLSv1.3"]},
        "both": {"prefer_server_ciphers": True},
    }
    sites = [
        {"name": name, "server_names": [f"{name}.test"], "listen": [f"{port}"], "tls_profile": name}
        for port, name in enumerate([*own, "intermediate", "modern"], 8440)
    ]
    found = server(tmp_path, mtls_server_tls_profiles=own, mtls_server_sites=sites)["sites"]
    assert [list(one["tls"].values()) for one in found] == [
        [["TLSv1.2"], ["ECDHE-RSA-AES256-GCM-SHA384", "AES256-SHA"], False, ["X25519"]],
        [["TLSv1.3"], [], False, []],
        [["TLSv1.2", "TLSv1.3"], INTERMEDIATE, True, []],
        [["TLSv1.2", "TLSv1.3"], INTERMEDIATE, False, []],
        [["TLSv1.3"], [], False, []],
    ]
    assert list(found[0]["tls"]) == ["protocols", "ciphers", "prefer_server_ciphers", "curves"]


def test_sites_of_one_address_may_differ_in_ciphers(tmp_path):
    own = {"mine": {"ciphers": ["ECDHE-RSA-AES256-GCM-SHA384"], "protocols": ["TLSv1.3", "TLSv1.2"]}}
    sites = [
        {"name": "orders", "server_names": ["o.test"]},
        {"name": "billing", "server_names": ["b.test"], "tls_profile": "mine"},
    ]
    found = server(tmp_path, mtls_server_tls_profiles=own, mtls_server_sites=sites)["sites"]
    assert found[1]["tls"]["ciphers"] == ["ECDHE-RSA-AES256-GCM-SHA384"]


def test_what_a_site_may_say_of_requests_and_answers(tmp_path):
    (tmp_path / "none.html").write_text("x" * 4000)
    found = site(
        tmp_path,
        error_pages={496: {"src": "none.html"}},
        max_body_size=1048576,
        timeouts={"read": "1h"},
        websocket="yes",
        streaming=True,
        response_headers={"X-XSS-Protection": 0, "Strict-Transport-Security": "max-age=63072000"},
        backend={"servers": ["10.0.0.5"], "max_fails": 0, "fail_timeout": 5},
    )
    assert found["error_pages"] == {"496": {"src": str(tmp_path / "none.html")}}
    assert found["max_body_size"] == "1048576"
    assert found["timeouts"] == {"connect": "", "send": "", "read": "1h"}
    assert (found["websocket"], found["streaming"]) == (True, True)
    assert found["response_headers"] == {
        "X-XSS-Protection": "0",
        "Strict-Transport-Security": "max-age=63072000",
    }
    assert (found["backend"]["max_fails"], found["backend"]["fail_timeout"]) == (0, "5")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (b"x" * 4000, True),
        (b"x" * 4001, False),
        (b'"' * 2000, True),
        (b"\\" * 2001, False),
        # Each $ is written as ${mtls_server_orders_dollar}.
        (b"$" * (4000 // 28), True),
        (b"$" * (4000 // 28 + 1), False),
        (b"\xc3\xa9" * 2000, True),
        (b"\xe9", False),
        (b"a\0b", False),
        (b"", True),
    ],
)
def test_an_error_page_has_room_in_the_configuration(text, fits, tmp_path):
    (tmp_path / "page.html").write_bytes(text)
    pages = {"495": {"src": "page.html"}}
    if fits:
        assert site(tmp_path, error_pages=pages)["error_pages"]
    else:
        with pytest.raises(MtlsError, match=r"mtls_server_sites\[0\]\.error_pages\.495\.src: .*page\.html"):
            site(tmp_path, error_pages=pages)


def test_allow_is_in_nginx_own_forms(tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/b.pem").write_text(PEM)
    given = [
        {"certificate": {"src": "pki/b.pem"}},
        {"sha1": ":".join(["AB"] * 20)},
        {"dn": "CN=b1,O=Shop\\, Inc."},
        {"issuer": "CN=Clients", "serial": "00:01:f"},
    ]
    assert site(tmp_path, allow=given)["allow"] == [
        {"certificate": {"src": str(tmp_path / "pki/b.pem")}},
        {"sha1": "ab" * 20},
        {"dn": "CN=b1,O=Shop\\, Inc."},
        {"issuer": "CN=Clients", "serial": "1F"},
    ]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (PEM, False),
        (PEM.replace("CERT", "X509 CERT"), False),
        (PEM + PEM, True),
        # Who may open it does so in the role.
        ("$ANSIBLE_VAULT;1.1;AES256\n", False),
    ],
)
def test_a_file_of_the_allowlist_lists_one_client(text, warned, tmp_path):
    path = tmp_path / "b.pem"
    path.write_text(text)
    given = {"name": "orders", "allow": [{"certificate": {"src": "b.pem"}}]}
    said = f"{A}: mtls_server_sites[0].allow[0]: {path} holds several certificates, the first one is allowed."
    assert fleet(tmp_path, {A: {"mtls_server_sites": [given]}})["warnings"] == ([said] if warned else [])


def test_defaults_are_laid_under_each_credential(tmp_path):
    below = {"key": {"type": "p384"}, "renew": {"min_days": 7}, "verify_depth": 2}
    above = [{"name": "server"}, {"name": "other", "hostnames": ["x.test"], "key": {"reuse": True}}]
    found = server(tmp_path, mtls_server_credential_defaults=below, mtls_server_credentials=above)
    one, two, _probe = found["credentials"]
    assert one["key"] == {"type": "p384", "store": "file", "reuse": False}
    assert two["key"] == {"type": "p384", "store": "file", "reuse": True}
    assert two["renew"] == {"before": "third", "min_days": 7}
    assert (one["verify_depth"], two["verify_depth"]) == (2, 2)


def test_defaults_are_laid_under_the_default_credential(tmp_path):
    found = server(tmp_path, mtls_server_credential_defaults=FILES)
    assert [(entry["name"], entry["issuer"]) for entry in found["credentials"]] == [("server", "files")]


def test_a_fault_of_the_defaults_is_told_once(tmp_path):
    with pytest.raises(MtlsError) as caught:
        server(tmp_path, mtls_server_credential_defaults={"key": {"type": "x"}, "crll": "auto"})
    message = str(caught.value)
    assert "2 problems" in message
    assert "mtls_server_credentials[0]" not in message


def test_an_empty_value_is_not_given(tmp_path):
    empty = dict.fromkeys(["certificate", "private_key", "chain", "passphrase"])
    assert credential(tmp_path, files=empty, verify_depth=None)["verify_depth"] == "auto"


def test_names_of_a_server_come_from_its_sites(tmp_path):
    sites = [
        {"name": "orders", "server_names": ["o.test", "p.test"], "credential": "one"},
        {"name": "billing", "server_names": ["b.test"], "credential": "two"},
        {"name": "stock", "server_names": ["s.test"], "credential": "one"},
    ]
    model = server(
        tmp_path, mtls_server_sites=sites, mtls_server_credentials=[{"name": "one"}, {"name": "two"}]
    )
    one, two, _probe = model["credentials"]
    assert (one["hostnames"], one["common_name"]) == (["o.test", "p.test", "s.test"], "o.test")
    assert (two["hostnames"], two["common_name"]) == (["b.test"], "b.test")


@pytest.mark.parametrize(
    ("names", "common_name"),
    [
        (["x.test", "y.test"], "x.test"),
        ([f"{'a' * 60}.test", "yy.test", "y.test"], "y.test"),
        ([f"{'a' * 60}.test"], ""),
    ],
)
def test_common_name_of_a_server_fits(names, common_name, tmp_path):
    assert len(names[0]) <= 64 or len(names[0]) == 65
    model = server(tmp_path, mtls_server_sites=[{"name": "orders", "server_names": names}])
    assert model["credentials"][0]["common_name"] == common_name


def test_common_names_of_clients(tmp_path):
    names = [{"name": "client"}, {"name": "billing"}]
    found = proxy(tmp_path, mtls_proxy_credentials=names)["credentials"]
    assert [entry["common_name"] for entry in found] == [B, f"{B}.billing"]
    (only,) = proxy(tmp_path, mtls_proxy_credentials=[{"name": "billing"}])["credentials"]
    assert only["common_name"] == B


def test_a_client_name_that_no_certificate_holds_is_refused(tmp_path):
    long, fits = f"{'b' * 60}.test", f"{'b' * 59}.test"
    assert fleet(tmp_path, {A: {}}, {fits: {}})["hosts"][fits]["credentials"][0]["common_name"] == fits
    with pytest.raises(MtlsError, match=r"shorter inventory name"):
        fleet(tmp_path, {A: {}}, {long: {}})
    own = {"mtls_proxy_credential_defaults": FILES}
    assert long in fleet(tmp_path, {A: {}}, {long: own})["hosts"]


def test_probe_of_the_private_authority(tmp_path):
    probe = server(tmp_path)["credentials"][-1]
    assert (probe["side"], probe["name"], probe["purpose"]) == ("server", "probe", "client")
    assert (probe["issuer"], probe["common_name"]) == ("private_ca", f"mtls-probe.{A}")
    assert probe["hostnames"] == []


def test_probe_of_files(tmp_path):
    own = {"certificate": "pki/p.pem", "private_key": "/srv/p.key"}
    given = [{"name": "server", **FILES, "probe": own}]
    probe = server(tmp_path, mtls_server_credentials=given)["credentials"][-1]
    assert (probe["name"], probe["issuer"], probe["common_name"]) == ("probe", "files", f"mtls-probe.{A}")
    assert probe["files"]["certificate"] == str(tmp_path / "pki/p.pem")
    assert probe["files"]["private_key"] == "/srv/p.key"


def test_no_probe_for_files_alone(tmp_path):
    found = server(tmp_path, mtls_server_credentials=[{"name": "server", **FILES}])
    assert [entry["name"] for entry in found["credentials"]] == ["server"]


def test_no_probe_where_nobody_trusts_the_private_authority(tmp_path):
    """A site that trusts another authority alone would refuse it, at every run."""
    clients = {"src": "pki/clients-ca.pem"}

    def names(*sources):
        given = [{"name": "server", "trust": {"sources": list(sources)}}]
        return [one["name"] for one in server(tmp_path, mtls_server_credentials=given)["credentials"]]

    assert names(clients) == ["server"]
    assert names(clients, "issuer") == ["server", "probe"]


def test_the_probe_is_like_the_first_of_the_private_authority(tmp_path):
    first = {"name": "server", "trust": {"sources": [{"src": "ca.pem"}]}, "key": {"type": "rsa2048"}}
    second = {"name": "second", "hostnames": ["x.test"]}
    found = server(tmp_path, mtls_server_credentials=[first, second])["credentials"]
    assert [(one["name"], one["key"]["type"]) for one in found] == [
        ("server", "rsa2048"),
        ("second", "p256"),
        ("probe", "rsa2048"),
    ]


def test_two_probes_are_refused(tmp_path):
    own = {"certificate": "p.pem", "private_key": "p.key"}
    files = {"name": "files", "hostnames": ["x.test"], **FILES}
    assert server(tmp_path, mtls_server_credentials=[{"name": "server"}, files])
    with pytest.raises(MtlsError, match=r"mtls_server_credentials\[1\]\.probe: differs"):
        server(tmp_path, mtls_server_credentials=[{"name": "server"}, {**files, "probe": own}])


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "auto"),
        ({"crl": "off"}, "off"),
        ({"crl": False}, "off"),
        ({"trust": {"sources": [{"src": "/ca.pem"}]}}, "off"),
        ({"crl": [{"src": "/ca.crl"}]}, [{"src": "/ca.crl"}]),
    ],
)
def test_crl(values, wanted, tmp_path):
    assert credential(tmp_path, **values)["crl"] == wanted


def test_relative_paths(tmp_path, monkeypatch):
    """Beside the inventory, else in the working directory where it exists there."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "pki").mkdir()
    (work / "pki/ca.pem").touch()
    found = credential(tmp_path, **FILES)
    assert found["files"]["certificate"] == str(tmp_path / "pki/a.pem")
    assert found["files"]["private_key"] == "/srv/a.key"
    assert found["trust"]["sources"] == [{"src": str(work / "pki/ca.pem")}]


def test_the_model_holds_no_passphrase(tmp_path):
    """Where a passphrase stands in place of its file, the message does not show it either."""
    secret = "correct horse"
    given = {**FILES, "files": {**FILES["files"], "passphrase": secret}}
    with pytest.raises(MtlsError, match=r"files\.passphrase: names no file") as caught:
        credential(tmp_path, **given)
    assert secret not in str(caught.value)
    (tmp_path / secret).touch()
    assert credential(tmp_path, **given)["files"]["passphrase"] == str(tmp_path / secret)
    assert "hunter2" not in json.dumps(server(tmp_path, private_ca_passphrase="hunter2"))


def test_the_authority_s_passphrase_is_not_even_rendered(tmp_path):
    assert "passphrase" not in server(tmp_path, private_ca_passphrase="{{ nowhere }}")["private_ca"]


@pytest.mark.parametrize(
    ("given", "wanted"), [("/srv/ca/", "/srv/ca"), ("ca", "{folder}/ca"), ("", "{folder}/private_ca")]
)
def test_private_ca_dir(given, wanted, tmp_path):
    assert server(tmp_path, private_ca_dir=given)["private_ca"]["dir"] == wanted.format(folder=tmp_path)


@pytest.mark.parametrize("role", ["nginx", "mtls_server", "mtls_proxy", "private_ca"])
def test_fill_agrees_with_ansible(role):
    """One call with all levels at once fills the same, where no value has two kinds (`raw`)."""
    options = copy.deepcopy(role_options()[role])  # the validator of core 2.18 writes into its spec
    given = {
        "mtls_server": {
            "mtls_server_sites": [{"name": "a", "headers": {"serial": "X"}, "allow": [{"dn": "CN=a"}]}]
        },
        "mtls_proxy": {"mtls_proxy_routes": [{"name": "a", "servers": "x,y"}]},
    }.get(role, {})
    problems = Problems()
    filled = fill(options, given, "", problems)
    result = ArgumentSpecValidator(options).validate(given)
    assert not problems.found
    assert not result.error_messages
    theirs = result.validated_parameters
    for name in [name for name in options if name.endswith("_credential_defaults")]:
        assert theirs.pop(name) == filled.pop(name)
    assert filled == theirs


def test_values_are_plain(tmp_path):
    """Tags and lazy containers of core 2.19 and later would be rendered again where the fact is read."""

    def kinds(value):
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values()), map(type, value), {type(value)})
        if isinstance(value, list):
            return set().union(*map(kinds, value), {type(value)})
        return {type(value)}

    assert kinds(server(tmp_path)) <= {dict, list, str, int, bool, type(None)}

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server blocks of both roles, rendered by Ansible itself and read back by crossplane.

What nginx does with them is Molecule's; here is what must stand in them whatever the inventory says.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import sys
from pathlib import Path

import crossplane
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rendered import play

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import allowlist
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.blocks import upstream_servers
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.sites import mozilla_profiles
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.configurations import http, judged

ROOT = Path(__file__).resolve().parents[3]
HEADERS = {
    "verify": "X-SSL-Client-Verify",
    "subject": "X-SSL-Client-S-DN",
    "issuer": "X-SSL-Client-I-DN",
    "serial": "X-SSL-Client-Serial",
    "fingerprint": "X-SSL-Client-Fingerprint",
    "certificate": "",
}
BACKEND = {
    "scheme": "http",
    "servers": ["127.0.0.1:8000"],
    "keepalive": 64,
    "max_fails": None,
    "fail_timeout": "",
    "uri": "",
}
PROFILES = mozilla_profiles()
OWN = {
    "protocols": ["TLSv1.2"],
    "ciphers": ["ECDHE-ECDSA-AES256-GCM-SHA384"],
    "prefer_server_ciphers": True,
    "curves": ["prime256v1", "secp384r1"],
}
HOSTILE_DN = 'CN=b "1"\\, $host; } return 200;,O=Shop'
TLS_CONF = {
    "ssl_certificate", "ssl_certificate_key", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl",
    "ssl_verify_depth", "ssl_session_cache", "ssl_session_tickets", "proxy_ssl_certificate",
    "proxy_ssl_certificate_key", "proxy_ssl_trusted_certificate", "proxy_ssl_crl", "proxy_ssl_verify",
    "proxy_ssl_verify_depth", "proxy_ssl_server_name",
}  # fmt: skip

PAGE = 'He said "1 $host costs $5\\n";\n}\n'


def site(name, **more):
    return {
        "name": name,
        "server_names": [f"{name}.example.com"],
        "listen": ["443", "[::]:443"],
        "credential": "server",
        "backend": BACKEND,
        "verify": "on",
        "allow": [],
        "headers": HEADERS,
        "tls": PROFILES["intermediate"],
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
        **more,
    }


def route(name, **more):
    return {
        "name": name,
        "listen": "127.0.0.1:8080",
        "path": "/",
        "server_name": "orders.example.com",
        "servers": [server("a1.example.com:443")],
        "max_fails": 0,
        "fail_timeout": "10s",
        "credential": "client",
        "keepalive": 64,
        "retry_non_idempotent": False,
        "max_body_size": "",
        "timeouts": {"connect": "", "send": "", "read": ""},
        "websocket": False,
        "streaming": False,
        "allow": [],
        "deny": [],
        "accept_client_certificate_from": [],
        "probe_path": "/.mtls/probe",
        **more,
    }


def server(address, **more):
    return {"address": address, "backup": False, "weight": 1, **more}


SITES = [
    site("plain"),
    site("a-b", allow=[{"dn": HOSTILE_DN}, {"issuer": "CN=Clients", "serial": "1F"}, {"sha1": "ab" * 20}]),
    site("acb", headers={**HEADERS, "subject": "X-Who", "certificate": "X-Cert"}, tls=PROFILES["modern"]),
    site("extra", extra_server="location /x {\n    return 204;\n}", extra_location="proxy_read_timeout 5s;"),
    site("proxied", proxy_protocol=True, listen=["127.0.0.1:8443"]),
    site(
        "more",
        tls=OWN,
        http2=True,
        backend={**BACKEND, "keepalive": 0, "max_fails": 0, "fail_timeout": "3s"},
        max_body_size="10m",
        timeouts={"connect": "1s", "send": "", "read": "1h"},
        websocket=True,
        streaming=True,
        response_headers={"Strict-Transport-Security": 'max-age=1; "x\\y"', "X-Id": "$request_id"},
    ),
]
ROUTES = [
    route("orders"),
    route("billing", path="/billing/", credential="billing", keepalive=0, retry_non_idempotent=True),
    route("other", listen="127.0.0.1:8081", path="/only/", probe_path=None),
    route(
        "all-of-it",
        listen="127.0.0.1:8082",
        servers=[server("a1:443", weight=3), server("a2:443"), server("[::1]:443", backup=True)],
        max_fails=2,
        fail_timeout="5s",
        max_body_size="100m",
        timeouts={"connect": "2s", "send": "", "read": "1h"},
        websocket=True,
        streaming=True,
        allow=["10.0.0.0/8", "::1"],
        deny=["10.0.0.1"],
        accept_client_certificate_from=["127.0.0.2", "fd00::/8"],
    ),
    route("ended", listen="127.0.0.1:8082", path="/ended/", keepalive=0, websocket=True),
]
#: All that a fleet has where nobody says who the original client was.
PLAIN_ROUTES = [given for given in ROUTES if not given["accept_client_certificate_from"]]
IDENTITY = sorted({name for name in HEADERS.values() if name} | {"X-SSL-Client-Cert"})
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: "{{ server }}/vars/main.yml"
    - ansible.builtin.include_vars: "{{ proxy }}/vars/main.yml"
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: >-
          {{ {'sites': lookup('ansible.builtin.template', server ~ '/templates/sites.json.j2') | from_json,
              'proxy': lookup('ansible.builtin.template', proxy ~ '/templates/blocks.json.j2') | from_json}
             | to_json }}
"""


def self_signed(path):
    """Writes a certificate; gives its SHA-1 as nginx's $ssl_client_fingerprint has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate.fingerprint(hashes.SHA1()).hex()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """{nginx version: {sites: [..], proxy: {listeners, routes}}}, by one run of ansible-playbook."""
    folder = tmp_path_factory.mktemp("templates")
    versions = {"v122": "1.22.1", "v130": "1.30.6", "without": "1.26.3"}
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "mtls_nginx_version": version,
        }
        for name, version in versions.items()
    }
    pki = {name: self_signed(folder / f"{name}.pem") for name in ("allowed", "probe")}
    pages = {"495": folder / "bad.html", "496": folder / "none.txt"}
    for path in pages.values():
        path.write_text(PAGE)
    sites = [
        *SITES,
        site("by-file", allow=[{"certificate": {"src": str(folder / "allowed.pem")}}]),
        site("pages", error_pages={code: {"src": str(path)} for code, path in pages.items()}),
    ]
    probe = {"name": "probe", "issuer": "files", "files": {"certificate": str(folder / "probe.pem")}}
    for name, host in hosts.items():
        routes = PLAIN_ROUTES if name == "without" else ROUTES
        host["mtls_fleet"] = {"hosts": {name: {"sites": sites, "routes": routes, "credentials": [probe]}}}
    roles = {"server": str(ROOT / "roles" / "mtls_server"), "proxy": str(ROOT / "roles" / "mtls_proxy")}
    shared = {**roles, "out": str(folder)}
    play(folder, PLAY, hosts, shared)
    found = {version: json.loads((folder / f"{name}.json").read_text()) for name, version in versions.items()}
    return {**found, "sha1": pki}


@pytest.fixture(scope="module")
def blocks(rendered, tmp_path_factory):
    """{name: crossplane's reading of that block}, for nginx 1.22."""
    folder = tmp_path_factory.mktemp("blocks")
    given = rendered["1.22.1"]
    texts = {block["name"]: block["content"] for block in given["sites"]}
    texts |= {f"listener {block['name']}": block["content"] for block in given["proxy"]["listeners"]}
    texts |= {f"route {block['name']}": block["content"] for block in given["proxy"]["routes"]}
    return {name: parse(folder / f"{name}.conf", text) for name, text in texts.items()}


def parse(path, text):
    path.write_text(text)
    result = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    assert not result["errors"], result["errors"]
    return result["config"][0]["parsed"]


def walk(directives):
    for directive in directives:
        yield directive
        yield from walk(directive.get("block") or [])


def find(directives, name, *arguments):
    return [
        d
        for d in walk(directives)
        if d["directive"] == name and d["args"][: len(arguments)] == list(arguments)
    ]


def proxied_headers(location):
    return {d["args"][0]: d["args"][1] for d in location["block"] if d["directive"] == "proxy_set_header"}


def test_who_is_let_in_is_read_back_from_the_block(rendered):
    """By these rules the offline check of edges judges what is installed."""
    for version in ("1.22.1", "1.30.6"):
        texts = {block["name"]: block["content"] for block in rendered[version]["sites"]}
        found = {name: allowlist.read(text, name) for name, text in texts.items()}
        assert {tuple(probes) for _allow, probes in found.values()} == {(rendered["sha1"]["probe"],)}
        allowed = {name: allow for name, (allow, _probes) in found.items()}
        listed, issued, sha1 = SITES[1]["allow"]
        assert allowed["a-b"] == [listed, sha1, issued]
        assert allowed["by-file"] == [{"sha1": rendered["sha1"]["allowed"]}]
        assert allowed["plain"] == []


def test_nothing_of_tls_conf_is_repeated(blocks):
    for name, directives in blocks.items():
        assert not {d["directive"] for d in walk(directives)} & TLS_CONF, name


def test_every_name_at_http_level_is_used_once_over_all_blocks(blocks):
    # nginx takes the last of two maps for one variable without a word.
    names = [
        (d["directive"], d["args"][1 if d["directive"] == "map" else 0])
        for directives in blocks.values()
        for d in directives
        if d["directive"] in ("map", "upstream", "log_format")
    ]
    assert len(names) == len(set(names))
    assert len([name for kind, name in names if kind == "upstream"]) == len(SITES) + 2 + len(ROUTES)


@pytest.mark.parametrize("name", [given["name"] for given in SITES])
def test_every_identity_header_is_set_or_cleared_where_a_site_proxies(blocks, name):
    (location,) = find(blocks[name], "location", "/")
    headers = proxied_headers(location)
    given = next(s for s in SITES if s["name"] == name)["headers"]
    for header in {*HEADERS.values(), "X-SSL-Client-Cert", *given.values()} - {""}:
        words = header.split("-")
        for joints in itertools.product("-_", repeat=len(words) - 1):
            spelt = "".join(f"{word}{joint}" for word, joint in zip(words, (*joints, "")))
            assert spelt == header or headers[spelt] == "", spelt
        if header in given.values():
            assert headers[header].startswith("$mtls_server_"), header
        else:
            assert headers[header] == "", header


def test_no_way_to_a_backend_is_one_that_nginx_tls_info_warns_of(rendered):
    trust = "ssl_client_certificate ca.pem;"
    for version in ("1.22.1", "1.30.6"):
        texts = [one["content"] for one in rendered[version]["sites"]]
        sites = "".join(re.sub(r"include @MTLS_RELEASE@\S+tls\.conf;", trust, text) for text in texts)
        found = http(sites).servers
        backends = [one for server in found for one in server["backends"]]
        assert len(backends) >= len(texts)
        assert any("X-SSL-Client-S-DN" in one["identity"] for one in backends)
        assert not {"server.identity_lost", "server.backend_unguarded"} & {one.code for one in judged(sites)}


def test_identity_is_told_only_of_a_verified_client(blocks):
    maps = {d["args"][1]: d for d in blocks["acb"] if d["directive"] == "map"}
    (location,) = find(blocks["acb"], "location", "/")
    sent = [value for value in proxied_headers(location).values() if value.startswith("$mtls_server_")]
    assert len(sent) == 6
    for variable in sent:
        assert maps[variable]["args"][0] == "$ssl_client_verify"
        default, success = maps[variable]["block"]
        assert (default["directive"], default["args"]) == ("default", [""])
        assert success["directive"] == "SUCCESS"


def test_a_hostile_name_in_the_allowlist_stays_one_key_of_the_map(blocks):
    listed = next(d for d in blocks["a-b"] if d["directive"] == "map" and d["args"][1].endswith("_listed"))
    key = next(d["directive"] for d in listed["block"] if "Shop" in d["directive"])
    # crossplane leaves the doubled backslashes that nginx's own lexer halves.
    pattern = key.removeprefix("~").replace("\\\\", "\\").replace("\\z", "\\Z")
    assert re.match(pattern, f"SUCCESS:{'0' * 40}:1F:{HOSTILE_DN}")
    for near_miss in (HOSTILE_DN.lower(), HOSTILE_DN + ",C=X", "C=X," + HOSTILE_DN):
        assert not re.match(pattern, f"SUCCESS:{'0' * 40}:1F:{near_miss}")
    assert not re.match(pattern, f"FAILED:{'0' * 40}:1F:{HOSTILE_DN}")


def test_an_empty_allowlist_lets_every_verified_client_in_and_another_does_not(blocks):
    for name, default in (("plain", "1"), ("a-b", "0")):
        listed = next(d for d in blocks[name] if d["directive"] == "map" and d["args"][1].endswith("_listed"))
        assert listed["block"][0]["args"] == [default]


def test_certificates_given_as_files_are_told_by_their_fingerprint(blocks, rendered):
    maps = {
        d["args"][1]: [key["directive"] for key in d["block"]]
        for d in blocks["by-file"]
        if d["directive"] == "map"
    }
    assert f"~^SUCCESS:{rendered['sha1']['allowed']}:" in maps["$mtls_server_byDfile_listed"]
    assert f"~^SUCCESS:{rendered['sha1']['probe']}:" in maps["$mtls_server_byDfile_probe"]
    assert f"~^SUCCESS:{rendered['sha1']['allowed']}:" not in maps["$mtls_server_byDfile_probe"]


def test_tls_profiles(blocks):
    for name, protocols in (("plain", ["TLSv1.2", "TLSv1.3"]), ("acb", ["TLSv1.3"])):
        (found,) = find(blocks[name], "ssl_protocols")
        assert found["args"] == protocols
    assert not find(blocks["acb"], "ssl_ciphers")
    assert all(
        "CBC" not in c and "DHE" in c for c in find(blocks["plain"], "ssl_ciphers")[0]["args"][0].split(":")
    )


def said(block, *names):
    return {d["directive"]: d["args"] for d in block if d["directive"] in names}


def test_a_profile_of_ones_own(blocks):
    block = find(blocks["more"], "server")[-1]["block"]
    names = ("ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_ecdh_curve")
    assert said(block, *names) == {
        "ssl_protocols": ["TLSv1.2"],
        "ssl_ciphers": ["ECDHE-ECDSA-AES256-GCM-SHA384"],
        "ssl_prefer_server_ciphers": ["on"],
        "ssl_ecdh_curve": ["prime256v1:secp384r1"],
    }
    assert find(blocks["plain"], "ssl_prefer_server_ciphers")[0]["args"] == ["off"]
    assert not find(blocks["plain"], "ssl_ecdh_curve")


def test_http2_as_each_nginx_wants_it(rendered):
    """`listen … http2` is deprecated since nginx 1.25.1, which has the directive."""
    for version, flag, line in (("1.22.1", True, False), ("1.30.6", False, True)):
        texts = {block["name"]: block["content"] for block in rendered[version]["sites"]}
        assert ("listen 443 ssl http2;" in texts["more"], "http2 on;" in texts["more"]) == (flag, line)
        assert ("http2 off;" in texts["plain"], "ssl http2" in texts["plain"]) == (line, False)


def test_what_a_site_says_of_its_backend(blocks):
    (location,) = find(blocks["more"], "location", "/")
    wanted = {
        "proxy_connect_timeout": ["1s"],
        "proxy_read_timeout": ["1h"],
        "proxy_buffering": ["off"],
        "proxy_request_buffering": ["off"],
    }
    assert said(location["block"], *wanted, "proxy_send_timeout") == wanted
    assert proxied_headers(location)["Upgrade"] == "$mtls_server_more_upgrade"
    assert proxied_headers(location)["Connection"] == "$mtls_server_more_connection"
    wanted_server = ["127.0.0.1:8000", "max_fails=0", "fail_timeout=3s"]
    assert find(blocks["more"], "server", "127.0.0.1:8000")[0]["args"] == wanted_server
    (plain,) = find(blocks["plain"], "location", "/")
    assert said(plain["block"], *wanted, "proxy_send_timeout") == {}
    assert "Upgrade" not in proxied_headers(plain)
    assert proxied_headers(plain)["Connection"] == ""
    assert find(blocks["plain"], "server", "127.0.0.1:8000")[0]["args"] == ["127.0.0.1:8000"]


def test_only_a_websocket_is_passed_on(blocks):
    maps = {d["args"][1]: d["block"] for d in blocks["more"] if d["directive"] == "map"}
    upgrade = {key["directive"]: key["args"] for key in maps["$mtls_server_more_upgrade"]}
    assert upgrade == {"default": [""], "~*^websocket\\\\z": ["websocket"]}
    connection = {key["directive"]: key["args"] for key in maps["$mtls_server_more_connection"]}
    assert connection == {"default": ["close"], "websocket": ["upgrade"]}


def test_what_a_site_says_to_every_client(blocks):
    block = find(blocks["more"], "server")[-1]["block"]
    assert [d["args"] for d in block if d["directive"] == "add_header"] == [
        ["Strict-Transport-Security", 'max-age=1; "x\\\\y"', "always"],
        ["X-Id", "$request_id", "always"],
    ]
    assert said(block, "client_max_body_size") == {"client_max_body_size": ["10m"]}
    assert not find(blocks["plain"], "add_header") + find(blocks["plain"], "client_max_body_size")


def test_pages_of_ones_own_stay_one_text(blocks):
    for code, kind in (("495", "text/html"), ("496", "text/plain")):
        (page,) = find(blocks["pages"], "location", "=", f"/.mtls/page/{code}")
        assert [d["directive"] for d in page["block"]] == ["internal", "default_type", "return"]
        assert page["block"][1]["args"] == [kind]
        status, text = page["block"][2]["args"]
        assert status == "400"
        assert text.replace("\\\\", "\\").replace("${mtls_server_pages_dollar}", "$") == PAGE.rstrip()
    errors = [d["args"] for d in find(blocks["pages"], "error_page")]
    assert errors == [["495", "=400", "/.mtls/page/495"], ["496", "=400", "/.mtls/page/496"]]
    assert not find(blocks["plain"], "error_page") + find(blocks["plain"], "geo")


def test_extra_directives_stand_where_they_were_asked_for(blocks):
    assert find(blocks["extra"], "location", "/x")
    assert [d["directive"] for d in find(blocks["extra"], "location", "/")[0]["block"]][
        -1
    ] == "proxy_read_timeout"


def test_a_location_among_the_extra_lines_inherits_what_the_backend_is_told(blocks):
    """Else a client's forged identity headers would pass through it."""
    (server,) = find(blocks["extra"], "server")[-1:]
    main = find(blocks["extra"], "location", "/")[0]
    inherited = proxied_headers(server)
    assert inherited == {n: v for n, v in proxied_headers(main).items() if n != "Connection"}
    assert inherited["X-SSL-Client-Cert"] == ""
    assert not proxied_headers(find(blocks["plain"], "server")[-1])


def test_proxy_protocol(blocks):
    assert find(blocks["proxied"], "listen")[0]["args"] == ["127.0.0.1:8443", "ssl", "proxy_protocol"]
    assert find(blocks["proxied"], "server_name")[0]["args"] == ["proxied.example.com"]


def test_each_route_has_its_upstream_and_its_credential(blocks):
    for listener, path, name in (
        ("1", "/", "orders"),
        ("1", "/billing/", "billing"),
        ("2", "/only/", "other"),
    ):
        (location,) = find(blocks[f"listener {listener}"], "location", path)
        said = {d["directive"]: d["args"] for d in location["block"] if d["directive"] != "proxy_set_header"}
        assert said["proxy_pass"] == [f"https://mtls_proxy_{name}"]
        credential = next(r for r in ROUTES if r["name"] == name)["credential"]
        assert said["include"] == [f"@MTLS_RELEASE@/proxy/credentials/{credential}/tls.conf"]
        assert said["proxy_ssl_name"] == ["orders.example.com"]
        assert proxied_headers(location)["Host"] == "orders.example.com"
        assert proxied_headers(location)["X-SSL-Client-S-DN"] == ""


def test_a_listener_without_a_root_route_answers_404_there(blocks):
    assert find(blocks["listener 2"], "location", "/")[0]["block"][0]["args"] == ["404"]
    assert find(blocks["listener 1"], "location", "/")[0]["block"][0]["directive"] == "include"


def test_only_a_route_to_an_a_of_ours_is_probed(blocks):
    assert find(blocks["listener 1"], "location", "=", "/.mtls/probe/orders")
    assert not find(blocks["listener 2"], "location", "=", "/.mtls/probe/other")


def test_post_is_repeated_only_when_asked(blocks):
    (billing,) = find(blocks["listener 1"], "location", "/billing/")
    assert find([billing], "proxy_next_upstream")[0]["args"] == ["error", "timeout", "non_idempotent"]
    (orders,) = find(blocks["listener 1"], "location", "/")
    assert not find([orders], "proxy_next_upstream")


def test_servers_of_an_upstream(blocks):
    assert [d["args"] for d in find(blocks["route all-of-it"], "server")] == [
        ["a1:443", "max_fails=2", "fail_timeout=5s", "weight=3"],
        ["a2:443", "max_fails=2", "fail_timeout=5s"],
        ["[::1]:443", "max_fails=2", "fail_timeout=5s", "backup"],
    ]
    assert find(blocks["route orders"], "server")[0]["args"] == ["a1.example.com:443", "max_fails=0"]


def test_proof_and_trial_read_each_server_of_an_upstream(rendered):
    """Backups and weights, too."""
    texts = {block["name"]: block["content"] for block in rendered["1.22.1"]["proxy"]["routes"]}
    assert upstream_servers(texts)["mtls_proxy_allDofDit"] == [("a1", 443), ("a2", 443), ("::1", 443)]


#: Of a route's own location, and of no other one.
OF_A_ROUTE = {
    "deny": ["10.0.0.1"],
    "allow": ["10.0.0.0/8"],
    "client_max_body_size": ["100m"],
    "proxy_connect_timeout": ["2s"],
    "proxy_read_timeout": ["1h"],
    "proxy_buffering": ["off"],
    "proxy_request_buffering": ["off"],
}


def test_what_a_route_asks_for_stands_in_its_location_alone(blocks):
    (location,) = find(blocks["listener 3"], "location", "/")
    first = {}
    for d in location["block"]:
        first.setdefault(d["directive"], d["args"])
    assert {name: first.get(name) for name in OF_A_ROUTE} == OF_A_ROUTE
    assert "proxy_send_timeout" not in first
    limits = [(d["directive"], *d["args"]) for d in location["block"] if d["directive"] in ("allow", "deny")]
    # nginx takes the first that fits.
    assert limits == [("deny", "10.0.0.1"), ("allow", "10.0.0.0/8"), ("allow", "::1"), ("deny", "all")]
    for others in (
        find(blocks["listener 3"], "location", "=", "/.mtls/probe/all-of-it"),
        find(blocks["listener 3"], "location", "/ended/"),
        find(blocks["listener 1"], "location", "/"),
    ):
        assert len(others) == 1
        assert not {d["directive"] for d in walk(others)} & {*OF_A_ROUTE, "proxy_send_timeout"}


def test_only_a_websocket_is_passed_on_and_only_where_asked(blocks):
    for name, path, none in (("all-of-it", "/", ""), ("ended", "/ended/", "close")):
        (location,) = find(blocks["listener 3"], "location", path)
        headers = proxied_headers(location)
        maps = {
            d["args"][1]: [(k["directive"], *k["args"]) for k in d["block"]]
            for d in find(blocks[f"route {name}"], "map", "$http_upgrade")
        }
        assert maps[headers["Upgrade"]] == [("default", ""), ("websocket", "websocket")]
        assert maps[headers["Connection"]] == [("default", none), ("websocket", "upgrade")]
    (probe,) = find(blocks["listener 3"], "location", "=", "/.mtls/probe/all-of-it")
    (orders,) = find(blocks["listener 1"], "location", "/")
    for location in (probe, orders):
        assert "Upgrade" not in proxied_headers(location)
        assert proxied_headers(location)["Connection"] == ""
    assert not find(blocks["route orders"], "map")


def spellings(name):
    """What CGI takes for *name*."""
    words = name.split("-")
    found = [
        "".join(word + joint for word, joint in zip(words, [*joints, ""]))
        for joints in itertools.product("-_", repeat=len(words) - 1)
    ]
    assert len(found) == 2 ** name.count("-")
    return found


def test_a_caller_has_no_identity_however_it_is_spelt(rendered):
    for listener in rendered["1.26.3"]["proxy"]["listeners"]:
        for spelt in [one for name in IDENTITY for one in spellings(name)]:
            lines = listener["content"].count(f'proxy_set_header {spelt} "";')
            assert lines == listener["content"].count("proxy_pass ") > 0


def test_the_original_client_is_taken_from_listed_callers_alone(blocks):
    (location,) = find(blocks["listener 3"], "location", "/")
    told = blocks["route all-of-it"]
    (known,) = find(told, "geo")
    assert [(k["directive"], *k["args"]) for k in known["block"]] == [
        ("default", "0"),
        ("127.0.0.2", "1"),
        ("fd00::/8", "1"),
    ]
    maps = {d["args"][1]: d for d in told if d["directive"] == "map"}
    others = find(blocks["listener 3"], "location", "/ended/") + find(blocks["listener 1"], "location", "/")
    assert len(IDENTITY) == 6
    for name in IDENTITY:
        original = name.replace("X-SSL", "X-Original-SSL")
        source = maps[proxied_headers(location)[original]]
        assert source["args"][0] == known["args"][0]
        variable = "$http_" + name.lower().replace("-", "_")
        assert [(k["directive"], *k["args"]) for k in source["block"]] == [("default", ""), ("1", variable)]
        assert [proxied_headers(other)[original] for other in others] == ["", ""]
        for where in (location, *others):
            headers = proxied_headers(where)
            passed_on = {original} if where is location else set()
            assert {headers[one] for one in {*spellings(name), *spellings(original)} - passed_on} == {""}
    for name, value in (("underscores_in_headers", "off"), ("ignore_invalid_headers", "on")):
        assert find(blocks["listener 3"], name)[0]["args"] == [value]
        assert not find(blocks["listener 1"], name)


def test_a_fleet_that_takes_no_original_client_has_none_of_its_text(rendered):
    texts = [b["content"] for kind in ("listeners", "routes") for b in rendered["1.26.3"]["proxy"][kind]]
    assert len(texts) == 3 + len(PLAIN_ROUTES)
    assert "Original" not in "".join(texts)


def test_keepalive(blocks, rendered):
    assert find(blocks["route orders"], "keepalive")[0]["args"] == ["64"]
    assert find(blocks["route orders"], "keepalive_timeout")[0]["args"] == ["5s"]
    assert not find(blocks["route billing"], "keepalive")
    # nginx 1.29.7 and newer keep connections by default, so "none" must be said.
    new = {block["name"]: block["content"] for block in rendered["1.30.6"]["proxy"]["routes"]}
    assert "keepalive 0;" in new["billing"]


def test_directives_that_this_nginx_does_not_know_are_left_out(rendered):
    for version, expected in (("1.22.1", False), ("1.30.6", True)):
        for block in [*rendered[version]["sites"], *rendered[version]["proxy"]["listeners"]]:
            assert ("keepalive_min_timeout 10s;" in block["content"]) is expected


@pytest.mark.parametrize(
    "path", ["mtls_server/templates/sites.json.j2", "mtls_proxy/templates/blocks.json.j2"]
)
def test_text_stays_text_on_ansible_core_2_18(path):
    """There a template's output that begins with [ or { becomes a list or dict before from_json sees it."""
    comment, rest = (ROOT / "roles" / path).read_text().split("#}\n", 1)
    assert comment.startswith("{#")
    assert rest.startswith("\n")

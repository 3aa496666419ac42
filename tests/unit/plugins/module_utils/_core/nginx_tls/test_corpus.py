# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as people have them: read as crossplane reads them, and what is in force there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nginx_corpus
import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Directive, Dump, parse
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls import judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.doors import questions
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.judge import Known
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.resolve import InForce, resolve
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.values import Program
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.configurations import (
    NEW,
    OLD,
    in_force,
)

ETC = "/etc/nginx"
#: Where crossplane's tree is not ours, and why; ``flat`` levels it.
DIFFERENCES = {
    "a file's name": "behind an include in a block crossplane names the included file on to its end",
    "escapes": "crossplane leaves a backslash that nginx's lexer takes out, and \\\\n as it stands",
    "if": "crossplane takes the parentheses off",
    "lua": "crossplane keeps the code as an argument; here it is dropped, for it is nobody's business",
}


def read(name: str, version: tuple[int, ...] = NEW) -> InForce:
    files = nginx_corpus.CORPUS[name]
    return in_force({f"{ETC}/{path}": text for path, text in files.items()}, version)


def plain(tree: Any) -> list[Any]:
    """Names, arguments, files and lines, without the includes themselves."""
    return [
        (one.name, list(one.args), one.file, one.line, None if one.block is None else plain(one.block))
        for one in tree
        if one.name != "include"
    ]


def of_crossplane(path: Path) -> list[Any]:
    crossplane = pytest.importorskip("crossplane", reason="the controller's, not in the images of hosts")
    payload = crossplane.parse(str(path), combine=True, check_ctx=False, check_args=False)
    assert payload["status"] == "ok", payload["errors"]

    def directives(items: list[dict[str, Any]]) -> list[Any]:
        return [
            (
                item["directive"],
                item["args"],
                item["file"],
                item["line"],
                directives(item["block"]) if "block" in item else None,
            )
            for item in items
            if item["directive"] not in ("include", "#")
        ]

    return directives(payload["config"][0]["parsed"])


@pytest.mark.parametrize("name", nginx_corpus.CORPUS)
def test_the_tree_is_crossplanes(name: str, tmp_path: Path) -> None:
    files = {}
    for path, text in nginx_corpus.CORPUS[name].items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(f"{ETC}/", f"{tmp_path}/"))
        files[str(file)] = file.read_text()
    theirs = of_crossplane(tmp_path / "nginx.conf")
    ours = plain(Dump(files).tree())
    assert list(flat(ours)) == list(flat(theirs))


def flat(tree: list[Any], depth: int = 0) -> Iterator[str]:
    for name, args, _file, line, block in tree:
        words = " ".join(args).replace("\\\\", "\\").replace("\\n", "\n")
        if name == "if":
            words = words.removeprefix("(").removesuffix(")")
        code = name.endswith("_by_lua_block")
        yield f"{line} {'  ' * depth}{name} {'' if code else words}{' {' * (block is not None or code)}"
        yield from flat(block or [], depth + 1)


def server(found: InForce, name: str) -> dict[str, Any]:
    (one,) = [one for one in found.servers if name in one["names"]]
    return one


def listens(one: dict[str, Any]) -> list[str]:
    return [
        f"{at['address']}:{at['port']}{' tls' * at['tls']}{' default' * at['default']}"
        for at in one["listens"]
    ]


def test_the_tutorials_a() -> None:
    found = read("tutorial A")
    (one,) = found.servers
    assert listens(one) == ["*:443 tls default"]
    assert one["certificates"][0]["certificate"]["path"] == f"{ETC}/pki/server.pem"
    assert one["certificates"][0]["key"]["path"] == f"{ETC}/pki/server.key"
    assert one["trust"]["path"] == f"{ETC}/pki/clients-ca.pem"
    assert one["trust"]["place"] == f"{ETC}/nginx.conf:9"
    assert (one["verify"], one["depth"], one["crl"], one["trusted"]) == ("on", 1, None, None)
    assert found.locations == []


def test_the_tutorials_b() -> None:
    plainly, checked = read("tutorial B").locations
    assert plainly["pass"] == "https://backend" and plainly["upstream"] == "backend"
    assert plainly["servers"] == ["127.0.0.1:443", "192.0.2.2:80", "[2001:db8::1]:8443"]
    assert (plainly["verify"], plainly["name"], plainly["sni"]) == (False, "backend", False)
    assert (plainly["host"], plainly["keepalive"], plainly["keepalive_shared"]) == ("backend", 16, True)
    assert (checked["verify"], checked["depth"], checked["sni"]) == (True, 2, True)
    assert checked["name"] == checked["host"] == "api.example.com"
    assert checked["path"] == "/checked/" and checked["pass"] == "https://backend"


def test_a_distributions_directories() -> None:
    found = read("debian")
    one = server(found, "api.example.com")
    assert listens(one) == ["*:443 tls", "[::]:443 tls"]
    assert one["verify"] == "optional" and one["depth"] == 3
    assert one["session_cache"] == "shared:SSL:10m" and not one["session_tickets"]
    assert {"ssl_session_cache", "ssl_protocols"} <= set(one["inherited"])
    assert one["certificates"][0]["certificate"]["place"] == f"{ETC}/snippets/tls.conf:1"
    assert [(log["path"], log["level"]) for log in found.error_logs] == [
        ("/var/log/nginx/error.log", "error"),
        ("/var/log/nginx/api.error.log", "info"),
    ]
    assert found.user == "www-data"


@pytest.mark.parametrize(
    ("value", "path", "to"),
    [
        ("stderr", "stderr", ""),
        ("memory:32m", "memory", ""),
        ("syslog:server=unix:/dev/log", "syslog", "unix:/dev/log"),
        ("syslog:server=unix:/dev/log,nohostname,tag=s3cr3t", "syslog", "unix:/dev/log"),
        ("syslog:facility=local7,server=[2001:db8::1]:514", "syslog", "[2001:db8::1]:514"),
        ("syslog:tag=a,server=logs.example.com", "syslog", "logs.example.com"),
        ("syslog:server=s3cr3t$x", "syslog", ""),
        ("/var/log/syslog:server=x", "/var/log/syslog:server=x", ""),
    ],
)
def test_where_a_log_goes(value: str, path: str, to: str) -> None:
    tree = parse(f"error_log {value} info;", "/etc/nginx/nginx.conf")
    (told,) = resolve(tree, Program((1, 26, 3)), "/usr/share/nginx", "error.log").error_logs
    assert told == {"path": path, "to": to, "level": "info", "place": "/etc/nginx/nginx.conf:1"}


def test_certbots() -> None:
    one, redirect = read("certbot").servers
    assert one["certificates"][0]["certificate"]["path"] == f"{ETC}/live/a/fullchain.pem"
    assert one["crl"]["path"] == f"{ETC}/pki/clients.crl" and one["verify"] == "on"
    assert one["ciphers"].startswith("ECDHE-ECDSA-AES128") and one["inherited"] == []
    assert not redirect["tls"]


def test_several_blocks_on_one_port() -> None:
    found = read("one port")
    first, second, third = found.servers
    assert listens(first) == ["*:443 tls default"]
    assert listens(second) == ["*:443 tls"], "tls, for the other block says ssl"
    assert listens(third) == ["127.0.0.1:443 tls default"], "a socket of its own"
    assert first["trusted"] is None and second["trusted"]["path"] == f"{ETC}/pki/servers-ca.pem"
    said = judge.of_servers(found.servers, NEW, Known())
    assert [[one.code for one in each] for each in said] == [
        [], ["server.other_trust_admitted", "server.trust_inherited"], [],
    ]  # fmt: skip
    asked = [(one.server, one.server_name) for one in questions(found.servers)]
    assert asked == [(0, "first.example.com"), (1, "second.example.com"), (2, "third.example.com")]


def test_what_locations_inherit() -> None:
    outer, inner, limited, condition, clear, named = read("inherited").locations
    assert (outer["path"], outer["verify"], outer["depth"]) == ("/", True, 3)
    assert (outer["name"], outer["host"]) == ("api.example.com", "outer.example.com")
    assert (inner["path"], inner["verify"], inner["name"]) == ("/inner/", False, "api.example.com")
    assert inner["host"] == "127.0.0.1:443", "proxy_set_header of its own, so none of the outer ones"
    assert inner["pass"] == "https://127.0.0.1:443"
    assert (limited["path"], limited["servers"]) == ("/", ["127.0.0.1:8443"])
    assert (condition["path"], condition["servers"], condition["verify"]) == ("/", ["127.0.0.1:9443"], True)
    assert (clear["path"], clear["protocol"], clear["verify"]) == ("= /plain", "http", True)
    assert (named["path"], named["host"]) == ("@named", "b.example.com")
    assert named["certificate"]["path"] == f"{ETC}/pki/c.pem"
    assert named["servers"] == ["127.0.0.1:443"] and named["name"] == "127.0.0.1"


def test_variables_stand_where_only_a_request_tells() -> None:
    found = read("variables")
    known, mapped, whole = found.locations
    assert known["pass"] == "https://$backend:8443"
    assert known["name"] == "api.example.com" and not known["name_variable"]
    assert mapped["certificate"]["variable"] and mapped["certificate"]["path"] == ""
    assert mapped["certificate"]["text"] == f"{ETC}/pki/$tenant.pem"
    assert (mapped["name"], mapped["name_variable"], mapped["host"]) == ("$tenant.example.com", True, "")
    assert (whole["protocol"], whole["pass"], whole["servers"]) == ("", "$http_x_url", [])
    (one,) = [one for one in found.servers if one["tls"]]
    assert one["certificates"][0]["key"]["variable"]
    assert not any(path["path"].count("$") for _kind, path in found.files())


def test_sockets_of_all_kinds() -> None:
    found = read("sockets")
    assert listens(server(found, "u.example.com")) == ["unix:/run/nginx-a.sock:0 tls default"]
    assert server(found, "p.example.com")["listens"][0]["proxy_protocol"]
    ranged = server(found, "r.example.com")
    assert listens(ranged) == [
        "127.0.0.1:8450 tls default", "127.0.0.1:8451 tls", "127.0.0.1:8452 tls default",
        "[::1]:8450 tls default",
    ]  # fmt: skip
    assert listens(server(found, "later.example.com")) == ["127.0.0.1:8451 tls default"]
    assert listens(server(found, "nothing.example.com")) == ["*:80 default"]
    (refusing,) = [one for one in found.servers if one["reject_handshake"]]
    assert [one for one in questions(found.servers) if found.servers[one.server] is refusing] == []


def test_grpc_and_uwsgi() -> None:
    grpc, uwsgi = read("grpc").locations
    assert (grpc["protocol"], grpc["upstream"], grpc["verify"]) == ("grpcs", "api", True)
    assert grpc["certificate"]["path"] == f"{ETC}/pki/b.pem"
    assert (uwsgi["protocol"], uwsgi["servers"], uwsgi["certificate"]) == ("suwsgi", ["127.0.0.1:9000"], None)


def test_includes_by_a_glob() -> None:
    found = read("nested")
    assert [one["names"] for one in found.servers] == [["a.example.com"], ["b.example.com"]]
    pairs = found.servers[0]["certificates"]
    assert [pair["certificate"]["path"] for pair in pairs] == [f"{ETC}/pki/server.pem", f"{ETC}/pki/old.pem"]
    assert [pair["key"]["path"] for pair in pairs] == [f"{ETC}/pki/server.key", f"{ETC}/pki/old.key"]


def test_stream() -> None:
    found = read("stream")
    one, other = found.servers
    assert (one["module"], one["verify"], one["depth"], listens(one)) == (
        "stream",
        "on",
        2,
        ["*:5433 tls default"],
    )
    assert not other["tls"]
    (leading,) = found.locations
    assert leading["protocol"] == "tls" and leading["upstream"] == "db" and leading["pass"] == "db"
    assert leading["servers"] == ["10.0.0.1:5432", "unix:/run/db.sock"]
    assert (leading["name"], leading["sni"], leading["host"], leading["path"]) == (
        "db.example.com",
        True,
        "",
        "",
    )


def test_code_of_others_is_passed_over() -> None:
    (one,) = read("lua").servers
    assert one["tls"] and one["certificates"][0]["certificate"]["path"] == f"{ETC}/pki/server.pem"


@pytest.mark.parametrize(
    ("version", "protocols"),
    [
        (OLD, ["TLSv1", "TLSv1.1", "TLSv1.2"]),
        ((1, 26, 3), ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        (NEW, ["TLSv1.2", "TLSv1.3"]),
    ],
)
def test_the_protocols_of_each_version(version: tuple[int, ...], protocols: list[str]) -> None:
    assert read("tutorial A", version).servers[0]["protocols"] == protocols
    assert read("tutorial B", version).locations[0]["protocols"] == protocols


def test_nothing_but_known_keys_is_told() -> None:
    """No directive of another kind comes along, whatever the configuration holds."""
    for name in nginx_corpus.CORPUS:
        for one in (*read(name).servers, *read(name).locations):
            assert not any(isinstance(value, Directive) for value in one.values())
            assert "expires" not in str(one) and "/srv" not in str(one)

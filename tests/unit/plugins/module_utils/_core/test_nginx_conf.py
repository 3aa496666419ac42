# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import nginx_conf
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import (
    Directive,
    Dump,
    parse,
    read_dump,
)

PLAIN = """
# a comment with { and ;
http {
    include mime.types; # behind a directive
    map $host $x { default ""; "~^a\\.b$" 1; }
    server {
        listen [::]:443 ssl;
        server_name a "b c" 'd;e' "~^x{2}$";
        location = /p { return 200 "@MTLS_ID@ $ssl_client_verify\\n"; }
        if ($http_x ~ "^x{2}$") { return 403; }
        set $y a${host}b;
        log_format main '{"a":"$b"}' "it''s \\"q\\"";
    }
}
"""

TEXTS = {
    "plain": PLAIN,
    "empty": "",
    "comment only": "# nothing",
    "windows line ends": "http {\r\n  server {\r\n  listen 80;\r\n }\r\n}\r\n",
    "one line": "events{} http{server{listen 80;server_name a;}}",
    "escaped blank": "root /a\\ b;",
    "hash in a word": "return 302 /a#b;",
}


def shape(found: tuple[Directive, ...]) -> list[object]:
    return [
        (one.name, list(one.args), one.line, None if one.block is None else shape(one.block)) for one in found
    ]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_it_reads_what_crossplane_reads(text: str, tmp_path: Any) -> None:
    crossplane = pytest.importorskip("crossplane", reason="the controller's, not in the images of hosts")
    path = tmp_path / "x.conf"
    path.write_bytes(text.encode())  # Path.write_text knows no newline before Python 3.10
    payload = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    assert payload["status"] == "ok"

    def theirs(items: list[dict[str, Any]]) -> list[object]:
        return [
            (
                one["directive"],
                [str(arg).strip("()") for arg in one["args"]],
                one["line"],
                theirs(one["block"]) if "block" in one else None,
            )
            for one in items
            if one["directive"] != "#"
        ]

    def ours(items: list[Any]) -> list[object]:
        # crossplane takes the parentheses of `if` away and leaves escapes as they stand.
        return [
            (
                name,
                [arg.strip("()") for arg in args if arg != ")"],
                line,
                None if block is None else ours(block),
            )
            for name, args, line, block in items
        ]

    def plain(items: list[Any]) -> list[object]:
        return [
            (
                name,
                [arg.replace("\\\\", "\\").replace("\\n", "\n").replace('\\"', '"') for arg in args],
                line,
                None if block is None else plain(block),
            )
            for name, args, line, block in items
        ]

    assert ours(shape(parse(text))) == plain(theirs(payload["config"][0]["parsed"]))


def test_words_are_cut_as_nginx_cuts_them() -> None:
    (directive,) = parse('return 200 "a\\tb\\\\n\\"c\\$d" x\\;y ${host}{z};'.replace("{z}", "z"))
    assert directive.args == ("200", 'a\tb\\n"c\\$d', "x\\;y", "${host}z")


def test_a_quoted_brace_is_a_word() -> None:
    (directive,) = parse("a '{' \";\" '}';")
    assert directive.args == ("{", ";", "}")
    assert directive.block is None


def test_lines_and_places() -> None:
    http = parse(PLAIN, "/etc/nginx/nginx.conf")[0]
    server = http.children("server")[0]
    assert (http.place, server.line) == ("/etc/nginx/nginx.conf:3", 6)


def test_the_last_of_a_repeated_directive_counts() -> None:
    (block,) = parse("server { a 1; a 2 3; }")
    assert block.value("a") == "2 3"
    assert block.value("b") is None


def test_lua_is_not_nginx_syntax() -> None:
    text = 'http {\n content_by_lua_block {\n local t = { ";" , {1}, }\n }\n server { listen 80; }\n}'
    (http,) = parse(text)
    assert [one.name for one in http.block or ()] == ["content_by_lua_block", "server"]
    assert http.children("server")[0].line == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a b", 1),
        ("http {\n server {\n }\n", 1),
        ("a;\n}\n", 2),
        ("a;\n { b; }", 2),
        ('a;\nb "c;\n', 2),
        ("a { b }", 1),
        ("a ${b;", 1),
    ],
)
def test_what_is_not_whole_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(MtlsError) as found:
        parse(text, "site x")
    assert found.value.place == f"site x:{line}"
    assert found.value.remedy


@pytest.mark.parametrize("text", ["SECRET", "SECRET {", '"SECRET', "a ${SECRET", "SECRET }", "a { SECRET }"])
def test_a_fault_does_not_quote_what_may_be_somebodys_secret(text: str) -> None:
    with pytest.raises(MtlsError) as found:
        read_dump(f"# configuration file /etc/nginx/nginx.conf:\n{text}").tree()
    assert "SECRET" not in str(found.value)
    assert found.value.place == "/etc/nginx/nginx.conf:1"


DUMP = """nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
# configuration file /etc/nginx/nginx.conf:
events { }
http {
    include conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
# configuration file /etc/nginx/conf.d/b.conf:
server { listen 82; }
# configuration file /etc/nginx/conf.d/a.conf:
server { listen 81; include snippets/s.conf; }
# configuration file /etc/nginx/snippets/s.conf:
root /x;
# configuration file /etc/nginx/conf.d/deep/c.conf:
server { listen 84; }
# configuration file /etc/nginx/sites-enabled/default:
server { listen 83; }
"""


def servers(dump: Dump) -> list[str]:
    http = next(one for one in dump.tree() if one.name == "http")
    return [one.value("listen") or "" for one in http.children("server")]


def test_a_dump_becomes_one_tree_in_nginx_order() -> None:
    dump = read_dump(DUMP)
    assert dump.main == "/etc/nginx/nginx.conf"
    # Sorted as glob(3) sorts, relative to the main file's directory, and no wildcard crosses a slash.
    assert servers(dump) == ["81", "82", "83"]


def test_a_file_keeps_its_own_name_and_lines() -> None:
    http = next(one for one in read_dump(DUMP).tree() if one.name == "http")
    first = http.children("server")[0]
    assert first.place == "/etc/nginx/conf.d/a.conf:1"
    assert first.children("root")[0].file == "/etc/nginx/snippets/s.conf"


def test_files_of_a_shadow_get_their_own_names_back() -> None:
    moved = read_dump(DUMP.replace("/etc/nginx", "/run/x")).moved("/run/x", "/etc/nginx")
    assert moved.main == "/etc/nginx/nginx.conf"
    assert read_dump(DUMP).moved("/run/x", "/elsewhere").files == read_dump(DUMP).files


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("conf.d/[ab].conf", ["/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"]),
        ("conf.d/[!a].conf", ["/etc/nginx/conf.d/b.conf"]),
        ("conf.d/?.conf", ["/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"]),
        ("conf.d/a.conf", ["/etc/nginx/conf.d/a.conf"]),
        ("conf.d/none.conf", []),
        ("conf.d/*/*.conf", ["/etc/nginx/conf.d/deep/c.conf"]),
    ],
)
def test_include_patterns(pattern: str, names: list[str]) -> None:
    assert read_dump(DUMP).included(pattern) == names


def test_an_include_of_itself_ends() -> None:
    assert read_dump("# configuration file /n.conf:\ninclude n.conf;\na;\n").tree()[-1].name == "a"


def test_no_dump_is_an_empty_tree() -> None:
    assert read_dump("nginx: [emerg] something\n").tree() == ()


def test_braces_and_includes_are_read_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("a {" * 99 + "}" * 99)
    with pytest.raises(MtlsError, match="deeper in each other than 100"):
        parse("a {" * 100 + "}" * 100, "/x.conf")
    twice = {f"/c/{number}": f"include {number + 1}; include {number + 1};" for number in range(40)}
    monkeypatch.setattr(nginx_conf, "_MOST", 5000)
    with pytest.raises(MtlsError, match="more than 5000 directives"):
        Dump(twice).tree()
    circle = {"/c/a": "x; include b;", "/c/b": "y; include a;"}
    assert [one.name for one in Dump(circle).tree()] == ["x", "include", "y", "include"]


LUA = """
content_by_lua_block {
    local a = "}" -- } a comment
    local b = '\\'}' --[[ } ]] local c = [==[ } ]] ]==]
    if a then b = { 1, { 2 } } end
}
x;
"""


def test_braces_in_strings_of_lua_are_none() -> None:
    code, after = parse(LUA)
    assert (code.name, code.block, after.name, after.line) == ("content_by_lua_block", (), "x", 7)


@pytest.mark.parametrize(
    "text",
    [
        "# content_by_lua_block {\n#   x()\n# }\nserver { listen 443; }",
        "# see content_by_lua_block of the docs\nserver { listen 443; }",
        'return 200 "content_by_lua_block {"; server { listen 443; }',
        "x content_by_lua_block { server { } } server { listen 443; }",
        "content_by_lua_block $x { } server { listen 443; }",
        '"content_by_lua_block" { ";" } server { listen 443; }',
        "content_by_lua_block{}server { listen 443; }",
        "content_by_lua_file x.lua; server { listen 443; }",
    ],
)
def test_lua_is_only_what_a_directive_of_that_name_holds(text: str) -> None:
    assert [item.args for item in parse(text)[-1].children("listen")] == [("443",)]


def test_a_block_of_lua_that_does_not_end_is_a_fault() -> None:
    with pytest.raises(MtlsError, match="is not ended"):
        parse("content_by_lua_block { x {}\n server {")


@pytest.mark.parametrize("known", [True, False])
def test_a_file_may_hold_the_line_that_divides_a_dump(known: bool) -> None:
    line = "# configuration file /n.conf:\n"
    files = {
        "/n.conf": f"{line}a;\n# configuration file /o.conf:\nb;\ninclude o.conf;\ninclude e.conf;",
        "/o.conf": f"c;\n{line}",
        "/e.conf": "",
    }
    text = "nginx: ok\n" + "".join(f"# configuration file {name}:\n{said}\n" for name, said in files.items())
    dump = read_dump(text, files.get if known else lambda dummy: None)
    assert (dump.files == files) is known
    names = [one.name for one in dump.tree()]
    assert not known or names == ["a", "b", "include", "c", "include"]


def test_a_file_that_was_changed_since_is_read_from_the_dump() -> None:
    text = "# configuration file /n.conf:\na;\n\n# configuration file /o.conf:\nb;\n\n"
    for now in ("a;\nb;\n", "a", "", "z", "a;\n\n# configuration file /o.conf:\nb"):
        files = read_dump(text, {"/n.conf": now}.get).files
        assert files["/n.conf"] == "a;\n" and files["/o.conf"].startswith("b;\n"), now

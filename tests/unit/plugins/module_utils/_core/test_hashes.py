# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.hashes import room, said
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump

VARIABLES = ["variables_hash_max_size 16384", "variables_hash_bucket_size 512"]
NAMES = ["server_names_hash_max_size 16384", "server_names_hash_bucket_size 512"]


def source(**texts: str) -> dict[str, bytes]:
    return {f"server/sites/{name}.conf": text.encode() for name, text in texts.items()}


def variables(count: int, first: str = "") -> str:
    return f"map $a ${first or 'x'} {{ default 0; }}" + "".join(
        f"map $a $v{number} {{ default 0; }}" for number in range(count - 1)
    )


def names(count: int, first: str = "x") -> str:
    listed = " ".join([first, *(f"n{number}.test" for number in range(count - 1))])
    return f"server {{ server_name {listed}; }}"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ({"a": variables(24)}, []),
        ({"a": variables(25)}, VARIABLES),
        ({"a": variables(13), "b": variables(13).replace("$v", "$w")}, VARIABLES),
        # The same name twice is one.
        ({"a": variables(24), "b": variables(24)}, []),
        ({"a": variables(1, "v" * 46)}, []),
        ({"a": variables(1, "v" * 47)}, VARIABLES),
        ({"a": f"server {{ set ${'v' * 47} 1; }}"}, VARIABLES),
        ({"a": f"geo ${'v' * 47} {{ default 0; }}"}, VARIABLES),
        ({"a": f"geo $remote_addr ${'v' * 47} {{ default 0; }}"}, VARIABLES),
        # The value of a variable is no name.
        ({"a": f"server {{ set $v {'v' * 47}; }}"}, []),
        ({"a": names(40)}, []),
        ({"a": names(41)}, NAMES),
        ({"a": names(1, "n" * 46)}, []),
        ({"a": names(1, "n" * 47)}, NAMES),
        ({"a": variables(25) + names(41)}, VARIABLES + NAMES),
        ({"a": "server {"}, []),
        ({}, []),
    ],
)
def test_room_is_made_where_it_is_needed(texts: Mapping[str, str], wanted: list[str]) -> None:
    assert room(source(**texts), ()) == wanted


def test_blocks_of_both_parts_count() -> None:
    found = {**source(a=variables(13)), "proxy/routes/b.conf": variables(13).replace("$v", "$w").encode()}
    assert room(found, ()) == VARIABLES


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        ({"variables_hash_max_size"}, VARIABLES[1:]),
        ({"variables_hash_bucket_size"}, VARIABLES[:1]),
        ({"variables_hash_bucket_size", "variables_hash_max_size"}, []),
        ({"server_names_hash_max_size", "gzip"}, VARIABLES),
    ],
)
def test_what_somebody_else_says_is_not_said_twice(taken: Collection[str], wanted: list[str]) -> None:
    assert room(source(a=variables(25)), taken) == wanted


def test_what_is_said_at_http_level() -> None:
    text = "user x; http { gzip on; include own.conf; server { listen 80; } } stream { tcp_nodelay on; }"
    dump = Dump({"/n/nginx.conf": text, "/n/own.conf": "variables_hash_max_size 4096;"})
    assert said(dump.tree()) == {"gzip", "include", "variables_hash_max_size", "server"}


def test_it_stands_in_the_entry_before_the_blocks() -> None:
    (first, second, *rest) = (
        release.with_entry(source(a=""), VARIABLES)["mtls.conf"].decode().splitlines()[1:]
    )
    assert [first, second] == [f"{line};" for line in VARIABLES]
    assert rest == ["include @MTLS_RELEASE@/server/sites/a.conf;"]
    assert release.with_entry(source(a=""), [])["mtls.conf"] == release.with_entry(source(a=""))["mtls.conf"]

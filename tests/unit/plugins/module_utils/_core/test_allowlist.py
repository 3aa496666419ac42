# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets 403 although verified. That the maps of the role's template say the same is tests/unit/roles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.allowlist import Client, read, refusal
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

B1 = Client("CN=b1,O=Shop", "CN=Clients,O=Shop", "ab" * 20, "1F")
OTHER = Client("CN=b2,O=Shop", "CN=Others,O=Shop", "cd" * 20, "20")
TEXT = r"""
map "$ssl_client_verify:$ssl_client_fingerprint:$ssl_client_s_dn" $mtls_server_x_probe {
    default 0;
    "~^SUCCESS:[0-9a-f]*:(.*,)?CN=mtls-probe\\." 1;
    "~^SUCCESS:PROBE:" 1;
}
map "$ssl_client_verify:$ssl_client_fingerprint" $mtls_server_x_listed {
    default DEFAULT;
LISTED
}
map "$ssl_client_verify:$ssl_client_serial:$ssl_client_i_dn" $mtls_server_x_issued {
    default 0;
ISSUED
}
server { listen 443 ssl; }
"""


def text(listed: str = "", issued: str = "", default: int = 0) -> str:
    filled = {"PROBE": "ef" * 20, "DEFAULT": str(default), "LISTED": listed, "ISSUED": issued}
    found = TEXT
    for word, value in filled.items():
        found = found.replace(word, value)
    return found


def code(client: Client, allow: list[dict[str, str]], probes: tuple[str, ...] = ()) -> str:
    found = refusal(client, allow, probes)
    return found.code if found else ""


@pytest.mark.parametrize(
    "entry",
    [
        {"dn": B1.dn},
        {"sha1": B1.sha1},
        {"issuer": B1.issuer, "serial": B1.serial},
    ],
    ids=["dn", "sha1", "issuer and serial"],
)
def test_each_kind_lets_its_client_in_and_no_other(entry):
    assert code(B1, [entry]) == ""
    assert code(OTHER, [entry]) == "edge.not_allowed"
    assert code(OTHER, [entry, {"dn": OTHER.dn}]) == ""


def test_an_empty_list_is_for_everybody():
    assert code(OTHER, []) == ""


@pytest.mark.parametrize(
    ("entry", "near"),
    [
        ({"dn": "CN=b1,O=Shop"}, replace(B1, dn="CN=B1,O=Shop")),
        ({"dn": "CN=b1,O=Shop"}, replace(B1, dn="CN=b1,O=Shop,C=DE")),
        ({"dn": "CN=b1,O=Shop"}, replace(B1, serial="-1F")),
        ({"issuer": B1.issuer, "serial": "1F"}, replace(B1, serial="20")),
        ({"issuer": B1.issuer, "serial": "1F"}, replace(B1, issuer="CN=Clients")),
    ],
)
def test_a_near_miss_is_none(entry, near):
    assert code(near, [entry]) == "edge.not_allowed"
    assert code(B1, [entry]) == ""


@pytest.mark.parametrize("dn", ["CN=mtls-probe.a1", "O=Shop,CN=mtls-probe.a1"])
def test_a_probe_identity_is_refused_whoever_is_allowed(dn):
    assert code(replace(B1, dn=dn), []) == "edge.probe_identity"
    assert code(replace(B1, dn=dn), [{"dn": dn}]) == "edge.probe_identity"
    assert code(B1, [{"dn": B1.dn}], (B1.sha1,)) == "edge.probe_identity"


@pytest.mark.parametrize("dn", ["CN=mtls-probe", "CN=not-mtls-probe.a1", "O=Shop+CN=mtls-probe.a1"])
def test_what_only_looks_like_a_probe_identity_is_none(dn):
    assert code(replace(B1, dn=dn), [], (OTHER.sha1,)) == ""


def test_the_maps_of_an_installed_site_are_read_back():
    listed = r'"~^SUCCESS:[0-9a-f]+:[0-9A-F]+:CN=b\\ 1,O=a\\.b\\z" 1; "~^SUCCESS:' + "ab" * 20 + ':" 1;'
    issued = r'"~^SUCCESS:1F:CN=Clients\\z" 1;'
    allow, probes = read(text(listed, issued), "site x")
    assert allow == [
        {"dn": "CN=b 1,O=a.b"},
        {"sha1": "ab" * 20},
        {"issuer": "CN=Clients", "serial": "1F"},
    ]
    assert probes == ["ef" * 20]
    assert read(text(default=1), "site x") == ([], ["ef" * 20])


@pytest.mark.parametrize(
    "edited",
    [
        text('"~^SUCCESS:.*" 1;'),
        text(issued='"~^SUCCESS:1F:" 1;'),
        text(),  # nobody is listed, and the default is not for everybody
    ],
)
def test_lines_that_no_role_has_written_are_not_guessed_at(edited):
    assert read(edited, "site x") == (None, ["ef" * 20])


def test_the_text_of_somebody_else_has_no_list_that_is_known():
    assert read("server { listen 443 ssl; }", "site x") == (None, [])
    with pytest.raises(MtlsError, match="site x"):
        read('map "$a', "site x")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import parse
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tlsconf import (
    TlsSettings,
    settings_of,
    tls_conf,
)


def values(text: str) -> dict[str, str]:
    found = parse(text)
    assert len({one.name for one in found}) == len(found), "a directive stands there twice"
    return {one.name: " ".join(one.args) for one in found}


def test_server_side_is_closed_against_the_http_level() -> None:
    found = values(tls_conf("server", "main", TlsSettings(2), b"T", b""))
    folder = "@MTLS_RELEASE@/server/credentials/main"
    assert found == {
        "ssl_certificate": f"{folder}/fullchain.pem",
        "ssl_certificate_key": f"{folder}/privkey.pem",
        "ssl_client_certificate": f"{folder}/trust.pem",
        "ssl_trusted_certificate": "",
        "ssl_crl": "",
        "ssl_verify_depth": "2",
        "ssl_session_cache": "off",
        "ssl_session_tickets": "off",
    }


def test_proxy_side_verifies_by_itself() -> None:
    found = values(tls_conf("proxy", "client", TlsSettings(1), b"T", b"C"))
    assert found["proxy_ssl_verify"] == "on"
    assert found["proxy_ssl_server_name"] == "on"
    assert found["proxy_ssl_crl"].endswith("/proxy/credentials/client/crl.pem")
    assert values(tls_conf("proxy", "client", TlsSettings(), b"T", b""))["proxy_ssl_crl"] == ""


def zone(trust: bytes, crl: bytes) -> str:
    return values(tls_conf("server", "m", TlsSettings(1, "shared"), trust, crl))["ssl_session_cache"]


def test_a_shared_zone_is_another_one_for_other_trust_or_crl() -> None:
    assert zone(b"T", b"C") == zone(b"T", b"C")
    assert len({zone(b"T", b"C"), zone(b"T2", b"C"), zone(b"T", b"C2"), zone(b"T", b"")}) == 4
    assert (
        values(tls_conf("server", "m", TlsSettings(1, "shared"), b"T", b""))["ssl_session_tickets"] == "off"
    )


@pytest.mark.parametrize(("sessions", "reuse"), [("off", "off"), ("shared", "on"), ("", "on")])
def test_whether_the_proxy_side_resumes(sessions: str, reuse: str) -> None:
    found = values(tls_conf("proxy", "client", TlsSettings(1, sessions), b"T", b""))
    assert found["proxy_ssl_session_reuse"] == reuse


@pytest.mark.parametrize("part", ["server", "proxy"])
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("sessions", ["off", "shared"])
def test_the_settings_can_be_read_back(part: str, depth: int, sessions: str) -> None:
    settings = TlsSettings(depth, sessions)
    assert settings_of(tls_conf(part, "m", settings, b"T", b"")) == settings


@pytest.mark.parametrize(("part", "usual"), [("server", "off"), ("proxy", "shared")])
def test_what_is_usual_of_a_part(part: str, usual: str) -> None:
    said, unsaid = (tls_conf(part, "m", TlsSettings(1, sessions), b"T", b"") for sessions in (usual, ""))
    assert said == unsaid


def test_no_text_has_no_settings() -> None:
    assert settings_of("") == TlsSettings(1, "")

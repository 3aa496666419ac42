# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's pages, and pages that only look like them."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.http_body import (
    classify,
    classify_stray,
)


def page(title: str) -> bytes:
    """An error page as nginx 1.22 to 1.30 write it."""
    heading, _space, rest = title.partition(" ")
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading} Bad Request</h1>"
        f"</center>\r\n<center>{rest}</center>\r\n<hr><center>nginx/1.26.3</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


CASES: list[tuple[Optional[int], bytes, str]] = [
    (400, page("400 No required SSL certificate was sent"), "no_certificate"),
    (400, page("400 The SSL certificate error"), "certificate_error"),
    (400, page("400 The plain HTTP request was sent to HTTPS port"), "plain_http_to_tls"),
    (400, page("400 Request Header Or Cookie Too Large"), "other"),
    (400, page("400 Bad Request"), "other"),
    (400, b"<TITLE>\n400 The SSL certificate error </TITLE>", "certificate_error"),
    (400, b"400 The SSL certificate error", "other"),
    (400, b"<title>Help</title><p>400 The SSL certificate error", "other"),
    (400, b"<title>\xff</title>", "other"),
    (400, b"", "other"),
    (421, page("421 Misdirected Request"), "misdirected"),
    (403, page("403 Forbidden"), "forbidden"),
    (403, b"", "forbidden"),
    (502, page("502 Bad Gateway"), "bad_gateway"),
    (495, b"", "certificate_error"),
    (496, b"", "no_certificate"),
    (497, b"", "plain_http_to_tls"),
    (404, page("404 Not Found"), "other"),
    (500, page("400 The SSL certificate error"), "other"),
    (500, page("500 Internal Server Error"), "internal_error"),
    (500, page("500 Internal Server Error").replace(b"nginx/1.26.3", b"nginx"), "internal_error"),
    (500, page("500 Internal Server Error").replace(b"nginx/1.26.3", b"Apache"), "other"),
    (500, b"<title>500 Internal Server Error</title>", "other"),
    (400, page("500 Internal Server Error"), "other"),
    (500, b"", "other"),
    (503, page("503 Service Temporarily Unavailable"), "other"),
    (504, page("504 Gateway Time-out"), "gateway_timeout"),
    (504, b"", "gateway_timeout"),
    (200, page("400 The SSL certificate error"), ""),
    (301, b"", ""),
    (None, b"", ""),
]


@pytest.mark.parametrize(("status", "body", "expected"), CASES)
def test_classify(status: Optional[int], body: bytes, expected: str) -> None:
    assert classify(status, body) == expected


SETTINGS = bytes.fromhex("000012040000000000")  # nginx's: three settings
ALERT = bytes.fromhex("15030300020246")
OVER_TLS, PLAIN = (True, True), (False, False)


@pytest.mark.parametrize(
    ("stray", "where", "expected"),
    [
        (b"", OVER_TLS, ""),
        (SETTINGS, OVER_TLS, "http2"),
        (SETTINGS, PLAIN, "http2"),
        (SETTINGS + b"more", PLAIN, "http2"),
        (SETTINGS[:8], PLAIN, "not_http"),
        (SETTINGS.replace(b"\4", b"\7"), PLAIN, "not_http"),
        (SETTINGS[:8] + b"\1", PLAIN, "not_http"),
        (ALERT, PLAIN, "tls"),
        (ALERT, OVER_TLS, "not_http"),
        (ALERT[:5], PLAIN, "not_http"),
        (b"SSH-2.0", PLAIN, "not_http"),
        (b"SSH-2.0", (True, False), "not_tls"),
        (SETTINGS, (True, False), "not_tls"),
        (b"HTTP/1.1 400", (True, False), "tls_to_plain_http"),
    ],
)
def test_what_came_in_place_of_an_answer(stray: bytes, where: tuple[bool, bool], expected: str) -> None:
    assert classify_stray(stray, *where) == expected

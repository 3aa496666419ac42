# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values: what becomes of the good ones, and that nothing gets through that nginx would act on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils import forms
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.credentials import covers
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.schema import overlay, suggest


def server(text):
    return forms.server(text, 443)


@pytest.mark.parametrize(
    ("form", "given_text", "wanted"),
    [
        (forms.dns_name, "Orders.Example.COM", "orders.example.com"),
        (forms.dns_name, "web_1", "web_1"),
        (forms.dns_name, "xn--bcher-kva.example", "xn--bcher-kva.example"),
        (forms.hostname, "*.example.com", "*.example.com"),
        (forms.hostname, "2001:DB8::0:1", "2001:db8::1"),
        (server, "A1", "a1:443"),
        (server, "a1:8443", "a1:8443"),
        (server, "192.0.2.1", "192.0.2.1:443"),
        (server, "[2001:DB8:0::1]:444", "[2001:db8::1]:444"),
        (forms.location, "/a.b/~c/-_:@,=+*()!&d", "/a.b/~c/-_:@,=+*()!&d"),
        (forms.header, "", ""),
        (forms.header, "X-Client", "X-Client"),
        (forms.distinguished_name, "CN=b1,O=Shop", "CN=b1,O=Shop"),
        (forms.distinguished_name, "CN=b1+OU=x,O=A\\, B\\+C", "CN=b1+OU=x,O=A\\, B\\+C"),
        (forms.distinguished_name, "CN=a\\\\,O=B", "CN=a\\\\,O=B"),
        (forms.distinguished_name, "1.2.3.4=#$ {x}", "1.2.3.4=#$ {x}"),
        (forms.distinguished_name, "CN=", "CN="),
        # nginx compares as it writes: types in OpenSSL's case, hexadecimal in upper case.
        (forms.distinguished_name, "cn=b1+Ou=x,EMAILADDRESS=a,dc=b", "CN=b1+OU=x,emailAddress=a,DC=b"),
        (forms.distinguished_name, "CN=\\c3\\bc,O=a\\\\c3", "CN=\\C3\\BC,O=a\\\\c3"),
        (forms.distinguished_name, "CN=a\\,o=b,O=a\\\\,ou=x", "CN=a\\,o=b,O=a\\\\,OU=x"),
        (forms.sha1, "AB:" * 19 + "CD", "ab" * 19 + "cd"),
        (forms.serial, "1f", "1F"),
        (forms.serial, "f", "0F"),
        (forms.serial, "00:0a:BC", "0ABC"),
        (forms.serial, "0", "00"),
        (forms.network, "10.0.0.0/8", "10.0.0.0/8"),
        (forms.network, "::1", "::1"),
        (forms.directory, "/etc/nginx//mtls/", "/etc/nginx/mtls"),
        (forms.time, "1500ms", "1500ms"),
        (forms.time_in_seconds, "0", "0"),
        (forms.time_in_seconds, "1m10s", "1m10s"),
        (forms.timeout, "1h30m", "1h30m"),
        (forms.timeout, "", ""),
        (forms.size, "10m", "10m"),
        (forms.size, "1048576", "1048576"),
        (forms.size, "0", "0"),
        (forms.size, "", ""),
        (forms.cipher, "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (forms.cipher, "AES128-SHA", "AES128-SHA"),
        (forms.curve, "X25519MLKEM768", "X25519MLKEM768"),
        (forms.curve, "P-256", "P-256"),
        (forms.plain_address, "[2001:DB8:0::1]", "2001:db8::1"),
        (forms.plain_address, "A1.Example.Com", "a1.example.com"),
    ],
)
def test_good(form, given_text, wanted):
    assert form(given_text) == wanted


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *((forms.name, text) for text in ["", "A", "-a", "a/b", "a\n", "a.b", "ä", "a" * 65]),
        *(
            (forms.dns_name, text)
            for text in ["", "a..b", "a.", ".a", "-a", "a-", "a b", "a\n", "ä.test", "1.2.3", "a" * 64, "a/b"]
        ),
        *(
            (forms.listener, text)
            for text in ["", "0", "65536", "443 ssl", "[::]", "[1.2.3.4]:443", "a:b:443"]
        ),
        *(
            (forms.listener, text)
            for text in ["443\n", "443;", "[fe80::1%eth0]:443", "unix:/x", "x.test:443"]
        ),
        *(
            (server, text)
            for text in ["", "a b", "a:0", "a:99999", "a;b", "[x]:1", "::1", "unix:/a", "$x:1", "a:1\n"]
        ),
        *(
            (forms.location, text)
            for text in ["", "a", "/a b", "/a//b", "/../a", "/%41", "/$a", "/a\n", "/a;", "/{"]
        ),
        *((forms.location, text) for text in ["/'", '/"', "/#", "/\\"]),
        *((forms.header, text) for text in ["X Y", "X:", "X\n", "1x", "$x", "X;", "Connection", "host"]),
        *(
            (forms.distinguished_name, text)
            for text in [
                "",
                "CN",
                "CN=a,,O=b",
                "CN=a,",
                'CN="a"',
                "CN=a\\",
                "CN=a;",
                "CN=a\n",
                "CN=<a>",
                "/CN=a",
            ]
        ),
        *((forms.sha1, text) for text in ["", "ab" * 19, "zz" * 20, "ab" * 20 + "\n"]),
        *((forms.serial, text) for text in ["", "0x1f", "-1", "a" * 43, "1f\n"]),
        *((forms.network, text) for text in ["", "10.0.0.1/8", "x.test", "unix:", "fe80::1%a"]),
        *((forms.directory, text) for text in ["", "/", "a", "/a b", "/a;", "/a/../b", "/a\n", "/$a"]),
        *((forms.time, text) for text in ["", "1 h", "1w2", "-1s", "60s;"]),
        *((forms.timeout, text) for text in ["0", "0s", "0h0m", "1 h", "soon", "1s\n"]),
        *((forms.size, text) for text in ["10mb", "-1", "1.5m", "m", "1m;", "1m\n", "1 m", "1" * 13]),
        *((forms.time_in_seconds, text) for text in ["", "1500ms", "1s500ms"]),
        *((forms.cipher, text) for text in ["", "HIGH", "!aNULL", "ECDHE+AESGCM", "aes128-sha", "A-B:C-D"]),
        *((forms.cipher, text) for text in ["NULL-SHA256", "ADH-AES128-SHA", "TLS_AES_128_GCM_SHA256"]),
        *((forms.curve, text) for text in ["", "X25519:P-256", "-a", "a b", "?X25519", "a\n"]),
        *((forms.unit, text) for text in ["", "-a", "a b", "a/b", "a;b"]),
        *((forms.ca_name, text) for text in ["", " a", "a/b", "a,b", "a" * 41, "a\n"]),
        *(
            (forms.backend_url, text)
            for text in ["", "http://", "http:///x", "http://a:x", "http://u@a", "//a"]
        ),
        *(
            (forms.backend_url, text)
            for text in ["http://[a", "http://a/#f", "http://a/?", "https://unix:/a", "unix:"]
        ),
    ],
)
def test_bad(form, text):
    with pytest.raises(MtlsError):
        form(text)


FORMS = [
    forms.name,
    forms.dns_name,
    forms.hostname,
    forms.header,
    forms.location,
    forms.directory,
    forms.time,
    forms.timeout,
    forms.size,
    forms.cipher,
    forms.curve,
    forms.unit,
    forms.sha1,
    forms.sha256,
    forms.serial,
    forms.network,
    server,
    lambda text: forms.server(text, 80, unix=True),
    lambda text: forms.listener(text)["spec"],
    lambda text: "".join(forms.backend_url(text)["servers"]) + forms.backend_url(text)["uri"],
]


@given(st.text(alphabet="aB1:/.-_[]*=,;{}$\"'\\# \n\t\0%ä") | st.text())
def test_nothing_that_nginx_acts_on_gets_through(text):
    """ngx_conf_read_token, src/core/ngx_conf_file.c: blanks, ; { } quotes, backslash, # and $ (variables)."""
    for form in FORMS:
        try:
            result = form(text)
        except MtlsError:
            continue
        assert not set(result) & set(" \t\r\n\0;{}\"'\\$#"), (form, text)
        assert result.isascii()


@given(st.text(alphabet='CN=ab,+;{}"\\ \n<>#1') | st.text())
def test_a_distinguished_name_has_no_line_break_and_no_bare_quote(text):
    try:
        result = forms.distinguished_name(text)
    except MtlsError:
        return
    assert result == text
    assert result.isprintable()
    assert '"' not in result.replace("\\\\", "").replace('\\"', "")


@pytest.mark.parametrize(
    ("hostname", "name", "wanted"),
    [
        ("a.test", "a.test", True),
        ("*.a.test", "b.a.test", True),
        ("*.a.test", "c.b.a.test", False),
        ("*.a.test", "a.test", False),
        # As OpenSSL has it: of no name with two labels, and with letters, digits and - alone.
        ("*.test", "a.test", False),
        ("*.a.test", "b_c.a.test", False),
        ("b_c.a.test", "b_c.a.test", True),
        ("b.test", "a.test", False),
    ],
)
def test_covers(hostname, name, wanted):
    assert covers(hostname, name) is wanted


@pytest.mark.parametrize(
    ("below", "above", "wanted"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {"a": 1}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1]}, {"a": {}}, {"a": {}}),
        ({}, "text", "text"),
    ],
)
def test_overlay(below, above, wanted):
    assert overlay(below, above) == wanted


def test_suggest():
    assert suggest("kepalive", ["keepalive", "servers"]) == 'Did you mean "keepalive"?'
    assert suggest("zzz", ["keepalive", "servers"]) == ""

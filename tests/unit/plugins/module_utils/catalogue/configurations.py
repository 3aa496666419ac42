# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what is wrong with a configuration that anybody may have written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_tls.resolve import InForce
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import named_files
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import made_up_nginx
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import row
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.configurations import OLD, judged

CREDENTIAL = "proxy_ssl_certificate b.pem; proxy_ssl_certificate_key b.key;"
GOOD = f"{CREDENTIAL} proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_server_name on;"


def proxy(lines: str, to: str = "https://a.example.com", listen: str = "127.0.0.1:80", outer: str = ""):
    return judged(f"{outer} server {{ listen {listen}; location / {{ {lines} proxy_pass {to}; }} }}")


def verifying(lines: str = "", name: str = "s.example.com", ca: str = "ca.pem") -> str:
    return (
        f"server {{ listen 443 ssl; server_name {name}; ssl_client_certificate {ca}; ssl_verify_client on;"
        f" {lines} }}"
    )


@row("proxy.not_verified")
def not_verified():
    """proxy_ssl_verify is not given | it is on"""
    return proxy(CREDENTIAL), proxy(GOOD)


@row("proxy.open_listener")
def open_listener():
    """plain HTTP on every address | on loopback"""
    return proxy(GOOD, listen="8080"), proxy(GOOD, listen="127.0.0.1:8080")


@row("proxy.identity_shared")
def identity_shared():
    """two client certificates to one upstream | each to an upstream of its own"""

    def both(second: str):
        upstreams = "".join(f"upstream {name} {{ server 192.0.2.1:443; }}" for name in ("a.test", "b.test"))
        first = f"location /1/ {{ {GOOD} proxy_pass https://a.test; }}"
        other = GOOD.replace("b.pem", "c.pem")
        return judged(
            f"{upstreams} server {{ listen 127.0.0.1:80; {first}"
            f" location /2/ {{ {other} proxy_pass https://{second}; }} }}"
        )

    return both("a.test"), both("b.test")


@row("proxy.name_mismatch")
def name_mismatch():
    """the name of an upstream block alone | with proxy_ssl_name"""
    outer = "upstream orders { server 192.0.2.1:443; }"
    return (
        proxy(GOOD, "https://orders", outer=outer),
        proxy(f"{GOOD} proxy_ssl_name a.example.com;", "https://orders", outer=outer),
    )


@row("proxy.sni_off")
def sni_off():
    """proxy_ssl_server_name is not given | it is on"""
    return proxy(GOOD.replace("proxy_ssl_server_name on;", "")), proxy(GOOD)


@row("server.other_trust_admitted")
def other_trust_admitted():
    """the first block of the port trusts another CA | the same one"""
    return (
        judged(verifying(name="d.example.com", ca="other.pem") + verifying()),
        judged(verifying(name="d.example.com") + verifying()),
    )


@row("server.sessions_outlive_trust")
def sessions_outlive_trust():
    """a shared cache without tickets | with tickets, on an nginx whose keys are new with each reload"""
    cache = "ssl_session_cache shared:x:1m;"
    return judged(verifying(f"{cache} ssl_session_tickets off;"), OLD), judged(verifying(cache), OLD)


@row("server.trust_inherited")
def trust_inherited():
    """ssl_crl of the http level | of the block itself"""
    return judged(f"ssl_crl x.crl; {verifying()}"), judged(verifying("ssl_crl x.crl;"))


@row("server.identity_lost")
def identity_lost():
    """a location with a header of its own | which repeats the one of the block"""
    outer = "proxy_set_header X-DN $ssl_client_s_dn;"

    def of(lines: str):
        return judged(
            verifying(f"{outer} location / {{ proxy_set_header X 1; {lines} proxy_pass http://b; }}")
        )

    return of(""), of(outer)


@row("server.backend_unguarded")
def backend_unguarded():
    """the default server leads to the backend of the site | it answers 421"""
    way = "location / { proxy_pass http://127.0.0.1:9000; }"

    def of(lines: str):
        return judged(f"server {{ listen 443 ssl default_server; {lines} {way} }} {verifying(way)}")

    return of(""), of("return 421;")


@row("tls.variable_certificate")
def variable_certificate():
    """a certificate by a variable | by its name"""

    def of(path: str):
        return judged(f"server {{ listen 443 ssl; ssl_certificate {path}; ssl_certificate_key a.key; }}")

    return of("$ssl_server_name.pem"), of("a.pem")


@row("tls.file_newer_than_loaded")
def file_newer_than_loaded():
    """a file of after nginx's start | of before"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ca.pem")
        path.write_bytes(b"")
        changed = os.stat(path).st_ctime

        def at(loaded: float):
            file = {"path": str(path), "variable": False, "scheme": "", "text": "", "place": ""}
            found = InForce([], [], [], "")
            files = named_files.NamedFiles(made_up_nginx.NoTools())
            server = {"certificates": [], "trust": file, "trusted": None, "crl": None, "password": None}
            found.servers.append({**server, "session_ticket_keys": [], "tls": False})
            files.read([(found, loaded)])
            return files.shown(False)[0]["findings"]

        return at(changed - 60), at(changed + 60)


@row("nginx.configuration_refused")
def configuration_refused():
    """nginx -T says emerg | it says nothing"""
    emerg = 'nginx: [emerg] unexpected "}" in /etc/nginx/nginx.conf:3'
    return made_up_nginx.told(emerg), made_up_nginx.told("")


@row("nginx.configuration_unread")
def configuration_unread():
    """braces deeper than is read | as deep as anybody's"""
    return made_up_nginx.told("", "a {" * 200 + "}" * 200), made_up_nginx.told("", "a {" * 20 + "}" * 20)

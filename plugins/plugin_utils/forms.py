# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of single values: addresses, names, headers, paths, fingerprints. Nothing is resolved or opened.

Each function returns the value in its one normal form or raises MtlsError with message and remedy.
All of them end in nginx's configuration, so none lets through a character that nginx's lexer would act on.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import client_names, nginx_time
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_PATH = re.compile(r"/[A-Za-z0-9._~!&()*+,=:@/-]*\Z")
_FILE = re.compile(r"/[A-Za-z0-9._@+/-]+\Z")
#: Set by the role itself or by HTTP, so no carrier of an identity.
_TAKEN_HEADERS = frozenset(
    "host connection content-length transfer-encoding te trailer upgrade keep-alive x-real-ip"
    " x-forwarded-for x-forwarded-proto".split()
)

#: Modules take these, too.
distinguished_name = client_names.distinguished_name
serial = client_names.serial


def name(text: str) -> str:
    """The name of a site, route or credential: it becomes a file name and part of nginx variables."""
    if not _NAME.match(text) or len(text) > 64:
        raise MtlsError(
            f"{text!r} is not a name.", remedy="Use a-z, 0-9, _ and -, first a letter or digit, at most 64."
        )
    return text


def dns_name(text: str, wildcard: bool = False) -> str:
    """A DNS name in lower case; an IP address is not one."""
    lower = text.lower()
    if is_ip(lower):
        raise MtlsError(
            f"{text!r} is an IP address, and nginx sends no server name (SNI) for one.",
            remedy="Use a DNS name.",
        )
    labels = (lower[2:] if wildcard and lower.startswith("*.") else lower).split(".")
    if "*" in lower and not wildcard:
        raise MtlsError(
            f"{text!r} is a wildcard.", remedy="Name each host, so that any other Host is refused."
        )
    if len(lower) > 253 or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        raise MtlsError(f"{text!r} is not a DNS name.")
    return lower


def hostname(text: str) -> str:
    """A name for a certificate: DNS name, wildcard or IP address."""
    return str(ipaddress.ip_address(text)) if is_ip(text) else dns_name(text, wildcard=True)


def plain_address(text: str) -> str:
    """A host in the form in which two spellings of it are equal, without brackets."""
    bare = text.strip("[]").lower()
    return str(ipaddress.ip_address(bare)) if is_ip(bare) else bare


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def listener(text: str) -> dict[str, Any]:
    """``{address, port, ipv6, spec}`` of a listen address; the address as nginx binds it."""
    if text.startswith("unix:"):
        raise MtlsError(f"{text!r}: unix sockets come later.", remedy="Use an address and a port.")
    match = re.match(r"(?:(\[[^\]]*\]|[^:\[\]]*):)?([0-9]{1,5})\Z", text)
    if not match:
        raise MtlsError(
            f"{text!r} is not a listen address.",
            remedy='Write "443", "192.0.2.1:443", "[::]:443" or "*:443", and nothing else.',
        )
    host, port = match.group(1), _port(match.group(2), text)
    bare = "0.0.0.0" if host in (None, "*") else host.strip("[]")
    if not is_ip(bare) or (host or "").startswith("[") != (":" in bare) or "%" in bare:
        raise MtlsError(
            f"{text!r}: {host!r} is not an IP address.",
            remedy="Write the address: what a name stands for depends on the resolver when nginx starts.",
        )
    address = ipaddress.ip_address(bare)
    return {"address": str(address), "port": port, "ipv6": address.version == 6, "spec": text}


def socket(entry: dict[str, Any]) -> str:
    """``address:port`` of a listener, with brackets where needed."""
    return f"[{entry['address']}]:{entry['port']}" if entry["ipv6"] else f"{entry['address']}:{entry['port']}"


@lru_cache(maxsize=4096)
def server(text: str, default_port: int, unix: bool = False) -> str:
    """``host:port`` of a server in an upstream, or ``unix:/path`` where *unix* allows it."""
    if text.startswith("unix:"):
        if not unix:
            raise MtlsError(
                f"{text!r}: a unix socket cannot be Server A.", remedy="Use an address and a port."
            )
        if not _FILE.match(text[5:]):
            raise MtlsError(f"{text!r} is not the path of a socket.", remedy='Write "unix:/run/app.sock".')
        return text
    match = re.match(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)(?::([0-9]{1,5}))?\Z", text)
    if not match:
        raise MtlsError(
            f"{text!r} is not an address with a port.", remedy='Write "host:port" and nothing else.'
        )
    host = match.group(1)
    if host.startswith("["):
        if not is_ip(host[1:-1]):
            raise MtlsError(f"{text!r} is not an address with a port.")
        host = f"[{ipaddress.ip_address(host[1:-1])}]"
    elif not is_ip(host):
        host = dns_name(host)
    return f"{host}:{_port(match.group(2) or str(default_port), text)}"


def _port(digits: str, text: str) -> int:
    if not 1 <= int(digits) <= 65535:
        raise MtlsError(f"{text!r}: {digits} is not a port.")
    return int(digits)


def backend_url(text: str) -> dict[str, Any]:
    """``{scheme, servers, uri}`` of a URL, ``http://host:port/uri`` or ``[http://]unix:/path[:/uri]``."""
    if not text.isascii() or not text.isprintable() or " " in text:  # urlsplit drops line breaks in silence
        raise MtlsError(f"{text!r} is not a URL.")
    url = text if not text.startswith("unix:") else f"http://{text}"
    unix = re.match(r"(http)://(unix:[^:]*)(?::(/.*))?\Z", url)
    if unix:
        return {
            "scheme": "http",
            "servers": [server(unix.group(2), 80, unix=True)],
            "uri": _uri(unix.group(3) or "", text),
        }
    try:
        parts = urlsplit(url)
    except ValueError:
        raise MtlsError(f"{text!r} is not a URL.") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise MtlsError(
            f"{text!r} is not the URL of a backend.", remedy="It begins with http://, https:// or unix:/."
        )
    if "@" in parts.netloc or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise MtlsError("a backend's URL has no user, query or fragment.")
    port = {"http": 80, "https": 443}[parts.scheme]
    return {"scheme": parts.scheme, "servers": [server(parts.netloc, port)], "uri": _uri(parts.path, text)}


def _uri(path: str, text: str) -> str:
    if path and not _PATH.match(path):
        raise MtlsError(f"{text!r}: {path!r} is not a path for nginx.")
    return path


def location(text: str) -> str:
    """A path for ``location``. nginx compares it with the path as decoded, so no percent signs."""
    if not _PATH.match(text) or "//" in text or any(part in (".", "..") for part in text.split("/")):
        raise MtlsError(
            f"{text!r} is not a path.",
            remedy="It begins with / and has no space, quote, backslash, ; { } $ % #, no // and no ...",
        )
    return text


def header(text: str) -> str:
    """A request header's name, or "" for none. nginx drops other characters that RFC 9110 would allow."""
    if text and not _HEADER.match(text):
        raise MtlsError(f"{text!r} is not a header's name.", remedy="Use letters, digits and -.")
    if text.lower() in _TAKEN_HEADERS:
        raise MtlsError(f"{text!r} has another meaning.", remedy="Choose another name.")
    return text


def identity_header(text: str) -> str:
    """``header``, of which the templates write every mixture of - and _ between its words."""
    header(text)
    if len(text) > 60 or len(re.split("[-_]", text)) > 8:
        raise MtlsError(f"{text!r} is too long.", remedy="Use at most 8 words and 60 characters.")
    return text


def cipher(text: str) -> str:
    """A suite of TLS 1.2 by OpenSSL's name. No keyword such as HIGH: it stands for other suites each year."""
    if text.startswith("TLS_"):
        raise MtlsError(
            f"{text!r} is not a suite of TLS 1.2.", remedy="OpenSSL chooses among the suites of TLS 1.3."
        )
    if not re.match(r"[A-Z0-9]+(-[A-Z0-9]+)+\Z", text) or {"NULL", "ADH", "AECDH"} & set(text.split("-")):
        raise MtlsError(
            f"{text!r} is not the name of a cipher suite with encryption and certificate.",
            remedy='Name each as `openssl ciphers` does: "ECDHE-ECDSA-AES128-GCM-SHA256".',
        )
    return text


def curve(text: str) -> str:
    """A group for the key exchange by OpenSSL's name. Whether it has it is nginx's to say."""
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z", text):
        raise MtlsError(
            f"{text!r} is not the name of a curve.", remedy='For example "X25519" or "prime256v1".'
        )
    return text


def sha1(text: str) -> str:
    return _digest(text, 40, "SHA-1")


def sha256(text: str) -> str:
    return _digest(text, 64, "SHA-256")


def _digest(text: str, digits: int, kind: str) -> str:
    plain = text.replace(":", "").lower()
    if not (len(plain) == digits and re.match(r"[0-9a-f]+\Z", plain)):
        raise MtlsError(
            f"{text!r} is not a {kind} fingerprint.", remedy=f"It has {digits} hexadecimal digits; quote it."
        )
    return plain


def network(text: str) -> str:
    """An address or a network; nginx knows no zone of an IPv6 address."""
    try:
        if "%" in text:
            raise ValueError
        return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        raise MtlsError(
            f"{text!r} is not an address or a network.", remedy="For example 127.0.0.1 or 10.0.0.0/8."
        ) from None


def directory(text: str) -> str:
    """An absolute directory that may stand in nginx's configuration without quotes."""
    if not _FILE.match(text) or any(part in (".", "..") for part in text.split("/")):
        raise MtlsError(
            f"{text!r} is not an absolute path of plain characters.", remedy="For example /etc/nginx/mtls."
        )
    return "/" + "/".join(part for part in text.split("/") if part)


def time(text: str) -> str:
    return nginx_time.check(text)


def time_in_seconds(text: str) -> str:
    """A time where nginx takes no milliseconds (ngx_parse_time with is_sec, src/core/ngx_parse.c)."""
    if time(text).endswith("ms"):
        raise MtlsError(f"{text!r}: nginx takes whole seconds here.", remedy="For example 10s.")
    return text


def timeout(text: str) -> str:
    """A time that is not nothing, or "" for nginx's own."""
    if text and not re.search("[1-9]", nginx_time.check(text)):
        raise MtlsError(f"{text!r} is no time at all.", remedy="Leave it out for nginx's own.")
    return text


def timeout_in_seconds(text: str) -> str:
    """``timeout`` where nginx takes no milliseconds."""
    return timeout(text) and time_in_seconds(text)


def size(text: str) -> str:
    """A size as nginx writes it (ngx_parse_offset, src/core/ngx_parse.c), or "" for nginx's own."""
    if text and not re.match(r"[0-9]{1,12}[kKmMgG]?\Z", text):
        raise MtlsError(f"{text!r} is not a size.", remedy="Write it as nginx does, for example 512k or 10m.")
    return text


def unit(text: str) -> str:
    """The name of a service unit."""
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9@._-]*\Z", text):
        raise MtlsError(f"{text!r} is not the name of a service.")
    return text


def ca_name(text: str) -> str:
    """The private authority's name: with " CA <generation> issuing" it must fit into a common name."""
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}\Z", text):
        raise MtlsError(
            f"{text!r} is not a name for an authority.",
            remedy="Use at most 40 of letters, digits, space, . _ -.",
        )
    return text

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server says in a TLS handshake, out of its messages (RFC 8446, 4; RFC 5246, 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

# HandshakeType (RFC 8446, B.3; RFC 6066, 8)
_SERVER_HELLO, _ENCRYPTED_EXTENSIONS, _CERTIFICATE, _CERTIFICATE_REQUEST = 2, 8, 11, 13
_SERVER_HELLO_DONE, _FINISHED, _CERTIFICATE_STATUS = 14, 20, 22
# ExtensionType (IANA, "TLS ExtensionType Values")
_STATUS_REQUEST, _SIGNATURE_ALGORITHMS, _ALPN, _SUPPORTED_VERSIONS, _AUTHORITIES = 5, 13, 16, 43, 47
_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304
_OCSP = 1  # CertificateStatusType

# SignatureScheme (IANA, "TLS SignatureScheme"). Those of TLS 1.2 alone, which the registry calls reserved,
# are named by the same pattern.
_SCHEMES = {
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0708: "sm2sig_sm3",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}


class TlsError(ValueError):
    """A message is not what it should be."""


class CertificateRequest(NamedTuple):
    """*names*: DER of the acceptable authorities. *signature_algorithms*: the registry's names as the server
    orders them, 0x and four digits where there is none; empty before TLS 1.2."""

    names: tuple[bytes, ...]
    signature_algorithms: tuple[str, ...]


class Flight(NamedTuple):
    """What a server sent in one full handshake.

    *whole*: its part came to the end, so that what is not here was not sent. *certificates*: DER, leaf first.
    *staple*: DER of the OCSPResponse for the leaf, b"" without. *request*: None where no client certificate
    was asked for.
    """

    whole: bool = False
    alpn: str = ""
    certificates: tuple[bytes, ...] = ()
    staple: bytes = b""
    request: Optional[CertificateRequest] = None


def read(messages: Iterable[bytes]) -> Flight:
    """The flight that *messages* are: whole handshake messages, as received, in order. Raises TlsError.

    Of each kind the first counts: what comes after the handshake (a renegotiation) is another matter.
    """
    found: dict[int, bytes] = {}
    for message in messages:
        body = _Octets(message)
        kind = body.number(1)
        found.setdefault(kind, body.vector(3))
    version, extensions = _hello(found.get(_SERVER_HELLO))
    extensions = {**extensions, **_encrypted(found.get(_ENCRYPTED_EXTENSIONS))}
    certificates, staple = _certificates(found.get(_CERTIFICATE), version)
    if version < _TLS_1_3 and _CERTIFICATE_STATUS in found:
        staple = _status(found[_CERTIFICATE_STATUS])
    return Flight(
        (_FINISHED if version >= _TLS_1_3 else _SERVER_HELLO_DONE) in found,
        _protocol(extensions.get(_ALPN)),
        certificates,
        staple,
        _request(found.get(_CERTIFICATE_REQUEST), version),
    )


def _hello(body: Optional[bytes]) -> tuple[int, dict[int, bytes]]:
    """The version agreed on, and the extensions; 0 before the server has said one."""
    if body is None:
        return 0, {}
    octets = _Octets(body)
    version = octets.number(2)
    octets.take(32)
    octets.vector(1)
    octets.take(3)
    extensions = octets.extensions() if octets.left else {}
    if _SUPPORTED_VERSIONS in extensions:
        version = _Octets(extensions[_SUPPORTED_VERSIONS]).number(2)
    return version, extensions


def _encrypted(body: Optional[bytes]) -> dict[int, bytes]:
    return _Octets(body).extensions() if body else {}


def _protocol(extension: Optional[bytes]) -> str:
    if extension is None:
        return ""
    return _Octets(_Octets(extension).vector(2)).vector(1).decode("ascii", "backslashreplace")


def _certificates(body: Optional[bytes], version: int) -> tuple[tuple[bytes, ...], bytes]:
    if body is None:
        return (), b""
    octets = _Octets(body)
    if version >= _TLS_1_3:
        octets.vector(1)
    entries, found, staple = _Octets(octets.vector(3)), [], b""
    while entries.left:
        found.append(entries.vector(3))
        extensions = entries.extensions() if version >= _TLS_1_3 else {}
        if len(found) == 1 and _STATUS_REQUEST in extensions:
            staple = _status(extensions[_STATUS_REQUEST])
    return tuple(found), staple


def _status(body: bytes) -> bytes:
    """The response in a CertificateStatus (RFC 6066, 8)."""
    octets = _Octets(body)
    return octets.vector(3) if octets.number(1) == _OCSP else b""


def _request(body: Optional[bytes], version: int) -> Optional[CertificateRequest]:
    if body is None:
        return None
    octets = _Octets(body)
    octets.vector(1)  # the context in TLS 1.3, the types of certificates before it
    if version >= _TLS_1_3:
        extensions = octets.extensions()
        schemes, names = extensions.get(_SIGNATURE_ALGORITHMS, b"\0\0"), extensions.get(_AUTHORITIES, b"\0\0")
        return CertificateRequest(_names(_Octets(names).vector(2)), _schemes(_Octets(schemes).vector(2)))
    schemes = octets.vector(2) if version >= _TLS_1_2 else b""
    return CertificateRequest(_names(octets.vector(2)), _schemes(schemes))


def _names(listed: bytes) -> tuple[bytes, ...]:
    octets, found = _Octets(listed), []
    while octets.left:
        found.append(octets.vector(2))
    return tuple(found)


def _schemes(listed: bytes) -> tuple[str, ...]:
    octets, found = _Octets(listed), []
    while octets.left:
        number = octets.number(2)
        found.append(_SCHEMES.get(number, f"{number:#06x}"))
    return tuple(found)


class _Octets:
    """The presentation language of RFC 8446, 3, read from the front. Everything raises TlsError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._next

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise TlsError("a message is cut off")
        self._next += count
        return self._data[self._next - count : self._next]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """One of variable length, which *size* octets give."""
        return self.take(self.number(size))

    def extensions(self) -> dict[int, bytes]:
        octets, found = _Octets(self.vector(2)), {}
        while octets.left:
            kind = octets.number(2)
            found[kind] = octets.vector(2)
        return found

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions of OpenSSL that nginx calls for a file, called the same way, by ctypes: what each place gets
out of the file, or None where nginx refuses it.

    certificate, chain behind it     PEM_read_bio_X509_AUX, PEM_read_bio_X509     (ngx_ssl_load_certificate)
    trust, since nginx 1.27.4        PEM_read_bio_X509_AUX                        (ngx_ssl_cache_ca_create)
    crl, since nginx 1.27.4          PEM_read_bio_X509_CRL                        (ngx_ssl_cache_crl_create)
    private_key                      PEM_read_bio_PrivateKey                      (ngx_ssl_cache_pkey_create)

What nginx did before 1.27.4 with trust and crl, SSL_CTX_load_verify_locations, Python's ssl does as well.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ubyte, c_ulong, c_void_p, string_at
from pathlib import Path

import pytest

_NO_START_LINE = 108
_ERR_LIB_PEM = 9
_TELL = 133  # BIO_C_FILE_TELL
_SIGNATURES = {
    "BIO_new_file": (c_void_p, c_char_p, c_char_p),
    "BIO_ctrl": (c_long, c_void_p, c_int, c_long, c_void_p),
    "BIO_free": (c_int, c_void_p),
    "PEM_read_bio": (
        c_int,
        c_void_p,
        POINTER(c_void_p),
        POINTER(c_void_p),
        POINTER(c_void_p),
        POINTER(c_long),
    ),
    "PEM_read_bio_X509": (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "PEM_read_bio_X509_AUX": (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "PEM_read_bio_X509_CRL": (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "PEM_read_bio_PrivateKey": (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "i2d_X509": (c_int, c_void_p, POINTER(c_void_p)),
    "i2d_X509_CRL": (c_int, c_void_p, POINTER(c_void_p)),
    "i2d_PUBKEY": (c_int, c_void_p, POINTER(c_void_p)),
    "X509_free": (None, c_void_p),
    "X509_CRL_free": (None, c_void_p),
    "EVP_PKEY_free": (None, c_void_p),
    "CRYPTO_free": (None, c_void_p, c_char_p, c_int),
    "ERR_peek_last_error": (c_ulong,),
    "ERR_clear_error": (None,),
}


def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libcrypto.so.3")
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


_LIBRARY = _load()
needs_libcrypto = pytest.mark.skipif(
    _LIBRARY is None, reason="needs libcrypto.so.3, OpenSSL 3, to compare with"
)

# (buffer, size, what for, data) → length: an empty passphrase instead of a question to the terminal.
_NO_PASSPHRASE = ctypes.CFUNCTYPE(c_int, POINTER(c_ubyte), c_int, c_int, c_void_p)(lambda *_arguments: 0)


@contextmanager
def _file(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        bio = _LIBRARY.BIO_new_file(str(path).encode(), b"r")
        try:
            yield bio
        finally:
            _LIBRARY.BIO_free(bio)


def blocks(data: bytes, most: int = 50) -> list[tuple]:
    """What call after call of PEM_read_bio gives: (label, header, data, offset), or (reason, offset) of a
    failure: "no start", "bad end", "not base64", "" for one without a reason. Ends at the end of the file."""
    reasons = {_NO_START_LINE: "no start", 102: "bad end", 112: "bad end", 100: "not base64"}
    found: list[tuple] = []
    with _file(data) as bio:
        while len(found) < most:
            _LIBRARY.ERR_clear_error()
            label, header, content, length = c_void_p(), c_void_p(), c_void_p(), c_long()
            read = _LIBRARY.PEM_read_bio(bio, byref(label), byref(header), byref(content), byref(length))
            offset = _LIBRARY.BIO_ctrl(bio, _TELL, 0, None)
            if not read:
                found.append((reasons.get(_LIBRARY.ERR_peek_last_error() & 0x7FFFFF, ""), offset))
                if offset >= len(data):
                    return found
                continue
            found.append((string_at(label), string_at(header), string_at(content, length.value), offset))
            for pointer in (label, header, content):
                _LIBRARY.CRYPTO_free(pointer, b"", 0)
    return found


def _der(name: str, thing: int) -> bytes:
    pointer = c_void_p()
    length = getattr(_LIBRARY, f"i2d_{name}")(thing, byref(pointer))
    der = string_at(pointer, length)
    _LIBRARY.CRYPTO_free(pointer, b"", 0)
    return der


def _all(bio: int, read: str, name: str, free: str) -> list[bytes] | None:
    """Up to the end of the file; None for any other failure."""
    found: list[bytes] = []
    while True:
        _LIBRARY.ERR_clear_error()
        thing = getattr(_LIBRARY, read)(bio, None, _NO_PASSPHRASE, None)
        if not thing:
            error = _LIBRARY.ERR_peek_last_error()
            at_end = (error >> 23 & 0xFF, error & 0x7FFFFF) == (_ERR_LIB_PEM, _NO_START_LINE)
            return found if at_end else None
        found.append(_der(name, thing))
        getattr(_LIBRARY, free)(thing)


def certificates(data: bytes) -> list[bytes] | None:
    """ssl_certificate: the certificate and its chain."""
    with _file(data) as bio:
        _LIBRARY.ERR_clear_error()
        first = _LIBRARY.PEM_read_bio_X509_AUX(bio, None, _NO_PASSPHRASE, None)
        if not first:
            return None
        der = _der("X509", first)
        _LIBRARY.X509_free(first)
        rest = _all(bio, "PEM_read_bio_X509", "X509", "X509_free")
    return None if rest is None else [der, *rest]


def trust(data: bytes) -> list[bytes] | None:
    """ssl_client_certificate since 1.27.4."""
    with _file(data) as bio:
        return _all(bio, "PEM_read_bio_X509_AUX", "X509", "X509_free") or None


def crls(data: bytes) -> list[bytes] | None:
    """ssl_crl since 1.27.4."""
    with _file(data) as bio:
        return _all(bio, "PEM_read_bio_X509_CRL", "X509_CRL", "X509_CRL_free") or None


def private_key(data: bytes) -> bytes | None:
    """ssl_certificate_key: DER of the public key to the one that is read."""
    with _file(data) as bio:
        key = _LIBRARY.PEM_read_bio_PrivateKey(bio, None, _NO_PASSPHRASE, None)
        if not key:
            return None
        der = _der("PUBKEY", key)
        _LIBRARY.EVP_PKEY_free(key)
    return der

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys of every kind are read and normalised, and no message shows any of them."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, key
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders

EC = builders.new_key()
RSA = builders.slow_key("rsa2048")
SECRET = "pass phrase ü"
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


def der_of(private_key, passphrase=None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, protection
    )


PLAIN = builders.key_pem(EC)
READ = [
    ("PKCS#8", PLAIN, None, False),
    ("SEC 1", builders.key_pem(EC, form="TraditionalOpenSSL"), None, False),
    ("SEC 1 with parameters", EC_PARAMETERS + builders.key_pem(EC, form="TraditionalOpenSSL"), None, False),
    ("CRLF", PLAIN.replace(b"\n", b"\r\n"), None, False),
    ("behind a certificate", builders.client(None).pem + PLAIN, None, False),
    ("a passphrase that is not needed", PLAIN, SECRET, False),
    ("encrypted PKCS#8", builders.key_pem(EC, SECRET.encode()), SECRET, True),
    ("passphrase as bytes", builders.key_pem(EC, SECRET.encode()), SECRET.encode(), True),
    ("encrypted SEC 1", builders.key_pem(EC, SECRET.encode(), "TraditionalOpenSSL"), SECRET, True),
    ("DER", der_of(EC), None, False),
    ("encrypted DER", der_of(EC, SECRET.encode()), SECRET, True),
]


@pytest.mark.parametrize(
    ("data", "passphrase", "encrypted"), [row[1:] for row in READ], ids=[r[0] for r in READ]
)
def test_read(data, passphrase, encrypted) -> None:
    found = key.read(data, passphrase)
    assert found.encrypted is encrypted
    assert key.normalise_private_key(data, passphrase) == PLAIN


REFUSED = [
    ("no passphrase", builders.key_pem(EC, b"a"), None, "pair.key_encrypted"),
    ("wrong passphrase", builders.key_pem(EC, b"a"), SECRET, "pair.key_encrypted"),
    ("old form, wrong", builders.key_pem(EC, b"a", "TraditionalOpenSSL"), SECRET, "pair.key_encrypted"),
    ("DER, none", der_of(EC, b"a"), None, "pair.key_encrypted"),
    ("a certificate", builders.client(None).pem, None, "pair.swapped_files"),
    ("empty", b"", None, "format.unreadable"),
    ("text", b"none", None, "format.unreadable"),
    ("DER of a certificate", builders.client(None).der, None, "pair.swapped_files"),
    ("DER of nothing", b"\x30\x03\x02\x01\x00", None, "format.unreadable"),
    ("cut DER", b"\x30\x82\x01", None, "format.unreadable"),
    ("truncated", PLAIN[:-30], None, "format.damaged"),
    ("not a key inside", PLAIN.replace(b"MI", b"AA", 1), None, "format.unreadable"),
]


@pytest.mark.parametrize(
    ("data", "passphrase", "code"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused(data, passphrase, code) -> None:
    with pytest.raises(MtlsError) as caught:
        key.read(data, passphrase, "b.key")
    error = caught.value
    assert error.code == code
    assert error.place.startswith("b.key") and error.remedy
    assert SECRET not in str(error) and error.__cause__ is None
    for line in filter(None, data.splitlines()[1:-1]):
        assert line.decode("latin-1") not in str(error)


def test_a_panic_of_the_library_is_no_traceback() -> None:
    """cryptography 50 panics at an IV that is too short, and a panic is no Exception."""
    data = builders.key_pem(EC, b"a", "TraditionalOpenSSL")
    short = re.sub(rb"(DEK-Info: [A-Z0-9-]+,)[0-9A-F]+", rb"\g<1>00", data)
    with pytest.raises(MtlsError) as caught:
        key.read(short, b"a")
    assert caught.value.code == "format.unreadable"


def test_a_break_of_the_user_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt), _deps.untrusted():
        raise KeyboardInterrupt


def test_repr_shows_nothing() -> None:
    shown = repr(key.read(PLAIN))
    assert "key=" not in shown and "object at" in shown


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_made_keys_have_their_type(kind) -> None:
    made = key.generate(kind)
    assert key.type_name(made.key) == kind
    assert key.type_name(key.read(made.to_pem()).key) == kind
    assert key.generate("p256").public_key_sha256 != made.public_key_sha256


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="rsa1024"):
        key.generate("rsa1024")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DER value is, by its shape; and bags and strangers: PKCS#7, files of other programs."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import der, pkcs7
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.forms import kinds, other_files
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, forms, raw

RSA = builders.slow_key("rsa1024")
EC = builders.slow_key("p256")
ED = builders.slow_key("ed25519")
W = forms.world()
NAMED_CURVE = raw.oid("1.2.840.10045.3.1.7")
V1 = raw.certificate("v1", key=EC, version=None)
NO_NAMES = raw.certificate(raw.seq(), raw.seq(), key=EC)


def _public(key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)


def _crl(**more) -> bytes:
    return raw.crl("root", EC, **more)


SHAPES = [
    ("a certificate", W.leaf, kinds.CERTIFICATE),
    ("a certificate of version 1", V1, kinds.CERTIFICATE),
    ("a certificate without names", NO_NAMES, kinds.CERTIFICATE),
    ("a certificate with bytes behind", W.leaf + b"x", kinds.CERTIFICATE),
    (
        "a certificate of indefinite length",
        b"\x30\x80" + b"".join(raw.parts(W.leaf)) + b"\0\0",
        kinds.CERTIFICATE,
    ),
    ("a CRL", W.root_crl, kinds.CRL),
    ("a CRL of version 1", _crl(version=None), kinds.CRL),
    ("a CRL without next update", _crl(next_update=b""), kinds.CRL),
    ("a CRL with generalized times", _crl(this_update=raw.generalized_time("20260101000000Z")), kinds.CRL),
    ("a request", W.request, kinds.REQUEST),
    (
        "a request without a name",
        raw.sign(raw.seq(raw.integer(0), raw.seq(), raw.spki(EC)), EC),
        kinds.REQUEST,
    ),
    ("an RSA key", forms.private(RSA), kinds.PRIVATE_KEY),
    ("an RSA key in PKCS#1", forms.private(RSA, "TraditionalOpenSSL"), kinds.PRIVATE_KEY),
    ("an EC key in SEC1", forms.private(EC, "TraditionalOpenSSL"), kinds.PRIVATE_KEY),
    ("SEC1 without parameters", raw.seq(raw.integer(1), raw.octets(b"k" * 32)), kinds.PRIVATE_KEY),
    ("an Ed25519 key", forms.private(ED), kinds.PRIVATE_KEY),
    ("a DSA key", raw.seq(*[raw.integer(n) for n in (0, 11, 5, 3, 7, 2)]), kinds.PRIVATE_KEY),
    ("an encrypted key", forms.private(EC, passphrase=b"abcd"), kinds.ENCRYPTED_PRIVATE_KEY),
    ("a public key", raw.spki(EC), kinds.PUBLIC_KEY),
    ("an RSA public key in PKCS#1", _public(RSA), kinds.PUBLIC_KEY),
    ("a named curve", NAMED_CURVE, kinds.PARAMETERS),
    ("a curve written out", raw.seq(raw.integer(1), raw.seq(NAMED_CURVE), raw.seq()), kinds.PARAMETERS),
    ("DH parameters", raw.seq(raw.integer((1 << 1023) | 1), raw.integer(2)), kinds.PARAMETERS),
    ("DSA parameters", raw.seq(*[raw.integer(n) for n in (11, 5, 3)]), kinds.PARAMETERS),
    ("PKCS#7", forms.pkcs7([W.leaf]), kinds.PKCS7),
    ("PKCS#12", forms.pkcs12(), kinds.PKCS12),
    ("an empty sequence", raw.seq(), kinds.OTHER),
    ("an integer", raw.integer(5), kinds.OTHER),
    ("an OCSP answer", raw.seq(raw.enumerated(0), raw.context(0)), kinds.OTHER),
    ("a time stamp request", raw.seq(raw.integer(1), raw.seq(raw.seq(raw.oid("1.2.3")))), kinds.OTHER),
    ("a signed thing", raw.seq(raw.seq(raw.octets(b"")), raw.seq(), raw.bit_string(b"")), kinds.OTHER),
    (
        "a signed sequence",
        raw.seq(raw.seq(raw.seq(), raw.seq()), raw.seq(), raw.bit_string(b"")),
        kinds.OTHER,
    ),
    ("a sequence of numbers and more", raw.seq(raw.integer(1), raw.seq(raw.octets(b""))), kinds.OTHER),
    ("a certificate cut off", W.leaf[:-1], kinds.OTHER),
    ("nothing", b"", kinds.OTHER),
    ("text", b"0123456789", kinds.OTHER),
]


@pytest.mark.parametrize(("data", "kind"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_shapes(data, kind) -> None:
    assert kinds.of_der(data) == kind


FORMS = [
    (forms.private(EC), kinds.PKCS8),
    (forms.private(EC, "TraditionalOpenSSL"), kinds.SEC1),
    (forms.private(RSA, "TraditionalOpenSSL"), kinds.PKCS1),
    (raw.seq(*[raw.integer(n) for n in (0, 11, 5, 3, 7, 2)]), kinds.DSA),
    (forms.private(EC, passphrase=b"abcd"), ""),
    (W.leaf, ""),
    (b"", ""),
]


@pytest.mark.parametrize(("data", "form"), FORMS, ids=[form or "none" for _data, form in FORMS])
def test_forms_of_keys(data, form) -> None:
    assert kinds.key_form(data) == form


def test_every_kind_has_words() -> None:
    names = {value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, str)}
    assert names - {kinds.PKCS8, kinds.PKCS1, kinds.SEC1, kinds.DSA} == set(kinds.WORDS)


# --- PKCS#7 ---

ATTRIBUTE_CERTIFICATE = raw.context(1, raw.integer(1))


def test_a_bag_gives_certificates_and_crls_in_its_order() -> None:
    bag = forms.pkcs7([W.issuing, ATTRIBUTE_CERTIFICATE, W.leaf], [W.root_crl])
    assert pkcs7.unpack(bag) == ([W.issuing, W.leaf], [W.root_crl])
    assert pkcs7.unpack(forms.pkcs7([])) == ([], [])


def test_a_bag_of_indefinite_length_is_the_same() -> None:
    """As Java and Windows write it."""
    signed = raw.indefinite(
        0x30,
        raw.integer(1),
        raw.set_of(),
        raw.seq(raw.oid(forms.DATA)),
        raw.indefinite(0xA0, W.leaf, W.issuing),
        raw.set_of(),
    )
    bag = raw.indefinite(0x30, raw.oid(forms.SIGNED_DATA), raw.indefinite(0xA0, signed))
    assert pkcs7.unpack(bag) == ([W.leaf, W.issuing], [])
    assert kinds.of_der(bag) == kinds.PKCS7


@pytest.mark.parametrize(
    "data",
    [
        b"",
        raw.seq(),
        raw.seq(raw.oid(forms.SIGNED_DATA)),
        raw.seq(raw.oid(forms.DATA), raw.context(0, raw.octets(b""))),
        raw.seq(raw.oid(forms.SIGNED_DATA), raw.context(0)),
        forms.pkcs7([W.leaf])[:-9],
        W.leaf,
    ],
)
def test_what_is_no_bag_is_refused(data) -> None:
    with pytest.raises(der.DerError):
        pkcs7.unpack(data)


# --- other files ---

STRANGERS = [
    (b"\xce\xce\xce\xce\0\0\0\2", "a Java keystore (JCEKS)"),
    (b"PuTTY-User-Key-File-2: ssh-rsa", "a private key in PuTTY's own format"),
    (b"---- BEGIN SSH2 PUBLIC KEY ----\n", "an SSH public key"),
    (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a@b", "an OpenSSH public key"),
    (b"ecdsa-sha2-nistp256 AAAAE2Vj", "an OpenSSH public key"),
    (b"$ANSIBLE_VAULT;1.2;AES256;x\n", "an encrypted Ansible vault"),
    (b"\x99\x01\x0d\x04\x5c", "OpenPGP in binary form"),
    (b"\x1e\xf1\xb5\xb0\0\0\0\0", "a private key in Microsoft's format PVK"),
    (b"SQLite format 3\0", "an SQLite database, as NSS keeps certificates in"),
    (bytes(257) + b"ustar\0" + bytes(99), "a tar archive"),
    (b"  <HTML><head>", "an HTML page"),
    (b'<?xml version="1.0"?>', "XML"),
    (b'{"a": 1}', "JSON"),
    (base64.encodebytes(W.leaf), "base64 without BEGIN and END lines"),
    (base64.b64encode(forms.block("X509 CRL", W.root_crl)), "base64 of PEM text"),
    (base64.b64encode(bytes(40)), ""),
    (b"the quick brown fox", ""),
    (b"ssh-keygen made this", ""),
    (b"", ""),
]


@pytest.mark.parametrize(
    ("data", "name"), STRANGERS, ids=[f"{number} {name}" for number, (_data, name) in enumerate(STRANGERS)]
)
def test_files_of_other_programs_have_names(data, name) -> None:
    assert other_files.name(data) == name

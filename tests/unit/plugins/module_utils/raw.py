# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of DER for certificates that no library will make: any tag, any order, any value.

A certificate is three parts, tbs ──> signature algorithm ──> signature; `tbs` builds the first out of
ready-made DER, `sign` adds the others. Keys are those of cryptography, of any version.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

CONTEXT = 0x80
CONSTRUCTED = 0x20

# Signature algorithms by (kind of key, digest), with their parameters.
_SIGNATURES = {
    ("rsa", "md5"): ("1.2.840.113549.1.1.4", b"\x05\x00"),
    ("rsa", "sha1"): ("1.2.840.113549.1.1.5", b"\x05\x00"),
    ("rsa", "sha224"): ("1.2.840.113549.1.1.14", b"\x05\x00"),
    ("rsa", "sha256"): ("1.2.840.113549.1.1.11", b"\x05\x00"),
    ("rsa", "sha384"): ("1.2.840.113549.1.1.12", b"\x05\x00"),
    ("rsa", "sha512"): ("1.2.840.113549.1.1.13", b"\x05\x00"),
    ("rsa", "sha3_256"): ("2.16.840.1.101.3.4.3.14", b"\x05\x00"),
    ("ec", "sha1"): ("1.2.840.10045.4.1", b""),
    ("ec", "sha224"): ("1.2.840.10045.4.3.1", b""),
    ("ec", "sha256"): ("1.2.840.10045.4.3.2", b""),
    ("ec", "sha384"): ("1.2.840.10045.4.3.3", b""),
    ("ec", "sha512"): ("1.2.840.10045.4.3.4", b""),
    ("ec", "sha3_256"): ("2.16.840.1.101.3.4.3.10", b""),
    ("dsa", "sha1"): ("1.2.840.10040.4.3", b""),
    ("dsa", "sha256"): ("2.16.840.1.101.3.4.3.2", b""),
    ("ed25519", ""): ("1.3.101.112", b""),
    ("ed448", ""): ("1.3.101.113", b""),
}

COMMON_NAME = "2.5.4.3"
BASIC_CONSTRAINTS = "2.5.29.19"
KEY_USAGE = "2.5.29.15"
EXTENDED_KEY_USAGE = "2.5.29.37"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
NAME_CONSTRAINTS = "2.5.29.30"
SUBJECT_KEY_ID = "2.5.29.14"
AUTHORITY_KEY_ID = "2.5.29.35"
CRL_NUMBER = "2.5.29.20"
DELTA_CRL_INDICATOR = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT = "2.5.29.28"
REASON_CODE = "2.5.29.21"
INVALIDITY_DATE = "2.5.29.24"
CERTIFICATE_ISSUER = "2.5.29.29"


def length(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def tlv(tag: int, *contents: bytes) -> bytes:
    """*tag* is the whole first octet, with class and constructed bit."""
    content = b"".join(contents)
    return bytes([tag]) + length(len(content)) + content


def long_length(tag: int, content: bytes, octets: int = 4) -> bytes:
    """BER: the length in more octets than it needs."""
    return bytes([tag, 0x80 | octets]) + len(content).to_bytes(octets, "big") + content


def indefinite(tag: int, *contents: bytes) -> bytes:
    """BER: no length, an end mark instead."""
    return bytes([tag | CONSTRUCTED, 0x80]) + b"".join(contents) + b"\x00\x00"


def seq(*contents: bytes) -> bytes:
    return tlv(0x30, *contents)


def set_of(*contents: bytes) -> bytes:
    """In the order given, though DER wants them sorted."""
    return tlv(0x31, *contents)


def integer(number: int) -> bytes:
    octets = max(1, (number if number >= 0 else -number - 1).bit_length() // 8 + 1)
    return tlv(0x02, number.to_bytes(octets, "big", signed=True))


def enumerated(number: int) -> bytes:
    return tlv(0x0A, integer(number)[2:])


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def null() -> bytes:
    return b"\x05\x00"


def oid_content(dotted: str) -> bytes:
    arcs = [int(part) for part in dotted.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.insert(0, arc & 0x7F | 0x80)
        out += bytes(octets)
    return out


def oid(dotted: str) -> bytes:
    return tlv(0x06, oid_content(dotted))


def octets(content: bytes) -> bytes:
    return tlv(0x04, content)


def bit_string(content: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes([unused]) + content)


def utf8(text: str) -> bytes:
    return tlv(0x0C, text.encode())


def printable(text: str) -> bytes:
    return tlv(0x13, text.encode("latin-1"))


def t61(text: str) -> bytes:
    return tlv(0x14, text.encode("latin-1"))


def ia5(text: str) -> bytes:
    return tlv(0x16, text.encode("latin-1"))


def visible(text: str) -> bytes:
    return tlv(0x1A, text.encode("latin-1"))


def numeric(text: str) -> bytes:
    return tlv(0x12, text.encode("latin-1"))


def bmp(text: str) -> bytes:
    return tlv(0x1E, text.encode("utf-16-be"))


def universal(text: str) -> bytes:
    return tlv(0x1C, text.encode("utf-32-be"))


def utc_time(text: str) -> bytes:
    return tlv(0x17, text.encode("latin-1"))


def generalized_time(text: str) -> bytes:
    return tlv(0x18, text.encode("latin-1"))


def context(number: int, *contents: bytes, constructed: bool = True) -> bytes:
    """[number], explicit (or an implicit constructed one) unless *constructed* is False."""
    return tlv(CONTEXT | (CONSTRUCTED if constructed else 0) | number, *contents)


# --- names ---


def attribute(dotted: str, value: bytes) -> bytes:
    """*value* is a string with its tag: utf8("x"), bmp("x") …"""
    return seq(oid(dotted), value)


def name(*rdns: bytes | tuple[bytes, ...]) -> bytes:
    """Each of *rdns* an `attribute`, or several of them as one RDN."""
    return seq(*(set_of(*((rdn,) if isinstance(rdn, bytes) else rdn)) for rdn in rdns))


def common_name(text: str) -> bytes:
    """The name CN=text, a UTF8String."""
    return name(attribute(COMMON_NAME, utf8(text)))


def dns_name(text: str) -> bytes:
    return context(2, text.encode("latin-1"), constructed=False)


def email_name(text: str) -> bytes:
    return context(1, text.encode("latin-1"), constructed=False)


def uri_name(text: str) -> bytes:
    return context(6, text.encode("latin-1"), constructed=False)


def ip_name(address: bytes) -> bytes:
    return context(7, address, constructed=False)


def directory_name(der: bytes) -> bytes:
    return context(4, der)


def other_name(dotted: str, value: bytes) -> bytes:
    return context(0, oid(dotted), context(0, value))


def rid_name(dotted: str) -> bytes:
    return context(8, oid_content(dotted), constructed=False)


# --- extensions ---


def extension(dotted: str, value: bytes, critical: bool = False) -> bytes:
    """*value* is the DER that the octet string wraps (or anything else)."""
    return seq(oid(dotted), boolean(True) if critical else b"", octets(value))


def basic_constraints(ca: bool, path_length: int | None = None, critical: bool = True) -> bytes:
    inside = (boolean(True) if ca else b"") + (integer(path_length) if path_length is not None else b"")
    return extension(BASIC_CONSTRAINTS, seq(inside), critical)


def key_usage(bits: int, unused: int = 0, critical: bool = True) -> bytes:
    """*bits* is the octet: 0x80 digitalSignature, 0x20 keyEncipherment, 0x04 keyCertSign, 0x02 cRLSign."""
    return extension(KEY_USAGE, bit_string(bytes([bits]), unused), critical)


def extended_key_usage(*dotted: str, critical: bool = False) -> bytes:
    return extension(EXTENDED_KEY_USAGE, seq(*(oid(one) for one in dotted)), critical)


def alternative_names(*general_names: bytes, critical: bool = False) -> bytes:
    return extension(SUBJECT_ALTERNATIVE_NAME, seq(*general_names), critical)


def subtree(general_name: bytes, minimum: int | None = None, maximum: int | None = None) -> bytes:
    """A GeneralSubtree; *minimum* None is the default, left out."""
    return seq(
        general_name,
        context(0, integer(minimum)[2:], constructed=False) if minimum is not None else b"",
        context(1, integer(maximum)[2:], constructed=False) if maximum is not None else b"",
    )


def name_constraints(permitted: list[bytes] = (), excluded: list[bytes] = (), critical: bool = True) -> bytes:
    """Lists of `subtree`; an empty list is left out."""
    return extension(
        NAME_CONSTRAINTS,
        seq(context(0, *permitted) if permitted else b"", context(1, *excluded) if excluded else b""),
        critical,
    )


def subject_key_id(identifier: bytes) -> bytes:
    return extension(SUBJECT_KEY_ID, octets(identifier))


def authority_key_id(
    identifier: bytes | None = None, issuer: bytes | None = None, serial: int | None = None
) -> bytes:
    """*issuer* is the DER of a name."""
    return extension(
        AUTHORITY_KEY_ID,
        seq(
            context(0, identifier, constructed=False) if identifier is not None else b"",
            context(1, directory_name(issuer)) if issuer is not None else b"",
            context(2, integer(serial)[2:], constructed=False) if serial is not None else b"",
        ),
    )


# --- certificates ---

NOT_BEFORE = utc_time("260501120000Z")
NOT_AFTER = utc_time("260731120000Z")  # builders.AT is 2026-06-01T12:00:00Z


def spki(key) -> bytes:
    """SubjectPublicKeyInfo of a private or public key of cryptography; ready-made DER stays."""
    if isinstance(key, bytes):
        return key
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_kind(key) -> str:
    kinds = [
        (rsa.RSAPrivateKey, "rsa"),
        (ec.EllipticCurvePrivateKey, "ec"),
        (dsa.DSAPrivateKey, "dsa"),
        (ed25519.Ed25519PrivateKey, "ed25519"),
        (ed448.Ed448PrivateKey, "ed448"),
    ]
    return next(kind for cls, kind in kinds if isinstance(key, cls))


def algorithm(key, digest: str = "sha256") -> bytes:
    """AlgorithmIdentifier of the signature that *key* makes."""
    kind = key_kind(key)
    dotted, parameters = _SIGNATURES[kind, "" if kind.startswith("ed") else digest]
    return seq(oid(dotted), parameters)


def tbs(
    key,
    subject: bytes | str = "leaf",
    issuer: bytes | str | None = None,
    *,
    version: int | bytes | None = 2,
    serial: int | bytes = 1,
    not_before: bytes = NOT_BEFORE,
    not_after: bytes = NOT_AFTER,
    extensions: list[bytes] | bytes | None = None,
    signature_algorithm: bytes = seq(oid("1.2.840.10045.4.3.2")),
    unique_ids: bytes = b"",
) -> bytes:
    """A TBSCertificate. *key*: whose certificate it is, or its ready-made SubjectPublicKeyInfo. *subject* and
    *issuer*: DER of a name, or the text of a common name; without *issuer* it is self-issued. *version*: 2 is
    v3, None leaves it out (v1), bytes are the whole `[0]`. *serial*: a number, or the whole INTEGER.
    *extensions*: a list makes `[3]` of it, bytes are put as they are, None leaves it out."""
    subject = common_name(subject) if isinstance(subject, str) else subject
    issuer = subject if issuer is None else common_name(issuer) if isinstance(issuer, str) else issuer
    if isinstance(version, int):
        version = context(0, integer(version))
    if isinstance(extensions, list):
        extensions = context(3, seq(*extensions))
    return seq(
        version or b"",
        integer(serial) if isinstance(serial, int) else serial,
        signature_algorithm,
        issuer,
        seq(not_before, not_after),
        subject,
        spki(key),
        unique_ids,
        extensions or b"",
    )


def signature(data: bytes, key, digest: str = "sha256") -> bytes:
    """The octets of a signature over *data*, PKCS #1 v1.5 for RSA."""
    hashed = getattr(hashes, digest.upper())() if digest else None
    kind = key_kind(key)
    if kind == "rsa":
        return key.sign(data, padding.PKCS1v15(), hashed)
    if kind == "ec":
        return key.sign(data, ec.ECDSA(hashed))
    if kind == "dsa":
        return key.sign(data, hashed)
    return key.sign(data)


def sign(
    to_be_signed: bytes,
    key,
    digest: str = "sha256",
    *,
    outer: bytes | None = None,
    signed: bytes | None = None,
    trailer: bytes = b"",
) -> bytes:
    """DER of a certificate or CRL. *outer*: another AlgorithmIdentifier than the right one; *signed*: another
    signature; *trailer*: behind the signature, inside the outer sequence."""
    return seq(
        to_be_signed,
        algorithm(key, digest) if outer is None else outer,
        bit_string(signature(to_be_signed, key, digest) if signed is None else signed),
        trailer,
    )


def certificate(subject="leaf", issuer=None, *, key, signer=None, digest: str = "sha256", **more) -> bytes:
    """signer ──> subject: DER; without *signer* it signs itself. *more* as for `tbs`."""
    signer = signer or key
    more.setdefault("signature_algorithm", algorithm(signer, digest))
    return sign(tbs(key, subject, issuer, **more), signer, digest)


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    text = base64.b64encode(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    first, last = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    return b"\n".join([first, *lines, last, b""])


def parts(der: bytes) -> list[bytes]:
    """The encodings of the values inside the constructed value that *der* is."""
    _tag, begin, end = _span(der, 0)
    found: list[bytes] = []
    while begin < end:
        _tag, _content, stop = _span(der, begin)
        found.append(der[begin:stop])
        begin = stop
    return found


def _span(der: bytes, offset: int) -> tuple[int, int, int]:
    """(tag, where the content begins, where it ends) of definite lengths and small tags."""
    size = der[offset + 1]
    begin = offset + 2
    if size & 0x80:
        count = size & 0x7F
        size = int.from_bytes(der[begin : begin + count], "big")
        begin += count
    return der[offset], begin, begin + size


def resigned(certificate_der: bytes, key, mutate, digest: str = "sha256") -> bytes:
    """The certificate with its TBSCertificate's parts as *mutate(list of DER)* returns them, signed again.

    Parts of a v3 certificate: version, serial, algorithm, issuer, validity, subject, key, extensions.
    """
    to_be_signed = seq(*mutate(parts(parts(certificate_der)[0])))
    return sign(to_be_signed, key, digest, outer=parts(certificate_der)[1])


# --- certificate revocation lists ---


def revoked(serial: int | bytes, at: bytes = NOT_BEFORE, extensions: list[bytes] | None = None) -> bytes:
    """One entry."""
    return seq(
        integer(serial) if isinstance(serial, int) else serial,
        at,
        seq(*extensions) if extensions else b"",
    )


def reason(code: int) -> bytes:
    return extension(REASON_CODE, enumerated(code))


def crl_number(number: int) -> bytes:
    return extension(CRL_NUMBER, integer(number))


def crl(
    issuer: bytes | str,
    key,
    entries: list[bytes] | bytes | None = None,
    *,
    version: int | bytes | None = 1,
    this_update: bytes = NOT_BEFORE,
    next_update: bytes = NOT_AFTER,
    extensions: list[bytes] | bytes | None = None,
    digest: str = "sha256",
    signature_algorithm: bytes | None = None,
    outer: bytes | None = None,
) -> bytes:
    """DER of a CRL of `revoked` *entries*. *version* 1 is v2, None leaves it out; *next_update* b"" too."""
    if isinstance(version, int):
        version = integer(version)
    if isinstance(entries, list):
        entries = seq(*entries)
    if isinstance(extensions, list):
        extensions = context(0, seq(*extensions))
    to_be_signed = seq(
        version or b"",
        signature_algorithm or algorithm(key, digest),
        common_name(issuer) if isinstance(issuer, str) else issuer,
        this_update,
        next_update,
        entries or b"",
        extensions or b"",
    )
    return sign(to_be_signed, key, digest, outer=outer)

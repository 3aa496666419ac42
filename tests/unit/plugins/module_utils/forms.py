# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form in which a person hands over a file, for each place that nginx has for one.

    root ──> issuing ──> leaf (p256)      root's CRL, issuing's CRL

`of(slot)` gives name → bytes: what belongs into the slot, laid down well and badly, and what does not belong
there. The verdicts of nginx 1.22, 1.26 and 1.30 on them stand in nginx_verdicts.json; tests/lab/file_forms.py
asks the three hosts for them anew.
"""

from __future__ import annotations

import base64
from functools import cache

from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw

SLOTS = ("certificate", "private_key", "trust", "crl")

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"


class World:
    """What stands in the picture, once for a run: DER of everything, and the keys."""

    def __init__(self) -> None:
        self.key, self.other_key = builders.new_key(), builders.new_key()
        signer = builders.new_key()
        ca = [raw.basic_constraints(True), raw.key_usage(0x06)]
        self.root = raw.certificate("root", key=signer, extensions=ca)
        self.issuing = raw.certificate("issuing", "root", key=signer, signer=signer, extensions=ca)
        self.leaf = raw.certificate("leaf", "issuing", key=self.key, signer=signer)
        self.root_crl = raw.crl("root", signer, [raw.revoked(7)])
        self.issuing_crl = raw.crl("issuing", signer)
        self.request = raw.sign(
            raw.seq(raw.integer(0), raw.common_name("leaf"), raw.spki(self.key), raw.context(0)), self.key
        )


@cache
def world() -> World:
    return World()


def private(key, form: str = "PKCS8", passphrase: bytes = b"") -> bytes:
    """DER of a key; *form* as in builders.key_pem."""
    protection = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.DER, getattr(serialization.PrivateFormat, form), protection
    )


def openssh(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def pkcs7(certificates: list[bytes], crls: list[bytes] | None = None) -> bytes:
    """ContentInfo ──> SignedData without signers (RFC 5652, 5)."""
    return raw.seq(
        raw.oid(SIGNED_DATA),
        raw.context(
            0,
            raw.seq(
                raw.integer(1),
                raw.set_of(),
                raw.seq(raw.oid(DATA)),
                raw.context(0, *certificates) if certificates else b"",
                raw.context(1, *crls) if crls else b"",
                raw.set_of(),
            ),
        ),
    )


def pkcs12(content: bytes = b"") -> bytes:
    """PFX version 3 with an empty authenticated safe: the shape alone."""
    return raw.seq(raw.integer(3), raw.seq(raw.oid(DATA), raw.context(0, raw.octets(raw.seq(content)))))


def aux(trusted: tuple[str, ...] = (SERVER_AUTH,), rejected: tuple[str, ...] = (), alias: str = "") -> bytes:
    """X509_CERT_AUX (crypto/x509/x_x509a.c)."""
    return raw.seq(
        raw.seq(*map(raw.oid, trusted)) if trusted else b"",
        raw.context(0, *map(raw.oid, rejected)) if rejected else b"",
        raw.utf8(alias) if alias else b"",
    )


def block(label: str, der: bytes, width: int = 64) -> bytes:
    text = base64.b64encode(der)
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return b"\n".join(
        [b"-----BEGIN %b-----" % label.encode(), *lines, b"-----END %b-----\n" % label.encode()]
    )


def _layouts(first: bytes, second: bytes, label: str) -> dict[str, bytes]:
    """Two good blocks, laid down well and badly. *first* and *second* are DER."""
    one, two = block(label, first), block(label, second)
    both = one + two
    lines = one.splitlines(keepends=True)
    begin, body, end = lines[0], b"".join(lines[1:-1]), lines[-1]
    return {
        "plain": both,
        "single": one,
        "CRLF": both.replace(b"\n", b"\r\n"),
        "CR only": both.replace(b"\n", b"\r"),
        "byte order mark": b"\xef\xbb\xbf" + both,
        "second byte order mark": one + b"\xef\xbb\xbf" + two,
        "byte order mark after text": b"text\n\xef\xbb\xbf" + both,
        "no last line break": both.rstrip(),
        "text around": b"Subject: CN = a\n" + one + b"\n\n# next\n" + two + b"the end",
        "blanks at line ends": both.replace(b"\n", b" \t\n"),
        "no-break space at line ends": both.replace(b"\n", b"\xc2\xa0\n"),
        "repeated": both + both,
        "lines of 76": block(label, first, 76) + block(label, second, 76),
        "one long line": block(label, first, 10**6) + two,
        "indented": b"".join(b"  " + line for line in both.splitlines(keepends=True)),
        "second indented": one + b"".join(b"  " + line for line in two.splitlines(keepends=True)),
        "text indented": begin + b"".join(b"  " + line for line in lines[1:-1]) + end + two,
        "END indented": begin + body + b" " + end + two,
        "quoted": b"".join(b"> " + line for line in both.splitlines(keepends=True)),
        "commented out": b"".join(b"# " + line for line in one.splitlines(keepends=True)) + two,
        "glued": one.rstrip() + two,
        "glued with a blank": one.rstrip() + b" " + two,
        "blank line after BEGIN": begin + b"\n" + body + end + two,
        "blank line in the text": begin + lines[1] + b"\n" + b"".join(lines[2:]) + two,
        "blank line before END": begin + body + b"\n" + end + two,
        "double spaced": both.replace(b"\n", b"\n\n"),
        "truncated": both[:-70],
        "first without END": begin + body + two,
        "first cut off": begin + lines[1] + two,
        "other END": begin + body + b"-----END PRIVATE JUNK-----\n" + two,
        "no dashes at END": begin + body + end[:-3] + b"\n" + two,
        "four dashes": both.replace(b"-----", b"----"),
        "lower case": begin.lower() + body + end.lower() + two,
        "not base64": begin + body[:20] + b"*" + body[21:] + end + two,
        "base64 of URLs": begin + body[:20] + b"-_" + body[22:] + end + two,
        "padding in the middle": begin + body[:20] + b"==\n" + body[20:] + end + two,
        "second not base64": one + two[:60] + b"*" + two[61:],
        "second damaged DER": one + block(label, b"\x30\x03\x02\x01"),
        "damaged DER": block(label, b"\x30\x03\x02\x01") + two,
        "bytes behind the DER": block(label, first + b"\x05\x00") + two,
        "bytes behind the second DER": one + block(label, second + b"\x05\x00"),
        "headers": begin + b"Comment: here\n\n" + body + end + two,
        "no text": begin + end + two,
        "NUL before": b"\0" + both,
        "NUL between": one + b"\0\n" + two,
        "NUL in the text": begin + body[:30] + b"\0" + body[30:] + end + two,
        "letters \\n": both.replace(b"\n", b"\\n"),
        "on one line": both.replace(b"\n", b" "),
        "in JSON": b'{"pem": "' + both.replace(b"\n", b"\\n") + b'"}\n',
        "in YAML": b"pem: |\n" + b"".join(b"  " + line for line in both.splitlines(keepends=True)),
        "base64 of PEM": base64.encodebytes(both),
        "base64 without marks": base64.encodebytes(first),
        "UTF-16": both.decode().encode("utf-16"),
        "UTF-16 LE": both.decode().encode("utf-16-le"),
        "UTF-16 BE": both.decode().encode("utf-16-be"),
        "UTF-32": both.decode().encode("utf-32"),
        "DER": first,
        "DER in BER": b"\x30\x80" + b"".join(raw.parts(first)) + b"\0\0",
        "DER with bytes behind": first + b"\n",
        "PEM, then DER": one + second,
        "PEM, then UTF-16": one + two.decode().encode("utf-16"),
        "PEM, then UTF-16 LE": one + two.decode().encode("utf-16-le"),
        "two in DER": first + second,
    }


def _others() -> dict[str, bytes]:
    """What belongs nowhere, or elsewhere."""
    w = world()
    return {
        "empty": b"",
        "blank": b" \r\n\t\n",
        "comment": b"# to come\n",
        "noise": bytes(range(256)),
        "zeros": bytes(5000),
        "HTML": b"<!DOCTYPE html>\n<html><body>404</body></html>\n",
        "JSON": b'{"kty": "EC", "crv": "P-256"}\n',
        "vault": b"$ANSIBLE_VAULT;1.1;AES256\n6638\n",
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\0",
        "zip": b"PK\x03\x04\x14\0\0\0",
        "Java keystore": bytes.fromhex("feedfeed0000000200000001"),
        "PuTTY": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
        "OpenSSH key": openssh(w.key),
        "OpenSSH public key": w.key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        ),
        "OpenPGP": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nmQENBF==\n=abcd\n"
        b"-----END PGP PUBLIC KEY BLOCK-----\n",
        "certificate only": block("CERTIFICATE", w.leaf),
        "key only": block("PRIVATE KEY", private(w.key)),
        "CRL only": block("X509 CRL", w.root_crl),
        "request": block("CERTIFICATE REQUEST", w.request),
        "public key": block("PUBLIC KEY", raw.spki(w.key)),
        "parameters": block("EC PARAMETERS", raw.oid("1.2.840.10045.3.1.7")),
        "PKCS#7 in PEM": block("PKCS7", pkcs7([w.leaf, w.issuing], [w.root_crl])),
        "PKCS#7 in DER": pkcs7([w.leaf, w.issuing], [w.root_crl]),
        "PKCS#7 as a certificate": block("CERTIFICATE", pkcs7([w.leaf, w.issuing])),
        "PKCS#12": pkcs12(),
        "PKCS#12 in PEM": block("PKCS12", pkcs12()),
        "key as a certificate": block("CERTIFICATE", private(w.key)),
        "request as a certificate": block("CERTIFICATE", w.request),
        "certificate as a CRL": block("X509 CRL", w.root),
        "certificate as a key": block("PRIVATE KEY", w.leaf),
        "URI of a key": block("PKCS#11 PROVIDER URI", raw.seq(raw.visible("v1"), raw.utf8("pkcs11:a=b"))),
    }


def _mixed(good: bytes) -> dict[str, bytes]:
    """*good* beside other things."""
    w = world()
    key, crl = block("PRIVATE KEY", private(w.key)), block("X509 CRL", w.root_crl)
    sec1 = block("EC PRIVATE KEY", private(w.key, "TraditionalOpenSSL"))
    parameters = block("EC PARAMETERS", raw.oid("1.2.840.10045.3.1.7"))
    locked = block("ENCRYPTED PRIVATE KEY", private(w.key, passphrase=b"abcd"))
    old = sec1.replace(
        b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,%b\n\n" % (b"0" * 32), 1
    )
    strange = block("STRANGE THING", b"\x01\x02\x03")
    return {
        "key before": key + good,
        "key behind": good + key,
        "SEC1 key behind": good + parameters + sec1,
        "key of a foreign label behind": good + block("SOME PRIVATE KEY", private(w.key)),
        "damaged key behind": good + block("PRIVATE KEY", b"\x30\x03\x02\x01"),
        "damaged RSA key behind": good + block("RSA PRIVATE KEY", b"\x30\x03\x02\x01"),
        "truncated key behind": good + key[:100],
        "encrypted key behind": good + locked,
        "key of the old encryption behind": good + old,
        "CRL behind": good + crl,
        "CRL before": crl + good,
        "damaged CRL behind": good + block("X509 CRL", b"\x30\x03\x02\x01"),
        "certificate behind": good + block("CERTIFICATE", w.issuing),
        "trusted certificate behind": good + block("TRUSTED CERTIFICATE", w.issuing + aux()),
        "request behind": good + block("CERTIFICATE REQUEST", w.request),
        "PKCS#7 behind": good + block("PKCS7", pkcs7([w.issuing])),
        "public key before": block("PUBLIC KEY", raw.spki(w.key)) + good,
        "strange block before": strange + good,
        "damaged strange block before": strange.replace(b"AQID", b"*") + good,
        "damaged strange block behind": good + strange.replace(b"AQID", b"*"),
        "OpenPGP behind": good + _others()["OpenPGP"],
        "OpenSSH key behind": good + openssh(w.key),
    }


def _labels(first: bytes, second: bytes) -> dict[str, bytes]:
    """Certificates under the other labels that OpenSSL knows."""
    plain = block("CERTIFICATE", second)
    return {
        "old label": block("X509 CERTIFICATE", first) + block("X509 CERTIFICATE", second),
        "trusted": block("TRUSTED CERTIFICATE", first + aux()),
        "trusted without settings": block("TRUSTED CERTIFICATE", first) + plain,
        "trusted, then plain": block("TRUSTED CERTIFICATE", first + aux()) + plain,
        "rejected, then plain": block("TRUSTED CERTIFICATE", first + aux((), (SERVER_AUTH,))) + plain,
        "plain, then trusted": block("CERTIFICATE", first) + block("TRUSTED CERTIFICATE", second + aux()),
        "plain with settings": block("CERTIFICATE", first + aux()) + plain,
        "trusted with damaged settings": block("TRUSTED CERTIFICATE", first + b"\x30\x03\x02") + plain,
        "unknown label": block("X.509 CERTIFICATE", first) + block("X.509 CERTIFICATE", second),
    }


def _keys() -> dict[str, bytes]:
    """Keys in all their containers; the first one that OpenSSL reads counts."""
    w = world()
    pkcs8, sec1 = private(w.key), private(w.key, "TraditionalOpenSSL")
    parameters = block("EC PARAMETERS", raw.oid("1.2.840.10045.3.1.7"))
    other = block("PRIVATE KEY", private(w.other_key))
    return {
        "SEC1": block("EC PRIVATE KEY", sec1),
        "SEC1 behind parameters": parameters + block("EC PRIVATE KEY", sec1),
        "PKCS#8 under SEC1's label": block("EC PRIVATE KEY", pkcs8),
        "SEC1 under PKCS#8's label": block("PRIVATE KEY", sec1),
        "SEC1 under RSA's label": block("RSA PRIVATE KEY", sec1),
        "foreign label": block("SOME PRIVATE KEY", pkcs8),
        "ANY PRIVATE KEY": block("ANY PRIVATE KEY", pkcs8),
        "another key first": other + block("PRIVATE KEY", pkcs8),
        "another key behind": block("PRIVATE KEY", pkcs8) + other,
        "damaged block before": block("PRIVATE KEY", b"\x30\x03\x02\x01") + block("PRIVATE KEY", pkcs8),
        "encrypted before": block("ENCRYPTED PRIVATE KEY", private(w.key, passphrase=b"abcd"))
        + block("PRIVATE KEY", pkcs8),
    }


@cache
def of(slot: str) -> dict[str, bytes]:
    """All forms for one of SLOTS."""
    w = world()
    if slot == "private_key":
        # the same key twice, so that it fits whichever is read
        key = private(w.key)
        forms = {**_layouts(key, key, "PRIVATE KEY"), **_keys(), **_mixed(block("PRIVATE KEY", key))}
        del forms["key of a foreign label behind"]
    elif slot == "crl":
        forms = _layouts(w.root_crl, w.issuing_crl, "X509 CRL")
        forms.update(_mixed(block("X509 CRL", w.root_crl)))
    else:
        first, second = (w.leaf, w.issuing) if slot == "certificate" else (w.issuing, w.root)
        forms = {**_layouts(first, second, "CERTIFICATE"), **_labels(first, second)}
        forms.update(_mixed(block("CERTIFICATE", first)))
    return {**forms, **_others()}

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of thousands of digits, which Python does not write: told in another way, and never a traceback.

(ca) ──> [leaf]
"""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.credential import examine
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT

KEY = builders.new_key()
HUGE = 1 << 30_000


def ca(**more) -> bytes:
    extensions = more.pop("extensions", [raw.basic_constraints(True)])
    return raw.certificate("ca", key=KEY, extensions=extensions, **more)


def leaf(*extensions: bytes, **more) -> bytes:
    return raw.certificate("leaf", "ca", key=KEY, extensions=list(extensions), **more)


ODD = {
    "serials": (leaf(serial=HUGE), ca(serial=-HUGE), "serial.irregular"),
    "versions": (leaf(), ca(version=raw.context(0, raw.integer(HUGE))), ""),
    "path length": (leaf(), ca(extensions=[raw.basic_constraints(True, HUGE)]), ""),
    "negative path length": (
        leaf(),
        ca(extensions=[raw.basic_constraints(True, -HUGE)]),
        "chain.invalid_extension",
    ),
    "serial of the issuer": (
        leaf(raw.authority_key_id(None, raw.common_name("ca"), HUGE)),
        ca(),
        "chain.missing_intermediate",
    ),
    "minimum of a name constraint": (
        leaf(raw.alternative_names(raw.dns_name("a.example.com"))),
        ca(
            extensions=[
                raw.basic_constraints(True),
                raw.name_constraints([raw.subtree(raw.dns_name("x"), HUGE)]),
            ]
        ),
        "chain.name_constraints",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_certificates(case) -> None:
    credential, anchor, code = ODD[case]
    told = examine({"certificate": raw.pem(credential), "trust": raw.pem(anchor)}, AT)
    assert [one["code"] for one in told["findings"]].count(code) == (1 if code else 0)
    assert all(len(one["message"]) < 200 for one in told["findings"])


@pytest.mark.parametrize(
    ("number", "said"), [(7, "its number 7."), (HUGE, "its number of 3751 octets.")], ids=["small", "huge"]
)
def test_delta_lists(number, said) -> None:
    delta = raw.extension(raw.DELTA_CRL_INDICATOR, raw.integer(number), critical=True)
    revoked = raw.crl("ca", KEY, [], extensions=[raw.crl_number(HUGE), delta])
    told = examine(
        {"certificate": raw.pem(leaf()), "trust": raw.pem(ca()), "crl": raw.pem(revoked, "X509 CRL")}, AT
    )
    assert any(one["code"] == "crl.delta" and one["message"].endswith(said) for one in told["findings"])


SALT = raw.octets(b"saltsalt")
AES = raw.seq(raw.oid("2.16.840.1.101.3.4.1.42"), raw.octets(b"\0" * 16))


def pbes2(oid: str, *parameters: bytes) -> bytes:
    return raw.seq(
        raw.oid("1.2.840.113549.1.5.13"), raw.seq(raw.seq(raw.oid(oid), raw.seq(SALT, *parameters)), AES)
    )


ENCRYPTED = {
    "PBKDF2": pbes2("1.2.840.113549.1.5.12", raw.integer(HUGE)),
    "scrypt": pbes2("1.3.6.1.4.1.11591.4.11", *[raw.integer(HUGE)] * 3),
    "PKCS#12": raw.seq(raw.oid("1.2.840.113549.1.12.1.3"), raw.seq(SALT, raw.integer(HUGE))),
}


@pytest.mark.parametrize("case", ENCRYPTED)
def test_iterations(case) -> None:
    key = raw.pem(raw.seq(ENCRYPTED[case], raw.octets(b"x" * 32)), "ENCRYPTED PRIVATE KEY")
    told = examine({"certificate": raw.pem(leaf()), "private_key": key, "passphrase": "x"}, AT)
    (costly,) = (one for one in told["findings"] if one["code"] == "pair.costly_derivation")
    assert len(costly["message"]) < 250

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what is wrong with a pair, a chain, a name, a date or a key."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probe_trust import left_out
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import succession
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import (
    builders,
    chains,
    corpus,
    raw,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import examined, row
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.corpus import (
    INTERMEDIATE,
    LEAF,
    ROOT,
)

KEY = LEAF.key_pem
PLAIN = {"crl": None, "hostnames": []}


def of(chain: chains.Chain, **changes):
    """What is found in one of chains.py."""
    return examined(
        **{
            **PLAIN,
            "certificate": chain.leaf.pem + b"".join(one.pem for one in chain.sent),
            "private_key": chain.leaf.key_pem,
            "trust": b"".join(one.pem for one in chain.trusted),
            "purpose": chain.purpose,
            "verify_depth": chain.depth,
            "at": chain.at,
            **changes,
        }
    )


def issued(key=None, root_extensions=None, signer_digest="sha256", **more):
    """(root) ──> [leaf], both in raw DER; what is found in it. *more* is of the leaf's `raw.tbs`."""
    root_key, key = ROOT.key, key or LEAF.key
    extensions = [raw.basic_constraints(True), raw.key_usage(0x06, 1), *(root_extensions or [])]
    root = raw.certificate("Raw", key=root_key, extensions=extensions)
    more.setdefault("extensions", [raw.alternative_names(raw.dns_name("b1.example.com"))])
    leaf = raw.certificate("leaf", "Raw", key=key, signer=root_key, digest=signer_digest, **more)
    return examined(
        **PLAIN, certificate=raw.pem(leaf), private_key=None, trust=raw.pem(root), purpose="any", at=AT
    )


# -- pair


@row("pair.key_mismatch")
def key_mismatch():
    """another key of the same curve | the certificate's own"""
    other = builders.key_pem(builders.new_key())
    return examined(private_key=other), examined(private_key=KEY)


@row("pair.key_encrypted")
def key_encrypted():
    """a wrong passphrase | the right one"""
    key = builders.key_pem(LEAF.key, b"right")
    return examined(private_key=key, passphrase="wrong"), examined(private_key=key, passphrase="right")


def _encrypted(kdf_and_cipher: bytes, content: bytes = bytes(48)) -> bytes:
    """An EncryptedPrivateKeyInfo (RFC 5958, 3) whose text is not the point."""
    return raw.pem(raw.seq(kdf_and_cipher, raw.octets(content)), "ENCRYPTED PRIVATE KEY")


def _pbes2(iterations: int, cipher: bytes) -> bytes:
    derivation = raw.seq(
        raw.oid("1.2.840.113549.1.5.12"), raw.seq(raw.octets(bytes(8)), raw.integer(iterations))
    )
    return raw.seq(raw.oid("1.2.840.113549.1.5.13"), raw.seq(derivation, cipher))


AES = raw.seq(raw.oid("2.16.840.1.101.3.4.1.42"), raw.octets(bytes(16)))
DES = raw.seq(raw.oid("1.3.14.3.2.7"), raw.octets(bytes(8)))


@row("pair.legacy_cipher")
def legacy_cipher():
    """DES | AES-256"""
    legacy, modern = _encrypted(_pbes2(2048, DES)), _encrypted(_pbes2(2048, AES))
    return examined(private_key=legacy, passphrase="x"), examined(private_key=modern, passphrase="x")


@row("pair.costly_derivation")
def costly_derivation():
    """two thousand million iterations | two thousand"""
    costly, cheap = _encrypted(_pbes2(2**31 - 1, AES)), _encrypted(_pbes2(2048, AES))
    return examined(private_key=costly, passphrase="x"), examined(private_key=cheap, passphrase="x")


@row("pair.undecided")
def undecided_pair():
    """a certificate with a key of no known kind | one with the key's"""

    def pair(key):
        leaf = raw.certificate("leaf", key=key, signer=LEAF.key)
        return examined(**PLAIN, certificate=raw.pem(leaf), trust=None)

    unknown = raw.seq(raw.seq(raw.oid("1.2.3.4")), raw.bit_string(b"some octets"))
    return pair(unknown), pair(LEAF.key)


@row("pair.swapped_files")
def swapped_files():
    """certificate and key exchanged | each in its place"""
    return examined(certificate=KEY, private_key=LEAF.pem), examined()


# -- chain


@row("chain.missing_intermediate")
def missing_intermediate():
    """without the intermediate | with it"""
    return examined(certificate=LEAF.pem), examined(certificate=LEAF.pem + INTERMEDIATE.pem)


@row("chain.authority_changed")
def authority_changed():
    """a certificate of another root than the live one | of the same"""
    live = builders.server(ROOT).pem
    return tuple(
        succession.examine(live, builders.server(root).pem) for root in (builders.root("CN=Other"), ROOT)
    )


@row("bundle.probe_left_out")
def probe_left_out():
    """one of two sites would trust the probe identity's root no more | never did"""
    other, probe = builders.root("CN=Other"), builders.client(ROOT).pem

    def source(second: bytes) -> dict[str, bytes]:
        found = {"server/credentials/probe/fullchain.pem": probe, "server/credentials/a/trust.pem": ROOT.pem}
        return {**found, "server/credentials/b/trust.pem": second}

    return tuple(
        [finding for dummy, finding in left_out(source(live), source(other.pem))]
        for live in (ROOT.pem + other.pem, other.pem)
    )


@row("chain.root_missing")
def root_missing():
    """the bundle holds the intermediate only | the root as well"""
    return examined(trust=INTERMEDIATE.pem), examined(trust=INTERMEDIATE.pem + ROOT.pem)


@row("chain.root_not_trusted")
def root_not_trusted():
    """the root that is sent is not in the bundle | it is"""
    sent = LEAF.pem + INTERMEDIATE.pem + ROOT.pem
    return examined(certificate=sent, trust=corpus.STRANGER.pem), examined(certificate=sent)


@row("chain.self_signed")
def self_signed():
    """a self-signed leaf that is not in the bundle | it is in it"""
    leaf = builders.client(None)
    given = {**PLAIN, "certificate": leaf.pem, "private_key": leaf.key_pem}
    return examined(**given), examined(**given, trust=leaf.pem)


@row("chain.wrong_order")
def wrong_order():
    """the intermediate first | the leaf first"""
    return examined(certificate=INTERMEDIATE.pem + LEAF.pem), examined(
        certificate=LEAF.pem + INTERMEDIATE.pem
    )


@row("chain.signature_invalid")
def signature_invalid():
    """a root of the right name with another key | the right root"""
    namesake = builders.root()
    return examined(trust=namesake.pem, crl=None), examined(crl=None)


@row("chain.too_deep")
def too_deep():
    """depth 0 | depth 1, for one intermediate"""
    return examined(verify_depth=0), examined(verify_depth=1)


@row("chain.not_a_ca")
def not_a_ca():
    """issued by a leaf | by a CA"""
    return of(chains.leaf_as_issuer()), of(chains.good_with_intermediate())


@row("chain.path_length")
def path_length():
    """a path length of 0 above one intermediate | of 1"""
    return of(chains.path_length_exceeded()), of(chains.path_length_kept())


@row("chain.unknown_critical")
def unknown_critical():
    """an unknown extension that is critical | that is not"""
    return issued(extensions=[raw.extension("1.2.3.4", b"x", True)]), issued(
        extensions=[raw.extension("1.2.3.4", b"x")]
    )


@row("chain.invalid_extension")
def invalid_extension():
    """key usage twice | once"""
    usage = raw.key_usage(0x80, 7)
    return issued(extensions=[usage, usage]), issued(extensions=[usage])


@row("chain.name_constraints")
def name_constraints():
    """the CA may issue for example.org only | for example.com"""

    def constrained(domain: str):
        return issued(root_extensions=[raw.name_constraints([raw.subtree(raw.dns_name(domain))])])

    return constrained("example.org"), constrained("example.com")


@row("chain.rejected")
def rejected():
    """the trust settings of the root's block reject TLS clients | TLS servers"""

    def root(use: str) -> bytes:
        aux = raw.seq(raw.context(0, raw.oid(use)))
        return raw.pem(ROOT.der + aux, "TRUSTED CERTIFICATE")

    return examined(trust=root("1.3.6.1.5.5.7.3.2")), examined(trust=root("1.3.6.1.5.5.7.3.1"))


@row("chain.refused")
def refused():
    """a proxy certificate (RFC 3820) | an extension beside its number"""
    policy = raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.21.1")))

    def proxy(number: str):
        return issued(extensions=[raw.extension(number, policy)])

    return proxy("1.3.6.1.5.5.7.1.14"), proxy("1.3.6.1.5.5.7.1.140")


@row("chain.undecided")
def undecided():
    """a signature algorithm that nobody knows, and no openssl to ask | one that is known"""
    unknown = raw.seq(raw.oid("1.2.3.4.5"))
    to_be_signed = raw.tbs(LEAF.key, "leaf", "Root", signature_algorithm=unknown)
    odd = raw.sign(to_be_signed, ROOT.key, outer=unknown)
    plain = raw.certificate("leaf", "Root", key=LEAF.key, signer=ROOT.key)
    given = {**PLAIN, "private_key": None, "purpose": "any"}
    return examined(**given, certificate=raw.pem(odd)), examined(**given, certificate=raw.pem(plain))


@row("chain.no_key_identifier")
def no_key_identifier():
    """two roots of one name, the other one first | the right one alone; no key identifiers"""
    chain = chains.namesakes_not_told_apart()
    return of(chain), of(chain, trust=chain.trusted[1].pem)


# -- purpose, name


@row("purpose.client_auth_missing")
def client_auth_missing():
    """a server's certificate as a client's | as a server's"""
    chain = chains.server_certificate_as_client()
    return of(chain), of(chain, purpose="server")


@row("purpose.server_auth_missing")
def server_auth_missing():
    """a client's certificate as a server's | as a client's"""
    return examined(purpose="server"), examined(purpose="client")


@row("name.mismatch")
def mismatch():
    """b2 | b1, as the certificate says"""
    return examined(hostnames=["b2.example.com"]), examined(hostnames=["b1.example.com"])


@row("name.common_name_only")
def common_name_only():
    """the name as common name only | as alternative name"""
    bare = builders.client(INTERMEDIATE, names=()).pem + INTERMEDIATE.pem
    return examined(certificate=bare, private_key=None), examined()


@row("name.ip_address")
def ip_address():
    """an address that the certificate has as an address | a name that it has as a name"""
    leaf = builders.client(INTERMEDIATE, names=("192.0.2.1", "b1.example.com")).pem + INTERMEDIATE.pem
    given = {"certificate": leaf, "private_key": None}
    return examined(**given, hostnames=["192.0.2.1"]), examined(**given, hostnames=["b1.example.com"])


# -- expiry, serial


@row("expiry.expired")
def expired():
    """in the second of its end | a second earlier"""
    end = AT + 60 * DAY
    return examined(at=end, crl=None), examined(at=end - builders.SECOND, crl=None)


@row("expiry.soon")
def soon():
    """60 days left of the 61 wanted | of 60"""
    return examined(min_days=61, at=AT), examined(min_days=60, at=AT)


@row("expiry.not_yet_valid")
def not_yet_valid():
    """a second before its beginning | at it"""
    start = AT - 30 * DAY
    return examined(at=start - builders.SECOND, crl=None), examined(at=start, crl=None)


@row("expiry.unreadable")
def unreadable_date():
    """the 30th of February | the 28th"""
    return issued(not_before=raw.utc_time("260230000000Z")), issued(not_before=raw.utc_time("260228000000Z"))


@row("serial.irregular")
def irregular_serial():
    """a serial number of -1 | of 1"""
    return issued(serial=-1), issued(serial=1)


# -- key, signature


@row("key.weak")
def weak_key():
    """RSA of 1024 bits | of 2048"""
    weak, strong = builders.slow_key("rsa1024"), builders.slow_key("rsa2048")
    return issued(key=weak), issued(key=strong)


@row("key.inconsistent")
def inconsistent_key():
    """the point of another scalar | its own"""

    def pair(scalar: bytes):
        point = LEAF.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        curve = raw.context(0, raw.oid("1.2.840.10045.3.1.7"))
        key = raw.seq(raw.integer(1), raw.octets(scalar), curve, raw.context(1, raw.bit_string(point)))
        return examined(private_key=raw.pem(key, "EC PRIVATE KEY"))

    right = LEAF.key.private_numbers().private_value
    return pair((right - 1).to_bytes(32, "big")), pair(right.to_bytes(32, "big"))


@row("key.unusual")
def unusual_key():
    """secp256k1 | P-256"""

    def pair(curve):
        leaf = builders.client(INTERMEDIATE, key=ec.generate_private_key(curve))
        return examined(certificate=leaf.pem + INTERMEDIATE.pem, private_key=leaf.key_pem)

    return pair(ec.SECP256K1()), pair(ec.SECP256R1())


@row("signature.weak")
def weak_signature():
    """signed with SHA-1 | with SHA-256"""
    return issued(signer_digest="sha1"), issued(signer_digest="sha256")

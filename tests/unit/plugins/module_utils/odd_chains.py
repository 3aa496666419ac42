# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains that no library makes: names, identifiers and extensions written octet by octet.

The drawings are those of ``builders``: an arrow is a signature, [sent by the peer], (in the trust bundle).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.chains import Chain, chain

CLIENT_AUTH, SERVER_AUTH, ANY_USE = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
PROXY, IP_BLOCKS = "1.3.6.1.5.5.7.1.14", "1.3.6.1.5.5.7.1.7"
_SIGNS, _ISSUES = 0x80, 0x06


def key(owner: str = "leaf"):
    """One P-256 key per name for the whole run."""
    return _key(owner)


@cache
def _key(_owner: str):
    return builders.new_key()


@dataclass(frozen=True)
class Made:
    """A certificate with its key, or the SubjectPublicKeyInfo of one that nobody has; *aux* makes a TRUSTED
    CERTIFICATE of it."""

    der: bytes
    key: object
    name: bytes
    serial: int = 1
    aux: bytes = b""

    @property
    def pem(self) -> bytes:
        return raw.pem(self.der + self.aux, "TRUSTED CERTIFICATE" if self.aux else "CERTIFICATE")

    @property
    def key_pem(self) -> bytes | None:
        """None where nobody has the key."""
        return None if isinstance(self.key, bytes) else builders.key_pem(self.key)

    def trusting(self, trusted: list[str] | None = None, rejected: list[str] | None = None) -> Made:
        """Itself with trust settings for these object identifiers."""
        uses = raw.seq(*map(raw.oid, trusted)) if trusted is not None else b""
        never = raw.context(0, *map(raw.oid, rejected)) if rejected is not None else b""
        return Made(self.der, self.key, self.name, self.serial, raw.seq(uses, never))


def make(
    subject: bytes | str, issuer: Made | None = None, *extensions: bytes, owner: str = "", own=None, **more
) -> Made:
    """issuer ──> subject with just these extensions, or self-signed; *own* is its key, else *owner*'s.
    *more* as for ``raw.tbs``."""
    name = raw.common_name(subject) if isinstance(subject, str) else subject
    own = own or key(owner or (subject if isinstance(subject, str) else "leaf"))
    more.setdefault("serial", int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1)
    der = raw.certificate(
        name,
        more.pop("issuer_name", issuer.name if issuer else name),
        key=own,
        signer=more.pop("signer", issuer.key if issuer else own),
        extensions=more.pop("written", list(extensions)),
        **more,
    )
    return Made(der, own, name, more["serial"])


def ca(subject: bytes | str = "Root", issuer: Made | None = None, *extensions: bytes, **more) -> Made:
    """issuer ──> CA"""
    path_length = more.pop("path_length", None)
    basic = [raw.basic_constraints(True, path_length), raw.key_usage(_ISSUES)]
    return make(subject, issuer, *basic, *extensions, **more)


def leaf(issuer: Made | None, *extensions: bytes, subject: bytes | str = "leaf", **more) -> Made:
    """issuer ──> leaf, of any use"""
    return make(subject, issuer, raw.key_usage(_SIGNS), *extensions, **more)


def below_root(*extensions: bytes, root_has: tuple[bytes, ...] = (), codes=(), **more) -> Chain:
    """(root with *root_has*) ──> [leaf with *extensions*]"""
    root = ca("Root", None, *root_has)
    made = {name: more.pop(name) for name in ("subject", "serial", "version", "signer") if name in more}
    return chain(leaf(root, *extensions, **made), [], [root], *codes, accepted=not codes, **more)


def _named(*rdns) -> bytes:
    return raw.name(*rdns)


def _cn(value: bytes) -> bytes:
    return raw.attribute(raw.COMMON_NAME, value)


# --- names ---


def _respelled(of_root: bytes, of_issuer: bytes, *codes: str) -> Chain:
    """(root, named so) ──> [leaf, that names it otherwise]"""
    root = ca(of_root, owner="Root")
    return chain(leaf(root, issuer_name=of_issuer), [], [root], *codes, accepted=not codes)


def string_types_differ() -> Chain:
    """(root, PrintableString) ──> [leaf, issuer UTF8String]: the same name"""
    return _respelled(_named(_cn(raw.printable("Root CA"))), _named(_cn(raw.utf8("root  ca"))))


def string_types_of_sixteen_bits() -> Chain:
    """(root, BMPString) ──> [leaf, issuer T61String]: the same name"""
    return _respelled(_named(_cn(raw.bmp("Roöt"))), _named(_cn(raw.t61("ROöT "))))


def umlauts_have_case() -> Chain:
    """(root "ö") ──> [leaf, issuer "Ö"]: only ASCII has no case"""
    return _respelled(_named(_cn(raw.utf8("ö"))), _named(_cn(raw.utf8("Ö"))), "chain.missing_intermediate")


def numeric_string_is_a_type_of_its_own() -> Chain:
    """(root, NumericString "1") ──> [leaf, issuer UTF8String "1"]: compared as they are"""
    return _respelled(_named(_cn(raw.numeric("1"))), _named(_cn(raw.utf8("1"))), "chain.missing_intermediate")


def order_within_an_rdn() -> Chain:
    """(root, CN+O) ──> [leaf, issuer O+CN]: a set has no order"""
    one, two = _cn(raw.utf8("Root")), raw.attribute("2.5.4.10", raw.utf8("Org"))
    return _respelled(_named((one, two)), _named((two, one)))


def order_of_rdns() -> Chain:
    """(root, CN,O) ──> [leaf, issuer O,CN]: another name"""
    one, two = _cn(raw.utf8("Root")), raw.attribute("2.5.4.10", raw.utf8("Org"))
    return _respelled(_named(one, two), _named(two, one), "chain.missing_intermediate")


def name_with_nul() -> Chain:
    """(root "a\\0b") ──> [leaf], (root "a")"""
    root, other = ca(_named(_cn(raw.utf8("a\0b"))), owner="Root"), ca("a")
    return chain(leaf(root), [], [other, root], accepted=True)


def empty_names() -> Chain:
    """(root without a name) ──> [leaf without a name]: the leaf looks self-issued, and another key signed"""
    root = ca(raw.seq(), owner="Root")
    return chain(leaf(root, subject=raw.seq()), [], [root], "chain.signature_invalid")


def empty_names_told_apart() -> Chain:
    """(root without a name) ──> [leaf without a name], identifiers tell that it is not self-signed"""
    root = ca(raw.seq(), None, raw.subject_key_id(b"root"), owner="Root")
    own, issuer = raw.subject_key_id(b"leaf"), raw.authority_key_id(b"root")
    return chain(leaf(root, own, issuer, subject=raw.seq()), [], [root], accepted=True)


# --- identifiers ---


def _two_generations(identifier, *codes: str) -> Chain:
    """(old root), (new root, same name and other key) ──> [leaf with an identifier of the new one]"""
    old = ca("Root", owner="old", serial=7)
    new = ca("Root", owner="new", serial=8)
    return chain(leaf(new, identifier(old, new)), [], [old, new], *codes, accepted=not codes)


def told_by_issuer_and_serial() -> Chain:
    """(root, serial 7), (root, serial 8) ──> [leaf, authority: the root's issuer, serial 8]"""
    return _two_generations(lambda _old, new: raw.authority_key_id(None, new.name, 8))


def told_by_serial_alone() -> Chain:
    """(root, serial 7), (root, serial 8) ──> [leaf, authority: serial 8]"""
    return _two_generations(lambda _old, _new: raw.authority_key_id(None, None, 8))


def told_the_wrong_serial() -> Chain:
    """(root, serial 7), (root, serial 8) ──> [leaf, authority: serial 7]"""
    return _two_generations(
        lambda old, _new: raw.authority_key_id(None, old.name, 7), "chain.signature_invalid"
    )


def told_another_issuer() -> Chain:
    """(root, serial 8) ──> [leaf, authority: serial 8 of another issuer]: no candidate at all"""
    root = ca("Root", serial=8)
    stray = raw.authority_key_id(None, raw.common_name("Elsewhere"), 8)
    return chain(leaf(root, stray), [], [root], "chain.missing_intermediate")


def told_the_key_of_nobody() -> Chain:
    """(root, key identifier 1) ──> [leaf, authority key identifier 2]"""
    root = ca("Root", None, raw.subject_key_id(b"1"))
    return chain(leaf(root, raw.authority_key_id(b"2")), [], [root], "chain.missing_intermediate")


def rekeyed_root_with_link() -> Chain:
    """(old root) ──> [link: the root's name and new key ──> leaf]"""
    old = ca("Root", None, raw.subject_key_id(b"old"), owner="old", serial=1)
    link = ca("Root", old, raw.subject_key_id(b"new"), raw.authority_key_id(b"old"), owner="new", serial=2)
    made = leaf(link, raw.authority_key_id(b"new"))
    return chain(made, [link], [old], accepted=True)


def self_issued_does_not_count() -> Chain:
    """(root, path length 0) ──> [link, self-issued ──> leaf]"""
    old = ca("Root", None, raw.subject_key_id(b"old"), owner="old", serial=1, path_length=0)
    link = ca("Root", old, raw.subject_key_id(b"new"), raw.authority_key_id(b"old"), owner="new", serial=2)
    return chain(leaf(link, raw.authority_key_id(b"new")), [link], [old], accepted=True)


def two_intermediates_of_one_key() -> Chain:
    """(root) ──> [int, expired], [int, renewed with the same key ──> leaf]"""
    root = ca("Root")
    old = ca("Int", root, serial=1, not_after=raw.utc_time("260531120000Z"))
    new = ca("Int", root, serial=2)
    return chain(leaf(new), [old, new], [root], accepted=True)


def _of_many(depth: int, *codes: str) -> Chain:
    """(root) ──> [101 intermediates ──> leaf]"""
    root = above = ca("Root")
    sent: list[Made] = []
    for number in range(101):
        above = ca(f"Int {number}", above, owner=f"Int {number % 2}")
        sent.append(above)
    return chain(leaf(above), sent, [root], *codes, accepted=not codes, depth=depth)


def as_many_intermediates_as_allowed() -> Chain:
    """(root) ──> [101 intermediates ──> leaf], 101 allowed"""
    return _of_many(101)


def one_intermediate_more_than_allowed() -> Chain:
    """(root) ──> [101 intermediates ──> leaf], 100 allowed"""
    return _of_many(100, "chain.too_deep")


def intermediate_in_the_bundle_shadows_the_sent_one() -> Chain:
    """(root) ──> [int ──> leaf], (int, self-signed with the same key): the bundle's comes first"""
    root = ca("Root")
    sent = ca("Int", root)
    own = ca("Int", None, serial=5)
    return chain(leaf(sent), [sent], [own], accepted=True)


# --- path length and being a CA ---


def _of_length(length: int, *codes: str) -> Chain:
    """(root with this path length) ──> [int ──> leaf]"""
    root = ca("Root", path_length=length)
    middle = ca("Int", root)
    return chain(leaf(middle), [middle], [root], *codes, accepted=not codes)


def path_length_beyond_64_bits() -> Chain:
    """(root, path length 2^63) ──> [int ──> leaf]: OpenSSL takes it for none"""
    return _of_length(1 << 63)


def path_length_negative() -> Chain:
    """(root, path length -1) ──> [int ──> leaf]"""
    return _of_length(-1, "chain.invalid_extension")


def path_length_of_a_leaf() -> Chain:
    """(root) ──> [leaf, CA:FALSE with path length 0]"""
    return below_root(raw.basic_constraints(False, 0))


def root_of_version_1() -> Chain:
    """(root, version 1) ──> [leaf]"""
    root = make("Root", version=None, written=None)
    return chain(leaf(root), [], [root], accepted=True)


def root_of_version_3_without_extensions() -> Chain:
    """(root without any extension) ──> [leaf]"""
    root = make("Root", written=None)
    return chain(leaf(root), [], [root], "chain.not_a_ca")


def intermediate_of_version_1() -> Chain:
    """(root) ──> [int, version 1 ──> leaf]"""
    root = ca("Root")
    middle = make("Int", root, version=None, written=None)
    return chain(leaf(middle), [middle], [root], "chain.not_a_ca")


def _netscape(octet: int) -> bytes:
    return raw.extension(NETSCAPE_TYPE, raw.bit_string(bytes([octet])))


def netscape_ca() -> Chain:
    """(root, nothing but the Netscape type SSL CA) ──> [leaf]"""
    root = make("Root", None, _netscape(0x04))
    return chain(leaf(root), [], [root], accepted=True)


def netscape_ca_for_mail() -> Chain:
    """(root, nothing but the Netscape type S/MIME CA) ──> [leaf]"""
    root = make("Root", None, _netscape(0x02))
    return chain(leaf(root), [], [root], "purpose.client_auth_missing")


def netscape_ca_for_mail_any_purpose() -> Chain:
    """(root, nothing but the Netscape type S/MIME CA) ──> [leaf], any purpose"""
    root = make("Root", None, _netscape(0x02))
    return chain(leaf(root), [], [root], accepted=True, purpose="any")


def netscape_server_as_client() -> Chain:
    """(root) ──> [leaf of the Netscape type SSL server], used by a client"""
    return below_root(_netscape(0x40), codes=["purpose.client_auth_missing"])


def netscape_client() -> Chain:
    """(root) ──> [leaf of the Netscape type SSL client]"""
    return below_root(_netscape(0x80))


# --- extended key usage in intermediates ---


def _uses_of_intermediate(uses: tuple[str, ...], *codes: str) -> Chain:
    """(root) ──> [int with these uses ──> leaf for clientAuth]"""
    root = ca("Root")
    middle = ca("Int", root, raw.extended_key_usage(*uses))
    made = leaf(middle, raw.extended_key_usage(CLIENT_AUTH))
    return chain(made, [middle], [root], *codes, accepted=not codes)


def both_uses_of_intermediate() -> Chain:
    """(root) ──> [int for both ──> leaf for clientAuth]"""
    return _uses_of_intermediate((CLIENT_AUTH, SERVER_AUTH))


def any_use_of_intermediate() -> Chain:
    """(root) ──> [int for anyExtendedKeyUsage ──> leaf for clientAuth]: does not count"""
    return _uses_of_intermediate((ANY_USE,), "purpose.client_auth_missing")


def uses_of_root() -> Chain:
    """(root for serverAuth) ──> [leaf for clientAuth]: the root's uses count"""
    return below_root(
        raw.extended_key_usage(CLIENT_AUTH),
        root_has=(raw.extended_key_usage(SERVER_AUTH),),
        codes=["purpose.client_auth_missing"],
    )


def step_up_of_server() -> Chain:
    """(root) ──> [leaf for Microsoft's SGC], as a server"""
    return below_root(raw.extended_key_usage("1.3.6.1.4.1.311.10.3.3"), purpose="server")


def empty_list_of_uses() -> Chain:
    """(root) ──> [leaf with an empty extended key usage]"""
    return below_root(raw.extended_key_usage(), codes=["purpose.client_auth_missing"])


# --- extensions ---


def _critical(oid: str, value: bytes = raw.seq()) -> bytes:
    return raw.extension(oid, value, True)


def critical_extension_of_root() -> Chain:
    """(root with a critical extension of a private OID) ──> [leaf]"""
    return below_root(root_has=(_critical("1.3.6.1.4.1.55555.1"),), codes=["chain.unknown_critical"])


def critical_extension_of_intermediate() -> Chain:
    """(root) ──> [int with a critical extension of a private OID ──> leaf]"""
    root = ca("Root")
    middle = ca("Int", root, _critical("1.3.6.1.4.1.55555.1"))
    return chain(leaf(middle), [middle], [root], "chain.unknown_critical")


def critical_key_identifier() -> Chain:
    """(root) ──> [leaf with a critical subject key identifier]: OpenSSL does not count it as known"""
    return below_root(_critical(raw.SUBJECT_KEY_ID, raw.octets(b"1")), codes=["chain.unknown_critical"])


def critical_policies() -> Chain:
    """(root) ──> [leaf with critical policies]: known, and not asked for"""
    policies = raw.seq(raw.seq(raw.oid("1.2.3.4")))
    return below_root(_critical("2.5.29.32", policies))


def unreadable_policies() -> Chain:
    """(root) ──> [leaf with policies that cannot be read]: nobody reads them"""
    return below_root(raw.extension("2.5.29.32", b"\x30\x05abc"))


def unreadable_alternative_name() -> Chain:
    """(root) ──> [leaf whose alternative names cannot be read]"""
    return below_root(
        raw.extension(raw.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05abc"), codes=["chain.invalid_extension"]
    )


def empty_alternative_name() -> Chain:
    """(root) ──> [leaf with no alternative name in the extension]"""
    return below_root(raw.alternative_names())


def unreadable_extension_of_root() -> Chain:
    """(root with unreadable name constraints) ──> [leaf]: it is no candidate"""
    return below_root(
        root_has=(raw.extension(raw.NAME_CONSTRAINTS, b"\x30\x05abc"),), codes=["chain.invalid_extension"]
    )


def unreadable_extension_beside_a_good_root() -> Chain:
    """(root with unreadable name constraints), (root, same key) ──> [leaf]"""
    bad = ca("Root", None, raw.extension(raw.NAME_CONSTRAINTS, b"\x30\x05abc"), serial=1)
    good = ca("Root", serial=2)
    return chain(leaf(good), [], [bad, good], accepted=True)


def extension_twice() -> Chain:
    """(root) ──> [leaf with two extended key usages]"""
    use = raw.extended_key_usage(CLIENT_AUTH)
    return below_root(use, use, codes=["chain.invalid_extension"])


def private_extension_twice() -> Chain:
    """(root) ──> [leaf with two extensions of a private OID]: nobody reads them"""
    extension = raw.extension("1.3.6.1.4.1.55555.1", raw.seq())
    return below_root(extension, extension)


def empty_key_usage() -> Chain:
    """(root) ──> [leaf with a key usage that allows nothing]"""
    root = ca("Root")
    return chain(make("leaf", root, raw.key_usage(0)), [], [root], "chain.invalid_extension")


def distribution_point_of_nothing() -> Chain:
    """(root) ──> [leaf with a CRL distribution point that is empty]"""
    return below_root(raw.extension("2.5.29.31", raw.seq(raw.seq())), codes=["chain.invalid_extension"])


def self_signed_and_trusted_but_unreadable() -> Chain:
    """([leaf, self-signed, with unreadable alternative names])"""
    made = leaf(None, raw.extension(raw.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05abc"))
    return chain(made, [], [made], "chain.invalid_extension")


def _proxy_of(*more: bytes) -> bytes:
    return _critical(PROXY, raw.seq(raw.seq(raw.oid("1.3.6.1.5.5.7.21.1")), *more))


def proxy_certificate() -> Chain:
    """(root) ──> [leaf, a proxy certificate]"""
    return below_root(_proxy_of(), codes=["chain.refused"])


def proxy_certificate_with_alternative_names() -> Chain:
    """(root) ──> [leaf, a proxy certificate with alternative names]: not even that"""
    return below_root(
        _proxy_of(),
        raw.alternative_names(raw.dns_name("a.example.com")),
        codes=["chain.invalid_extension", "chain.refused"],
    )


def _addresses(*prefixes: bytes) -> bytes:
    """RFC 3779 blocks of IPv4 prefixes, each the content of a bit string."""
    choice = raw.seq(*(raw.tlv(0x03, prefix) for prefix in prefixes)) if prefixes else raw.null()
    return _critical(IP_BLOCKS, raw.seq(raw.seq(raw.octets(b"\0\1"), choice)))


def resources_of_root_only() -> Chain:
    """(root with address resources) ──> [leaf without]: nothing to check"""
    return below_root(root_has=(_addresses(b"\0\x0a"),))


def resources_within() -> Chain:
    """(root, 10/8) ──> [leaf, 10.1/16]"""
    return below_root(_addresses(b"\0\x0a\x01"), root_has=(_addresses(b"\0\x0a"),), by="openssl")


def resources_beyond() -> Chain:
    """(root, 10/8) ──> [leaf, 11/8]"""
    return below_root(
        _addresses(b"\0\x0b"), root_has=(_addresses(b"\0\x0a"),), codes=["chain.refused"], by="openssl"
    )


# --- trust settings ---


def _trusting(trusted=None, rejected=None, *codes: str, **more) -> Chain:
    """(root with these trust settings) ──> [leaf]"""
    root = ca("Root")
    settings = root.trusting(trusted, rejected)
    return chain(leaf(root), [], [settings], *codes, accepted=not codes, **more)


def trusted_for_clients() -> Chain:
    """(root, trusted for clientAuth) ──> [leaf]"""
    return _trusting([CLIENT_AUTH])


def trusted_for_servers_only() -> Chain:
    """(root, trusted for serverAuth) ──> [leaf], as a client"""
    return _trusting([SERVER_AUTH], None, "chain.rejected")


def trusted_for_servers_any_purpose() -> Chain:
    """(root, trusted for serverAuth) ──> [leaf], any purpose"""
    return _trusting([SERVER_AUTH], None, "chain.rejected", purpose="any")


def trusted_for_nothing() -> Chain:
    """(root, trusted for an empty list) ──> [leaf]"""
    return _trusting([], None, "chain.rejected")


def trusted_for_any_use() -> Chain:
    """(root, trusted for anyExtendedKeyUsage) ──> [leaf]"""
    return _trusting([ANY_USE])


def rejected_for_clients() -> Chain:
    """(root, rejected for clientAuth) ──> [leaf]"""
    return _trusting(None, [CLIENT_AUTH], "chain.rejected")


def rejected_for_mail() -> Chain:
    """(root, rejected for another use) ──> [leaf]"""
    return _trusting(None, ["1.3.6.1.5.5.7.3.4"])


def trusted_and_rejected() -> Chain:
    """(root, trusted and rejected for clientAuth) ──> [leaf]: rejected"""
    return _trusting([CLIENT_AUTH], [CLIENT_AUTH], "chain.rejected")


def settings_without_uses() -> Chain:
    """(root, a TRUSTED CERTIFICATE with no settings) ──> [leaf]"""
    return _trusting()


def trusted_intermediate() -> Chain:
    """root ──> (int, trusted for clientAuth) ──> [leaf]: the path may end there"""
    middle = ca("Int", ca("Root"))
    return chain(leaf(middle), [], [middle.trusting([CLIENT_AUTH])], accepted=True)


def trusted_expired_intermediate() -> Chain:
    """root ──> (int, expired, trusted for clientAuth) ──> [leaf]: its dates are not looked at"""
    middle = ca("Int", ca("Root"), not_after=raw.utc_time("260531120000Z"))
    return chain(leaf(middle), [], [middle.trusting([CLIENT_AUTH])], accepted=True)


def rejected_intermediate() -> Chain:
    """(root) ──> (int, rejected for clientAuth) ──> [leaf]"""
    root = ca("Root")
    middle = ca("Int", root)
    return chain(leaf(middle), [], [root, middle.trusting(None, [CLIENT_AUTH])], "chain.rejected")


def trust_lifts_the_use() -> Chain:
    """(root for serverAuth, trusted for clientAuth) ──> [leaf]: the settings outweigh the extension"""
    root = ca("Root", None, raw.extended_key_usage(SERVER_AUTH))
    return chain(leaf(root), [], [root.trusting([CLIENT_AUTH])], accepted=True)


def trust_makes_no_ca() -> Chain:
    """root ──> (int, no CA, trusted for clientAuth) ──> [leaf]"""
    middle = leaf(ca("Root"), subject="Int")
    return chain(leaf(middle), [], [middle.trusting([CLIENT_AUTH])], "chain.not_a_ca")


def trusted_self_signed_leaf() -> Chain:
    """([leaf, self-signed, for serverAuth, trusted for clientAuth])"""
    made = leaf(None, raw.extended_key_usage(SERVER_AUTH))
    return chain(made, [], [made.trusting([CLIENT_AUTH])], accepted=True)


def settings_of_what_is_sent() -> Chain:
    """(root) ──> [leaf, a TRUSTED CERTIFICATE that rejects clientAuth]: nobody sends settings"""
    root = ca("Root")
    return chain(leaf(root).trusting(None, [CLIENT_AUTH]), [], [root], accepted=True)


# fmt: off
ALL: list[Callable[[], Chain]] = [
    string_types_differ, string_types_of_sixteen_bits, umlauts_have_case, numeric_string_is_a_type_of_its_own,
    order_within_an_rdn, order_of_rdns, name_with_nul, empty_names, empty_names_told_apart,
    told_by_issuer_and_serial, told_by_serial_alone, told_the_wrong_serial, told_another_issuer,
    told_the_key_of_nobody, rekeyed_root_with_link, self_issued_does_not_count, two_intermediates_of_one_key,
    as_many_intermediates_as_allowed, one_intermediate_more_than_allowed,
    intermediate_in_the_bundle_shadows_the_sent_one, path_length_beyond_64_bits, path_length_negative,
    path_length_of_a_leaf, root_of_version_1, root_of_version_3_without_extensions, intermediate_of_version_1,
    netscape_ca, netscape_ca_for_mail, netscape_ca_for_mail_any_purpose, netscape_server_as_client,
    netscape_client, both_uses_of_intermediate, any_use_of_intermediate, uses_of_root, step_up_of_server,
    empty_list_of_uses, critical_extension_of_root, critical_extension_of_intermediate,
    critical_key_identifier, critical_policies, unreadable_policies, unreadable_alternative_name,
    empty_alternative_name, unreadable_extension_of_root, unreadable_extension_beside_a_good_root,
    extension_twice, private_extension_twice, empty_key_usage, distribution_point_of_nothing,
    self_signed_and_trusted_but_unreadable, proxy_certificate, proxy_certificate_with_alternative_names,
    resources_of_root_only, resources_within, resources_beyond, trusted_for_clients, trusted_for_servers_only,
    trusted_for_servers_any_purpose, trusted_for_nothing, trusted_for_any_use, rejected_for_clients,
    rejected_for_mail, trusted_and_rejected, settings_without_uses, trusted_intermediate,
    trusted_expired_intermediate, rejected_intermediate, trust_lifts_the_use, trust_makes_no_ca,
    trusted_self_signed_leaf, settings_of_what_is_sent,
]
# fmt: on

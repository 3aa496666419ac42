# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains under name constraints. Each is (root with constraints) ──> [leaf with names], unless it draws more.

The table's rows: name of the case, permitted, excluded, the leaf's names, whether it obeys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.chains import Chain, chain
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import Made, ca, leaf

# What OpenSSL has learnt since 3.0 (tried: 3.0.20, 3.5.7, 3.6.5).
NEWER = openssl.version() >= (3, 5)
_CODE = "chain.name_constraints"
dns, email, uri = raw.dns_name, raw.email_name, raw.uri_name
_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_ORGANIZATION = "2.5.4.10"


def ip(text: str) -> bytes:
    """An address, or with a slash the subtree of a network."""
    if "/" in text:
        network = ip_network(text)
        return raw.context(7, network.network_address.packed, network.netmask.packed, constructed=False)
    return raw.context(7, ip_address(text).packed, constructed=False)


def directory(*organizations: str) -> bytes:
    """O=…,O=…"""
    parts = (raw.attribute(_ORGANIZATION, raw.utf8(text)) for text in organizations)
    return raw.directory_name(raw.name(*parts))


def constraints(permitted: Iterable[bytes] = (), excluded: Iterable[bytes] = ()) -> bytes:
    return raw.name_constraints([*map(raw.subtree, permitted)], [*map(raw.subtree, excluded)])


def _named(names: Iterable[bytes]) -> list[bytes]:
    return [raw.alternative_names(*names)] if names else []


def subject(*attributes: tuple[str, bytes]) -> bytes:
    return raw.name(*(raw.attribute(oid, value) for oid, value in attributes))


_OTHER = raw.other_name("1.3.6.1.4.1.311.20.2.3", raw.utf8("user@example.com"))
_MAILBOX = raw.other_name("1.3.6.1.5.5.7.8.9", raw.utf8("user@example.com"))
_X400 = raw.context(3, raw.seq())

# fmt: off
_ROWS: list[tuple[str, list[bytes], list[bytes], list[bytes], bool]] = [
    ("dns the name itself", [dns("example.com")], [], [dns("example.com")], True),
    ("dns a name below", [dns("example.com")], [], [dns("a.b.example.com")], True),
    ("dns in other case", [dns("Example.COM")], [], [dns("a.eXample.com")], True),
    ("dns only the end is alike", [dns("example.com")], [], [dns("anexample.com")], False),
    ("dns shorter", [dns("a.example.com")], [], [dns("example.com")], False),
    ("dns with a leading dot, below", [dns(".example.com")], [], [dns("a.example.com")], True),
    ("dns with a leading dot, itself", [dns(".example.com")], [], [dns("example.com")], False),
    ("dns with a trailing dot", [dns("example.com")], [], [dns("a.example.com.")], False),
    ("dns everything", [dns("")], [], [dns("a.example.com")], True),
    ("dns nothing but what is excluded", [], [dns("")], [dns("a.example.com")], False),
    ("dns a wildcard below", [dns("example.com")], [], [dns("*.example.com")], True),
    ("dns a wildcard above", [dns("a.example.com")], [], [dns("*.example.com")], False),
    ("dns a wildcard over what is excluded", [], [dns("a.example.com")], [dns("*.example.com")], True),
    ("dns one of two", [dns("example.org"), dns("example.com")], [], [dns("a.example.com")], True),
    ("dns one name of two", [dns("example.com")], [], [dns("a.example.com"), dns("a.example.org")], False),
    ("dns excluded", [], [dns("example.com")], [dns("a.example.com")], False),
    ("dns not excluded", [], [dns("example.com")], [dns("a.example.org")], True),
    ("dns permitted and excluded", [dns("example.com")], [dns("b.example.com")], [dns("b.example.com")],
     False),
    ("dns constrained, an address named", [dns("example.com")], [], [ip("10.0.0.1")], True),
    ("dns constrained, nothing named", [dns("example.com")], [], [], True),
    ("ip inside", [ip("10.0.0.0/8")], [], [ip("10.9.8.7")], True),
    ("ip outside", [ip("10.0.0.0/8")], [], [ip("11.0.0.1")], False),
    ("ip excluded", [], [ip("10.0.0.0/8")], [ip("10.0.0.1")], False),
    ("ip of the other version permitted", [ip("2001:db8::/32")], [], [ip("10.0.0.1")], False),
    ("ip of the other version excluded", [], [ip("2001:db8::/32")], [ip("10.0.0.1")], True),
    ("ip version 6 inside", [ip("2001:db8::/32")], [], [ip("2001:db8::1")], True),
    ("ip every address", [ip("0.0.0.0/0")], [], [ip("203.0.113.9")], True),
    ("ip with a mask that has holes", [raw.context(7, b"\x0a\0\0\1\xff\0\0\xff", constructed=False)], [],
     [ip("10.9.9.1")], True),
    ("ip with bits beyond the mask", [raw.context(7, b"\x0a\1\2\3\xff\0\0\0", constructed=False)], [],
     [ip("10.9.9.1")], True),
    ("ip of five octets", [ip("10.0.0.0/8")], [], [raw.context(7, b"\x0a\0\0\0\0", constructed=False)],
     False),
    ("ip constraint of four octets", [ip("10.0.0.1")], [], [ip("10.0.0.1")], False),
    ("uri of the host", [uri("example.com")], [], [uri("https://example.com/a")], True),
    ("uri with a port", [uri("example.com")], [], [uri("https://example.com:8443/a")], True),
    ("uri of a host below", [uri("example.com")], [], [uri("https://a.example.com/")], False),
    ("uri of a host below a dot", [uri(".example.com")], [], [uri("https://a.example.com/")], True),
    ("uri in other case", [uri("EXAMPLE.com")], [], [uri("https://Example.com")], True),
    ("uri spiffe", [uri("trust.example")], [], [uri("spiffe://trust.example/ns/a/sa/b")], True),
    ("uri spiffe of another domain", [uri("trust.example")], [], [uri("spiffe://other.example/ns/a")], False),
    ("uri excluded", [], [uri(".example.com")], [uri("https://a.example.com/")], False),
    ("uri without authority", [uri("example.com")], [], [uri("urn:uuid:1")], False),
    ("uri without authority, excluded", [], [uri("example.com")], [uri("urn:uuid:1")], False),
    ("email of the host", [email("example.com")], [], [email("a@example.com")], True),
    ("email in other case", [email("example.com")], [], [email("A@EXAMPLE.com")], True),
    ("email of a host below", [email("example.com")], [], [email("a@b.example.com")], False),
    ("email of a host below a dot", [email(".example.com")], [], [email("a@b.example.com")], True),
    ("email the address itself", [email("a@example.com")], [], [email("a@Example.com")], True),
    ("email whose local part has case", [email("a@example.com")], [], [email("A@example.com")], False),
    ("email without an at", [email("example.com")], [], [email("example.com")], False),
    ("email excluded", [], [email("example.com")], [email("a@example.com")], False),
    ("directory above another kind", [directory("Org")], [], [dns("a.example.com")], False),
    ("directory among the names", [directory("Org")], [], [directory("org ", "Unit")], False),
    ("other name of one type", [_OTHER], [], [_OTHER], False),
    ("other name without constraints on it", [dns("example.com")], [], [_OTHER], True),
    ("x400 address without constraints on it", [dns("example.com")], [], [_X400], True),
    ("registered id", [raw.rid_name("1.2.3")], [], [raw.rid_name("1.2.3")], False),
]
# What the versions of OpenSSL take apart in their own ways, so that the host's has to say.
_OPEN_ROWS: list[tuple[str, list[bytes], list[bytes], list[bytes], bool]] = [
    ("dns with a NUL", [dns("example.com")], [], [dns("a\0.example.com")], True),
    ("uri with user", [uri("example.com")], [], [uri("https://user@example.com/")], NEWER),
    ("uri with an odd port", [uri("example.com")], [], [uri("https://example.org:x/")], False),
    ("email with two ats", [email("example.org")], [], [email("a@example.com@b")], False),
    ("mailbox in UTF-8", [email("example.com")], [], [_MAILBOX], True),
    ("mailbox in UTF-8 of another host", [email("example.org")], [], [_MAILBOX], False),
]
# fmt: on


def _row(row: tuple[str, list[bytes], list[bytes], list[bytes], bool], by: str) -> Callable[[], Chain]:
    title, permitted, excluded, names, obeys = row

    def build() -> Chain:
        root = ca("Root", None, constraints(permitted, excluded))
        # Named so that neither the subject nor its common name is under any constraint but on directories.
        made = leaf(root, *_named(names), subject="leaf")
        return chain(made, [], [root], *([] if obeys else [_CODE]), accepted=obeys, by=by)

    build.__name__ = title.replace(" ", "_").replace(",", "")
    return build


def _under(constrained: bytes, made: Callable[[Made], Made], obeys: bool) -> Chain:
    root = ca("Root", None, constrained)
    return chain(made(root), [], [root], *([] if obeys else [_CODE]), accepted=obeys)


def nul_in_a_permitted_name() -> Chain:
    """(root, DNS example.com) ──> [leaf, DNS "a\\0b.example.org"]"""
    root = ca("Root", None, constraints([dns("example.com")]))
    made = leaf(root, *_named([dns("a\0b.example.org")]))
    return chain(made, [], [root], _CODE, by="openssl")


def common_name_below() -> Chain:
    """(root, DNS example.com) ──> [leaf CN=a.example.com without alternative names]"""
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject="a.example.com"), True)


def common_name_elsewhere() -> Chain:
    """(root, DNS example.com) ──> [leaf CN=a.example.org without alternative names]"""
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject="a.example.org"), False)


def common_name_elsewhere_beside_an_address() -> Chain:
    """(root, DNS example.com) ──> [leaf CN=a.example.org, IP 10.0.0.1]: no DNS name, so the CN counts"""
    made = _named([ip("10.0.0.1")])
    constrained = constraints([dns("example.com")])
    return _under(constrained, lambda root: leaf(root, *made, subject="a.example.org"), False)


def common_name_elsewhere_beside_a_dns_name() -> Chain:
    """(root, DNS example.com) ──> [leaf CN=a.example.org, DNS a.example.com]: the CN does not count"""
    made = _named([dns("a.example.com")])
    constrained = constraints([dns("example.com")])
    return _under(constrained, lambda root: leaf(root, *made, subject="a.example.org"), True)


def common_name_of_words() -> Chain:
    """(root, DNS example.com) ──> [leaf CN="a person.org"]: no host name"""
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject="a person.org"), True)


def common_name_of_an_intermediate() -> Chain:
    """(root, DNS example.com) ──> [int CN=ca.example.org ──> leaf]: only the leaf's counts"""
    root = ca("Root", None, constraints([dns("example.com")]))
    middle = ca("ca.example.org", root)
    return chain(leaf(middle), [middle], [root], accepted=True)


def second_common_name_elsewhere() -> Chain:
    """(root, DNS example.com) ──> [leaf CN=a.example.com,CN=a.example.org]: each one counts"""
    names = subject(*((raw.COMMON_NAME, raw.utf8(text)) for text in ("a.example.com", "a.example.org")))
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject=names), False)


def common_name_with_nul() -> Chain:
    """(root, DNS example.com) ──> [leaf CN="a\\0.example.com"]"""
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject="a\0b"), False)


def common_name_with_nul_at_its_end() -> Chain:
    """(root, DNS example.com) ──> [leaf CN="a.example.com\\0"]: forgiven"""
    made = "a.example.com\0"
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject=made), True)


def directory_below() -> Chain:
    """(root, directory O=Org) ──> [leaf O=ORG,CN=leaf]"""
    names = subject((_ORGANIZATION, raw.printable("ORG")), (raw.COMMON_NAME, raw.utf8("leaf")))
    return _under(constraints([directory("Org")]), lambda root: leaf(root, subject=names), True)


def directory_elsewhere() -> Chain:
    """(root, directory O=Org) ──> [leaf O=Org 2,CN=leaf]"""
    names = subject((_ORGANIZATION, raw.utf8("Org 2")), (raw.COMMON_NAME, raw.utf8("leaf")))
    return _under(constraints([directory("Org")]), lambda root: leaf(root, subject=names), False)


def directory_in_another_place() -> Chain:
    """(root, directory O=Org) ──> [leaf CN=leaf,O=Org]: it has to begin so"""
    names = subject((raw.COMMON_NAME, raw.utf8("leaf")), (_ORGANIZATION, raw.utf8("Org")))
    return _under(constraints([directory("Org")]), lambda root: leaf(root, subject=names), False)


def directory_excluded() -> Chain:
    """(root, not directory O=Org) ──> [leaf O=Org,CN=leaf]"""
    names = subject((_ORGANIZATION, raw.utf8("Org")), (raw.COMMON_NAME, raw.utf8("leaf")))
    return _under(constraints([], [directory("Org")]), lambda root: leaf(root, subject=names), False)


def directory_of_no_subject() -> Chain:
    """(root, directory O=Org) ──> [leaf without a subject]"""
    return _under(constraints([directory("Org")]), lambda root: leaf(root, subject=raw.seq()), True)


def email_in_the_subject() -> Chain:
    """(root, email example.com) ──> [leaf emailAddress=a@example.org]"""
    names = subject((_EMAIL_ADDRESS, raw.ia5("a@example.org")))
    return _under(constraints([email("example.com")]), lambda root: leaf(root, subject=names), False)


def email_in_the_subject_permitted() -> Chain:
    """(root, email example.com) ──> [leaf emailAddress=a@example.com]"""
    names = subject((_EMAIL_ADDRESS, raw.ia5("a@example.com")))
    return _under(constraints([email("example.com")]), lambda root: leaf(root, subject=names), True)


def email_in_the_subject_as_utf8() -> Chain:
    """(root, DNS example.com) ──> [leaf emailAddress, a UTF8String]: a fault under any constraint"""
    names = subject((_EMAIL_ADDRESS, raw.utf8("a@example.com")))
    return _under(constraints([dns("example.com")]), lambda root: leaf(root, subject=names), False)


def minimum_of_zero() -> Chain:
    """(root, DNS example.com from 0 on, written out) ──> [leaf, DNS a.example.com]"""
    constrained = raw.name_constraints([raw.subtree(dns("example.com"), 0)])
    return _under(constrained, lambda root: leaf(root, *_named([dns("a.example.com")])), True)


def minimum_of_one() -> Chain:
    """(root, DNS example.com from 1 on) ──> [leaf, DNS a.example.com]"""
    constrained = raw.name_constraints([raw.subtree(dns("example.com"), 1)])
    return _under(constrained, lambda root: leaf(root, *_named([dns("a.example.com")])), False)


def maximum() -> Chain:
    """(root, not DNS example.org up to 3) ──> [leaf, DNS a.example.com]"""
    constrained = raw.name_constraints([], [raw.subtree(dns("example.org"), None, 3)])
    return _under(constrained, lambda root: leaf(root, *_named([dns("a.example.com")])), False)


def maximum_of_another_kind() -> Chain:
    """(root, email up to 3) ──> [leaf, DNS a.example.com]: never looked at"""
    constrained = raw.name_constraints([raw.subtree(email("example.org"), None, 3)])
    return _under(constrained, lambda root: leaf(root, *_named([dns("a.example.com")])), True)


def constraints_of_an_intermediate() -> Chain:
    """(root) ──> [int, DNS example.com ──> leaf, DNS a.example.org]"""
    root = ca("Root")
    middle = ca("Int", root, constraints([dns("example.com")]))
    return chain(leaf(middle, *_named([dns("a.example.org")])), [middle], [root], _CODE)


def constraints_that_do_not_meet() -> Chain:
    """(root, DNS example.com) ──> [int, DNS example.org ──> leaf, DNS a.example.org]: both count"""
    root = ca("Root", None, constraints([dns("example.com")]))
    middle = ca("Int", root, constraints([dns("example.org")]))
    return chain(leaf(middle, *_named([dns("a.example.org")])), [middle], [root], _CODE)


def intermediate_against_its_root() -> Chain:
    """(root, directory O=Org) ──> [int CN=Int ──> leaf O=Org]: the int's name counts as well"""
    root = ca("Root", None, constraints([directory("Org")]))
    middle = ca("Int", root)
    names = subject((_ORGANIZATION, raw.utf8("Org")))
    return chain(leaf(middle, subject=names), [middle], [root], _CODE)


def self_issued_intermediate_is_exempt() -> Chain:
    """(root, directory O=Org) ──> [link, self-issued ──> leaf O=Org]"""
    constrained = constraints([directory("Org")])
    old = ca("Root", None, raw.subject_key_id(b"old"), constrained, owner="old", serial=1)
    link = ca("Root", old, raw.subject_key_id(b"new"), raw.authority_key_id(b"old"), owner="new", serial=2)
    names = subject((_ORGANIZATION, raw.utf8("Org")))
    return chain(leaf(link, raw.authority_key_id(b"new"), subject=names), [link], [old], accepted=True)


def own_constraints_of_a_self_signed_leaf() -> Chain:
    """([leaf, self-signed, DNS a.example.org, constraints DNS example.com]): nobody is above it"""
    made = leaf(None, constraints([dns("example.com")]), *_named([dns("a.example.org")]))
    return chain(made, [], [made], accepted=True)


def more_names_than_are_compared() -> Chain:
    """(root, 1200 constraints) ──> [leaf, 1200 names]: more than 2^20 comparisons"""
    many = [dns(f"{number}.example.com") for number in range(1200)]
    return _under(constraints([dns("com"), *many]), lambda root: leaf(root, *_named(many)), False)


# fmt: off
_DRAWN: list[Callable[[], Chain]] = [
    nul_in_a_permitted_name, common_name_below, common_name_elsewhere,
    common_name_elsewhere_beside_an_address, common_name_elsewhere_beside_a_dns_name, common_name_of_words,
    common_name_of_an_intermediate, second_common_name_elsewhere, common_name_with_nul,
    common_name_with_nul_at_its_end, directory_below, directory_elsewhere, directory_in_another_place,
    directory_excluded, directory_of_no_subject, email_in_the_subject, email_in_the_subject_permitted,
    email_in_the_subject_as_utf8, minimum_of_zero, minimum_of_one, maximum, maximum_of_another_kind,
    constraints_of_an_intermediate, constraints_that_do_not_meet, intermediate_against_its_root,
    self_issued_intermediate_is_exempt, own_constraints_of_a_self_signed_leaf, more_names_than_are_compared,
]
# fmt: on
ALL = [
    *(_row(row, "rules") for row in _ROWS),
    *(_row(row, "openssl") for row in _OPEN_ROWS),
    *_DRAWN,
]

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains that both tests of the verdict walk through: what we say of each, and what OpenSSL says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import (
    AT,
    DAY,
    SECOND,
    Issued,
)


@dataclass(frozen=True)
class Chain:
    """[leaf, sent] against (trusted). *codes*: findings that explain a refusal or remark on a success.
    *by*: who gives the verdict, the rules or the command openssl, or "either" where that depends on the
    library; *leaf*, *sent* and *trusted* may be of any class that has their `pem`."""

    leaf: Issued
    sent: tuple[Issued, ...]
    trusted: tuple[Issued, ...]
    accepted: bool
    codes: frozenset[str] = frozenset()
    purpose: str = "client"
    depth: int = 1
    at: datetime = AT
    by: str = "rules"


def chain(leaf, sent, trusted, *codes, accepted=False, **more) -> Chain:
    """Shorthand for a Chain; *codes* are separate arguments."""
    return Chain(leaf, tuple(sent), tuple(trusted), accepted, frozenset(codes), **more)


def good() -> Chain:
    """(root) ──> [leaf]"""
    root = builders.root()
    return chain(builders.client(root), [], [root], accepted=True)


def good_at_depth_zero() -> Chain:
    """(root) ──> [leaf], no intermediate allowed: none is there"""
    root = builders.root()
    return chain(builders.client(root), [], [root], accepted=True, depth=0)


def good_with_intermediate() -> Chain:
    """(root) ──> [int ──> leaf]"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(builders.client(intermediate), [intermediate], [root], accepted=True)


def good_server() -> Chain:
    """(root) ──> [leaf for serverAuth]"""
    root = builders.root()
    return chain(builders.server(root), [], [root], accepted=True, purpose="server")


def root_is_sent_too() -> Chain:
    """(root) ──> [int ──> leaf], and [root] as well"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(builders.client(intermediate), [intermediate, root], [root], accepted=True)


def intermediates_out_of_order() -> Chain:
    """(root) ──> [int1 ──> int2 ──> leaf], sent as leaf, int1, int2"""
    root = builders.root()
    upper = builders.intermediate(root, "CN=Upper")
    lower = builders.intermediate(upper, "CN=Lower")
    return chain(builders.client(lower), [upper, lower], [root], accepted=True, depth=2)


def intermediate_lent_by_the_bundle() -> Chain:
    """(root ──> int) ──> [leaf]"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(
        builders.client(intermediate), [], [root, intermediate], "chain.missing_intermediate", accepted=True
    )


def wrong_ca() -> Chain:
    """root ──> [leaf], (other root)"""
    return chain(
        builders.client(builders.root()), [], [builders.root("CN=Other")], "chain.missing_intermediate"
    )


def wrong_ca_with_chain() -> Chain:
    """[root ──> int ──> leaf], (other root)"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(
        builders.client(intermediate),
        [intermediate, root],
        [builders.root("CN=Other")],
        "chain.root_not_trusted",
    )


def missing_intermediate() -> Chain:
    """(root) ──> int ──> [leaf], int nowhere"""
    root = builders.root()
    return chain(builders.client(builders.intermediate(root)), [], [root], "chain.missing_intermediate")


def only_the_intermediate_is_trusted() -> Chain:
    """root ──> (int) ──> [leaf]: nginx has no partial chain"""
    intermediate = builders.intermediate(builders.root())
    return chain(builders.client(intermediate), [], [intermediate], "chain.root_missing")


def only_the_intermediate_is_trusted_and_root_sent() -> Chain:
    """[root] ──> (int) ──> [leaf]: once in the bundle, OpenSSL does not go back to what was sent"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(builders.client(intermediate), [intermediate, root], [intermediate], "chain.root_missing")


def expired_leaf() -> Chain:
    """(root) ──> [leaf], a day after its end"""
    root = builders.root()
    return chain(builders.client(root), [], [root], "expiry.expired", at=AT + 61 * DAY)


def last_second() -> Chain:
    """(root) ──> [leaf], in the last second that is valid"""
    root = builders.root()
    return chain(builders.client(root), [], [root], accepted=True, at=AT + 60 * DAY - SECOND)


def second_of_the_end() -> Chain:
    """(root) ──> [leaf], in the second of notAfter"""
    root = builders.root()
    return chain(builders.client(root), [], [root], "expiry.expired", at=AT + 60 * DAY)


def first_second() -> Chain:
    """(root) ──> [leaf], in the second of notBefore"""
    root = builders.root()
    return chain(builders.client(root, start=AT), [], [root], accepted=True)


def expired_root() -> Chain:
    """(root, expired) ──> [leaf]"""
    root = builders.root(end=AT - DAY)
    return chain(builders.client(root), [], [root], "expiry.expired")


def expired_beside_renewed_root() -> Chain:
    """(root, expired), (root, same key, renewed) ──> [leaf]"""
    old = builders.root(end=AT - DAY)
    new = builders.root(key=old.key)
    return chain(builders.client(old), [], [old, new], accepted=True)


def not_yet_valid() -> Chain:
    """(root) ──> [leaf], valid from tomorrow on"""
    root = builders.root()
    return chain(builders.client(root, start=AT + DAY), [], [root], "expiry.not_yet_valid")


def server_certificate_as_client() -> Chain:
    """(root) ──> [leaf for serverAuth], used by a client"""
    root = builders.root()
    return chain(builders.server(root), [], [root], "purpose.client_auth_missing")


def client_certificate_as_server() -> Chain:
    """(root) ──> [leaf for clientAuth], used by a server"""
    root = builders.root()
    return chain(builders.client(root), [], [root], "purpose.server_auth_missing", purpose="server")


def no_extended_key_usage() -> Chain:
    """(root) ──> [leaf without extended key usage]: any purpose"""
    root = builders.root()
    return chain(builders.client(root, uses=None), [], [root], accepted=True)


def any_extended_key_usage() -> Chain:
    """(root) ──> [leaf for anyExtendedKeyUsage]: OpenSSL wants the purpose itself"""
    root = builders.root()
    return chain(builders.client(root, uses=("any",)), [], [root], "purpose.client_auth_missing")


def key_usage_without_signature() -> Chain:
    """(root) ──> [leaf with keyEncipherment only]"""
    root = builders.root()
    return chain(builders.client(root, key_usage="encipher"), [], [root], "purpose.client_auth_missing")


def purpose_of_intermediate() -> Chain:
    """(root) ──> [int for serverAuth ──> leaf for clientAuth]"""
    root = builders.root()
    intermediate = builders.intermediate(root, uses=("server",))
    return chain(builders.client(intermediate), [intermediate], [root], "purpose.client_auth_missing")


def too_deep() -> Chain:
    """(root) ──> [int1 ──> int2 ──> leaf] at depth 1"""
    root = builders.root()
    upper = builders.intermediate(root, "CN=Upper")
    lower = builders.intermediate(upper, "CN=Lower")
    return chain(builders.client(lower), [lower, upper], [root], "chain.too_deep")


def one_intermediate_at_depth_zero() -> Chain:
    """(root) ──> [int ──> leaf] at depth 0"""
    root = builders.root()
    intermediate = builders.intermediate(root)
    return chain(builders.client(intermediate), [intermediate], [root], "chain.too_deep", depth=0)


def path_length_exceeded() -> Chain:
    """(root, path length 0) ──> [int ──> leaf]"""
    root = builders.root(path_length=0)
    intermediate = builders.intermediate(root)
    return chain(builders.client(intermediate), [intermediate], [root], "chain.path_length")


def path_length_kept() -> Chain:
    """(root, path length 1) ──> [int, path length 0 ──> leaf]"""
    root = builders.root(path_length=1)
    intermediate = builders.intermediate(root, path_length=0)
    return chain(builders.client(intermediate), [intermediate], [root], accepted=True)


def leaf_as_issuer() -> Chain:
    """(root) ──> [leaf ──> leaf]"""
    root = builders.root()
    upper = builders.client(root, "CN=a-leaf")
    return chain(builders.client(upper), [upper], [root], "chain.not_a_ca")


def ca_without_cert_sign() -> Chain:
    """(root) ──> [int, CA:TRUE without keyCertSign ──> leaf]"""
    root = builders.root()
    intermediate = builders.intermediate(root, key_usage="sign")
    return chain(builders.client(intermediate), [intermediate], [root], "chain.not_a_ca")


def intermediate_without_basic_constraints() -> Chain:
    """(root) ──> [int, keyCertSign but no basic constraints ──> leaf]"""
    root = builders.root()
    intermediate = builders.intermediate(root, ca=None, key_usage="cert")
    return chain(builders.client(intermediate), [intermediate], [root], "chain.not_a_ca")


def root_without_basic_constraints() -> Chain:
    """(root, keyCertSign but no basic constraints) ──> [leaf]: only an anchor may be so"""
    root = builders.root(ca=None, key_usage="cert")
    return chain(builders.client(root), [], [root], accepted=True)


def ca_as_client() -> Chain:
    """(root) ──> [int], itself the client: nothing forbids it"""
    root = builders.root()
    return chain(builders.intermediate(root, key_usage=None), [], [root], accepted=True)


def self_signed() -> Chain:
    """[leaf, self-signed], (root)"""
    return chain(builders.client(None), [], [builders.root()], "chain.self_signed")


def self_signed_and_trusted() -> Chain:
    """([leaf, self-signed]): its own anchor"""
    leaf = builders.client(None)
    return chain(leaf, [], [builders.root(), leaf], accepted=True)


def trusted_leaf_of_an_absent_ca() -> Chain:
    """root ──> ([leaf]): a leaf in the bundle does not pin"""
    leaf = builders.client(builders.root())
    return chain(leaf, [], [leaf], "chain.missing_intermediate")


def same_name_other_key() -> Chain:
    """root ──> [leaf], (another root of the same name); identifiers tell"""
    return chain(builders.client(builders.root()), [], [builders.root()], "chain.signature_invalid")


def same_name_other_key_untold() -> Chain:
    """root ──> [leaf], (another root of the same name), no identifiers"""
    leaf = builders.client(builders.root(identifiers=False), identifiers=False)
    return chain(leaf, [], [builders.root(identifiers=False)], "chain.signature_invalid")


def same_name_other_key_root_sent() -> Chain:
    """[root ──> leaf], (another root of the same name)"""
    root = builders.root()
    return chain(builders.client(root), [root], [builders.root()], "chain.signature_invalid")


def namesakes_told_apart() -> Chain:
    """(another root of the same name), (root) ──> [leaf]"""
    root = builders.root()
    return chain(builders.client(root), [], [builders.root(), root], accepted=True)


def namesakes_not_told_apart() -> Chain:
    """(another root of the same name), (root) ──> [leaf], no identifiers: the first is tried"""
    root = builders.root(identifiers=False)
    other = builders.root(identifiers=False)
    return chain(builders.client(root, identifiers=False), [], [other, root], "chain.no_key_identifier")


def namesakes_in_lucky_order() -> Chain:
    """(root) ──> [leaf], (another root of the same name), no identifiers: the first is tried"""
    root = builders.root(identifiers=False)
    other = builders.root(identifiers=False)
    return chain(
        builders.client(root, identifiers=False),
        [],
        [root, other],
        "chain.no_key_identifier",
        accepted=True,
    )


def cross_signed() -> Chain:
    """(root 1) ──> [root 2 by root 1 ──> leaf]"""
    first, second = builders.root("CN=Root 1"), builders.root("CN=Root 2")
    cross = builders.issue("CN=Root 2", first, ca=True, key=second.key, end=AT + 300 * DAY)
    return chain(builders.client(second), [cross], [first], accepted=True)


def cross_certificates_in_a_circle() -> Chain:
    """(root 1 by root 2), (root 2 by root 1), neither self-signed, ──> [leaf]"""
    first, second = builders.root("CN=Root 1"), builders.root("CN=Root 2")
    one = builders.issue("CN=Root 1", second, ca=True, key=first.key)
    two = builders.issue("CN=Root 2", first, ca=True, key=second.key)
    return chain(builders.client(first), [], [one, two], "chain.root_missing")


def name_in_other_case() -> Chain:
    """(root "CN=ROOT  x") ──> [leaf], issued by "CN=root x": case and extra blanks do not count"""
    key = builders.new_key()
    root = builders.root("CN=ROOT  x", key=key)
    return chain(builders.client(builders.root("CN=root x", key=key)), [], [root], accepted=True)


def unknown_critical_extension() -> Chain:
    """(root) ──> [leaf with a critical extension of a private OID]"""
    root = builders.root()
    leaf = builders.client(root, critical_oid="1.3.6.1.4.1.55555.1")
    return chain(leaf, [], [root], "chain.unknown_critical")


def short_rsa_key() -> Chain:
    """(root) ──> [leaf, RSA 1024]"""
    root = builders.root()
    leaf = builders.client(root, key=builders.slow_key("rsa1024"))
    return chain(leaf, [], [root], "key.weak")


def rsa_root() -> Chain:
    """(root, RSA 2048) ──> [leaf]"""
    root = builders.root(key=builders.slow_key("rsa2048"))
    return chain(builders.client(root), [], [root], accepted=True)


def ed25519_everywhere() -> Chain:
    """(root, Ed25519) ──> [leaf, Ed25519]"""
    root = builders.root(key=builders.new_key("ed25519"))
    return chain(builders.client(root, key=builders.new_key("ed25519")), [], [root], accepted=True)


# fmt: off
ALL: list[Callable[[], Chain]] = [
    good, good_at_depth_zero, good_with_intermediate, good_server, root_is_sent_too,
    intermediates_out_of_order, intermediate_lent_by_the_bundle, wrong_ca, wrong_ca_with_chain,
    missing_intermediate, only_the_intermediate_is_trusted,
    only_the_intermediate_is_trusted_and_root_sent, expired_leaf, last_second, second_of_the_end,
    first_second, expired_root, expired_beside_renewed_root, not_yet_valid, server_certificate_as_client,
    client_certificate_as_server, no_extended_key_usage, any_extended_key_usage,
    key_usage_without_signature, purpose_of_intermediate, too_deep, one_intermediate_at_depth_zero,
    path_length_exceeded, path_length_kept, leaf_as_issuer, ca_without_cert_sign,
    intermediate_without_basic_constraints, root_without_basic_constraints, ca_as_client, self_signed,
    self_signed_and_trusted, trusted_leaf_of_an_absent_ca, same_name_other_key,
    same_name_other_key_untold, same_name_other_key_root_sent, namesakes_told_apart,
    namesakes_not_told_apart, namesakes_in_lucky_order, cross_signed, cross_certificates_in_a_circle,
    name_in_other_case, unknown_critical_extension, short_rsa_key, rsa_root, ed25519_everywhere,
]
# fmt: on

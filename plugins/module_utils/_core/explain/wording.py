# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a certificate that the other side refuses: why, what to do about it, what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import vocabulary as codes
from .case import CLIENT, NAMED, OTHER, SERVER, Case, Side

#: The directives of each side by which it judges, and by which it presents what it has.
JUDGES = {
    SERVER: {
        "trust": "ssl_client_certificate",
        "crl": "ssl_crl",
        "depth": "ssl_verify_depth",
        "certificate": "ssl_certificate",
    },
    CLIENT: {
        "trust": "proxy_ssl_trusted_certificate",
        "crl": "proxy_ssl_crl",
        "depth": "proxy_ssl_verify_depth",
        "certificate": "proxy_ssl_certificate",
    },
}
_USAGE = {CLIENT: "clientAuth", SERVER: "serverAuth"}


class Words(NamedTuple):
    """*why* follows "refuses the certificate of …: ". The fields are those of ``fields``."""

    why: str
    remedy: str
    confirm: str


_ISSUER = "openssl x509 -in {file} -noout -subject -issuer"
#: Of the whole chain: what has ended may be an intermediate.
_DATES = "openssl storeutl -noout -text -certs {file} | grep -E 'Subject:|Not Before|Not After'"
_CHAIN = "openssl storeutl -noout -text -certs {file} | grep -E 'Subject:|Issuer:|Not After'"
_TRUSTED = "openssl storeutl -noout -text -certs {trust} | grep -E 'Subject:|Not After'"
_LISTS = "openssl storeutl -noout -text -crls {crl} | grep -E 'Issuer:|Last Update|Next Update'"

# fmt: off
WORDS = {
    "endpoint.client_ca_not_accepted": Words(
        "{judge} does not trust the authority of it",
        "Give {sender} a certificate of an authority that {judge} trusts, or add its authority to"
        " {trust_named} (rotate_ca.yml replaces an authority in phases).", "{sender}: " + _ISSUER),
    "endpoint.server_ca_not_accepted": Words(
        "{judge} does not trust the authority of it",
        "Add its authority to {trust_named}, or give {sender} a certificate of an authority that is there.",
        "{judge}: " + _TRUSTED),
    codes.ISSUER_UNKNOWN: Words(
        "its issuer is not sent along, and {judge} does not have it",
        "If the issuer is an intermediate, append its certificate to {file_named} behind the leaf. If it is a"
        " root, add it to {trust_named}, or use a certificate of an authority that is there.",
        "{sender}: " + _CHAIN),
    codes.INTERMEDIATE_MISSING: Words(
        "the intermediate that issued it is not sent along",
        "Append the certificate of the intermediate to {file_named} behind the leaf, and reload nginx.",
        "{sender}: " + _CHAIN),
    codes.SELF_SIGNED: Words(
        "it is self-signed, and {judge} does not trust it",
        "Have a certificate issued by an authority that {judge} trusts.", "{sender}: " + _ISSUER),
    codes.ROOT_MISSING: Words(
        "{judge} trusts an intermediate of it, but not the root above",
        "Add the root to {trust_named}: nginx accepts no chain that ends at an intermediate.",
        "{judge}: " + _TRUSTED),
    codes.LEAF_TRUSTED: Words(
        "{judge} has this very certificate in its trust, and not the authority that issued it: a leaf is no"
        " anchor",
        "Put the certificate of its authority into {trust_named} in place of the leaf. Whom of that authority"
        " to let in is no matter of trust: compare the subject or the fingerprint.",
        "{judge}: " + _TRUSTED),
    codes.DEPTH: Words(
        "it has more intermediates than the verify depth of {judge} allows",
        "Raise {depth_named} to the number of intermediates.", "{sender}: " + _CHAIN),
    codes.SIGNATURE: Words(
        "a signature does not fit the key of the authority of that name",
        "If the authority that signed it is not in {trust_named}, put it there. If it is, have it issued anew"
        " with key identifiers: without them, of two authorities of one name only the first is tried.",
        "{judge}: " + _TRUSTED),
    codes.CHAIN: Words(
        "its chain does not verify",
        "Have the certificate that is named issued again.", "{sender}: " + _CHAIN),
    codes.EXPIRED: Words(
        "a certificate of it has expired",
        "Renew it (rotate.yml), and see that nginx of {sender} is reloaded.", "{sender}: " + _DATES),
    codes.NOT_YET_VALID: Words(
        "a certificate of it is not valid yet",
        "Compare the clocks of {judge}, {sender} and the authority (date -u); else wait for its first day.",
        "{sender}: " + _DATES),
    codes.PURPOSE: Words(
        "it may not be used by a TLS {whose}",
        "Have it issued with the extended key usage {usage}.",
        "{sender}: openssl storeutl -noout -text -certs {file} | grep -E -A1 'Subject:|Key Usage'"),
    codes.WEAK_KEY: Words(
        "a key of it is too short for the security level",
        "Have it issued anew for P-256, or RSA of 2048 bits or more.",
        "{sender}: openssl x509 -in {file} -noout -text | grep 'Public-Key'"),
    codes.WEAK_DIGEST: Words(
        "it is signed with a digest that the security level forbids",
        "Have it issued anew with SHA-256.",
        "{sender}: openssl x509 -in {file} -noout -text | grep 'Signature Algorithm'"),
    codes.REVOKED: Words(
        "it is revoked",
        "That is what the CRL is for. If {sender} shall get in again: a new certificate for a new key"
        " (rotate.yml with rotate_force).", "{judge}: " + _LISTS),
    codes.CRL_MISSING: Words(
        "{judge} has no CRL of an authority of it, so all certificates of that authority are refused",
        "Put a CRL of each authority of the chain, the root included, into {crl_named}, and reload nginx.",
        "{judge}: " + _LISTS),
    codes.CRL_EXPIRED: Words(
        "a CRL of {judge} has ended, so all certificates of that authority are refused",
        "Renew the CRL in {crl_named} (rotate.yml renews those of the private CA), and reload nginx.",
        "{judge}: " + _LISTS),
    codes.CRL_NOT_YET_VALID: Words(
        "a CRL of {judge} is from the future, so all certificates of that authority are refused",
        "Compare the clocks of {judge} and of the authority (date -u).", "{judge}: " + _LISTS),
    codes.CRL_UNUSABLE: Words(
        "a CRL of {judge} cannot be used",
        "Put the authority's complete and current CRL into {crl_named}, and reload nginx.",
        "{judge}: " + _LISTS),
    codes.SERVER_NAME: Words(
        "it is not for the name {name}",
        "Ask by a name that it has (server_name of the route, proxy_ssl_name), or have {name} put into it.",
        "{sender}: openssl x509 -in {file} -noout -ext subjectAltName"),
}
# fmt: on


def fields(case: Case, whose: str) -> dict[str, str]:
    """What the words above speak of, by what is known of the two ends."""
    sender, judge = case.side(whose), case.side(OTHER[whose])
    names, own = JUDGES[OTHER[whose]], JUDGES[whose]
    return {
        "whose": whose,
        "usage": _USAGE[whose],
        "sender": sender.name or NAMED[whose],
        "judge": judge.name or NAMED[OTHER[whose]],
        "file": path(sender, "certificate") or "FILE",
        "trust": path(judge, "trust") or "FILE",
        "crl": path(judge, "crl") or "FILE",
        "file_named": _named(sender, "certificate", own["certificate"], "its certificate's file"),
        "trust_named": _named(judge, "trust", names["trust"], f"the file of {names['trust']} there"),
        "crl_named": _named(judge, "crl", names["crl"], f"the file of {names['crl']} there"),
        "depth_named": f"{names['depth']}{_at(judge, names['depth'])}",
        "name": (case.client.config or {}).get("name") or (case.direct.server_name if case.direct else ""),
    }


def path(side: Side, what: str) -> str:
    """The file of `certificate`, `trust` or `crl` of a side; "" where it is not known or a variable."""
    config: Mapping[str, Any] = side.config or {}
    pairs = config.get("certificates")
    file = (
        (pairs[0]["certificate"] if pairs else None) if what == "certificate" and pairs is not None else None
    )
    file = file or config.get(what)
    return str(file["path"]) if file else ""


def _named(side: Side, what: str, directive: str, unknown: str) -> str:
    known = path(side, what)
    return f"{known} ({directive}{_at(side, directive)})" if known else unknown


def _at(side: Side, directive: str) -> str:
    place = side.place(directive)
    return f" at {place}" if place else ""

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what is wrong with a trust bundle or a CRL."""

from __future__ import annotations

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl_bundle import Policy
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import SeveralError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle, crl_bundle
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import builders, corpus, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT, DAY
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import (
    caught,
    examined,
    row,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.corpus import (
    INTERMEDIATE,
    LEAF,
    ROOT,
)

# -- bundle


@row("bundle.private_key")
def private_key():
    """a private key beside the root | the root alone"""
    return examined(trust=ROOT.pem + LEAF.key_pem), examined(trust=ROOT.pem)


@row("bundle.leaf")
def leaf():
    """a client's certificate beside the root | an intermediate's"""
    return examined(trust=ROOT.pem + LEAF.pem), examined(trust=ROOT.pem + INTERMEDIATE.pem)


@row("bundle.not_a_ca")
def not_a_ca():
    """a CA without keyCertSign beside the root | with it"""
    mute, able = (builders.root("CN=Other", key_usage=usage) for usage in ("sign", "cert"))
    return examined(trust=ROOT.pem + mute.pem), examined(trust=ROOT.pem + able.pem)


@row("bundle.expired")
def expired():
    """a root in the second of its end | a second earlier"""
    sources = [("trust", ROOT.pem + builders.root("CN=Other", end=AT).pem)]
    return bundle.build(sources, AT).findings, bundle.build(sources, AT - builders.SECOND).findings


@row("bundle.empty")
def empty():
    """the only root has expired | a second earlier it has not"""
    sources = [("trust", builders.root(end=AT).pem)]
    return caught(lambda: bundle.build(sources, AT)), caught(
        lambda: bundle.build(sources, AT - builders.SECOND)
    )


@row("bundle.same_subject_other_key")
def same_subject_other_key():
    """a second root of the name with a key of its own | with the same key"""
    other, renewed = builders.root(), builders.root(key=ROOT.key)
    return examined(trust=ROOT.pem + other.pem), examined(trust=ROOT.pem + renewed.pem)


# -- crl


def listed(*of_the_intermediate: bytes, **changes):
    """The credential with a CRL of the root, and *of_the_intermediate* in DER."""
    ders = [corpus.crl_der(ROOT), *of_the_intermediate]
    return examined(**{"crl": b"".join(raw.pem(der, "X509 CRL") for der in ders), **changes})


def made(*extensions: bytes, entries=None, key=None, numbered=None, **more) -> bytes:
    """A CRL of the intermediate in raw DER, with number and key identifier."""
    authority = builders.x509.SubjectKeyIdentifier.from_public_key(INTERMEDIATE.key.public_key()).digest
    usual = [numbered or raw.crl_number(1), raw.authority_key_id(authority)]
    return raw.crl(
        raw.common_name("Issuing"), key or INTERMEDIATE.key, entries, extensions=[*usual, *extensions], **more
    )


def _point(*parts: bytes) -> bytes:
    return raw.extension(raw.ISSUING_DISTRIBUTION_POINT, raw.seq(*parts), True)


@row("crl.expired")
def crl_expired():
    """past the next update | in time"""
    ended = builders.revoke(INTERMEDIATE, start=AT - 9 * DAY, end=AT - DAY)
    return listed(_der(ended)), listed(made())


def _der(crl) -> bytes:
    return crl.public_bytes(builders.serialization.Encoding.DER)


@row("crl.missing_for_ca")
def missing_for_ca():
    """of the root only | of the intermediate as well"""
    return listed(), listed(made())


@row("crl.no_key_identifier")
def no_key_identifier():
    """a CRL of one of two namesakes without key identifier | with it"""
    told = []
    for identifier in (False, True):
        of_root = _der(builders.revoke(ROOT, identifier=identifier))
        lists = [of_root, made()]
        told.append(
            examined(
                trust=ROOT.pem + builders.root().pem, crl=b"".join(raw.pem(one, "X509 CRL") for one in lists)
            )
        )
    return told[0], told[1]


@row("crl.signature_invalid")
def signature_invalid():
    """signed with the root's key | with the intermediate's"""
    return listed(made(key=ROOT.key)), listed(made())


@row("crl.not_yet_valid")
def not_yet_valid():
    """from tomorrow | from yesterday"""
    future, past = (_der(builders.revoke(INTERMEDIATE, start=AT + days * DAY)) for days in (3, -1))
    return listed(future), listed(past)


@row("crl.not_allowed")
def not_allowed():
    """the CA's key usage has no cRLSign | it has no key usage"""

    def of(usage: str | None):
        root = builders.issue("CN=Quiet", ca=True, key_usage=usage)
        leaf = builders.client(root)
        crl = raw.pem(_der(builders.revoke(root)), "X509 CRL")
        return examined(certificate=leaf.pem, private_key=None, trust=root.pem, crl=crl)

    return of("sign"), of(None)


@row("crl.delta")
def delta():
    """with a delta indicator | without"""
    return listed(made(raw.extension(raw.DELTA_CRL_INDICATOR, raw.integer(1), True))), listed(made())


@row("crl.indirect")
def indirect():
    """a distribution point that says indirect | one that says nothing"""
    return listed(made(_point(raw.context(4, b"\xff", constructed=False)))), listed(made(_point()))


@row("crl.partial")
def partial():
    """a distribution point for some reasons only | none"""
    return listed(made(_point(raw.context(3, b"\x06\x40", constructed=False)))), listed(made())


@row("crl.invalid_extension")
def invalid_extension():
    """a CRL number that is no number | a number"""
    odd, plain = (raw.extension(raw.CRL_NUMBER, value) for value in (b"\x05\x00", raw.integer(1)))
    return listed(made(numbered=odd)), listed(made(numbered=plain))


@row("crl.unreadable_date")
def unreadable_date():
    """next update in a month 13 | in a month 12"""
    return listed(made(next_update=raw.utc_time("261301000000Z"))), listed(
        made(next_update=raw.utc_time("261201000000Z"))
    )


@row("crl.unknown_critical")
def unknown_critical():
    """an unknown extension that is critical | that is not"""
    return listed(made(raw.extension("1.2.3.4", b"x", True))), listed(made(raw.extension("1.2.3.4", b"x")))


@row("crl.revoked")
def revoked():
    """the leaf's serial number | the next one"""
    number = LEAF.certificate.serial_number
    return listed(made(entries=[raw.revoked(number)])), listed(made(entries=[raw.revoked(number + 1)]))


# -- crl, in the file beside a bundle


def file_of(*crls):
    """What is said of the CRL file that *crls* make for the root."""
    lists = [(f"{number}.pem", raw.pem(_der(one), "X509 CRL")) for number, one in enumerate(crls)]
    given = [crl_bundle.Sources(one) for one in ([("trust", ROOT.pem)], lists)]
    try:
        return crl_bundle.build(*given, AT, Policy()).findings
    except SeveralError as error:
        return error.findings


@row("crl.foreign")
def foreign():
    """a CRL of a CA beside the bundle's own | of the bundle's own alone"""
    own = builders.revoke(ROOT)
    return file_of(own, builders.revoke(INTERMEDIATE)), file_of(own)


@row("crl.ends_soon")
def ends_soon():
    """a second less than the margin | the margin"""
    margin = builders.timedelta(hours=24)
    return (
        file_of(builders.revoke(ROOT, end=AT + margin - builders.SECOND)),
        file_of(builders.revoke(ROOT, end=AT + margin)),
    )


@row("crl.superseded")
def superseded():
    """a CRL and one of the day before | the same one twice"""
    new, old = builders.revoke(ROOT), builders.revoke(ROOT, start=AT - 2 * DAY)
    return file_of(new, old), file_of(new, new)

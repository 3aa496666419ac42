# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate is refused and why: one vocabulary for what OpenSSL's numbers, our own judgement and a
TLS alert say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .case import CLIENT

CA_NOT_ACCEPTED = {CLIENT: "endpoint.client_ca_not_accepted", "server": "endpoint.server_ca_not_accepted"}
#: Stands for the code of the side in question.
_CA = "ca"
ISSUER_UNKNOWN = "endpoint.issuer_unknown"
INTERMEDIATE_MISSING = "endpoint.intermediate_missing"
SELF_SIGNED, ROOT_MISSING, DEPTH = "endpoint.self_signed", "endpoint.root_missing", "endpoint.depth"
LEAF_TRUSTED = "endpoint.leaf_trusted"
SIGNATURE, CHAIN = "endpoint.signature", "endpoint.chain_refused"
EXPIRED, NOT_YET_VALID, PURPOSE = "endpoint.expired", "endpoint.not_yet_valid", "endpoint.purpose"
WEAK_KEY, WEAK_DIGEST = "endpoint.weak_key", "endpoint.weak_digest"
REVOKED, CRL_MISSING = "endpoint.revoked", "endpoint.crl_missing"
CRL_EXPIRED, CRL_NOT_YET_VALID = "endpoint.crl_expired", "endpoint.crl_not_yet_valid"
CRL_UNUSABLE, SERVER_NAME = "endpoint.crl_unusable", "endpoint.server_name"
#: What a clock may be the cause of.
DATES = (EXPIRED, NOT_YET_VALID, CRL_EXPIRED, CRL_NOT_YET_VALID)

#: A finding about the certificate that was sent, judged by the files of the other side.
_JUDGED = {
    "chain.missing_intermediate": ISSUER_UNKNOWN,
    "chain.root_not_trusted": _CA,
    "chain.self_signed": SELF_SIGNED,
    "chain.root_missing": ROOT_MISSING,
    "chain.too_deep": DEPTH,
    "chain.signature_invalid": SIGNATURE,
    "chain.no_key_identifier": SIGNATURE,
    "expiry.expired": EXPIRED,
    "expiry.not_yet_valid": NOT_YET_VALID,
    "purpose.client_auth_missing": PURPOSE,
    "purpose.server_auth_missing": PURPOSE,
    "key.weak": WEAK_KEY,
    "signature.weak": WEAK_DIGEST,
    "crl.revoked": REVOKED,
    "crl.missing_for_ca": CRL_MISSING,
    "crl.expired": CRL_EXPIRED,
    "crl.not_yet_valid": CRL_NOT_YET_VALID,
    "name.mismatch": SERVER_NAME,
}
_JUDGED_AREAS = {"chain": CHAIN, "crl": CRL_UNUSABLE, "expiry": CHAIN}

#: X509_V_ERR_* of include/openssl/x509_vfy.h, as nginx logs them: what each may mean (nginx-facts: 20 is a
#: depth that is too small as well; 2 is one, where the intermediates stand in the bundle).
_NUMBERS = {
    2: (ROOT_MISSING, DEPTH),
    3: (CRL_MISSING,),
    7: (SIGNATURE,),
    8: (CRL_UNUSABLE,),
    9: (NOT_YET_VALID,),
    10: (EXPIRED,),
    11: (CRL_NOT_YET_VALID,),
    12: (CRL_EXPIRED,),
    18: (SELF_SIGNED,),
    19: (_CA,),
    20: (_CA, ISSUER_UNKNOWN, DEPTH),
    21: (ISSUER_UNKNOWN, _CA, INTERMEDIATE_MISSING),
    22: (DEPTH,),
    23: (REVOKED,),
    26: (PURPOSE,),
    62: (SERVER_NAME,),
    66: (WEAK_KEY,),
    67: (WEAK_KEY,),
    68: (WEAK_DIGEST,),
}

#: Alerts about the certificate that the other side has sent (RFC 8446, 6.2). 42, 43 and 46 say no more.
ALERTS = {
    44: (REVOKED,),
    45: (EXPIRED,),
    48: (ISSUER_UNKNOWN, _CA, INTERMEDIATE_MISSING, SELF_SIGNED, DEPTH),
}


def of_judged(findings: Iterable[Mapping[str, Any]], whose: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(code, finding) of each error about the certificate of *whose*, in their order."""
    found = []
    for one in findings:
        if one["severity"] == "error":
            area = str(one["code"]).split(".", maxsplit=1)[0]
            code = _JUDGED.get(one["code"], _JUDGED_AREAS.get(area, ""))
            if code:
                found.append((_of_side(code, whose), one))
    return found


def of_number(number: Optional[int], whose: str) -> tuple[str, ...]:
    """What a verify code of OpenSSL may mean; one that is not in the table is a chain that is refused."""
    return () if number is None else tuple(_of_side(code, whose) for code in _NUMBERS.get(number, (CHAIN,)))


def of_alert(number: Optional[int], whose: str) -> tuple[str, ...]:
    """What an alert about a certificate may mean, () where it does not say."""
    return tuple(_of_side(code, whose) for code in ALERTS.get(number or -1, ()))


def _of_side(code: str, whose: str) -> str:
    return CA_NOT_ACCEPTED[whose] if code == _CA else code

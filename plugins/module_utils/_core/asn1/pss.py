# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of RSASSA-PSS (RFC 4055, 3.1), of a signature or of a key that is restricted to them."""

from __future__ import annotations

from typing import NamedTuple

from . import algorithms, der
from .der import CONTEXT, DerError, Element, Fields

_MGF1 = "1.2.840.113549.1.1.8"
_TRAILER = 1  # trailerFieldBC, the only one there is


class Parameters(NamedTuple):
    """*digest* and *mask_digest* are names as in ``algorithms``, "" for one that is not known there; *salt*
    in octets, in a key the least."""

    digest: str
    mask_digest: str
    salt: int


DEFAULT = Parameters("sha1", "sha1", 20)


def read(parameters: bytes) -> Parameters:
    """Of the DER of RSASSA-PSS-params. Raises DerError for what OpenSSL refuses (ossl_rsa_pss_get_param and
    rsa_pss_decode, crypto/rsa/rsa_ameth.c): another structure, mask or trailer, a negative salt."""
    fields = Fields(der.only(parameters))
    digest = fields.maybe(CONTEXT)
    mask = fields.maybe(CONTEXT | 1)
    salt = fields.maybe(CONTEXT | 2)
    trailer = fields.maybe(CONTEXT | 3)
    fields.end()
    length = DEFAULT.salt if salt is None else der.integer(der.explicit(salt))
    if length < 0:
        raise DerError("the salt has a negative length")
    if trailer is not None and der.integer(der.explicit(trailer)) != _TRAILER:
        raise DerError("the trailer is unknown")
    return Parameters(
        DEFAULT.digest if digest is None else _digest(der.explicit(digest)),
        DEFAULT.mask_digest if mask is None else _mask_digest(der.explicit(mask)),
        length,
    )


def _digest(element: Element) -> str:
    return algorithms.DIGESTS.get(algorithms.read(element)[0], "")


def _mask_digest(element: Element) -> str:
    oid, parameters = algorithms.read(element)
    if oid != _MGF1:
        raise DerError("the mask is not made by MGF1")
    return _digest(der.only(parameters))


def allows(key: Parameters, used: Parameters) -> bool:
    """Whether a key restricted to *key* may make signatures with *used* (rsa_verify_init and its checks,
    providers/implementations/signature/rsa_sig.c)."""
    return key[:2] == used[:2] and used.salt >= key.salt

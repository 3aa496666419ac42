# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients a site of TLS 1.2 cannot take, by the curve of their key."""

from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import key_curve

OLD, BOTH = ["TLSv1.2"], ["TLSv1.2", "TLSv1.3"]


@pytest.mark.parametrize(
    ("curve", "protocols", "curves", "refused"),
    [
        ("prime256v1", OLD, ["secp384r1"], True),
        ("prime256v1", BOTH, ["secp384r1"], False),
        ("prime256v1", OLD, [], False),
        ("prime256v1", OLD, ["auto"], False),
        ("prime256v1", [], ["secp384r1"], False),  # nginx's own protocols: not known here
        ("prime256v1", OLD, ["X25519", "prime256v1"], False),
        ("prime256v1", OLD, ["P-256"], False),
        ("prime256v1", OLD, ["secp256r1"], False),
        ("secp384r1", OLD, ["p-384"], False),
        ("secp384r1", OLD, ["X25519", "P-256", "P-521"], True),
        ("secp521r1", OLD, ["P-521"], False),
        ("brainpoolP256r1", OLD, ["brainpoolP256r1"], False),
        ("brainpoolP256r1", OLD, ["prime256v1"], True),
        ("", OLD, ["secp384r1"], False),  # RSA, Ed25519
    ],
)
def test_tls_1_2_takes_keys_on_the_sites_curves_only(curve, protocols, curves, refused):
    found = key_curve.refusal(curve, protocols, curves)
    assert (found is not None) == refused
    if found is not None:
        assert curve in found.message and ", ".join(curves) in found.message

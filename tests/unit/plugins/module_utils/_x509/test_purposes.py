# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of extended key usage, key usage and Netscape type, in leaf, intermediate and root, for each
purpose: what examine says, and what `openssl verify` says. test_verdict.py has the explanations."""

from __future__ import annotations

from itertools import product

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import credential
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import openssl, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.builders import AT
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.odd_chains import (
    ANY_USE,
    CLIENT_AUTH,
    NETSCAPE_TYPE,
    SERVER_AUTH,
    Made,
    make,
)

PURPOSES = ("client", "server", "any")
EXTENDED = {
    "no uses": None,
    "client": (CLIENT_AUTH,),
    "server": (SERVER_AUTH,),
    "both": (SERVER_AUTH, CLIENT_AUTH),
    "any use": (ANY_USE,),
    "mail": ("1.3.6.1.5.5.7.3.4",),
    "step-up": ("2.16.840.1.113730.4.1",),
    "no use at all": (),
}
# KeyUsage of RFC 5280, 4.2.1.3: digitalSignature is bit 0
USAGES = {
    "no usage": None,
    "sign": 0x80,
    "commit": 0x40,
    "encipher": 0x20,
    "agree": 0x08,
    "issue": 0x04,
    "all but issue": 0xF8,
}
NETSCAPE = {"": None, "ns client": 0x80, "ns server": 0x40, "ns ca": 0x04, "ns mail ca": 0x02}

LEAVES = [*product(EXTENDED, USAGES, [""]), *product(["no uses"], ["no usage"], list(NETSCAPE)[1:])]
ISSUERS = [
    *product(EXTENDED, ["no usage", "sign", "issue"], [""]),
    *product(["no uses"], ["issue"], NETSCAPE),
]


def extensions(uses: str, usage: str, netscape: str) -> list[bytes]:
    made = []
    if EXTENDED[uses] is not None:
        made.append(raw.extended_key_usage(*EXTENDED[uses]))
    if USAGES[usage] is not None:
        made.append(raw.key_usage(USAGES[usage]))
    if NETSCAPE[netscape] is not None:
        made.append(raw.extension(NETSCAPE_TYPE, raw.bit_string(bytes([NETSCAPE[netscape]]))))
    return made


def chain_with(odd: str, *kind: str) -> list[Made]:
    """(root) ──> [int ──> leaf], of which *odd* has the extensions of *kind*: the leaf first"""
    more = {"root": [], "int": [], "leaf": [], odd: extensions(*kind)}
    ca = raw.basic_constraints(True)
    root = make("Root", None, ca, *more["root"])
    middle = make("Int", root, ca, *more["int"])
    return [make("leaf", middle, *more["leaf"]), middle, root]


def ours(leaf: Made, middle: Made, root: Made, purpose: str) -> bool:
    spec = {"name": "x", "certificate": leaf.pem + middle.pem, "trust": root.pem, "purpose": purpose}
    return credential.examine(spec, AT)["verifies"]


def theirs(leaf: Made, middle: Made, root: Made, purpose: str) -> bool:
    named = "any" if purpose == "any" else f"ssl{purpose}"
    said = openssl.ask(
        "verify", "-no-CApath", "-no-CAstore", "-CAfile", "root", "-untrusted", "int", "-purpose", named,
        "-auth_level", "2", "-attime", str(int(AT.timestamp())), "leaf",
        files={"leaf": leaf.pem, "int": middle.pem, "root": root.pem},
    )  # fmt: skip
    return said.ok


@openssl.needs_openssl
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("odd", ["leaf", "int", "root"])
def test_as_openssl(odd: str, purpose: str) -> None:
    accepted = 0
    for kind in LEAVES if odd == "leaf" else ISSUERS:
        chain = chain_with(odd, *kind)
        verdict = ours(*chain, purpose)
        openssl.compare("purpose", verdict, theirs(*chain, purpose), f"{odd}: {', '.join(kind)}; {purpose}")
        accepted += verdict
    assert accepted > 0  # neither all nor none, or the table would prove nothing
    assert purpose == "any" or accepted < len(LEAVES if odd == "leaf" else ISSUERS)

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release's certificates, keys and lists are: how they are made of what is given, what is wrong with
them, and how a diff shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Callable

from .._core.changes import Decoder
from .._core.desired import Credential, Desired, Tools
from .._core.inputs import bytes_of
from .._core.probe_trust import left_out
from .._core.release import credential_path
from . import bundle, certificate, credential, key, peers, succession
from .shelf import Shelf


def tools(read: Callable[[str], bytes], at: datetime) -> Tools:
    """*read* gives the bytes of a path."""

    def build(sources: list[tuple[str, bytes]], trust: Any) -> bundle.Bundle:
        options = ("on_expired", "on_leaf", "on_non_ca", "allow_pinned")
        return bundle.build(sources, at, **{name: trust[name] for name in options})

    return Tools(read, credential.assemble, key.normalise_private_key, build, bytes_of)


def examiner(at: datetime) -> Callable[[Desired, Mapping[str, bytes]], list[dict[str, Any]]]:
    """The certificates of a release with their findings, also beside the live ones that they replace, and of
    their CRLs, as the result shows them."""

    shelf = Shelf()

    def beside_live(one: Credential, live: Mapping[str, bytes]) -> list[dict[str, Any]]:
        if one.purpose != "server":
            return []  # whether a client is let in can be asked
        return succession.examine(
            live.get(credential_path(one.part, one.name, "fullchain.pem"), b""), one.files["fullchain.pem"]
        )

    def revocation(one: Credential) -> list[dict[str, Any]]:
        # nginx -t passes a CRL by which nginx then refuses everybody.
        places = {"peers_trust_place": "trust.pem", "peers_crl_place": "crl.pem"}
        given = {"peers_trust": one.files.get("trust.pem"), "peers_crl": one.files.get("crl.pem")}
        found = peers.examine({**given, **places}, at, shelf)[1] if given["peers_crl"] is not None else []
        return [
            each for each in found if each["code"].startswith("crl.") or each["place"].startswith("crl.pem")
        ]

    def examine(desired: Desired, live: Mapping[str, bytes]) -> list[dict[str, Any]]:
        found = []
        unseen = {("server", name): one.to_dict() for name, one in left_out(live, desired.source)}
        for one in desired.credentials:
            lost = [unseen[one.part, one.name]] if (one.part, one.name) in unseen else []
            spec = {
                "name": one.name,
                "certificate": one.files["fullchain.pem"],
                "private_key": one.files["privkey.pem"],
                "purpose": one.purpose,
                "hostnames": list(one.hostnames),
            }
            seen = credential.examine(spec, at)
            facts = seen["certificate"] or {}
            found.append(
                {
                    "part": one.part,
                    "name": one.name,
                    **{
                        name: facts.get(name)
                        for name in ("subject", "issuer", "serial", "not_after", "sha256")
                    },
                    "trust": [certificate.sha256_hex(ca) for ca in _cas(one.files)],
                    "findings": [
                        *seen["findings"],
                        *one.findings,
                        *beside_live(one, live),
                        *lost,
                        *revocation(one),
                    ],
                }
            )
        return found

    return examine


def _cas(found: dict[str, bytes]) -> list[certificate.Certificate]:
    return certificate.split(found["trust.pem"], "trust.pem") if found.get("trust.pem") else []


def decoder() -> Decoder:
    def describe(data: bytes) -> list[dict[str, Any]]:
        return [certificate.describe(one) for one in certificate.split(data)]

    def key_digest(data: bytes) -> str:
        return key.read(data).public_key_sha256

    return Decoder(describe, key_digest, lambda data: hashlib.sha256(data).hexdigest())

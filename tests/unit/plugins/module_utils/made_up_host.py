# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every made-up host of the transaction's tests has in common: a part to bring, and the ports of a call
whose credentials need no cryptography."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.account import ROOT
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import Decoder
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import Tools
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.findings import Finding
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Ports

LISTENER = 'server { listen 127.0.0.1:8080; location = /.mtls/proxy { return 200 "@MTLS_ID@"; } %s }'


def parts(text: str = "") -> dict[str, Any]:
    """A part without credentials is enough to see a release being served."""
    return {
        "proxy": {"credentials": [], "routes": [], "listeners": [{"name": "1", "content": LISTENER % text}]}
    }


class QuietHost:
    """The questions about nginx's configuration that have one answer on every made-up host."""

    version = (1, 26, 3)
    test_seconds = 0.0
    tester = ROOT

    def open(self, _folder: str) -> None:
        pass

    def timeout_has_no_place(self, _dump: Dump, _wanted: str) -> bool:
        return False

    def shutdown_timeout_s(self, _dump: Dump) -> None:
        return None

    def judge_dump(self, _dump: Dump, _expected: Sequence[str]) -> list[Finding]:
        return []

    def users(self, _dump: Dump) -> list[Any]:
        return []

    def as_if_included(self, dump: Dump) -> Dump:
        return dump


def ports_of(store: Any, world: Any, enabled: Any) -> Ports:
    """The ports of a call: *world* is host, service and prover in one, *enabled* asks about its service."""
    return Ports(
        store=store,
        host=world,
        service=SimpleNamespace(name="nginx", enabled=enabled, start=world.start),
        prover=world,
        tools=Tools(
            read=lambda path: path.encode(),
            assemble=lambda certificate, chain: certificate + (chain or b""),
            normalise_key=lambda key, passphrase: key,
            bundle=lambda sources, trust: SimpleNamespace(
                pem=b"".join(data for label, data in sources), verify_depth=1, findings=[]
            ),
            decode=str.encode,
        ),
        decoder=Decoder(lambda pem: [], lambda pem: "", lambda pem: ""),
        examine=lambda desired, live: [],
        digest=lambda path: path,
        now=lambda: "2026-01-01T00:00:00+00:00",
        trial=SimpleNamespace(rows=lambda *asked: []),
    )

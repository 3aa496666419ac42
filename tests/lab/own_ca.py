# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority of the user's own on the shared hosts: pki/own with its files, and own.yml, which names them.

first.pem, first.crl    what is trusted, and its list; of the private CA before there is another one
second.pem, second.crl  what is to come
a-server, a-probe, b-client, c-server, c-probe, c-client    each with .pem and .key: what a credential has
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from typing import Any

import yaml
from ca_scene import roots, serial
from cryptography import x509
from pki import CLIENT, SERVER, Authority
from scene import NAMES, Scene

FOLDER = "pki/own"
NEW = f"{FOLDER}/second.pem"


class Own:
    """*first*: the authority that signs; None while the private CA does."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.folder = scene, scene.project / FOLDER
        self.first: Authority | None = None
        self.folder.mkdir(exist_ok=True)
        ((number, dummy),) = roots(scene).items()
        root = scene.project / "private_ca" / "generations" / str(number) / "root.pem"
        shutil.copy(root, self.folder / "first.pem")

    def comes(self, authority: Authority, revoked: x509.Certificate) -> None:
        """That is to be the next one."""
        (self.folder / "second.pem").write_bytes(authority.pem())
        (self.folder / "second.crl").write_bytes(authority.revocation_list(revoked))

    def signs(self, authority: Authority, *along: Authority) -> dict[str, str]:
        """All credentials have new files; gives their serial numbers, as ``ca_scene.serials`` does."""
        places = {"a-server": "a", "b-client": "b", "c-server": "c", "c-client": "c as client"}
        found = {}
        for name in (*places, "a-probe", "c-probe"):
            host, kind = name.split("-")
            usage, names = (SERVER, (NAMES[host],)) if kind == "server" else (CLIENT, ())
            prefix = "mtls-probe." if kind == "probe" else ""
            subject = f"CN={prefix}{self.scene.full(host)}"
            made = authority.leaf(self.folder / name, subject, usage, names)
            with (self.folder / f"{name}.pem").open("ab") as file:
                file.writelines(one.pem() for one in along)
            if name in places:
                found[places[name]] = serial(made)
        return found

    def ended(self, authority: Authority) -> None:
        """The next one has become the first one."""
        for suffix in ("pem", "crl"):
            (self.folder / f"second.{suffix}").replace(self.folder / f"first.{suffix}")
        self.first = authority
        self.trusts("first")

    def trusts(self, *names: str, files: bool = True, lists: Collection[str] | None = None) -> None:
        """The inventory trusts those files, and has the same lists where not others are given. Without
        *files* the certificates are of the private CA."""
        inventory = yaml.safe_load((self.scene.project / "inventory.yml").read_text())
        groups = inventory["all"]["children"]
        more = {"trust": names, "lists": names if lists is None else lists, "files": files}
        for host in "ac":
            mine = groups["mtls_servers"]["hosts"][self.scene.full(host)]
            mine["mtls_server_credentials"] = [self._credential(host, "server", **more)]
        for host in "bc":
            mine = groups["mtls_proxies"]["hosts"][self.scene.full(host)]
            others = mine.get("mtls_proxy_credentials", [])[1:]
            mine["mtls_proxy_credentials"] = [self._credential(host, "client", **more), *others]
        (self.scene.project / "own.yml").write_text(yaml.safe_dump(inventory))
        self.scene.inventory = "own.yml"

    def _credential(
        self, host: str, name: str, trust: Collection[str], lists: Collection[str], files: bool
    ) -> dict[str, Any]:
        sources: list[Any] = [{"src": f"{FOLDER}/{one}.pem"} for one in trust]
        found: dict[str, Any] = {"name": name, "trust": {"sources": sources}}
        if lists:
            found["crl"] = [{"src": f"{FOLDER}/{one}.crl"} for one in lists]
        if not files:
            sources[0] = "issuer"
            return found
        found.update(issuer="files", files=self._files(host, name))
        if name == "server":
            found["probe"] = self._files(host, "probe")
        return found

    def _files(self, host: str, name: str) -> dict[str, str]:
        path = f"{FOLDER}/{host}-{name}"
        return {"certificate": f"{path}.pem", "private_key": f"{path}.key"}

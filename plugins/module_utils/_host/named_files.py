# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the configurations of this host name: each is read once, and told with what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol, Union

from .._core.findings import Finding
from .._core.listen import first_name
from .._core.nginx_tls.judge import Known
from .._core.nginx_tls.resolve import InForce
from . import file_state, intake

NEWER = "tls.file_newer_than_loaded"
_KINDS = ("certificate", "key", "trust", "crl", "ticket_key", "password")
_SECRETS = {"key": "private key", "ticket_key": "session ticket key", "password": "passphrase"}
_NAMES_TOLD, _LINES = 20, 5
#: Areas of findings after which it is not sure that a key is its certificate's.
_UNFIT = ("pair.", "key.", "format.", "file.")

Told = Union[Finding, dict[str, Any]]


class Files(Protocol):
    """What is read out of files; ``_x509.tls_files.TlsFiles`` is one."""

    def contents(self, kind: str, data: bytes, place: str) -> Any: ...

    def described(self, der: bytes) -> dict[str, Any]: ...

    def pair(
        self, spec: dict[str, Any], passphrases: Sequence[bytes], purpose: str
    ) -> list[dict[str, Any]]: ...

    def peers(self, spec: dict[str, Any]) -> list[dict[str, Any]]: ...

    def names(self, data: bytes, place: str, names: Sequence[str]) -> list[Finding]: ...

    def leaf(self, data: bytes, place: str) -> Optional[str]: ...

    def pem(self, kind: str, data: bytes, place: str) -> str: ...


@dataclass
class _File:
    """One file that is named: its bytes, or why there are none, its FILESTATE, and its findings."""

    path: str
    kinds: list[str]
    taken: Union[bytes, Finding] = b""
    state: dict[str, Any] = field(default_factory=dict)
    said: list[Told] = field(default_factory=list)
    loaded: float = 0.0
    #: How many nginx that run name it, and of how many it was seen that they have it as it lies here.
    named: int = 0
    seen: int = 0

    @property
    def data(self) -> Optional[bytes]:
        return self.taken if isinstance(self.taken, bytes) else None


class NamedFiles:
    """*tools* read what is in them."""

    def __init__(self, tools: Files) -> None:
        self._tools = tools
        self._files: dict[str, _File] = {}
        self._pairs_that_fit: set[tuple[str, str]] = set()

    def read(self, configurations: Sequence[tuple[InForce, Optional[float]]]) -> None:
        """Of each configuration also when it was loaded, seconds since 1970; None where it was not."""
        for found, loaded in configurations:
            self._read_of(found, loaded)
        for known in self._files.values():
            self._examine_alone(known)
        seen: set[Any] = set()
        for found, _loaded in configurations:
            for server in found.servers:
                if server["tls"]:
                    self._pairs(server["certificates"], server["password"], "server", seen)
                    trusts = (server["trust"], server["trusted"])
                    self._bundle(trusts, server["crl"], server["verify"] != "off", seen)
            for one_of in found.locations:
                self._pairs([one_of], one_of["password"], "client", seen)
                self._bundle((one_of["trust"],), one_of["crl"], one_of["verify"], seen)

    def _read_of(self, found: InForce, loaded: Optional[float]) -> None:
        for kind, file in found.files():
            if not file["path"]:
                continue
            known = self._files.setdefault(file["path"], _File(file["path"], []))
            if kind not in known.kinds:
                known.kinds.append(kind)
            if not known.state or known.state["newer_than_loaded"] is None:
                known.state, known.taken = file_state.state(file["path"], loaded)
                known.loaded = loaded or 0.0
        if loaded is not None:
            for path in {file["path"] for _kind, file in found.files() if file["path"]}:
                self._files[path].named += 1

    def _examine_alone(self, file: _File) -> None:
        file.kinds.sort(key=_KINDS.index)
        if isinstance(file.taken, Finding):
            file.said.append(file.taken)
        for kind in file.kinds:
            if kind in _SECRETS:
                file.said += intake.private_key_findings(file.path, _SECRETS[kind])

    def _pairs(
        self,
        pairs: Sequence[dict[str, Any]],
        password: Optional[dict[str, Any]],
        purpose: str,
        seen: set[Any],
    ) -> None:
        for pair in pairs:
            paths = [pair[name]["path"] if pair[name] else "" for name in ("certificate", "key")]
            question = (*paths, password["path"] if password else "", purpose)
            if question in seen or not any(paths):
                continue
            seen.add(question)
            spec: dict[str, Any] = {}
            for slot, path in zip(("certificate", "private_key"), paths):
                if path and self._files[path].data is not None:
                    spec[slot], spec[f"{slot}_place"] = self._files[path].data, intake.shown(path)
            if spec:
                said = self._tools.pair(spec, self._passphrases(password), purpose)
                self._put(said, paths)
                if len(spec) == 4 and not any(one["code"].startswith(_UNFIT) for one in said):
                    self._pairs_that_fit.add((paths[0], paths[1]))

    def _passphrases(self, password: Optional[dict[str, Any]]) -> list[bytes]:
        """The lines of a password file (ngx_ssl_read_password_file)."""
        file = self._files.get(password["path"]) if password else None
        data = (file.data if file else None) or b""
        return [line for line in (one.rstrip(b"\r") for one in data.split(b"\n")[:_LINES]) if line]

    def _bundle(
        self,
        trusts: Sequence[Optional[dict[str, Any]]],
        crl: Optional[dict[str, Any]],
        used: bool,
        seen: set[Any],
    ) -> None:
        """*trusts*: what is trusted together, and what *crl* is looked up for."""
        paths = [one["path"] for one in trusts if one and one["path"]]
        lists = crl["path"] if crl else ""
        if not used or (*paths, lists, "trust") in seen:
            return
        seen.add((*paths, lists, "trust"))
        known = [(path, self._files[path].data) for path in paths]
        for path, data in known:
            if data is not None and (path, "trust") not in seen:
                seen.add((path, "trust"))
                place = intake.shown(path)
                self._put(self._tools.peers({"peers_trust": data, "peers_trust_place": place}), [path])
        if not lists or self._files[lists].data is None or not all(data for dummy, data in known):
            return
        place = intake.shown(lists)
        said = self._tools.peers(
            {
                "peers_trust": b"\n".join(data or b"" for dummy, data in known),
                "peers_trust_place": place,
                "peers_crl": self._files[lists].data,
                "peers_crl_place": place,
            }
        )
        self._put([one for one in said if not one["code"].startswith("bundle.")], [lists])

    def _put(self, said: Sequence[dict[str, Any]], paths: Sequence[str]) -> None:
        """Each finding to the file that it names, else to the first one."""
        for one in said:
            of_one = [path for path in paths if path and one["place"].startswith(intake.shown(path))]
            path = (sorted(of_one, key=len)[-1:] or [path for path in paths if path])[0]
            self._files[path].said.append(one)

    def served(self, found: InForce, rows: Sequence[Sequence[dict[str, Any]]]) -> None:
        """What the server blocks of one nginx serve, in their order. Where that is what a file holds, nginx
        has read it as it is, whatever the times of the file say; so it has the key that fits."""
        held: dict[str, bool] = {}
        for server, served in zip(found.servers, rows):
            chains = [row["chain"] for row in served if row["chain"]]
            for pair in server["certificates"]:
                paths = [pair[name]["path"] if pair[name] else "" for name in ("certificate", "key")]
                own = self._chain(paths[0])
                if not chains or (own not in chains and len(server["certificates"]) > 1):
                    continue  # nobody was asked, or another one of them was served
                same = own in chains and (
                    len(server["certificates"]) > 1 or all(one == own for one in chains)
                )
                for path in paths[: 2 if tuple(paths) in self._pairs_that_fit else 1]:
                    held[path] = held.get(path, True) and same
        for path, same in held.items():
            if path:
                self._files[path].seen += same

    def _chain(self, path: str) -> list[str]:
        file = self._files.get(path)
        if file is None or file.data is None:
            return []
        return [one["sha256"] for one in self._tools.contents("certificate", file.data, path).certificates]

    def shown(self, pem: bool) -> list[dict[str, Any]]:
        """All FILESTATE, by path; with *pem* those that are no secret whole."""
        return [self._shown(file, pem) for dummy, file in sorted(self._files.items())]

    def _shown(self, file: _File, pem: bool) -> dict[str, Any]:
        path, kind = file.path, file.kinds[0]
        found: dict[str, Any] = {"path": path, "kind": kind, "kinds": file.kinds, **file.state}
        said = list(file.said)
        if file.state["newer_than_loaded"] and file.named == file.seen:
            found["newer_than_loaded"] = False
        elif file.state["newer_than_loaded"]:
            how = file_state.how_newer(path, file.loaded)
            said.append(Finding(NEWER, f"{how}.", intake.shown(path)))
        found["certificates"], found["crls"] = [], []
        for one in file.kinds if file.data is not None else ():
            contents = self._tools.contents(one, file.data or b"", intake.shown(path))
            found["certificates"] = found["certificates"] or contents.certificates
            found["crls"] = found["crls"] or contents.crls
            if pem and one in ("certificate", "trust", "crl"):
                found["pem"] = self._tools.pem(one, file.data or b"", intake.shown(path))
        found["findings"] = dicts(said)
        return found

    def known(self) -> Known:
        certificates, digests = {}, {}
        for path, file in self._files.items():
            if file.data is not None and "crl" in file.kinds:
                digests[path] = hashlib.sha256(file.data).hexdigest()
            if file.data is not None and "trust" in file.kinds:
                contents = self._tools.contents("trust", file.data, path).certificates
                certificates[path] = frozenset(one["sha256"] for one in contents)
        return Known(certificates, digests)

    def leaves(self, server: dict[str, Any]) -> set[str]:
        """Fingerprints of the certificates of a server block; none where one of them cannot be told."""
        found = set()
        for pair in server["certificates"]:
            file = self._files.get(pair["certificate"]["path"])
            leaf = self._tools.leaf(file.data, file.path) if file and file.data is not None else None
            if leaf is None:
                return set()
            found.add(leaf)
        return found

    def names(self, server: dict[str, Any]) -> Iterator[Finding]:
        """Names of a server block that its certificate is not valid for, where it has one."""
        names = [name for name in server["names"] if "." in name and first_name([name]) == name]
        if not server["tls"] or server["reject_handshake"] or len(server["certificates"]) != 1:
            return
        file = self._files.get(server["certificates"][0]["certificate"]["path"])
        if file is not None and file.data is not None:
            said = self._tools.names(file.data, intake.shown(file.path), names[:_NAMES_TOLD])
            yield from (one for one in said if one.code == "name.mismatch")


def dicts(said: Sequence[Told]) -> list[dict[str, Any]]:
    """Plain values, each once."""
    plain = [one.to_dict() if isinstance(one, Finding) else one for one in said]
    return list({tuple(sorted(one.items())): one for one in plain}.values())

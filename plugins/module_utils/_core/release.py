# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release as values: which files it has, what its id is, how it is rendered and recognised again.

A *source* maps the path of each file inside the release to its bytes as given: PEM files, and texts that
still hold ``@MTLS_RELEASE@`` and ``@MTLS_ID@``. On disk each text stands twice, as given in
``<name>.conf.in`` and rendered in ``<name>.conf``; so a release can be carried over, and its id recomputed,
from its own directory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from .blocks import credentials_in
from .errors import MtlsError

Source = dict[str, bytes]
FileMap = dict[str, tuple[bytes, int]]

#: Written into manifest.json; the same as in galaxy.yml (tested).
VERSION = "0.1.0"
EMPTY = "empty"
MANIFEST = "manifest.json"
PARTS = ("server", "proxy")
#: Kind of block → its folder; also the order in which mtls.conf includes them.
FOLDERS = {"sites": "server/sites", "routes": "proxy/routes", "listeners": "proxy/listeners"}

_CREDENTIAL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_BLOCK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ID = re.compile(r"[0-9a-f]{16}|" + EMPTY)


def is_release_id(text: str) -> bool:
    return bool(_ID.fullmatch(text))


def check_name(name: str, kind: str) -> str:
    """The name itself. Raises MtlsError where it could leave its folder or break a configuration line."""
    pattern = _CREDENTIAL_NAME if kind == "credential" else _BLOCK_NAME
    if not pattern.fullmatch(name):
        raise MtlsError(
            f"'{name}' is no name for a {kind}.", "parts", f"Use a name that matches {pattern.pattern}."
        )
    return name


def credential_path(part: str, name: str, file: str = "") -> str:
    return f"{part}/credentials/{name}/{file}" if file else f"{part}/credentials/{name}"


def block_path(kind: str, name: str) -> str:
    return f"{FOLDERS[kind]}/{name}.conf"


def credential_names(source: Mapping[str, bytes], part: str) -> list[str]:
    prefix = f"{part}/credentials/"
    return sorted({path.split("/")[2] for path in source if path.startswith(prefix)})


def credential_files(source: Mapping[str, bytes], part: str, name: str) -> dict[str, bytes]:
    """File name → bytes of one credential; empty where there is none."""
    prefix = credential_path(part, name) + "/"
    return {path[len(prefix) :]: data for path, data in source.items() if path.startswith(prefix)}


def _decoded(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise MtlsError(
            "The text of the live release is no UTF-8: somebody has edited it.",
            path,
            "Put it back as it was, or let current name another release, and run again.",
        ) from None


def texts(source: Mapping[str, bytes], kind: str) -> dict[str, str]:
    """Name → text as given, of all blocks of *kind* (sites, routes, listeners).

    Raises MtlsError for a text that somebody's editor has saved in another encoding.
    """
    prefix, suffix = FOLDERS[kind] + "/", ".conf"
    return {
        path[len(prefix) : -len(suffix)]: _decoded(data, path)
        for path, data in source.items()
        if path.startswith(prefix) and path.endswith(suffix)
    }


def default_text(source: Mapping[str, bytes]) -> str:
    """``server/default.conf`` as given, "" where the release has none. Raises as ``texts``."""
    path = "server/default.conf"
    return _decoded(source.get(path, b""), path)


def expected_files(base: str, directory: str, source: Mapping[str, bytes]) -> list[str]:
    """The files that a dump of this release must name; a credential that no block uses is not read by
    nginx."""
    return [f"{base}/current/mtls.conf"] + [
        f"{directory}/{path}"
        for path in source
        if path.endswith(".conf") and "/credentials/" not in path and "/" in path
    ]


def part_of(source: Mapping[str, bytes], part: str) -> Source:
    return {path: data for path, data in source.items() if path.startswith(part + "/")}


def with_entry(source: Mapping[str, bytes], http: Sequence[str] = ()) -> Source:
    """The source with its ``mtls.conf``: the directives *http*, and one include by absolute path for each
    block file, no glob.

    A glob that matches nothing passes ``nginx -t``, and on a proxy that means no client certificate.
    """
    paths = [path for path in source if path == "server/default.conf"]
    for folder in FOLDERS.values():
        paths += sorted(path for path in source if path.startswith(folder + "/"))
    lines = ["# One release of mutual_tls.nginx, written whole. Do not edit: the next run replaces it.\n"]
    lines += [f"{line};\n" for line in http]
    lines += [f"include @MTLS_RELEASE@/{path};\n" for path in paths]
    return {**source, "mtls.conf": "".join(lines).encode()}


def empty_source() -> Source:
    return with_entry({})


def release_id(source: Mapping[str, bytes]) -> str:
    """16 hex digits over texts as given and PEM files; ``empty`` for the release without any part.

    The private keys are in it, so a release with another key is another release; SHA-256 gives nothing of
    them away.
    """
    if set(source) == {"mtls.conf"}:
        return EMPTY
    whole = hashlib.sha256()
    for path in sorted(source):
        whole.update(path.encode() + b"\0" + hashlib.sha256(source[path]).digest())
    return whole.hexdigest()[:16]


def _mode(path: str) -> int:
    # The directory is 0700 already; a key is 0600 for itself, so that a copy of the tree keeps it closed.
    return 0o600 if path.endswith("privkey.pem") else 0o644


def render(source: Mapping[str, bytes], directory: str, identity: str) -> FileMap:
    """All files of the release as they stand below *directory*, with their modes, without the manifest."""
    files: FileMap = {}
    for path, data in source.items():
        if path.endswith(".conf"):
            files[path + ".in"] = (data, 0o644)
            data = data.replace(b"@MTLS_RELEASE@", directory.encode()).replace(
                b"@MTLS_ID@", identity.encode()
            )
        files[path] = (data, _mode(path))
    return files


def unrender(files: Mapping[str, bytes]) -> Source:
    """The source of a release read from disk: texts from their ``.in`` files, PEM files as they are."""
    source = {path[:-3]: data for path, data in files.items() if path.endswith(".conf.in")}
    source.update({path: data for path, data in files.items() if path.endswith(".pem")})
    return source


def differences(files: Mapping[str, bytes], directory: str, identity: str) -> list[str]:
    """Paths that are not what a release of this id has; empty for a whole one.

    The manifest is not compared.
    """
    source = unrender(files)
    if release_id(source) != identity:
        return ["id"]
    wanted = {path: data for path, (data, _file_mode) in render(source, directory, identity).items()}
    found = {path: data for path, data in files.items() if path != MANIFEST}
    return sorted(path for path in set(wanted) | set(found) if wanted.get(path) != found.get(path))


def check_references(source: Mapping[str, bytes]) -> None:
    """Raises MtlsError where a block includes the tls.conf of a credential that the release does not have."""
    for kind in FOLDERS:
        for name, text in sorted(texts(source, kind).items()):
            for part, credential in credentials_in(text):
                if credential_path(part, credential, "tls.conf") not in source:
                    raise MtlsError(
                        f"It uses credential '{credential}' of part {part}, which the release does not have.",
                        f"{kind[:-1]} {name}",
                        f"List the credential in parts.{part}.credentials, or take the {kind[:-1]} away.",
                    )

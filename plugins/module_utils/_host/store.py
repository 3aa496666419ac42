# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies below ``nginx_mtls_base``: releases, the link to the live one, state.json, pending keys."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, Optional

from .._core import release
from .._core.account import ROOT, Account
from .._core.errors import MtlsError
from .._core.transaction import State, read_state
from . import files

_JSON_LIMIT = 1 << 20


def _refuse_shared(path: str) -> None:
    """Raises MtlsError where somebody else could put another release, or another link, in ours' place."""
    found = os.stat(path)
    if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
        raise MtlsError(
            "Others than root may write to it, and nginx reads its configuration from there.",
            path,
            f"chown root {path} && chmod go-w {path}",
        )


class Store:
    """The base directory of one host. It decides nothing: what is whole or wanted is said by ``_core``.

    *account*: whom its releases are for.
    """

    def __init__(self, base: str, account: Account = ROOT) -> None:
        self.base = base
        self._account = account
        self.releases = f"{base}/releases"
        self.link = f"{base}/current"
        self.lock_file = f"{base}/.lock"
        self._state_file = f"{base}/state.json"

    def exists(self) -> bool:
        return os.path.isdir(self.base)

    def create(self) -> None:
        """The directories that every transaction needs."""
        try:
            if not self.has_link():
                files.make_parents(self.base)
            # Others may look at what is live (audit, monitoring); the releases themselves are root's.
            files.make_directory(self.base, 0o755)
            files.make_directory(self.releases, 0o700)
            for path in (self.base, self.releases):
                _refuse_shared(path)
            if files.is_wrong(self.releases, self._account.folder):
                files.set_directory(self.releases, self._account.folder)
        except OSError as error:
            raise MtlsError(
                f"It cannot be created: {error.strerror}.", error.filename or self.base
            ) from error

    # -- releases

    def directory(self, identity: str) -> str:
        return f"{self.releases}/{identity}"

    def read(self, identity: str) -> dict[str, bytes]:
        """All files of a release; empty where there is none."""
        return files.read_tree(self.directory(identity))

    def names(self) -> list[str]:
        """Ids of all release directories; the one that was staged or switched to last comes first."""
        try:
            found = [entry for entry in os.scandir(self.releases) if release.is_release_id(entry.name)]
        except FileNotFoundError:
            return []
        return [entry.name for entry in sorted(found, key=lambda entry: entry.stat().st_mtime, reverse=True)]

    def whole(self) -> frozenset[str]:
        """The releases whose texts and PEM files make up their id."""
        return frozenset(
            name for name in self.names() if release.release_id(release.unrender(self.read(name))) == name
        )

    def stage(self, identity: str, source: Mapping[str, bytes], manifest: Mapping[str, Any]) -> bool:
        """Write a release and give it its name; False where it is there already.

        Where its own rendered texts were edited they are mended, each by one rename, since it may be the live
        one. Where keys or texts as given are others it is nobody's live release (``recover`` has seen to
        that), and is replaced.
        """
        wanted = release.render(source, self.directory(identity), identity)
        if os.path.lexists(self.directory(identity)):
            self._close(identity)
            found = self.read(identity)
            if release.release_id(release.unrender(found)) == identity:
                self.repair(identity, self.damaged(identity))
                # Who wrote it may have been killed before its name lasted; all below it did before.
                files.fsync_directory(self.releases)
                return False
            files.remove_tree(self.directory(identity))
        temporary = f"{self.releases}/.new-{identity}-{os.getpid()}"
        files.remove_tree(temporary)
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        try:
            tree = {**wanted, release.MANIFEST: (text.encode(), 0o644)}
            files.write_tree(temporary, tree, self._account)
            os.rename(temporary, self.directory(identity))
        except OSError as error:
            files.remove_tree(temporary)
            raise MtlsError(
                f"The release cannot be written: {error.strerror}.",
                temporary,
                "Nothing was switched. Make room, or the file system writable, and run again.",
            ) from error
        files.fsync_directory(self.releases)
        return True

    def damaged(self, identity: str) -> list[str]:
        """Paths of a release that are not what its id says, that others may read or write, or that nginx may
        not read."""
        directory, found = self.directory(identity), self.read(identity)
        wrong = set(release.differences(found, directory, identity))
        for path, (_data, mode) in release.render(release.unrender(found), directory, identity).items():
            if path in found and files.is_wrong(f"{directory}/{path}", self._account.file(mode)):
                wrong.add(path)
        return sorted(wrong) + files.wrong_directories(directory, self._account.folder)

    def _close(self, identity: str) -> None:
        """Nobody else may put anything into a release, from before it is compared."""
        for path in files.wrong_directories(self.directory(identity), self._account.folder):
            files.set_directory(f"{self.directory(identity)}/{path}", self._account.folder)

    def repair(self, identity: str, paths: list[str]) -> None:
        """Write rendered files of a release again whose source is whole; each gets a new inode.

        Directories, which have a final slash, are closed before.
        """
        directory = self.directory(identity)
        self._close(identity)
        wanted = release.render(release.unrender(self.read(identity)), directory, identity)
        for path in paths:
            if path in wanted:
                data, mode = wanted[path]
                access = self._account.file(mode)
                files.replace_file(f"{directory}/{path}", data, access.mode, (access.uid, access.gid))
            elif not path.endswith("/"):
                os.unlink(f"{directory}/{path}")

    def let_read(self, identity: str) -> list[str]:
        """Make a release readable for an nginx that runs as another user than before; what was mended."""
        closed = [] if self._account.is_root else self.damaged(identity)
        self.repair(identity, closed)
        return closed

    def remove(self, identity: str) -> None:
        files.remove_tree(self.directory(identity))

    def drop_unfinished(self) -> None:
        """Remove what a killed run was writing; only called under the lock."""
        for entry in os.scandir(self.releases):
            if entry.name.startswith(".new-"):
                files.remove_tree(entry.path)
        for entry in os.scandir(self.base):
            if ".new-" in entry.name:
                os.unlink(entry.path)

    def remove_all(self) -> None:
        """Remove the base itself, the lock last, which the caller holds until it lets go of its file.

        The link and the state go first, one after the other: whatever a kill leaves then is a host without a
        release, never a link to half of one. After a power cut such a link leads back to ``empty``.
        """
        for path in (self.link, self._state_file):
            if os.path.lexists(path):
                os.unlink(path)
        for entry in os.scandir(self.base):
            if entry.path == self.lock_file:
                continue
            if entry.is_dir(follow_symlinks=False):
                files.remove_tree(entry.path)
            else:
                os.unlink(entry.path)
        os.unlink(self.lock_file)
        os.rmdir(self.base)
        files.fsync_directory(os.path.dirname(self.base))

    # -- the link

    def current(self) -> Optional[str]:
        """The id that the link names, None where there is none or it leads to no release."""
        try:
            name = os.path.basename(os.readlink(self.link))
        except OSError:
            return None
        here = os.path.realpath(self.link) == os.path.realpath(self.directory(name))
        return name if here and release.is_release_id(name) and os.path.isdir(self.directory(name)) else None

    def has_link(self) -> bool:
        return os.path.lexists(self.link)

    def switch(self, identity: str) -> None:
        if self.has_link() and not os.path.islink(self.link):
            raise MtlsError("It is not a link.", self.link, "Move it away: release keeps its link there.")
        files.replace_link(self.link, f"releases/{identity}")
        # What was live lately is kept longest, however long ago it was staged.
        with contextlib.suppress(OSError):
            os.utime(self.directory(identity))

    # -- state.json

    def state(self) -> Optional[State]:
        """None where there is no state file or none that can be read."""
        try:
            if not os.path.isfile(self._state_file):  # to open a fifo is to wait
                return None
            with open(self._state_file, encoding="utf-8") as file:
                return read_state(json.loads(file.read(_JSON_LIMIT)))
        except (OSError, ValueError, RecursionError):
            return None

    def has_state(self) -> bool:
        return os.path.lexists(self._state_file)

    def write_state(self, state: State) -> None:
        text = json.dumps(state.to_dict(), indent=2) + "\n"
        files.replace_file(self._state_file, text.encode(), 0o600)

    # -- pending keys

    def pending_key(self, part: str, name: str) -> Optional[bytes]:
        """The key that waits for this credential's certificate, None where there is none to read."""
        try:
            return files.read_file(f"{self.base}/pending/{part}/{name}/privkey.pem")
        except OSError:
            return None

    def drop_pending(self, part: str, name: str) -> None:
        """Remove the key and the request of a credential whose certificate is live now."""
        files.remove_tree(f"{self.base}/pending/{part}/{name}")
        for folder in (f"{self.base}/pending/{part}", f"{self.base}/pending"):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

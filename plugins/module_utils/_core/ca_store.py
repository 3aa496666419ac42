# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the private CA's directory: where it may lie, and what the files in it ask for next."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from .errors import MtlsError

ROOT_CERTIFICATE, ROOT_KEY = "root.pem", "root.key"
ISSUING_CERTIFICATE, ISSUING_KEY = "intermediate.pem", "intermediate.key"
KEYS = (ROOT_KEY, ISSUING_KEY)
# What a directory may hold before there is a CA: our own first files, and what a fresh volume has.
NOT_YET = frozenset((".gitignore", ".lock", "generations", "lost+found"))
_GENERATION = re.compile(r"[1-9][0-9]{0,5}")
PLACE = "private_ca_dir"


@dataclass(frozen=True)
class Step:
    """What the newest generation asks for.

    *generation* is its number, *makes* the files still to be made (empty: it can sign), *intermediate*
    whether it is the intermediate that signs.
    """

    generation: int
    makes: tuple[str, ...]
    intermediate: bool


def subject(name: str, generation: int) -> str:
    """The root's subject. Each generation has its own: OpenSSL and CRLs tell issuers by subject first."""
    return f"CN={name} CA {generation}"


def is_generation(name: str) -> bool:
    """Whether a directory of this name below ``generations/`` is a generation."""
    return _GENERATION.fullmatch(name) is not None


def check_home(
    written: str, real: str, temporary: Sequence[str], collections: Sequence[str], project: str
) -> None:
    """Refuses a place where the CA would be lost.

    *written* is the path as given, *real* the same without symbolic links; *temporary* and *collections*
    are folders on that host, *project* the folder of the inventory. A collections path that holds the
    project itself (``collections_path = .``) is no reason: there only ``ansible_collections`` is replaced.
    Does NOT ask who may write to the folders above. Raises MtlsError.
    """
    if not posixpath.isabs(written):
        shown = f"{written!r} is not an absolute path" if written else "no directory is named"
        raise MtlsError(
            f"{shown}.", PLACE, "Name an absolute path that is backed up and outlives the checkout."
        )
    for path in (written, real):
        seen = written if path == written else f"{written} (really {real})"
        if "ansible_collections" in path.split("/") or any(
            _below(path, folder) and not _below(project, folder) for folder in collections
        ):
            raise MtlsError(
                f"{seen} lies where collections are installed: their next upgrade deletes the CA.",
                PLACE,
                "Name a directory of your own, for example private_ca beside the inventory.",
            )
        for folder in temporary:
            if _below(path, folder):
                raise MtlsError(
                    f"{seen} lies in the temporary folder {folder}, which is emptied without asking.",
                    PLACE,
                    "Name a directory that stays, for example private_ca beside the inventory.",
                )


def _below(path: str, folder: str) -> bool:
    return bool(folder) and posixpath.commonpath([path or "/", folder]) == posixpath.normpath(folder)


def check_entries(entries: Collection[str], generations: Collection[int], path: str) -> None:
    """Refuses a directory without a generation that holds anything else. Raises MtlsError."""
    strangers = sorted(set(entries) - NOT_YET)
    if generations or not strangers:
        return
    if "issued.jsonl" in strangers:
        raise MtlsError(
            f"{path} lists issued certificates, but the CA's keys and certificates are gone.",
            PLACE,
            "Restore generations/ from the backup. A new CA takes an empty directory.",
        )
    raise MtlsError(
        f"{path} is not empty and holds no private CA, but {', '.join(strangers[:5])}.",
        PLACE,
        "Name an empty directory, one that does not exist yet, or the one that the CA is in.",
    )


def next_step(newest: int, files: Collection[str], intermediate: bool, path: str) -> Step:
    """What generation *newest*, which has these *files*, lacks before it can sign.

    *newest* 0 is none: generation 1 is to be made. A key without its certificate is what a killed run
    leaves, and its certificate can be made again; a certificate without its key is a loss that only a
    backup mends. The root's key may be away (off line) where the intermediate signs.
    Raises MtlsError.
    """
    have = set(files)
    if not have:
        wanted = [ROOT_KEY, ROOT_CERTIFICATE]
        return Step(max(newest, 1), (*wanted, *_issuing(have, intermediate)), intermediate)
    where = f"{path}/generations/{newest}"
    complete_issuer = {ISSUING_CERTIFICATE, ISSUING_KEY} <= have
    if ROOT_CERTIFICATE not in have:
        if ROOT_KEY not in have or ISSUING_CERTIFICATE in have:
            raise _lost(where, ROOT_CERTIFICATE)
        return Step(newest, (ROOT_CERTIFICATE, *_issuing(have, intermediate)), intermediate)
    if ISSUING_CERTIFICATE in have and ISSUING_KEY not in have and intermediate:
        raise _lost(where, ISSUING_KEY)
    if intermediate and complete_issuer:
        return Step(newest, (), True)
    if ROOT_KEY not in have:
        hint = "Or set private_ca_intermediate: true, and the intermediate signs." if complete_issuer else ""
        raise _lost(where, ROOT_KEY, hint)
    return Step(newest, _issuing(have, intermediate), intermediate)


def _issuing(have: Collection[str], intermediate: bool) -> tuple[str, ...]:
    if not intermediate:
        return ()
    return tuple(name for name in (ISSUING_KEY, ISSUING_CERTIFICATE) if name not in have)


def _lost(where: str, name: str, hint: str = "") -> MtlsError:
    remedy = f"Restore {name} from the backup."
    return MtlsError(f"{where} has no {name}, so this CA cannot sign.", PLACE, f"{remedy} {hint}".strip())


def check_subject(found: str, name: str, generation: int, path: str) -> None:
    """Refuses a root of another name: hosts would find that no certificate is from their CA, at every run.

    Raises MtlsError.
    """
    if found != subject(name, generation):
        raise MtlsError(
            f"The root in {path}/generations/{generation} is {found!r}, not {subject(name, generation)!r}.",
            "private_ca_name",
            "Write the name that the CA has, or name another directory for another CA.",
        )


def check_time(not_after: datetime, now: datetime, path: str) -> None:
    """Refuses an issuer that has expired: nothing it signs would be accepted. Raises MtlsError."""
    if not_after <= now:
        raise MtlsError(
            f"{path} expired on {not_after:%Y-%m-%d}.",
            PLACE,
            "Set another private_ca_name and run site.yml on all hosts: others refuse one not done.",
        )


def check_mode_of_key(path: str, mode: int, owner_only: int = 0o077) -> None:
    """Refuses a private key that others may read, as ssh does. Raises MtlsError."""
    if mode & owner_only:
        raise MtlsError(
            f"{path} may be read by others (mode {mode & 0o7777:04o}).",
            PLACE,
            f"Run chmod 0600 {path}, and think about who could read it until now.",
        )


def check_key(path: str, encrypted: bool, passphrase: bool, fits: bool) -> None:
    """Refuses a key that signs nothing: of another certificate, or clear where a passphrase is given.

    *passphrase*: whether one is given; *fits*: whether the key is that of the certificate. Raises MtlsError.
    """
    if passphrase and not encrypted:
        raise MtlsError(
            f"is set, but {path} is not encrypted.",
            "private_ca_passphrase",
            f"Encrypt each key of the CA (openssl pkey -aes256 -in {path} -out FILE, mode 0600, then mv),"
            " or leave the passphrase out.",
        )
    if not fits:
        raise MtlsError(
            f"{path} is not the key of the certificate beside it.",
            PLACE,
            "Restore the whole generation from one backup.",
        )


def issuer_names(intermediate: bool) -> tuple[str, str]:
    """Certificate and key of what signs, as file names of the generation."""
    return (ISSUING_CERTIFICATE, ISSUING_KEY) if intermediate else (ROOT_CERTIFICATE, ROOT_KEY)

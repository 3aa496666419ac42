# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the private CA's directory: where it may lie, and what the files in it ask for next."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .errors import MtlsError

ROOT = "root"
ROOT_CERTIFICATE, ROOT_KEY = "root.pem", "root.key"
# Of a generation: hosts are to trust its root no longer.
RETIRED = "retired"
# Of the directory: what signs, what was issued, and what was revoked.
ISSUING, ISSUED, REVOKED = "issuing", "issued.jsonl", "revoked.jsonl"
# What a directory may hold before there is a CA: our own first files, and what a fresh volume has.
NOT_YET = frozenset((".gitignore", ".lock", "generations", "lost+found"))
_GENERATION = re.compile(r"[1-9][0-9]{0,5}")
_INTERMEDIATE = re.compile(r"intermediate(?:-([2-9]|[1-9][0-9]{1,2}))?\.(?:pem|key)")
_SIGNING = re.compile(r"([1-9][0-9]{0,5})(?: ([1-9][0-9]{0,2}))?")
PLACE = "private_ca_dir"


@dataclass(frozen=True)
class Step:
    """What a generation asks for before it can sign.

    *generation* is its number, *makes* the files still to be made (empty: it can sign), *intermediate* the
    number of the intermediate that signs, 0 where the root does.
    """

    generation: int
    makes: tuple[str, ...]
    intermediate: int


@dataclass(frozen=True)
class Signing:
    """What signs: the number of a generation, 0 where there is none, and of the intermediate in it, where
    an intermediate is to sign."""

    generation: int
    intermediate: int = 1


class CannotSignError(MtlsError):
    """What is to sign has expired, or its key is lost, so that another one has to come."""


def subject(name: str, generation: int) -> str:
    """The root's subject. Each generation has its own: OpenSSL and CRLs tell issuers by subject first."""
    return f"CN={name} CA {generation}"


def is_generation(name: str) -> bool:
    """Whether a directory of this name below ``generations/`` is a generation."""
    return _GENERATION.fullmatch(name) is not None


def stem(intermediate: int) -> str:
    """How the names of the files of an intermediate begin, or those of the root (0)."""
    return ROOT if not intermediate else "intermediate" + (f"-{intermediate}" if intermediate > 1 else "")


def intermediates(files: Collection[str]) -> list[int]:
    """Numbers of the intermediates of a generation that has these *files*, whole or not."""
    found = [_INTERMEDIATE.fullmatch(name) for name in files]
    return sorted({int(match[1] or 1) for match in found if match})


def authorities(files: Collection[str]) -> list[str]:
    """The stem of each certificate of a generation that signs or has signed."""
    stems = [stem(number) for number in (0, *intermediates(files))]
    return [one for one in stems if f"{one}.pem" in files]


def crl_name(of: str) -> str:
    """The file with the CRL of the certificate of this stem."""
    return f"{of}-crl.pem"


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
    ours = {ISSUED, REVOKED, ISSUING}.intersection(strangers)
    if ours:
        raise MtlsError(
            f"{path} holds {', '.join(sorted(ours))} of a CA, but its keys and certificates are gone.",
            PLACE,
            "Restore generations/ from the backup. If that is lost: docs/recovery.md.",
        )
    raise MtlsError(
        f"{path} is not empty and holds no private CA, but {', '.join(strangers[:5])}.",
        PLACE,
        "Name an empty directory, one that does not exist yet, or the one that the CA is in.",
    )


def signing(written: str, generations: Mapping[int, Collection[str]], path: str) -> Signing:
    """What signs. *written* is the text of the file ``issuing``, empty where there is none: then it is the
    lowest of the *generations* (number: files) that is not retired.

    Raises MtlsError where what is written cannot be.
    """
    live = sorted(number for number, files in generations.items() if RETIRED not in files)
    match = _SIGNING.fullmatch(written.strip())
    if not written:
        if generations and not live:
            raise MtlsError(
                f"{path}: every generation is retired, so none signs.",
                PLACE,
                f"Restore {ISSUING} from the backup, or the generation that it names.",
            )
        return Signing(live[0] if live else 0)
    if match is None:
        said = f"holds {written[:40]!r}, which is no number of a generation."
        raise MtlsError(f"{path}/{ISSUING} {said}", PLACE, "Restore it from the backup.")
    number = int(match[1])
    if number not in live:
        why = "is retired" if number in generations else "is not there"
        raise MtlsError(
            f"{path}/{ISSUING} names generation {number}, which {why}.",
            PLACE,
            f"Restore generations/ and {ISSUING} from one backup.",
        )
    return Signing(number, int(match[2] or 1))


def signing_text(now: Signing) -> str:
    """What the file ``issuing`` says of it."""
    return f"{now.generation} {now.intermediate}\n" if now.intermediate > 1 else f"{now.generation}\n"


def check_there(generations: Collection[int], path: str) -> None:
    """Refuses a directory without a CA. Raises MtlsError."""
    if not generations:
        raise MtlsError(f"{path} holds no CA yet.", PLACE, "Run site.yml first, which makes it.")


def following(
    now: Signing,
    generations: Mapping[int, Collection[str]],
    what: str,
    intermediate: bool,
    path: str,
) -> Signing:
    """What is to sign after the present one, a generation or (*what*) an intermediate of the same: the
    newest, where it does not sign yet, is not retired and has not lost its key, else one that is to be made.

    *intermediate*: whether an intermediate signs at all. Raises MtlsError.
    """
    check_there(generations, path)
    if what == "generation":
        newest = max(generations)
        to_come = newest > now.generation and not {RETIRED} & set(generations[newest])
        if to_come and ROOT_CERTIFICATE in generations[newest]:
            to_come = any(is_key(name) for name in generations[newest])
        return Signing(newest if to_come else newest + 1)
    if not intermediate:
        raise MtlsError(
            "is false: the root signs, and there is no intermediate that a new one could follow.",
            "private_ca_intermediate",
            "Set it to true, or make a new generation.",
        )
    newest = max(intermediates(generations[now.generation]), default=0)
    return Signing(now.generation, newest if newest > now.intermediate else newest + 1)


def check_issuing(number: int, files: Collection[str] | None, intermediate: bool, path: str) -> Signing:
    """What signs when generation *number*, which has these *files* (None: there is none), is to sign: of its
    intermediates the newest. Raises MtlsError where it cannot."""
    if files is None:
        raise _unknown(number, path)
    if RETIRED in files:
        raise MtlsError(
            f"{path}/generations/{number} is retired: hosts no longer trust what it signs.",
            PLACE,
            "Name another generation.",
        )
    newest = max(intermediates(files), default=1)
    step = next_step(number, files, newest if intermediate else 0, path)
    if step.makes:
        raise MtlsError(
            f"{path}/generations/{number} has no {', '.join(step.makes)} yet, so it cannot sign.",
            PLACE,
            "Make the generation first.",
        )
    return Signing(number, newest)


def check_retired(number: int, generations: Collection[int], now: Signing, path: str) -> None:
    """Refuses to retire the generation that signs, and one that is not there. Raises MtlsError."""
    if number not in generations:
        raise _unknown(number, path)
    if number == now.generation:
        raise MtlsError(
            f"{path}/generations/{number} is the one that signs.",
            PLACE,
            "Let another generation sign first; then retire this one.",
        )


def check_signed(number: int, now: Signing) -> None:
    """Refuses certificates of a generation that does not sign any more. Raises MtlsError."""
    if number != now.generation:
        raise MtlsError(
            f"Generation {number} signed, and now it is generation {now.generation} that signs: another run"
            " has moved on meanwhile. Nothing is delivered.",
            PLACE,
            "Run again.",
        )


def _unknown(number: int, path: str) -> MtlsError:
    return MtlsError(f"{path} has no generation {number}.", PLACE, "Name one that is there, or make it.")


def next_step(generation: int, files: Collection[str], intermediate: int, path: str) -> Step:
    """What a *generation*, which has these *files*, lacks before it can sign, by the intermediate of this
    number or (0) by its root.

    *generation* 0 is none: generation 1 is to be made. A key without its certificate is what a killed run
    leaves, and its certificate can be made again; a certificate without its key is a loss that only a
    backup mends. The root's key may be away (off line) where the intermediate signs.
    Raises MtlsError.
    """
    have = set(files)
    if not have:
        wanted = [ROOT_KEY, ROOT_CERTIFICATE]
        return Step(max(generation, 1), (*wanted, *_issuing(have, intermediate)), intermediate)
    where = f"{path}/generations/{generation}"
    certificate, key = issuer_names(intermediate or 1)
    complete_issuer = {certificate, key} <= have
    if ROOT_CERTIFICATE not in have:
        if ROOT_KEY not in have or certificate in have:
            raise _lost(where, ROOT_CERTIFICATE)
        return Step(generation, (ROOT_CERTIFICATE, *_issuing(have, intermediate)), intermediate)
    if certificate in have and key not in have and intermediate:
        raise _lost(where, key)
    if intermediate and complete_issuer:
        return Step(generation, (), intermediate)
    if ROOT_KEY not in have:
        hint = "Or set private_ca_intermediate: true, and the intermediate signs." if complete_issuer else ""
        raise _lost(where, ROOT_KEY, hint)
    return Step(generation, _issuing(have, intermediate), intermediate)


def _issuing(have: Collection[str], intermediate: int) -> tuple[str, ...]:
    if not intermediate:
        return ()
    certificate, key = issuer_names(intermediate)
    return tuple(name for name in (key, certificate) if name not in have)


def _lost(where: str, name: str, hint: str = "") -> MtlsError:
    said, remedy = f"{where} has no {name}, so this CA cannot sign.", f"Restore {name} from the backup."
    if not is_key(name):
        return MtlsError(said, PLACE, f"{remedy} The trust.pem of hosts has it, too: docs/recovery.md.")
    return CannotSignError(
        said,
        PLACE,
        f"{remedy} {hint} If it is lost, keep the certificate, which hosts trust, and let rotate_ca.yml"
        " replace it: docs/recovery.md.".replace("  ", " "),
    )


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
        raise CannotSignError(
            f"{path} expired on {not_after:%Y-%m-%d}.",
            PLACE,
            "Run rotate.yml: it makes what is to sign next, and all hosts get that and new certificates.",
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


def issuer_names(intermediate: int) -> tuple[str, str]:
    """Certificate and key of what signs, as file names of the generation."""
    return f"{stem(intermediate)}.pem", f"{stem(intermediate)}.key"


def is_key(name: str) -> bool:
    """Whether a file of this name in a generation is a private key."""
    return name.endswith(".key")

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that imports cryptography, guarded: everything else uses ``_deps.x509`` and so on.

A host without the library can still import every module (the sanity test does); ``require`` says what to
install. Differences between versions of the library are levelled here or in ``certificate.py``.
"""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator

from .._core.errors import MtlsError

try:
    from cryptography import __version__ as VERSION
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import (
        dsa,
        ec,
        ed448,
        ed25519,
        padding,
        rsa,
        x448,
        x25519,
    )
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    try:  # its home since 43; in 48 it has left the other
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        TripleDES = algorithms.TripleDES  # type: ignore[misc]  # the same class, elsewhere
    try:  # since 45
        from cryptography.hazmat.decrepit.ciphers.algorithms import Camellia
    except ImportError:
        Camellia = algorithms.Camellia  # type: ignore[misc]  # the same class, elsewhere

    IMPORT_ERROR = ""
except (ImportError, AttributeError, OSError, RuntimeError) as error:
    # Not only absent: built for another Python or OpenSSL, or without the legacy provider that it asks for.
    VERSION = ""
    IMPORT_ERROR = str(error) or type(error).__name__

# What Debian 11 has; whoever needs more says so. One call of `require` per module run.
READ_MINIMUM = (3, 3)
WRITE_MINIMUM = (38, 0)

__all__ = [
    "IMPORT_ERROR",
    "READ_MINIMUM",
    "VERSION",
    "WRITE_MINIMUM",
    "Camellia",
    "Cipher",
    "ExtendedKeyUsageOID",
    "InvalidSignature",
    "NameOID",
    "TripleDES",
    "UnsupportedAlgorithm",
    "algorithms",
    "dsa",
    "ec",
    "ed448",
    "ed25519",
    "engine",
    "hashes",
    "modes",
    "padding",
    "require",
    "rsa",
    "serialization",
    "x448",
    "x509",
    "x25519",
]


class UnreadableError(Exception):
    """The library does not read these bytes; its text is the library's kind of fault, never its words, which
    may quote the input."""


@contextlib.contextmanager
def untrusted() -> Iterator[None]:
    """Around all work of the library on bytes from outside: what it raises becomes UnreadableError.

    Each version has kinds of its own for hostile bytes (ValueError, TypeError, InvalidVersion,
    DuplicateExtension, ParseError …), some of them at attribute access, and its Rust half may panic:
    version 50 does so at a bad IV of an old encrypted key (PanicException, which is no Exception).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "country names should be two characters" and the like
            yield
    except Exception as error:  # noqa: BLE001 what foreign bytes make of the library is any error
        raise UnreadableError(type(error).__name__) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableError("PanicException") from None


def available() -> bool:
    return not IMPORT_ERROR


def engine() -> str:
    """`cryptography 43.0.0`, as results name who gave a verdict."""
    return f"cryptography {VERSION}"


def require(minimum: tuple[int, int] = READ_MINIMUM) -> None:
    """Raises MtlsError, with the package to install, when the library is absent or older than *minimum*."""
    wanted = ".".join(str(number) for number in minimum)
    remedy = (
        f"Install the package python3-cryptography (apt install python3-cryptography), version {wanted}"
        " or newer, for the interpreter that Ansible uses there (ansible_python_interpreter)."
    )
    if not available():
        raise MtlsError(
            f"The Python library cryptography is missing or broken on this host ({IMPORT_ERROR}).",
            sys.executable or "python",
            remedy,
        )
    have = tuple(int(number) for number in re.findall(r"\d+", VERSION)[:2])
    if have < minimum:
        raise MtlsError(
            f"The Python library cryptography is {VERSION} on this host, {wanted} is needed.",
            sys.executable or "python",
            remedy,
        )

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of TLS with Python's ssl: identity and trust, what was served, what a fault means."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tls_alert import alert_name, alert_number

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_STRAY = 64


@dataclass(frozen=True)
class Identity:
    """The client certificate (leaf first, then its chain) and its key, both PEM files."""

    certificate_path: str
    private_key_path: str
    passphrase: Optional[bytes] = field(default=None, repr=False)


def client_context(
    identity: Optional[Identity] = None,
    cafile: str = "",
    verify_hostname: bool = False,
    tls_version: str = "",
    alpn: Sequence[str] = (),
) -> ssl.SSLContext:
    """Return a new context with Python's and the system's own minimum for protocols, keys and digests.

    Without *cafile* nothing of the server is verified. Raises MtlsError for files that cannot be loaded; its
    place is the path.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if cafile:
        try:
            context.load_verify_locations(cafile=cafile)
        except OSError as error:
            _unusable("CA file", cafile, error)
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = verify_hostname
    if tls_version:
        context.minimum_version = context.maximum_version = TLS_VERSIONS[tls_version]
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity is not None:
        _load_identity(context, identity)
    return context


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    asked = []

    def passphrase() -> bytes:
        # Without a callable OpenSSL would ask on the terminal, and hang there.
        asked.append(True)
        if identity.passphrase is None:
            raise MtlsError(
                "The private key is encrypted.", identity.private_key_path, "Give its passphrase."
            )
        return identity.passphrase

    try:
        context.load_cert_chain(identity.certificate_path, identity.private_key_path, passphrase)
    except OSError as error:
        if asked and getattr(error, "reason", "") != "KEY_VALUES_MISMATCH":
            raise MtlsError(
                "The private key cannot be decrypted with this passphrase.", identity.private_key_path
            ) from error
        _unusable("client certificate and key", identity.certificate_path, error)
    except ValueError as error:
        raise MtlsError(
            "The passphrase is longer than OpenSSL can take.", identity.private_key_path
        ) from error


def _unusable(what: str, path: str, error: OSError) -> NoReturn:
    reason = str(error.strerror or error)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "it is not in PEM form").lower().replace("_", " ")
    raise MtlsError(f"The {what} cannot be loaded: {reason}.", path) from error


def served_chain(tls: ssl.SSLSocket) -> tuple[list[bytes], bool]:
    """Return the certificates that the peer sent, DER, leaf first, and whether these are all of them."""
    leaf = tls.getpeercert(binary_form=True)
    if leaf is None:
        return [], False
    public = getattr(tls, "get_unverified_chain", None)  # Python 3.13: list of DER
    private = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)  # 3.10 to 3.12
    if public is not None:
        chain = [bytes(der) for der in public()]
    else:
        certificates = private() if private is not None else None
        chain = [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in certificates or ()]
    return (chain, True) if chain else ([leaf], False)


def received_alert(error: ssl.SSLError) -> Optional[int]:
    """Return the number of the alert that the peer sent, None where the fault was found on this side."""
    number = alert_number(error.reason or "")
    return alert_number(str(error)) if number is None else number


def not_tls(tls: ssl.SSLSocket, error: ssl.SSLError) -> bytes:
    """Return how the answer began that is not TLS, b"" for any other fault of a handshake.

    OpenSSL has taken the five octets of a record's header and left the rest (no read-ahead); those five are
    told by what follows them, or come back as "?????".
    """
    if error.reason != "WRONG_VERSION_NUMBER":
        return b""
    tls.setblocking(False)
    try:
        rest = socket.socket.recv(tls, _STRAY)  # not SSLSocket's: the octets as they came
    except OSError:
        rest = b""
    return (b"HTTP/" if re.match(rb"1\.[01] [1-9][0-9][0-9][ \r\n]", rest) else b"?????") + rest


def words(error: ssl.SSLError) -> str:
    """Return what went wrong, in the same words for every version of OpenSSL where that is possible."""
    alert = received_alert(error)
    if alert is not None:
        return f"the server sent TLS alert {alert} ({alert_name(alert)})"
    if isinstance(error, ssl.SSLEOFError):
        return "the connection was closed without a word of TLS"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message} ({error.verify_code})"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "the answer is not TLS"
    # "[SSL: BAD_SIGNATURE] bad signature (_ssl.c:1000)": the line is one of CPython's own source.
    return re.sub(r"\s*\(_ssl\.c:\d+\)$", "", str(error.args[-1]))

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for files that are neither PEM nor DER: what a person has put into a certificate's place by mistake.

Pure; told by the first octets, or by text that such files have and no others.
"""

from __future__ import annotations

import base64
import re

from . import kinds

# (beginning, what it is)
_BEGINNINGS = (
    (b"\xfe\xed\xfe\xed", "a Java keystore (JKS)"),
    (b"\xce\xce\xce\xce", "a Java keystore (JCEKS)"),
    (b"PuTTY-User-Key-File-", "a private key in PuTTY's own format"),
    (b"openssh-key-v1\0", "a private key in OpenSSH's own format, without its armour"),
    (b"---- BEGIN SSH2 PUBLIC KEY", "an SSH public key"),
    (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY", "an SSH private key"),
    (b"SSH PRIVATE KEY FILE FORMAT 1.1\n", "an SSH private key of version 1"),
    (b"$ANSIBLE_VAULT;", "an encrypted Ansible vault"),
    (b"age-encryption.org/", "encrypted with age"),
    (b"\x1e\xf1\xb5\xb0", "a private key in Microsoft's format PVK"),
    (b"\0\0\0\0CERT", "a certificate store of Microsoft's (SST)"),
    (b"SQLite format 3\0", "an SQLite database, as NSS keeps certificates in"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "an RTF document"),
)
_SSH_PUBLIC = re.compile(rb"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) AAAA")
_HTML = re.compile(rb"<(?:!doctype html|html)\b", re.IGNORECASE)
# Old and new packets for a public or secret key, with lengths of one or two octets, and the version behind.
_OPENPGP = re.compile(
    rb"(?:[\x94\x98].|[\x95\x99]..|[\xc5\xc6](?:[\x00-\xbf]|[\xc0-\xdf].))[\x03-\x06]", re.DOTALL
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{16,}={0,2}\s*")
_TAR_MAGIC = 257


def name(data: bytes) -> str:
    """ "a Java keystore", "an HTML page" and so on; nothing for what is unknown."""
    text = data[:200].lstrip()
    for beginning, what in _BEGINNINGS:
        if data.startswith(beginning):
            return what
    if data[_TAR_MAGIC : _TAR_MAGIC + 5] == b"ustar":
        return "a tar archive"
    if _SSH_PUBLIC.match(text):
        return kinds.WORDS[kinds.OPENSSH_PUBLIC_KEY]
    if _HTML.match(text):
        return "an HTML page"
    if text.startswith(b"<?xml"):
        return "XML"
    if text.startswith(b"{"):
        return "a JSON Web Key" if b'"kty"' in data[:5000] else "JSON"
    return _name_of_base64(data) or ("OpenPGP in binary form" if _OPENPGP.match(data) else "")


def _name_of_base64(data: bytes) -> str:
    head = data[:4096]
    if not _BASE64.fullmatch(head):
        return ""
    text = head.translate(None, b" \t\r\n=")
    inside = base64.b64decode(text[: len(text) // 4 * 4])
    if b"-----BEGIN " in inside[:1000]:
        return "base64 of PEM text"
    # Cut off, so only the header of the outer value can be looked at.
    if inside[:1] == b"\x30" and inside[1:2] in (b"\x80", b"\x81", b"\x82", b"\x83"):
        return "base64 without BEGIN and END lines"
    return ""

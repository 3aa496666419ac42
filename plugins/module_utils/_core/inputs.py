# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an option's text to the bytes it stands for."""

from __future__ import annotations

import base64
import binascii

#: Before a passphrase that the action plugin has put into hex: Ansible masks a short secret wherever its
#: letters occur in the result, so ``a`` would garble every sentence.
HEX = "mtls-hex:"


def bytes_of(content: str) -> bytes:
    """PEM text as it is; anything else is base64 of a binary file where it can be, else its own bytes."""
    if "-----BEGIN " in content:
        return utf8(content)
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return utf8(content)


def utf8(text: str) -> bytes:
    """*text* as UTF-8; a lone surrogate, which JSON can carry, must only not raise."""
    return text.encode("utf-8", "surrogatepass")


def content_of(data: bytes) -> str:
    """The reverse: text for an option that ``bytes_of`` turns into *data* again."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
    return text if "-----BEGIN " in text else base64.b64encode(data).decode()


def hide_passphrase(passphrase: str) -> str:
    return HEX + passphrase.encode().hex()


def passphrase_of(option: str) -> bytes:
    return bytes.fromhex(option[len(HEX) :]) if option.startswith(HEX) else option.encode()

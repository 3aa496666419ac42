# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's command openssl for keys: the public half of a private key, and a public key in its own form.

The key goes in by standard input, the passphrase through a pipe of its own; nothing of either stands in an
argument, the environment or a file.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import Optional

from .._core.asn1 import der, private_key, public_key
from .._core.asn1.private_key import Answer
from . import openssl

_PUBLIC = ["-pubout", "-outform", "DER"]
# Points uncompressed, curves by name: so that equal keys are equal texts. Keys of other kinds, and those of
# the curve SM2, refuse these options.
_ONE_FORM = ["-ec_conv_form", "uncompressed", "-ec_param_enc", "named_curve"]
_EC_PUBLIC_KEY = der.encode_oid(public_key.EC_PUBLIC_KEY)
# The command reads a line of at most APP_PASS_LEN - 1 octets (apps/lib/app_passwd.c).
_MAX_PASSPHRASE = 1023
# Of its many words at one fault; those for a cipher that is missing are followed by "bad decrypt".
_UNSUPPORTED = re.compile(
    rb"digital envelope routines:\w*:(unsupported|unknown)|PEM routines:\w*:unsupported encryption"
)
_WRONG = re.compile(rb":bad decrypt|cipherfinal error|:bad password read|unable to get passphrase")


class HostKeys:
    """*run* runs the command; its version is asked for once."""

    def __init__(self, run: openssl.Run = openssl.run) -> None:
        self._run = run

    @cached_property
    def engine(self) -> str:
        """As ``openssl.engine``."""
        return openssl.engine(self._run)

    def ask(self, key: bytes, passphrase: Optional[bytes] = None) -> Answer:
        """The public half of the private *key*, one PEM block or DER. What its derivation costs is the
        caller's to look at first."""
        engine = self.engine
        if not engine or (passphrase is not None and not _one_line(passphrase)):
            return Answer(b"", private_key.SILENT, engine)
        arguments = ["pkey", "-inform", "PEM" if b"-----BEGIN " in key else "DER", *_PUBLIC]
        if passphrase is None:
            return self._normal(self._run([*arguments, "-passin", "pass:"], key))
        reader, writer = os.pipe()
        try:
            # It fits into the pipe: nobody has to read while it is written.
            os.write(writer, passphrase + b"\n")
            os.close(writer)
            writer = -1
            ended = self._run([*arguments, "-passin", f"fd:{reader}"], key, (reader,))
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
        return self._normal(ended)

    def ask_public(self, spki: bytes) -> Answer:
        """The DER of a SubjectPublicKeyInfo, as OpenSSL writes it."""
        engine = self.engine
        if not engine:
            return Answer(b"", private_key.SILENT)
        arguments = ["pkey", "-pubin", "-inform", "DER", *_PUBLIC]
        if _EC_PUBLIC_KEY in spki:
            answer = _answer(self._run([*arguments, *_ONE_FORM], spki), engine)
            if answer.spki:
                return answer
        return _answer(self._run(arguments, spki), engine)

    def _normal(self, ended: openssl.Ended) -> Answer:
        answer = _answer(ended, self.engine)
        return self.ask_public(answer.spki) if _EC_PUBLIC_KEY in answer.spki else answer


def _one_line(passphrase: bytes) -> bool:
    return len(passphrase) <= _MAX_PASSPHRASE and not set(passphrase) & set(b"\r\n\x00")


def _answer(ended: openssl.Ended, engine: str) -> Answer:
    if not ended.ran:
        return Answer(b"", private_key.SILENT, engine)
    if ended.code == 0 and ended.out:
        return Answer(ended.out, "", engine)
    if _UNSUPPORTED.search(ended.err):
        return Answer(b"", private_key.UNSUPPORTED, engine)
    if _WRONG.search(ended.err):
        return Answer(b"", private_key.PASSPHRASE, engine)
    return Answer(b"", private_key.REFUSED, engine)

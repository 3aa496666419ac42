# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's openssl is asked about keys, and no secret leaves by any other way than it should."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.asn1 import private_key
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import openssl
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_key import HostKeys
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import keys, raw
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.openssl import needs_openssl

P256 = keys.ec_key()
BLOCK = keys.pem(keys.rsa_pkcs8())
LOCKED = keys.pem(keys.pbes2(keys.rsa_pkcs8()), "ENCRYPTED PRIVATE KEY")


class Fake:
    """Stands for the command; *ended* is what each question after the one for the version ends with."""

    def __init__(self, *ended: openssl.Ended, version: bytes = b"OpenSSL 3.5.7 9 Jun 2026\n") -> None:
        self.ended = list(ended)
        self.version = version
        self.asked: list[list[str]] = []
        self.read = b""

    def __call__(self, arguments, stdin=b"", pass_fds=(), cwd="/"):
        if arguments == ["version"]:
            return openssl.Ended(0, self.version, b"")
        self.asked.append(list(arguments))
        self.stdin, self.pass_fds = stdin, tuple(pass_fds)
        self.environment = dict(os.environ)
        for descriptor in pass_fds:
            self.read += os.read(descriptor, 10_000)
        return self.ended.pop(0)


def said(out: bytes = b"", err: bytes = b"", code: int = 0) -> openssl.Ended:
    return openssl.Ended(code, out, err)


def test_the_key_goes_in_by_standard_input_and_the_passphrase_by_a_pipe() -> None:
    fake = Fake(said(keys.rsa_spki()))
    before = set(os.listdir("/proc/self/fd"))
    answer = HostKeys(fake).ask(LOCKED, keys.SECRET)
    assert answer == (keys.rsa_spki(), "", "openssl 3.5.7")
    assert (fake.stdin, fake.read) == (LOCKED, keys.SECRET + b"\n")
    (arguments,) = fake.asked
    assert arguments[-2:] == ["-passin", f"fd:{fake.pass_fds[0]}"]
    for place in [*arguments, *fake.environment.values()]:
        assert keys.SECRET.decode() not in place and "PRIVATE" not in place
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_pipe_is_closed_whatever_happens() -> None:
    def run(arguments, stdin=b"", pass_fds=(), cwd="/"):
        if arguments == ["version"]:
            return said(b"OpenSSL 3.5.7\n")
        raise KeyboardInterrupt

    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt):
        HostKeys(run).ask(LOCKED, keys.SECRET)
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_passphrase_nobody_is_prompted() -> None:
    fake = Fake(said(keys.rsa_spki()))
    assert HostKeys(fake).ask(BLOCK).spki == keys.rsa_spki()
    assert fake.asked[0][-2:] == ["-passin", "pass:"] and fake.pass_fds == ()


@pytest.mark.parametrize("passphrase", [b"two\nlines", b"a\rb", b"a\x00b", b"x" * 1024])
def test_a_passphrase_that_the_command_would_cut_is_not_given_to_it(passphrase) -> None:
    fake = Fake()
    assert HostKeys(fake).ask(LOCKED, passphrase).fault == private_key.SILENT
    assert fake.asked == []


@pytest.mark.parametrize("version", [b"", b"OpenSSL 1.1.1w  11 Sep 2023\n", b"LibreSSL 3.9.2\n"])
def test_no_openssl_3(version) -> None:
    host = HostKeys(Fake(version=version))
    assert host.engine == ""
    assert host.ask(BLOCK).fault == host.ask_public(P256.spki()).fault == private_key.SILENT


def test_the_version_is_asked_for_once() -> None:
    calls = []

    def run(arguments, stdin=b"", pass_fds=(), cwd="/"):
        calls.append(arguments)
        return said(b"OpenSSL 3.5.7\n") if arguments == ["version"] else said(keys.rsa_spki())

    host = HostKeys(run)
    host.ask(BLOCK)
    host.ask(BLOCK)
    assert calls.count(["version"]) == 1


FAULTS = [
    (said(code=-1), private_key.SILENT),
    (said(code=1, err=b"x:error:1C800064:Provider routines::bad decrypt:y"), private_key.PASSPHRASE),
    (
        said(code=1, err=b"x:error:11800074:PKCS12 routines::pkcs12 cipherfinal error:y"),
        private_key.PASSPHRASE,
    ),
    (said(code=1, err=b"x:error:0308010C:digital envelope routines::unsupported:y"), private_key.UNSUPPORTED),
    (said(code=1, err=b"Could not read key from <stdin>"), private_key.REFUSED),
    (said(code=0), private_key.REFUSED),
]


@pytest.mark.parametrize(("ended", "fault"), FAULTS, ids=range(len(FAULTS)))
def test_faults(ended, fault) -> None:
    assert HostKeys(Fake(ended)).ask(LOCKED, keys.SECRET) == (b"", fault, "openssl 3.5.7")


@needs_openssl
@pytest.mark.parametrize(
    ("name", "given", "spki"),
    [
        ("PEM", BLOCK, keys.rsa_spki()),
        ("DER", keys.rsa_pkcs8(), keys.rsa_spki()),
        ("PKCS#1", keys.pem(keys.pkcs1(), "RSA PRIVATE KEY"), keys.rsa_spki()),
        ("ec", keys.pem(P256.pkcs8()), P256.spki()),
        ("compressed", keys.pem(P256.pkcs8(P256.compressed)), P256.spki()),
        ("written out", keys.pem(P256.sec1(parameters=keys.explicit_p256()), "EC PRIVATE KEY"), P256.spki()),
        ("no point", keys.pem(P256.sec1(None), "EC PRIVATE KEY"), P256.spki()),
        ("ed25519", keys.pem(keys.fixed_pkcs8("ed25519")), keys.fixed_spki("ed25519")),
    ],
)
def test_the_public_half_by_the_real_command(name, given, spki) -> None:
    host = HostKeys()
    assert host.ask(given) == (spki, "", host.engine)


@needs_openssl
@pytest.mark.parametrize("cipher", ["ARIA-256-CBC", "SM4-CBC"])
def test_the_real_command_opens_what_we_do_not(cipher) -> None:
    made = openssl.run(["rsa", "-traditional", f"-{cipher.lower()}", "-passout", "pass:x y"], BLOCK)
    host = HostKeys()
    assert host.ask(made.out, b"x y").spki == keys.rsa_spki()
    # CBC tells no wrong key: what one passphrase in 256 makes of it ends as if it were padded.
    faults = {host.ask(made.out, wrong).fault for wrong in (b"wrong", b"worse", b"x", b"y")}
    assert private_key.PASSPHRASE in faults
    assert faults <= {private_key.PASSPHRASE, private_key.REFUSED}


@needs_openssl
def test_faults_of_the_real_command() -> None:
    host = HostKeys()
    assert host.ask(LOCKED, b"wrong").fault == private_key.PASSPHRASE
    assert host.ask(LOCKED).fault == private_key.PASSPHRASE
    assert host.ask(b"nothing").fault == private_key.REFUSED
    legacy = keys.with_headers("RSA PRIVATE KEY", bytes(32), "DES-CBC", "00" * 8)
    assert host.ask(legacy, b"x").fault == private_key.UNSUPPORTED
    assert host.ask_public(raw.seq()).fault == private_key.REFUSED
    assert host.ask_public(P256.spki(P256.compressed)).spki == P256.spki()

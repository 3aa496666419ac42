# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the output of s_client, on outputs of four versions as they were.

`s_client/VERSION-CASE.txt` is the file of `-msgfile`, from the openssl of Debian 11, 12, 13 and unstable
against the `s_server` of the same version: `asked` with `-Verify`, two authorities and a staple, `silent`
without, `alert` is TLS 1.3 alone for a server that has 1.2.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import s_client, tls_messages
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.tls_messages import Flight, TlsError

OUTPUTS = Path(__file__).parent / "s_client"
VERSIONS = ["1.1.1w", "3.0.20", "3.5.7", "3.6.5"]


def output(name: str) -> str:
    return (OUTPUTS / f"{name}.txt").read_text(encoding="ascii")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls", ["1_2", "1_3"])
def test_who_asks_for_a_certificate(version: str, tls: str) -> None:
    heard = s_client.hear(output(f"{version}-asked-{tls}"), "")
    assert heard.why == ""
    assert (heard.flight.alpn, len(heard.flight.certificates)) == ("http/1.1", 2)
    asked = s_client.requested(heard.flight)
    assert asked["certificate"] is True
    assert asked["names"] == [
        "CN=root",
        'CN=\\ \\<b\\>two\\</b\\>\\+,O=\\C3\\84mter\\, Inc. \\"x\\",C=DE',
    ]
    assert base64.b64decode(asked["names_der"][0]) == bytes.fromhex("300f310d300b06035504030c04726f6f74")
    schemes = asked["signature_algorithms"]
    assert {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "ed25519"} <= set(schemes)
    assert ("dsa_sha256" in schemes) is (tls == "1_2")
    assert ("mldsa65" in schemes) is (tls == "1_3" and version >= "3.5")
    assert [name for name in schemes if name.startswith("0x")] == []
    assert s_client.staple(heard.flight) == {
        "status": "good",
        "this_update": "2026-11-20T00:00:00Z",
        "next_update": "2026-11-27T00:00:00Z",
    }


@pytest.mark.parametrize(
    "name", ["1.1.1w-silent-1_2", "1.1.1w-silent-1_3", "3.0.20-silent-1_2", "3.0.20-silent-1_3"]
)
def test_who_asks_for_nothing(name: str) -> None:
    heard = s_client.hear(output(name), "")
    assert heard.why == ""
    assert s_client.requested(heard.flight) == {
        "certificate": False,
        "names": [],
        "names_der": [],
        "signature_algorithms": [],
    }
    assert s_client.staple(heard.flight)["status"] == "none"
    assert heard.flight.alpn == ""


@pytest.mark.parametrize("version", ["1.1.1w", "3.6.5"])
def test_a_handshake_that_the_server_ends(version: str) -> None:
    heard = s_client.hear(output(f"{version}-alert"), "")
    assert heard.flight.whole is False
    assert heard.why.endswith("the server sent TLS alert 70 (protocol version)")


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ("", "no more came"),
        ("connect:errno=104\n", "no more came"),
        (
            "40B7:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:x.c:354:",
            "wrong version number",
        ),
        ("40B7:error:0A000126:SSL routines::unexpected eof:x.c:322:", "unexpected eof"),
        (
            "139:error:1408F10B:SSL routines:ssl3_get_record:wrong version number:x.c:332:",
            "wrong version number",
        ),
    ],
)
def test_a_handshake_of_which_nothing_came(errors: str, words: str) -> None:
    heard = s_client.hear("", errors)
    assert heard == (Flight(), f"the handshake of openssl s_client did not come to its end: {words}")


@pytest.mark.parametrize("name", ["3.5.7-asked-1_2", "3.5.7-asked-1_3"])
def test_half_a_flight_says_nothing_for_sure(name: str) -> None:
    """Cut before the server's last message: no CertificateRequest may mean that it is still to come."""
    last = "ServerHelloDone" if name.endswith("1_2") else "Finished"
    lines = output(name).splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if line.startswith("<<<") and last in line)
    assert s_client.hear("".join(lines[:end]), "").flight.whole is False
    assert s_client.hear("".join(lines[: end + 40]), "").flight.whole is True


@pytest.mark.parametrize("name", ["3.0.20-asked-1_2", "3.6.5-asked-1_3"])
def test_damaged_output_raises_nothing(name: str) -> None:
    """Each octet of what was received set to 00 and to ff, and the output cut at each line."""
    lines = output(name).splitlines()
    for number in range(len(lines)):
        s_client.hear("\n".join(lines[:number]), "")
    whole = "\n".join(lines)
    for place in [found.start() for found in re.finditer(r"(?<= )[0-9a-f]{2}(?= |$)", whole, re.MULTILINE)][
        ::3
    ]:
        for value in ("00", "ff"):
            heard = s_client.hear(whole[:place] + value + whole[place + 2 :], "")
            if heard.flight.whole:
                s_client.requested(heard.flight)
                s_client.staple(heard.flight)


@pytest.mark.parametrize(
    "messages", [[b"\x02"], [b"\x02\0\0\x05abc"], [b"\x02\0\0\x02\x03\x03"], [b"\x0b\0\0\x03\0\0\x09"]]
)
def test_a_message_that_is_cut(messages: list[bytes]) -> None:
    with pytest.raises(TlsError):
        tls_messages.read(messages)


def test_a_name_that_cannot_be_read_and_a_number_without_a_name() -> None:
    hello = b"\x02\0\0\x26\x03\x03" + bytes(36)
    request = b"\x0d\0\0\x0e\x01\x40" + b"\0\x04\x04\x03\xfe\xed" + b"\0\x04\0\x02\xff\xff"
    flight = tls_messages.read([hello, request, b"\x0e\0\0\0"])
    assert s_client.requested(flight) == {
        "certificate": True,
        "names": [""],
        "names_der": ["//8="],
        "signature_algorithms": ["ecdsa_secp256r1_sha256", "0xfeed"],
    }


@pytest.mark.parametrize(
    ("name", "tls", "alpn", "words"),
    [
        ("", "", (), ["-noservername"]),
        ("a.test", "1.2", (), ["-servername", "a.test", "-tls1_2"]),
        ("-key", "1.3", ("h2", "http/1.1"), ["-servername", "-key", "-tls1_3", "-alpn", "h2,http/1.1"]),
    ],
)
def test_what_it_is_asked(name: str, tls: str, alpn: tuple[str, ...], words: list[str]) -> None:
    arguments = s_client.arguments(name, tls, alpn)
    assert arguments[0] == "s_client"
    assert arguments[-len(words) :] == words
    assert not {"-cert", "-key", "-pass"} & {word for word in arguments if word != name}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("OpenSSL 1.1.1w  11 Sep 2023", "1.1.1w"),
        ("OpenSSL 3.0.20 7 Apr 2026 (Library: OpenSSL 3.0.20 7 Apr 2026)", "3.0.20"),
        ("LibreSSL 3.8.2", ""),
        ("", ""),
    ],
)
def test_the_version(said: str, version: str) -> None:
    assert s_client.version(said) == version

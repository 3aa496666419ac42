# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies of hypothesis that spoil the sound objects of corpus.py: as bytes, as DER trees, as PEM text.

``files()`` is any file; ``tree`` and ``encode`` take DER apart and put it together again, so that a mutation
deep inside leaves all lengths around it right and is met by the code that reads that depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import corpus, raw

CONSTRUCTED = 0x20
OCTET_STRING, BIT_STRING, OBJECT_IDENTIFIER = 0x04, 0x03, 0x06
_DATES = (
    b"", b"Z", b"000101000000Z", b"491231235959Z", b"500101000000Z", b"00000101000000Z", b"99991231235959Z",
    b"20260229000000Z", b"20260630235960Z", b"2026063023Z", b"260630235959+0100", b"20260630235959.5Z",
    b"26063023595\x00Z", b"\xff" * 13, b"20261301000000Z", b"20260101000000",
)  # fmt: skip
_OIDS = (b"", b"\x80", b"\x80\x80\x01", b"\xff" * 40, b"\x2a\x03" + b"\xff" * 9 + b"\x7f", b"\x55\x1d\x81")
_LARGEST = 200_000  # octets of what is repeated
_NUMBERS = (0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**160), 2**16384, 10**9)


@dataclass
class Node:
    """One value. *children* where its content is DER itself, also inside a string (behind *prefix*)."""

    tag: int
    content: bytes = b""
    children: list[Node] | None = None
    prefix: bytes = b""
    length: bytes | None = None
    trailer: bytes = b""

    def nodes(self) -> list[Node]:
        found, todo = [], [self]
        while todo:
            node = todo.pop()
            found.append(node)
            todo += node.children or []
        return found


def tree(der: bytes) -> Node:
    """*der* as a tree; raises ValueError where it is none."""
    nodes = _forest(der, 0)
    if len(nodes) != 1:
        raise ValueError("not one value")
    return nodes[0]


def _forest(data: bytes, depth: int) -> list[Node]:
    nodes, at = [], 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise ValueError("no header")
        size, begin = data[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            if not 0 < octets <= 4:
                raise ValueError("no length")
            size = int.from_bytes(data[begin : begin + octets], "big")
            begin += octets
        if begin + size > len(data):
            raise ValueError("too short")
        nodes.append(_node(data[at], data[begin : begin + size], depth))
        at = begin + size
    return nodes


def _node(tag: int, content: bytes, depth: int) -> Node:
    prefix = content[:1] if tag == BIT_STRING else b""
    if tag & CONSTRUCTED or (tag in (OCTET_STRING, BIT_STRING) and content[len(prefix) :]):
        try:
            return Node(tag, children=_forest(content[len(prefix) :], depth + 1), prefix=prefix)
        except ValueError:
            pass
    return Node(tag, content)


def encode(node: Node) -> bytes:
    """DER again, with the lies that a mutation put into it."""
    content = node.content
    if node.children is not None:
        content = node.prefix + b"".join(encode(child) for child in node.children)
    length = raw.length(len(content)) if node.length is None else node.length
    return bytes([node.tag & 0xFF]) + length + content + node.trailer


def _retag(draw, node: Node) -> None:
    node.tag = draw(
        st.one_of(st.sampled_from([node.tag ^ CONSTRUCTED, node.tag ^ 0x80]), st.integers(0, 255))
    )


def _lie(draw, node: Node) -> None:
    lies = [b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\x84\xff\xff\xff\xff", b"\x88" + b"\x7f" * 8, b""]
    node.length = draw(st.sampled_from(lies))


def _indefinite(draw, node: Node) -> None:
    node.tag, node.length = node.tag | CONSTRUCTED, b"\x80"
    node.trailer = draw(st.sampled_from([b"\x00\x00", b"", b"\x00"]))


def _fill(draw, node: Node) -> None:
    fillings = [b"", b"\x00", b"\xff" * 300, b"a\x00.example.com", "ü\u2028\n".encode(), b"\xd8\x00", b"%s%n"]
    node.children, node.content = None, draw(st.one_of(st.sampled_from(fillings), st.binary(max_size=40)))


def _number(draw, node: Node) -> None:
    node.children, node.content = None, raw.integer(draw(st.sampled_from(_NUMBERS)))[2:]
    if len(node.content) > 127:  # the header of a long one is longer
        node.content = node.content[-2049:]


def _date(draw, node: Node) -> None:
    node.children, node.content = None, draw(st.sampled_from(_DATES))


def _identifier(draw, node: Node) -> None:
    node.tag, node.children = OBJECT_IDENTIFIER, None
    node.content = draw(st.one_of(st.sampled_from(_OIDS), st.sampled_from(identifiers())))


def _nest(draw, node: Node) -> None:
    """Wrapped in itself so often that a recursion over it would end in RecursionError."""
    inside, tag = encode(node), draw(st.sampled_from([0x30, 0x31, 0xA0, 0x24]))
    for _level in range(draw(st.sampled_from([1, 2, 60, 1500]))):
        inside = raw.tlv(tag, inside)
    replace(node, Node(tag, inside[_header_size(inside) :]))


def _header_size(der: bytes) -> int:
    return 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)


def _splice(draw, node: Node) -> None:
    other = tree(draw(one_of(trees())))
    replace(node, draw(st.sampled_from(other.nodes())))


def replace(node: Node, other: Node) -> None:
    node.__dict__.update(other.__dict__)


def _parents(root: Node) -> list[Node]:
    return [node for node in root.nodes() if node.children]


def _repeat(draw, parent: Node) -> None:
    index = draw(st.integers(0, len(parent.children) - 1))
    times = draw(st.sampled_from([1, 1, 2, 300]))
    # Repetitions of repetitions would fill any memory.
    times = min(times, max(1, _LARGEST // len(encode(parent.children[index]))))
    parent.children[index:index] = [parent.children[index]] * times


def _remove(draw, parent: Node) -> None:
    del parent.children[draw(st.integers(0, len(parent.children) - 1))]


def _swap(draw, parent: Node) -> None:
    index = draw(st.integers(0, len(parent.children) - 1))
    parent.children.append(parent.children.pop(index))


_ON_NODES = (_retag, _lie, _indefinite, _fill, _number, _date, _identifier, _nest, _splice)
_ON_PARENTS = (_repeat, _remove, _swap)


@st.composite
def ders(draw, der: bytes | None = None) -> bytes:
    """A sound object, or *der*, with one to three mutations of its tree."""
    root = tree(draw(one_of(trees())) if der is None else der)
    for _round in range(draw(st.integers(1, 3))):
        parents = _parents(root)
        if parents and draw(st.booleans()):
            draw(st.sampled_from(_ON_PARENTS))(draw, draw(st.sampled_from(parents)))
        else:
            draw(st.sampled_from(_ON_NODES))(draw, draw(st.sampled_from(root.nodes())))
    return encode(root)


def ders_of(name: str) -> st.SearchStrategy[bytes]:
    """``ders`` of one sound object, by its name."""
    return ders(next(seed.der for seed in corpus.seeds() if seed.name == name))


@st.composite
def scratched(draw, sources: st.SearchStrategy[bytes]) -> bytes:
    """Bytes flipped, cut out, doubled, put in; or the beginning of one file and the end of another."""
    data = bytearray(draw(sources))
    for _round in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.sampled_from([1, 1, 2, 16, 200]))
        how = draw(st.sampled_from(["flip", "cut", "double", "insert", "truncate", "splice"]))
        if how == "flip" and data:
            data[at] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del data[at : at + size]
        elif how == "double":
            data[at:at] = data[at : at + size]
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif how == "truncate":
            del data[at:]
        else:
            other = draw(sources)
            data[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


_LINES = (
    b"", b" ", b"\t", b"-----", b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----",
    b"-----END PRIVATE KEY-----", b"-----BEGIN -----", b"-----BEGIN X509 CRL-----",
    b"Proc-Type: 4,ENCRYPTED", b"DEK-Info: DES-EDE3-CBC,00", b"DEK-Info: AES-256-CBC,zz", b"DEK-Info:", b":",
    b"Subject: CN=x", b"# text", b"\xff\xfe", b"\x00", b"=", b"AAAA", b"A" * 5000, b"MIIB\x1aAAA",
    "ü".encode(), b"-----BEGIN " + b"A" * 300,
)  # fmt: skip
_LABELS = (
    "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "X509 CRL", "PKCS7", "CMS", "PRIVATE KEY",
    "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY", "EC PARAMETERS",
    "CERTIFICATE REQUEST", "DSA PRIVATE KEY", "ANY PRIVATE KEY", "DH PARAMETERS", "OPENSSH PRIVATE KEY",
    "X  Y",
)  # fmt: skip


@st.composite
def texts(draw) -> bytes:
    """Blocks of PEM, their lines moved, dropped, doubled, indented, glued, mislabelled."""
    lines = b"".join(draw(st.lists(one_of(pems()), min_size=1, max_size=3))).split(b"\n")
    for _round in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(
            st.sampled_from(["insert", "remove", "double", "indent", "glue", "label", "trail", "move"])
        )
        if how == "insert":
            lines.insert(at, draw(st.sampled_from(_LINES)))
        elif how == "remove" and len(lines) > 1:
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "indent":
            lines[at] = draw(st.sampled_from([b" ", b"\t", b"\xef\xbb\xbf", b"> "])) + lines[at]
        elif how == "glue" and at + 1 < len(lines):
            lines[at : at + 2] = [lines[at] + lines[at + 1]]
        elif how == "label":
            label = draw(st.sampled_from(_LABELS)).encode()
            old = draw(st.sampled_from([b"CERTIFICATE", b"PRIVATE KEY", b"X509 CRL"]))
            lines = [line.replace(old, label) if b"-----" in line else line for line in lines]
        elif how == "trail":
            lines[at] += draw(st.sampled_from([b" ", b"\t", b"\x00", b"=", b"-", b"\x0b", b" x"]))
        else:
            lines.append(lines.pop(at))
    return draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b""])).join(lines)


@st.composite
def armoured(draw) -> bytes:
    """A mutated tree inside sound armour, beside sound blocks."""
    label = draw(st.sampled_from(_LABELS[:13]))
    blocks = draw(st.lists(one_of(pems()), max_size=2))
    blocks.insert(draw(st.integers(0, len(blocks))), raw.pem(draw(ders()), label))
    return b"".join(blocks)


@st.composite
def encoded(draw) -> bytes:
    """Sound text as an editor may save it."""
    text = draw(texts()).decode("latin-1")
    return text.encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])))


def one_of(files: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """By number: hypothesis would make a text of the files themselves, which is slow."""
    return st.integers(0, len(files) - 1).map(lambda number: files[number])


def sound() -> st.SearchStrategy[bytes]:
    """A sound file that may be the wrong one for its place."""
    return one_of(pems() + trees())


def files() -> st.SearchStrategy[bytes]:
    """Any file: sound but misplaced, or spoilt in one of many ways, or no file of ours at all."""
    return st.one_of(
        armoured(),
        ders(),
        texts(),
        scratched(sound()),
        encoded(),
        sound(),
        st.binary(max_size=200),
        st.sampled_from(
            [b"", b"\n", b"\x00" * 5000, b"-----BEGIN CERTIFICATE-----\n" * 500, b"0\x80" * 3000]
        ),
    )


@cache
def trees() -> tuple[bytes, ...]:
    """The DER of every sound object that is one value."""
    odd = ("TRUSTED CERTIFICATE", "OPENSSH PRIVATE KEY")
    return tuple(seed.der for seed in corpus.seeds() if seed.label not in odd)


@cache
def pems() -> tuple[bytes, ...]:
    """What a sound file of each kind holds."""
    return tuple(seed.pem for seed in corpus.seeds() if seed.label)


@cache
def identifiers() -> tuple[bytes, ...]:
    """The content of each object identifier of the sound objects."""
    nodes = [node for der in trees() for node in tree(der).nodes()]
    return tuple(sorted({node.content for node in nodes if node.tag == OBJECT_IDENTIFIER}))

# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading nginx configuration text: a block as a role wrote it, and the whole dump of ``nginx -T``.

It reads what nginx has already accepted or is about to test; it does not know which directive may stand
where.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional

from .errors import MtlsError

_SPACE = " \t\r\n"
#: What needs no look at each character: blanks and comments, ``;{}``, words without backslash or ``${``.
_SIMPLE = re.compile(
    r"""(?P<blank>(?:[ \t\r\n]|\#[^\n]*)+)
    | (?P<mark>[;{}])
    | (?P<word>[^ \t\r\n;{}"'\#\\][^ \t\r\n;{\\]*)(?=[ \t\r\n;]|(?<!\$)\{)
    | "(?P<double>[^"\\]*)" | '(?P<single>[^'\\]*)'""",
    re.VERBOSE,
)
_UNESCAPE = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_MARKER = re.compile(r"^# configuration file (.+):$", re.MULTILINE)


#: nginx's own parser goes as deep as its stack; nobody's configuration does.
_DEEPEST = 100
_MOST = 1_000_000


class Token(NamedTuple):
    """One word, or ``;``, ``{``, ``}``; a quoted word is never one of the three."""

    text: str
    line: int
    quoted: bool = False

    def ends(self, what: str) -> bool:
        return not self.quoted and self.text == what


@dataclass(frozen=True)
class Directive:
    """``name args;`` or ``name args { block }``; *block* is None where there is none."""

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    block: Optional[tuple[Directive, ...]] = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def children(self, name: str) -> list[Directive]:
        return [child for child in self.block or () if child.name == name]

    def value(self, name: str) -> Optional[str]:
        """The arguments of the last directive of that name in the block, in one string; None without one.

        nginx lets the last of a repeated directive win where it takes repetition at all.
        """
        found = self.children(name)
        return " ".join(found[-1].args) if found else None


def tokens(text: str, file: str = "") -> Iterator[Token]:
    """Words as ngx_conf_read_token() cuts them (nginx: src/core/ngx_conf_file.c). The code in a
    ``*_by_lua_block { }`` is passed over: it is not nginx's syntax.

    Raises MtlsError for a quoted word or a ``${`` without its end.
    """
    position, line, size, name = 0, 1, len(text), ""
    while position < size:
        found = _SIMPLE.match(text, position)
        if not found:
            start, quoted = line, text[position] in "\"'"
            word, position, line = _word(text, position, line, file)
            name = name or word
            yield Token(word, start, quoted)
            continue
        position, kind = found.end(), found.lastgroup or ""
        if kind == "mark" or kind == "word":
            yield Token(found.group(), line)
            if kind == "word":
                name = name or found.group()
                continue
            if found.group() == "{" and name.endswith(_LUA_BLOCK):
                begin, position = position, _code_end(text, position)
                line += text.count("\n", begin, position)
            name = ""
            continue
        if kind != "blank":
            name = name or found.group(kind)
            yield Token(found.group(kind), line, quoted=True)
        line += text.count("\n", found.start(), position)


def _word(text: str, position: int, line: int, file: str) -> tuple[str, int, int]:
    quote = text[position] if text[position] in "\"'" else ""
    start = line
    position += len(quote)
    out: list[str] = []
    while position < len(text):
        char = text[position]
        line += char == "\n"
        if char == "\\" and position + 1 < len(text):
            following = text[position + 1]
            line += following == "\n"
            # nginx drops the backslash only before these; before anything else it stays in the word.
            out.append(_UNESCAPE.get(following, char + following))
            position += 2
        elif quote and char == quote:
            return "".join(out), position + 1, line
        elif not quote and (char in _SPACE or char in ";{"):
            if char == "{" and out and out[-1] == "$":
                end = text.find("}", position)
                if end < 0:
                    raise MtlsError(
                        "A variable that begins with '${' does not end.",
                        f"{file}:{line}",
                        "Close the variable.",
                    )
                out.append(text[position : end + 1])
                position = end + 1
            else:
                return "".join(out), position, line - (char == "\n")
        else:
            out.append(char)
            position += 1
    if quote:
        raise MtlsError("A quoted word has no end.", f"{file}:{start}", "Close the quotation mark.")
    return "".join(out), position, line


#: What of Lua may hold a brace that is none, and the braces (ngx_http_lua_lex.c of the Lua module).
_LUA = re.compile(
    r"""--\[(?P<comment>=*)\[.*?\](?P=comment)\] | --[^\n]*
    | \[(?P<text>=*)\[.*?\](?P=text)\] | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | [{}]""",
    re.VERBOSE | re.DOTALL,
)


_LUA_BLOCK = "_by_lua_block"


def _code_end(text: str, begin: int) -> int:
    """Offset of the ``}`` that ends the block of Lua whose code starts at *begin*, braces counted."""
    depth = 1
    for found in _LUA.finditer(text, begin):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if not depth:
            return found.start()
    return len(text)


def parse(text: str, file: str = "") -> tuple[Directive, ...]:
    """All directives of *text*. Raises MtlsError where braces or the final ``;`` do not fit, and for blocks
    that lie deeper in each other than _DEEPEST."""
    stack: list[tuple[list[Directive], Optional[list[Token]]]] = [([], None)]
    words: list[Token] = []
    for token in tokens(text, file):
        if token.ends(";"):
            if words:
                stack[-1][0].append(_directive(words, file, None))
            words = []
        elif token.ends("{"):
            if not words:
                raise MtlsError(
                    "A block has no name.", f"{file}:{token.line}", "Remove the brace or name the block."
                )
            stack.append(([], words))
            words = []
            if len(stack) > _DEEPEST:
                raise MtlsError(
                    f"Blocks lie deeper in each other than {_DEEPEST}.",
                    f"{file}:{token.line}",
                    "Remove some of them.",
                )
        elif token.ends("}"):
            inner, opener = stack.pop()
            if opener is None or words:
                raise MtlsError(
                    "Unexpected '}'.", f"{file}:{token.line}", "Balance the braces, end each line with ';'."
                )
            stack[-1][0].append(_directive(opener, file, tuple(inner)))
        else:
            words.append(token)
    if len(stack) > 1 or words:
        last = words[0] if words else (stack[-1][1] or [Token("", 0)])[0]
        raise MtlsError(
            f"'{last.text}' is not ended.",
            f"{file}:{last.line}",
            "End it with ';' or close its block with '}'.",
        )
    return tuple(stack[0][0])


def _directive(words: list[Token], file: str, block: Optional[tuple[Directive, ...]]) -> Directive:
    return Directive(words[0].text, tuple(word.text for word in words[1:]), file, words[0].line, block)


@dataclass
class Dump:
    """The files of ``nginx -T`` in the order nginx opened them; the first one is the main file."""

    files: dict[str, str] = field(default_factory=dict)
    _tree: Optional[tuple[Directive, ...]] = field(default=None, repr=False, compare=False)
    _parsed: dict[str, tuple[Directive, ...]] = field(default_factory=dict, repr=False, compare=False)
    _count: int = field(default=0, repr=False, compare=False)

    @property
    def main(self) -> str:
        return next(iter(self.files), "")

    def moved(self, here: str, there: str) -> Dump:
        """The same dump with the directory *here* called *there* in the names of its files."""
        return Dump(
            {
                (there + name[len(here) :] if name.startswith(here + "/") else name): text
                for name, text in self.files.items()
            }
        )

    def tree(self) -> tuple[Directive, ...]:
        """Everything in one tree, each include replaced by what it brought in, in nginx's order.

        Raises MtlsError for what cannot be read here, also where includes make more directives than _MOST.
        """
        if self._tree is None:
            self._tree = tuple(self._read(self.main, ())) if self.files else ()
        return self._tree

    def _read(self, file: str, above: tuple[str, ...]) -> Iterator[Directive]:
        if file in above:
            return
        try:
            if file not in self._parsed:
                self._parsed[file] = parse(self.files[file], file)
            directives = self._parsed[file]
        except MtlsError as error:
            # Its words may be quoted from somebody else's configuration, and that holds secrets.
            raise MtlsError(
                "nginx accepts this, but it cannot be read here.",
                error.place,
                "Write it in nginx's plain syntax, or report it with that line.",
            ) from None
        yield from self._expand(directives, (*above, file))

    def _expand(self, directives: tuple[Directive, ...], above: tuple[str, ...]) -> Iterator[Directive]:
        for item in directives:
            self._count += 1
            if self._count > _MOST:
                raise MtlsError(
                    f"With all that is included there are more than {_MOST} directives.",
                    item.place,
                    "Include less.",
                )
            if item.name == "include" and item.args and item.block is None:
                # Kept in the tree as well: the place of an include decides which server is first.
                yield item
                for name in self.included(item.args[0]):
                    yield from self._read(name, above)
            elif item.block is not None:
                yield Directive(
                    item.name, item.args, item.file, item.line, tuple(self._expand(item.block, above))
                )
            else:
                yield item

    def included(self, pattern: str) -> list[str]:
        """Names of the dump's files that an include of *pattern* reads, sorted as glob(3) sorts them.

        Relative names start at the directory of the main file, at any depth (nginx-facts: "Files, reload").
        """
        path = posixpath.join(posixpath.dirname(self.main), pattern)
        if not re.search(r"[*?\[]", path):
            return [path] if path in self.files else []
        expression = re.compile(_glob_expression(path))
        return sorted(name for name in self.files if expression.fullmatch(name))


def _glob_expression(pattern: str) -> str:
    """A regular expression of a shell pattern in which no wildcard crosses ``/``, as in glob(3)."""
    out, position = "", 0
    while position < len(pattern):
        char = pattern[position]
        end = pattern.find("]", position + 2) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif end > 0:
            inner = pattern[position + 1 : end]
            out += "[" + ("^" + inner[1:] if inner[0] in "!^" else inner).replace("\\", "\\\\") + "]"
            position = end
        else:
            out += re.escape(char)
        position += 1
    return out


def read_dump(text: str, on_disk: Callable[[str], Optional[str]] = lambda dummy: None) -> Dump:
    """Split the output of ``nginx -T`` at its ``# configuration file`` lines; what stands before is dropped.

    A file may have such a line itself: whoever made one file of the dump of another host has left them in.
    *on_disk* gives the text of a file of that name, None where it cannot be read: as far as the dump agrees
    with it, the next file begins behind it.
    """
    dump = Dump()
    found = _MARKER.search(text)
    while found is not None:
        name, begin = found.group(1), found.end() + 1
        whole = on_disk(name)
        end = -1 if whole is None else begin + len(whole)
        if end < begin or text[begin : end + 1] != f"{whole}\n" or not _begins(text, end + 1):
            other = _MARKER.search(text, begin)
            end = (other.start() if other else len(text) + 1) - 1
        dump.files.setdefault(name, text[begin:end])
        found = _MARKER.search(text, end)
    return dump


def _begins(text: str, position: int) -> bool:
    """Whether a file begins at *position*, or nothing does."""
    return position >= len(text) or _MARKER.match(text, position) is not None

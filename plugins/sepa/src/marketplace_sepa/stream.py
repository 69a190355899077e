"""Reads XML of any size in bounded memory, and none that could harm: no DTD, so no entities.

The parts of a message are handed on one by one as small trees; names are without namespaces, for
banks write them with any prefix, and with none.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from marketplace.api import InvalidRequest

PIECE: Final = 65_536
DEEPEST: Final = 60
MOST_NODES: Final = 200_000
"""Elements in one part, not counting those that were folded."""
MOST_TEXT: Final = 16_000_000
MOST_FOLDED: Final = 100_000
"""Transactions of one entry: as many as fit into memory many times over."""
BLANK: Final = b" \t\r\n"
PADDING: Final = BLANK + b"\0\x1a"
"""What some systems fill a file up with, or end it with."""
DECLARED: Final = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
EIGHT_BIT: Final = (b"utf-8", b"utf8")
SIXTEEN_BIT: Final = (b"utf-16", b"utf16", b"utf-16le", b"utf-16be", b"ucs-2", b"unicode")
WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<")
OTHER_FILES: Final = (
    (b"PK\x03\x04", "a ZIP archive: unpack it, and import the files in it one by one"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"%PDF", "a PDF, for people only: ask the bank for camt.053 (XML)"),
    (b"{1:", "a SWIFT message (MT940): ask the bank for camt.053 (XML)"),
    (b":20:", "a SWIFT message (MT940): ask the bank for camt.053 (XML)"),
)


class Unreadable(Exception):
    """What a part says makes no sense; the text says what."""


class Part(NamedTuple):
    """Something that a message holds: a container that begins or ends, or a whole small tree."""

    tag: str
    what: str
    """`begin`, `end` or `tree`."""
    line: int
    tree: Element
    folded: list[Any]


Fold = Callable[[Element, Element], Any]
"""Makes something small of an element of a tree, given the tree so far and the element."""


def parts(
    source: BinaryIO, roots: frozenset[str], containers: frozenset[str], folds: Mapping[str, Fold]
) -> Iterator[Part]:
    """The parts of the messages in a file: what lies in a root or a container.

    Around a root there may be anything. InvalidRequest says what is wrong, and in which line.
    """
    first = source.read(PIECE)
    _refuse_other_files(first)
    encoding = _encoding(source, first)
    first = first.removeprefix(codecs.BOM_UTF8)
    kept = first if first[:2] in WIDE else first.lstrip(BLANK)
    skipped = first[: len(first) - len(kept)].count(b"\n")
    reader = _Reader(roots, containers, folds, encoding, skipped)
    piece = kept
    while piece:
        following = source.read(PIECE)
        if not following and first[:2] not in WIDE:
            piece = piece.rstrip(PADDING)
        yield from reader.feed(piece)
        piece = following
    yield from reader.feed(b"", last=True)
    if not reader.met_root:
        raise InvalidRequest(
            f"It is XML ({reader.first_tag}), but no statement, report or notification of a bank "
            "(camt.053, .052, .054) and no status report (pain.002)."
        )


def _refuse_other_files(first: bytes) -> None:
    if not first.strip(BLANK):
        raise InvalidRequest("The file is empty.")
    start = first.removeprefix(codecs.BOM_UTF8).lstrip(BLANK)
    for magic, words in OTHER_FILES:
        if start.startswith(magic):
            raise InvalidRequest(f"The file is {words}.")
    if not start.startswith(b"<") and first[:2] not in WIDE:
        raise InvalidRequest("Line 1: the file is no XML: a bank's statement begins with <?xml.")


def _encoding(source: BinaryIO, first: bytes) -> str | None:
    """None to believe what the file declares; Latin-1 where it says UTF-8 and is not.

    Some banks convert their files and leave the declaration as it was; some programs write "utf-16"
    into whatever they write.
    """
    start = first.removeprefix(codecs.BOM_UTF8).lstrip(BLANK)
    declared = DECLARED.match(start)
    said = declared[1].lower() if declared else b"utf-8"
    if first[:2] in WIDE or said not in (*EIGHT_BIT, *SIXTEEN_BIT):
        return None
    believed = None if said in EIGHT_BIT else "utf-8"
    if not source.seekable():
        return believed
    back, decoder = source.tell(), codecs.getincrementaldecoder("utf-8")()
    piece = first
    try:
        while piece:
            decoder.decode(piece)
            piece = source.read(PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "iso-8859-1"
    finally:
        source.seek(back)
    return believed


class _Reader:
    """The parser's callbacks, and the parts they have found."""

    def __init__(
        self,
        roots: frozenset[str],
        containers: frozenset[str],
        folds: Mapping[str, Fold],
        encoding: str | None,
        skipped: int,
    ) -> None:
        self._roots = roots
        self._containers = containers
        self._folds = folds
        self._skipped = skipped
        self._found: list[Part] = []
        self._names: dict[str, str] = {}
        self._open: list[str] = []
        self._inside = 0
        """How many open elements, from the root on, are root or containers."""
        self._builder: TreeBuilder | None = None
        self._tree = Element("")
        self._folded: list[Any] = []
        self._depth = self._nodes = self._text = self._line = 0
        self._fed = 0
        self.met_root = False
        self.first_tag = ""
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        self._parser = parser

    def feed(self, piece: bytes, *, last: bool = False) -> list[Part]:
        """The parts that are complete now."""
        self._found = []
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, last)
            if self._fed - self._parser.CurrentByteIndex > MOST_TEXT:
                raise Unreadable("something in it is larger than any message of a bank")
        except expat.ExpatError as error:
            raise InvalidRequest(
                f"Line {error.lineno + self._skipped}: the XML is broken "
                f"({expat.ErrorString(error.code)}). Fetch the file from the bank again; it may "
                "have been cut off or changed."
            ) from None
        except (Unreadable, LookupError, ValueError) as error:
            raise InvalidRequest(f"Line {self._here()}: {error}.") from None
        return self._found

    def _here(self) -> int:
        return self._parser.CurrentLineNumber + self._skipped

    def _doctype(self, *_: object) -> None:
        raise Unreadable("it declares a document type, which no bank's message does; not read")

    def _local(self, name: str) -> str:
        found = self._names.get(name)
        if found is None:
            found = name.rpartition(":")[2]
            if len(self._names) < 10_000:
                self._names[name] = found
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = self._local(name)
        if self._builder is not None:
            self._depth += 1
            self._nodes += 1
            self._check_size()
            self._builder.start(tag, attributes)
            return
        self._open.append(tag)
        if len(self._open) > DEEPEST:
            raise Unreadable("it is nested deeper than any message of a bank")
        self.first_tag = self.first_tag or tag
        if not self._inside and tag not in self._roots:
            return
        if not self._inside or tag in self._containers:
            self._inside += 1
            self.met_root = True
            self._found.append(Part(tag, "begin", self._here(), Element(tag), []))
            return
        self._open.pop()
        self._builder = TreeBuilder()
        self._tree = self._builder.start(tag, attributes)
        self._folded = []
        self._depth, self._nodes, self._text, self._line = 1, 1, 0, self._here()

    def _end(self, name: str) -> None:
        tag = self._local(name)
        if self._builder is None:
            self._open.pop()
            if self._inside:
                self._inside -= 1
                self._found.append(Part(tag, "end", self._here(), Element(tag), []))
            return
        element = self._builder.end(tag)
        self._depth -= 1
        if not self._depth:
            self._found.append(Part(tag, "tree", self._line, self._tree, self._folded))
            self._builder = None
        elif tag in self._folds:
            self._folded.append(self._folds[tag](self._tree, element))
            element.clear()
            self._nodes, self._text = 0, 0
            if len(self._folded) > MOST_FOLDED:
                raise Unreadable(
                    f"the {self._tree.tag} that begins in line {self._line} has more than "
                    f"{MOST_FOLDED} transactions; ask the bank to book them in smaller batches"
                )

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._text += len(text)
            self._check_size()
            self._builder.data(text)

    def _check_size(self) -> None:
        if self._depth > DEEPEST or self._nodes > MOST_NODES or self._text > MOST_TEXT:
            raise Unreadable(
                f"the {self._tree.tag} that begins in line {self._line} is larger or deeper than "
                "any message of a bank"
            )

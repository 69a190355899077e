"""Writes XML, an element a line: only what these files need, so that it never changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from xml.sax.saxutils import escape, quoteattr


class Xml:
    """A document being written."""

    def __init__(self) -> None:
        self._lines = ['<?xml version="1.0" encoding="UTF-8"?>']
        self._depth = 0

    @contextmanager
    def inside(self, tag: str, **attributes: str) -> Iterator[None]:
        """What is written in the block is inside this element."""
        self._line(f"<{tag}{_attributes(attributes)}>")
        self._depth += 1
        yield
        self._depth -= 1
        self._line(f"</{tag}>")

    def leaf(self, tag: str, text: str, **attributes: str) -> None:
        """An element with a text; one without text is left out."""
        if text:
            self._line(f"<{tag}{_attributes(attributes)}>{escape(text)}</{tag}>")

    def deep(self, path: str, text: str) -> None:
        """A text at the end of a path of elements, `Id/IBAN`."""
        if text:
            tags = path.split("/")
            opened = "".join(f"<{tag}>" for tag in tags)
            closed = "".join(f"</{tag}>" for tag in reversed(tags))
            self._line(f"{opened}{escape(text)}{closed}")

    def content(self) -> bytes:
        """The document."""
        return ("\n".join(self._lines) + "\n").encode()

    def _line(self, text: str) -> None:
        self._lines.append("  " * self._depth + text)


def _attributes(given: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in given.items())

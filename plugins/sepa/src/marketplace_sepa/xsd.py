"""Checks a file against the official XSD of its version, as sepaxml ships them."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xmlschema import XMLSchema


class NotValid(Exception):
    """The file breaks its schema; the text says where and how."""


@cache
def _schema(version: str) -> XMLSchema:
    # Loaded where a file is made: it takes longer than all else, and most processes make none.
    from xmlschema import XMLSchema

    with as_file(files("sepaxml") / "schemas" / f"{version}.xsd") as path:
        return XMLSchema(str(path))


def check(version: str, content: bytes) -> None:
    """Raises NotValid where a bank that validates would refuse the file."""
    error = next(_schema(version).iter_errors(content), None)
    if error is not None:
        raise NotValid(f"{error.path}: {error.reason}")

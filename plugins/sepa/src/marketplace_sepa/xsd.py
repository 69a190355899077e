"""Checks a file against the official XSD of its version, as sepaxml ships them."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import xmlschema


class NotValid(Exception):
    """The file breaks its schema; the text says where and how."""


@cache
def _schema(version: str) -> xmlschema.XMLSchema:
    with as_file(files("sepaxml") / "schemas" / f"{version}.xsd") as path:
        return xmlschema.XMLSchema(str(path))


def check(version: str, content: bytes) -> None:
    """Raises NotValid where a bank that validates would refuse the file."""
    error = next(_schema(version).iter_errors(content), None)
    if error is not None:
        raise NotValid(f"{error.path}: {error.reason}")

"""Files that people send with a form, and what an import of one says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.datastructures import UploadFile

CHECK = "check"
"""Value of the button that only checks a file; `do` is its name, and `take` the other's value."""


class Sent(msgspec.Struct, frozen=True):
    """A file as it came."""

    name: str
    body: bytes


async def sent_file(form: Mapping[str, Any], name: str = "file") -> Sent | None:
    """The file of a field; None where none was chosen."""
    found = form.get(name)
    if not isinstance(found, UploadFile):
        return None
    body = await found.read()
    return Sent(found.filename, body) if found.filename or body else None

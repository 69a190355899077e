"""Single values of a bank's file: exact or refused, whatever way they are written."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final
from xml.etree.ElementTree import Element

from marketplace.api import micros_from_decimal
from marketplace_sepa.stream import Unreadable

MOST_MICROS: Final = 2**63 - 1
COMMA: Final = re.compile(r"-?[0-9]+,[0-9]{1,2}")
MISSING: Final = frozenset(
    {"NOTPROVIDED", "NOT PROVIDED", "NOTPROVIDED.", "NONREF", "NOTAVAILABLE", "UNKNOWN", "N/A"}
)


def text(element: Element, *paths: str) -> str:
    """The first of these that says something, its spaces tidied; empty where none does."""
    for path in paths:
        found = element.findtext(path)
        if found and (found := " ".join(found.split())):
            return found
    return ""


def texts(element: Element, path: str) -> str:
    """All texts of this path, one after the other."""
    return " ".join(" ".join(each.itertext()).strip() for each in element.iterfind(path)).strip()


def identifier(element: Element, *paths: str) -> str:
    """As `text`, where what stands for nothing counts as nothing."""
    for path in paths:
        found = text(element, path)
        if found and found.upper() not in MISSING:
            return found
    return ""


def micros(written: str | None, what: str) -> int:
    """An exact amount; a comma is a decimal point where it can be nothing else."""
    plain = (written or "").strip().removeprefix("+")
    if not plain:
        raise Unreadable(f"{what} is missing")
    if COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if plain.startswith((".", "-.")):
        plain = plain.replace(".", "0.", 1)
    try:
        found = micros_from_decimal(plain.removesuffix("."))
    except ValueError as error:
        raise Unreadable(f"{what}: {error}; amounts are taken to the last digit or not") from None
    if abs(found) > MOST_MICROS:
        raise Unreadable(f"{what} {written} is larger than any amount that can be kept")
    return found


def is_credit(element: Element, what: str, default: bool | None = None) -> bool:
    """Whether money comes in: CdtDbtInd."""
    written = text(element, "CdtDbtInd").upper()
    if written in ("CRDT", "C", "CR"):
        return True
    if written in ("DBIT", "D", "DR"):
        return False
    if not written and default is not None:
        return default
    raise Unreadable(f"{what} does not say CRDT or DBIT (CdtDbtInd is {written!r})")


def is_true(written: str) -> bool:
    """A Boolean."""
    return written.lower() in ("true", "1", "yes")


def day(element: Element, path: str) -> date | None:
    """A date, or the date of a time as it was where the bank is; None where there is none."""
    written = text(element, f"{path}/Dt", f"{path}/DtTm", path)
    if not written:
        return None
    try:
        return date.fromisoformat(written[:10] if "-" in written[:10] else written[:8])
    except ValueError:
        raise Unreadable(f"{path}: {written!r} is no date") from None


def moment(written: str) -> datetime | None:
    """A time; None where it cannot be read, for nothing hangs on it."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def whole(written: str) -> int | None:
    """A whole number; None where there is none."""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 18 else None

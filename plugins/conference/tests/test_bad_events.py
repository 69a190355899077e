"""An event that cannot be is refused in words, whatever is wrong about it, and nothing is kept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from marketplace_conference import documents, events
from marketplace_conference.errors import BadFile
from marketplace_conference.schemas import Move, NewAllotment, NewEvent

from .conftest import Hall

DAY = {"starts_at": "2031-05-04T09:00:00+02:00", "ends_at": "2031-05-04T18:00:00+02:00"}


def document(of: Hall, **changes: Any) -> dict[str, Any]:
    """The hall's event as a file has it; `part_...` and `sold_...` change its first parts."""
    made: dict[str, Any] = msgspec.to_builtins(of.new)
    made = {name: value for name, value in made.items() if value is not None} | DAY
    for each in (made["sessions"][0], made["categories"][0]):
        each.pop("names")
    made["sessions"][0] |= DAY
    for name, value in changes.items():
        prefix, _, rest = name.partition("_")
        if prefix == "part":
            made["sessions"][0][rest] = value
        elif prefix == "sold":
            made["categories"][0][rest] = value
        else:
            made[name] = value
    return made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"starts_at": "0001-01-01T00:00:00+03:00"}, "is not between 2000 and 3000"),
        ({"part_ends_at": "9999-12-31T23:59:59-05:00"}, "is not between 2000 and 3000"),
        ({"name": "a\u202eb"}, "has a character that cannot be seen"),
        ({"part_name": "Day\nof talks"}, "has a character that cannot be seen"),
        ({"sold_name": "   "}, "nothing is said here"),
        ({"names": {"pl": " "}}, "nothing is said here"),
        ({"part_names": {"pl": "a\u2066b"}}, "has a character that cannot be seen"),
        ({"venue": "\u2028"}, "has a character that cannot be seen"),
        ({"part_room": "x" * 201}, "length <= 200"),
        ({"address": "x" * 201}, "length <= 200"),
        ({"time_zone": "Factory"}, "is no time zone"),
        ({"time_zone": "localtime"}, "is no time zone"),
        ({"doors_open_minutes": 10_081}, "<= 10080"),
        ({"quotas": {"no slug": 5}}, "matching regex"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(
    hall: Hall, changes: dict[str, Any], reason: str
) -> None:
    before = events.read(hall.host, hall.slug)
    with pytest.raises(BadFile) as raised:
        documents.read(msgspec.json.format(msgspec.json.encode(document(hall, **changes))))
    (told,) = raised.value.extra["errors"]
    assert reason in told["reason"]
    assert told["line"] > 1 or "between" in reason
    assert events.read(hall.host, hall.slug) == before


def test_what_can_be_is_taken_with_its_empty_lines(hall: Hall) -> None:
    made = documents.read(msgspec.json.encode(document(hall, address="", part_room="")))
    assert isinstance(made, NewEvent)


@pytest.mark.parametrize("year", ["1999", "3001", "9999"])
def test_nothing_is_moved_or_kept_out_of_time(year: str) -> None:
    late = f"{year}-06-01T00:00:00Z"
    for body, of in (
        ({"reason": "x", "refund_until": late}, Move),
        ({"sku": "a", "firm": "b", "size": 1, "releases_at": late}, NewAllotment),
    ):
        with pytest.raises(msgspec.ValidationError, match="is not between 2000 and 3000"):
            msgspec.convert(body, of)

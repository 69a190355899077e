"""Tickets on paper: a page each, with a code that a foreign reader reads off the page."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import segno
import zxingcpp
from marketplace_conference.tickets import codes, paper
from PIL import Image
from ticket_samples import KEY, SESSION, sheet

from marketplace.api import Lazy


def english(words: str | Lazy) -> str:
    """Words as they are written in the code."""
    return str(words)


async def test_each_attendee_has_a_page_and_the_same_tickets_the_same_bytes() -> None:
    two = [sheet(), sheet(id=43, position=2, attendee_name="")]
    made = await paper.pages(two, english, "pl")
    assert made.startswith(b"%PDF-")
    assert b"/Type/Pages/Count 2/" in made
    assert made == await paper.pages(two, english, "pl")


def test_a_page_says_whose_it_is_where_and_when() -> None:
    (told,) = paper.tell([sheet()], english, "en")["sheets"]  # type: ignore[misc]
    rows = dict(told["rows"])
    assert told["attendee"] == "Łucja Żółkiewska"
    assert rows["When"].startswith("Saturday, 24 October 2026, 22:00")
    assert "Sunday, 25 October 2026, 07:30" in rows["When"]
    assert rows["Seat number"] == "A-3-12"
    assert told["void"] == ""


def test_a_cancelled_ticket_says_so_and_one_without_a_name_too() -> None:
    gone = sheet(cancelled_at=datetime(2026, 9, 2, tzinfo=UTC), attendee_name="", seat_label=None)
    (told,) = paper.tell([gone], english, "en")["sheets"]  # type: ignore[misc]
    assert told["void"] == "Cancelled: this ticket admits nobody"
    assert told["attendee"] == "Name not given yet"
    assert "Seat number" not in dict(told["rows"])


def test_a_foreign_reader_reads_the_code_off_a_small_picture() -> None:
    one = sheet()
    drawn = io.BytesIO()
    segno.make(one.code, error="m", micro=False).save(drawn, kind="png", scale=3, border=4)
    (found,) = zxingcpp.read_barcodes(Image.open(drawn).convert("L"))
    assert found.text == one.code
    signed = codes.read(found.text)
    assert signed is not None
    assert signed.stub.session_id == SESSION.id
    assert codes.is_genuine(signed, {1: KEY.public_key().public_bytes_raw()})

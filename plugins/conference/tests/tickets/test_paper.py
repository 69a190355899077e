"""Tickets on paper: a page each, with a code that a foreign reader reads off the page."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import segno
import zxingcpp
from marketplace_conference.tickets import codes, paper
from msgspec.structs import replace
from PIL import Image
from ticket_samples import EVENT, KEY, SESSION, sheet

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


def test_a_page_says_when_the_door_opens_and_the_day_where_it_is_another() -> None:
    opens = SESSION.opens_at
    for session, words in (
        (SESSION, "21:00 (CEST)"),
        (
            replace(SESSION, opens_at=opens - timedelta(days=1)),
            "Friday, 23 October 2026, 21:00 (CEST)",
        ),
    ):
        (told,) = paper.tell([sheet(session=session)], english, "en")["sheets"]  # type: ignore[misc]
        assert dict(told["rows"])["Doors open"] == words


def test_a_page_calls_things_as_its_reader_does() -> None:
    one = sheet(
        event=replace(EVENT, names={"it": "Giornate di autunno"}),
        session=replace(SESSION, names={"en": "Night train", "it": "Treno di notte"}),
        category="MIEJSCE",
        category_names={"it": "Posto"},
    )
    told = {
        language: paper.tell([one], english, language)["sheets"][0]  # type: ignore[index]
        for language in ("it", "ru")
    }
    assert [told["it"][name] for name in ("event", "session")] == [
        "Giornate di autunno",
        "Treno di notte",
    ]
    assert dict(told["it"]["rows"])["Category"] == "Posto"
    # In Russian there is none: what the event itself, which is Polish, says.
    assert [told["ru"][name] for name in ("event", "session")] == [EVENT.name, SESSION.name]
    assert (told["ru"]["event_language"], told["it"]["session_language"]) == ("pl", "it")
    assert dict(told["ru"]["rows"])["Category"] == "MIEJSCE"


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

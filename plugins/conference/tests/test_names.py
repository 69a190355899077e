"""An event, its sessions and categories are called something in each language, or what they are."""

from __future__ import annotations

import msgspec
import pytest
from marketplace_conference import documents, events
from marketplace_conference.errors import BadFile
from marketplace_conference.organising import drafts
from marketplace_conference.schemas import NewEvent
from msgspec.structs import replace

from marketplace.api import InvalidRequest

from .conftest import Hall


@pytest.fixture
def named(hall: Hall) -> Hall:
    """The event has a Polish and a German name, its day a Polish one, the row an Italian one."""
    (day,) = hall.new.sessions
    row, *others = hall.new.categories
    hall.put(
        names={"pl": "Forum po polsku", "de": "Das Forum"},
        sessions=[replace(day, names={"pl": "Dzień"})],
        categories=[replace(row, names={"it": "Fila"}), *others],
    )
    return hall


def called(hall: Hall, language: str | None) -> list[tuple[str, str]]:
    """Names of the event, its day and its row, each with the language that it is in."""
    event = events.read(hall.host, hall.slug, language)
    (day,) = event.sessions
    row = next(each for each in day.categories if each.sku == hall.row)
    return [(each.name, each.name_language) for each in (event, day, row)]


def test_each_name_is_in_the_readers_language_or_in_the_events_own(named: Hall) -> None:
    own = [("Forum", "en"), ("Day", "en"), ("Row", "en")]
    assert called(named, None) == called(named, "en") == called(named, "ru") == own
    assert called(named, "pl") == [("Forum po polsku", "pl"), ("Dzień", "pl"), ("Row", "en")]
    assert called(named, "it") == [("Forum", "en"), ("Day", "en"), ("Fila", "it")]
    assert called(named, "de")[0] == ("Das Forum", "de")
    found = next(each for each in events.listed(named.host, "pl") if each.slug == named.slug)
    assert found.name == "Forum po polsku"
    assert found.names == {"pl": "Forum po polsku", "de": "Das Forum"}


def test_what_has_to_have_been_attended_is_named_so_too(named: Hall) -> None:
    advanced = Hall(named.lab, named.host)
    (day,) = advanced.new.sessions
    advanced.put(sessions=[replace(day, requires=[f"{named.slug}/day"])])
    in_polish = events.read(named.host, advanced.slug, "pl").sessions[0].requires
    assert in_polish == ["Forum po polsku: Dzień"]
    assert events.read(named.host, advanced.slug).sessions[0].requires == ["Forum: Day"]


def test_names_that_a_file_leaves_out_stay_and_empty_ones_go(named: Hall) -> None:
    (day,) = named.new.sessions
    named.put(names=None, sessions=[replace(day, names=None)])
    assert called(named, "pl")[:2] == [("Forum po polsku", "pl"), ("Dzień", "pl")]
    named.put(names={})
    assert called(named, "pl")[:2] == [("Forum", "en"), ("Dzień", "pl")]


def test_another_language_of_the_event_does_not_lose_it(named: Hall) -> None:
    parts = [replace(each, names=None) for each in named.new.sessions]
    sold = [replace(each, names=None) for each in named.new.categories]
    named.put(language="pl", name="Forum nowe", names=None, sessions=parts, categories=sold)
    assert called(named, "pl")[0] == ("Forum nowe", "pl")
    with named.host.transaction() as session:
        member = named.lab.member("shop")
        kept = drafts.document(session, named.slug, member, "shop")
    assert kept.names == {"de": "Das Forum"}
    events.put(named.host, kept, None, actor="cli:test")


def test_a_name_in_the_events_own_language_is_its_name(hall: Hall) -> None:
    with pytest.raises(InvalidRequest, match="'Forum' is its name in 'en'"):
        hall.put(names={"en": "Forum"})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('"names": {"pl": ""}', "length >= 1"),
        ('"names": {"polski": "Forum"}', "matching regex"),
        ('"names": ["Forum"]', "Expected `object"),
        ('"names": {"en": "Forum"}', "is its name in 'en'"),
    ],
)
def test_a_file_with_a_wrong_name_is_told_the_line(hall: Hall, wrong: str, reason: str) -> None:
    text = msgspec.json.format(msgspec.json.encode(replace(hall.new, names=None))).decode()
    assert msgspec.json.decode(text, type=NewEvent)
    body = text.replace('"names": null', wrong, 1)
    line = next(at for at, each in enumerate(body.split("\n"), start=1) if wrong[:9] in each)
    with pytest.raises(BadFile) as raised:
        documents.read(body.encode())
    (told,) = raised.value.extra["errors"]
    assert told["line"] == line
    assert reason in told["reason"]

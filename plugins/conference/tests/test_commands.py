"""Organisers at the command line: events from files, allotments, devices at doors; bad input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from marketplace_conference import events
from marketplace_conference.commands import make_commands
from marketplace_conference.door import checking
from marketplace_conference.door.errors import DoorKeyRefused
from marketplace_conference.errors import UnknownCategory
from marketplace_conference.organising import reading
from marketplace_conference.schemas import NewAllotment
from marketplace_conference.tickets import repository

from marketplace.api import Conflict, Host, InvalidRequest, NotFound

from .conftest import Hall

Run = Callable[..., Result]


@pytest.fixture
def run(host: Host) -> Run:
    """`run("allot", ...)`: a command, as at a terminal; what it raises is raised."""
    commands = {each.command.name: each.command for each in make_commands(host)}

    def call(name: str, *words: str) -> Result:
        done = CliRunner().invoke(commands[name], list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return call


def kept(host: Host, hall: Hall) -> list[tuple[str, int, int]]:
    """(firm, size, left) of the allotments of the hall."""
    with host.transaction() as session:
        event = repository.event_named(session, hall.slug)
        assert event is not None
        found = reading.allotted(session, event.id, host.now(session))
    return [(each.firm, each.size, each.left) for each in found]


def test_places_are_kept_changed_and_released_at_the_terminal(
    hall: Hall, host: Host, run: Run
) -> None:
    until = ("--until", "2998-03-01")
    assert run("allot", hall.row, "F-1", "4", *until).exit_code == 0
    assert hall.numbers(hall.row) == {"places": 10, "allotted": 4, "free": 6}
    assert kept(host, hall) == [("F-1", 4, 4)]
    run("allot", hall.row, "F-1", "6", *until)
    run("allot", hall.row, "F-2", "4", *until)
    assert hall.numbers(hall.row) == {"places": 10, "allotted": 10}
    with pytest.raises(Conflict, match="not left to be kept"):
        run("allot", hall.row, "F-3", "1", *until)
    run("allot", hall.row, "F-1", "0", *until)
    assert kept(host, hall) == [("F-2", 4, 4)]
    assert hall.numbers(hall.row) == {"places": 10, "allotted": 4, "free": 6}


def test_bad_words_keep_nothing(hall: Hall, host: Host, run: Run) -> None:
    refused = run("allot", hall.row, "F-1", "4", "--until", "3500-01-01")
    assert (refused.exit_code, "is not between 2000 and 3000" in refused.output) == (2, True)
    until = ("--until", "2998-03-01")
    with pytest.raises(UnknownCategory):
        run("allot", "NOTHING", "F-1", "4", *until)
    with pytest.raises(InvalidRequest, match="day of release is over"):
        run("allot", hall.row, "F-1", "4", "--until", "2020-01-01")
    for words in (("-1", *until), ("many", *until), ("4",), ("4", "--until", "soon")):
        assert run("allot", hall.row, "F-1", *words).exit_code == 2
    assert kept(host, hall) == []


def test_a_released_allotment_is_everybodys_by_the_clock(hall: Hall, host: Host) -> None:
    with host.transaction() as session:
        soon = host.now(session) + timedelta(hours=1)
    new = NewAllotment(sku=hall.stand, firm="F-1", size=5, releases_at=soon)
    events.allot(host, new, None, actor="cli:test")
    assert hall.numbers(hall.stand) == {"places": 5, "allotted": 5}
    with host.transaction() as session:
        event = repository.event_named(session, hall.slug)
        assert event is not None
        (after,) = reading.allotted(session, event.id, soon + timedelta(seconds=1))
    assert (after.size, after.left, after.is_over) == (5, 0, True)


def test_a_file_with_faults_is_refused_with_its_lines(hall: Hall, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    good = msgspec.json.format(msgspec.json.encode(hall.new), indent=1).decode()
    file.write_text(good)
    assert run("put", str(file)).exit_code == 0
    lines = good.splitlines()
    session = next(i for i, line in enumerate(lines) if '"session"' in line)
    lines[session] = '"session": "nowhere",'
    zone = next(i for i, line in enumerate(lines) if '"time_zone"' in line)
    lines[zone] = '"time_zone": "Mars/Olympus",'
    file.write_text("\n".join(lines))
    with pytest.raises(InvalidRequest) as refused:
        run("put", str(file))
    assert [each["line"] for each in refused.value.extra["errors"]] == sorted(
        [zone + 1, session + 1]
    )
    for text, line in (
        (good.replace('"name"', '"nom"', 1), 1),
        ("{\n" + '"slug": 5\n}', 2),
        ('{\n"slug": \n', 3),
        ("", 1),
    ):
        file.write_text(text)
        with pytest.raises(InvalidRequest, match=f"line {line}: "):
            run("put", str(file))
    file.write_bytes(b'{\n\n"name": "\xff"}')
    with pytest.raises(InvalidRequest, match="line 3: this is not UTF-8"):
        run("put", str(file))


def test_two_categories_or_questions_of_one_name_are_refused(hall: Hall) -> None:
    with pytest.raises(InvalidRequest, match="two categories have the sku"):
        hall.put(categories=[*hall.new.categories, hall.new.categories[0]])
    hall.new = msgspec.structs.replace(hall.new, categories=hall.new.categories[:3])
    with pytest.raises(InvalidRequest, match="two questions have the code"):
        hall.put(questions=[*hall.new.questions, hall.new.questions[0]])


def test_devices_are_added_renewed_and_withdrawn(hall: Hall, host: Host, run: Run) -> None:
    def key(said: Result) -> str:
        return said.output.strip().rpartition("#key=")[2]

    def opens(with_key: str) -> bool:
        with host.transaction() as session:
            try:
                return checking.authenticate(host, session, with_key).name == "north"
            except DoorKeyRefused:
                return False

    first = key(run("door-add", hall.slug, "north"))
    assert opens(first)
    second = key(run("door-renew", hall.slug, "north"))
    assert (opens(first), opens(second)) == (False, True)
    assert "north" in run("doors", hall.slug).output
    with pytest.raises(InvalidRequest, match="0 devices are called 'south'; in use: north"):
        run("door-renew", hall.slug, "south")
    run("door-withdraw", hall.slug, "north")
    assert not opens(second)
    assert "withdrawn" in run("doors", hall.slug).output
    with pytest.raises(InvalidRequest, match="in use: none"):
        run("door-renew", hall.slug, "north")
    with pytest.raises(InvalidRequest, match="80 characters"):
        run("door-add", hall.slug, "x" * 81)
    with pytest.raises(NotFound):
        run("door-add", "nowhere", "north")


def test_an_event_is_moved_at_the_terminal_once_it_was_looked_at(
    hall: Hall, host: Host, run: Run
) -> None:
    hall.fulfil(hall.order(hall.row, 2))
    why = ("--reason", "Flood", "--refund-until", "2998-01-01")
    times = ("--session", "day", "2999-06-01T09:00", "2999-06-01T17:30", "--room", "day", "B")
    dry = run("move", hall.slug, *why, *times, "--venue", "Hall 2", "--dry-run")
    assert dry.output == f"{hall.slug}: day; 2 tickets of 1 orders are concerned\n"
    assert events.read(host, hall.slug).venue == "Hall 1"
    moved = run("move", hall.slug, *why, *times, "--venue", "Hall 2")
    assert moved.output.endswith("2 of 2 tickets seen to\n")
    seen = events.read(host, hall.slug)
    (day,) = seen.sessions
    assert (seen.venue, seen.address, day.room) == ("Hall 2", "Long street 1", "B")
    assert f"{day.starts_at:%Y-%m-%dT%H:%M}" == "2999-06-01T09:00"
    assert str(day.starts_at.tzinfo) == "Europe/Warsaw"


def test_bad_words_move_nothing(hall: Hall, host: Host, run: Run) -> None:
    before = events.read(host, hall.slug)
    why = ("--reason", "Flood", "--refund-until", "2998-01-01")
    for words, reason in (
        (why, "Nothing would change"),
        ((*why, "--venue", ""), "venue: Say where it is"),
        ((*why, "--room", "x", "B"), "There is no session 'x'"),
        ((*why, "--session", "day", "soon", "later"), "starts-day: A day and an hour"),
        (("--reason", "", *why[2:], "--venue", "B"), "reason: Say why"),
        ((*why[:3], "2020-01-01", "--venue", "B"), "refund_until: A day that is not over"),
    ):
        with pytest.raises(InvalidRequest, match=reason):
            run("move", hall.slug, *words)
    with pytest.raises(NotFound):
        run("move", "nowhere", *why, "--venue", "B")
    assert events.read(host, hall.slug) == before


def test_what_comes_back_is_shown_and_set_at_the_terminal(hall: Hall, run: Run) -> None:
    nothing = (
        "nothing comes back\ntickets are changed to another session never\n"
        "doors open 180 minutes before each session\n"
    )
    assert run("policy", hall.slug).output == nothing
    for words, reason in (
        (("--refund", "30", "101"), "percent-1: A whole number"),
        (("--refund", "30", "80", "--refund", "30", "70"), "days-2: This many days"),
        (("--changes", "soon", "--refund", "30", "80"), "changes: A whole number"),
        (("--doors-open", "10081", "--changes", "3"), "doors-open: A whole number of minutes"),
    ):
        with pytest.raises(InvalidRequest, match=reason):
            run("policy", hall.slug, *words)
    assert run("policy", hall.slug).output == nothing
    words = ("--refund", "7", "25", "--refund", "30", "80", "--changes", "3", "--doors-open", "0")
    assert run("policy", hall.slug, *words).output.splitlines() == [
        "80 % comes back until 30 days before",
        "25 % comes back until 7 days before",
        "tickets are changed to another session until 3 days before",
        "doors open 0 minutes before each session",
    ]
    hall.put(name="Great forum")  # what a file does not say stays
    assert run("policy", hall.slug).output.splitlines()[-1].startswith("doors open 0 minutes")
    hall.put(doors_open_minutes=90)
    assert run("policy", hall.slug).output.splitlines()[-1].startswith("doors open 90 minutes")
    with pytest.raises(NotFound):
        run("policy", "nowhere")

"""At the door: each ticket lets in once, whatever doors know of each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from box import Box
from marketplace_conference import models
from marketplace_conference.door import checking, devices, domain, repository
from marketplace_conference.door.domain import Result
from marketplace_conference.door.errors import DoorKeyRefused, NonceReused
from marketplace_conference.door.schemas import NewScan, NewScans
from marketplace_conference.tickets import codes
from marketplace_conference.tickets.tables import ticket

from marketplace.api import Host, NotFound
from marketplace.testing import Lab

MINUTE_MS = 60_000
MakeDoor = Callable[[str], Any]


def test_a_ticket_lets_in_once_and_the_second_door_says_who_was_first(
    box: Box, door: MakeDoor
) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    north, south = door("north"), door("south")
    first = north.scan(artefact.secret)
    assert (first.result, first.name, first.category) == ("admitted", "Ilse Alder", "Standard")
    second = south.scan(artefact.secret.lower())
    assert (second.result, second.admitted_by) == (Result.DOUBLE, "north")
    assert second.admitted_at == first.admitted_at


def test_what_is_no_ticket_of_this_event_is_told_apart(
    lab: Lab, host: Host, box: Box, door: MakeDoor
) -> None:
    reference, (artefact, second) = box.sell("Ilse Alder", "Otto Alder")
    north = door("north")
    other = Box(host, lab.member("shop"))
    _, (foreign,) = other.sell("Somebody else")
    assert north.scan(foreign.secret).result is Result.FORGED
    assert north.scan("https://example.org").result is Result.FORGED
    letter = "A" if artefact.secret[100] != "A" else "B"
    changed = artefact.secret[:100] + letter + artefact.secret[101:]
    assert north.scan(changed).result is Result.FORGED
    wrong_day = north.scan(artefact.secret, session=box.sessions[1])
    assert (wrong_day.result, wrong_day.session) == (Result.OTHER_SESSION, box.sessions[0])
    with host.transaction() as session:
        session.execute(
            sa.update(models.place)
            .where(models.place.c.order_reference == reference, models.place.c.position == 1)
            .values(cancelled_at=host.now(session))
        )
    assert north.scan(artefact.secret).result is Result.VOID
    assert north.scan(second.secret, session=box.sessions[0]).result is Result.ADMITTED


def test_a_refund_that_nobody_told_of_is_known_at_the_door(
    lab: Lab, box: Box, door: MakeDoor
) -> None:
    offer = lab.offer("conference", f"{box.slug}-1")
    reference = lab.hold("conference", offer, quantity=2)
    _, (ilses, ottos) = box.sell("Ilse Alder", "Otto Alder", reference=reference)
    north = door("north")
    assert north.scan(ilses.secret).result is Result.ADMITTED
    lab.refund(reference)
    assert north.scan(ottos.secret).result is Result.VOID
    offline_before = north.scan(ottos.secret, age_ms=5 * MINUTE_MS)
    assert offline_before.result is Result.ADMITTED


def test_an_older_edition_of_a_code_is_void(host: Host, box: Box, door: MakeDoor) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    read = codes.read(artefact.secret)
    assert read is not None
    with host.transaction() as session:
        session.execute(sa.update(ticket).where(ticket.c.id == read.stub.ticket).values(edition=2))
    assert door("north").scan(artefact.secret).result is Result.VOID


def test_an_upload_that_comes_again_is_counted_once(box: Box, door: MakeDoor) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    north = door("north")
    sent = [NewScan(nonce=uuid4(), code=artefact.secret)]
    assert [each.result for each in north.send(sent)] == [Result.ADMITTED]
    assert [each.result for each in north.send(sent)] == [Result.ADMITTED]
    _, (another,) = box.sell("Otto Alder")
    with pytest.raises(NonceReused):
        north.send([NewScan(nonce=sent[0].nonce, code=another.secret)])


@pytest.mark.parametrize("later_first", [True, False])
def test_of_two_doors_without_network_the_earlier_scan_counts(
    host: Host, box: Box, door: MakeDoor, later_first: bool
) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    north, south = door("north"), door("south")
    early = NewScan(nonce=uuid4(), code=artefact.secret, age_ms=9 * MINUTE_MS)
    late = NewScan(nonce=uuid4(), code=artefact.secret, age_ms=4 * MINUTE_MS)
    if later_first:
        assert south.send([late])[0].result is Result.ADMITTED
        assert north.send([early])[0].result is Result.ADMITTED
    else:
        assert north.send([early])[0].result is Result.ADMITTED
    shown = south.send([late])[0]
    assert (shown.result, shown.admitted_by) == (Result.DOUBLE, "north")
    with host.transaction() as session:
        day = devices.counts_of(host, session, box.event_id).sessions[0]
        (double,) = repository.doubles(session, box.event_id, 10)
    assert (day.sold, day.admitted, day.doubles) == (1, 1, 1)
    assert (double["name"], double["device"]) == ("Ilse Alder", "south")


def test_twenty_doors_at_once_let_each_of_thirty_in_once(
    host: Host, box: Box, door: MakeDoor
) -> None:
    _, sold = box.sell(*[f"Guest {number}" for number in range(30)])
    doors = [door(f"door {number}") for number in range(20)]

    def work(at: Any) -> list[Result]:
        scans = [NewScan(nonce=uuid4(), code=each.secret) for each in sold]
        if doors.index(at) % 2:
            scans.reverse()
        return [each.result for each in at.send(scans)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, doors))
    with host.transaction() as session:
        day = devices.counts_of(host, session, box.event_id).sessions[0]
    assert (day.admitted, day.doubles) == (30, 19 * 30)


def test_a_scan_made_before_the_ticket_was_cancelled_stays_good(
    host: Host, box: Box, door: MakeDoor
) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    with host.transaction() as session:
        session.execute(
            sa.update(models.place)
            .where(models.place.c.session_id == box.sessions[0])
            .values(cancelled_at=host.now(session))
        )
    assert door("north").scan(artefact.secret, age_ms=MINUTE_MS).result is Result.ADMITTED


def test_a_ticket_is_found_by_name_and_by_number_and_let_in(
    host: Host, box: Box, door: MakeDoor
) -> None:
    box.sell("Łucja Żółkiewska", "Otto 100% Alder")
    north = door("north")
    (found,) = devices.find(host, north.made.key, "żółk łuc")
    assert [each.name for each in devices.find(host, north.made.key, "0% al")] == [
        "Otto 100% Alder"
    ]
    plain = found.locator.replace("-", "").lower()
    assert devices.find(host, north.made.key, plain) == [found]
    assert devices.find(host, north.made.key, "  ") == []
    (shown,) = north.send([NewScan(nonce=uuid4(), ticket=found.id)])
    assert (shown.result, shown.name) == (Result.ADMITTED, "Łucja Żółkiewska")
    (unknown,) = north.send([NewScan(nonce=uuid4(), ticket=2**40)])
    assert unknown.result is Result.UNKNOWN


def test_a_door_can_work_alone_with_what_it_downloads(host: Host, box: Box, door: MakeDoor) -> None:
    _, (artefact, _) = box.sell("Ilse Alder", "Otto Alder")
    north = door("north")
    north.scan(artefact.secret)
    kept = devices.everything(host, north.made.key)
    assert (kept.name, kept.device, len(kept.sessions)) == ("Logistics Days", "north", 2)
    mine = next(each for each in kept.tickets if each.name == "Ilse Alder")
    assert artefact.secret.endswith(mine.tail)
    assert mine.admitted_at is not None
    assert [each.admitted_at for each in kept.tickets if each.id != mine.id] == [None]


def test_a_withdrawn_key_and_a_foreign_one_admit_nobody(
    lab: Lab, host: Host, box: Box, door: MakeDoor
) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    north = door("north")
    devices.revoke(host, north.organiser, box.slug, north.made.id)
    with pytest.raises(DoorKeyRefused):
        north.scan(artefact.secret)
    other = Box(host, lab.member("tickets"))
    with pytest.raises(NotFound):
        devices.revoke(host, north.organiser, other.slug, north.made.id)
    assert lab.audit("conference.door.withdrawn", str(north.made.id)) == [{"event": box.slug}]


def test_five_hundred_scans_take_as_many_statements_as_one(
    lab: Lab, box: Box, door: MakeDoor
) -> None:
    _, sold = box.sell(*[f"Guest {number}" for number in range(500)])
    north = door("north")
    made: list[str] = []

    def note(*given: Any) -> None:
        made.append(given[2])

    engine = lab.database.sync_engine
    figures = []
    for some in (sold[:1], sold):
        scans = [NewScan(nonce=uuid4(), code=each.secret) for each in some]
        sa.event.listen(engine, "before_cursor_execute", note)
        north.send(scans)
        sa.event.remove(engine, "before_cursor_execute", note)
        figures.append(len(made))
        made.clear()
    assert figures == [9, 9]


def test_in_whatever_order_doors_send_the_earliest_scans_count(box: Box, door: MakeDoor) -> None:
    chance = random.Random(46)  # noqa: S311 - an order to send things in
    _, sold = box.sell(*[f"Guest {number}" for number in range(12)])
    doors = [door(f"door {number}") for number in range(4)]
    # Each door scanned each ticket at another minute; they send now, some, then the others.
    minutes = chance.sample(range(1, 2_000), len(doors) * len(sold))
    scans = [(at, each.secret, minutes.pop()) for at in range(len(doors)) for each in sold]
    # The greatest age is the earliest scan.
    first = {
        code: max((age, at) for at, other, age in scans if other == code)[1]
        for code in {code for _, code, _ in scans}
    }
    sent = [
        (at, code, NewScan(nonce=uuid4(), code=code, age_ms=age * MINUTE_MS))
        for at, code, age in scans
    ]
    chance.shuffle(sent)
    for at, _, each in sent:
        doors[at].send([each])
    for at, code, each in sent:
        (shown,) = doors[at].send([each])
        assert shown.admitted_by == f"door {first[code]}"
        assert (shown.result is Result.ADMITTED) == (at == first[code])


def test_an_age_is_never_in_the_future_and_never_too_old() -> None:
    now = datetime(2031, 5, 12, 9, tzinfo=UTC)
    assert domain.when_scanned(now, -5) == now
    assert domain.when_scanned(now, 10**11) == now - timedelta(days=90)


def test_the_same_nonces_sent_twice_at_once_are_counted_once(box: Box, door: MakeDoor) -> None:
    _, made = box.sell(*[f"Guest {number}" for number in range(40)])
    north = door("north")
    sent = [NewScan(nonce=uuid4(), code=each.secret) for each in made]
    with ThreadPoolExecutor(6) as pool:
        uploads = [pool.submit(north.send, sent[::step]) for step in (1, -1) * 6]
        for each in uploads:
            assert {answer.result for answer in each.result(60)} == {Result.ADMITTED}
    with north.host.transaction() as session:
        day = devices.counts_of(north.host, session, box.event_id).sessions[0]
    assert (day.admitted, day.doubles) == (40, 0)


def test_what_a_camera_makes_of_other_things_harms_no_scan_beside_it(
    host: Host, box: Box, door: MakeDoor
) -> None:
    other = Box(host, box.organiser_id)
    _, (foreign,) = other.sell("Somebody else")
    _, (first, second, third) = box.sell("Ilse Alder", "Otto Alder", "Uwe Alder")
    read = {
        "": Result.FORGED,
        "CT1": Result.FORGED,
        "https://example.org/?a=1&b=\u0000\ufffd": Result.FORGED,
        "9" * 7_089: Result.FORGED,  # the longest that a QR code holds
        "ż" * 2_000: Result.FORGED,
        foreign.secret: Result.FORGED,
        first.secret.lower(): Result.ADMITTED,
        second.secret + "\r\n": Result.ADMITTED,
        f" {third.secret[:60]}\n{third.secret[60:]}\t": Result.ADMITTED,
        first.secret[:-1] + "=": Result.FORGED,
    }
    body = {"scans": [{"nonce": str(uuid4()), "code": each} for each in read]}
    north = door("north")
    sent = msgspec.json.decode(msgspec.json.encode(body), type=NewScans)
    answers = checking.check_in(host, north.made.key, sent).scans
    assert [each.result for each in answers] == list(read.values())


def test_a_clock_that_is_wrong_by_hours_changes_nothing(
    host: Host, box: Box, door: MakeDoor
) -> None:
    """Only how long ago is told; by a clock that was set back meanwhile that is below zero."""
    _, (artefact,) = box.sell("Ilse Alder")
    body = {"scans": [{"nonce": str(uuid4()), "code": artefact.secret, "age_ms": -7_200_000}]}
    sent = msgspec.json.decode(msgspec.json.encode(body), type=NewScans)
    (answer,) = checking.check_in(host, door("north").made.key, sent).scans
    with host.transaction() as session:
        assert answer.admitted_at is not None
        assert answer.admitted_at <= host.now(session)

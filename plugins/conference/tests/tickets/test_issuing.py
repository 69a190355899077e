"""A place has one ticket for ever, whose code an event's own keys have signed."""

from __future__ import annotations

import sqlalchemy as sa
from box import Box
from marketplace_conference import models, tickets
from marketplace_conference.tickets import codes, issuing, keys, repository
from marketplace_conference.tickets.tables import key
from msgspec.structs import replace

from marketplace.api import Host
from marketplace.testing import Lab


def test_a_place_has_one_ticket_for_ever(box: Box, host: Host) -> None:
    with host.transaction() as session:
        places = box.place(session, ["Ilse Alder", "Łucja Żółkiewska"])
        first, second = tickets.issue(host, session, places)
    with host.transaction() as session:
        again = tickets.issue(host, session, list(reversed(places)))
    assert list(again) == [second, first]
    assert first.secret != second.secret
    assert (first.kind, first.label) == ("ticket", "Logistics Days: Day 1 · Standard")
    assert first.expires_at is not None


def test_a_code_is_believed_with_the_public_key_of_its_event_alone(
    lab: Lab, box: Box, host: Host
) -> None:
    _, (artefact,) = box.sell("Ilse Alder")
    other = Box(host, lab.member("shop"))
    other.sell("Somebody else")
    read = codes.read(artefact.secret)
    assert read is not None
    assert (read.stub.event_id, read.stub.session_id) == (box.event_id, box.sessions[0])
    with host.transaction() as session:
        assert codes.is_genuine(read, keys.public_keys(session, box.event_id))
        assert not codes.is_genuine(read, keys.public_keys(session, other.event_id))


def test_a_new_key_signs_what_comes_and_the_old_stays_good(box: Box, host: Host) -> None:
    reference, (old,) = box.sell("Ilse Alder")
    with host.transaction() as session:
        assert keys.renew(host, session, box.event_id) == 2
    _, (new,) = box.sell("Otto Alder")
    with host.transaction() as session:
        public = keys.public_keys(session, box.event_id)
        (kept,) = issuing.sheets(host, session, repository.of_orders(session, [reference]))
    read = [codes.read(each.secret) for each in (old, new)]
    assert [each and each.stub.key for each in read] == [1, 2]
    assert all(each is not None and codes.is_genuine(each, public) for each in read)
    assert kept.code == old.secret


def test_no_key_is_in_clear_in_the_tables(box: Box, host: Host) -> None:
    box.sell("Ilse Alder")
    with host.transaction() as session:
        private = keys.signers(host, session, box.event_id)[1].private_bytes_raw()
        stored = session.scalars(sa.select(key.c.secret)).all()
    assert all(private not in bytes(each) for each in stored)


def test_a_place_that_was_given_back_has_a_void_ticket(box: Box, host: Host) -> None:
    reference, _ = box.sell("Ilse Alder", "Otto Alder")
    with host.transaction() as session:
        session.execute(
            sa.update(models.place)
            .where(models.place.c.order_reference == reference, models.place.c.position == 2)
            .values(cancelled_at=host.now(session))
        )
    with host.transaction() as session:
        found = issuing.sheets(host, session, repository.of_orders(session, [reference]))
    assert [each.is_cancelled for each in found] == [False, True]
    assert replace(found[0].ticket, position=2).order_reference == reference


def test_models_and_migrations_agree(lab: Lab) -> None:
    from marketplace_conference.plugin import marketplace_register_tables

    assert lab.schema_differences(marketplace_register_tables()) == []

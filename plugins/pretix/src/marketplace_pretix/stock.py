"""Stock follows what pretix sells here, within half a minute."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from marketplace import api
from marketplace_pretix import repository, shelf, telling
from marketplace_pretix.asking import Asks
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku, parse_sku
from marketplace_pretix.servers import enabled, guarded
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.telling import State

log = logging.getLogger(__name__)

UNLIMITED: Final = shelf.UNLIMITED


def keep(host: api.Host) -> None:
    """Look at every event that offers name, and make their stock what can be bought there."""
    owners, skus = _skus(host)
    with host.transaction() as session:
        # Before any server is asked: what is delivered from now on may not be counted there yet.
        asked_at = repository.moment(session)
        telling.forget(session)
    seen: dict[str, list[int]] = {}
    for member_id, settings in enabled(host):
        own = [sku for sku in skus if member_id in owners[sku]]
        look_at = partial(_look, host, member_id, settings, own, seen, asked_at)
        guarded("quotas", member_id, look_at)
    for sku, units in seen.items():
        # Two members with the same words for different things: the less is safe for both.
        if len(units) == len(owners[sku]):
            _align(host, sku, min(units), asked_at)


def _look(
    host: api.Host,
    member_id: UUID,
    settings: PretixSettings,
    skus: Sequence[str],
    seen: dict[str, list[int]],
    asked_at: datetime,
) -> None:
    """One member's events, each by itself: one that cannot be read leaves the others alone."""
    client = Pretix(host.outbound, settings)
    by_event: dict[str, list[str]] = {}
    for text in skus:
        sku = parse_sku(text)
        by_event.setdefault("" if sku is None else sku.event, []).append(text)
    for event, own in sorted(by_event.items()):
        try:
            states = look(host, client, settings, event, own)
        except Refused as error:
            log.warning("event %s of member %s: %s", event, member_id, error)
            continue
        with host.transaction() as session:
            telling.keep(session, member_id, states)
            # A seat that is held for somebody of ours is theirs to burn for.
            held = telling.held_units(session, member_id, own, asked_at)
        for each in states:
            units = 0 if each.trouble else each.free + held.get(each.sku, 0)
            seen.setdefault(each.sku, []).append(units)


def look(
    host: api.Host, client: Pretix, settings: PretixSettings, event: str, skus: Sequence[str]
) -> list[State]:
    """What the skus of one event are like now. Refused, and what a call raises."""
    if not event:
        return [_unsold(each, "sku") for each in skus]
    try:
        found = shelf.read(client, event)
    except shelf.OutOfSight as error:
        return [_unsold(each, error.trouble) for each in skus]
    with host.transaction() as session:
        now = host.now(session)
    return [state_of(found, each, settings, now) for each in skus]


def state_of(found: shelf.Shelf, text: str, settings: PretixSettings, now: datetime) -> State:
    """What one sku of an event is like."""
    sku = parse_sku(text)
    if sku is None:
        return _unsold(text, "sku")
    trouble = found.trouble(sku, settings, now)
    return State(
        sku=text,
        name=found.name(sku),
        free=0 if trouble else found.free(sku),
        trouble=trouble,
        asks=found.asks(sku),
        names=_names(found, sku),
    )


def _names(found: shelf.Shelf, sku: Sku) -> dict[str, str]:
    """What it is called in each language that its organizer writes."""
    texts = [found.event.name, *(each.name for each in found.products)]
    codes = {code for each in texts if isinstance(each, dict) for code in each}
    usual = found.name(sku)
    # Without what sets them apart, as in `de-informal`.
    named = {code: found.name(sku, code) for code in {each.split("-")[0] for each in codes}}
    return {code: name for code, name in named.items() if name != usual}


def _unsold(sku: str, trouble: str) -> State:
    return State(sku=sku, name=sku, free=0, trouble=trouble, asks=Asks())


def _align(host: api.Host, sku: str, units: int, asked_at: datetime) -> None:
    with host.transaction() as session:

        def free_units(held: Sequence[api.OpenOrder]) -> int:
            counted, later = repository.delivered_of(session, sku, asked_at)
            open_units = {each.reference: each.quantity for each in held}
            taken = {**later, **{r: n for r, n in open_units.items() if r not in counted}}
            return units - sum(taken.values())

        host.align_stock(session, sku, free_units)


def _skus(host: api.Host) -> tuple[dict[str, set[UUID]], list[str]]:
    with host.transaction() as session:
        offers = host.offers(session)
    owners: dict[str, set[UUID]] = {}
    for each in offers:
        owners.setdefault(each.sku, set()).add(each.member_id)
    return owners, sorted(owners)

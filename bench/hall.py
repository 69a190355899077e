"""A hall and the people who want to sit in it: what the sale of bench.seats runs on."""

from __future__ import annotations

import asyncio
import http.client
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from bench.load import OFFER_ID, WALLET_ID
from bench.load.rush import Person
from bench.seed import OFFER_COST_MICROS, OFFER_POINTS
from bench.server import BenchError, execute
from marketplace.db import parse_url, raw_arguments
from marketplace.identity.credentials import KEY_PREFIX, SESSION_PREFIX, digest, new_token

OPERATOR_ID = "00000000-0000-7000-a000-000000000000"
ORGANISER_ID = "00000000-0000-7000-a000-000000000001"
ORGANISER = "member-1"
SEATS_A_ROW = 25
FULL_HALL = "FULL"
SKU = "STALLS"
FIRST_OFFER = 1_001
"""Number of the offer of the sale's seats; the next is that of the full hall."""
STARTS_AT = datetime.now(UTC) + timedelta(hours=1)
"""Its doors are open already."""
DAY = {
    "starts_at": STARTS_AT.isoformat(),
    "ends_at": (STARTS_AT + timedelta(hours=9)).isoformat(),
}
EVENT: dict[str, Any] = {
    "slug": "forum",
    "name": "Forum",
    "organiser": ORGANISER,
    "language": "en",
    "venue": "Hall 1",
    "time_zone": "Europe/Warsaw",
    **DAY,
    "sessions": [{"code": "day", "name": "Day", **DAY}],
    "categories": [
        {"sku": SKU, "name": "Stalls", "session": "day", "numbered": True, "most_at_once": 4},
        {"sku": FULL_HALL, "name": "Full", "session": "day", "numbered": True, "most_at_once": 4},
    ],
}
OFFER = f"""
insert into offer (id, reference, kind, name, acceptor_id, plugin, sku, points, cost_micros,
                   currency, status)
values ($1, $2, 'seat', 'Seat', '{ORGANISER_ID}', 'conference', $2, {OFFER_POINTS},
        {OFFER_COST_MICROS}, 'EUR', 'on_sale')
"""
KEY = """
insert into api_key (id, member_id, label, digest, hint, scopes)
values (gen_random_uuid(), $1, 'hall', $2, 'mk_', array['stock:write'])
"""
PEOPLE = """
insert into person (id, email, name, password_hash, roles, participant_id)
select ('00000000-0000-7000-e000-' || lpad(to_hex(n), 12, '0'))::uuid,
       'p' || n || '@people.example', 'Person ' || n, 'none', array['participant'],
       ('00000000-0000-7000-d000-' || lpad(to_hex(n), 12, '0'))::uuid
from generate_series(1, $1::int) as n
"""
SIGN_INS = """
insert into sign_in (id, digest, person_id, expires_at)
select gen_random_uuid(), digest, ('00000000-0000-7000-e000-' || lpad(to_hex(n), 12, '0'))::uuid,
       now() + interval '1 day'
from unnest($1::bytea[]) with ordinality as made (digest, n)
"""
FULL = f"""
with hall as (
    select c.id, c.session_id from conference_category c where c.sku = '{FULL_HALL}'
),
names as (
    select run || '-' || thread || '-' || n as name
    from unnest($1::text[]) run, generate_series(1, 2) thread, generate_series(1, $2::int) n
),
seats as (
    insert into conference_seat (session_id, category_id, label, block, "row", number, x, y,
                                 held_by, held_until)
    select session_id, id, name, '', '', name, 1, 1, name, now() + interval '1 day'
    from hall, names
),
held as (
    insert into conference_reservation (id, category_id, caller_id, quantity, points, made_at,
                                        ends_at)
    select name, id, '{OPERATOR_ID}', 1, {OFFER_POINTS}, now(), now() + interval '1 day'
    from hall, names
)
insert into price_promise (selection, offer_id, points, cost_micros, until)
select name, $3, {OFFER_POINTS}, {OFFER_COST_MICROS}, now() + interval '1 day' from names
"""


def offer_id(number: int) -> UUID:
    """The id of an offer by its number."""
    return UUID(OFFER_ID.format(number))


def call(port: int, token: str, method: str, path: str, body: Any = b"") -> Any:
    """One call of the API; BenchError where it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise BenchError(f"{method} {path}: {answer.status} {told[:500].decode()}")
    return msgspec.json.decode(told)


async def _insert(url: str, people: int, tokens: list[str], key: str) -> None:
    connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
    try:
        for number, sku in enumerate((SKU, FULL_HALL), start=FIRST_OFFER):
            await connection.execute(OFFER, offer_id(number), sku)
        await connection.execute(KEY, UUID(OPERATOR_ID), digest(key))
        await connection.execute(PEOPLE, people)
        await connection.execute(SIGN_INS, [digest(each) for each in tokens])
    finally:
        await connection.close()


def people_and_offers(url: str, people: int) -> tuple[list[str], str]:
    """Make people with sessions, and the offers; returns the sessions and the organiser's key."""
    tokens = [new_token(SESSION_PREFIX) for _ in range(people)]
    key = new_token(KEY_PREFIX)
    asyncio.run(_insert(url, people, tokens, key))
    return tokens, key


def open_hall(port: int, key: str, seats: int) -> list[str]:
    """Make the event over HTTP and put it on sale; returns the labels of its seats."""
    call(port, key, "PUT", "/v1/conference/events", EVENT)
    labels = [f"{n // SEATS_A_ROW + 1}-{n % SEATS_A_ROW + 1}" for n in range(seats)]
    lines = [f"{SKU},{label.replace('-', ',')}" for label in labels]
    plan = "\n".join(["sku,row,number", *lines]).encode()
    call(port, key, "PUT", "/v1/conference/events/forum/sessions/day/plan", plan)
    call(port, key, "POST", "/v1/conference/events/forum/publish")
    return labels


def fill_hall(url: str, runs: list[str], seats: int) -> None:
    """Reserve so many seats for each thread of each of these runs of wrk."""
    offer = offer_id(FIRST_OFFER + 1)
    execute_with(url, FULL, runs, seats, offer)
    execute_with(url, "update offer_stock set remaining = 10000000 where offer_id = $1", offer)
    execute(url, "vacuum analyze", "checkpoint")


def execute_with(url: str, statement: str, *arguments: Any) -> None:
    """Run one statement with arguments, as the owner."""

    async def run() -> None:
        connection = await asyncpg.connect(**raw_arguments(parse_url(url), None))
        try:
            await connection.execute(statement, *arguments, timeout=300)
        finally:
            await connection.close()

    asyncio.run(run())


def who_comes(tokens: list[str], labels: list[str]) -> list[Person]:
    """People with wishes: half want seats of the plan, rather in front; some want two together."""
    chance = random.Random(7)  # noqa: S311 (a load, no secret)
    people = []
    for number, token in enumerate(tokens, start=1):
        quantity = 2 if chance.random() < 0.2 else 1
        seats: list[str] = []
        if chance.random() < 0.5:
            first = int(len(labels) * chance.random() ** 2)
            seats = labels[first : first + quantity]
        people.append(
            Person(token, WALLET_ID.format(number), seats, len(seats) if seats else quantity)
        )
    return people

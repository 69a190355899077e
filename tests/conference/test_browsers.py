"""Seats go on sale to browsers: thousands send the form of the pages at once, to real processes.

The clients here are of another make than those of the bench: some keep their connection and send
the same form again, some send several at once, some leave before they are told, some are nobody.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest

from bench import hall, seats
from bench.seed import seed
from bench.server import query, serving
from marketplace.settings import Settings

BROWSERS, SEATS, AT_ONCE = 400, 60, 4
GIVE_UP = 60.0
HELD = """
select r.caller_id, r.id, count(s.id) as seats, r.quantity from conference_reservation r
left join conference_seat s on s.held_by = r.id
where r.state = 'held' group by r.caller_id, r.id, r.quantity
"""


class Heard(msgspec.Struct, frozen=True):
    """One answer as a browser saw it."""

    status: int
    location: str
    text: str


def form(token: str | None, fields: list[tuple[str, str]]) -> bytes:
    """A form as a browser sends it."""
    body = urlencode(fields).encode()
    cookie = f"Cookie: lang=de; marketplace_session={token}\r\n" if token else ""
    head = (
        f"POST /conference/choose HTTP/1.1\r\nHost: sale.test\r\nOrigin: http://sale.test\r\n"
        f"Sec-Fetch-Site: same-origin\r\n{cookie}Accept: text/html\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def hear(reader: asyncio.StreamReader) -> Heard:
    """The next answer on a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = re.findall(r"(?im)^content-length: (\d+)", head)
    assert len(lengths) == 1, head
    assert "x-content-type-options: nosniff" in head.lower()
    location = re.findall(r"(?im)^location: (\S+)", head)
    body = await reader.readexactly(int(lengths[0]))
    return Heard(int(head.split()[1]), "".join(location), body.decode())


async def browser(port: int, number: int, token: str, labels: list[str]) -> list[Heard]:
    """What one browser hears; each of them has habits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    label = labels[number % len(labels)]
    one = [("sku", hall.SKU), ("seats", label)]
    best = [("sku", hall.SKU), ("quantity", "2")]
    sent = {
        0: [form(token, one)],
        1: [form(token, best), form(token, best)],  # impatient: twice, one behind the other
        2: [form(None, one)],
        3: [form(token, [("sku", hall.SKU), ("seats", ""), ("quantity", "-1")])],
    }.get(number % 8, [form(token, best)])
    heard: list[Heard] = []
    try:
        writer.write(b"".join(sent))
        await writer.drain()
        if number % 8 == 4:  # does not stay to be told
            return []
        heard = [await hear(reader) for _ in sent]
        if number % 8 == 5:
            writer.write(form(token, one))
            heard.append(await hear(reader))
    finally:
        writer.close()
    return heard


@pytest.fixture
def on_sale(settings: Settings) -> tuple[list[str], str]:
    """People with sessions, and the organiser's key."""
    url = settings.database_url or ""
    seed(url, wallets=BROWSERS, offers=10)
    asyncio.run(seats._activate(settings))
    return hall.people_and_offers(url, BROWSERS)


def test_a_crowd_of_browsers_is_told_the_truth_and_no_seat_is_sold_twice(
    settings: Settings, on_sale: tuple[list[str], str], tmp_path: Path
) -> None:
    tokens, key = on_sale
    url = settings.database_url or ""
    with serving(settings, tmp_path / "log", "--processes", "2", "--no-background") as port:
        labels = hall.open_hall(port, key, SEATS)

        async def rush() -> list[list[Heard]]:
            async with asyncio.timeout(GIVE_UP):
                comers = (browser(port, n, each, labels) for n, each in enumerate(tokens))
                return await asyncio.gather(*comers)

        told = [each for heard in asyncio.run(rush()) for each in heard]
    assert set(Counter(each.status for each in told)) == {303, 409}
    got = [each.location for each in told if each.location.startswith("/conference/reserv")]
    held = query(url, HELD)
    assert all(row["seats"] == row["quantity"] for row in held)
    # Who wants two where one is left leaves it.
    assert SEATS - 1 <= sum(row["seats"] for row in held) <= SEATS
    assert max(Counter(row["caller_id"] for row in held).values()) <= AT_ONCE
    # Those who did not stay have some, and nobody else was told of what is not so.
    assert {each.rsplit("/", 1)[1] for each in got} <= {row["id"] for row in held}
    elsewhere = {each.location for each in told if each.location} - set(got)
    assert elsewhere <= {"/sign-in?next=/", f"/conference/choose/forum/{hall.SKU}"}
    assert len(elsewhere) == 2
    late = [each.text for each in told if each.status == 409]
    assert late
    for each in late:
        assert (
            "Nothing was reserved" in each or "Not free any more" in each or "Nothing more" in each
        )

"""Ann gives a reward to Bob, a colleague: who sees it, who no longer does, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace.exchange.gifts import initials_of
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import AuditEntry, Person
from marketplace.ledger.verify import verify
from marketplace.notices.models import Notice
from tests.conftest import Headers
from tests.exchange.test_http import burn, burn_body, deliver
from tests.factories import Coalition
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]


class Office:
    """Ann and Bob of acme, signed in; Ann has points. Eve works elsewhere."""

    def __init__(self, client: httpx.AsyncClient, coalition: Coalition) -> None:
        self.client = client
        self.coalition = coalition
        self.people: dict[str, Headers] = {}

    async def burn(self, key: str = "k") -> str:
        made = await burn(self.client, self.people["ann"], burn_body(self.coalition), key)
        assert made.status_code == 201, made.text
        burn_id: str = made.json()["id"]
        return burn_id

    async def delivered(self, key: str = "k") -> str:
        burn_id = await self.burn(key)
        await deliver(self.coalition.runtime, burn_id)
        return burn_id

    async def give(self, burn_id: str, to: str = "bob", **more: Any) -> httpx.Response:
        body = {"colleague_id": str(self.coalition.participants[to]), **more}
        path = f"/v1/burns/{burn_id}/gift"
        return await self.client.post(path, json=body, headers=self.people["ann"])

    async def take_back(self, burn_id: str) -> httpx.Response:
        return await self.client.delete(f"/v1/burns/{burn_id}/gift", headers=self.people["ann"])

    async def reveal(self, burn_id: str, who: str) -> httpx.Response:
        return await self.client.post(f"/v1/burns/{burn_id}/reveal", headers=self.people[who])

    async def answer(self, gift: Any, verb: str, who: str = "bob") -> httpx.Response:
        path = f"/v1/gifts/{gift['id']}/{verb}"
        return await self.client.post(path, headers=self.people[who])

    async def gifts(self, who: str) -> Any:
        return (await self.client.get("/v1/gifts", headers=self.people[who])).json()

    async def told(self, name: str) -> list[dict[str, Any]]:
        """What the person who signs in as this participant was told of gifts."""
        async with self.coalition.runtime.database.begin() as session:
            found = await session.scalars(
                sa.select(Notice.context)
                .join(Person, Person.id == Notice.person_id)
                .where(
                    Person.participant_id == self.coalition.participants[name],
                    Notice.kind == "gift_received",
                )
            )
            return list(found)


@pytest.fixture
async def office(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> Office:
    made = Office(client, coalition)
    await coalition.add_firm("zeta", sponsor="beta")
    await coalition.add_participant("eve", firm="zeta")
    await coalition.issue("ann", 9_000)
    for name in ("ann", "bob", "eve"):
        made.people[name] = await sign_in(Role.PARTICIPANT, name)
    return made


async def test_a_gift_is_revealed_by_the_colleague_and_no_longer_by_the_giver(
    office: Office,
) -> None:
    burn_id = await office.delivered()
    given = await office.give(burn_id, message="  Thank you\nfor the trade fair! ")
    assert given.status_code == 201
    gift = given.json()
    assert (gift["giver"], gift["colleague"], gift["offer"]) == ("Ann", "Bob", "Card")
    assert gift["message"] == "Thank you for the trade fair!"
    (notice,) = await office.told("bob")
    assert notice["path"] == f"/rewards/{burn_id}"
    assert (await office.gifts("bob"))["received"] == [gift]
    assert (await office.gifts("ann"))["given"] == [gift]

    problem(await office.reveal(burn_id, "ann"), 409, "already_given")
    problem(await office.reveal(burn_id, "eve"), 404, "not_found")
    seen = await office.reveal(burn_id, "bob")
    assert seen.json()["artefacts"][0]["secret"] == "XMAS-2026"
    assert (await office.gifts("bob"))["received"][0]["accepted_at"]
    problem(await office.take_back(burn_id), 409, "gift_accepted")
    problem(await office.answer(gift, "decline"), 409, "gift_accepted")


async def test_a_gift_may_be_taken_back_and_given_to_somebody_else_until_it_is_accepted(
    office: Office,
) -> None:
    await office.coalition.add_participant("cid", firm="acme")
    burn_id = await office.delivered()
    first = (await office.give(burn_id)).json()
    assert (await office.give(burn_id)).json() == first
    assert len(await office.told("bob")) == 1
    assert (await office.take_back(burn_id)).status_code == 204
    problem(await office.take_back(burn_id), 404, "not_found")
    problem(await office.reveal(burn_id, "bob"), 404, "not_found")
    problem(await office.answer(first, "accept"), 404, "not_found")
    second = (await office.give(burn_id)).json()
    assert (await office.answer(second, "accept", "eve")).status_code == 404
    for _ in range(2):
        assert (await office.answer(second, "accept")).status_code == 204
    problem(await office.take_back(burn_id), 409, "gift_accepted")
    async with office.coalition.runtime.database.begin() as session:
        actions = await session.scalars(
            sa.select(AuditEntry.action)
            .where(AuditEntry.subject_id == burn_id)
            .order_by(AuditEntry.id)
        )
        assert list(actions) == ["gift.given", "gift.taken_back", "gift.given", "gift.accepted"]
    async with office.coalition.runtime.database.begin() as session:
        assert await verify(session) == []


async def test_a_declined_gift_is_the_givers_again(office: Office) -> None:
    burn_id = await office.delivered()
    gift = (await office.give(burn_id)).json()
    assert (await office.answer(gift, "decline")).status_code == 204
    assert (await office.gifts("bob"))["received"] == []
    assert (await office.reveal(burn_id, "ann")).status_code == 200
    problem(await office.give(burn_id), 409, "not_givable")


async def test_an_order_that_is_on_its_way_can_be_given_too(office: Office) -> None:
    burn_id = await office.burn()
    assert (await office.give(burn_id)).json()["status"] == "held"
    problem(await office.reveal(burn_id, "bob"), 409, "nothing_to_reveal")
    await deliver(office.coalition.runtime, burn_id)
    assert (await office.reveal(burn_id, "bob")).status_code == 200


async def test_what_a_colleague_has_accepted_is_not_cancelled(office: Office) -> None:
    burn_id = await office.burn()
    gift = (await office.give(burn_id)).json()
    await office.answer(gift, "accept")
    path = f"/v1/burns/{burn_id}/cancel"
    late = await office.client.post(path, headers=office.people["ann"])
    problem(late, 409, "gift_accepted")


async def test_what_did_not_come_cannot_be_given(office: Office) -> None:
    burn_id = await office.burn()
    cancelled = await office.client.post(
        f"/v1/burns/{burn_id}/cancel", headers=office.people["ann"]
    )
    assert cancelled.status_code == 200
    problem(await office.give(burn_id), 409, "not_givable")


async def test_nothing_is_given_outside_the_firm_or_to_somebody_who_cannot_sign_in(
    office: Office,
) -> None:
    await office.coalition.add_participant("dan", firm="acme")
    burn_id = await office.delivered()
    for stranger in ("eve", "dan", "ann"):
        problem(await office.give(burn_id, stranger), 404, "not_found")
    mine = {"colleague_id": str(office.coalition.participants["bob"])}
    theirs = await office.client.post(
        f"/v1/burns/{burn_id}/gift", json=mine, headers=office.people["eve"]
    )
    problem(theirs, 404, "not_found")
    assert await office.told("eve") == []


async def test_colleagues_are_found_in_ones_own_firm_only(office: Office) -> None:
    async def find(text: str, who: str = "ann") -> list[str]:
        answer = await office.client.get(
            "/v1/colleagues", params={"q": text}, headers=office.people[who]
        )
        assert answer.status_code == 200, answer.text
        assert all(set(each) == {"id", "name", "initials"} for each in answer.json()["items"])
        return [each["name"] for each in answer.json()["items"]]

    assert await find("bo") == ["Bob"]
    assert await find("BOB@acme.example") == ["Bob"]
    assert await find("eve") == await find("eve@zeta.example") == []
    assert await find("%%") == await find("__") == []
    assert await find("ann") == []
    assert await find("bob", "eve") == []
    short = await office.client.get("/v1/colleagues?q=b", headers=office.people["ann"])
    problem(short, 400, "invalid_request")


async def test_the_shop_that_made_the_burn_does_not_see_what_was_given(
    office: Office, api_key: Make
) -> None:
    sponsor = await api_key("alpha", Scope.BURNS_WRITE)
    made = await burn(office.client, sponsor, burn_body(office.coalition))
    burn_id = made.json()["id"]
    await deliver(office.coalition.runtime, burn_id)
    await office.give(burn_id)
    seen = await office.client.post(f"/v1/burns/{burn_id}/reveal", headers=sponsor)
    problem(seen, 409, "already_given")


async def test_giving_and_looking_at_once_never_give_it_to_both(office: Office) -> None:
    for number in range(5):
        burn_id = await office.delivered(f"k{number}")
        given, seen = await asyncio.gather(office.give(burn_id), office.reveal(burn_id, "ann"))
        outcome = (given.status_code, seen.status_code)
        assert outcome in ((201, 409), (409, 200)), (given.text, seen.text)


async def test_accepting_and_taking_back_at_once_has_one_winner(office: Office) -> None:
    for number in range(5):
        burn_id = await office.delivered(f"k{number}")
        gift = (await office.give(burn_id)).json()
        accepted, undone = await asyncio.gather(
            office.answer(gift, "accept"), office.take_back(burn_id)
        )
        outcome = (accepted.status_code, undone.status_code)
        assert outcome in ((204, 409), (404, 204)), (accepted.text, undone.text)


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Ann Ade", "AA"), ("Zofia Anna Ślązak", "ZŚ"), ("Плюто", "П"), ("  ", "")],
)
def test_initials(name: str, initials: str) -> None:
    assert initials_of(name) == initials

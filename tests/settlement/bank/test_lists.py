"""Finance reads statements and matches over HTTP, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import httpx

from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_matching import pays, submitted
from tests.settlement.clearing.house import House

Make = Callable[..., Awaitable[Headers]]
HERE = "/v1/settlement/bank"


async def test_every_page_of_statements_and_matches(
    house: House, desk: Desk, teller: Teller, client: httpx.AsyncClient, sign_in: Make
) -> None:
    _, found = await submitted(house)
    await desk.account()
    for day, leg in enumerate(found, 5):
        statement = teller.statement(pays(teller, leg), day=date(2026, 1, day))
        await desk.take(teller.file(statement))
    finance = await sign_in(Role.FINANCE)

    async def pages(path: str, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = await client.get(f"{HERE}/{path}?limit=1{cursor}", headers=finance)
            body = answer.json()
            assert (answer.status_code, len(body[name])) == (200, 1)
            rows += body[name]
            if body["next"] is None:
                return rows
            cursor = f"&cursor={body['next']}"

    statements = await pages("statements", "statements")
    assert [each["reference"] for each in statements] == [
        f"STMT-{number}" for number in range(len(found), 0, -1)
    ]
    matches = await pages("matches", "matches")
    assert [each["leg_id"] for each in matches] == [str(leg.id) for leg in reversed(found)]
    assert {(each["rule"], each["confidence"]) for each in matches} == {("end_to_end", 100)}
    last = matches[0]
    undo = f"{HERE}/matches/{last['id']}/undo"
    done = await client.post(undo, json={"note": "wrong line"}, headers=finance)
    assert done.status_code == 204
    own = await client.get(f"{HERE}/matches?leg={last['leg_id']}", headers=finance)
    contra, first = own.json()["matches"]
    assert (contra["undoes_id"], first["undone_by_id"]) == (last["id"], contra["id"])
    assert contra["amount_micros"] == -first["amount_micros"]
    line = await client.get(f"{HERE}/matches?line={last['entry_id']}", headers=finance)
    assert line.json() == own.json()
    for wrong in ("cursor=x", "cursor=gaF4", "limit=0", "limit=-1", "leg=7", "line=%00"):
        refused = await client.get(f"{HERE}/matches?{wrong}", headers=finance)
        assert refused.status_code == 400, wrong

"""Finance imports statements and closes the day over HTTP and at the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.identity.domain import Role
from tests.conftest import SECRET_KEY, Headers
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
IBAN = "DE89370400440532013000"
HERE = "/v1/settlement/bank"


async def test_accounts_statements_and_the_day_over_http(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    finance = await sign_in(Role.FINANCE)
    body = {"identifier": IBAN, "currency": "EUR", "rail": "sepa", "name": "House"}
    made = await client.post(f"{HERE}/accounts", json=body, headers=finance)
    assert made.status_code == 201, made.text
    again = await client.post(f"{HERE}/accounts", json=body, headers=finance)
    assert again.status_code == 409
    wrong = body | {"identifier": "DE00370400440532013000"}
    assert (await client.post(f"{HERE}/accounts", json=wrong, headers=finance)).status_code == 400
    taken = await client.post(
        f"{HERE}/accounts", json=wrong | {"as_written": True}, headers=finance
    )
    assert taken.status_code == 201
    found = (await client.get(f"{HERE}/accounts", headers=finance)).json()["accounts"]
    assert [each["identifier"] for each in found] == ["DE00370400440532013000", IBAN]

    for path, name in (("suggestions", "suggestions"), ("breaks?kind=missing", "breaks"),
                       ("in-transit", "legs")):  # fmt: skip
        answer = await client.get(f"{HERE}/{path}", headers=finance)
        assert (answer.status_code, answer.json()) == (200, {name: []})
    for name in ("statements", "matches"):
        answer = await client.get(f"{HERE}/{name}", headers=finance)
        assert (answer.status_code, answer.json()) == (200, {name: [], "next": None})
    refused = await client.post(f"{HERE}/statements", headers=finance)
    assert refused.status_code == 400
    text = {"file": ("notes.txt", b"no statement at all")}
    unread = await client.post(f"{HERE}/statements", files=text, headers=finance)
    assert 400 <= unread.status_code < 500, unread.text
    day = await client.get("/v1/settlement/daily?date=2024-05-01", headers=finance)
    assert day.json()["green"] is True
    partner = await sign_in(Role.PARTNER)
    for path in (f"{HERE}/accounts", f"{HERE}/breaks", "/v1/settlement/daily"):
        assert (await client.get(path, headers=partner)).status_code == 403


async def test_a_file_larger_than_the_house_takes_is_refused(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = coalition.runtime.settings
    monkeypatch.setattr(
        coalition.runtime, "settings", msgspec.structs.replace(settings, bank_file_mb=1)
    )
    large = {"file": ("large.xml", b"x" * 1_000_001)}
    refused = await client.post(
        f"{HERE}/statements", files=large, headers=await sign_in(Role.FINANCE)
    )
    assert refused.status_code == 400
    assert "more than 1 MB" in refused.json()["detail"]


def test_the_command_line_does_the_same(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    runner = CliRunner()

    def said(*arguments: str, code: int = 0) -> str:
        done = runner.invoke(main, ["settlement", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    said("bank", "add-account", IBAN, "--name", "House")
    assert IBAN in said("bank", "accounts")
    assert '"rail":"sepa"' in said("bank", "accounts", "--json")
    for listing in ("statements", "suggestions", "breaks", "in-transit"):
        assert "Nothing." in said("bank", listing)
    assert "import the members first" in said("bank", "match", code=2)
    assert "green" in said("daily", "--date", "2024-05-01")
    nobody = "00000000-0000-0000-0000-000000000001"
    said("bank", "accept", nobody, code=2)
    said("bank", "resolve", nobody, "note", "--note", "x", code=2)

"""Keys and people from the command line, as the operator does it."""

from __future__ import annotations

import asyncio
import re

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from marketplace.cli import main
from marketplace.identity import sessions
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.errors import WrongPassword
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.factories import Coalition


@pytest.fixture
def marketplace(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line on a database with a small coalition."""

    async def make() -> None:
        async with open_runtime(settings) as runtime:
            await Coalition.make(runtime)

    assert settings.database_url
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("MARKETPLACE_LOG_LEVEL", "WARNING")
    asyncio.run(make())
    return CliRunner()


def say(runner: CliRunner, command: str, *more: str, stdin: str | None = None) -> str:
    """Run a command that must succeed; what it printed."""
    result = attempt(runner, command, *more, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def attempt(runner: CliRunner, command: str, *more: str, stdin: str | None = None) -> Result:
    return runner.invoke(main, [*command.split(), *more], input=stdin)


async def fits(settings: Settings, email: str, password: str) -> bool:
    async with open_runtime(settings) as runtime:
        try:
            await sessions.sign_in(runtime.database, email, password, days=1)
        except WrongPassword:
            return False
        return True


async def who(runtime: Runtime, token: str) -> str | None:
    principal = await Authenticator(runtime.database).verify(
        [(b"authorization", f"Bearer {token}".encode())], "GET"
    )
    return ",".join(sorted(principal.scopes))


def test_a_key_is_printed_once_listed_by_its_hint_and_revoked(
    marketplace: CliRunner, settings: Settings
) -> None:
    asked = "keys create --member alpha --label checkout --scope burns:write --scope offers:read"
    key = say(marketplace, asked)
    assert re.fullmatch(r"mk_[A-Za-z0-9_-]{43}", key)

    async def scopes() -> str | None:
        async with open_runtime(settings) as runtime:
            return await who(runtime, key)

    assert asyncio.run(scopes()) == "burns:write,offers:read"

    listed = say(marketplace, "keys list --member alpha")
    assert key[:9] in listed
    assert key not in listed
    assert say(marketplace, "keys list --member beta") == ""
    key_id = listed.split()[0]
    assert "revoked" in say(marketplace, f"keys revoke {key_id}")
    assert "revoked" in say(marketplace, "keys list")


def test_a_key_for_nobody_is_refused_in_one_line(marketplace: CliRunner) -> None:
    refused = attempt(marketplace, "keys create --member nobody --label x --scope burns:write")
    assert refused.exit_code == 2
    assert "There is no member 'nobody'" in refused.output
    unknown = attempt(marketplace, "keys create --member alpha --label x --scope all")
    assert "burns:write" in unknown.output


def test_a_fresh_secret_key_is_a_fernet_key() -> None:
    Fernet(say(CliRunner(), "keys secret"))


def test_people_are_added_listed_and_disabled(marketplace: CliRunner, settings: Settings) -> None:
    ann = "ann@acme.example"
    added = say(marketplace, f"people add {ann} --name Ann --role participant --participant P-ann")
    password = added.rpartition(" ")[2]
    assert asyncio.run(fits(settings, ann, password))

    boss = "people add boss@op.example --name Boss --role operator --member operator"
    say(marketplace, boss, "--password-stdin", stdin="a good password\n")
    assert asyncio.run(fits(settings, "boss@op.example", "a good password"))
    assert [line.split()[0] for line in say(marketplace, "people list").splitlines()] == [
        ann,
        "boss@op.example",
    ]

    changed = say(marketplace, f"people password {ann}").rpartition(" ")[2]
    assert not asyncio.run(fits(settings, ann, password))
    assert asyncio.run(fits(settings, ann, changed))

    say(marketplace, f"people disable {ann}")
    assert not asyncio.run(fits(settings, ann, changed))
    assert "disabled" in say(marketplace, "people list").splitlines()[0]


def test_a_person_without_what_the_role_needs_is_refused(marketplace: CliRunner) -> None:
    refused = attempt(marketplace, "people add x@y.example --name X --role partner")
    assert refused.exit_code == 2
    assert "needs a member" in refused.output
    empty = attempt(
        marketplace, "people add x@y.example --name X --role partner --password-stdin", stdin=""
    )
    assert "holds no password" in empty.output

"""What an operator sees of mails on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.db import Database
from marketplace.identity.models import Person
from marketplace.notices.domain import MailStatus
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.notices.conftest import mails, run_sql, tell_gift

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `marketplace notices mail ...` on the test's database."""
    assert settings.database_url
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["notices", "mail", *words])

    return run


async def test_without_a_mail_server_the_list_says_so(
    coalition: Coalition, ann: Person, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There are no such mails." in (await asyncio.to_thread(invoke, "list")).output
    await tell_gift(coalition, ann)
    shown = (await asyncio.to_thread(invoke, "list")).output
    assert "ann@acme.example" in shown
    assert "not sent: no mail server configured" in shown
    monkeypatch.setenv("MARKETPLACE_SMTP_URL", "smtp://127.0.0.1:1")
    assert "waiting, 0 tries" in (await asyncio.to_thread(invoke, "list")).output


async def test_a_refused_mail_is_listed_with_why_and_can_be_sent_again(
    coalition: Coalition, ann: Person, invoke: Invoke, owner: Database
) -> None:
    await tell_gift(coalition, ann)
    await run_sql(
        owner, "update mail set status = 'failed', due_at = null, error = '550 no such user'"
    )
    shown = (await asyncio.to_thread(invoke, "list", "--status", "failed")).output
    assert "refused: 550 no such user" in shown
    [mail] = await mails(coalition)
    assert (await asyncio.to_thread(invoke, "retry", str(mail.id))).exit_code == 0
    [mail] = await mails(coalition)
    assert mail.status is MailStatus.DUE
    again = await asyncio.to_thread(invoke, "retry", str(mail.id))
    assert again.exit_code == 2
    assert "Neither refused nor dropped" in again.output

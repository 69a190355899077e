"""The real background process sends what is due, and a worker with settings of no sense ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from marketplace.identity.models import Person
from marketplace.notices.domain import MailStatus
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.notices.conftest import mails, tell_gift
from tests.notices.mailserver import Postbox

PATIENCE_S = 120.0

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def background(settings: Settings) -> Iterator[Start]:
    """`background(smtp_url=...)` runs relay, schedule and worker until the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def run(**more: str) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "MARKETPLACE_DATABASE_URL": settings.database_url or "",
            "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
            "MARKETPLACE_DATABASE_POOL": "4",
            **{f"MARKETPLACE_{name.upper()}": value for name, value in more.items()},
        }
        command = [sys.executable, "-m", "marketplace", "background"]
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)
        running.append(process)
        return process

    yield run
    for process in running:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


async def test_a_notice_becomes_a_mail_by_itself(
    coalition: Coalition, ann: Person, postbox: Postbox, background: Start
) -> None:
    await tell_gift(coalition, ann)
    background(smtp_url=postbox.url)
    deadline = time.monotonic() + PATIENCE_S
    while (await mails(coalition))[0].status is not MailStatus.SENT:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert postbox.subjects == ["Bob sent you a gift: Mug"]


async def test_a_mail_server_that_cannot_be_read_is_said_at_the_start(background: Start) -> None:
    process = background(smtp_url="smtp://user:s3cret@mail.example")
    _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    assert process.returncode == 2
    assert b"MARKETPLACE_SMTP_URL" in said
    assert b"s3cret" not in said

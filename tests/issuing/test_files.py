"""A file of points: checked, shown, written; all or nothing, once, whatever happens meanwhile."""

from __future__ import annotations

import csv
import errno
import io
from collections.abc import Awaitable, Callable
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.identity.domain import Role
from marketplace.issuing import files
from marketplace.issuing.domain import Upload
from marketplace.issuing.models import IssueUpload, IssueUploadPart
from marketplace.ledger.models import Lot
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.exchange.browsing import Browser, words_of
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]
FILES = "/partner/issue/files"
GOOD = "reference,participant,points\nF-1,P-ann,500\nF-2,P-bob,250\n"


class Desk:
    """A clerk's browser and the worker."""

    def __init__(self, browser: Browser, runtime: Runtime) -> None:
        self.browser = browser
        self.runtime = runtime

    async def send(self, content: str | bytes, name: str = "march.csv") -> str:
        """Send a file; the address of its page."""
        sent = {"file": (name, content, "text/csv")}
        answer = await self.browser.client.post(FILES, files=sent, headers=self.browser.who)
        assert answer.status_code == 303, words_of(answer)
        return str(answer.headers["location"])

    async def work(self) -> None:
        """What the worker does until nothing waits."""
        while await files.work_on_next(self.runtime):
            pass

    async def checked(self, content: str | bytes) -> tuple[str, str]:
        """A file that was sent and worked on: its address, and what its page says."""
        address = await self.send(content)
        await self.work()
        return address, await self.browser.open(address)

    async def lots(self) -> dict[str, int]:
        """Points by reference."""
        async with self.runtime.database.begin() as session:
            rows = await session.execute(sa.select(Lot.reference, Lot.points))
            return {row.reference: row.points for row in rows}

    async def parts(self) -> int:
        """Pieces of files that are kept."""
        async with self.runtime.database.begin() as session:
            found = sa.select(sa.func.count()).select_from(IssueUploadPart)
            return (await session.execute(found)).scalar_one()


@pytest.fixture
async def desk(coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn) -> Desk:
    return Desk(Browser(client, await sign_in(Role.PARTNER, "alpha")), coalition.runtime)


async def test_a_file_is_checked_then_issued_and_changes_nothing_when_sent_again(
    desk: Desk,
) -> None:
    address = await desk.send(GOOD)
    said = await desk.browser.open(address)
    assert "Being checked" in said
    assert '<noscript><meta http-equiv="refresh"' in desk.browser.html
    assert 'hx-trigger="every 1s"' in desk.browser.html
    await desk.work()
    said = await desk.browser.open(address)
    assert "Issuances 2" in said
    assert "It costs you €6.00" in said
    assert "refresh" not in desk.browser.html
    assert await desk.lots() == {}
    said = await desk.browser.send(f"{address}/issue")
    assert "Being issued" in said
    await desk.work()
    said = await desk.browser.open(address)
    assert "Every line of the file is issued." in said
    assert await desk.lots() == {"F-1": 500, "F-2": 250}
    assert await desk.parts() == 0
    again, said = await desk.checked(GOOD)
    assert "2 lines were issued before, just as they say." in said
    assert not desk.browser.has(f"{again}/issue")
    more, said = await desk.checked(GOOD + "F-3,P-ann,1\n")
    assert "2 lines were issued before and stay as they are" in said
    await desk.browser.send(f"{more}/issue")
    await desk.work()
    assert (await desk.lots())["F-3"] == 1
    said = await desk.browser.open("/partner/issue/history")
    assert "File march.csv" in said
    assert "+750" in said
    async with desk.runtime.database.begin() as session:
        assert await verify(session) == []


async def test_every_bad_line_is_named_and_nothing_is_issued(desk: Desk) -> None:
    bad = "".join(f"X-{at},P-ann,none\n" for at in range(150))
    address, said = await desk.checked(GOOD + "F-3,P-nobody,5\n" + bad)
    assert "151 things are wrong, so nothing was issued" in said
    assert "4 There is nobody with reference “P-nobody”." in said
    assert "“none” is no number of points." in said
    assert not desk.browser.has(f"{address}/issue")
    said = await desk.browser.open(f"{address}?after=100")
    assert "154" in said
    answer = await desk.browser.client.get(f"{address}/faults.csv", headers=desk.browser.who)
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 152
    assert rows[1][:2] == ["4", "There is nobody with reference “P-nobody”."]
    assert await desk.lots() == {}
    assert await desk.parts() == 0


async def test_points_of_another_member_are_refused_by_line(desk: Desk) -> None:
    rows = (
        "reference,issuer,participant,points\nF-1,alpha,P-ann,5\nF-2,beta,P-ann,5\nF-3,,P-ann,5\n"
    )
    _, said = await desk.checked(rows)
    assert "1 thing is wrong" in said
    assert "3 These would be points of “beta”, not yours." in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The first line does not name the columns."),
        (b"reference,participant,points\n", "There is no line in it"),
        (b"PK\x03\x04\x00\x00binary\xff\xfe", "There is no column"),
        (b"reference,participant,points\nA,P-ann,5\nA,P-ann,5\n", "on an earlier line already"),
    ],
)
async def test_files_that_are_none_are_told(desk: Desk, content: bytes, said: str) -> None:
    _, page = await desk.checked(content)
    assert said in page


async def test_no_file_and_a_name_of_any_kind(desk: Desk) -> None:
    browser = desk.browser
    empty = await browser.client.post(FILES, files={"file": ("", b"")}, headers=browser.who)
    assert empty.status_code == 422
    assert "Choose a file first." in words_of(empty)
    await browser.open(await desk.send(GOOD, "../../<b>ж</b>.csv"))
    assert "&lt;b&gt;ж" not in browser.html.split("<title>")[0]
    assert "<b>ж" not in browser.html


async def test_a_file_that_is_not_wanted_is_withdrawn_and_cannot_be_issued(desk: Desk) -> None:
    address, _ = await desk.checked(GOOD)
    said = await desk.browser.send(f"{address}/withdraw")
    assert "It was withdrawn" in said
    late = await desk.browser.post(f"{address}/issue")
    assert "moved on meanwhile" in await desk.browser.open(late.headers["location"])
    await desk.work()
    assert await desk.lots() == {}
    assert await desk.parts() == 0


async def test_a_file_that_is_withdrawn_while_it_is_checked_stays_withdrawn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await desk.send(GOOD)
    whole = files.import_file

    async def checked_slowly(*given: object, **more: object) -> object:
        await desk.browser.open(address)
        await desk.browser.post(f"{address}/withdraw")
        return await whole(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "import_file", checked_slowly)
    await desk.work()
    assert "It was withdrawn" in await desk.browser.open(address)


async def test_a_file_nobody_issues_is_forgotten_after_two_weeks(
    desk: Desk, owner: Database
) -> None:
    address, _ = await desk.checked(GOOD)
    async with desk.runtime.database.begin() as session:
        await files.forget(session)
    assert "not issued yet" in await desk.browser.open(address)
    async with owner.begin() as session:
        old = sa.func.now() - sa.text("interval '15 days'")
        await session.execute(sa.update(IssueUpload).values(created_at=old))
    async with desk.runtime.database.begin() as session:
        await files.forget(session)
    assert "It was withdrawn" in await desk.browser.open(address)


async def test_a_file_that_is_issued_while_it_is_about_to_be_forgotten_is_issued(
    desk: Desk, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = await desk.checked(GOOD)
    async with owner.begin() as session:
        old = sa.func.now() - sa.text("interval '15 days'")
        await session.execute(sa.update(IssueUpload).values(created_at=old))
    checked_before = files.repository.checked_before

    async def then_issued(*given: Any) -> list[Upload]:
        found = await checked_before(*given)
        await desk.browser.send(f"{address}/issue")
        return found

    monkeypatch.setattr(files.repository, "checked_before", then_issued)
    async with desk.runtime.database.begin() as session:
        await files.forget(session)
    assert await files.work_on_next(desk.runtime) is True
    assert await desk.lots() == {"F-1": 500, "F-2": 250}


async def test_work_that_was_cut_short_is_taken_up_by_another_worker(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = await desk.checked(GOOD)
    await desk.browser.send(f"{address}/issue")
    whole = files.repository.move

    async def die(*given: object, **more: object) -> bool:
        """The process ends after the points are written, before it commits."""
        raise KeyboardInterrupt

    monkeypatch.setattr(files.repository, "move", die)
    with pytest.raises(KeyboardInterrupt):
        await files.work_on_next(desk.runtime)
    monkeypatch.setattr(files.repository, "move", whole)
    assert await desk.lots() == {}
    # Another worker leaves it alone until the first is taken for dead.
    assert await files.work_on_next(desk.runtime) is False
    assert "Being issued" in await desk.browser.open(address)
    await let_claims_lapse(desk)
    assert await files.work_on_next(desk.runtime) is True
    assert await desk.lots() == {"F-1": 500, "F-2": 250}
    assert "Every line of the file is issued." in await desk.browser.open(address)


async def let_claims_lapse(desk: Desk) -> None:
    async with desk.runtime.database.begin() as session:
        await session.execute(sa.text("update issue_upload set claimed_until = now()"))


async def test_a_file_that_fails_for_a_fault_of_ours_is_given_up_after_some_tries(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = await desk.send(GOOD)

    async def fail(*given: object, **more: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(files, "import_file", fail)
    for _ in range(files.MOST_ATTEMPTS):
        assert await files.work_on_next(desk.runtime) is True
        await let_claims_lapse(desk)
    assert await files.work_on_next(desk.runtime) is False
    said = await desk.browser.open(address)
    assert "We could not work on this file" in said
    assert "no disk" not in said
    assert "attempt 5 failed" in caplog.text


async def test_an_upload_that_finds_no_disk_is_to_be_sent_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"file": ("march.csv", GOOD + "\n" * 3_000_000, "text/csv")}
    for refused in (
        OSError(errno.ENOSPC, "No space left on device"),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
    ):

        def full(spool: SpooledTemporaryFile[bytes], error: OSError = refused) -> None:
            spool.close()
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(SpooledTemporaryFile, "rollover", full)
            answer = await desk.browser.client.post(FILES, files=sent, headers=desk.browser.who)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert await desk.parts() == 0
    assert "Issuances 2" in (await desk.checked(GOOD))[1]


@pytest.mark.parametrize(
    "passing",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
        ConnectionRefusedError("the database is away"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        sa.exc.OperationalError("select 1", {}, asyncpg.CannotConnectNowError("starting up")),
    ],
)
async def test_what_passes_is_not_counted_against_a_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, passing: Exception
) -> None:
    address = await desk.send(GOOD)
    whole = files.import_file

    async def fail(*given: object, **more: object) -> None:
        raise passing

    monkeypatch.setattr(files, "import_file", fail)
    for _ in range(files.MOST_ATTEMPTS + 2):
        assert await files.work_on_next(desk.runtime) is True
        assert await files.work_on_next(desk.runtime) is False, "not before its claim is over"
        await let_claims_lapse(desk)
    monkeypatch.setattr(files, "import_file", whole)
    await desk.work()
    assert "Issuances 2" in await desk.browser.open(address)


async def test_an_attempt_is_not_counted_once_the_database_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.send(GOOD)
    away = iter([True, True, False])
    monkeypatch.setattr(files, "EXCUSE_AFTER_S", (0, 0, 0, 0))
    excuse = files.repository.excuse

    async def fail(*given: object, **more: object) -> None:
        raise ConnectionResetError

    async def excuse_later(*given: object) -> None:
        if next(away):
            raise ConnectionRefusedError
        await excuse(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "import_file", fail)
    monkeypatch.setattr(files.repository, "excuse", excuse_later)
    await files.work_on_next(desk.runtime)
    async with desk.runtime.database.begin() as session:
        assert await session.scalar(sa.select(IssueUpload.attempts)) == 0


async def test_a_file_is_seen_and_moved_by_its_own_member_only(desk: Desk, sign_in: SignIn) -> None:
    address, _ = await desk.checked(GOOD)
    beta = Browser(desk.browser.client, await sign_in(Role.PARTNER, "beta"))
    assert "march.csv" not in await beta.open(FILES)
    await beta.open(address, 404)
    for action in ("issue", "withdraw"):
        assert (await beta.post(f"{address}/{action}")).status_code == 404
    answer = await beta.client.get(f"{address}/faults.csv", headers=beta.who)
    assert answer.status_code == 404
    operator = Browser(beta.client, await sign_in(Role.OPERATOR))
    assert "Issuances 2" in await operator.open(f"{address}?member=alpha")
    await operator.open(f"{address}?member=beta", 404)
    assert (await operator.post(f"{address}/issue")).status_code == 409
    moved = await operator.post(f"{address}/issue?member=alpha")
    assert moved.headers["location"] == f"{address}?member=alpha"
    await desk.work()
    assert await desk.lots() == {"F-1": 500, "F-2": 250}
    assert "operator of operator" in await desk.browser.open("/partner/issue/history")


async def test_a_large_file_is_kept_in_pieces_and_its_progress_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "TELL_EVERY_S", 0.001)
    lines = "".join(f"L-{at},P-ann,{at % 9 + 1}\n" for at in range(20_000))
    address = await desk.send("reference,participant,points\n" + lines)
    assert await desk.parts() == 2
    told: list[int] = []
    whole = files.repository.note_progress

    async def note(session: object, upload: object, read_bytes: int) -> None:
        told.append(read_bytes)
        await whole(session, upload, read_bytes)  # type: ignore[arg-type]

    monkeypatch.setattr(files.repository, "note_progress", note)
    await desk.work()
    assert told == sorted(told)
    assert len(set(told)) > 1
    assert "Issuances 20,000" in await desk.browser.open(address)
    upload_id = UUID(address.rsplit("/", 1)[1])
    async with desk.runtime.database.begin() as session:
        row = await session.get_one(IssueUpload, upload_id)
        assert row.size_bytes == len("reference,participant,points\n" + lines)


async def test_no_more_files_wait_than_may_however_fast_they_are_sent(desk: Desk) -> None:
    sent = {"file": ("march.csv", GOOD, "text/csv")}
    answers = [
        await desk.browser.client.post(FILES, files=sent, headers=desk.browser.who)
        for _ in range(files.MOST_WAITING + 1)
    ]
    assert [answer.status_code for answer in answers] == [303] * files.MOST_WAITING + [422]
    assert "So many files wait already: 10." in words_of(answers[-1])
    assert await desk.parts() == files.MOST_WAITING
    await desk.browser.post(f"{answers[0].headers['location']}/withdraw")
    await desk.send(GOOD)


async def test_a_file_that_ends_its_worker_is_given_up_after_some_tries(desk: Desk) -> None:
    await desk.send(GOOD)
    async with desk.runtime.database.begin() as session:
        await session.execute(sa.update(IssueUpload).values(attempts=files.MOST_ATTEMPTS))
    await desk.work()
    async with desk.runtime.database.begin() as session:
        assert await session.scalar(sa.select(IssueUpload.state)) == "failed"
    assert await desk.parts() == 0

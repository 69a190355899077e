"""All SQL of issuing: files and their pieces, people points may be issued to, the history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports import ImportReport
from marketplace.coalition.models import Firm, Participant
from marketplace.identity.models import ApiKey, AuditEntry, Person
from marketplace.issuing.domain import Upload, UploadState
from marketplace.issuing.models import IssueUpload, IssueUploadPart
from marketplace.ledger.models import Lot, Wallet

ISSUED: Final = "issuances.issue"
"""The action of the audit trail: points of a member were issued."""
CLAIM_S: Final = 60

# -- files -----------------------------------------------------------------------------------------

CLAIM = sa.text("""
update issue_upload set claimed_until = clock_timestamp() + make_interval(secs => :secs),
    attempts = attempts + 1, read_bytes = 0
where id = (
    select id from issue_upload
    where state in ('received', 'ordered')
      and (claimed_until is null or claimed_until < clock_timestamp())
    order by id limit 1 for update skip locked
)
returning id
""")


async def count_kept(session: AsyncSession, member_id: UUID) -> int:
    """Files of a member whose pieces are kept; others who add one wait for this transaction."""
    lock = sa.text("select pg_advisory_xact_lock(hashtextextended('uploads ' || :member, 0))")
    await session.execute(lock, {"member": str(member_id)})
    kept = sa.select(sa.func.count()).select_from(IssueUpload)
    kept = kept.where(IssueUpload.member_id == member_id, IssueUpload.finished_at.is_(None))
    return (await session.execute(kept)).scalar_one()


async def add_upload(session: AsyncSession, row: IssueUpload) -> None:
    """Note a file; its pieces follow."""
    session.add(row)
    await session.flush()


async def add_part(session: AsyncSession, upload_id: UUID, position: int, content: bytes) -> None:
    """Keep one piece."""
    values = {"upload_id": upload_id, "position": position, "content": content}
    await session.execute(sa.insert(IssueUploadPart).values(values))


async def parts(session: AsyncSession, upload_id: UUID) -> AsyncIterator[bytes]:
    """The pieces of a file, one at a time."""
    position = 0
    while (part := await session.get(IssueUploadPart, (upload_id, position))) is not None:
        yield part.content
        session.expunge(part)
        position += 1


async def find_upload(session: AsyncSession, member_id: UUID, upload_id: UUID) -> Upload | None:
    """A file of this member; None where it is another's or there is none."""
    row = await session.scalar(
        sa.select(IssueUpload).where(
            IssueUpload.id == upload_id, IssueUpload.member_id == member_id
        )
    )
    return None if row is None else _upload(row)


async def uploads(
    session: AsyncSession, member_id: UUID, *, before: UUID | None, limit: int
) -> list[Upload]:
    """Files of a member, newest first."""
    query = sa.select(IssueUpload).where(IssueUpload.member_id == member_id)
    if before is not None:
        query = query.where(IssueUpload.id < before)
    rows = await session.scalars(query.order_by(IssueUpload.id.desc()).limit(limit))
    return [_upload(row) for row in rows]


def _upload(row: IssueUpload) -> Upload:
    report = None if row.report is None else msgspec.convert(row.report, ImportReport)
    return Upload(
        id=row.id,
        member_id=row.member_id,
        actor=row.actor,
        name=row.name,
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        state=row.state,
        read_bytes=row.read_bytes,
        report=report,
        attempts=row.attempts,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


async def claim_upload(session: AsyncSession) -> Upload | None:
    """The oldest file that something is to be done to, for this worker alone for a while."""
    upload_id = await session.scalar(CLAIM, {"secs": CLAIM_S})
    return None if upload_id is None else _upload(await session.get_one(IssueUpload, upload_id))


async def checked_before(session: AsyncSession, age: timedelta) -> list[Upload]:
    """Checked files sent longer ago than `age`."""
    rows = await session.scalars(
        sa.select(IssueUpload).where(
            IssueUpload.state == UploadState.CHECKED,
            IssueUpload.created_at < sa.func.now() - age,
        )
    )
    return [_upload(row) for row in rows]


async def note_progress(session: AsyncSession, upload: Upload, read_bytes: int) -> None:
    """How far the work has come; the worker is alive."""
    until = sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, CLAIM_S)
    await session.execute(
        sa.update(IssueUpload)
        .where(IssueUpload.id == upload.id, IssueUpload.state == upload.state)
        .values(read_bytes=read_bytes, claimed_until=until)
    )


async def excuse(session: AsyncSession, upload: Upload) -> None:
    """Do not count the present attempt: that it failed is no fault of the file."""
    await session.execute(
        sa.update(IssueUpload)
        .where(IssueUpload.id == upload.id, IssueUpload.attempts == upload.attempts)
        .values(attempts=upload.attempts - 1)
    )


async def move(
    session: AsyncSession,
    upload: Upload,
    to: UploadState,
    *,
    report: ImportReport | None = None,
    is_over: bool = False,
    actor: str | None = None,
    name: str | None = None,
) -> bool:
    """From its state to another; False, and nothing is changed, where it is not in that state."""
    values: dict[str, Any] = {"state": to, "claimed_until": None, "attempts": 0, "read_bytes": 0}
    if report is not None:
        values["report"] = msgspec.to_builtins(report)
    if actor is not None:
        values |= {"actor": actor, "name": name}
    if is_over:
        values["finished_at"] = sa.func.now()
    moved = await session.execute(
        sa.update(IssueUpload)
        .where(IssueUpload.id == upload.id, IssueUpload.state == upload.state)
        .values(values)
        .returning(IssueUpload.id)
    )
    if moved.first() is None:
        return False
    if is_over:
        await session.execute(
            sa.delete(IssueUploadPart).where(IssueUploadPart.upload_id == upload.id)
        )
    return True


# -- people ----------------------------------------------------------------------------------------


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom points may be issued to."""

    wallet_id: UUID
    reference: str
    name: str | None
    """None where this member has nothing to do with the person, so knows them by reference only."""
    firm: str | None


def _recipients(member_id: UUID) -> sa.Select[UUID, str, str, str, bool]:
    has_points = sa.exists().where(Lot.wallet_id == Wallet.id, Lot.issuer_id == member_id)
    return (
        sa.select(
            Wallet.id,
            Participant.reference,
            Participant.name,
            Firm.name.label("firm"),
            sa.or_(Firm.sponsor_id == member_id, has_points).label("is_known"),
        )
        .join(Participant, Participant.id == Wallet.participant_id)
        .join(Firm, Firm.id == Participant.firm_id)
    )


async def recipients(
    session: AsyncSession, member_id: UUID, words: str, limit: int
) -> list[Recipient]:
    """People with this reference, or of these words among those whom the member knows.

    It knows those of the firms it sponsors and those who have had points of it.
    """
    found = _recipients(member_id).subquery()
    exact = found.c.reference == words
    pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    known = sa.and_(
        found.c.is_known,
        sa.or_(found.c.name.ilike(pattern), found.c.reference.ilike(pattern)),
    )
    query = sa.select(found).where(sa.or_(exact, known))
    rows = await session.execute(query.order_by(exact.desc(), found.c.name).limit(limit))
    return [_recipient(row) for row in rows]


async def recipient(session: AsyncSession, member_id: UUID, wallet_id: UUID) -> Recipient | None:
    """The person with this wallet; None for a firm's, or where there is none."""
    found = (await session.execute(_recipients(member_id).where(Wallet.id == wallet_id))).first()
    return None if found is None else _recipient(found)


def _recipient(row: Any) -> Recipient:
    known = row.is_known
    return Recipient(
        wallet_id=row.id,
        reference=row.reference,
        name=row.name if known else None,
        firm=row.firm if known else None,
    )


# -- the history -----------------------------------------------------------------------------------


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a member that were issued together."""

    id: int
    at: datetime
    who: str
    """Name of the person, label of the key, or the actor as it is."""
    is_key: bool
    points: int
    issued: int
    details: dict[str, Any]


def _id_in_actor(prefix: str) -> sa.ColumnElement[UUID | None]:
    """The id of an actor of this kind; null for others. Indexes are used, as ids are compared."""
    is_one = AuditEntry.actor.startswith(prefix)
    rest = sa.func.substr(AuditEntry.actor, len(prefix) + 1)
    return sa.case((is_one, sa.cast(rest, sa.Uuid)), else_=None)


async def history(
    session: AsyncSession, member_id: UUID, *, before: int | None, limit: int
) -> Sequence[Happened]:
    """What was issued for a member by people and keys, newest first."""
    who = sa.func.coalesce(Person.name, ApiKey.label, AuditEntry.actor)
    query = (
        sa.select(AuditEntry, who.label("who"), ApiKey.id.label("key_id"))
        .outerjoin(Person, Person.id == _id_in_actor("person:"))
        .outerjoin(ApiKey, ApiKey.id == _id_in_actor("key:"))
        .where(
            AuditEntry.subject_kind == "member",
            AuditEntry.subject_id == str(member_id),
            AuditEntry.action == ISSUED,
        )
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = await session.execute(query.order_by(AuditEntry.id.desc()).limit(limit))
    return [
        Happened(
            id=row.AuditEntry.id,
            at=row.AuditEntry.at,
            who=row.who,
            is_key=row.key_id is not None,
            points=row.AuditEntry.details.get("points", 0),
            issued=row.AuditEntry.details.get("issued", 0),
            details=row.AuditEntry.details,
        )
        for row in rows
    ]

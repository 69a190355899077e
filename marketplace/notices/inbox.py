"""What a person sees of their notices: the inbox, in words, and what they have read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.faces import FaceById, Faces
from marketplace.identity.domain import Principal
from marketplace.notices import repository
from marketplace.notices.domain import Category
from marketplace.notices.kinds import KINDS
from marketplace.notices.models import Notice
from marketplace.notices.schemas import NoticeView
from marketplace.notices.titles import offers_in, titled
from marketplace.notices.words import words_of
from marketplace.web.i18n import Language, speak
from marketplace.web.paging import cut_page, decode_cursor


async def unread_count(session: AsyncSession, principal: Principal | None) -> int:
    """Unread notices of a signed-in person, 100 at most; one look at an index."""
    if principal is None or principal.is_key:
        return 0
    return await repository.unread_count(session, principal.caller_id)


async def read_inbox(
    session: AsyncSession,
    principal: Principal,
    language: Language,
    faces: Faces,
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[NoticeView], str | None]:
    """A page of the person's notices, and the cursor of the next one. Raises BadCursor."""
    after = decode_cursor(cursor, tuple[bool, int])
    rows = await repository.inbox(session, principal.caller_id, after=after, limit=limit + 1)
    page, following = cut_page(rows, limit, lambda row: (row.read_at is not None, row.id))
    return await in_words(page, language, faces), following


async def find(
    session: AsyncSession, principal: Principal, notice_id: int, language: Language, faces: Faces
) -> NoticeView:
    """A notice of this person; NotFound where there is none."""
    row = await repository.find(session, principal.caller_id, notice_id)
    views = await in_words([row], language, faces)
    if not views:
        raise NotFound
    return views[0]


async def mark_read(session: AsyncSession, principal: Principal, ids: Sequence[int] | None) -> int:
    """Mark notices as read (None: all); returns how many are left. Those of others are skipped."""
    await repository.mark_read(session, principal.caller_id, ids)
    return await repository.unread_count(session, principal.caller_id)


async def note_arrival(session: AsyncSession, principal: Principal | None, path: str) -> None:
    """A person has opened a page, whichever way: notices that lead there are read.

    One look at an index; people without unread notices cost no more than that.
    """
    if principal is not None and not principal.is_key:
        await repository.mark_read_at(session, principal.caller_id, path)


async def in_words(rows: Sequence[Notice], language: Language, faces: Faces) -> list[NoticeView]:
    """Notices as their reader sees them, without those of kinds that only newer code knows."""
    known = await faces.of(offers_in(row.context for row in rows), language.code)
    with speak(language):
        return [_view(row, known) for row in rows if row.kind in KINDS]


def _view(row: Notice, faces: FaceById) -> NoticeView:
    words = words_of(row.kind, titled(row.context, faces), row.created_at)
    return NoticeView(
        id=str(row.id),
        kind=row.kind,
        category=Category(row.category),
        subject=words.subject,
        text=words.text,
        tip=words.tip,
        path=words.path,
        action=words.action,
        effective_at=row.effective_at,
        read_at=row.read_at,
    )

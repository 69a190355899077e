"""Lines of a window as one member sees them: its own side, page by page."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.web.paging import cut_page, decode_cursor
from settlement.disputes import repository as disputes
from settlement.disputes.domain import line_id
from settlement.disputes.models import Dispute
from settlement.statements import service
from settlement.statements.domain import Line, LineKind, Reader, Side
from settlement.windows.lines import Asked, Position
from settlement.windows.lines import lines as places


class Seen(msgspec.Struct, frozen=True):
    """A line, and the dispute it is or was decided in."""

    line: Line
    dispute: Dispute | None

    @property
    def is_pooled(self) -> bool:
        """Whether it is the member's own money for its own points, which nobody disputes."""
        return self.line.kind is LineKind.ISSUANCE

    @property
    def may_be_disputed(self) -> bool:
        """Whether the line itself allows it; the window has to be closed, and the time not over."""
        own = self.line.side is not Side.OPERATOR
        return self.dispute is None and own and not self.is_pooled


async def page_of_lines(
    session: AsyncSession, reader: Reader, window_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[Seen], str | None]:
    """Lines of one member in a window, in the order in which they came, and the next cursor.

    Of the operator every obligation, for it changes the margin. Of an open window those that its
    totals count. What is on a line of other members' is left out of it (decision 13).
    """
    asked = Asked(window_id=window_id, member_id=reader.id, with_margin=reader.is_operator)
    after = decode_cursor(cursor, Position)
    found = await places(session, asked, after=after, most=limit + 1)
    shown, following = cut_page(found, limit, lambda line: line.position)
    lines = await service.named(session, [each.line for each in shown], reader)
    held = await disputes.holding(session, [line_id(each.line) for each in lines])
    return [Seen(each, held.get(line_id(each.line))) for each in lines], following

"""Payments that failed or came back: what finance does next, on the page of their settlement."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
import sqlalchemy as sa
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.contract.rails import Direction
from marketplace.errors import NotFound
from marketplace.identity.domain import Principal
from settlement.arrays import among
from settlement.clearing import defaulting, legs, repository
from settlement.clearing.defaulting import Cover
from settlement.clearing.models import SettlementLeg
from settlement.clearing.schemas import LegView
from settlement.pages.frame import FINANCE, SETTLEMENTS

AT: Final = "/settlements/{reference:str}/legs/{leg:str}"
LONGEST_NOTE: Final = 500


class AgainForm(msgspec.Struct):
    """Why it is paid again."""

    note: str = ""


class CoverForm(msgspec.Struct):
    """Who covers it, and why."""

    cover: str = ""
    note: str = ""
    forgive: str = ""


async def waiting(session: AsyncSession, of: Sequence[LegView]) -> list[LegView]:
    """Those that failed, and that neither another payment nor others have taken the place of."""
    failed = [leg for leg in of if leg.status in repository.FAILED and leg.amount_minor]
    taken = await session.scalars(
        sa.select(SettlementLeg.replaces_id).where(
            among(SettlementLeg.replaces_id, [leg.id for leg in failed])
        )
    )
    done = set(taken)
    return [leg for leg in failed if leg.id not in done]


def covered(leg: LegView) -> bool:
    """Whether others can cover it: what a debtor owes the clearing house."""
    return leg.direction is Direction.COLLECT and leg.counterparty is None


async def _leg(session: AsyncSession, settlement: str, reference: str) -> SettlementLeg:
    row = await repository.find(session, settlement)
    found = (await legs.by_reference(session, [reference])).get(reference)
    if found is None or found.settlement_id != row.id:
        raise NotFound(f"Settlement {settlement} has no leg {reference!r}.")
    return found


@post(f"{AT}/again", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def pay_again(
    reference: FromPath[str],
    leg: FromPath[str],
    data: URLEncodedBody[AgainForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Another payment takes its place."""
    row = await _leg(session, reference, leg)
    note = data.note[:LONGEST_NOTE].strip()
    await legs.repay(session, row.id, actor=principal.actor, note=note)
    notice = _l("Another payment takes its place. It goes to its rail within seconds.")
    return page.redirect(f"{SETTLEMENTS}/{reference}", notice=notice)


@post(f"{AT}/cover", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def let_others_cover(
    reference: FromPath[str],
    leg: FromPath[str],
    data: URLEncodedBody[CoverForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """An exceptional settlement is opened, for two people to vouch for."""
    note = data.note[:LONGEST_NOTE].strip()
    if data.cover not in list(Cover) or not note:
        back = f"{SETTLEMENTS}/{reference}#failed"
        return page.redirect(back, notice=_l("Choose who covers it, and say why."), tone="warning")
    row = await _leg(session, reference, leg)
    made = await defaulting.default(
        session,
        row.id,
        cover=Cover(data.cover),
        actor=principal.actor,
        note=note,
        recover=not data.forgive,
    )
    notice = _l("Opened. Check it; a second person approves it.")
    return page.redirect(f"{SETTLEMENTS}/{made.reference}", notice=notice)


ROUTES = [pay_again, let_others_cover]

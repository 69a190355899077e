"""Settlements: checked by one person, approved by a second, sent off, paid."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.money import decimal_from_micros
from settlement.clearing import files, repository, service, views
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.rounding import unit_micros
from settlement.pages import bank_queries, failed
from settlement.pages.between import pictures, windows_of
from settlement.pages.frame import (
    FINANCE,
    SETTLEMENTS,
    in_order,
    party_name,
    people,
    waits_for_debtors,
)
from settlement.pages.words import KINDS, LEGS, MODES, STEPS
from settlement.pages.words import SETTLEMENTS as STATUSES

AT: Final = "/settlements/{reference:str}"
LONGEST_NOTE: Final = 500
PASSED: Final = {
    SettlementStatus.SETTLING: SettlementStatus.SUBMITTED,
}
"""Statuses that have no step of their own in the timeline."""


class StepForm(msgspec.Struct):
    """A step, as the form sends it."""

    note: str = ""
    pay_before_collected: str = ""
    keep_prefund: str = ""
    without_account: str = ""


@get("/settlements", opt=FINANCE, include_in_schema=False)
async def show_settlements(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """All of them, newest first."""
    page.active = "settlements"
    return page.render(
        "settlement/settlements.html",
        settlements=await repository.settlements(session),
        statuses=STATUSES,
        kinds=KINDS,
    )


@get(AT, opt=FINANCE, include_in_schema=False)
async def show_settlement(
    reference: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One settlement: what comes next, positions, payments, who owes whom, files, history."""
    page.active = "settlements"
    row = await repository.find(session, reference)
    found = await views.detail(session, row)
    actors = [each.actor for each in found.history]
    return page.render(
        "settlement/settlement.html",
        settlement=row,
        waits=waits_for_debtors(found.legs),
        statuses=STATUSES,
        modes=MODES,
        kinds=KINDS,
        steps=steps(page, row.status),
        is_mine=row.recorded_by == principal.actor,
        positions=in_order(
            (party_name(page, each.party, each.member.name), each, each.party)
            for each in found.positions
        ),
        legs=[
            (
                leg,
                leg.amount_minor * unit_micros(leg.currency),
                decimal_from_micros(leg.remainder_micros),
            )
            for leg in found.legs
        ],
        failed=[
            (leg, leg.amount_minor * unit_micros(leg.currency), failed.covered(leg))
            for leg in await failed.waiting(session, found.legs)
            if row.status in (*repository.MOVING, SettlementStatus.SETTLED)
        ],
        shown_on=await bank_queries.shown_on(session, [leg.id for leg in found.legs]),
        leg_statuses=LEGS,
        pictures=await pictures(page, session, row),
        files=[views.file_view(each) for each in await repository.files(session, row.id)],
        events=found.history,
        members=sorted({(each.member.slug, each.member.name) for each in found.positions}),
        people=await people(session, [*actors, row.recorded_by, row.approved_by]),
        windows=await windows_of(session, found.settlement.windows),
        longest=LONGEST_NOTE,
    )


def steps(page: Page, status: SettlementStatus) -> list[dict[str, str]]:
    """The way of a settlement and how far it has come."""
    order = list(STEPS)
    if status is SettlementStatus.ABORTED:
        return []
    at = order.index(PASSED.get(status, status))
    last = len(order) - 1
    return [
        {
            "title": page._(words),
            "note": "",
            "state": "done" if number <= at else "now" if number == at + 1 <= last else "next",
        }
        for number, words in enumerate(STEPS.values())
    ]


@post(f"{AT}/{{step:str}}", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def take_step(
    reference: FromPath[str],
    step: FromPath[str],
    data: URLEncodedBody[StepForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Check, approve, send off or abort."""
    row = await repository.find(session, reference)
    note, actor = data.note[:LONGEST_NOTE].strip(), principal.actor
    if step == "record":
        await service.record(session, row.id, actor=actor, note=note)
        notice = _l("Checked by you. Now a second person approves it.")
    elif step == "approve":
        await service.approve(session, row.id, actor=actor, note=note)
        notice = _l("Approved. It can be sent off now.")
    elif step == "submit":
        await service.submit(
            session,
            row.id,
            actor=actor,
            note=note,
            pay_before_collected=bool(data.pay_before_collected),
            keep_prefund=bool(data.keep_prefund),
            without_account=bool(data.without_account),
        )
        notice = _l("Sent off. Payments go to their rails within seconds, debits first.")
    elif step == "abort":
        if not note:
            raise InvalidRequest(page._(_l("Say why it is aborted: it stays on record.")))
        await service.abort(session, row.id, actor=actor, note=note)
        notice = _l("Aborted. Its windows are closed again and can be netted anew.")
    else:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    return page.redirect(f"{SETTLEMENTS}/{row.reference}", notice=notice)


@get("/settlements/files/{file_id:uuid}", opt=FINANCE, include_in_schema=False)
async def download(
    file_id: FromPath[UUID], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """A file for the bank, as it was made."""
    found = await files.get(session, file_id)
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"Content-Disposition": f'attachment; filename="{found.name}"'},
    )


ROUTES = [show_settlements, show_settlement, take_step, download]

"""Pages: rewards, how each fares, live; looking at what came, printing, cancelling."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange.cancelling import cancel, may_be_with_supplier
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.errors import AlreadyOrdered, BurnNotHeld, GiftAccepted
from marketplace.exchange.faced import Faced, find_faced, with_faces
from marketplace.exchange.gifts import LONGEST_MESSAGE
from marketplace.exchange.rewards import (
    Reward,
    Section,
    count_rewards,
    find_reward,
    refunds_of,
    rewards,
)
from marketplace.exchange.watching import BurnState, BurnWatch
from marketplace.exchange.words import headline, timeline
from marketplace.fulfilment.reveal import reveal
from marketplace.fulfilment.schemas import RevealedArtefact
from marketplace.identity.domain import Principal, Role
from marketplace.notices.inbox import note_arrival
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.formats import number
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor
from marketplace.web.qr import qr_code

PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
ON_A_PAGE = 20
HEARTBEAT_S = 15.0
LONGEST_STREAM_S = 600.0
"""A browser asks again after that, and its session is checked again."""
RETRY_MS = 3_000
SCANNED = frozenset({"code", "ticket", "link"})
"""Kinds of artefact that are shown as a QR code too."""
TITLES = {
    Section.OPEN: _l("On their way"),
    Section.READY: _l("Ready"),
    Section.PAST: _l("Past"),
}


class Shown(msgspec.Struct, frozen=True):
    """Something delivered, in clear."""

    artefact: RevealedArtefact
    qr: str | None
    """SVG; None where it is not to be scanned, or too long."""

    @property
    def is_link(self) -> bool:
        return self.artefact.secret.startswith("https://")


@get("/rewards", opt=PARTICIPANTS, include_in_schema=False)
async def show_rewards(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    section: Annotated[Section | None, QueryParameter()] = None,
    cursor: Cursor = None,
) -> Html:
    """Rewards on their way, ready, and past."""
    page.active = "rewards"
    mine = principal.participant_id
    counts = dict.fromkeys(Section, 0) if mine is None else await count_rewards(session, mine)
    chosen = section or (Section.OPEN if counts[Section.OPEN] else Section.READY)
    before = decode_cursor(cursor, UUID)
    found = (
        []
        if mine is None
        else await rewards(session, mine, chosen, before=before, limit=ON_A_PAGE + 1)
    )
    listed, following = cut_page(found, ON_A_PAGE, lambda reward: reward.id)
    faced = await with_faces(runtime, listed, page.locale)
    with speak(page.language, page.now):
        items = [(reward, face, *headline(reward)) for reward, face in faced]
    return page.render(
        "exchange/rewards.html",
        items=items,
        next=following,
        first=cursor is None,
        section=chosen,
        titles=TITLES,
        counts=counts,
    )


@get("/rewards/{burn_id:uuid}", opt=PARTICIPANTS, include_in_schema=False)
async def show_reward(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """One reward; htmx asks for the part that changes."""
    found = await find_faced(runtime, session, principal, burn_id, page.locale)
    await note_arrival(session, principal, f"/rewards/{burn_id}")
    return await _show(page, session, found)


@post("/rewards/{burn_id:uuid}/reveal", opt=PARTICIPANTS, include_in_schema=False, status_code=200)
async def reveal_reward(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """The reward with its codes in clear; every time is audited, and nothing keeps the page."""
    shown = await _revealed(session, principal, burn_id, runtime)
    found = await find_faced(runtime, session, principal, burn_id, page.locale)
    return await _show(page, session, found, shown)


@post("/rewards/{burn_id:uuid}/print", opt=PARTICIPANTS, include_in_schema=False, status_code=200)
async def print_reward(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """A sheet to print; audited like any other look."""
    page.active = "rewards"
    shown = await _revealed(session, principal, burn_id, runtime)
    reward, face = await find_faced(runtime, session, principal, burn_id, page.locale)
    return page.render("exchange/print.html", reward=reward, face=face, shown=shown)


@post("/rewards/{burn_id:uuid}/cancel", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def cancel_reward(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Give the points back, while the order has not gone out."""
    address = f"/rewards/{burn_id}"
    grace = timedelta(days=runtime.settings.refund_grace_days)
    try:
        view, fact = await cancel(session, principal, burn_id, grace=grace)
    except GiftAccepted:
        notice = _l("It is accepted, so it stays with your colleague.")
        return page.redirect(address, notice=notice, tone="warning")
    except (AlreadyOrdered, BurnNotHeld):
        notice = _l("It is too late to cancel: the partner may have the order. See how it stands.")
        return page.redirect(address, notice=notice, tone="warning")
    with speak(page.language, page.now):
        points = number(view.points)
    notice_text = page.ngettext(
        "Cancelled: %(points)s point is back in your wallet.",
        "Cancelled: %(points)s points are back in your wallet.",
        view.points,
        points=points,
    )
    answer = page.redirect(address, notice=notice_text)
    if fact is not None:
        told = ("marketplace_after_burn_voided", fact)
        answer.background = BackgroundTask(runtime.plugins.tell, *told)
    return answer


@get("/rewards/{burn_id:uuid}/events", opt=PARTICIPANTS, include_in_schema=False)
async def stream_reward(
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
    seen: Annotated[str, QueryParameter(max_length=40)] = "",
) -> Stream:
    """Server-sent events: `changed` whenever the burn changes, `closed` when nothing more comes.

    `seen` is the state that the listener knows (`BurnState.code`); without it the present one is
    sent first. The transaction that checks whose it is ends before the stream begins.
    """
    async with runtime.database.begin() as session:
        reward = await find_reward(session, principal, burn_id)
    watch: BurnWatch = request.app.state.burn_watch
    watch.check_room(principal.caller_id)
    return Stream(
        _events(watch, principal.caller_id, reward, BurnState.of_code(seen)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    watch: BurnWatch, person_id: UUID, reward: Reward, seen: BurnState | None
) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MS
    ends = time.monotonic() + LONGEST_STREAM_S
    async with watch.listen(person_id, (reward.id, reward.wallet_id), seen) as listener:
        while time.monotonic() < ends:
            try:
                state = await listener.next(HEARTBEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if state is None:
                return
            yield b"event: changed\ndata: %b\n\n" % msgspec.json.encode(state)
            if state.is_over:
                yield b"event: closed\ndata: {}\n\n"
                return


async def _revealed(
    session: AsyncSession, principal: Principal, burn_id: UUID, runtime: Runtime
) -> list[Shown]:
    found = await reveal(session, principal, burn_id, runtime.vault)
    return [
        Shown(each, qr_code(each.secret) if each.kind in SCANNED else None)
        for each in found.artefacts
    ]


def _can_cancel(reward: Reward) -> bool:
    gone = reward.received or reward.accepted_at is not None
    return not gone and not may_be_with_supplier(reward)


async def _show(
    page: Page, session: AsyncSession, found: Faced, shown: list[Shown] | None = None
) -> Html:
    reward, face = found
    page.active = "rewards"
    with speak(page.language, page.now):
        title, tone = headline(reward)
        steps = timeline(reward, await refunds_of(session, reward))
    is_held = reward.status is BurnStatus.HELD
    note = None
    if reward.is_delivered:
        note = await page.reward_notes.of(reward.plugin, str(reward.id))
    context: dict[str, Any] = {
        "reward": reward,
        "face": face,
        "headline": title,
        "tone": tone,
        "steps": steps,
        "is_held": is_held,
        "seen": BurnState(reward.status, reward.fulfilment).code,
        "can_cancel": is_held and _can_cancel(reward),
        "shown": shown,
        "note": note,
        "longest_message": LONGEST_MESSAGE,
    }
    if page.is_htmx and shown is None:
        return page.fragment("exchange/_reward.html", **context)
    return page.render("exchange/reward.html", **context)


routes = [
    show_rewards,
    show_reward,
    reveal_reward,
    print_reward,
    cancel_reward,
    stream_reward,
]
nav = [
    NavEntry(
        key="rewards",
        label=_l("Rewards"),
        path="/rewards",
        roles=frozenset({Role.PARTICIPANT}),
        order=30,
    )
]

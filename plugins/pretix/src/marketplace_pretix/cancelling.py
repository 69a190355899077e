"""Points given back here: the order is cancelled at pretix."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from marketplace import api
from marketplace_pretix import letting_go, parts, repository, telling
from marketplace_pretix.client import Pretix, is_proof_of_absence, order_path, status_of
from marketplace_pretix.domain import complaints, read_order
from marketplace_pretix.repository import Sent
from marketplace_pretix.servers import settings_of

log = logging.getLogger(__name__)

MOST: Final = 50
"""In one run: a pretix takes about ten calls a second."""
FIRST_WAIT_S: Final = 30
LONGEST_WAIT_S: Final = 3_600


def ask_refunded(host: api.Host, fact: api.RefundFact) -> None:
    """Have the order of a burn cancelled whose points were all given back; told twice, done once.

    A part of the points leaves the tickets as they are.
    """
    reference = str(fact.burn_id)
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
        if burn is not None and burn.refunded_points >= burn.points:
            repository.ask_to_cancel(session, reference, fact.reason or "refunded")


def ask_voided(host: api.Host, fact: api.BurnFact) -> None:
    """The same for a burn that ended without delivery, should pretix have its order after all."""
    with host.transaction() as session:
        repository.ask_to_cancel(session, str(fact.burn_id), fact.reason or "voided")
        letting_go.ask(host, session, str(fact.burn_id))
        telling.drop(session, [str(fact.burn_id)])


def run(host: api.Host) -> None:
    """Cancel what is due. Twice at once takes each once, and pretix cancels once anyway."""
    with host.transaction() as session:
        due = repository.take_due(session, MOST)
    for each in due:
        trouble = _cancel(host, each)
        with host.transaction() as session:
            if trouble is None:
                if repository.cancelled(session, each.reference, "us"):
                    host.audit(
                        session,
                        actor="system:pretix",
                        action="cancelled",
                        subject=each.reference,
                        event=each.event,
                        code=each.code,
                    )
                continue
            wait_s = min(FIRST_WAIT_S * 2 ** min(each.cancel_tries, 10), LONGEST_WAIT_S)
            repository.not_cancelled(session, each.reference, trouble, wait_s)
            log.warning("order %s/%s is not cancelled: %s", each.event, each.code, trouble)


def _cancel(host: api.Host, sent: Sent) -> str | None:
    """Cancel one; what is in the way, or None where it is worth nothing any more."""
    settings = settings_of(host, sent.member_id)
    if settings is None:
        return "the member has not enabled pretix"
    if settings.place != sent.place:
        if sent.untaken_at is not None:
            return None
        return f"it was ordered at {sent.place}, which the settings left"
    with host.transaction() as session:
        split = [each.code for each in parts.of(session, sent.reference) if each.good]
    client = Pretix(host.outbound, settings)
    try:
        # What was split from it is ours as well.
        troubles = [_call(client, sent, code) for code in {sent.code: None, **dict.fromkeys(split)}]
        return next((each for each in troubles if each), None)
    except api.MarketplaceError as error:
        return error.detail
    except Exception as error:
        # A fault of ours keeps the others of this run from nothing.
        log.exception("order %s/%s could not be cancelled", sent.event, sent.code)
        return f"it could not be asked: {type(error).__name__}"


def _call(client: Pretix, sent: Sent, code: str) -> str | None:
    body = msgspec.json.encode({"send_email": False, "comment": "The points were given back."})
    answer = client.call("POST", order_path(sent.event, code, "mark_canceled/"), body)
    if answer.status == 200:
        # What stands between may answer 200 as well, with a page for people.
        return None if _is_worthless(answer) else "the answer is not pretix's"
    if is_proof_of_absence(answer):
        # Nothing to cancel. Should it come late, the sweep finds it and asks again.
        return None
    if answer.status == 400:
        if _is_worthless(client.order(sent.event, code)):
            return None
        return f"pretix does not cancel it: {complaints(answer.body).get('detail', '')}"
    return status_of(answer)


def _is_worthless(answer: api.Answer) -> bool:
    """Whether pretix says of an order that nobody is let in with it any more."""
    placed = read_order(answer.body) if answer.status == 200 else None
    return placed is not None and placed.status in parts.WORTHLESS

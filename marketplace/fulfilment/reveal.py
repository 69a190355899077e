"""Shows a participant what was delivered: decrypted for this one answer, audited every time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.db import raw_connection
from marketplace.errors import NotFound
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.errors import AlreadyGiven
from marketplace.exchange.gift_queries import lock_gift_of
from marketplace.exchange.models import BurnGift
from marketplace.fulfilment import repository
from marketplace.fulfilment.domain import REVEALED
from marketplace.fulfilment.errors import NothingToReveal
from marketplace.fulfilment.schemas import Revealed, RevealedArtefact
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.secrets import Vault


async def reveal(
    session: AsyncSession, principal: Principal, burn_id: UUID, vault: Vault
) -> Revealed:
    """The artefacts of a burn in clear, for its participant or the shop that made it for them.

    A reward that was given is shown to the colleague alone, who accepts it with the first look.
    Raises NotFound to everybody else, sponsors and operators included; AlreadyGiven to whoever gave
    it; NothingToReveal where nothing is delivered, the reward carries no artefact, or every point
    was refunded.
    """
    connection = await raw_connection(session)
    burn = await repository.burn_to_reveal(connection, burn_id)
    gift = None if burn is None else await lock_gift_of(session, burn_id)
    if burn is None or not _may_see(principal, burn, gift):
        raise NotFound("There is no such burn, or it is not yours to reveal.")
    if burn["status"] != BurnStatus.CAPTURED:
        raise NothingToReveal(f"The burn is {burn['status']}; nothing was delivered.")
    if burn["refunded_points"] == burn["points"]:
        raise NothingToReveal("The burn was refunded; what it delivered is no longer yours.")
    rows = await repository.artefacts(connection, burn_id, burn["wallet_id"])
    if not rows:
        raise NothingToReveal("This reward carries no code, ticket or receipt.")
    if gift is not None and gift.accepted_at is None:
        gift.accepted_at = await now(session)
    count = len(rows)
    await audit(session, principal.actor, REVEALED, "burn", burn_id, artefacts=count)
    return Revealed(
        burn_id=burn_id,
        artefacts=[
            RevealedArtefact(
                position=row["position"] + 1,
                kind=row["kind"],
                label=row["label"],
                secret=vault.decrypt(row["secret"]),
                expires_at=row["expires_at"],
            )
            for row in rows
        ],
    )


def _may_see(principal: Principal, burn: Any, gift: BurnGift | None) -> bool:
    person = principal.participant_id
    made: bool
    if principal.is_key:
        made = principal.caller_id == burn["caller_id"]
    else:
        made = person is not None and person == burn["participant_id"]
    if gift is None:
        return made
    if made:
        raise AlreadyGiven("You gave this reward to a colleague; only they can see it.")
    return person is not None and person == gift.to_participant_id

"""Shows a participant what was delivered: decrypted for this one answer, audited every time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.errors import NotFound
from marketplace.exchange.domain import BurnStatus
from marketplace.fulfilment import repository
from marketplace.fulfilment.errors import NothingToReveal
from marketplace.fulfilment.schemas import Revealed, RevealedArtefact
from marketplace.identity.domain import Principal
from marketplace.identity.models import AuditEntry
from marketplace.ids import next_key
from marketplace.secrets import Vault


async def reveal(
    session: AsyncSession, principal: Principal, burn_id: UUID, vault: Vault
) -> Revealed:
    """The artefacts of a burn in clear, for its participant or the shop that made it for them.

    Raises NotFound to everybody else, sponsors and operators included; NothingToReveal where
    nothing is delivered, the reward carries no artefact, or every point was refunded.
    """
    connection = await raw_connection(session)
    burn = await repository.burn_to_reveal(connection, burn_id)
    if burn is None or not _may_see(principal, burn["participant_id"], burn["caller_id"]):
        raise NotFound("There is no such burn, or it is not yours to reveal.")
    if burn["status"] != BurnStatus.CAPTURED:
        raise NothingToReveal(f"The burn is {burn['status']}; nothing was delivered.")
    if burn["refunded_points"] == burn["points"]:
        raise NothingToReveal("The burn was refunded; what it delivered is no longer yours.")
    rows = await repository.artefacts(connection, burn_id, burn["wallet_id"])
    if not rows:
        raise NothingToReveal("This reward carries no code, ticket or receipt.")
    session.add(
        AuditEntry(
            id=next_key(),
            actor=principal.actor,
            action="fulfilment.revealed",
            subject_kind="burn",
            subject_id=str(burn_id),
            details={"artefacts": len(rows)},
        )
    )
    await session.flush()
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


def _may_see(principal: Principal, participant_id: UUID | None, caller_id: UUID) -> bool:
    if principal.is_key:
        return principal.caller_id == caller_id
    return participant_id is not None and principal.participant_id == participant_id

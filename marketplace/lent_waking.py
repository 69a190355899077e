"""Has a plugin's orders looked up at once, because it heard that they have an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.models import Burn

AWAITED: Final = (FulfilmentState.PENDING, FulfilmentState.UNKNOWN, FulfilmentState.DEAD)
"""States of an order that its supplier may have, and that no worker asks about just now."""
WOKEN: Final = timedelta(microseconds=1)
"""By so much the lease of an order that a worker asks about is moved: by that it sees, whatever
answer it brings, that there was news meanwhile. `fulfilment.repository.WAIT` compares."""


def wake(session: Session, slug: str, burn_ids: Sequence[UUID], *, acceptor_id: UUID | None) -> int:
    """See `marketplace.api.Host.wake`.

    Whoever changes one of these burns just now is waited for, and its state is looked at then.
    """
    given_up = Burn.fulfilment == FulfilmentState.DEAD
    asked = Burn.fulfilment == FulfilmentState.ORDERING
    query = (
        sa.update(Burn)
        .where(
            Burn.id.in_(burn_ids),
            Burn.plugin == slug,
            Burn.status == BurnStatus.HELD,
            Burn.fulfilment.in_((*AWAITED, FulfilmentState.ORDERING)),
        )
        .values(
            due_at=sa.case((asked, Burn.due_at + WOKEN), else_=sa.func.clock_timestamp()),
            fulfilment=sa.case(
                (given_up, sa.literal(FulfilmentState.UNKNOWN, Burn.fulfilment.type)),
                else_=Burn.fulfilment,
            ),
            # Given up after so many attempts: looking again starts the count afresh.
            attempts=sa.case((given_up, 1), else_=Burn.attempts),
        )
        .execution_options(synchronize_session=False)
    )
    if acceptor_id is not None:
        query = query.where(Burn.acceptor_id == acceptor_id)
    return len(session.execute(query.returning(Burn.id)).all())

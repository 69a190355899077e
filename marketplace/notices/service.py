"""Telling people something, and what they choose to hear. Works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace.ids import take_keys
from marketplace.notices import queue, repository
from marketplace.notices.domain import CHOOSABLE, Email, Preference, default_preference
from marketplace.notices.kind import Field, Kind
from marketplace.notices.kinds import KINDS, PATTERNS, check_context
from marketplace.secrets import Vault


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell a person, or every person who signs in as a participant."""

    once_key: str
    """Names the occasion; the same person is told once. E.g. `gift:<burn id>`."""
    context: Mapping[str, Any]
    """The fields of the kind."""
    person_id: UUID | None = None
    participant_id: UUID | None = None
    """Instead of `person_id`. A participant that cannot sign in is told nothing."""
    secret: str | None = None
    """The page of ours that only the mail leads to, in clear; needs the vault."""


async def notify(
    session: AsyncSession,
    *,
    kind: str,
    once_key: str,
    context: Mapping[str, Any],
    person_id: UUID | None = None,
    participant_id: UUID | None = None,
    secret: str | None = None,
    vault: Vault | None = None,
) -> int:
    """Tell a person something, in the transaction of what they are told.

    Returns how many people were told: none where nobody signs in as the participant, where they
    want no such notice, or were told before (`once_key`). Raises ValueError where the context does
    not fit the kind.
    """
    telling = Telling(
        once_key=once_key,
        context=context,
        person_id=person_id,
        participant_id=participant_id,
        secret=secret,
    )
    return await notify_many(session, kind, [telling], vault=vault)


async def notify_many(
    session: AsyncSession, kind: str, tellings: Sequence[Telling], *, vault: Vault | None = None
) -> int:
    """Tell many people something of one kind, in one statement; returns how many were told."""
    found = KINDS[kind]
    rows = _rows(found, tellings, vault)
    return await repository.post(session, found, rows) if rows else 0


def notify_many_sync(session: Session, kind: str, tellings: Sequence[Telling]) -> int:
    """`notify_many` in a synchronous session, as periodic tasks of rooms beside the core have."""
    found = KINDS[kind]
    rows = _rows(found, tellings, None)
    return repository.post_sync(session, found, rows) if rows else 0


def _rows(kind: Kind, tellings: Sequence[Telling], vault: Vault | None) -> list[dict[str, Any]]:
    rows = []
    for key, each in zip(take_keys(len(tellings)), tellings, strict=True):
        check_context(kind, each.context)
        if (each.secret is not None) != kind.secret:
            raise ValueError(f"{kind.slug} takes {'a' if kind.secret else 'no'} secret")
        if each.secret is not None and not PATTERNS[Field.PATH].fullmatch(each.secret):
            raise ValueError(f"the secret of {kind.slug} is a path of ours")
        if (each.person_id is None) == (each.participant_id is None):
            raise ValueError("a notice is for a person or for a participant")
        rows.append(
            {
                "id": key,
                "person_id": each.person_id and str(each.person_id),
                "participant_id": each.participant_id and str(each.participant_id),
                "context": dict(each.context),
                "once_key": each.once_key,
                "secret": _encrypted(each.secret, vault),
            }
        )
    return rows


def _encrypted(secret: str | None, vault: Vault | None) -> str | None:
    if secret is None:
        return None
    if vault is None:
        raise ValueError("a secret needs the vault")
    return vault.encrypt(secret).hex()


async def preferences(session: AsyncSession, person_id: UUID) -> list[Preference]:
    """What a person wants of each category they can choose about, in the order of `Category`."""
    chosen = {each.category: each for each in await repository.preferences(session, person_id)}
    return [chosen.get(each) or default_preference(each) for each in CHOOSABLE]


async def set_preferences(
    session: AsyncSession, person_id: UUID, wanted: Iterable[Preference]
) -> None:
    """Store what a person wants; categories not named stay as they are.

    Raises ValueError for a category that is no choice. What waits to be mailed goes the way that
    is wanted now, or not at all.
    """
    for each in wanted:
        if each.category not in CHOOSABLE:
            raise ValueError(f"{each.category.value} is no choice")
        await repository.set_preference(session, person_id, each)
        if each.email is not Email.NOW:
            await queue.drop_unwanted(session, person_id, each.category)

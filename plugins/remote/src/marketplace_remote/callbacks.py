"""Callbacks of partners: there is something new about orders of theirs, so look them up now.

A callback proves nothing but that the partner sent it. What became of an order comes from the
look-up, in which we ask and the partner answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from marketplace import api
from marketplace_remote.models import seen
from marketplace_remote.protocol import Noted, Reported
from marketplace_remote.settings import RemoteSettings

KEEP_SEEN: Final = timedelta(hours=1)
"""Longer than a signature is taken for: five minutes before and after."""
LONGEST_ID: Final = 200


def take(host: api.Host, member: str, headers: Mapping[str, str], body: bytes) -> Noted:
    """Act on a callback of a member (slug). BadSignature, InvalidRequest."""
    member_id = _member_id(host, member)
    message_id = api.verify(_keys(host, member_id), headers, body) if member_id else None
    if member_id is None or message_id is None or len(message_id) > LONGEST_ID:
        raise api.BadSignature("No such member, or no key of theirs fits.")
    try:
        references = msgspec.json.decode(body, type=Reported).references
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise api.InvalidRequest(f"The callback is not as agreed: {error}") from None
    with host.transaction() as session:
        new = session.execute(
            insert(seen)
            .values(member_id=member_id, message_id=message_id)
            .on_conflict_do_nothing()
            .returning(seen.c.message_id)
        ).first()
        if new is None:
            return Noted(0)
        return Noted(host.wake(session, references, acceptor_id=member_id))


def forget(host: api.Host) -> None:
    """Forget callbacks so old that their signatures are not taken any more."""
    with host.transaction() as session:
        now = sa.func.statement_timestamp()
        session.execute(sa.delete(seen).where(seen.c.seen_at < now - KEEP_SEEN))


def _member_id(host: api.Host, slug: str) -> UUID | None:
    try:
        with host.transaction() as session:
            return host.member_id(session, slug)
    except api.NotFound:
        return None


def _keys(host: api.Host, member_id: UUID) -> Iterator[str]:
    """Keys of the member's service, and of the one for its trials."""
    for sandbox in (False, True):
        try:
            settings: RemoteSettings | None = host.member_settings(member_id, sandbox=sandbox)
        except api.NotConfigured:
            continue
        if settings is not None:
            yield from settings.your_keys

"""SQL: what passes show, and whether that has changed since they were last told of it.

No change of a ticket, session or event says anything here. Instead a pass is compared with what it
would show now, by a digest the database makes: whatever changes it, in whatever way, is noticed,
and nothing that changes a ticket waits for a wallet or fails with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

PASS_LOCK: Final = 7_219_006_501
"""Versions are given by one at a time: a phone that has seen one has seen all before it."""
KEPT_AFTER: Final = timedelta(days=2)
"""So long after its session a pass is still kept as it should be."""

FACE: Final = """
select t.id, n.ends_at, md5(row(t.session_id, t.edition, t.key, t.locator,
    coalesce(t.cancelled_at, p.cancelled_at) is null, p.attendee_name, c.name, s.label,
    e.name, e.language, e.venue, e.address, e.time_zone, e.status,
    n.name, n.room, n.starts_at, n.ends_at)::text
    || coalesce(nullif(row(c.names, e.names, n.names)::text, '({},{},{})'), ''))
    as face
from conference_ticket t
join conference_place p on p.id = t.id
join conference_category c on c.id = p.category_id
join conference_event e on e.id = t.event_id
join conference_session n on n.id = t.session_id
left join conference_seat s on s.id = p.seat_id
"""

REMEMBER: Final = sa.text(f"""
insert into conference_pass as p (ticket_id, face, changed_at, language)
select f.id, f.face, :now, :language from ({FACE} where t.id = :ticket) f
on conflict (ticket_id) do update set language = excluded.language
    where excluded.language is not null and excluded.language is distinct from p.language
""")

# Last-Modified has whole seconds: of two changes within one, the second is dated to the next.
NOTE: Final = """
update conference_pass w set face = f.face, version = :version,
    changed_at = greatest(:now, w.changed_at + interval '1 second')
from ({face}) f where f.id = w.ticket_id and f.face <> w.face
"""
NOTE_ALL: Final = sa.text(
    NOTE.format(
        face=f"{FACE} where n.ends_at > :since and t.id in (select ticket_id from conference_pass)"
    )
)
NOTE_ONE: Final = sa.text(NOTE.format(face=f"{FACE} where t.id = :ticket"))
NEXT: Final = sa.text("select coalesce(max(version), 0) + 1 from conference_pass")

CLAIM: Final = sa.text("""
update conference_pass_copy c set due_at = :leased
from conference_pass w
where w.ticket_id = c.ticket_id and c.id in (
    select d.id from conference_pass_copy d
    join conference_pass v on v.ticket_id = d.ticket_id
    join conference_ticket t on t.id = d.ticket_id
    join conference_session n on n.id = t.session_id
    where d.wallet = :wallet and d.due_at <= :now and d.told <> v.face and n.ends_at > :since
    order by d.due_at, d.id limit :most for update of d skip locked)
returning c.id, c.ticket_id, c.push_token, c.attempts, w.face
""")


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that does not show what its pass shows by now; ours to tell for a while."""

    id: int
    ticket_id: int
    push_token: bytes | None
    attempts: int
    face: str
    """What the pass shows: once the copy was told, it is told this."""


def remember(
    session: Transaction, ticket_id: int, now: datetime, language: str | None = None
) -> None:
    """A pass of this ticket is given away: from now on it is kept as it should be, in `language`;
    None: the one that was given before."""
    session.execute(REMEMBER, {"ticket": ticket_id, "now": now, "language": language})
    note(session, now, ticket_id)


def note(session: Transaction, now: datetime, ticket_id: int | None = None) -> int:
    """Note which passes show something else by now, all or one; how many these were."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(PASS_LOCK)))
    values: dict[str, Any] = {"now": now, "version": session.execute(NEXT).scalar_one()}
    if ticket_id is None:
        done = session.execute(NOTE_ALL, {**values, "since": now - KEPT_AFTER})
    else:
        done = session.execute(NOTE_ONE, {**values, "ticket": ticket_id})
    return int(getattr(done, "rowcount", 0))


def claim(
    session: Transaction, wallet: str, now: datetime, lease: timedelta, most: int
) -> Sequence[Claimed]:
    """Copies to be told something, longest due first; nobody else gets them during the lease."""
    rows = session.execute(
        CLAIM,
        {
            "wallet": wallet,
            "now": now,
            "since": now - KEPT_AFTER,
            "leased": now + lease,
            "most": most,
        },
    )
    return sorted((Claimed(**row) for row in rows.mappings()), key=lambda each: each.id)

"""Plans of numbered seats: read from CSV or JSON, all or nothing, and drawn."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_conference import events
from marketplace_conference.errors import BadFile, UnknownEvent
from marketplace_conference.models import category, event, seat
from marketplace_conference.models import session as sessions

MOST_SEATS = 100_000
REQUIRED = frozenset({"sku", "row", "number"})
COLUMNS = REQUIRED | {"block", "x", "y"}
LONGEST = 20


class PlannedSeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seat of a plan. Without a place of its own it stands in line with its row."""

    sku: str
    row: str
    number: str
    block: str = ""
    x: int | None = None
    y: int | None = None

    @property
    def label(self) -> str:
        """What people call it: unique in its session."""
        return "-".join(each for each in (self.block, self.row, self.number) if each)


Line = tuple[int, PlannedSeat]


def import_plan(
    host: Host,
    slug: str,
    code: str,
    text: str,
    member_id: UUID | None,
    *,
    actor: str,
    dry_run: bool = False,
) -> int:
    """Add the seats of a plan to a session; those that are there already change nothing.

    A CSV with the columns `sku`, `row`, `number` and if you like `block`, `x`, `y`; or a JSON array
    of objects with the same fields. Returns how many were new. BadFile names every bad line (of
    JSON: every bad item). With `dry_run` nothing is written.
    """
    lines = list(_json_lines(text) if text.lstrip().startswith("[") else _csv_lines(text))
    with host.transaction() as session:
        row = session.execute(
            sa.select(sessions.c.id, event.c.organiser_id)
            .join(event, event.c.id == sessions.c.event_id)
            .where(event.c.slug == slug, sessions.c.code == code)
            .with_for_update(of=sessions)  # one plan after the other
        ).first()
        if row is None or member_id not in (None, row.organiser_id):
            raise UnknownEvent(f"There is no session {code!r} of an event {slug!r} of yours.")
        with session.begin_nested() as attempt:
            made = _add(session, row.id, lines)
            if dry_run:
                attempt.rollback()
                return made
        host.audit(session, actor=actor, action="plan_imported", subject=slug, seats=made)
    events.align(host, slug)
    return made


def _json_lines(text: str) -> Iterator[Line]:
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise BadFile([(1, str(error))]) from None
    errors: list[tuple[int, str]] = []
    for number, item in enumerate(items, start=1):
        try:
            yield number, msgspec.json.decode(item, type=PlannedSeat, strict=False)
        except msgspec.MsgspecError as error:
            errors.append((number, str(error)))
    if errors:
        raise BadFile(errors)


def _csv_lines(text: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    errors: list[tuple[int, str]] = []
    try:
        names = set(reader.fieldnames or ())
        if not names >= REQUIRED or not names <= COLUMNS:
            raise BadFile(
                [(1, "the header has number, row, sku and may have block, x, y; nothing else")]
            )
        for fields in reader:
            if None in fields or None in fields.values():
                errors.append((reader.line_num, "another number of fields than the header has"))
                continue
            plain = {name: value.strip() for name, value in fields.items()}
            given = {name: value for name, value in plain.items() if value or name in REQUIRED}
            try:
                yield reader.line_num, msgspec.convert(given, PlannedSeat, strict=False)
            except msgspec.ValidationError as error:
                errors.append((reader.line_num, str(error)))
    except csv.Error as error:
        raise BadFile([(reader.line_num, str(error))]) from None
    if errors:
        raise BadFile(errors)


def _add(session: Session, session_id: UUID, lines: Sequence[Line]) -> int:
    """Insert the seats that are new, in the order of the plan; BadFile where any cannot be."""
    if len(lines) > MOST_SEATS:
        raise BadFile([(lines[MOST_SEATS][0], f"up to {MOST_SEATS:,} seats")])
    kinds = {
        row.sku: row.id
        for row in session.execute(
            sa.select(category.c.sku, category.c.id).where(
                category.c.session_id == session_id, category.c.numbered
            )
        )
    }
    there = {
        row.label: row.category_id
        for row in session.execute(
            sa.select(seat.c.label, seat.c.category_id).where(seat.c.session_id == session_id)
        )
    }
    last_y = session.scalar(sa.select(sa.func.max(seat.c.y)).where(seat.c.session_id == session_id))
    errors: list[tuple[int, str]] = []
    rows: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for line, each in lines:
        problem = _problem(each, kinds, there, seen)
        if problem:
            errors.append((line, problem))
            continue
        seen[each.label] = line
        if each.label not in there:
            top = 1 if last_y is None else last_y + 2
            rows.append(_row(each, session_id, kinds[each.sku], rows, top))
    if errors:
        raise BadFile(errors)
    if rows:
        session.execute(sa.insert(seat), rows)
    return len(rows)


def _problem(
    each: PlannedSeat, kinds: dict[str, UUID], there: dict[str, UUID], seen: dict[str, int]
) -> str | None:
    if each.sku not in kinds:
        return f"the session has no numbered category {each.sku!r}"
    if not each.row or not each.number:
        return "a seat has a row and a number"
    if max(map(len, (each.block, each.row, each.number))) > LONGEST:
        return f"block, row and number have {LONGEST} characters at most"
    if each.label in seen:
        return f"seat {each.label} is in line {seen[each.label]} already"
    if there.get(each.label, kinds[each.sku]) != kinds[each.sku]:
        return f"seat {each.label} is of another category already"
    return None


def _row(
    each: PlannedSeat,
    session_id: UUID,
    category_id: UUID,
    before: list[dict[str, Any]],
    top: int,
) -> dict[str, Any]:
    """As the table has it; what stands nowhere stands after the seat before it, or a row below.

    `top`: where the first row is, below the seats of plans before this one.
    """
    last = before[-1] if before else None
    if last is None:
        x, y = 1, top
    elif (last["block"], last["row"]) == (each.block, each.row):
        x, y = last["x"] + 1, last["y"]
    else:
        x, y = 1, last["y"] + (1 if last["block"] == each.block else 2)
    return {
        "session_id": session_id,
        "category_id": category_id,
        "label": each.label,
        "block": each.block,
        "row": each.row,
        "number": each.number,
        "x": x if each.x is None else each.x,
        "y": y if each.y is None else each.y,
    }


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """A seat as the plan shows it."""

    label: str
    block: str
    row: str
    number: str
    sku: str
    x: int
    y: int
    state: str
    """`free`, `held` or `sold`."""


SEATS = sa.text("""
select s.label, s.block, s."row", s.number, c.sku, s.x, s.y,
       case when s.sold then 'sold' when s.held_until > marketplace_now() then 'held'
            else 'free' end as state
from conference_seat s
join conference_category c on c.id = s.category_id
join conference_session p on p.id = s.session_id
join conference_event e on e.id = p.event_id
where e.slug = :slug and p.code = :code and (:sku = '' or c.sku = :sku)
order by s.id
""")


def seats(host: Host, slug: str, code: str, sku: str = "") -> list[SeatView]:
    """The seats of a session, or of one of its categories, in the order of the plan."""
    with host.transaction() as session:
        rows = session.execute(SEATS, {"slug": slug, "code": code, "sku": sku}).mappings()
        return [SeatView(**row) for row in rows]

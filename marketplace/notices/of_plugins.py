"""What plugins tell people about their own orders: bounded, in words declared beforehand.

The words travel with the notice, by language, for whoever sends it has no plugin loaded. A plugin
reaches who may look at an order of its own, and who asked it to be told (`subscribe`): nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.contract.telling import News, NoticeKind
from marketplace.identity.domain import Principal
from marketplace.identity.models import Person
from marketplace.ids import take_keys
from marketplace.notices.kind import Field
from marketplace.notices.kinds import PATTERNS, PLUGIN_NOTICE
from marketplace.notices.models import NoticeSubscription
from marketplace.notices.posting import TAIL, terms
from marketplace.web.i18n import NAMES, SOURCE

MOST_A_DAY: Final = 20
"""Notices of one plugin to one person within a day; what is more is not told."""
NAME: Final = re.compile(r"[!-~]{1,80}")
ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
LONGEST_TEXT: Final = 500
TYPES: Final[Mapping[str, type]] = {
    "text": str,
    "number": int,
    "date": datetime,
    "moment": datetime,
    "id": str,
}

# Of a reward that was given away its colleague is told, who has it now.
REACHED: Final = f"""
with asked as (
    select u.id, u.context, u.once_key, o.person_id
    from jsonb_to_recordset(cast(:rows as jsonb))
           as u(id bigint, about text, order_id uuid, context jsonb, once_key text)
    cross join lateral (
        select p.id as person_id
        from burn b
        join wallet w on w.id = b.wallet_id
        left join burn_gift g on g.burn_id = b.id and g.wallet_id = b.wallet_id
            and g.undone_at is null
        join person p on p.participant_id = coalesce(g.to_participant_id, w.participant_id)
            and 'participant' = any(p.roles) and p.disabled_at is null
        where b.id = u.order_id and b.plugin = :plugin and b.status <> 'rejected'
        union
        select p.id
        from notice_subscription s
        join person p on p.id = s.person_id and p.disabled_at is null
        where s.plugin = :plugin and s.about = u.about
    ) o
), source as (
    select a.person_id, a.id, a.context, a.once_key, marketplace_now() as effective_at,
           null::bytea as secret, {terms(PLUGIN_NOTICE)}
    from (select asked.*, row_number() over (partition by person_id order by id) as turn
          from asked) a
    where a.turn + (select count(*) from notice n
                    where n.person_id = a.person_id and n.kind = '{PLUGIN_NOTICE.slug}'
                      and n.context ->> 'plugin' = :plugin
                      and n.created_at > statement_timestamp() - interval '1 day')
          <= {MOST_A_DAY}
)
{TAIL}"""


def subscribe(session: Session, plugin: str, principal: Principal, about: str) -> bool:
    """See `marketplace.api.Host.subscribe`."""
    if not NAME.fullmatch(about):
        raise ValueError(f"{about!r} is no name of something to be told about")
    if principal.is_key:
        return False
    made = sa.select(sa.literal(plugin), sa.literal(about), Person.id).where(
        Person.id == principal.caller_id
    )
    columns = ["plugin", "about", "person_id"]
    session.execute(insert(NoticeSubscription).from_select(columns, made).on_conflict_do_nothing())
    return True


def tell(session: Session, plugin: str, kind: NoticeKind, news: Sequence[News]) -> int:
    """See `marketplace.api.Host.notify`."""
    if not news:
        return 0
    words = kind.words()
    rows = [
        {
            "id": key,
            "about": each.about,
            "order_id": _order_id(each.about),
            "context": {
                "plugin": plugin,
                "notice": kind.slug,
                "words": words,
                "fields": dict(kind.fields),
                "values": (values := _values(kind, each)),
                "path": _path(plugin, kind, each, values),
            },
            "once_key": f"plugin:{plugin}:{kind.slug}:{each.about}:{each.occasion}",
        }
        for key, each in zip(take_keys(len(news)), news, strict=True)
    ]
    told = sa.text(REACHED).bindparams(rows=msgspec.json.encode(rows).decode(), plugin=plugin)
    made: int = session.execute(told).scalar_one()
    return made


def _values(kind: NoticeKind, each: News) -> dict[str, Any]:
    if not NAME.fullmatch(each.about) or not NAME.fullmatch(each.occasion):
        raise ValueError(f"{kind.slug}: about and occasion are names of 1 to 80 characters")
    if set(each.values) != set(kind.fields):
        raise ValueError(f"{kind.slug} takes {sorted(kind.fields)}, not {sorted(each.values)}")
    made: dict[str, Any] = {}
    for name, field in kind.fields.items():
        value = each.values[name]
        if field == "text" and isinstance(value, Mapping):
            made[name] = _in_languages(kind, name, value)
            continue
        if not isinstance(value, TYPES[field]) or isinstance(value, bool):
            raise ValueError(f"{name} of {kind.slug} is no {field}: {value!r}")
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"{name} of {kind.slug} is of no time zone")
            value = value.isoformat()
        elif field == "id" and not ID.fullmatch(str(value)):
            raise ValueError(f"{name} of {kind.slug} is no id: {value!r}")
        made[name] = value[:LONGEST_TEXT] if isinstance(value, str) else value
    return made


def _in_languages(kind: NoticeKind, name: str, words: Mapping[str, str]) -> dict[str, str]:
    """A text in the languages that pages have; in place of English, where there is none, the first,
    since what is stored forgets which that was."""
    if not words or not all(isinstance(each, str) for each in words.values()):
        raise ValueError(f"{name} of {kind.slug} is no text: {words!r}")
    told = {SOURCE: next(iter(words.values())), **words}
    return {code: each[:LONGEST_TEXT] for code, each in told.items() if code in NAMES}


def _path(plugin: str, kind: NoticeKind, each: News, values: Mapping[str, Any]) -> str:
    """Always a page of the plugin, or that of the reward."""
    if kind.path:
        made = f"/{plugin}{kind.path % values}"
    elif _order_id(each.about) is not None:
        made = f"/rewards/{each.about}"
    else:
        raise ValueError(f"{kind.slug} leads to a reward, and {each.about!r} is no order")
    if not PATTERNS[Field.PATH].fullmatch(made):
        raise ValueError(f"{kind.slug}: {made!r} is no path of ours")
    return made


def _order_id(about: str) -> str | None:
    with suppress(ValueError):
        return str(UUID(about))
    return None

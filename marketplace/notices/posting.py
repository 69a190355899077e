"""The SQL that every notice is made by: set-wise, once per person and `once_key`, with its mail
and its deliveries over channels.

A statement is `with source as (...)` of whoever has something to tell, then `TAIL`. `source` gives
person_id, id, context, once_key, effective_at, secret, and the columns of `terms(kind)`.
"""

from __future__ import annotations

from marketplace.notices.domain import CATEGORIES, STALE_AFTER
from marketplace.notices.kind import Kind

TAIL = f"""
, chosen as (
    select s.*,
           s.may_show and coalesce(p.in_app, s.show_default) as in_app,
           case when not s.may_mail
                  or s.effective_at < statement_timestamp() - interval '{STALE_AFTER.days} days'
                then 'none'::notice_email
                else coalesce(p.email, s.mail_default) end as email,
           case when s.secret is null
                 and s.effective_at >= statement_timestamp() - interval '{STALE_AFTER.days} days'
                then array(select c.channel from notice_channel c
                           where c.person_id = s.person_id and c.confirmed_at is not null
                             and s.category = any(c.categories))
                else array[]::varchar[] end as channels
    from source s
    left join notice_preference p on p.person_id = s.person_id and p.category = s.category
), made as (
    insert into notice (person_id, id, kind, category, context, once_key, in_app, email,
                        effective_at, read_at)
    select person_id, id, kind, category, context, once_key, in_app, email, effective_at,
           case when effective_at < statement_timestamp() - interval '{STALE_AFTER.days} days'
                then statement_timestamp() end
    from chosen
    where in_app or email <> 'none' or cardinality(channels) > 0
    order by person_id, once_key
    on conflict (person_id, once_key) do nothing
    returning person_id, id, kind, email
), queued as (
    insert into mail (person_id, id, kind, give_up_at, secret)
    select made.person_id, made.id, made.kind, statement_timestamp() + chosen.life, chosen.secret
    from made join chosen using (person_id, id)
    where made.email = 'now'
), carried as (
    insert into notice_delivery (person_id, id, channel, give_up_at)
    select made.person_id, made.id, c.channel, statement_timestamp() + chosen.life
    from made join chosen using (person_id, id) cross join unnest(chosen.channels) as c(channel)
)
select count(*) from made
"""


def terms(kind: Kind) -> str:
    """The columns of `source` that depend on the kind only."""
    return _terms(kind, f"'{kind.slug}'", f"'{kind.category.value}'")


def two_terms(kind: Kind, other: Kind, when: str) -> str:
    """`terms` of `other` where the SQL condition `when` holds, else of `kind`; the two differ in
    nothing but what they are called and their categories, with the same defaults."""
    if _told(kind) != _told(other):
        raise ValueError(f"{kind.slug} and {other.slug} are not told alike")
    choose = f"case when {when} then '{{}}' else '{{}}' end"
    return _terms(
        kind,
        choose.format(other.slug, kind.slug),
        choose.format(other.category.value, kind.category.value),
    )


def _told(kind: Kind) -> str:
    """How a kind is told, but for what it is called."""
    defaults = CATEGORIES[kind.category]
    shows = defaults.in_app or kind.shows or not kind.mails
    return (
        f"{kind.in_app} as may_show, {shows} as show_default, "
        f"{kind.mails} as may_mail, '{defaults.email.value}'::notice_email as mail_default, "
        f"interval '{int(kind.life.total_seconds())} seconds' as life"
    )


def _terms(kind: Kind, slug: str, category: str) -> str:
    return f"{slug}::text as kind, {category}::text as category, {_told(kind)}"

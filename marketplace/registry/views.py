"""Plugins as they stand: installed, active, enabled, configured. Nothing here changes anything."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotConfigured, UsageError
from marketplace.exchange import closures
from marketplace.exchange.domain import REASONS, Cause
from marketplace.exchange.models import PluginClosure
from marketplace.installed import slugs_installed
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.registry import forms, repository, values
from marketplace.registry.activation import look_at
from marketplace.registry.domain import (
    Activation,
    Installed,
    State,
    state_of,
    why_not_active,
)
from marketplace.registry.errors import UnknownPlugin
from marketplace.registry.models import PluginSetting
from marketplace.registry.repository import MemberRow, OfferCounts
from marketplace.registry.schemas import (
    ClosureView,
    MemberView,
    PluginDetails,
    PluginView,
    SettingsView,
)
from marketplace.registry.trying import takes_trials
from marketplace.runtime import Runtime


async def list_plugins(
    session: AsyncSession, runtime: Runtime, *, only_member: UUID | None = None
) -> list[PluginView]:
    """Every plugin that is installed or activated, by slug; members are `only_member` or all."""
    active = await repository.activations(session)
    closed = await closures.closures_of(session)
    slugs = await repository.member_slugs(session)
    rows = await repository.members(session)
    names = sorted(slugs_installed() | set(active) | set(runtime.plugins.slugs))
    seen = await asyncio.to_thread(_look_at_all, names)
    return [
        _view(
            runtime,
            name,
            seen[name],
            active.get(name),
            [each for each in closed if each.plugin == name],
            tuple(
                slugs[row.member_id]
                for row in rows
                if row.plugin == name and row.enabled and only_member in (None, row.member_id)
            ),
        )
        for name in names
    ]


Seen = Installed | str | None
"""A plugin's files; or why they are not clear; or None: it is not installed."""


def _look_at_all(names: list[str]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for name in names:
        try:
            found[name] = look_at(name)
        except UnknownPlugin:
            found[name] = None
        except UsageError as error:
            found[name] = error.detail
    return found


def _view(
    runtime: Runtime,
    slug: str,
    seen: Seen,
    activation: Activation | None,
    closed: list[PluginClosure],
    enabled_for: tuple[str, ...],
) -> PluginView:
    state, reason = _standing(runtime, slug, seen, activation, closed)
    installed = seen if isinstance(seen, Installed) else None
    supplier = runtime.suppliers.get(slug)
    return PluginView(
        slug=slug,
        state=state,
        reason=reason,
        distribution=installed.distribution if installed else None,
        version=installed.version if installed else None,
        supplies=supplier is not None,
        tries=takes_trials(supplier),
        enabled_for=enabled_for,
    )


def _standing(
    runtime: Runtime,
    slug: str,
    seen: Seen,
    activation: Activation | None,
    closed: list[PluginClosure],
) -> tuple[State, str | None]:
    if slug in BESIDE_THE_CORE:
        return State.HOUSE, None
    if isinstance(seen, str):
        return State.DISABLED, seen
    disabled = runtime.plugins.disabled.get(slug)
    stopped = [each for each in closed if each.cause is Cause.OPERATOR and each.member_id is None]
    state = state_of(seen, activation, disabled=disabled is not None, stopped=bool(stopped))
    if state is State.DISABLED:
        return state, disabled
    if state is State.STOPPED:
        return state, stopped[0].words or REASONS[Cause.OPERATOR]
    return state, why_not_active(seen, activation)


async def show(
    session: AsyncSession, runtime: Runtime, slug: str, *, only_member: UUID | None = None
) -> PluginDetails:
    """Everything about one plugin; for a partner (`only_member`) what concerns that member."""
    listed = await list_plugins(session, runtime, only_member=only_member)
    found = next((each for each in listed if each.slug == slug), None)
    if found is None:
        raise UnknownPlugin(f"No plugin {slug!r} is installed.")
    asked = runtime.plugins.settings_of(slug)
    stored = await repository.settings_of(session, slug)
    names = await repository.member_slugs(session)
    seen = (await asyncio.to_thread(_look_at_all, [slug]))[slug]
    house = None
    if only_member is None:
        house = _settings(runtime, asked.house, stored.get((None, False)))
    return PluginDetails(
        plugin=found,
        digest=seen.digest if isinstance(seen, Installed) else None,
        activation=(await repository.activations(session)).get(slug),
        settings=house,
        closures=tuple(
            _closure(each, names)
            for each in await closures.closures_of(session, slug)
            if only_member is None or each.member_id in (None, only_member)
        ),
        members=await _members(session, runtime, slug, stored, names, only_member),
        installed=None if only_member else await repository.last_installed(session, slug),
    )


def _closure(each: PluginClosure, names: dict[UUID, str]) -> ClosureView:
    return ClosureView(
        cause=each.cause,
        reason=REASONS[each.cause],
        words=each.words,
        member=names[each.member_id] if each.member_id else None,
        closed_at=each.closed_at,
        actor=each.actor,
    )


async def _members(
    session: AsyncSession,
    runtime: Runtime,
    slug: str,
    stored: dict[repository.SettingKey, PluginSetting],
    names: dict[UUID, str],
    only_member: UUID | None,
) -> tuple[MemberView, ...]:
    """Members with a row, settings or offers of the plugin."""
    rows = {row.member_id: row for row in await repository.members(session, slug)}
    counts = {
        member_id: each
        for (plugin, member_id), each in (await repository.offer_counts(session)).items()
        if plugin == slug
    }
    concerned = {*rows, *counts, *(member_id for member_id, _ in stored if member_id)}
    if only_member is not None:
        concerned = {only_member}
    struct = runtime.plugins.settings_of(slug).member
    made = []
    for member_id in sorted(concerned, key=lambda each: names[each]):
        row = rows.get(member_id, MemberRow(slug, member_id, False, False))
        count = counts.get(member_id, OfferCounts(0, 0))
        made.append(
            MemberView(
                member=names[member_id],
                enabled=row.enabled,
                sandbox=row.sandbox,
                settings=_settings(runtime, struct, stored.get((member_id, False))),
                sandbox_settings=_settings(runtime, struct, stored.get((member_id, True))),
                offers_on_sale=count.on_sale,
                offers_closed=count.closed,
            )
        )
    return tuple(made)


def _settings(
    runtime: Runtime, struct: type[msgspec.Struct] | None, row: PluginSetting | None
) -> SettingsView:
    """A set as it stands. Secrets are read to see whether they are complete, and not kept."""
    asked = forms.fields(struct) if struct is not None else ()
    missing: tuple[str, ...] = ()
    if struct is not None:
        stored = values.unpack(row.plain, row.secrets, runtime.vault) if row else {}
        try:
            values.build(struct, stored, "settings")
        except NotConfigured as error:
            missing = (error.detail.partition(": ")[2],)
    known = {each.name for each in asked}
    plain = {} if row is None else {k: v for k, v in row.plain.items() if k in known}
    return SettingsView(
        fields=asked,
        values=plain,
        secrets_given=tuple(sorted(known & set(row.secrets))) if row else (),
        missing=missing,
        changed_at=row.changed_at if row else None,
    )

"""What is done with plugins: their settings, enabling per member, stopping, sandbox.

Everything is audited, without values of settings. Activation is in `activation`, looking in
`views`, testing and trial orders in `trying`, installing in `installing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.errors import Conflict, InvalidRequest
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.host import forget_settings
from marketplace.identity.audit import audit
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.registry import forms, repository, values
from marketplace.registry.errors import ConnectionFailed, UnknownPlugin
from marketplace.registry.schemas import Checkup
from marketplace.runtime import Runtime


def struct_of(runtime: Runtime, slug: str, *, member: bool) -> type[msgspec.Struct] | None:
    """The Struct that a plugin asks for; UnknownPlugin where it is not at work here."""
    if slug not in runtime.plugins.slugs:
        raise UnknownPlugin(
            f"The plugin {slug} does not start: {runtime.plugins.disabled[slug]}"
            if slug in runtime.plugins.disabled
            else f"No plugin {slug!r} is installed."
        )
    asked: api.PluginSettings = runtime.plugins.settings_of(slug)
    return asked.member if member else asked.house


async def configure(
    session: AsyncSession,
    runtime: Runtime,
    slug: str,
    given: Mapping[str, Any],
    *,
    actor: str,
    member_id: UUID | None = None,
    sandbox: bool = False,
    form: bool = False,
) -> None:
    """Store settings: the house's, a member's, or (`sandbox`) a member's for trial orders.

    `given` is read as `forms.read` does: what is left out keeps its value. InvalidSettings names
    every field that is wrong; InvalidRequest where the plugin asks for nothing.
    """
    struct = struct_of(runtime, slug, member=member_id is not None)
    if struct is None:
        whose = "a member" if member_id is not None else "the house"
        raise InvalidRequest(f"The plugin {slug} asks {whose} for no settings.")
    if sandbox and member_id is None:
        raise InvalidRequest("Only members have settings for trial orders.")
    await closures.lock(session, slug)  # two who change one set do it one after the other
    stored = (await repository.settings_of(session, slug)).get((member_id, sandbox))
    kept = values.unpack(stored.plain, stored.secrets, runtime.vault) if stored else {}
    settings = forms.read(struct, given, kept=kept, form=form)
    plain, secrets = values.pack(settings, runtime.vault)
    await repository.put_settings(
        session, slug, (member_id, sandbox), plain=plain, secrets=secrets, actor=actor
    )
    after = msgspec.to_builtins(settings)
    await audit(
        session,
        actor,
        "plugin.configured",
        "plugin",
        slug,
        member_id=_text(member_id),
        sandbox=sandbox,
        # Names alone: an address may hold a secret that nobody marked.
        changed=sorted(name for name in after if after[name] != kept.get(name)),
    )
    forget_settings()


async def enable(
    session: AsyncSession,
    runtime: Runtime,
    slug: str,
    member_id: UUID,
    *,
    actor: str,
    tested: Checkup,
    force: bool = False,
    reason: str = "",
) -> None:
    """Enable a plugin for a member: its offers there open, where nothing else closes them.

    `tested` is what `trying.try_settings` found of the member's settings a moment ago:
    ConnectionFailed where it failed, unless `force`d with a reason.
    """
    struct_of(runtime, slug, member=True)
    if force and not reason.strip():
        raise InvalidRequest("Say why it is enabled although its test failed.")
    if not tested.ok and not force:
        raise ConnectionFailed(f"{slug} was not enabled: {tested.message}")
    await closures.lock(session, slug)
    await repository.put_member(session, slug, member_id, enabled=True)
    forced: dict[str, Any] = {} if tested.ok else {"forced": reason, "failure": tested.message}
    await audit(
        session, actor, "plugin.enabled", "plugin", slug, member_id=_text(member_id), **forced
    )
    await closures.reopen(session, slug, Cause.NOT_ENABLED, actor=actor, member_id=member_id)
    forget_settings()


async def disable(
    session: AsyncSession, slug: str, member_id: UUID, *, actor: str, reason: str = ""
) -> None:
    """Disable a plugin for a member: its offers there close; settings and held orders stay."""
    _no_room(slug)
    await closures.lock(session, slug)
    await repository.put_member(session, slug, member_id, enabled=False)
    await audit(
        session,
        actor,
        "plugin.disabled",
        "plugin",
        slug,
        member_id=_text(member_id),
        reason=reason,
    )
    await closures.close(
        session, slug, Cause.NOT_ENABLED, actor=actor, member_id=member_id, words=reason
    )
    forget_settings()


async def stop(session: AsyncSession, slug: str, *, actor: str, reason: str) -> int:
    """Stop a plugin for everybody: its offers close and its orders wait; how many offers closed."""
    _no_room(slug)
    return await closures.close(session, slug, Cause.OPERATOR, actor=actor, words=reason)


async def start(session: AsyncSession, slug: str, *, actor: str) -> int:
    """Undo `stop`; how many offers opened."""
    return await closures.reopen(session, slug, Cause.OPERATOR, actor=actor)


async def set_sandbox(
    session: AsyncSession, slug: str, member_id: UUID, *, on: bool, actor: str
) -> None:
    """While on, participants cannot burn on the member's offers; trial orders go on."""
    _no_room(slug)
    await closures.lock(session, slug)
    await repository.put_member(session, slug, member_id, sandbox=on)
    if on:
        await closures.close(session, slug, Cause.SANDBOX, actor=actor, member_id=member_id)
    else:
        await closures.reopen(session, slug, Cause.SANDBOX, actor=actor, member_id=member_id)


def _no_room(slug: str) -> None:
    if slug in BESIDE_THE_CORE:
        raise Conflict(f"{slug} is a room of the marketplace itself: it is always active.")


def _text(member_id: UUID | None) -> str | None:
    return None if member_id is None else str(member_id)

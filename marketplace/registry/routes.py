"""HTTP: plugins as operators and partners see and change them."""

from __future__ import annotations

import msgspec
from litestar import get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.domain import Principal, Role
from marketplace.registry import activation, service
from marketplace.registry.members import member_of, own_member
from marketplace.registry.schemas import (
    ActivateBody,
    Checkup,
    DisableBody,
    EnableBody,
    PluginDetails,
    PluginList,
    SandboxBody,
    SettingsBody,
    TryBody,
    TryOutBody,
    TryResult,
)
from marketplace.registry.trying import try_order, try_settings
from marketplace.registry.views import list_plugins, show
from marketplace.runtime import Runtime
from marketplace.web.access import access

LOOKERS = [Role.OPERATOR, Role.PARTNER]
UNCACHED = CacheControlHeader(no_store=True)


@get("/v1/plugins", opt=access(roles=LOOKERS), tags=["plugins"], summary="List plugins")
async def list_all(
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginList:
    """Every plugin and its state. A partner sees of members its own alone."""
    found = await list_plugins(session, runtime, only_member=own_member(principal))
    return PluginList(found)


@get("/v1/plugins/{slug:str}", opt=access(roles=LOOKERS), tags=["plugins"], summary="Show a plugin")
async def show_one(
    slug: FromPath[str],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Version, activation, settings without secrets, members, closures."""
    return await show(session, runtime, slug, only_member=own_member(principal))


@post(
    "/v1/plugins/{slug:str}/activate",
    status_code=200,
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Activate a plugin as it is installed",
)
async def activate(
    slug: FromPath[str],
    data: JSONBody[ActivateBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Let it deliver: on a signed report that it passed, or for a reason that is audited."""
    report = None if data.report is None else msgspec.json.encode(data.report)
    await activation.activate(
        session, runtime.settings, slug, actor=principal.actor, report=report, reason=data.reason
    )
    return await show(session, runtime, slug)


@post(
    "/v1/plugins/{slug:str}/disable",
    status_code=200,
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Stop a plugin for everybody",
)
async def stop(
    slug: FromPath[str],
    data: JSONBody[DisableBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Close all its offers and let its orders wait; `enable` undoes it."""
    await show(session, runtime, slug)
    await service.stop(session, slug, actor=principal.actor, reason=data.reason)
    return await show(session, runtime, slug)


@post(
    "/v1/plugins/{slug:str}/enable",
    status_code=200,
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Undo the stop of a plugin",
)
async def start(
    slug: FromPath[str],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Open again what `disable` closed; other closures stay."""
    await service.start(session, slug, actor=principal.actor)
    return await show(session, runtime, slug)


@put(
    "/v1/plugins/{slug:str}/settings",
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Set the house settings of a plugin",
)
async def configure_house(
    slug: FromPath[str],
    data: JSONBody[SettingsBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Values by field; secrets are stored encrypted and never shown again."""
    await service.configure(session, runtime, slug, data.values, actor=principal.actor)
    return await show(session, runtime, slug)


@put(
    "/v1/plugins/{slug:str}/members/{member:str}/settings",
    opt=access(roles=LOOKERS),
    tags=["plugins"],
    summary="Set a member's settings of a plugin",
)
async def configure_member(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[SettingsBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """A partner sets its own member's."""
    whose = await member_of(session, principal, member)
    await service.configure(
        session, runtime, slug, data.values, actor=principal.actor, member_id=whose
    )
    return await show(session, runtime, slug, only_member=own_member(principal))


@put(
    "/v1/plugins/{slug:str}/members/{member:str}/sandbox-settings",
    opt=access(roles=LOOKERS),
    tags=["plugins"],
    summary="Set a member's settings for trial orders",
)
async def configure_sandbox(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[SettingsBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """The second set, which shares nothing with the first. A partner sets its own member's."""
    whose = await member_of(session, principal, member)
    await service.configure(
        session, runtime, slug, data.values, actor=principal.actor, member_id=whose, sandbox=True
    )
    return await show(session, runtime, slug, only_member=own_member(principal))


@put(
    "/v1/plugins/{slug:str}/members/{member:str}/sandbox",
    opt=access(roles=LOOKERS),
    tags=["plugins"],
    summary="Switch a member's sandbox on or off",
)
async def switch_sandbox(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[SandboxBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """While on, the member's offers are closed and only trial orders reach the plugin."""
    whose = await member_of(session, principal, member)
    await show(session, runtime, slug)
    await service.set_sandbox(session, slug, whose, on=data.on, actor=principal.actor)
    return await show(session, runtime, slug, only_member=own_member(principal))


@post(
    "/v1/plugins/{slug:str}/members/{member:str}/enable",
    status_code=200,
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Enable a plugin for a member",
)
async def enable_member(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[EnableBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Its settings are tested first; where that fails it is refused, unless forced."""
    async with runtime.database.begin() as session:
        whose = await member_of(session, principal, member)
    tested = await try_settings(runtime, slug, member_id=whose)
    async with runtime.database.begin() as session:
        await service.enable(
            session,
            runtime,
            slug,
            whose,
            actor=principal.actor,
            tested=tested,
            force=data.force,
            reason=data.reason,
        )
        return await show(session, runtime, slug)


@post(
    "/v1/plugins/{slug:str}/members/{member:str}/disable",
    status_code=200,
    opt=access(roles=[Role.OPERATOR]),
    tags=["plugins"],
    summary="Disable a plugin for a member",
)
async def disable_member(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[DisableBody],
    session: NamedDependency[AsyncSession],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> PluginDetails:
    """Close its offers there; settings and held orders stay."""
    whose = await member_of(session, principal, member)
    await show(session, runtime, slug)
    await service.disable(session, slug, whose, actor=principal.actor, reason=data.reason)
    return await show(session, runtime, slug)


@post(
    "/v1/plugins/{slug:str}/members/{member:str}/test",
    status_code=200,
    opt=access(roles=LOOKERS),
    tags=["plugins"],
    summary="Test a member's settings of a plugin",
)
async def test_member(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[TryOutBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Checkup:
    """What the plugin itself says of its settings. A partner tests its own member's."""
    async with runtime.database.begin() as session:
        whose = await member_of(session, principal, member)
    return await try_settings(runtime, slug, member_id=whose, sandbox=data.sandbox)


@post(
    "/v1/plugins/{slug:str}/members/{member:str}/try",
    status_code=200,
    opt=access(roles=LOOKERS),
    cache_control=UNCACHED,
    tags=["plugins"],
    summary="Send a trial order",
)
async def try_member(
    slug: FromPath[str],
    member: FromPath[str],
    data: JSONBody[TryBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> TryResult:
    """What it delivers, once; no points move. A partner tries for its own member."""
    async with runtime.database.begin() as session:
        whose = await member_of(session, principal, member)
    return await try_order(
        runtime,
        slug,
        member_id=whose,
        sku=data.sku,
        quantity=data.quantity,
        actor=principal.actor,
    )


routes = [
    list_all,
    show_one,
    activate,
    stop,
    start,
    configure_house,
    configure_member,
    configure_sandbox,
    switch_sandbox,
    enable_member,
    disable_member,
    test_member,
    try_member,
]

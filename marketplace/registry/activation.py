"""Which version of a plugin may deliver: activated to the byte, on a report or the operator's word.

What is not active is closed by a row (`exchange.closures`): its offers cannot be burnt on, and
workers leave its orders alone. Rooms of the house are no strangers: they are always active.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.certify import report as reports
from marketplace.certify.domain import Verdict
from marketplace.certify.target import digest, find
from marketplace.errors import UsageError
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause, Closed
from marketplace.exchange.models import Offer
from marketplace.identity.audit import audit
from marketplace.installed import slugs_installed
from marketplace.plugins import BESIDE_THE_CORE, Plugins
from marketplace.registry import repository
from marketplace.registry.domain import Activation, Installed, why_not_active
from marketplace.registry.errors import NotCertified, UnknownPlugin
from marketplace.settings import Settings

log = logging.getLogger(__name__)

SYSTEM = "system:registry"
DOES_NOT_START = "It does not start."
NOT_YET = "It has not been activated."


def look_at(slug: str) -> Installed:
    """A plugin as its files are now; UnknownPlugin where it is not installed."""
    if slug not in slugs_installed():
        raise UnknownPlugin(f"No plugin {slug!r} is installed.")
    target = find(slug)
    return Installed(slug, target.distribution, target.version, digest(target))


def report_path(settings: Settings, installed: Installed) -> Path:
    """Where `plugins check` leaves the report of this version."""
    return settings.var_dir / "reports" / f"{installed.slug}-{installed.version}.json"


async def activate(
    session: AsyncSession,
    settings: Settings,
    slug: str,
    *,
    actor: str,
    report: bytes | None = None,
    reason: str | None = None,
) -> Installed:
    """Let the plugin as it is installed deliver; audited.

    On a signed report that passed, of exactly these files: `report`, or the one that the check left
    in the reports folder. With a `reason` the operator activates it without one. NotCertified says
    what is missing.
    """
    # Locked first: whoever installs another version meanwhile closes it after us.
    await closures.lock(session, slug)
    installed = await asyncio.to_thread(look_at, slug)
    content = None if reason else report
    if not reason:
        if content is None:
            content = await asyncio.to_thread(_report_on_file, settings, installed)
        _certified(content, installed, settings)
    await repository.put_activation(
        session,
        {
            "plugin": slug,
            "distribution": installed.distribution,
            "version": installed.version,
            "digest": installed.digest,
            "report": None if content is None else msgspec.json.decode(content),
            "reason": reason or None,
            "actor": actor,
        },
    )
    await audit(
        session,
        actor,
        "plugin.activated",
        "plugin",
        slug,
        version=installed.version,
        digest=installed.digest,
        certified=content is not None,
        reason=reason or None,
    )
    await closures.reopen(session, slug, Cause.NOT_ACTIVE, actor=actor)
    return installed


def _report_on_file(settings: Settings, installed: Installed) -> bytes:
    path = report_path(settings, installed)
    try:
        return path.read_bytes()
    except OSError:
        raise NotCertified(
            f"There is no report of {installed.slug} {installed.version} (looked for {path}). "
            f"Run `marketplace plugins check {installed.slug}` first, or name the report's file."
        ) from None


def _certified(content: bytes, installed: Installed, settings: Settings) -> None:
    """NotCertified unless this is a genuine report that these very files passed."""
    try:
        found = reports.verify(content, reports.public_keys(settings))
    except UsageError as error:
        raise NotCertified(error.detail) from None
    if (found.slug, found.distribution) != (installed.slug, installed.distribution):
        raise NotCertified(f"The report speaks of {found.distribution} ({found.slug}).")
    if found.verdict is not Verdict.PASSED:
        raise NotCertified(
            f"The report's verdict is {found.verdict.value}, so {installed.slug} cannot be "
            "activated on it. Mend what it names and check again."
        )
    if found.version != installed.version:
        raise NotCertified(
            f"The report speaks of version {found.version}, and {installed.version} is installed: "
            "a new version needs a new report."
        )
    if found.digest != installed.digest:
        raise NotCertified(
            f"The files of {installed.slug} {installed.version} are not those that were checked; "
            "check them again."
        )


async def forget(session: AsyncSession, slug: str, *, actor: str, words: str) -> None:
    """Take the activation away: offers close, orders wait."""
    await repository.drop_activation(session, slug)
    await closures.close(session, slug, Cause.NOT_ACTIVE, actor=actor, words=words)


async def sync(session: AsyncSession, plugins: Plugins) -> dict[str, str]:
    """Bring closures to what is installed in this process; returns why plugins are not active.

    Run where orders are delivered from, at start: an upgraded, edited, vanished or broken plugin
    is closed before its first order, and one that is again what was activated is opened.
    """
    known = set(await repository.activations(session))
    found: dict[str, str] = {}
    for slug in sorted((slugs_installed() | known) - set(BESIDE_THE_CORE)):
        await closures.lock(session, slug)
        active = await repository.activations(session)
        words = await asyncio.to_thread(_why, slug, active.get(slug), plugins)
        if words is None:
            await closures.reopen(session, slug, Cause.NOT_ACTIVE, actor=SYSTEM)
        else:
            await closures.close(session, slug, Cause.NOT_ACTIVE, actor=SYSTEM, words=words)
            found[slug] = words
            log.warning("plugin %s is not active: %s", slug, words)
    return found


def _why(slug: str, activation: Activation | None, plugins: Plugins) -> str | None:
    try:
        installed = look_at(slug)
    except UnknownPlugin:
        return why_not_active(None, activation)
    except UsageError as error:  # two distributions with one slug
        return error.detail
    words = why_not_active(installed, activation)
    if words is None and slug in plugins.disabled:
        return DOES_NOT_START
    return words


async def admit(
    session: AsyncSession, pairs: Iterable[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Closed]:
    """Close new offers where their plugin is not active, or not enabled for their acceptor.

    Whoever writes offers calls it in the same transaction, with the (plugin, acceptor) of each;
    returns what they are closed for.
    """
    wanted = sorted({pair for pair in pairs if pair[0] not in BESIDE_THE_CORE}, key=str)
    if not wanted:
        return {}
    for plugin in sorted({plugin for plugin, _ in wanted}):
        await closures.lock(session, plugin)
        active = await repository.activations(session)
        known = await closures.closures_of(session, plugin)
        if plugin not in active and all(each.cause is not Cause.NOT_ACTIVE for each in known):
            await closures.close(session, plugin, Cause.NOT_ACTIVE, actor=SYSTEM, words=NOT_YET)
        rows = await repository.members(session, plugin)
        enabled = {row.member_id for row in rows if row.enabled}
        for member_id in (member_id for each, member_id in wanted if each == plugin):
            if member_id not in enabled:
                await closures.close(
                    session, plugin, Cause.NOT_ENABLED, actor=SYSTEM, member_id=member_id
                )
        await closures.settle(session, plugin)
    return await _closed(session, wanted)


async def _closed(
    session: AsyncSession, pairs: Iterable[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Closed]:
    rows = await session.execute(
        sa.select(Offer.plugin, Offer.acceptor_id, Offer.closed)
        .distinct()
        .where(
            sa.tuple_(Offer.plugin, Offer.acceptor_id).in_(list(pairs)), Offer.closed.is_not(None)
        )
    )
    return {(row[0], row[1]): msgspec.convert(row[2], Closed) for row in rows}


def warnings_of(closed: Mapping[tuple[str, UUID], Closed], slugs: Mapping[str, UUID]) -> list[str]:
    """A line for each plugin and acceptor whose new offers are closed."""
    names = {member_id: slug for slug, member_id in slugs.items()}
    return [
        f"offers of plugin {plugin} for {names.get(member_id, member_id)} are closed: "
        f"{each.detail} {_help(plugin, names.get(member_id), each)}"
        for (plugin, member_id), each in sorted(closed.items(), key=lambda item: str(item[0]))
    ]


def _help(plugin: str, member: str | None, closed: Closed) -> str:
    match closed.cause:
        case Cause.NOT_ACTIVE:
            return f"See `marketplace plugins activate {plugin}`."
        case Cause.NOT_ENABLED:
            return f"See `marketplace plugins enable {plugin} --member {member}`."
    return f"See `marketplace plugins show {plugin}`."

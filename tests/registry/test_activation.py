"""A plugin delivers only as it was checked, to the byte, or on the operator's word."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from marketplace.certify.domain import Result, Status
from marketplace.certify.report import make_report, sign
from marketplace.certify.target import digest, find
from marketplace.coalition.imports import import_file
from marketplace.exchange import closures
from marketplace.exchange.models import Offer, PluginClosure
from marketplace.identity.models import AuditEntry
from marketplace.registry import activation, service
from marketplace.registry.errors import NotCertified, UnknownPlugin
from marketplace.registry.schemas import Checkup
from marketplace.registry.views import list_plugins, show
from marketplace.runtime import Runtime
from tests.factories import Coalition


def report(folder: Path, runtime: Runtime, status: Status = Status.PASSED, **other: Any) -> bytes:
    """A signed report of the plugin as it is now."""
    target = find(str(folder))
    result = Result(scenario="starts", title="It starts", status=status)
    made = make_report(target, [result], files_digest=digest(target))
    return msgspec.json.encode(sign(msgspec.structs.replace(made, **other), runtime.settings))


async def activate(runtime: Runtime, **given: Any) -> None:
    async with runtime.database.begin() as session:
        await activation.activate(session, runtime.settings, "acme", actor="cli:test", **given)


async def cause(runtime: Runtime, reference: str) -> str | None:
    """What closes an offer."""
    async with runtime.database.begin() as session:
        closed = await session.scalar(sa.select(Offer.closed).where(Offer.reference == reference))
        return None if closed is None else closed["cause"]


OFFERS = b"""reference,kind,name,acceptor,plugin,sku,points,cost,currency,status
lamp-1,gift,Lamp,shop,acme,LAMP,100,1.00,EUR,on_sale
"""


async def test_offers_come_before_the_plugin_and_open_when_all_is_in_order(
    runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    found = await import_file(runtime, "offers", io.BytesIO(OFFERS))
    assert found.ok
    assert found.new == 1
    (line,) = found.warnings
    assert line.startswith("offers of plugin acme for shop are closed")
    assert line.endswith("See `marketplace plugins activate acme`.")
    assert await cause(runtime, "lamp-1") == "not_active"
    assert (await import_file(runtime, "offers", io.BytesIO(OFFERS))).warnings == []

    await activate(runtime, report=report(acme_folder, runtime))
    assert await cause(runtime, "lamp-1") == "not_enabled"
    more = OFFERS.replace(b"lamp-1", b"lamp-2")
    found = await import_file(runtime, "offers", io.BytesIO(more))
    assert "See `marketplace plugins enable acme --member shop`." in found.warnings[0]

    async with runtime.database.begin() as session:
        await service.enable(
            session,
            runtime,
            "acme",
            coalition.members["shop"],
            actor="cli:test",
            tested=Checkup(ok=True, message=""),
        )
    assert await cause(runtime, "lamp-1") is None
    assert await cause(runtime, "lamp-2") is None
    more = OFFERS.replace(b"lamp-1", b"lamp-3")
    assert (await import_file(runtime, "offers", io.BytesIO(more))).warnings == []
    assert await cause(runtime, "lamp-3") is None


async def test_a_dry_run_warns_and_leaves_no_closure(
    runtime: Runtime, coalition: Coalition
) -> None:
    found = await import_file(runtime, "offers", io.BytesIO(OFFERS), dry_run=True)
    assert len(found.warnings) == 1
    async with runtime.database.begin() as session:
        assert (await session.scalars(sa.select(PluginClosure))).all() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": Status.FAILED}, "verdict is failed"),
        ({"status": Status.NOT_SHOWN}, "verdict is incomplete"),
        ({"version": "0.2.0"}, "a new version needs a new report"),
        ({"digest": "00"}, "are not those that were checked"),
        ({"slug": "other"}, "speaks of marketplace-acme \\(other\\)"),
    ],
)
async def test_a_report_of_something_else_or_not_passed_activates_nothing(
    changes: dict[str, Any], words: str, runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    if "status" in changes:
        from marketplace.certify.domain import verdict

        result = Result(scenario="starts", title="", status=changes.pop("status"))
        changes = {"verdict": verdict([result]), "results": (result,)}
    with pytest.raises(NotCertified, match=words):
        await activate(runtime, report=report(acme_folder, runtime, **changes))


async def test_a_forged_report_or_none_activates_nothing(
    runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    forged = json.loads(report(acme_folder, runtime, Status.FAILED))
    forged["report"]["verdict"] = "passed"
    with pytest.raises(NotCertified, match="was changed"):
        await activate(runtime, report=json.dumps(forged).encode())
    with pytest.raises(NotCertified, match="Run `marketplace plugins check acme` first"):
        await activate(runtime)
    with pytest.raises(UnknownPlugin):
        async with runtime.database.begin() as session:
            await activation.activate(
                session, runtime.settings, "nobody", actor="cli:test", reason="Why not?"
            )


async def test_the_operator_may_do_without_a_report_and_the_trail_says_why(
    runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    await activate(runtime, reason="It only says hello.")
    async with runtime.database.begin() as session:
        shown = await show(session, runtime, "acme")
        entry = await session.scalar(
            sa.select(AuditEntry).where(
                AuditEntry.action == "plugin.activated", AuditEntry.subject_id == "acme"
            )
        )
    assert shown.plugin.state == "active"
    assert shown.activation is not None
    assert shown.activation.certified is False
    assert entry is not None
    assert entry.details["reason"] == "It only says hello."
    assert entry.actor == "cli:test"


async def test_an_edited_plugin_is_closed_when_a_worker_starts_until_it_is_as_it_was(
    runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    await coalition.add_offer("lamp", acceptor="shop", plugin="acme")
    await activate(runtime, report=report(acme_folder, runtime))

    async def worker_starts() -> str | None:
        async with runtime.database.begin() as session:
            return (await activation.sync(session, runtime.plugins)).get("acme")

    assert await worker_starts() is None
    shop = acme_folder / "src" / "marketplace_acme" / "shop.py"
    before = shop.read_text()
    shop.write_text(before + "\n# one line\n")
    assert "are not those that were activated" in (await worker_starts() or "")
    assert await cause(runtime, "lamp") == "not_active"
    async with runtime.database.begin() as session:
        (listed,) = [e for e in await list_plugins(session, runtime) if e.slug == "acme"]
    assert (listed.state, listed.version) == ("changed", "0.1.0")

    shop.write_text(before)
    assert await worker_starts() is None
    assert await cause(runtime, "lamp") is None

    project = acme_folder / "pyproject.toml"
    project.write_text(project.read_text().replace("0.1.0", "0.2.0"))
    await activate(runtime, reason="The digest is the same: the version is not in it.")


async def test_one_that_vanished_or_does_not_start_is_closed_too(
    runtime: Runtime, coalition: Coalition, acme_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await coalition.add_offer("lamp", acceptor="shop", plugin="acme")
    await activate(runtime, reason="A test.")
    runtime.plugins.disable("acme", "it raised")
    async with runtime.database.begin() as session:
        inactive = await activation.sync(session, runtime.plugins)
        assert inactive["acme"] == activation.DOES_NOT_START
    monkeypatch.undo()
    async with runtime.database.begin() as session:
        inactive = await activation.sync(session, runtime.plugins)
        assert inactive["acme"] == "It is not installed."
        (listed,) = [e for e in await list_plugins(session, runtime) if e.slug == "acme"]
    assert listed.state == "missing"
    assert await cause(runtime, "lamp") == "not_active"


async def test_an_installation_that_comes_between_is_not_activated_unseen(
    runtime: Runtime, coalition: Coalition, acme_folder: Path
) -> None:
    checked = report(acme_folder, runtime)
    async with runtime.database.begin() as session:
        await closures.lock(session, "acme")  # somebody else changes the plugin
        activating = asyncio.create_task(activate(runtime, report=checked))
        await asyncio.sleep(0.5)
        source = next(acme_folder.glob("src/*/__init__.py"))  # noqa: ASYNC240 - one file
        source.write_text(f"{source.read_text()}\n# another version\n")
    with pytest.raises(NotCertified, match="are not those that were checked"):
        await activating

"""`marketplace charity picture | follow`: pictures of campaigns; what the clock does, at once."""

from __future__ import annotations

from pathlib import Path

import click

from charity import campaigns, closing, drafts, following, pictures
from charity.domain import LOCALES
from charity.errors import UnknownCause
from marketplace.commands import actor, run
from marketplace.errors import UsageError
from marketplace.runtime import Runtime
from marketplace.web.pictures import encode


@click.command("picture")
@click.argument("campaign")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--alt", multiple=True, required=True, help="What is seen, by language: en=A well.")
def picture(campaign: str, file: Path, alt: tuple[str, ...]) -> None:
    """Add the picture FILE (JPEG, PNG, WebP or GIF) to CAMPAIGN, or to its draft."""
    words = dict(_pair(each) for each in alt)
    encoded = encode(file.read_bytes())

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            try:
                found = (await campaigns.find(session, campaign, lock=True)).id
            except UnknownCause:
                found = (await drafts.find(session, campaign, lock=True)).id
            await pictures.add(session, found, encoded, words, actor=actor())

    run(work)
    click.echo(f"{campaign}: picture {encoded.hash[:12]}")


def _pair(text: str) -> tuple[str, str]:
    language, equals, words = text.partition("=")
    if not equals or language not in LOCALES:
        raise UsageError(f"{text!r} is not as en=What is seen; languages: {', '.join(LOCALES)}.")
    return language, words


@click.command("follow")
def follow() -> None:
    """Bring gifts to where their burns are, and close what has ended, as the clock does."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            found = await session.run_sync(following.behind)
        for burn_id in found:
            async with runtime.database.begin() as session:
                await session.run_sync(following.follow, burn_id)
        return len(found)

    async def tidy(runtime: Runtime) -> int:
        async with runtime.database.begin() as session:
            return await closing.tidy(session)

    done = moved = run(work)
    while moved == following.AT_ONCE:
        done += (moved := run(work))
    click.echo(f"{done} gifts, {run(tidy)} campaigns")


COMMANDS = (follow, picture)

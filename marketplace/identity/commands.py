"""Command line: API keys and people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from uuid import UUID

import click
from cryptography.fernet import Fernet

from marketplace.commands import Group, actor, run
from marketplace.errors import UsageError
from marketplace.identity import keys, people
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import Person
from marketplace.identity.passwords import new_password
from marketplace.identity.schemas import KeyMade, KeyOut
from marketplace.runtime import Runtime

LISTED = 1000


@click.group("keys", cls=Group)
def keys_group() -> None:
    """API keys of members, and the key that encrypts secrets."""


@keys_group.command("create")
@click.option("--member", required=True, help="Slug of the member the key acts for.")
@click.option("--label", required=True, help="What it is for, to recognise it by.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; repeat for more.",
)
def create(member: str, label: str, scopes: Sequence[str]) -> None:
    """Make an API key and print it, this once."""

    async def work(runtime: Runtime) -> KeyMade:
        async with runtime.database.begin() as session:
            wanted = [Scope(scope) for scope in scopes]
            return await keys.create_key(
                session, actor(), member=member, label=label, scopes=wanted
            )

    click.echo(run(work).key)


@keys_group.command("list")
@click.option("--member", help="Slug of one member.")
def list_keys(member: str | None) -> None:
    """Show keys (never the keys themselves), newest first."""

    async def work(runtime: Runtime) -> list[KeyOut]:
        async with runtime.database.begin() as session:
            return await keys.list_keys(session, member_id=None, before=None, limit=LISTED)

    for key in run(work):
        if member in (None, key.member):
            state = "revoked" if key.revoked_at else "live"
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            click.echo(
                f"{key.id}  {key.hint}…  {key.member}  {state}  {used}  "
                f"{','.join(key.scopes)}  {key.label}"
            )


@keys_group.command("revoke")
@click.argument("key_id", metavar="ID", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Revoke a key, at once and for good."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await keys.revoke_key(session, actor(), key_id, member_id=None)

    run(work)
    click.echo(f"Key {key_id} is revoked.")


@keys_group.command("secret")
def secret() -> None:
    """Print a fresh key for MARKETPLACE_SECRET_KEYS (put it in front of the present ones)."""
    click.echo(Fernet.generate_key().decode())


@click.group("people", cls=Group)
def people_group() -> None:
    """People who can sign in."""


def _password(from_stdin: bool) -> tuple[str, bool]:
    """(the password, whether it was made here and must be shown)."""
    if not from_stdin:
        return new_password(), True
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise UsageError("--password-stdin was given, but standard input holds no password.")
    return given, False


@people_group.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="Repeat for more.",
)
@click.option("--participant", help="Reference; for role participant.")
@click.option("--firm", help="Reference; for role firm_manager.")
@click.option("--member", help="Slug; for roles partner, finance and operator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add(
    email: str,
    name: str,
    roles: Sequence[str],
    participant: str | None,
    firm: str | None,
    member: str | None,
    password_stdin: bool,
) -> None:
    """Add a person. Without --password-stdin a password is made and printed, this once."""
    password, made_here = _password(password_stdin)
    new = people.NewPerson(
        email=email,
        name=name,
        roles=frozenset(Role(role) for role in roles),
        participant=participant,
        firm=firm,
        member=member,
    )

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await people.add_person(session, actor(), new, password=password)

    run(work)
    click.echo(f"Password of {email}: {password}" if made_here else f"{email} can sign in.")


@people_group.command("password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def password_command(email: str, password_stdin: bool) -> None:
    """Give a person a new password and end the present sessions."""
    password, made_here = _password(password_stdin)

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await people.change_password(session, actor(), email, password)

    run(work)
    click.echo(f"Password of {email}: {password}" if made_here else f"{email} can sign in.")


@people_group.command("list")
def list_command() -> None:
    """Show everybody who can sign in, or could."""

    async def work(runtime: Runtime) -> Sequence[Person]:
        async with runtime.database.begin() as session:
            return await people.list_people(session)

    for person in run(work):
        state = "disabled" if person.disabled_at else "active"
        click.echo(f"{person.email}  {','.join(person.roles)}  {state}  {person.name}")


@people_group.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Shut a person out: present sessions end, and no new one opens."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            await people.disable_person(session, actor(), email)

    run(work)
    click.echo(f"{email} is disabled.")

"""Who is at the command line: the user of this machine, or a person who proves it by password."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from marketplace.commands import actor
from marketplace.db import Database
from marketplace.errors import NotAllowed, UsageError
from marketplace.identity import repository
from marketplace.identity.domain import Role
from marketplace.identity.errors import WrongPassword
from marketplace.identity.passwords import matches
from marketplace.identity.sessions import count_attempt

F = TypeVar("F", bound=Callable[..., Any])


class Asked(msgspec.Struct, frozen=True):
    """Who says they are at the command line."""

    email: str | None
    password: str


def AS_PERSON(command: F) -> F:  # noqa: N802 - used as the options beside it are
    """Options `--person` and `--password-stdin`, given to the command as `who`."""

    @click.option("--person", help="E-mail of who does this; without, the user of this machine.")
    @click.option("--password-stdin", is_flag=True, help="Read their password, do not ask for it.")
    @functools.wraps(command)
    def inside(person: str | None, password_stdin: bool, **rest: Any) -> Any:
        return command(who=asked(person, password_stdin), **rest)

    return inside  # type: ignore[return-value]


def asked(email: str | None, from_stdin: bool) -> Asked:
    """The person and the password they give."""
    if email is None:
        if from_stdin:
            raise UsageError("--password-stdin goes with --person.")
        return Asked(None, "")
    if from_stdin:
        return Asked(email, sys.stdin.readline().rstrip("\r\n"))
    return Asked(email, click.prompt(f"Password of {email}", hide_input=True))


async def actor_of(database: Database, who: Asked) -> str:
    """As in `Principal.actor`; WrongPassword, TooManyAttempts, or NotAllowed for who is not of
    finance. Guesses count as sign-ins that failed."""
    if who.email is None:
        return actor()
    async with database.begin() as session:
        attempt, _ = await count_attempt(session, who.email)
        person = await repository.person_by_email(session, who.email)
    fits = await matches(person.password_hash if person else None, who.password)
    if person is None or not fits or person.disabled_at is not None:
        raise WrongPassword
    async with database.begin() as session:
        await repository.delete_attempt(session, attempt)
    if not {Role.FINANCE.value, Role.OPERATOR.value} & set(person.roles):
        raise NotAllowed(f"{who.email} is neither of finance nor an operator.")
    return f"person:{person.id}"

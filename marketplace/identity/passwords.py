"""Passwords: argon2id, in threads of their own so that the event loop never waits for one."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from marketplace.errors import InvalidRequest

SHORTEST = 10
LONGEST = 200

_hasher = PasswordHasher()


@cache
def _threads() -> ThreadPoolExecutor:
    # Each hash takes 64 MiB for some 50 ms: two at a time bound what a flood of sign-ins can take.
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def new_password() -> str:
    """A password for a person who was given none."""
    return secrets.token_urlsafe(12)


def check_length(password: str) -> None:
    """Raise InvalidRequest where a new password is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidRequest(f"A password has {SHORTEST} to {LONGEST} characters.")


async def hash_password(password: str) -> str:
    """The argon2id hash; InvalidRequest where the password is too short or too long."""
    check_length(password)
    return await asyncio.get_running_loop().run_in_executor(_threads(), _hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password fits. Without a hash (nobody there) it takes the same time: False."""
    return await asyncio.get_running_loop().run_in_executor(
        _threads(), _matches, password_hash, password
    )


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        fits = _hasher.verify(password_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None

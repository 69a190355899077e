"""Turns the credential of a request into a Principal.

Two ways in. `verify` asks the database every time: what ordinary routes use. `identify` answers
from memory: what the burn engine uses, which checks in its own batch read that the credential is
still live. What is remembered never changes while a credential lives: scopes and roles are fixed
when it is made (a person whose roles or password change is signed out).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import Database
from marketplace.errors import NotAuthenticated
from marketplace.identity import repository
from marketplace.identity.credentials import (
    BEARER_LENGTH,
    Credential,
    RawHeaders,
    read_bearer,
    read_credential,
)
from marketplace.identity.domain import Principal

REMEMBERED = 50_000
BEARERS = 1_000
"""Headers of callers that are known as they were sent: to read one costs more than to find it."""


class Authenticator:
    """One per process."""

    def __init__(self, database: Database, *, remember: int = REMEMBERED) -> None:
        self._database = database
        # Each check is one statement: no transaction around it.
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._most = remember
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._bearers: dict[bytes, Principal] = {}
        self._used: set[UUID] = set()

    async def verify(self, headers: RawHeaders, method: str) -> Principal:
        """Who is calling, checked in the database now; raises NotAuthenticated.

        `method` decides whether a cookie needs a same-origin request (CrossSiteRequest).
        """
        credential = read_credential(headers, method)
        found = await self._look_up(credential)
        self._remember(credential, found)
        return found

    async def verify_many(self, credentials: Sequence[Credential]) -> Mapping[bytes, Principal]:
        """Who these callers are, by digest, checked now in a statement for each kind; whoever is
        missing is not live.
        """
        found: dict[bytes, Principal] = {}
        async with AsyncSession(self._engine) as session:
            for is_key, find in ((True, repository.find_keys), (False, repository.find_sign_ins)):
                digests = {each.digest for each in credentials if each.is_key is is_key}
                if digests:
                    found |= await find(session, digests)
        for principal in found.values():
            self._note_use(principal)
        for each in credentials:
            if each.digest in found:
                self._remember(each, found[each.digest])
        return found

    async def identify(self, headers: RawHeaders, method: str = "POST") -> Principal:
        """Who is calling, from memory where known; the caller re-checks that it is live.

        Live means: `api_key.revoked_at is null`, or `sign_in.revoked_at is null and
        sign_in.expires_at > now()` with `person.disabled_at is null`, by `credential_id`.
        """
        credential = read_credential(headers, method)
        known = self._recall(credential)
        if known is None:
            known = await self._look_up(credential)
            self._remember(credential, known)
        return known

    def _remember(self, credential: Credential, found: Principal) -> None:
        self._known[credential.digest] = found
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def remembered(self, headers: RawHeaders, method: str = "POST") -> Principal | None:
        """As `identify`, without a wait: None where only the database can tell."""
        return self._recall(read_credential(headers, method))

    def remembered_bearer(self, authorization: bytes) -> Principal | None:
        """As `remembered`, of a request with this `Authorization` header."""
        known = self._bearers.get(authorization)
        if known is not None:
            self._note_use(known)
            return known
        known = self._recall(read_bearer(authorization))
        if known is not None and len(authorization) == BEARER_LENGTH:
            if len(self._bearers) >= BEARERS:
                self._bearers.clear()
            self._bearers[authorization] = known
        return known

    def _recall(self, credential: Credential) -> Principal | None:
        known = self._known.get(credential.digest)
        if known is not None:
            self._known.move_to_end(credential.digest)
            self._note_use(known)
        return known

    async def _look_up(self, credential: Credential) -> Principal:
        find = repository.find_keys if credential.is_key else repository.find_sign_ins
        async with AsyncSession(self._engine) as session:
            principal = (await find(session, [credential.digest])).get(credential.digest)
        if principal is None:
            raise NotAuthenticated("The key or session is unknown, revoked or expired.")
        self._note_use(principal)
        return principal

    def _note_use(self, principal: Principal) -> None:
        if principal.is_key:
            self._used.add(principal.credential_id)

    async def write_last_used(self) -> None:
        """Write `last_used_at` of the keys used since the last call: one statement for all."""
        if not self._used:
            return
        used, self._used = self._used, set()
        async with self._database.begin() as session:
            await repository.write_last_used(session, sorted(used))

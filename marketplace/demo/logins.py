"""Who can sign in to the demonstration, its API keys, and the file that remembers them.

The passwords are known to everybody who reads this, which is right for made-up data and nothing
else. The API keys are made when the data is, and kept beside the embedded database.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.demo.people import OPERATOR
from marketplace.demo.plan import participants
from marketplace.identity import keys, people
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import Person
from marketplace.settings import Settings

ACTOR: Final = "system:demo"


class Login(msgspec.Struct, frozen=True):
    """Somebody who can sign in; every role has one."""

    role: Role
    email: str
    name: str
    participant: str | None = None
    firm: str | None = None
    member: str | None = None

    @property
    def password(self) -> str:
        return f"demo-{self.role.value.replace('_', '-')}"


class DemoKey(msgspec.Struct, frozen=True):
    """An API key of the demonstration; `name` is what it is called in the state file."""

    name: str
    member: str
    label: str
    scopes: tuple[Scope, ...]


class DemoState(msgspec.Struct, frozen=True):
    """What the demonstration remembers between starts."""

    keys: dict[str, str]
    """Keys in clear, by `DemoKey.name`."""
    wallet_id: str
    """Of the participant who can sign in."""
    offer_id: str
    """A cheap gift on sale."""
    door: str
    """Path of what the phone at the door of the conference opens, its key in it."""


FIRST, COLLEAGUE = participants()[:2]
"""Of one firm, so that each can give the other a reward."""

CLERK: Final = Login(
    Role.FINANCE, f"finance@{OPERATOR}.example", "Marijke van Loon", member=OPERATOR
)
CONTROLLER: Final = Login(
    Role.FINANCE, f"controller@{OPERATOR}.example", "Ruben Hoekman", member=OPERATOR
)
SUPPLIER: Final = Login(
    Role.PARTNER, "partner@kartenkontor.example", "Jonas Wiegand", member="kartenkontor"
)

LOGINS: Final = (
    Login(Role.PARTICIPANT, FIRST.email, FIRST.name, participant=FIRST.reference),
    Login(Role.PARTICIPANT, COLLEAGUE.email, COLLEAGUE.name, participant=COLLEAGUE.reference),
    Login(
        Role.FIRM_MANAGER,
        f"office@{FIRST.firm.reference}.example",
        "Hilde Brandt",
        firm=FIRST.firm.reference,
    ),
    # One is paid for rewards, the other issues points, the third holds events.
    SUPPLIER,
    Login(
        Role.PARTNER,
        f"partner@{FIRST.firm.sponsor}.example",
        "Svenja Holm",
        member=FIRST.firm.sponsor,
    ),
    Login(Role.PARTNER, "partner@forum-baltica.example", "Ieva Petrauskė", member="forum-baltica"),
    # Two, for whoever checks a settlement does not approve it.
    CLERK,
    CONTROLLER,
    Login(Role.OPERATOR, f"operator@{OPERATOR}.example", "Piet Verschuren", member=OPERATOR),
)

KEYS: Final = (
    DemoKey(
        "shop",
        FIRST.firm.sponsor,
        "Demonstration shop",
        (
            Scope.BURNS_WRITE,
            Scope.BURNS_READ,
            Scope.WALLETS_READ,
            Scope.ISSUANCES_WRITE,
            Scope.OFFERS_READ,
        ),
    ),
    DemoKey(
        "supplier",
        "kartenkontor",
        "Demonstration supplier",
        (
            Scope.STOCK_WRITE,
            Scope.OFFERS_WRITE,
            Scope.REFUNDS_WRITE,
            Scope.BURNS_READ,
            Scope.OFFERS_READ,
            Scope.VOUCHERS_REDEEM,
            Scope.WEBHOOKS_READ,
            Scope.WEBHOOKS_WRITE,
        ),
    ),
    DemoKey(
        "accounts",
        "kartenkontor",
        "Demonstration accounts",
        (Scope.SETTLEMENT_READ, Scope.SETTLEMENT_WRITE),
    ),
    DemoKey("organiser", "forum-baltica", "Demonstration organiser", (Scope.STOCK_WRITE,)),
    DemoKey("monitor", OPERATOR, "Demonstration monitoring", (Scope.METRICS_READ,)),
)


async def add_logins(session: AsyncSession) -> None:
    """Add the people of LOGINS, where an earlier version has not."""
    known = set(await session.scalars(sa.select(Person.email)))
    for login in LOGINS:
        if login.email in known:
            continue
        new = people.NewPerson(
            email=login.email,
            name=login.name,
            roles=frozenset({login.role}),
            participant=login.participant,
            firm=login.firm,
            member=login.member,
        )
        await people.add_person(session, ACTOR, new, password=login.password)


async def make_keys(session: AsyncSession) -> dict[str, str]:
    """Make the API keys, in clear by name."""
    return {
        each.name: (
            await keys.create_key(
                session, ACTOR, member=each.member, label=each.label, scopes=each.scopes
            )
        ).key
        for each in KEYS
    }


def _state_file(settings: Settings) -> Path:
    return settings.var_dir / "demo.json"


def load_state(settings: Settings) -> DemoState | None:
    """The remembered state; None where there is none, or it lacks what came since."""
    try:
        found = msgspec.json.decode(_state_file(settings).read_bytes(), type=DemoState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if {each.name for each in KEYS} <= set(found.keys) else None


def save_state(settings: Settings, state: DemoState) -> None:
    """Remember the state, readable by this user only."""
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    _write_private(_state_file(settings), msgspec.json.encode(state))


def write_shell_file(settings: Settings, state: DemoState, address: str) -> Path:
    """Write `demo.env`, shell variables for trying the API by hand; returns its path."""
    variables = {
        "ADDRESS": address,
        "KEY": state.keys["shop"],
        "SUPPLIER_KEY": state.keys["supplier"],
        "ACCOUNTS_KEY": state.keys["accounts"],
        "MONITOR_KEY": state.keys["monitor"],
        "WALLET": state.wallet_id,
        "OFFER": state.offer_id,
        "DOOR": address + state.door,
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
    path = settings.var_dir / "demo.env"
    _write_private(path, "".join(lines).encode())
    return path


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)

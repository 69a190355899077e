"""What the registry's services and routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from marketplace.exchange.domain import Cause
from marketplace.registry.domain import Activation, State
from marketplace.registry.forms import FormField

Value = str | int | bool | None
Words = Annotated[str, msgspec.Meta(max_length=500)]
Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """One set of settings as it stands; secrets are never shown."""

    fields: tuple[FormField, ...]
    """What is asked for; empty where the plugin asks for nothing."""
    values: dict[str, Value]
    """What was given, secrets excepted; a field that was not has its default."""
    secrets_given: tuple[str, ...]
    """Names of the secrets that are stored."""
    missing: tuple[str, ...]
    """Words about what is missing or does not fit; empty where it is complete."""
    changed_at: datetime | None


class ClosureView(msgspec.Struct, frozen=True, kw_only=True):
    """Why offers of the plugin cannot be burnt on."""

    cause: Cause
    reason: str
    """In English; pages say it in the reader's language by `cause`."""
    words: str
    member: str | None
    """Slug of the acceptor whose offers are closed; null: everybody's."""
    closed_at: datetime
    actor: str


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin is to one member."""

    member: str
    enabled: bool
    sandbox: bool
    settings: SettingsView
    sandbox_settings: SettingsView
    """For trial orders."""
    offers_on_sale: int
    offers_closed: int
    """Of these."""


class PluginView(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin in the list."""

    slug: str
    state: State
    reason: str | None
    """Why it is not active."""
    distribution: str | None
    version: str | None
    """As it is installed now."""
    supplies: bool
    """Whether it has a supplier, so that offers may name it."""
    tries: bool
    """Whether it takes trial orders."""
    enabled_for: tuple[str, ...]
    """Slugs of members; of a partner its own only."""


class PluginDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one plugin."""

    plugin: PluginView
    digest: str | None
    activation: Activation | None
    settings: SettingsView | None
    """The house's; null for a partner."""
    closures: tuple[ClosureView, ...]
    members: tuple[MemberView, ...]
    """Members that have to do with it; for a partner its own alone, always."""
    installed: dict[str, Any] | None
    """Source and hashes of its installation, where this program installed it."""


class PluginList(msgspec.Struct, frozen=True):
    """Every plugin, by slug."""

    items: list[PluginView]


class ActivateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/plugins/{slug}/activate`: a report, or a reason to do without.

    Neither: the report that `marketplace plugins check` left on this machine.
    """

    report: dict[str, Any] | None = None
    """A signed report, as the check wrote it."""
    reason: Words | None = None


class SettingsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values by field; what is left out keeps its value, null goes back to the default."""

    values: dict[str, Value]


class EnableBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `.../enable`. `force` enables although the test failed, and needs a `reason`."""

    force: bool = False
    reason: Words = ""


class DisableBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `.../disable`; people see the reason."""

    reason: Words = ""


class SandboxBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT .../sandbox`."""

    on: bool


class TryOutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `.../test`."""

    sandbox: bool = False
    """Try the settings for trial orders."""


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """What the plugin said of its settings."""

    ok: bool
    message: str


class TryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `.../try`: a trial order."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class TriedArtefact(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial order delivered."""

    kind: str
    label: str
    secret: str
    expires_at: datetime | None


class TryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial order; nothing of it is kept."""

    reference: str
    outcome: str
    """`fulfilled`, `pending`, `rejected`, `retry` or `unknown`."""
    reason: str
    """Why, where it was not fulfilled."""
    supplier_reference: str
    faults: tuple[str, ...]
    """What was wrong with the answer."""
    artefacts: tuple[TriedArtefact, ...]

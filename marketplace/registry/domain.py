"""What a plugin may be, and what decides it. Pure: no I/O."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How far a plugin has come. Only an active one gets orders."""

    HOUSE = "house"
    """A room of the marketplace itself: always active, for everybody."""
    ACTIVE = "active"
    NOT_ACTIVE = "not_active"
    """Installed, not activated."""
    CHANGED = "changed"
    """Its files are not those that were activated: another version, or an edit."""
    DISABLED = "disabled"
    """It does not start."""
    STOPPED = "stopped"
    """The operator has stopped it for everybody."""
    MISSING = "missing"
    """Activated, and not installed any more."""


class Installed(msgspec.Struct, frozen=True):
    """A plugin as its files are now."""

    slug: str
    distribution: str
    version: str
    digest: str


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator let deliver, and on what grounds."""

    distribution: str
    version: str
    digest: str
    certified: bool
    """By a signed report; else by the operator's word, for `reason`."""
    reason: str | None
    actor: str
    activated_at: datetime


def state_of(
    installed: Installed | None,
    activation: Activation | None,
    *,
    disabled: bool = False,
    stopped: bool = False,
) -> State:
    """The state of a plugin that is no room of the house."""
    if installed is None:
        return State.MISSING
    if disabled:
        return State.DISABLED
    if activation is None:
        return State.NOT_ACTIVE
    if activation.digest != installed.digest:
        return State.CHANGED
    return State.STOPPED if stopped else State.ACTIVE


def why_not_active(installed: Installed | None, activation: Activation | None) -> str | None:
    """Why nothing may be sent to a plugin, in words; None where it is as it was activated."""
    if installed is None:
        return "It is not installed."
    if activation is None:
        return f"Version {installed.version} has not been activated."
    if activation.digest == installed.digest:
        return None
    if activation.version != installed.version:
        return f"Version {activation.version} is activated, and {installed.version} is installed."
    return f"The files of version {installed.version} are not those that were activated."

"""The members whose pretix is asked, and one of them at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from uuid import UUID

from marketplace import api
from marketplace_pretix import repository
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)


def members(host: api.Host) -> list[UUID]:
    """Members with offers here, or with orders that may be at their pretix."""
    with host.transaction() as session:
        found = {each.member_id for each in host.offers(session)} | repository.members(session)
    return sorted(found)


def settings_of(host: api.Host, member_id: UUID) -> PretixSettings | None:
    """What a member has said; None where it is not set up, or not enabled."""
    try:
        found: PretixSettings | None = host.member_settings(member_id)
    except api.NotConfigured:
        return None
    return found


def required_settings(host: api.Host, member_id: UUID) -> PretixSettings:
    """What a member has said. NotConfigured."""
    settings = settings_of(host, member_id)
    if settings is None:
        raise api.NotConfigured("This member has not enabled pretix.")
    return settings


def client_of(host: api.Host, member_id: UUID) -> Pretix:
    """The client of a member's pretix. NotConfigured."""
    return Pretix(host.outbound, required_settings(host, member_id))


def enabled(host: api.Host) -> Iterator[tuple[UUID, PretixSettings]]:
    """The members that can be asked, with their settings."""
    for member_id in members(host):
        settings = settings_of(host, member_id)
        if settings is not None:
            yield member_id, settings


def guarded(what: str, member_id: UUID, work: Callable[[], None]) -> None:
    """Do work at one server; what fails there is logged, and harms no other member."""
    try:
        work()
    except (api.AddressRefused, api.Unreachable, api.Unanswered) as error:
        log.warning("%s of member %s: %s", what, member_id, error.detail)
    except Refused as error:
        log.warning("%s of member %s: %s", what, member_id, error)
    except Exception:
        # A fault of ours, or a burn that somebody keeps locked: the next run comes to it again.
        log.exception("%s of member %s", what, member_id)

"""HTTP for phones with a pass in Apple Wallet; the addresses below /v1 are Apple's."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Final

import msgspec
from litestar import Response, delete, get, post
from litestar.params import Body, FromPath, HeaderParameter, QueryParameter

from marketplace.api import Host, InvalidRequest, Routes, access
from marketplace_conference.tickets.routes import TAGS
from marketplace_conference.wallets import apple, registering

log = logging.getLogger(__name__)

PHONES: Final = access(public=True)
"""Whoever has the token of a pass; the handler looks at it."""
DEVICE: Final = "/wallet/v1/devices/{device:str}/registrations/{pass_type:str}"
LATEST: Final = "/wallet/v1/passes/{pass_type:str}/{serial:str}"
LONGEST_NAME: Final = 200
MOST_LINES, LONGEST_LINE = 5, 300

Token = Annotated[str, HeaderParameter(name="Authorization", max_length=300)]


class Registration(msgspec.Struct, frozen=True, rename="camel"):
    """Where a phone is told that a pass has changed."""

    push_token: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{8,200}$")]


class Updated(msgspec.Struct, frozen=True, rename="camel"):
    """Passes that changed, and the tag to ask with next time."""

    serial_numbers: list[str]
    last_updated: str


class Complaints(msgspec.Struct, frozen=True):
    """What a phone did not like about our answers."""

    logs: list[str] = []


def make_routes(host: Host) -> Routes:
    """The handlers over a host; not found where passes are not updated."""
    return [*_registrations(host), *_passes(host)]


def _registrations(host: Host) -> Routes:
    @post(
        DEVICE + "/{serial:str}",
        opt=PHONES,
        sync_to_thread=True,
        summary="Tell this phone when the pass changes",
        tags=TAGS,
    )
    def register(
        device: FromPath[str],
        pass_type: FromPath[str],
        serial: FromPath[str],
        data: Annotated[Registration, Body()],
        token: Token = "",
    ) -> Response[None]:
        """201 where it is new, 200 where it was known; the token is that in the pass."""
        registering.set_up(host, pass_type)
        news = registering.register(host, _named(device), _named(serial), token, data.push_token)
        return Response(None, status_code=201 if news else 200)

    @delete(
        DEVICE + "/{serial:str}",
        opt=PHONES,
        status_code=200,
        sync_to_thread=True,
        summary="Tell this phone no more about the pass",
        tags=TAGS,
    )
    def unregister(
        device: FromPath[str],
        pass_type: FromPath[str],
        serial: FromPath[str],
        token: Token = "",
    ) -> None:
        """Again changes nothing."""
        registering.set_up(host, pass_type)
        registering.unregister(host, _named(device), _named(serial), token)

    @get(DEVICE, opt=PHONES, sync_to_thread=True, summary="Passes that changed", tags=TAGS)
    def list_updated(
        device: FromPath[str],
        pass_type: FromPath[str],
        since: Annotated[str, QueryParameter(name="passesUpdatedSince", max_length=40)] = "",
    ) -> Response[Updated | None]:
        """Of a phone, since a tag of ours; 204 where none has. Who asks has to know the phone."""
        registering.set_up(host, pass_type)
        serials, tag = registering.updated(host, _named(device), since)
        if not serials:
            return Response(None, status_code=204)
        return Response(Updated(serial_numbers=list(serials), last_updated=tag))

    return [register, unregister, list_updated]


def _passes(host: Host) -> Routes:
    @get(
        LATEST,
        opt=PHONES,
        sync_to_thread=True,
        summary="The latest pass",
        tags=TAGS,
        media_type=apple.MEDIA_TYPE,
    )
    def read_pass(
        pass_type: FromPath[str],
        serial: FromPath[str],
        token: Token = "",
        since: Annotated[str, HeaderParameter(name="If-Modified-Since", max_length=60)] = "",
    ) -> Response[bytes]:
        """304 where it has not changed since; a pass of a cancelled ticket says so."""
        settings = registering.set_up(host, pass_type)
        found = registering.latest(host, _named(serial), token, settings, _moment(since))
        if found is None:
            return Response(b"", status_code=304, media_type=apple.MEDIA_TYPE)
        modified = format_datetime(found.changed_at.astimezone(UTC), usegmt=True)
        headers = {"Last-Modified": modified, "Cache-Control": "private, no-store"}
        return Response(found.file, media_type=apple.MEDIA_TYPE, headers=headers)

    @post(
        "/wallet/v1/log",
        opt=PHONES,
        status_code=200,
        sync_to_thread=True,
        summary="What phones complain about",
        tags=TAGS,
    )
    def complain(data: Annotated[Complaints, Body()]) -> None:
        """A few lines are written to our own log, with nothing in them that ends a line."""
        if apple.is_updating(host.settings()):
            for each in data.logs[:MOST_LINES]:
                log.info("Apple Wallet: %s", ascii(each[:LONGEST_LINE]))

    return [read_pass, complain]


def _named(text: str) -> str:
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        raise InvalidRequest(f"A name has {LONGEST_NAME} characters at most.")
    return text


def _moment(text: str) -> datetime | None:
    """What a header says; None where it is no time."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

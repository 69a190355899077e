"""The door on a phone, at /conference/door; in the console, where its keys are handed out."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import (
    Console,
    Host,
    Html,
    Page,
    Principal,
    Role,
    Routes,
    access,
    lazy,
    qr_code,
)
from marketplace_conference import statics
from marketplace_conference.door import devices, repository
from marketplace_conference.door.schemas import DeviceMade, NewDevice
from marketplace_conference.organising.pages import HOME
from marketplace_conference.organising.reading import own_event

WORKER: Final = (statics.FOLDER / "worker.js").read_bytes()
CAMERA: Final = {
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"
}
PUBLIC: Final = access(public=True, page=True)
ORGANISERS: Final = access(roles=[Role.PARTNER, Role.OPERATOR], page=True)
DOORS: Final = "/partner/events/{slug:str}/doors"
MOST_SHOWN: Final = 50

AnyRequest = Request[Any, Any, Any]


class DeviceForm(msgspec.Struct):
    """What the form for a new device sends."""

    name: str = ""


def make_pages(host: Host) -> Routes:
    """The pages over a host."""
    return [show_door, worker, *_of_organisers(host)]


@get("/door", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
def show_door(page: NamedDependency[Page]) -> Html:
    """The same page for everybody: what it knows comes with the key of the device."""
    return page.render("conference/door.html", headers=CAMERA, files=statics.AT)


@get("/door/worker.js", opt=access(public=True), include_in_schema=False, sync_to_thread=False)
def worker() -> Response[bytes]:
    """What keeps the page of the door on the device, for the door alone."""
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/conference/door"}
    return Response(WORKER, media_type="text/javascript", headers=headers)


def _of_organisers(host: Host) -> Routes:
    @get(DOORS, opt=ORGANISERS, include_in_schema=False, sync_to_thread=True)
    def show_doors(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
    ) -> Html:
        """Devices, how many have come, who was scanned twice or let in outside of the hours."""
        return _doors_page(host, page, console, slug)

    @post(DOORS, opt=ORGANISERS, include_in_schema=False, status_code=200, sync_to_thread=True)
    def add_door(
        slug: FromPath[str],
        data: URLEncodedBody[DeviceForm],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """A new device: its link is shown on this one page."""
        _require_own(host, console, slug)
        name = data.name.strip()
        if not 0 < len(name) <= devices.LONGEST_NAME or not name.isprintable():
            wrong = page._(lazy("Give the device a name, of 80 characters at most."))
            return _doors_page(host, page, console, slug, wrong=wrong)
        made = devices.add(host, principal, slug, NewDevice(name=name))
        link = _link(request, made)
        return _doors_page(host, page, console, slug, made=made, link=link)

    @post(
        f"{DOORS}/{{device_id:uuid}}/renew",
        opt=ORGANISERS,
        include_in_schema=False,
        status_code=200,
        sync_to_thread=True,
    )
    def renew_door(
        slug: FromPath[str],
        device_id: FromPath[UUID],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        request: AnyRequest,
    ) -> Html:
        """A new link for the same device; the old one admits nobody from now on."""
        _require_own(host, console, slug)
        made = devices.renew(host, principal, slug, device_id)
        link = _link(request, made)
        return _doors_page(host, page, console, slug, made=made, link=link)

    @post(
        f"{DOORS}/{{device_id:uuid}}/withdraw",
        opt=ORGANISERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def withdraw_door(
        slug: FromPath[str],
        device_id: FromPath[UUID],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Its key admits nobody from now on."""
        _require_own(host, console, slug)
        devices.revoke(host, principal, slug, device_id)
        path = console.path(f"{HOME}/events/{slug}/doors")
        return page.redirect(path, notice=lazy("The key was withdrawn."))

    return [show_doors, add_door, renew_door, withdraw_door]


def _link(request: AnyRequest, made: DeviceMade) -> str:
    return f"{str(request.base_url).rstrip('/')}{devices.page_of(made)}"


def _require_own(host: Host, console: Console, slug: str) -> None:
    """An operator looks after one member at a time, too."""
    with host.transaction() as session:
        own_event(session, console.member_id, slug)


def _doors_page(
    host: Host,
    page: Page,
    console: Console,
    slug: str,
    *,
    made: DeviceMade | None = None,
    link: str = "",
    wrong: str | None = None,
) -> Html:
    with host.transaction() as session:
        event = own_event(session, console.member_id, slug)
        found = devices.devices(session, event)
        counts = devices.counts_of(host, session, event.id)
        doubles = repository.doubles(session, event.id, MOST_SHOWN)
        anyway = repository.let_in_anyway(session, event.id, MOST_SHOWN)
    # Made by us: a path of squares, not the text itself.
    drawing = qr_code(link) if link else None
    return page.render(
        "conference/doors.html",
        status_code=200 if wrong is None else 422,
        headers={"Cache-Control": "no-store"},
        event=event,
        devices=found,
        counts=counts.sessions,
        doubles=doubles,
        anyway=anyway,
        made=made,
        link=link,
        drawing=drawing,
        wrong=wrong,
        zone=ZoneInfo(event.time_zone),
        files=statics.AT,
    )

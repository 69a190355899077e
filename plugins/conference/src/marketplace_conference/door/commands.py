"""Command line: marketplace conference doors | door-add | door-renew | door-withdraw."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import click

from marketplace.api import Host, InvalidRequest, Principal
from marketplace_conference.door import devices
from marketplace_conference.door.schemas import DeviceMade, DeviceView, NewDevice


def make_commands(host: Host, actor: Callable[[], str]) -> list[click.Command]:
    """The commands over a host; `actor` says who runs them."""

    def operator() -> Principal:
        """Whoever has the command line runs every event."""
        nobody = uuid4()
        return Principal(credential_id=nobody, caller_id=nobody, actor=actor(), is_operator=True)

    def listed(event: str) -> list[DeviceView]:
        with host.transaction() as session:
            return devices.devices(session, devices.own_event(session, operator(), event))

    def in_use(event: str, device: str) -> UUID:
        """The device of this name or id; where two have the name, the id is asked for."""
        open_still = [each for each in listed(event) if each.revoked_at is None]
        found = [each.id for each in open_still if device in (each.name, str(each.id))]
        if len(found) != 1:
            known = ", ".join(f"{each.name} ({each.id})" for each in open_still) or "none"
            raise InvalidRequest(f"{len(found)} devices are called {device!r}; in use: {known}.")
        return found[0]

    @click.command("doors")
    @click.argument("event")
    def show(event: str) -> None:
        """List the devices at the doors of EVENT."""
        for each in listed(event):
            last = "nothing scanned yet"
            if each.revoked_at is not None:
                last = f"withdrawn {each.revoked_at:%Y-%m-%d %H:%M} UTC"
            elif each.last_scan_at is not None:
                last = f"last scan came in {each.last_scan_at:%Y-%m-%d %H:%M} UTC"
            click.echo(f"{each.id}  {each.name}  {last}")

    @click.command("door-add")
    @click.argument("event")
    @click.argument("name")
    def add(event: str, name: str) -> None:
        """Add a device to the doors of EVENT; prints what it opens, this once."""
        if not 0 < len(name) <= devices.LONGEST_NAME or not name.isprintable():
            raise InvalidRequest(f"A name has {devices.LONGEST_NAME} characters at most.")
        _tell(devices.add(host, operator(), event, NewDevice(name=name)))

    @click.command("door-renew")
    @click.argument("event")
    @click.argument("device")
    def renew(event: str, device: str) -> None:
        """Give DEVICE (name or id) of EVENT another key; the one it had is refused at once."""
        _tell(devices.renew(host, operator(), event, in_use(event, device)))

    @click.command("door-withdraw")
    @click.argument("event")
    @click.argument("device")
    def withdraw(event: str, device: str) -> None:
        """Withdraw the key of DEVICE (name or id) of EVENT; what it scanned stays."""
        devices.revoke(host, operator(), event, in_use(event, device))
        click.echo(f"{device}: withdrawn")

    return [show, add, renew, withdraw]


def _tell(made: DeviceMade) -> None:
    click.echo(f"{made.name}: {devices.page_of(made)}")

"""What a member says about its pretix server."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from marketplace import api

WebhookKey: TypeAlias = Annotated[
    str, api.SECRET, msgspec.Meta(pattern="^[A-Za-z0-9_-]{20,100}$", max_length=100)
]


class PretixSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a member's pretix is, and what lets us in."""

    url: Annotated[
        str,
        msgspec.Meta(
            title="Address",
            description="Of your pretix server, without the organizer: with a path where it has "
            "one, and as it is in the end, for redirects are not followed.",
            examples=["https://tickets.partner.example", "https://partner.example/tickets"],
            pattern="^https?://",
            max_length=1000,
        ),
    ]
    organizer: Annotated[
        str,
        msgspec.Meta(
            title="Organizer",
            description="Its short form, as in the address of your shop.",
            examples=["meridian"],
            pattern="^[a-zA-Z0-9.-]{1,50}$",
        ),
    ]
    token: Annotated[
        str,
        api.SECRET,
        msgspec.Meta(
            title="API token",
            description="Of a team that may view and change orders of the events, and no more.",
            pattern="^[a-z0-9]{20,200}$",
        ),
    ]
    webhook_key: Annotated[
        WebhookKey | None,
        msgspec.Meta(
            title="Webhook key",
            description="A word of your own choice, the last part of the address that pretix "
            "tells of changes; `marketplace pretix webhook` prints it whole.",
        ),
    ] = None
    hand_out: Annotated[
        Literal["code", "page"],
        msgspec.Meta(
            title="Handed out",
            description="What a participant gets: the code that is scanned at the door, or the "
            "address of the order's page, with tickets to download.",
        ),
    ] = "code"
    give_back_after_h: Annotated[
        int,
        msgspec.Meta(
            title="Hours until points are given back",
            description="After you cancelled an order at pretix. Until then you may make it valid "
            "again; afterwards it is cancelled anew.",
            ge=0,
            le=120,
        ),
    ] = 24

    sales_channel: Annotated[
        str,
        msgspec.Meta(
            title="Sales channel",
            description="Of your pretix, for orders from here; what is not sold on it is not "
            "sold here.",
            pattern="^[a-zA-Z0-9.-]{1,50}$",
        ),
    ] = "web"

    @property
    def address(self) -> str:
        """Of the server, however it was typed."""
        return self.url.rstrip("/").removesuffix("/api/v1").rstrip("/")

    @property
    def place(self) -> str:
        """Where orders go: server and organizer."""
        return f"{self.address}/{self.organizer}"

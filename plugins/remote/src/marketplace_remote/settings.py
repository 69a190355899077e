"""What a member says about its own service."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from marketplace import api

Key: TypeAlias = Annotated[
    str,
    api.SECRET,
    msgspec.Meta(pattern=r"^whsec_[A-Za-z0-9+/]{32,86}={0,2}$", max_length=100),
]


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a partner's service is, and the keys that messages are signed with."""

    url: Annotated[
        str,
        msgspec.Meta(
            title="Address",
            description="Of your service; /orders, /orders/lookup and /health are below it.",
            examples=["https://rewards.partner.example/v1"],
            pattern="^https?://",
            max_length=2000,
        ),
    ]
    our_key: Annotated[
        Key, msgspec.Meta(title="Our key", description="Signs what we send: whsec_ and base64.")
    ]
    your_key: Annotated[
        Key, msgspec.Meta(title="Your key", description="Signs what you send: whsec_ and base64.")
    ]
    our_next_key: Annotated[
        Key | None,
        msgspec.Meta(title="Our next key", description="Signs too, while keys are changed."),
    ] = None
    your_next_key: Annotated[
        Key | None,
        msgspec.Meta(title="Your next key", description="Is taken too, while keys are changed."),
    ] = None

    @property
    def our_keys(self) -> list[str]:
        """Keys that sign what we send."""
        return [key for key in (self.our_key, self.our_next_key) if key]

    @property
    def your_keys(self) -> list[str]:
        """Keys one of which has signed what the partner sends."""
        return [key for key in (self.your_key, self.your_next_key) if key]

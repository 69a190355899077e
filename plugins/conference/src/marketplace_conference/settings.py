"""What the operator gives the conference: keys for the wallets of phones."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from marketplace.api import SECRET

LONGEST_PEM = 10_000
Pem: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_PEM)]
Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]


class ConferenceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet without all of its keys shows no button. PEM may have `\\n` for its lines."""

    apple_pass_type: Name | None = None
    """Apple: identifier of the pass type, like pass.example.tickets."""
    apple_team: Name | None = None
    """Apple: identifier of the team."""
    apple_certificate: Pem | None = None
    """Apple: the certificate of the pass type, as PEM."""
    apple_key: Annotated[Pem, SECRET] | None = None
    """Apple: its private key, as PEM without a password."""
    apple_intermediate: Pem | None = None
    """Apple: the intermediate certificate (WWDR) that signed it, as PEM."""
    apple_updates: (
        Annotated[str, msgspec.Meta(max_length=200, pattern="^https://[^ ]+$")] | None
    ) = None
    """Apple: where phones reach this marketplace, like https://rewards.example; with it, passes are
    updated."""
    google_issuer: Name | None = None
    """Google: number of the issuer."""
    google_account: Name | None = None
    """Google: e-mail address of the service account."""
    google_key: Annotated[Pem, SECRET] | None = None
    """Google: private key of the service account, as PEM."""


def pem(text: str) -> bytes:
    """As typed into one line or several."""
    return text.replace("\\n", "\n").encode()

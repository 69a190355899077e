"""The house's Ed25519 keys: what it signs can be checked by whoever has the public key.

One key per purpose, derived from the oldest of MARKETPLACE_SECRET_KEYS, so it needs no place of its
own and all processes of a house share it.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from marketplace.secrets import secret_keys
from marketplace.settings import Settings

ALGORITHM: Final = "Ed25519"


class HouseKey:
    """Signs for one purpose. The same message always gets the same signature."""

    def __init__(self, secret_key: str, purpose: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
        self._key = Ed25519PrivateKey.from_private_bytes(derived.derive(secret_key.encode()))

    @property
    def public_text(self) -> str:
        """Base64 of the 32 bytes of the public key."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, message: bytes) -> str:
        """Base64 of the 64 bytes of the signature."""
        return base64.b64encode(self._key.sign(message)).decode()


def house_keys(settings: Settings, purpose: bytes) -> list[HouseKey]:
    """Keys of this house for a purpose, one per secret key; the last one signs."""
    return [HouseKey(each, purpose) for each in secret_keys(settings)]


def signing_key(settings: Settings, purpose: bytes) -> HouseKey:
    """The key that signs: by the oldest secret, so it stays when one is added in front."""
    return house_keys(settings, purpose)[-1]

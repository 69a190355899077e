"""Encryption at rest under keys that rotate, newest first.

A token is ASCII: `m1.` and, in base64, the number of the key (4 bytes), a salt (16), a nonce
(12) and what AES-256-GCM makes of the text, under a key derived for this salt. Tokens made before
are Fernet's and are read for ever. Why: docs/decisions/0058-tokens-that-are-quick.md.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from marketplace.errors import SecretUnreadable, UsageError
from marketplace.settings import Settings

MARK: Final = b"m1."
"""Begins each token; those of Fernet begin with gAAAA."""
NUMBER_BYTES: Final = 4
SALT_BYTES: Final = 16
HEAD_BYTES: Final = NUMBER_BYTES + SALT_BYTES
NONCE_BYTES: Final = 12
SALT_LASTS: Final = 1 << 20
"""Tokens under one salt: far below the 2^32 that random nonces of 96 bits allow a key."""
SALTS_KEPT: Final = 1_024
"""Derived keys that are kept for reading; deriving one takes some microseconds."""


class _Key:
    """One of the configured keys: makes those that encrypt, each from a salt."""

    def __init__(self, text: str) -> None:
        self.fernet = Fernet(text)
        # HKDF-SHA-256 (RFC 5869): extracted once, expanded for each purpose and salt.
        material = base64.urlsafe_b64decode(text)
        self._extracted = hmac.digest(b"marketplace vault", material, "sha256")
        self.number = self._expand(b"number")[:NUMBER_BYTES]
        self.cipher = lru_cache(SALTS_KEPT)(self._cipher)

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(self._expand(b"aes-256-gcm" + salt))

    def _expand(self, purpose: bytes) -> bytes:
        return hmac.digest(self._extracted, purpose + b"\x01", "sha256")


class Vault:
    """Encrypts and decrypts short secrets (codes, tickets, plugin settings)."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._keys = [_Key(key) for key in keys]
        except ValueError:
            raise UsageError(
                "MARKETPLACE_SECRET_KEYS holds no Fernet key; `marketplace keys secret` makes one."
            ) from None
        self._older = MultiFernet([key.fernet for key in self._keys])
        # Keyed by the oldest key: fingerprints must not change when a key is added in front.
        self._pepper = keys[-1].encode()
        self._head, self._left = b"", 0

    def fingerprint(self, text: str) -> bytes:
        """A keyed digest (HMAC-SHA-256): equal for equal text, useless without the key."""
        return hmac.digest(self._pepper, text.encode(), "sha256")

    def encrypt(self, text: str) -> bytes:
        """Encrypt with the newest key."""
        head, nonce = self._take_head(), os.urandom(NONCE_BYTES)
        cipher = self._keys[0].cipher(head[NUMBER_BYTES:])
        sealed = cipher.encrypt(nonce, text.encode(), MARK + head)
        return MARK + binascii.b2a_base64(head + nonce + sealed, newline=False)

    def _take_head(self) -> bytes:
        """Number and salt. Threads or forks that share them do no harm: nonces are random."""
        if self._left <= 0:
            self._head, self._left = self._keys[0].number + os.urandom(SALT_BYTES), SALT_LASTS
        self._left -= 1
        return self._head

    def decrypt(self, token: bytes) -> str:
        """Decrypt with whichever key fits; SecretUnreadable where none does."""
        try:
            if token.startswith(MARK):
                return self._opened(token).decode()
            return self._older.decrypt(token).decode()
        except (InvalidToken, InvalidTag, binascii.Error):
            raise SecretUnreadable(
                "A secret fits none of MARKETPLACE_SECRET_KEYS; restore the key that made it."
            ) from None

    def _opened(self, token: bytes) -> bytes:
        body = binascii.a2b_base64(token[len(MARK) :], strict_mode=True)
        head, nonce = body[:HEAD_BYTES], body[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
        if len(nonce) < NONCE_BYTES:
            raise InvalidTag
        for key in self._keys:
            # Two keys may have the same number: the tag decides.
            if head.startswith(key.number):
                with suppress(InvalidTag):
                    cipher = key.cipher(head[NUMBER_BYTES:])
                    return cipher.decrypt(nonce, body[HEAD_BYTES + NONCE_BYTES :], MARK + head)
        raise InvalidTag


def open_vault(settings: Settings) -> Vault:
    """The vault of these settings."""
    return Vault(secret_keys(settings))


def secret_keys(settings: Settings) -> list[str]:
    """Fernet keys, newest first; in embedded mode one is generated once in var_dir."""
    if settings.secret_keys:
        return [key.strip() for key in settings.secret_keys.split(",") if key.strip()]
    if settings.database_url:
        raise UsageError("Set MARKETPLACE_SECRET_KEYS, which encrypts codes. See docs/settings.md.")
    return _generated_keys(settings.var_dir.resolve())


@lru_cache(maxsize=8)
def _generated_keys(var_dir: Path) -> list[str]:
    path = var_dir / "secret_keys"
    var_dir.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(Fernet.generate_key().decode())
    with suppress(FileExistsError):  # whoever links first makes the key
        os.link(draft, path)
    draft.unlink()
    return path.read_text().split()

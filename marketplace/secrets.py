"""Encryption at rest: MultiFernet with rotating keys, newest first."""

from __future__ import annotations

import hmac
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from marketplace.errors import SecretUnreadable, UsageError
from marketplace.settings import Settings


class Vault:
    """Encrypts and decrypts short secrets (codes, tickets, plugin settings)."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise UsageError(
                "MARKETPLACE_SECRET_KEYS holds no Fernet key; `marketplace keys secret` makes one."
            ) from None

        # Keyed by the oldest key: fingerprints must not change when a key is added in front.
        self._pepper = keys[-1].encode()

    def fingerprint(self, text: str) -> bytes:
        """A keyed digest (HMAC-SHA-256): equal for equal text, useless without the key."""
        return hmac.digest(self._pepper, text.encode(), "sha256")

    def encrypt(self, text: str) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, token: bytes) -> str:
        """Decrypt with whichever key fits; SecretUnreadable where none does."""
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise SecretUnreadable(
                "A secret fits none of MARKETPLACE_SECRET_KEYS; restore the key that made it."
            ) from None


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

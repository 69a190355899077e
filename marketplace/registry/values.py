"""Settings between a Struct and the table: secrets are encrypted on the way in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from marketplace.errors import NotConfigured
from marketplace.registry import forms
from marketplace.registry.errors import InvalidSettings
from marketplace.secrets import Vault


def pack(settings: msgspec.Struct, vault: Vault) -> tuple[dict[str, Any], dict[str, str]]:
    """(plain values, encrypted secrets) by field; secrets that are None are left out."""
    values: dict[str, Any] = msgspec.to_builtins(settings)
    secret = {each.name for each in forms.fields(type(settings)) if each.secret}
    plain = {name: value for name, value in values.items() if name not in secret}
    secrets = {
        name: vault.encrypt(values[name]).decode() for name in secret if values[name] is not None
    }
    return plain, secrets


def unpack(plain: Mapping[str, Any], secrets: Mapping[str, str], vault: Vault) -> dict[str, Any]:
    """Values by field, secrets in clear."""
    return {**plain, **{name: vault.decrypt(text.encode()) for name, text in secrets.items()}}


def build(struct: type[msgspec.Struct], values: Mapping[str, Any], whose: str) -> msgspec.Struct:
    """The Struct of stored values; NotConfigured says what is missing or does not fit any more."""
    known = {each.name for each in forms.fields(struct)}
    # What an older version of the plugin asked for and this one does not is of no use.
    kept = {name: value for name, value in values.items() if name in known}
    try:
        return forms.read(struct, {}, kept=kept)
    except InvalidSettings as error:
        raise NotConfigured(f"{whose} must be set: {error.detail}") from None

"""Signed reports: what was checked, of exactly which files, with what result.

The signature is Ed25519 over the report's canonical JSON, by the house's key for reports.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from marketplace import api
from marketplace.certify.domain import Result, Target, Verdict, verdict
from marketplace.certify.target import digest
from marketplace.errors import UsageError
from marketplace.house_key import ALGORITHM, house_keys, signing_key
from marketplace.settings import Settings

FORMAT = 1
PURPOSE = b"marketplace plugin report"


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a check found."""

    format: int
    slug: str
    distribution: str
    version: str
    digest: str
    """SHA-256 of the plugin's files (`marketplace.certify.target.digest`), hexadecimal."""
    api_version: str
    """Of the house that checked."""
    verdict: Verdict
    results: tuple[Result, ...]
    checked_at: datetime


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who vouches for a report."""

    algorithm: str
    public_key: str
    """Base64 of the 32 bytes."""
    value: str
    """Base64 of the 64 bytes."""


class SignedReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report and its signature."""

    report: Report
    signature: Signature


def make_report(target: Target, results: list[Result], *, files_digest: str) -> Report:
    """The report of a check; `files_digest` was taken before it."""
    if digest(target) != files_digest:
        raise UsageError("The plugin's files changed while it was checked; check it again.")
    return Report(
        format=FORMAT,
        slug=target.slug,
        distribution=target.distribution,
        version=target.version,
        digest=files_digest,
        api_version=api.API_VERSION,
        verdict=verdict(results),
        results=tuple(results),
        checked_at=datetime.now(UTC).replace(microsecond=0),
    )


def _text(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()


def public_keys(settings: Settings) -> list[str]:
    """Public keys of this house, one per secret key; the last one signs."""
    return [each.public_text for each in house_keys(settings, PURPOSE)]


def sign(report: Report, settings: Settings) -> SignedReport:
    """The report with this house's signature."""
    key = signing_key(settings, PURPOSE)
    value = key.sign(_canonical(msgspec.to_builtins(report)))
    signature = Signature(algorithm=ALGORITHM, public_key=key.public_text, value=value)
    return SignedReport(report=report, signature=signature)


def _canonical(report: Any) -> bytes:
    return msgspec.json.encode(report, order="sorted")


def verify(content: bytes, trusted: list[str]) -> Report:
    """The report in `content`; UsageError where it was changed or a stranger signed it."""
    try:
        signed = msgspec.json.decode(content, type=SignedReport)
        plain = msgspec.json.decode(content)["report"]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"This is no report of a check: {error}") from None
    if signed.signature.algorithm != ALGORITHM or signed.report.format != FORMAT:
        raise UsageError("This report has a format that this version does not know.")
    try:
        key = Ed25519PublicKey.from_public_bytes(_bytes(signed.signature.public_key))
        key.verify(_bytes(signed.signature.value), _canonical(plain))
    except (InvalidSignature, ValueError):
        raise UsageError("The signature does not fit: the report was changed.") from None
    if _text(key) not in trusted:
        raise UsageError(
            f"The report is whole, and signed with a key that is not this house's: "
            f"{signed.signature.public_key}. Name it by --key if you trust who has it."
        )
    return signed.report


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

"""A pass on a phone follows its ticket: renamed, changed, moved, called off, given back."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import json
import ssl
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.tickets import cancelling
from marketplace_conference.wallets import updating
from marketplace_conference.wallets.tables import copy
from msgspec.structs import replace

from marketplace.addresses import parse_allowed
from marketplace.api import PluginSettings
from marketplace.host import PluginHost
from marketplace.outbound import Outbound
from marketplace.runtime import Runtime
from tests.conference.test_changes import second_day, switch
from tests.conference.test_phones import give, keys
from tests.conference.test_tickets import Sale, sale, worker
from tests.fakes.wallets import HANG_UP, ApplePush, GoogleWallet
from tests.fulfilment.conftest import counter
from tests.web.problems import problem

__all__ = ["counter", "sale", "second_day", "worker"]

SERVICE = "/v1/conference/wallet/v1"
TOKEN = "ab12" * 16


@dataclass
class Phones:
    """A sale, the two services outside, and how the background process tells them."""

    sale: Sale
    runtime: Runtime
    host: PluginHost
    apple: ApplePush
    google: GoogleWallet

    async def run(self) -> int:
        """As the background process does."""
        others = updating.Addresses(
            push=self.apple.address,
            token=f"{self.google.address}/token",
            objects=f"{self.google.address}/v1",
        )
        return await asyncio.to_thread(updating.run, self.host, others)

    async def soon(self) -> int:
        """The same, once what has to wait has waited."""
        async with self.runtime.database.begin() as session:
            await session.execute(sa.update(copy).values(due_at=datetime.now(UTC)))
        return await self.run()

    async def file(self, position: int = 1) -> dict[str, Any]:
        """The pass from the page of the tickets."""
        answer = await self.sale.client.get(
            f"/conference/tickets/{self.sale.burn_id}/{position}/ticket.pkpass",
            headers=self.sale.ann,
        )
        assert answer.status_code == 200, answer.text
        return opened(answer)

    async def save(self, position: int = 1) -> None:
        """Ann saves a ticket at Google."""
        path = f"/conference/tickets/{self.sale.burn_id}/{position}/google-wallet"
        answer = await self.sale.client.get(path, headers=self.sale.ann, follow_redirects=False)
        self.google.save(answer.headers["location"])

    async def register(
        self, of: dict[str, Any], device: str = "phone", token: str = TOKEN, **more: str
    ) -> httpx.Response:
        """A phone adds the pass."""
        return await self.sale.client.post(
            f"{SERVICE}/devices/{device}/registrations/pass.example/{of['serialNumber']}",
            json={"pushToken": token},
            headers=more or shown_by(of),
        )

    async def updated(self, device: str = "phone", since: str = "") -> dict[str, Any] | None:
        """What the phone is told has changed."""
        answer = await self.sale.client.get(
            f"{SERVICE}/devices/{device}/registrations/pass.example",
            params={"passesUpdatedSince": since} if since else {},
        )
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    async def latest(self, of: dict[str, Any], since: str = "") -> httpx.Response:
        """The pass as the phone gets it."""
        headers = shown_by(of) | ({"If-Modified-Since": since} if since else {})
        return await self.sale.client.get(
            f"{SERVICE}/passes/pass.example/{of['serialNumber']}", headers=headers
        )

    async def rename(self, name: str, position: int = 1) -> None:
        answer = await self.sale.client.put(
            self.sale.path(f"/{position}/attendee"), json={"name": name}, headers=self.sale.ann
        )
        assert answer.status_code == 204


def opened(answer: httpx.Response) -> dict[str, Any]:
    """What is in the file of a pass."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        told: dict[str, Any] = json.loads(archive.read("pass.json"))
    return told


def shown_by(of: dict[str, Any]) -> dict[str, str]:
    """The token in the pass."""
    return {"Authorization": f"ApplePass {of['authenticationToken']}"}


def name_on(of: dict[str, Any]) -> str:
    named: str = of["eventTicket"]["secondaryFields"][0]["value"]
    return named


def of_this_machine(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signed itself, with its key."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest_asyncio.fixture
async def phones(second_day: Sale, runtime: Runtime, tmp_path: Path) -> AsyncIterator[Phones]:
    """Both wallets are set up, with updates."""
    settings = await asyncio.to_thread(keys)
    settings = replace(settings, apple_updates="https://rewards.example/")
    await give(runtime, settings)
    own = await asyncio.to_thread(of_this_machine, tmp_path)
    believed = tmp_path / "passes.pem"
    believed.write_text(settings.apple_certificate or "")
    key = load_pem_private_key((settings.google_key or "").encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    trusting = ssl.create_default_context(cafile=str(own))
    host = PluginHost(
        "conference",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=lambda: PluginSettings(house=ConferenceSettings),
        outbound=lambda: Outbound(parse_allowed("127.0.0.1"), tls=trusting),
    )
    apple = ApplePush(own, believed)
    google = GoogleWallet(settings.google_account or "", key.public_key())
    yield Phones(second_day, runtime, host, apple, google)
    apple.close()
    google.close()


async def test_a_phone_is_told_of_each_change_and_gets_the_pass_as_it_is(phones: Phones) -> None:
    first = await phones.file()
    assert first["webServiceURL"] == "https://rewards.example/v1/conference/wallet"
    assert (await phones.register(first)).status_code == 201
    assert (await phones.register(first)).status_code == 200
    assert await phones.run() == 1  # the file that was added may be an old one
    assert await phones.run() == 0
    tag = (await phones.updated() or {})["lastUpdated"]
    assert await phones.updated(since=tag) is None
    before = await phones.latest(first)
    modified = before.headers["last-modified"]
    assert (await phones.latest(first, modified)).status_code == 304
    await phones.rename("Otto Alder")
    assert (await switch(phones.sale, 1)).status_code == 204
    assert await phones.run() == 1
    assert phones.apple.told == {TOKEN: 2}
    assert phones.apple.topics == {"pass.example"}
    told = await phones.updated(since=tag)
    assert told
    assert told["serialNumbers"] == [first["serialNumber"]]
    now = opened(await phones.latest(first, modified))
    (code,) = [each["code"] for each in await phones.sale.tickets() if each["position"] == 1]
    assert now["barcodes"][0]["message"] == code != first["barcodes"][0]["message"]
    assert name_on(now) == "Otto Alder"
    assert now["eventTicket"]["primaryFields"][0]["value"] == "Day 2"
    assert (now["serialNumber"], now["authenticationToken"], now["voided"]) == (
        first["serialNumber"],
        first["authenticationToken"],
        False,
    )


async def test_whatever_changes_a_ticket_reaches_its_passes(phones: Phones) -> None:
    sale = phones.sale
    passes = {position: await phones.file(position) for position in (1, 2, 3)}
    for position, each in passes.items():
        await phones.register(each, token=f"token{position}aa")
        await phones.save(position)
    assert await phones.run() == 3
    move = {
        "reason": "The roof leaks.",
        "refund_until": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
        "venue": "New Depot",
        "address": "1 Quay",
        "sessions": [],
    }
    path = f"/v1/conference/events/{sale.box.slug}"
    moved = await sale.client.post(f"{path}/move", json=move, headers=sale.shop)
    assert moved.status_code == 202, moved.text
    assert await phones.run() == 6
    assert phones.apple.connections == 2
    (kind,) = phones.google.classes.values()
    assert kind["venue"]["name"]["defaultValue"]["value"] == "New Depot"
    assert (await sale.give_up(2, 1_000)).status_code == 200
    assert await phones.run() == 2
    assert opened(await phones.latest(passes[2]))["voided"]
    assert [each["state"] for each in phones.google.objects.values()] == [
        "ACTIVE",
        "INACTIVE",
        "ACTIVE",
    ]
    off = {"reason": "The hall is flooded."}
    assert (
        await sale.client.post(f"{path}/call-off", json=off, headers=sale.shop)
    ).status_code == 202
    assert await phones.run() == 6
    await asyncio.to_thread(cancelling.pay_all, sale.host)
    # All points are back, so nobody may look at the reward; the phone still learns the truth.
    for each in passes.values():
        assert opened(await phones.latest(each))["voided"]
    assert {each["state"] for each in phones.google.objects.values()} == {"INACTIVE"}
    assert await sale.counter.verified()


async def test_what_fails_is_told_later_and_a_phone_that_is_gone_no_more(phones: Phones) -> None:
    for position in (1, 2, 3):
        pass_ = await phones.file(position)
        await phones.register(pass_, f"phone{position}", f"token{position}aa")
    phones.apple.trouble.extend([(HANG_UP, ""), (503, "ServiceUnavailable"), (429, "TooMany")])
    assert await phones.run() == 0
    assert await phones.run() == 0  # not before its time
    assert not phones.apple.told
    phones.apple.trouble.append((410, "Unregistered"))
    assert await phones.soon() == 2
    await phones.rename("Somebody Else")
    assert await phones.soon() == 0
    assert phones.apple.told == {"token2aa": 1, "token3aa": 1}
    phones.apple.trouble.extend([(HANG_UP, "")] * 5)
    await phones.rename("Yet Another", 2)
    assert await phones.soon() == 0
    assert [each["attendee"] for each in await phones.sale.tickets()][1] == "Yet Another"


async def test_google_has_trouble_and_is_told_in_the_end(phones: Phones) -> None:
    await phones.save()
    assert await phones.run() == 0
    assert phones.google.calls == 0
    await phones.rename("Otto Alder")
    phones.google.trouble.extend([HANG_UP])
    assert await phones.run() == 0
    phones.google.trouble.extend([200, 500])
    assert await phones.soon() == 0
    assert await phones.soon() == 1
    (saved,) = phones.google.objects.values()
    assert saved["ticketHolderName"] == "Otto Alder"
    assert (await switch(phones.sale, 1)).status_code == 204
    assert await phones.soon() == 1
    assert saved["classId"] in phones.google.classes
    assert len(phones.google.classes) == 2
    phones.google.keeps_class = True
    await phones.save(2)
    assert (await switch(phones.sale, 2)).status_code == 204
    assert await phones.soon() == 1
    states = [each["state"] for each in phones.google.objects.values()]
    assert states == ["ACTIVE", "EXPIRED"]


async def test_a_link_that_nobody_saved_is_not_asked_about_all_day(phones: Phones) -> None:
    path = f"/conference/tickets/{phones.sale.burn_id}/1/google-wallet"
    link = await phones.sale.client.get(path, headers=phones.sale.ann, follow_redirects=False)
    await phones.rename("Otto Alder")
    for _ in range(3):
        assert await phones.run() == 0
    calls = phones.google.calls
    assert calls > 0
    phones.google.save(link.headers["location"])  # from a tab that was still open
    assert await phones.run() == 0
    assert phones.google.calls == calls
    assert await phones.soon() == 1
    (saved,) = phones.google.objects.values()
    assert saved["ticketHolderName"] == "Otto Alder"


async def test_the_token_of_a_pass_opens_that_pass_only(phones: Phones) -> None:
    first, second = await phones.file(1), await phones.file(2)
    for wrong in ({"Authorization": "ApplePass nonsense"}, shown_by(second), {"Door-Key": "x"}):
        problem(await phones.register(first, **wrong), 401, "conference_pass_token_refused")
        answer = await phones.sale.client.get(
            f"{SERVICE}/passes/pass.example/{first['serialNumber']}", headers=wrong
        )
        problem(answer, 401, "conference_pass_token_refused")
    made_up = first | {"serialNumber": f"{phones.sale.burn_id}-9"}
    problem(await phones.register(made_up), 401, "conference_pass_token_refused")
    other = f"{SERVICE}/passes/pass.other/{first['serialNumber']}"
    problem(await phones.sale.client.get(other, headers=shown_by(first)), 404, "not_found")
    assert (await phones.register(first)).status_code == 201
    gone = f"{SERVICE}/devices/phone/registrations/pass.example/{first['serialNumber']}"
    refused = await phones.sale.client.delete(gone, headers=shown_by(second))
    problem(refused, 401, "conference_pass_token_refused")
    for _ in range(2):
        assert (await phones.sale.client.delete(gone, headers=shown_by(first))).status_code == 200
    assert await phones.updated() is None
    assert await phones.run() == 0
    for token in ("short", "no/path", "x" * 300):
        assert (await phones.register(first, token=token)).status_code == 400
    logged = await phones.sale.client.post(f"{SERVICE}/log", json={"logs": ["a\nb", "c" * 9_999]})
    assert logged.status_code == 200


async def test_the_phones_of_one_pass_are_limited(phones: Phones) -> None:
    pass_ = await phones.file()
    for number in range(22):
        assert (await phones.register(pass_, f"phone{number}")).status_code == 201
    assert await phones.updated("phone0") is None
    assert await phones.updated("phone21") is not None


@pytest.mark.parametrize("given", [ConferenceSettings(apple_team="TEAM"), None])
async def test_without_keys_nothing_is_attempted(
    second_day: Sale, runtime: Runtime, given: ConferenceSettings | None
) -> None:
    if given is not None:
        await give(runtime, given)
    host = PluginHost(
        "conference",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=lambda: PluginSettings(house=ConferenceSettings),
    )
    assert await asyncio.to_thread(updating.run, host) == 0
    for path in (
        f"{SERVICE}/passes/pass.example/x-1",
        f"{SERVICE}/devices/phone/registrations/pass.example",
    ):
        problem(await second_day.client.get(path), 404, "not_found")

"""Clients that burn, retry with their key until they have an answer, and write down what it was."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

import httpx
import msgspec

from bench.load import OFFER_ID, WALLET_ID

CLIENTS = 10
THINK_S = 0.02
TIMEOUT_S = 10.0
"""After so long without an answer a client tries again."""
LONGEST_S = 150.0
"""After so long with none it gives up; then its burn counts as unanswered."""
AGAIN_S = 0.1
CANCELS, REFUNDS, REPEATS, HOT = 0.05, 0.05, 0.1, 0.2
"""Shares of the burns that are cancelled, refunded in part, sent again, and of one wallet."""
REFUNDED_POINTS = 10
SETTLED = 50
"""So many burns later a burn has most likely been delivered."""
RETRIED = (408, 425, 429, 500, 502, 503, 504)


class Record(msgspec.Struct):
    """What a client knows of one key."""

    key: str
    wallet_id: str
    offer_id: str
    burn_id: str | None = None
    """Of the burn that was accepted."""
    body: bytes = b""
    refusal: str | None = None
    cancelled: bool = False
    refund_key: str | None = None
    refund_id: str | None = None


class Unanswered(Exception):
    """Nobody told the client what became of its request."""


class Crowd:
    """The clients of one fault; `records` holds every key that was ever sent."""

    def __init__(self, port: int, token: str, name: str, *, wallets: int, offers: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._bearer = {"Authorization": f"Bearer {token}"}
        self._name = name
        self._wallets, self._offers = wallets, offers
        self._random = random.Random(name)
        self.records: list[Record] = []
        self.answers: Counter[str] = Counter()
        """How often each status came, and each way of none."""
        self.contradictions: list[str] = []
        """Keys that were answered twice and differently."""
        self.unanswered: list[str] = []
        self._over = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to burn."""
        self._running = [asyncio.create_task(self._live(n)) for n in range(CLIENTS)]

    async def stop(self) -> None:
        """Begin nothing new; returns when every client has its answers."""
        self._over.set()
        await asyncio.gather(*self._running)

    @property
    def accepted(self) -> list[Record]:
        """Burns that were answered as held."""
        return [each for each in self.records if each.burn_id is not None]

    async def _live(self, number: int) -> None:
        async with httpx.AsyncClient(base_url=self._base, timeout=TIMEOUT_S) as client:
            count = 0
            while not self._over.is_set():
                count += 1
                try:
                    await self._burn(client, f"{number}-{count}")
                except Unanswered as error:
                    self.unanswered.append(str(error))
                await asyncio.sleep(THINK_S)

    def draw(self, words: str) -> Record:
        """A burn to be made, of some wallet and offer; `words` tell its key from others."""
        chance = self._random
        wallet = 1 if chance.random() < HOT else chance.randrange(2, self._wallets + 1)
        offer = chance.randrange(1, self._offers + 1)
        key = f"{self._name}-{words}"
        record = Record(key, WALLET_ID.format(wallet), OFFER_ID.format(offer))
        self.records.append(record)
        return record

    def request_of(self, record: Record) -> bytes:
        """The burn as it is sent on a connection."""
        body = msgspec.json.encode({"wallet_id": record.wallet_id, "offer_id": record.offer_id})
        head = {
            "Host": "127.0.0.1",
            **self._bearer,
            "Idempotency-Key": record.key,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST /v1/burns HTTP/1.1\r\n{lines}\r\n".encode() + body

    async def insist(self, *records: Record) -> None:
        """Ask on a new connection, for each burn until there is an answer, and take it down."""
        async with httpx.AsyncClient(base_url=self._base, timeout=TIMEOUT_S) as client:
            for record in records:
                try:
                    self.hear(record, await self._post_burn(client, record))
                except Unanswered as error:
                    self.unanswered.append(str(error))

    async def _burn(self, client: httpx.AsyncClient, words: str) -> None:
        chance = self._random
        record = self.draw(words)
        key = record.key
        self.hear(record, await self._post_burn(client, record))
        if chance.random() < REPEATS:
            self.hear(record, await self._post_burn(client, record))
        if record.burn_id is None:
            return
        if chance.random() < CANCELS:
            answer = await self._post(client, f"/v1/burns/{record.burn_id}/cancel", key)
            record.cancelled = answer.status_code == 200
        elif chance.random() < REFUNDS:
            # Of a burn that has most likely been delivered; each is refunded once at most.
            older = [each for each in self.accepted[:-SETTLED] if not each.refund_key]
            if older:
                await self._refund(client, chance.choice(older))

    async def _post_burn(self, client: httpx.AsyncClient, record: Record) -> httpx.Response:
        body = {"wallet_id": record.wallet_id, "offer_id": record.offer_id}
        return await self._post(client, "/v1/burns", record.key, body)

    def hear(self, record: Record, answer: httpx.Response) -> None:
        """Take an answer down; it must be the one that was given before."""
        if answer.status_code == 201:
            burn_id, refusal = answer.json()["id"], None
        else:
            burn_id, refusal = None, answer.json()["code"]
        before = (record.burn_id, record.refusal, record.body)
        if record.body and before != (burn_id, refusal, answer.content):
            self.contradictions.append(record.key)
        record.burn_id, record.refusal, record.body = burn_id, refusal, answer.content

    async def _refund(self, client: httpx.AsyncClient, record: Record) -> None:
        key = record.refund_key = f"{record.key}-refund"
        body = {"reason": "chaos", "points": REFUNDED_POINTS}
        answer = await self._post(client, f"/v1/burns/{record.burn_id}/refunds", key, body)
        if answer.status_code == 201:
            record.refund_id = answer.json()["id"]

    async def _post(
        self, client: httpx.AsyncClient, path: str, key: str, body: Any = None
    ) -> httpx.Response:
        """Post with this key until there is an answer that means something."""
        deadline = time.monotonic() + LONGEST_S
        headers = {**self._bearer, "Idempotency-Key": key}
        while time.monotonic() < deadline:
            try:
                answer = await client.post(path, json=body, headers=headers)
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1
            else:
                self.answers[str(answer.status_code)] += 1
                if answer.status_code not in RETRIED:
                    return answer
            await asyncio.sleep(AGAIN_S * (1 + random.random()))
        raise Unanswered(key)

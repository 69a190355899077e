"""What the replay asks of the running API, over real HTTP: codes in, burns out."""

from __future__ import annotations

import http.client
from types import TracebackType
from uuid import UUID

import msgspec

from bench.server import BenchError

INSUFFICIENT = "insufficient_points"


class Answer(msgspec.Struct):
    """The parts of an answer that are looked at: of a burn, or of problem+json."""

    status: str | int = ""
    code: str = ""
    detail: str = ""


class Api:
    """One keep-alive connection with an API key of the operator."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._authorization = {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._connection.close()

    def _post(self, path: str, body: bytes, kind: str, **headers: str) -> tuple[int, bytes]:
        given = {**self._authorization, "Content-Type": kind, **headers}
        self._connection.request("POST", path, body, given)
        response = self._connection.getresponse()
        return response.status, response.read()

    def upload_codes(self, sku: str, count: int) -> None:
        """Fill the gift fund's pool of `sku` with `count` codes."""
        lines = ["code", *(f"{sku.upper()}-{number:06d}" for number in range(count))]
        path = f"/v1/giftfund/pools/{sku}/codes"
        status, answer = self._post(path, "\n".join(lines).encode(), "text/csv")
        if status != 200:
            raise BenchError(f"uploading codes of {sku} answered {status}: {answer.decode()}")

    def burn(self, key: str, wallet_id: UUID, offer_id: UUID) -> bool:
        """Burn one unit; True if it is held, False if the points do not suffice.

        Any other answer raises BenchError: the replay knows no other reason to refuse.
        """
        wish = {"wallet_id": wallet_id, "offer_id": offer_id, "quantity": 1}
        status, raw = self._post(
            "/v1/burns", msgspec.json.encode(wish), "application/json", **{"Idempotency-Key": key}
        )
        answer = msgspec.json.decode(raw, type=Answer)
        if status == 201 and answer.status == "held":
            return True
        if status == 409 and answer.code == INSUFFICIENT:
            return False
        raise BenchError(f"burn {key} answered {status} {answer.code}: {answer.detail}")

"""Who was let in gets a certificate, which anybody verifies; who was not gets none."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from marketplace_conference import models
from marketplace_conference.certificates import certifying, domain
from marketplace_conference.certificates.tables import certificate
from marketplace_conference.tickets import keys
from sqlalchemy.exc import DBAPIError

from marketplace.identity.domain import Role
from tests.conference.test_changes import scan
from tests.conference.test_notices import change, told
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.fulfilment.conftest import counter
from tests.web.problems import problem

__all__ = ["counter", "sale", "worker"]


async def certified(sale: Sale) -> int:
    """How many certificates were made."""
    return await asyncio.to_thread(certifying.certify_all, sale.host)


async def test_only_who_came_has_a_certificate_and_anybody_verifies_it(
    sale: Sale, sign_in: Make
) -> None:
    for position, name in ((1, "Łucja Żółkiewska"), (2, "Otto Alder")):
        await sale.client.put(
            sale.path(f"/{position}/attendee"), json={"name": name}, headers=sale.ann
        )
    await change(sale, models.session, certified=True)
    first, second, nameless = [each["code"] for each in await sale.tickets()]
    assert [await scan(sale, each) for each in (first, nameless)] == ["admitted", "admitted"]
    assert await certified(sale) == 0
    path = f"/conference/certificates/{sale.burn_id}/certificates.pdf"
    assert (await sale.client.get(path, headers=sale.ann)).status_code == 404
    tickets = f"/conference/tickets/{sale.burn_id}"
    assert path not in (await sale.client.get(tickets, headers=sale.ann)).text
    over = datetime.now(UTC) - timedelta(hours=1)
    await change(sale, models.session, starts_at=over - timedelta(hours=8), ends_at=over)
    assert [await certified(sale) for _ in range(2)] == [1, 0]
    assert await told(sale) == ["Certificate of attendance: Logistics Days"]
    made = await sale.client.get(path, headers=sale.ann)
    assert b"/Type/Pages/Count 1/" in made.content
    assert f'href="{path}"' in (await sale.client.get(tickets, headers=sale.ann)).text
    other = await sale.client.get(f"/v1{path}", headers=await sign_in(Role.PARTICIPANT, "bob"))
    problem(other, 404, "not_found")

    code = await asyncio.to_thread(code_of, sale)
    page = await sale.client.get(f"/conference/verify/{code}")
    assert page.status_code == 200
    assert "Łucja Żółkiewska" in page.text
    assert "Otto Alder" not in page.text
    letter = "A" if code[60] != "A" else "B"
    for wrong in (code[:60] + letter + code[61:], second, "CC1", code[:-2]):
        refused = await sale.client.get(f"/conference/verify/{wrong}")
        assert refused.status_code == 404
        assert "We have issued no certificate with this code." in refused.text


def code_of(sale: Sale) -> str:
    """The code of the only certificate, as the house signs it."""
    with sale.host.transaction() as session:
        row = session.execute(sa.select(certificate)).mappings().one()
        found = domain.Certificate(**row)
        return domain.sign(keys.signers(sale.host, session, found.event_id)[found.key], found)


async def test_a_certificate_that_was_changed_does_not_verify(sale: Sale) -> None:
    await sale.client.put(sale.path("/1/attendee"), json={"name": "Ilse Alder"}, headers=sale.ann)
    over = datetime.now(UTC) - timedelta(hours=1)
    first, *_ = await sale.tickets()
    assert await scan(sale, first["code"]) == "admitted"
    times = {"starts_at": over - timedelta(hours=8), "ends_at": over}
    await change(sale, models.session, certified=True, **times)
    assert await certified(sale) == 1
    code = await asyncio.to_thread(code_of, sale)
    found = await asyncio.to_thread(certifying.verify, sale.host, code)
    assert found is not None
    with pytest.raises(DBAPIError):
        await change(sale, certificate, name="Somebody Else")
    read = domain.read(code)
    assert read is not None
    changed = domain.Certificate(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name != "name"},
        name="Somebody Else",
    )
    with sale.host.transaction() as session:
        public = keys.public_keys(session, found.event_id)
    assert domain.is_genuine(read, found, public)
    assert not domain.is_genuine(read, changed, public)

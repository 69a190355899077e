"""What Stripe sends: forged, stale, doubled and disordered events do no harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_stripe import onboarding, webhooks
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.models import event
from marketplace_stripe.rail import Stripe
from marketplace_stripe.rehearsal import settings_of

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]
News = Callable[[], list[str]]


@pytest.fixture
def news(host: api.Host) -> Iterator[News]:
    """Legs that the house was told to ask about, since it was last asked."""

    def read() -> list[str]:
        with host.transaction() as session:
            rows = session.execute(sa.text("delete from rail_news returning reference"))
            return sorted(row.reference for row in rows)

    read()
    return read


def take(host: api.Host, double: Double, about: dict[str, Any], **how: Any) -> bool:
    body, signature = double.signed(about, **how)
    return webhooks.take(host, body, signature).new


def test_an_event_has_its_leg_asked_about_once(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg, news: News
) -> None:
    one = leg()
    rail.submit([one])
    (succeeded,) = [e for e in double.world.events if e["type"] == "payment_intent.succeeded"]
    assert take(host, double, succeeded)
    assert news() == [one.reference]
    assert not take(host, double, succeeded)
    assert news() == []


def test_a_dispute_names_its_leg_through_the_payment(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg, news: News
) -> None:
    one = leg()
    rail.submit([one])
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    assert take(host, double, double.world.events[-1])
    assert news() == [one.reference]


def test_events_in_any_order_come_to_the_same(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    """What became of the leg is asked; what the events say of it is not read."""
    one = leg()
    rail.submit([one])
    for each in reversed(double.world.events):
        take(host, double, each)
    (outcome,) = rail.lookup([one])
    assert isinstance(outcome, api.Booked)


@pytest.mark.parametrize("how", [{"key": "whsec_forged_by_somebody"}, {"age_s": 301}])
def test_forged_and_stale_events_are_refused(
    host: api.Host, double: Double, how: dict[str, Any]
) -> None:
    about = double.world.tell("payout.paid", {"id": "po_1", "object": "payout"})
    with pytest.raises(api.BadSignature):
        take(host, double, about, **how)


@pytest.mark.parametrize("signature", ["", "t=,v1=", "v1=00", "t=x,v1=00", "\u20ac"])
def test_what_is_no_signature_is_refused(host: api.Host, double: Double, signature: str) -> None:
    with pytest.raises(api.BadSignature):
        webhooks.take(host, b"{}", signature)


def test_two_secrets_are_taken_during_rotation(host: api.Host, lab: Lab, double: Double) -> None:
    following = "whsec_the_next_secret_0123"
    both = msgspec.structs.replace(settings_of(double), webhook_next_key=following)
    lab.configure("stripe", both)
    for key in (double.webhook_key, following):
        about = double.world.tell("payout.paid", {"id": "po_1", "object": "payout"})
        assert take(host, double, about, key=key)


def test_events_on_connected_accounts_have_a_secret_of_their_own(
    host: api.Host, lab: Lab, double: Double
) -> None:
    """Stripe sends them to a second webhook; the account that they happened on is looked at."""
    key = "whsec_of_connected_accounts"
    lab.configure("stripe", msgspec.structs.replace(settings_of(double), connect_webhook_key=key))
    lab.member("till")
    made = onboarding.connect(host, "till", country="DE", email="pay@till.example")
    gone = {"id": "ca_1", "object": "application"}
    told = double.world.tell("account.application.deauthorized", gone)
    assert take(host, double, {**told, "account": made}, key=key)
    assert onboarding.refresh(host) == 1


def test_a_test_event_of_a_live_connected_account_is_answered_and_left(
    host: api.Host, double: Double
) -> None:
    """A refusal would be sent again for days, until Stripe disables the webhook."""
    told = double.world.tell("account.updated", {"id": "acct_1", "object": "account"})
    assert not take(host, double, {**told, "livemode": True, "account": "acct_1"})
    with host.transaction() as session:
        assert session.scalar(sa.select(event.c.id).where(event.c.id == told["id"])) is None


def test_a_thin_event_has_its_leg_asked_about(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg, news: News
) -> None:
    """It names its object, and does not show it."""
    one = leg()
    rail.submit([one])
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    related = {"id": intent["id"], "type": "payment_intent", "url": "/v1/payment_intents/x"}
    thin = {
        "id": "evt_thin_1",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "created": "2026-11-25T10:00:00.000Z",
        "livemode": False,
        "related_object": related,
    }
    assert take(host, double, thin)
    assert news() == [one.reference]


def test_an_event_of_the_other_mode_is_refused(host: api.Host, double: Double) -> None:
    about = double.world.tell("payout.paid", {"id": "po_1", "object": "payout"})
    with pytest.raises(api.InvalidRequest, match="other mode"):
        take(host, double, {**about, "livemode": True})


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "e" * 256},
        {"id": "e\x00"},
        {"created": 10**30},
        {"created": "now"},
        {"created": "2026-11-25"},
        {"data": []},
        {"data": None},
        {"data": {"object": 1}},
    ],
)
def test_what_is_no_event_is_refused(
    host: api.Host, double: Double, changes: dict[str, Any]
) -> None:
    about = double.world.tell("payout.paid", {"id": "po_1", "object": "payout"})
    with pytest.raises(api.InvalidRequest):
        take(host, double, {**about, **changes})


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"id": 5, "metadata": "x", "payment_intent": {"id": 7}},
        {"id": "pi_\x00", "metadata": {"reference": "a\x00"}},
        {"id": "pi_1", "metadata": {"reference": "x" * 500}},
    ],
)
def test_strange_objects_are_kept_and_ask_about_nothing(
    host: api.Host, double: Double, about: dict[str, Any], news: News
) -> None:
    assert take(host, double, double.world.tell("payout.paid", about))
    assert news() == []


def test_what_was_sent_is_kept_encrypted(host: api.Host, double: Double) -> None:
    made = double.world.tell("payout.paid", {"id": "po_1", "object": "payout", "note": "SECRET"})
    take(host, double, made)
    with host.transaction() as session:
        body = session.scalar(sa.select(event.c.body).where(event.c.id == made["id"]))
    assert body is not None
    assert b"SECRET" not in body
    assert json.loads(host.decrypt(body))["data"]["object"]["note"] == "SECRET"


def test_a_connected_account_is_looked_at_again(host: api.Host, lab: Lab, double: Double) -> None:
    lab.member("shop")
    made = onboarding.connect(host, "shop", country="DE", email="pay@shop.example")
    assert onboarding.connect(host, "shop", country="DE", email="pay@shop.example") == made
    (state,) = [each for each in onboarding.states(host) if each.id == made]
    assert (state.member, state.transfers, state.wanted) == ("shop", "pending", "company.tax_id")
    account = double.world.get("account", made)
    transfers.enable(double.world, account)
    transfers.restrict(double.world, account, "requirements.past_due")
    # The later event comes first; the state is what Stripe says now.
    for each in reversed(double.world.events):
        take(host, double, each)
    assert onboarding.refresh(host) == 1
    (state,) = [each for each in onboarding.states(host) if each.id == made]
    assert (state.transfers, state.wanted) == ("inactive", "requirements.past_due")
    assert onboarding.refresh(host) == 0


def test_an_account_is_asked_about_until_there_is_an_answer_to_what_was_told_last(
    host: api.Host, lab: Lab, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.member("desk")
    made = onboarding.connect(host, "desk", country="DE", email="pay@desk.example")
    transfers.enable(double.world, double.world.get("account", made))
    (*_, told) = double.world.events
    take(host, double, told)
    real = onboarding.client_of

    def die() -> None:
        raise KeyboardInterrupt

    def tell() -> None:
        account = double.world.get("account", made)
        transfers.restrict(double.world, account, "requirements.past_due")
        take(host, double, double.world.events[-1])

    class Client:
        """Whose first answer never comes, and whose second is old when it comes."""

        def __init__(self, house: Any) -> None:
            self.v1 = self.accounts = self
            self.real = real(house)

        def retrieve(self, account_id: str) -> Any:
            found = self.real.v1.accounts.retrieve(account_id)
            happens.pop(0)()
            return found

    happens = [die, tell]
    monkeypatch.setattr(onboarding, "client_of", Client)
    with pytest.raises(KeyboardInterrupt):
        onboarding.refresh(host)
    assert onboarding.refresh(host) == 1
    monkeypatch.setattr(onboarding, "client_of", real)
    assert onboarding.refresh(host) == 1
    (state,) = [each for each in onboarding.states(host) if each.id == made]
    assert (state.transfers, state.wanted) == ("inactive", "requirements.past_due")
    assert onboarding.refresh(host) == 0


def test_settings_show_no_secret_of_themselves(double: Double) -> None:
    """They may stand in a traceback, or in a log."""
    key = "whsec_of_connected_accounts"
    shown = repr(msgspec.structs.replace(settings_of(double), connect_webhook_key=key))
    assert double.address in shown
    assert not {each for each in (double.key, double.webhook_key, key) if each in shown}

"""A second opinion on Stripe's answers: `make test-localstripe` asks the localstripe of PyPI.

It runs in an environment of its own, for its licence (GPL-3) and its dependencies are not ours, and
it knows an older API than we speak: what it does not know is said, what it answers otherwise fails.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import stripe
from marketplace_stripe import asking, collecting, refusals, sweeping
from marketplace_stripe.accounts import Account, Charge
from marketplace_stripe.client import client_of
from marketplace_stripe.settings import House

from marketplace import api

RELEASE: Final = "localstripe==1.15.10"
CARDS: Final = {"good": "4242424242424242", "declined": "4000000000000341"}
WANTS_OWNER: Final = "4000002500003155"
READY_WITHIN_S: Final = 20


@contextmanager
def localstripe() -> Iterator[str]:
    """Its address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", RELEASE], check=True)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        words = [str(Path(folder) / "bin" / "localstripe"), "--port", str(port)]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(words, cwd=folder, stdout=quiet, stderr=quiet) as process:
            try:
                _wait(port)
                yield f"http://localhost:{port}"
            finally:
                process.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("localhost", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


class Opinion:
    """What it says to the calls of the rail."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self.client = client
        self.customer = client.v1.customers.create(
            {"name": "Example", "email": "pay@example.com", "metadata": {"member": "example"}}
        ).id

    def saved(self, number: str) -> str:
        """A card of the customer."""
        card: Any = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
        made = self.client.v1.payment_methods.create({"type": "card", "card": card})
        self.client.v1.payment_methods.attach(made.id, {"customer": self.customer})
        return made.id

    def charged(self, number: str) -> Any:
        """The payment intent of a leg, made with the parameters that it knows."""
        asked: Any = {
            "amount": 12_345,
            "currency": "eur",
            "customer": self.customer,
            "payment_method": self.saved(number),
            "confirm": True,
            "metadata": {"reference": "S-1"},
        }
        return self.client.v1.payment_intents.create(asked)

    def leg(self) -> api.Leg:
        """That leg."""
        return api.Leg(
            reference="S-1",
            direction=api.Direction.COLLECT,
            amount_minor=12_345,
            currency="EUR",
            name="Example Ltd",
            account=Account(customer=self.customer, charge=Charge.CARD, payment_method="pm_1"),
            due_on=date(2026, 11, 27),
            text="Coalition settlement",
        )

    def a_good_card_succeeds(self) -> bool:
        return bool(self.charged(CARDS["good"]).status == "succeeded")

    def a_declined_card_is_an_error_that_rejects(self) -> bool:
        try:
            self.charged(CARDS["declined"])
        except stripe.CardError as error:
            verdict = refusals.judge(self.leg(), error)
            return verdict.object_id is not None or isinstance(verdict.outcome, api.Rejected)
        return False

    def a_card_that_wants_its_owner_is_cancelled_and_rejected(self) -> bool:
        intent = self.charged(WANTS_OWNER)
        if intent.status != "requires_action":
            return False
        found = collecting.standing(self.client, self.leg(), intent)
        outcome = collecting.outcome(self.leg(), found, moved=False)
        return isinstance(outcome, api.Rejected) and found.intent.status == "canceled"

    def what_moved_is_a_line_of_the_balance_that_adds_up(self) -> bool:
        asked = {"expand": ["data.source"]}
        shown = list(asking.each(self.client.v1.balance_transactions.list, asked))
        rows = [sweeping._row(each) for each in shown]
        return bool(rows) and all(
            row["net_minor"] == row["amount_minor"] - row["fee_minor"] for row in rows
        )

    def the_balance_is_what_its_lines_come_to(self) -> bool:
        lines = asking.each(self.client.v1.balance_transactions.list, {})
        total = sum(each.net for each in lines)
        balance = self.client.v1.balance.retrieve()
        return total == sum(p.amount for part in (balance.available, balance.pending) for p in part)

    def what_we_send_for_a_charge_is_taken(self) -> bool:
        asked: Any = {
            "amount": 12_345,
            "currency": "eur",
            "customer": self.customer,
            "payment_method": self.saved(CARDS["good"]),
            "confirm": True,
            "off_session": True,
            "transfer_group": "S-1",
            "description": "Coalition settlement",
            "allowed_payment_method_types": ["card"],
        }
        return bool(self.client.v1.payment_intents.create(asked).status == "succeeded")

    def the_same_key_is_answered_the_same(self) -> bool:
        asked: Any = {"name": "Example"}
        key: Any = {"idempotency_key": "customer-1"}
        made = [self.client.v1.customers.create(asked, key).id for _ in range(2)]
        if made[0] != made[1]:
            raise NotImplementedError("it makes another one")
        return True

    def payments_of_a_customer_are_listed(self) -> bool:
        page = self.client.v1.payment_intents.list({"customer": self.customer})
        return bool(page.data)

    def a_transfer_is_refused_without_a_payee(self) -> bool:
        try:
            self.client.v1.transfers.create(
                {"amount": 1, "currency": "eur", "destination": "acct_1Nobody00000"}
            )
        except stripe.InvalidRequestError as error:
            return refusals.code_of(error) == "resource_missing"
        return False

    def the_platform_has_an_account(self) -> bool:
        return self.client.v1.accounts.retrieve_current().id.startswith("acct_")

    def disputes_are_listed(self) -> bool:
        return list(self.client.v1.disputes.list({"limit": 1}).data) == []


def main() -> int:
    """Asks, prints, and fails where it disagrees."""
    with localstripe() as address:
        house = House(secret_key="sk_test_0123456", webhook_key="whsec_12345678", address=address)
        asked = Opinion(client_of(house))
        names = [n for n, value in vars(Opinion).items() if _is_question(n, value)]
        said = {name: _ask(getattr(asked, name)) for name in names}
    for name, words in said.items():
        print(f"{words:<40}{name.replace('_', ' ')}")
    return 1 if "DISAGREES" in said.values() else 0


def _is_question(name: str, value: Any) -> bool:
    return callable(value) and not name.startswith("_") and name not in ("saved", "charged", "leg")


def _ask(question: Callable[[], bool]) -> str:
    try:
        return "agrees" if question() else "DISAGREES"
    except NotImplementedError as error:
        return f"does not know: {error}"
    except (AttributeError, TypeError):
        return "has another shape than Stripe's types"
    except stripe.StripeError as error:
        return f"does not know: {refusals.reason(error)[:24]}"


if __name__ == "__main__":
    sys.exit(main())

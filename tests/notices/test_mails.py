"""What a mail says: in the person's language, and nothing that a stranger can smuggle in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest

from marketplace.errors import UsageError
from marketplace.identity.models import Person
from marketplace.ids import uuid7
from marketplace.notices.compose import Composer, UnusableAddress
from marketplace.notices.domain import CATEGORIES, Category, Claimed, Told
from marketplace.notices.kind import Field
from marketplace.notices.kinds import KINDS, PLUGIN_NOTICE
from marketplace.notices.service import notify
from marketplace.notices.words import words_of
from marketplace.secrets import Vault
from marketplace.settings import Settings
from marketplace.web.i18n import core_languages, speak
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.notices.conftest import Post, mails
from tests.notices.mailserver import Postbox

VAULT = Vault([SECRET_KEY])
LINK = VAULT.encrypt("/sign-in/link/x")
AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
SAMPLES: dict[Field, Any] = {
    Field.TEXT: "Mug",
    Field.NUMBER: 12_000,
    Field.DATE: "2026-04-01",
    Field.REASON: "hold_timeout",
    Field.ID: "0f",
    Field.PATH: "/catalog/mug",
}
HOSTILE = "Mug\r\nBcc: victim@x.example\r\n\r\n<script>alert(1)</script>"


def compose(kind: str, context: Mapping[str, Any], **more: Any) -> Any:
    """A mail to Ann, as parsed from what goes over the wire."""
    given: dict[str, Any] = {
        "person_id": uuid7(),
        "id": 1,
        "kind": kind,
        "attempt": 1,
        "created_at": AT,
        "secret": None,
        "email": "ann@acme.example",
        "name": "Ann",
        "locales": (None, "en"),
        "notices": [Told(kind, dict(context), AT, AT)],
        **more,
    }
    composer = Composer(Settings(public_url="https://rewards.example/"), VAULT)
    raw = composer.message(Claimed(**given)).as_bytes(policy=policy.SMTP)
    return message_from_bytes(raw, policy=policy.default)


def bodies(message: Any) -> Iterator[str]:
    for kind in ("plain", "html"):
        yield message.get_body((kind,)).get_content()


# The words of a plugin's notice come with it: tests/conference/test_notices.py.
@pytest.mark.parametrize("slug", [each for each in KINDS if each != PLUGIN_NOTICE.slug])
@pytest.mark.parametrize("language", ["en", "ru", "pl", "it"])
def test_every_kind_has_words_in_every_language(slug: str, language: str) -> None:
    kind = KINDS[slug]
    context = {name: SAMPLES[field] for name, field in kind.fields.items()}
    with speak(core_languages()[language]):
        words = words_of(slug, context, AT)
    for text in (words.subject, words.text, words.path, words.action):
        assert text
        assert "%(" not in text
    assert words.path.startswith("/")


@pytest.mark.parametrize("reason", ["", None])
def test_that_a_supplier_gave_no_reason_is_said(reason: str | None) -> None:
    """Where none of many burns has one, none is sent at all."""
    context = {name: SAMPLES[field] for name, field in KINDS["burn_voided"].fields.items()}
    with speak(core_languages()["en"]):
        told = words_of("burn_voided", {**context, "reason": reason}, AT).text
    assert "no reason was given." in told


def test_a_suppliers_reason_is_said_in_the_readers_language() -> None:
    """By a worker, which loads no plugin: the words of its package are read all the same."""
    context = {name: SAMPLES[field] for name, field in KINDS["burn_voided"].fields.items()}
    context["reason"] = "Nothing of this is left at the organizer."
    message = compose("burn_voided", context, locales=("pl", "en"))
    for body in bodies(message):
        assert "U organizatora nic z tego nie zostało." in body
        assert "organizer" not in body


def test_tips_take_turns_day_by_day() -> None:
    context = {"offer": "Mug", "points": 1, "burn": "0f"}
    tips = [words_of("reward_delivered", context, AT + timedelta(days=n)).tip for n in range(6)]
    assert len(set(tips)) == 3
    assert tips[:3] == tips[3:]


def test_numbers_and_dates_are_the_readers() -> None:
    context = {"points": 12_000, "until": "2026-04-01"}
    message = compose("points_expire_30", context, locales=(None, "it-IT"))
    assert "12.000" in str(message["Subject"])
    assert "1 apr 2026" in str(message["Subject"])
    assert message["Content-Language"] == "it"
    assert "12,000" in str(compose("points_expire_30", context)["Subject"])


def test_ones_own_language_comes_before_the_firms() -> None:
    context = {"offer": "Mug", "points": 1, "burn": "0f"}
    message = compose("reward_delivered", context, locales=("pl", "it-IT"))
    assert message["Content-Language"] == "pl"
    message = compose("reward_delivered", context, locales=(None, "de-DE"))
    assert message["Content-Language"] == "en"


def test_hostile_words_become_neither_headers_nor_markup() -> None:
    context = {"sender": HOSTILE, "offer": HOSTILE, "path": "/rewards/1"}
    message = compose("gift_received", context, name=HOSTILE)
    assert message["Bcc"] is None
    assert set(message.keys()) == set(compose("gift_received", {**context, "sender": "B"}).keys())
    assert "\n" not in str(message["Subject"])
    text, html = bodies(message)
    assert "\nBcc:" not in text
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "email",
    ["a@x\r\nBcc: b@y", "a b@x.example", "none", "", "@", "a@x, b@y", "a\x00@x.example", "a@x,b@y"],
)
def test_an_address_that_is_none_is_never_given_to_the_server(email: str) -> None:
    with pytest.raises(UnusableAddress):
        compose("sign_in_link", {"minutes": 15}, email=email)


def test_a_host_in_other_letters_is_written_as_the_net_knows_it() -> None:
    message = compose("sign_in_link", {"minutes": 15}, email="ann@bücher.example", secret=LINK)
    assert message["To"].addresses[0].addr_spec == "ann@xn--bcher-kva.example"


def test_a_long_host_leaves_the_headers_that_programs_read_whole() -> None:
    composer = Composer(Settings(public_url=f"https://{'long.' * 12}example"), VAULT)
    mail = Claimed(
        person_id=uuid7(),
        id=2**62,
        kind="gift_received",
        attempt=1,
        created_at=AT,
        secret=None,
        email="ann@acme.example",
        name="Ann",
        locales=(),
        notices=[Told("gift_received", {"sender": "B", "offer": "M", "path": "/"}, AT, AT)],
    )
    lines = composer.message(mail).as_bytes(policy=policy.SMTP).decode().split("\r\n")
    for name in ("Message-ID: <", "List-Unsubscribe: <https://"):
        [line] = [each for each in lines if each.startswith(name)]
        assert line.endswith(">")


async def test_a_link_to_sign_in_is_only_in_its_mail_and_then_nowhere(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    async with coalition.runtime.database.begin() as session:
        await notify(
            session,
            kind="sign_in_link",
            once_key="link:1",
            context={"minutes": 15},
            secret="/sign-in/link/ml_topsecret",
            vault=coalition.runtime.vault,
            person_id=ann.id,
        )
    [mail] = await mails(coalition)
    assert mail.secret is not None
    assert b"topsecret" not in mail.secret
    assert await post.send() == 1
    [message] = postbox.received
    for body in bodies(message):
        assert "https://rewards.example/sign-in/link/ml_topsecret" in body
    assert message["List-Unsubscribe"] is None
    [mail] = await mails(coalition)
    assert mail.secret is None


def test_every_category_is_named() -> None:
    assert set(CATEGORIES) == set(Category)
    assert {kind.category for kind in KINDS.values()} == set(Category)


@pytest.mark.parametrize(
    "more",
    [
        {"public_url": "rewards.example"},
        {"public_url": "https://rewards.example/shop"},
        {"mail_from": "nobody"},
    ],
)
def test_settings_of_no_sense_stop_the_worker(more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="MARKETPLACE_"):
        Composer(Settings(**more), VAULT)

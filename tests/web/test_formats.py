"""Numbers, money and dates as readers of each language write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketplace.web import formats
from marketplace.web.i18n import Lazy, core_languages, lazy, load_languages, speak, spoken
from marketplace.web.templates import make_environment

NOON = datetime(2026, 3, 14, 12, 5, 33, tzinfo=UTC)
NARROW, THIN = "\u00a0", "\u202f"


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace(NARROW, " ").replace(THIN, " ")


@pytest.mark.parametrize(
    ("language", "points", "money", "price", "day", "hour", "ago"),
    [
        ("en", "1,234,567", "€12.50", "€0.0086", "14 Mar 2026", "14 Mar 2026, 12:05", "2 days ago"),
        ("ru", "1 234 567", "12,50 €", "0,0086 €", "14 мар. 2026 г.", None, "2 дня назад"),  # noqa: RUF001
        ("pl", "1 234 567", "12,50 €", "0,0086 €", "14 mar 2026", None, "2 dni temu"),
        ("it", "1.234.567", "12,50 €", "0,0086 €", "14 mar 2026", None, "2 giorni fa"),
    ],
)
def test_a_reader_finds_familiar_figures(
    language: str, points: str, money: str, price: str, day: str, hour: str | None, ago: str
) -> None:
    with speak(core_languages()[language], NOON):
        assert plain(formats.points(1_234_567)) == points
        assert plain(formats.money(12_500_000, "EUR")) == money
        assert plain(formats.unit_price(8_600, "EUR")) == price
        assert plain(formats.day(NOON)) == day
        assert formats.relative(NOON - timedelta(days=2, hours=1)) == ago
        if hour is not None:
            assert formats.day_and_hour(NOON) == hour
        assert "33" not in formats.day_and_hour(NOON)


def test_amounts_are_rounded_only_when_shown() -> None:
    assert formats.money(12_504_999, "EUR") == "€12.50"
    assert formats.money(-1_000_000, "EUR") == "-€1.00"
    assert formats.money(1_500_000, "JPY") == "JP¥2"
    assert formats.unit_price(8_000, "EUR") == "€0.008"
    assert formats.percent(0.25) == "25%"


@pytest.mark.parametrize(
    ("name", "shown"), [("Anna Kowalska", "AK"), ("bob", "B"), ("Жанна д'Арк", "ЖД"), ("- -", "·")]
)
def test_initials_stand_for_a_person(name: str, shown: str) -> None:
    assert formats.initials(name) == shown


def test_a_lazy_word_is_translated_when_it_is_shown() -> None:
    word = lazy("Sign in")
    assert str(word) == "Sign in"
    with speak(core_languages()["pl"]):
        assert str(word) == "Zaloguj się"
        assert spoken().code == "pl"
    assert spoken().code == "en"
    assert word == lazy("Sign in") != lazy("Sign out")
    assert len({word, lazy("Sign in")}) == 1
    assert repr(word) == "lazy('Sign in')"
    assert str(lazy("Up to %(count)s", count=3)) == "Up to 3"
    assert isinstance(word, Lazy)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "1 point 2 points 5 points 21 points"),
        ("ru", "1 балл 2 балла 5 баллов 21 балл"),
        ("pl", "1 punkt 2 punkty 5 punktów 21 punktów"),
        ("it", "1 punto 2 punti 5 punti 21 punti"),
    ],
)
def test_templates_choose_the_plural(language: str, shown: str) -> None:
    source = "{% for n in [1, 2, 5, 21] %}{{ n }} {{ ngettext('point', 'points', n) }} {% endfor %}"
    template = make_environment().from_string(source)
    with speak(core_languages()[language]):
        assert template.render().strip() == shown


def test_words_of_the_core_win_over_those_of_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "it.po").write_text(
        'msgid "Sign in"\nmsgstr "Entra"\n\nmsgid "Saw"\nmsgstr "Sega"\n\nmsgid "Axe"\nmsgstr ""\n'
    )
    italian = load_languages([tmp_path])["it"]
    assert italian.gettext("Sign in") == "Accedi"
    assert italian.gettext("Saw") == "Sega"
    assert italian.gettext("Axe") == "Axe"
    assert italian.gettext("") == ""

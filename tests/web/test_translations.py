"""Every word on a page exists in every language, whole, with its placeholders and plural forms.

New words: `make messages`, then fill what is empty in `*/locale/*.po`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural

from marketplace.web.i18n import NAMES, SOURCE, lazy_in, load_languages, speak
from marketplace.web.messages import distributions, extract, read, translated, update

DISTRIBUTIONS = distributions()
FILES = [(name, language) for name in DISTRIBUTIONS for language in NAMES if language != SOURCE]
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
TAG = re.compile(r"</?\w+[^>]*>")


def path_of(name: str, language: str) -> Path:
    return DISTRIBUTIONS[name] / "locale" / f"{language}.po"


@pytest.fixture(scope="module")
def found() -> dict[str, Catalog]:
    """What is in the code of each distribution."""
    return {name: extract(folder) for name, folder in DISTRIBUTIONS.items()}


def words(message: Message) -> tuple[str, ...]:
    """A message as a reader of the code sees it."""
    return tuple(message.id) if isinstance(message.id, list | tuple) else (message.id,)


def forms(message: Message) -> tuple[str, ...]:
    """Its translations: one, or one for each plural form."""
    given = message.string
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def messages(name: str, language: str) -> list[Message]:
    return [each for each in read(path_of(name, language), language) if each.id]


@pytest.mark.parametrize(("name", "language"), FILES)
def test_the_file_holds_what_is_in_the_code(
    name: str, language: str, found: dict[str, Catalog]
) -> None:
    path = path_of(name, language)
    assert path.exists(), "run `make messages`"
    same = path.read_bytes() == update(path, language, found[name])
    assert same, f"{path} is out of date: run `make messages`"


@pytest.mark.parametrize(("name", "language"), FILES)
def test_nothing_is_left_in_english_guessed_or_left_over(name: str, language: str) -> None:
    catalog = read(path_of(name, language), language)
    lacking = [words(each)[0] for each in messages(name, language) if not translated(each)]
    assert lacking == []
    assert [words(each)[0] for each in messages(name, language) if each.fuzzy] == []
    assert not catalog.obsolete


@pytest.mark.parametrize(("name", "language"), FILES)
def test_plural_forms_are_those_of_the_language(name: str, language: str) -> None:
    expected = get_plural(language)
    assert read(path_of(name, language), language).num_plurals == expected.num_plurals
    for message in messages(name, language):
        if message.pluralizable:
            assert len(forms(message)) == expected.num_plurals, words(message)


@pytest.mark.parametrize(("name", "language"), FILES)
def test_placeholders_and_tags_survive(name: str, language: str) -> None:
    for message in messages(name, language):
        known = set().union(*(PLACEHOLDER.findall(text) for text in words(message)))
        required = set(PLACEHOLDER.findall(words(message)[-1])) - {"count"}
        for form in filter(None, forms(message)):
            used = set(PLACEHOLDER.findall(form))
            assert required <= used <= known | {"count"}, (words(message), form)
            assert sorted(TAG.findall(form)) == sorted(TAG.findall(words(message)[-1])), form
            assert "%" not in PLACEHOLDER.sub("", form).replace("%%", ""), form
            assert form == form.strip() or words(message)[0] != words(message)[0].strip(), form


def test_a_word_of_the_code_is_found_wherever_it_is(tmp_path: Path) -> None:
    room = tmp_path / "shed"
    templates = room / "templates" / "shed"
    templates.mkdir(parents=True)
    (templates / "x.html").write_text(
        '{{ _("Saw") }}{% trans %}\n  Drill\n  bits\n{% endtrans %}'
        '{{ ngettext("%(count)s nail", "%(count)s nails", n) }}'
    )
    (room / "x.py").write_text(
        '_l("Hammer")\npage._("Pliers")\npage.redirect("/", notice=lazy("Lent."))\n'
        'class Broken(Error):\n    code = "broken"\n    title: str = "It is broken"\n'
    )
    ids = [words(each) for each in extract(room) if each.id]
    assert ids == [
        ("Saw",),
        ("Drill bits",),
        ("%(count)s nail", "%(count)s nails"),
        ("Hammer",),
        ("Pliers",),
        ("Lent.",),
        ("It is broken",),
    ]


def test_what_is_gone_is_dropped_and_what_is_new_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "pl.po"
    path.write_text('msgid "Saw"\nmsgstr "Piła"\n\nmsgid "Gone"\nmsgstr "Nie ma"\n')
    code = Catalog()
    for word in ("Saw", "Sew"):
        code.add(word, locations=[("shed/x.py", 0)])
    path.write_bytes(update(path, "pl", code))
    assert {words(each)[0]: each.string for each in read(path, "pl") if each.id} == {
        "Saw": "Piła",
        "Sew": "",
    }
    assert b"Gone" not in path.read_bytes()
    assert path.read_bytes() == update(path, "pl", code)


@pytest.mark.parametrize("language", [each for each in NAMES if each != SOURCE])
def test_a_word_is_translated_one_way_wherever_it_is_shown(language: str) -> None:
    """Pages are shown with the words of everybody, and of two translations of one message only the
    first is ever seen. Where it means something else it has a context: `pgettext`, `lazy_in`."""
    known: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}
    hidden = []
    for name in DISTRIBUTIONS:
        for message in messages(name, language):
            # Of a message and its plural the singular is looked up by the same key.
            key = (message.context or "", words(message)[0])
            owner, given = known.setdefault(key, (name, forms(message)))
            if given != forms(message):
                hidden.append(f"{key[1]!r}: {owner} says {given}, {name} {forms(message)}")
    assert hidden == []


def test_a_word_with_a_context_is_its_own() -> None:
    paid, sale = lazy_in("gift", "planned"), lazy_in("nowhere", "planned")
    assert paid != sale
    languages = load_languages([DISTRIBUTIONS["charity"] / "locale"])
    with speak(languages["it"]):
        assert (str(paid), str(sale)) == ("previsto", "planned")

"""Scenarios about eligibility rules, which run inside the burn engine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import uuid4

from marketplace import api
from marketplace.certify.scenario import About, Failed, scenario
from marketplace.certify.stage import Stage
from marketplace.certify.watching import watched

QUESTIONS = 10_000
MOST_US = 100.0


def _people() -> list[api.Who]:
    return [
        api.Who(
            wallet_id=uuid4(),
            participant_id=None if role is None else uuid4(),
            role=role,
            firm_reference=firm,
            country=country,
        )
        for role in (None, "buyer", "", "x" * 1_000)
        for firm in ("F-100", "")
        for country in ("DE", "")
    ]


@scenario("rule-answers", "A rule allows, or says why not, for everybody", About.RULES)
def rule_answers(stage: Stage) -> None:
    """Also for a firm's pooled wallet, which has no participant and no role."""
    for rule in stage.rules:
        for who in _people():
            first = _ask(stage, rule, who)
            if not (first is None or _is_said(first)):
                raise Failed(
                    f"{rule.name} answered {first!r}.",
                    advice="Answer None to allow, or words that say why not and what would help: a "
                    "text, or texts by language code.",
                )
            if _ask(stage, rule, who) != first:
                raise Failed(
                    f"{rule.name} answers the same question differently.",
                    advice="A rule is pure: no time, no chance, no count of questions.",
                )


def _is_said(words: object) -> bool:
    """Whether a reader of every language gets something to read."""
    texts = list(words.values()) if isinstance(words, Mapping) else [words]
    return bool(texts) and all(isinstance(text, str) and text.strip() for text in texts)


def _ask(stage: Stage, rule: api.EligibilityRule, who: api.Who) -> api.Words | None:
    try:
        return stage.guarded(rule.name, lambda: rule.refusal(who, "offer"))
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"{rule.name} raised {type(error).__name__}: {error} (role={who.role!r}, "
            f"participant_id={who.participant_id and 'an id'}, country={who.country!r})",
            advice="A raise refuses the burn. Think of pooled wallets: no participant, no role.",
        ) from error


@scenario("rule-speed", "A rule decides in microseconds, without reading anything", About.RULES)
def rule_speed(stage: Stage) -> None:
    """Ten thousand questions, watched."""
    for rule in stage.rules:
        who = _people()[-1]

        def questions(rule: api.EligibilityRule = rule, who: api.Who = who) -> float:
            started = time.thread_time()  # a busy machine is not the rule's fault
            for _ in range(QUESTIONS):
                rule.refusal(who, "offer")
            return (time.thread_time() - started) / QUESTIONS * 1e6

        with watched(reads=True) as seen:
            took_us = stage.guarded(rule.name, questions)
        if seen:
            raise Failed(
                f"{rule.name} {seen[0]} when it is asked.",
                advice="Read what it needs when the plugin registers it; a rule does no I/O.",
            )
        if took_us > MOST_US:
            raise Failed(
                f"{rule.name} takes {took_us:.0f} microseconds.",
                advice="Every burn waits for it: look things up in a dict or set made beforehand.",
            )

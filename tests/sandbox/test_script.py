"""Misbehaving to order."""

import sys

import pytest
from pydantic import ValidationError

from app.sandbox.script import Orders, Script, Step
from tests.rows import every_row


def script(*steps: dict[str, object], seed: int = 0) -> Script:
    return Script(Orders.model_validate({"steps": list(steps), "seed": seed}))


def statuses(played: Script, calls: int, *event_ids: str) -> list[int | None]:
    steps = [played.next(event_ids) for _ in range(calls)]
    return [step.status if step else None for step in steps]


def test_steps_follow_one_another_and_then_all_is_as_usual() -> None:
    assert statuses(script({"status": 429, "times": 2}, {"status": 503}), 5) == [429, 429, 503, None, None]


def test_a_step_without_times_goes_on_for_ever() -> None:
    assert statuses(script({"status": 503, "times": None}), 50) == [503] * 50


def test_chance_is_drawn_from_the_seed() -> None:
    played = [
        statuses(script({"status": 503, "times": None, "probability": 0.3}, seed=seed), 200) for seed in (1, 1, 2)
    ]

    assert played[0] == played[1] != played[2]
    assert 40 <= played[0].count(503) <= 80  # 200 * 0.3 = 60


@pytest.mark.parametrize("kind", ["reject", "poison"])
def test_a_pattern_waits_for_a_call_with_such_an_event(kind: str) -> None:
    played = script({kind: "^bad-", "times": 1})

    assert played.next(["good-1", "not-bad-1"]) is None
    assert played.next(["good-1", "bad-1"]) == Step.model_validate({kind: "^bad-", "times": 1})
    assert played.next(["bad-1"]) is None


@every_row(
    "step",
    [
        {"state": 429},
        {"status": "429"},
        {"status": 42},
        {"reject": "("},
        {"reject": "(?=x)"},
        {"status": 429, "reset": True},
        {"half": True, "reset": True},
        {"reject": "a", "poison": "b"},
        {"probability": 2},
        {"times": 0},
    ],
    ids=str,
)
def test_orders_that_make_no_sense_are_refused(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        script(step)


def test_a_pattern_that_others_try_for_ever_takes_the_time_of_its_text() -> None:
    """Python's own engine would take longer than the universe has."""
    played = script({"reject": "^(a+)+$", "times": None})
    assert played.next(["a" * 100_000 + "!"]) is None
    assert played.next(["a" * 100_000]) is not None


def test_without_re2_a_pattern_says_what_is_missing_and_other_orders_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(ValidationError, match=r"RE2, of the extra `sandbox`: pip install 'pinrelay\[sandbox\]'"):
        script({"reject": "^never-compiled-before-"})
    assert statuses(script({"status": 503}), 2) == [503, None]

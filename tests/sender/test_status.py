"""How delivery stands, in words: every state says what is the matter, with which answer, since when, what to do."""

from typing import Any

import pytest

from app.core.shared_values import ClockJump, SetAside, Trouble
from app.sender.status import PROBLEM_STATES, delivery_problems, problems_of_refused_rows
from tests.rows import every_row
from tests.sender.claims import NOW, a_trouble

DAY = 86_400.0


def told(trouble: Trouble | None = None, **different: Any) -> list[Any]:
    return delivery_problems(trouble, **({"switched_off": False, "now": NOW} | different))


def test_where_all_is_well_nothing_is_told() -> None:
    assert told() == []


@every_row(
    ("trouble", "sentence", "detail", "remedy"),
    [
        (
            a_trouble(),
            "Pinterest refuses our calls: Authentication failed.",
            "Answer 401, since 2026-09-21 14:13 UTC.",
            "`pinrelay verify` names what is wrong",
        ),
        (
            a_trouble(reason=""),
            "Pinterest refuses our calls: it gave no reason.",
            "Answer 401, since 2026-09-21 14:13 UTC.",
            "Check the conversion token",
        ),
        (
            a_trouble(state="failing", status=None, reason="Pinterest did not answer in time"),
            "Calls to Pinterest fail: Pinterest did not answer in time.",
            "No answer, since 2026-09-21 14:13 UTC.",
            "PINTEREST_API_URL",
        ),
        (
            a_trouble(state="refusing", status=400, reason="Invalid request: 'np' is not wanted"),
            "Pinterest refuses every event: Invalid request: 'np' is not wanted.",
            "Answer 400, since 2026-09-21 14:13 UTC.",
            "fix the mapping",
        ),
        (
            a_trouble(state="rate limited", status=429, reason="This request exceeded a rate limit."),
            "Pinterest limits our calls: This request exceeded a rate limit.",
            "Answer 429, since 2026-09-21 14:13 UTC.",
            "MAX_CALLS_PER_MINUTE",
        ),
    ],
)
def test_trouble_is_told_with_pinterests_words_and_the_remedy(
    trouble: Trouble, sentence: str, detail: str, remedy: str
) -> None:
    (problem,) = told(trouble)

    assert (problem.state, problem.sentence, problem.detail) == (trouble.state, sentence, detail)
    assert (problem.words, problem.status, problem.since) == (trouble.reason, trouble.status, trouble.since)
    assert problem.next_try_at == trouble.next_probe_at
    assert remedy in problem.remedy
    assert problem.text == f"{sentence} {detail} {problem.remedy}"


@pytest.mark.parametrize(("keeps", "words"), [(True, "are kept, and sent"), (False, "will not be sent later")])
def test_a_switched_off_destination_says_what_becomes_of_events(*, keeps: bool, words: str) -> None:
    (problem,) = told(switched_off=True, keeps=keeps)

    assert problem.state == "switched off"
    assert words in problem.remedy


@every_row(
    ("by_s", "sentence"),
    [
        (4 * DAY, "The clock of this machine jumped forward by 4 days."),
        (-3_600, "The clock of this machine jumped back by 1 hour."),
        (90, "The clock of this machine jumped forward by 1.5 minutes."),
        (60, "The clock of this machine jumped forward by 1 minute."),
        (-3, "The clock of this machine jumped back by 3 seconds."),
        (-1.5, None),  # time services do that
    ],
)
def test_a_step_of_the_clock_is_told(by_s: float, sentence: str | None) -> None:
    found = told(jumps=[ClockJump(before=NOW - by_s, after=NOW)])

    assert [each.sentence for each in found] == ([sentence] if sentence else [])


@pytest.mark.parametrize(("passed_s", "is_told"), [(0, True), (3_599, True), (3_600, False), (-1, False)])
def test_a_step_of_the_clock_is_told_for_an_hour(passed_s: float, *, is_told: bool) -> None:
    found = told(jumps=[ClockJump(before=NOW - DAY, after=NOW)], now=NOW + passed_s)

    assert [each.state for each in found] == (["clock"] if is_told else [])


def test_a_full_backlog_says_what_becomes_of_events() -> None:
    (problem,) = told(full="5 bytes wait, of 5 that may (OUTBOX_MAX_BACKLOG_BYTES)")

    assert (problem.state, problem.sentence) == (
        "full",
        "The backlog is full: 5 bytes wait, of 5 that may (OUTBOX_MAX_BACKLOG_BYTES).",
    )
    assert "503" in problem.remedy
    assert "withheld" in problem.remedy


def test_a_backlog_that_is_filling_says_when_it_is_full_unless_it_is() -> None:
    (problem,) = told(full_in_s=5 * 3_600)

    assert (problem.state, problem.sentence) == (
        "filling",
        "The backlog is growing. At the rate of the last hour it is full in 5 hours.",
    )
    assert [each.state for each in told(full_in_s=0, full="x")] == ["full"]


def aside(**different: Any) -> SetAside:
    known: dict[str, Any] = {
        "doing": "claim",
        "ad_account_id": "1",
        "why": "CHECK failed: x.",
        "since": NOW,
        "again_at": NOW + 60,
    }
    return SetAside(**(known | different))


@pytest.mark.parametrize(
    ("found", "state", "sentence", "remedy"),
    [
        (
            {"delivery/17": aside()},
            "set aside",
            "The store refuses to change 1 delivery (17): CHECK failed: x.",
            "They are kept, and all others continue. The reason is",
        ),
        (
            {f"delivery/{n}": aside(doing=("claim", "settle")[n == 3], since=NOW - n, why=f"w{n}") for n in range(7)},
            "set aside",
            "The store refuses to change 7 deliveries (0, 1, 2, 3, 4, ...): w6.",
            "Pinterest has answered for 1 of them. Pinrelay records these answers, and sends nothing again.",
        ),
        (
            {
                "rows/retain_dropped_events": aside(doing="retain", rows=3, ad_account_id=""),
                "count/6f2c": aside(doing="count", ad_account_id=""),
            },
            "rows refused",
            "The store refuses to change 4 rows (dropped_events, 6f2c): CHECK failed: x.",
            "All others continue.",
        ),
    ],
)
def test_what_the_store_refuses_is_told_with_its_words_and_what_becomes_of_it(
    found: dict[str, SetAside], state: str, sentence: str, remedy: str
) -> None:
    (problem,) = problems_of_refused_rows(found)

    assert (problem.state, problem.sentence) == (state, sentence)
    assert remedy in problem.remedy
    assert "tried again within" in problem.remedy
    assert problem.next_try_at == NOW + 60


def test_the_most_pressing_state_comes_first() -> None:
    jumps = [ClockJump(before=NOW - DAY, after=NOW - 5), ClockJump(before=NOW - 5, after=NOW + 3_000)]
    found = told(a_trouble(), full="x", switched_off=True, jumps=jumps[:1])

    assert [each.state for each in found] == ["full", "blocked", "switched off", "clock"]
    assert [PROBLEM_STATES.index(each.state) for each in found] == sorted(
        PROBLEM_STATES.index(each.state) for each in found
    )


def test_a_time_that_no_calendar_knows_is_told_all_the_same() -> None:
    (problem,) = told(a_trouble(since=1e18))

    assert problem.detail == "Answer 401, since 1000000000000000000 s."


@pytest.mark.parametrize(
    ("off", "keeps", "sentence", "remedy"),
    [
        (["Lead"], True, "The preset Lead is switched off.", "kept, and sent when it is switched on again."),
        (["B", "A"], True, "The presets A, B are switched off.", "sent when they are switched on again."),
        (
            ["Lead"],
            False,
            "The preset Lead is switched off.",
            "Deliveries that wait already are sent when it is switched on again.",
        ),
    ],
)
def test_presets_that_are_switched_off_are_named(off: list[str], *, keeps: bool, sentence: str, remedy: str) -> None:
    (problem,) = told(presets_off=off, keeps=keeps)

    assert (problem.state, problem.sentence) == ("preset switched off", sentence)
    assert remedy in problem.remedy


def test_where_nothing_at_all_is_sent_no_preset_is_told() -> None:
    assert [each.state for each in told(presets_off=["Lead"], switched_off=True)] == ["switched off"]

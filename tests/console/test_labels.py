from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.console import labels
from app.core.values.texts import count_of
from tests.rows import every_row


@every_row(
    ("part", "whole", "expected"),
    [
        (0, 0, ""),
        (0, 5, "0 %"),
        (1, 3, "33 %"),
        (1, 1_000, "<1 %"),  # 0.1 is not none
        (999, 1_000, "99 %"),  # 99.9 is not all
        (1_000, 1_000, "100 %"),
    ],
)
def test_percentages_never_round_to_all_or_none(part: int, whole: int, expected: str) -> None:
    assert labels.percent(part, whole) == expected


@every_row(
    ("now", "before", "expected"),
    [
        (48, 0, ""),
        (48, None, ""),
        (48, 48, "as before"),
        (Decimal("60.04"), Decimal(60), "as before"),
        (48, 24, "+100 %"),
        (Decimal("52.80"), Decimal("60.00"), "\u221212 %"),
    ],
)
def test_a_change_is_told_in_one_way_of_counts_and_of_money(
    now: Decimal | int, before: Decimal | int | None, expected: str
) -> None:
    assert labels.changed(now, before) == expected


@every_row(
    ("seconds", "expected"),
    [
        (0.4, "a moment"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (95, "1 minute"),
        (5_400, "1 hour"),
        (2 * 86_400 + 5, "2 days"),
    ],
)
def test_spans_are_told_in_their_largest_unit(seconds: float, expected: str) -> None:
    assert labels.time_span(seconds) == expected


@given(st.floats(min_value=0, max_value=1e10))
def test_any_span_can_be_told(seconds: float) -> None:
    assert labels.time_span(seconds)


@every_row(
    ("status", "expected"),
    [
        ("200", "processed"),
        ("401", "token refused"),
        ("503", "trouble at Pinterest"),
        ("302", "unexpected"),
        ("", "no answer"),
        ("timeout", "no answer"),
    ],
)
def test_answers_are_told_in_words(status: str, expected: str) -> None:
    assert labels.answer_label(status) == expected


def test_an_unknown_component_is_shown_as_it_is() -> None:
    assert labels.component_label("hashed_email") == "Email"
    assert labels.component_label("new_thing") == "new thing"


def test_times_and_counts_are_written_as_people_read_them() -> None:
    assert labels.iso(1_795_000_000.9) == "2026-11-18T11:06:40Z"
    assert labels.thousands(12_034) == "12,034"
    assert count_of(1, "event") == "1 event"
    assert count_of(2_000, "delivery", "deliveries") == "2,000 deliveries"
    assert count_of(0, "event") == "0 events"

"""The bars of the overview: what parts there are, and that they add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.flow import WIDTH, Share, WindowCounts, flow
from app.types import Backlog

NOTHING = WindowCounts(totals={}, withheld_of_presets=0)
NOW = WindowCounts(
    totals={
        "accepted": 100,
        "refused": 3,
        "unmatched": 40,
        "withheld": 12,
        "enqueued": 50,
        "duplicate": 4,
        "invalid": 2,
        "delivered": 48,
        "rejected": 1,
    },
    withheld_of_presets=2,
)


def shown(parts: tuple[Share, ...]) -> dict[str, int]:
    return {part.label: part.count for part in parts}


def test_each_bar_says_how_events_left() -> None:
    received, made, sent = flow(NOW, NOTHING, Backlog(pending=5, claimed=1))
    assert shown(received.parts) == {"taken by a preset": 50, "matched no preset": 40, "withheld": 10, "no event": 3}
    assert shown(made.parts) == {"to be sent": 50, "duplicate": 4, "withheld": 2, "invalid": 2}
    assert shown(sent.parts) == {"delivered": 48, "refused by Pinterest": 1, "waiting now": 6}


def test_what_was_received_adds_up() -> None:
    (received, *_) = flow(NOW, NOTHING, Backlog())
    assert received.total == NOW.totals["accepted"] + NOW.totals["refused"]


def test_of_one_ad_account_only_what_presets_made_is_known() -> None:
    assert [level.title for level in flow(NOW, NOTHING, Backlog(), whole=False)] == [
        "What presets made of them",
        "Sent",
    ]


@pytest.mark.parametrize(
    ("before", "said"), [(0, ""), (48, "as before"), (24, "+100 %"), (96, "\u221250 %"), (47, "+2 %")]
)
def test_a_part_says_how_it_differs_from_before(before: int, said: str) -> None:
    (*_, sent) = flow(NOW, WindowCounts(totals={"delivered": before}, withheld_of_presets=0), Backlog())
    assert sent.parts[0].change == said


counts = st.integers(0, 10**9)


@given(
    totals=st.fixed_dictionaries(dict.fromkeys(["accepted", "refused", "unmatched", "withheld", "enqueued"], counts)),
    of_presets=counts,
    pending=counts,
)
def test_parts_lie_side_by_side_within_the_bar_and_what_is_there_can_be_seen(
    totals: dict[str, int], of_presets: int, pending: int
) -> None:
    now = WindowCounts(totals=totals, withheld_of_presets=of_presets)
    for level in flow(now, NOTHING, Backlog(pending=pending)):
        at = 0
        for part in level.parts:
            assert part.at == at
            assert (part.width > 0) == (part.count > 0)
            at += part.width
        assert at <= WIDTH

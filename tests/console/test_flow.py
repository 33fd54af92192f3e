"""The bars of the overview: what parts there are, and that they add up."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.flow import WIDTH, FlowShare, WindowCounts, flow
from app.core.pages import Backlog

ALL = ("received", "made", "sent")
NOW = WindowCounts(
    totals={
        "accepted": 100,
        "refused": 3,
        "unmatched": 40,
        "withheld": 12,
        "enqueued": 50,
        "duplicate": 4,
        "invalid": 2,
        "matched": 61,
        "delivered": 48,
        "rejected": 1,
    },
    withheld_of_presets=2,
)


def shown(parts: tuple[FlowShare, ...]) -> dict[str, int]:
    return {part.label: part.count for part in parts}


def test_each_bar_says_how_events_left() -> None:
    received, made, sent = flow(NOW, None, Backlog(pending=5, claimed=1, dead=1), known=ALL)
    assert shown(received.parts) == {"taken by a preset": 50, "matched no preset": 40, "withheld": 10, "no event": 3}
    assert shown(made.parts) == {
        "to be sent": 50,
        "merged with another": 0,
        "duplicate": 4,
        "withheld": 2,
        "invalid": 2,
        "cancelling an order": 3,
    }
    assert made.total == NOW.totals["matched"]
    assert shown(sent.parts) == {"delivered": 48, "withdrawn": 0, "dead letters now": 1, "waiting now": 6}


def test_what_was_received_adds_up() -> None:
    (received, *_) = flow(NOW, None, Backlog(), known=ALL)
    assert received.total == NOW.totals["accepted"] + NOW.totals["refused"]


def test_a_delivery_that_was_redriven_and_refused_again_is_one() -> None:
    twice = replace(NOW, totals={**NOW.totals, "delivered": 49, "rejected": 2})
    (_, made, sent) = flow(twice, None, Backlog(dead=1), known=ALL)
    assert sent.total == shown(made.parts)["to be sent"]


def test_what_was_withdrawn_is_a_part_of_what_was_to_be_sent() -> None:
    held = replace(NOW, totals={**NOW.totals, "withdrawn": 1})
    (_, made, sent) = flow(held, None, Backlog(dead=1), known=ALL)
    assert sent.total == shown(made.parts)["to be sent"]
    assert [part.filters for part in sent.parts if part.label == "withdrawn"] == [{"exit": "withdrawn"}]


def test_of_what_nothing_is_known_no_bar_is_shown() -> None:
    titles = [level.title for level in flow(NOW, None, Backlog(), known={"made", "sent"})]
    assert titles == ["What presets made of them", "Sent"]


@pytest.mark.parametrize(
    ("before", "said"), [(0, ""), (48, "as before"), (24, "+100 %"), (96, "\u221250 %"), (47, "+2 %")]
)
def test_a_part_says_how_it_differs_from_before(before: int, said: str) -> None:
    compared = (NOW, WindowCounts(totals={"delivered": before}, withheld_of_presets=0))
    later = replace(NOW, totals={**NOW.totals, "delivered": 99})  # the step that runs is not compared
    (*_, sent) = flow(later, compared, Backlog(), known=ALL)
    assert (sent.parts[0].count, sent.parts[0].change) == (99, said)


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
    for level in flow(now, None, Backlog(pending=pending), known=ALL):
        at = 0
        for part in level.parts:
            assert part.at == at
            assert (part.width > 0) == (part.count > 0)
            at += part.width
        assert at <= WIDTH

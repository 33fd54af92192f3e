"""The bars of the overview: what parts there are, and that they add up."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.console.charts import FLOW_WIDTH, FlowShare, WindowCounts, flow
from tests.rows import every_row

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
    received, made, sent = flow(NOW, None, {"waiting": 6, "dead": 1, "dismissed": 2}, known=ALL)
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
    assert shown(sent.parts) == {"delivered": 41, "waiting": 6, "dead": 1, "dismissed": 2, "withdrawn": 0}
    assert [part.filters for part in sent.parts] == [
        *({"state": state} for state in ("delivered", "waiting", "dead", "dismissed")),
        {"outcome": "withdrawn"},
    ]


def test_what_was_received_adds_up() -> None:
    (received, *_) = flow(NOW, None, {}, known=ALL)
    assert received.total == NOW.totals["accepted"] + NOW.totals["refused"]


@given(enqueued=st.integers(0, 10**9), left=st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
def test_where_they_are_now_adds_up_to_what_was_to_be_sent(enqueued: int, left: list[int]) -> None:
    now = replace(NOW, totals={**NOW.totals, "enqueued": enqueued})
    stands = dict(zip(("waiting", "dead", "dismissed"), left, strict=True))
    (_, made, sent) = flow(now, None, stands, known=ALL)
    assert sent.total == max(shown(made.parts)["to be sent"], sum(left))
    assert all(part.count >= 0 for part in sent.parts)


def test_of_what_nothing_is_known_no_bar_is_shown() -> None:
    titles = [level.title for level in flow(NOW, None, {}, known={"made", "sent"})]
    assert titles == ["Made by presets", "Where they are now"]


@every_row(("before", "said"), [(0, ""), (48, "as before"), (24, "+100 %"), (96, "\u221250 %"), (47, "+2 %")])
def test_a_part_says_how_it_differs_from_before(before: int, said: str) -> None:
    over = replace(NOW, totals={**NOW.totals, "enqueued": 48})
    compared = (over, WindowCounts(totals={"enqueued": before}, withheld_of_presets=0))
    later = replace(NOW, totals={**NOW.totals, "enqueued": 99})  # the step that runs is not compared
    (_, made, _) = flow(later, compared, {}, known=ALL)
    assert (made.parts[0].count, made.parts[0].change) == (99, said)


counts = st.integers(0, 10**9)


@given(
    totals=st.fixed_dictionaries(dict.fromkeys(["accepted", "refused", "unmatched", "withheld", "enqueued"], counts)),
    of_presets=counts,
    waiting=counts,
)
def test_parts_lie_side_by_side_within_the_bar_and_what_is_there_can_be_seen(
    totals: dict[str, int], of_presets: int, waiting: int
) -> None:
    now = WindowCounts(totals=totals, withheld_of_presets=of_presets)
    for level in flow(now, None, {"waiting": waiting}, known=ALL):
        at = 0
        for part in level.parts:
            assert part.at == at
            assert (part.width > 0) == (part.count > 0)
            at += part.width
        assert at <= FLOW_WIDTH

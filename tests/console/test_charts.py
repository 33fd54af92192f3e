"""The chart of the overview: bars stacked by outcome."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.charts import FULL, stack


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (2, 2), (7, 8), (10, 20), (37, 40), (40, 40), (101, 200), (1_999, 2_000)]
)
def test_the_axis_ends_at_a_round_even_number(most: int, top: int) -> None:
    assert stack([0], {"delivered": [most]}).top == top


def test_what_was_before_may_be_higher_than_the_bars() -> None:
    assert stack([0], {"delivered": [3]}, [90]).top == 100


@given(counts=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30))
def test_every_count_is_drawn_once_and_lies_on_those_below(counts: list[tuple[int, int]]) -> None:
    series = {"delivered": [each[0] for each in counts], "invalid": [each[1] for each in counts]}
    chart = stack(range(len(counts)), series)
    drawn = {(bar.start, piece.name): piece.count for bar in chart.bars for piece in bar.pieces}
    assert drawn == {
        (place, name): each[place] for name, each in series.items() for place in range(len(counts)) if each[place]
    }
    for bar in chart.bars:
        tops = [piece.top for piece in bar.pieces]
        assert tops == sorted(tops, reverse=True)
        assert all(0 <= piece.top < FULL and piece.height > 0 for piece in bar.pieces)

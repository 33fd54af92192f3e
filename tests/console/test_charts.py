"""The chart of the overview: bars stacked by outcome."""

from hypothesis import given
from hypothesis import strategies as st

from app.console.charts import FULL, marks, stack
from app.core.events import CounterRow
from app.core.pages import AuditAction, AuditEntry
from tests.rows import every_row


@every_row(("most", "top"), [(0, 2), (1, 2), (2, 2), (7, 8), (10, 20), (37, 40), (40, 40), (101, 200), (1_999, 2_000)])
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


def test_acts_and_outages_of_the_span_are_marks_on_the_axis() -> None:
    def act(at: float, what: AuditAction, target: str = "preset Search", after: str = "off") -> AuditEntry:
        return AuditEntry(at=at, who="ada", place="", what=what, target=target, after=after)

    def called(at: int, label: str, count: int) -> tuple[int, CounterRow]:
        return at, CounterRow(name="calls", label=label, count=count)

    entries = [
        act(190, AuditAction.SWITCH),
        act(90, AuditAction.PUBLISH, "checkout.yaml", ""),
        act(59, AuditAction.SWITCH),
        act(240, AuditAction.SWITCH),
        act(100, AuditAction.LOGIN),
    ]
    counted = [called(60, "200", 2), called(60, "503", 1), called(120, "503", 2), called(125, "422", 1)]
    counted += [called(0, "503", 9), (180, CounterRow(name="enqueued"))]
    found = marks(entries, counted, [60, 120, 180])
    assert [(mark.kind, mark.said, mark.x, mark.width) for mark in found] == [
        ("act", "ada published checkout.yaml", 10, 0),
        ("outage", "most calls to Pinterest failed", 20, 20),
        ("act", "ada switched preset Search off", 43.3, 0),
    ]

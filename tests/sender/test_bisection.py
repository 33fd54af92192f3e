"""Finding the refused among the good: nothing good is held to be bad, nothing is sent twice, and few calls are made."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, log2
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.sender.bisection import BatchPart, Begun, Bisection, BisectionEvidence
from tests.rows import every_row

CALLS_AT_ONCE = 4
CALL_S = 0.15


@dataclass
class Played:
    """What became of a batch."""

    accepted: list[int] = field(default_factory=list)
    #: Trusted.
    bad: list[int] = field(default_factory=list)
    calls: list[tuple[int, ...]] = field(default_factory=list)
    all_refused: bool = False
    #: How long it took, where each call takes CALL_S.
    took_s: float = 0

    def left(self, count: int) -> set[int]:
        return set(range(count)) - set(self.accepted) - set(self.bad)


def play(
    count: int,
    bad: set[int],
    *,
    at_once: int = CALLS_AT_ONCE,
    is_down: Callable[[int], bool] = lambda _: False,
    call_s: Callable[[], float] = lambda: CALL_S,
    evidence: BisectionEvidence | None = None,
) -> Played:
    """Send a batch to a Pinterest that refuses calls with a bad event in them, and, while it `is_down`, every call.

    `is_down` is asked by the number of the call, counted from 1.
    """
    evidence = evidence or BisectionEvidence()
    halving = Bisection([str(event) for event in range(count)], evidence)
    played = Played()
    under_way: list[tuple[float, int, BatchPart, bool, Begun]] = []
    while True:
        while len(under_way) < at_once and (part := halving.next()):
            played.calls.append(tuple(map(int, part.events)))
            number = len(played.calls)
            refused = is_down(number) or not bad.isdisjoint(played.calls[-1])
            heapq.heappush(under_way, (played.took_s + call_s(), number, part, refused, evidence.begin()))
        if not under_way:
            played.all_refused = halving.all_refused
            return played
        played.took_s, _, part, refused, begun = heapq.heappop(under_way)
        if refused:
            evidence.refused(part.events, begun)
            halving.refused(part)
        else:
            evidence.accepted(part.events, begun)
            halving.accepted(part)
            played.accepted += map(int, part.events)
        played.bad += map(int, halving.take_bad())


@st.composite
def batches(draw: st.DrawFn, most: int = 300) -> tuple[int, set[int]]:
    count = draw(st.integers(1, most))
    return count, draw(st.sets(st.integers(0, count - 1), max_size=count // 2))


@given(batch=batches(), seed=st.integers(), at_once=st.integers(1, 8))
def test_every_good_event_is_accepted_once_and_none_is_held_to_be_bad(
    batch: tuple[int, set[int]], seed: int, at_once: int
) -> None:
    count, bad = batch
    slow = Random(seed)
    played = play(count, bad, at_once=at_once, call_s=lambda: slow.uniform(0.1, 1))

    assert set(played.bad) <= bad
    assert len(played.bad) == len(set(played.bad))
    if not played.all_refused:
        assert sorted(played.accepted) == sorted(set(range(count)) - bad)
    assert played.left(count) <= bad or played.all_refused


@given(
    batch=batches(most=120),
    begins=st.integers(1, 200),
    lasts=st.integers(1, 60),
    at_once=st.integers(1, 8),
    seed=st.integers(),
)
def test_no_run_of_refusals_makes_a_good_event_bad(
    batch: tuple[int, set[int]], begins: int, lasts: int, at_once: int, seed: int
) -> None:
    """Wherever it begins and ends, and in whatever order answers come."""
    count, bad = batch
    slow = Random(seed)
    played = play(
        count,
        bad,
        at_once=at_once,
        is_down=lambda number: begins <= number < begins + lasts,
        call_s=lambda: slow.uniform(0.1, 1),
    )

    assert set(played.bad) <= bad


@every_row("count", [1, 2, 3, 10, 100, 1_000])
def test_where_everything_is_refused_few_calls_say_so_and_nothing_is_judged(count: int) -> None:
    played = play(count, set(), is_down=lambda _: True)

    assert played.all_refused
    assert (played.accepted, played.bad) == ([], [])
    assert len(played.calls) <= 2 * ceil(log2(count)) + 1
    assert all(number == 1 or len(part) < count for number, part in enumerate(played.calls, 1))


@given(count=st.integers(2, 1_000), data=st.data())
def test_one_bad_event_is_found_by_few_calls(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, count - 1))
    played = play(count, {bad})

    assert played.bad == [bad]
    assert len(played.accepted) == count - 1
    assert len(played.calls) - 1 <= 3 * ceil(log2(count)) + 1


@every_row(
    ("count", "bad", "calls"),
    [
        (1, set(), [(0,)]),
        (4, set(), [(0, 1, 2, 3)]),
        (1, {0}, [(0,)]),  # whose fault that is nobody can say
        (2, {1}, [(0, 1), (0,), (1,)]),
        (2, {0}, [(0, 1), (0,), (1,), (0,)]),  # once more, after another was accepted
        (4, {3}, [(0, 1, 2, 3), (0, 1), (2,), (3,)]),  # that 2-3 is refused is known
        (4, {0}, [(0, 1, 2, 3), (0, 1), (0,), (1,), (2, 3), (0,)]),
    ],
)
def test_a_search_makes_exactly_these_calls(count: int, bad: set[int], calls: Sequence[tuple[int, ...]]) -> None:
    assert play(count, bad, at_once=1).calls == calls


def test_fifty_bad_events_of_a_thousand_are_found_within_sixteen_seconds() -> None:
    """By the four calls at once of the default settings, at 150 ms a call."""
    for seed in range(20):
        bad = set(Random(seed).sample(range(1_000), 50))
        played = play(1_000, bad)

        assert len(played.accepted) == 950
        assert len(played.left(1_000)) <= 4  # they wait until another event is accepted
        assert played.took_s < 16


def test_what_was_refused_alone_at_the_end_is_proven_by_the_next_batch() -> None:
    evidence = BisectionEvidence()
    assert play(1, {0}, evidence=evidence).bad == []
    begun = evidence.begin()
    evidence.accepted(["another"], begun)

    assert play(1, {0}, evidence=evidence).bad == [0]


def test_an_empty_batch_asks_for_nothing() -> None:
    assert Bisection([], BisectionEvidence()).next() is None

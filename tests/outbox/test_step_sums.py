"""Counts of steps that are over are summed beside, and tell the same as the counts themselves."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.events import CounterRow
from app.outbox import Outbox, open_outbox
from app.outbox.counts import STEP_SETTLED_S, SUMMED_S, sum_parameters
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, delivered, new, rules
from tests.rounds import examples
from tests.rows import every_row

#: In what steps one asks; 0 is all at once.
STEPS = (0, 60, 300, *SUMMED_S)
NAMES = ("accepted", "refused", "quality")


class Told:
    """What was counted, by minute: the model."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, str]] = Counter()

    def of(
        self, since: float, step_s: int, until: float | None, names: tuple[str, ...] | None
    ) -> Counter[tuple[float, str]]:
        found: Counter[tuple[float, str]] = Counter()
        for (minute, name), count in self.counts.items():
            if since <= minute and (until is None or minute < until) and (names is None or name in names):
                found[minute // step_s * step_s if step_s else since, name] += count
        return found


async def read(outbox: Outbox, since: float, step_s: int, **asked: object) -> Counter[tuple[float, str]]:
    found = await outbox.counters(since=since, step_s=step_s, **asked)  # type: ignore[arg-type] # typed by its use
    assert len({(at, counter.name) for at, counter in found}) == len(found)
    return Counter({(at, counter.name): counter.count for at, counter in found})


async def goes_well(url: str, history: list[tuple[float, float, str, bool]]) -> None:
    """A step of a history: how much time passes, how long ago something is counted, what, whether sums are made."""
    at = At(open_outbox(url, rules(ledger_s=90 * DAY_S), clock=lambda: NOW), NOW)
    told = Told()
    try:
        for passed_s, ago_s, name, is_summed in history:
            at = at.later(passed_s)
            then = at.later(-ago_s)
            await then.enqueue(counters=(CounterRow(name=name, count=3),))
            told.counts[int(then.now // 60) * 60, name] += 3
            if not is_summed:
                continue
            await at.retain_all()
            for step_s in STEPS:
                span_s = max(step_s, HOUR_S)
                for back in (1, 30, 9 * DAY_S // span_s + 2):
                    since = (at.now // span_s - back) * span_s
                    for until, names in ((None, None), (since + 5 * span_s, NAMES[:2])):
                        found = await read(at.outbox, since, step_s, until=until, names=names)
                        # Of minutes that are old only their hour is known.
                        known = told.of(since, step_s, until, names)
                        assert sums_by_hour(found) == sums_by_hour(known), (step_s, since, at.now)
    finally:
        await at.outbox.close()


def sums_by_hour(counts: Counter[tuple[float, str]]) -> Counter[tuple[float, str]]:
    sums: Counter[tuple[float, str]] = Counter()
    for (start, name), count in counts.items():
        sums[start // HOUR_S, name] += count
    return sums


@pytest.mark.slow
async def test_sums_tell_what_was_counted_and_so_they_do_where_something_comes_late(outbox_url: str) -> None:
    steady = [(1_800.0, 0, name, n % 3 == 0) for n in range(60) for name in NAMES[:1]]
    late = [
        (60.0, 2 * HOUR_S, "refused", True),
        (0.0, DAY_S, "quality", False),
        (1.0, DAY_S, "quality", True),
        (DAY_S, 0, "accepted", True),
    ]
    await goes_well(outbox_url, [*steady[:20], *late, *steady[:12], (3 * DAY_S, 0, "accepted", True), *late])


@pytest.mark.slow
@pytest.mark.prove
def test_sums_of_any_history_tell_what_was_counted(empty_store: Callable[[], AbstractContextManager[str]]) -> None:
    steps = st.tuples(
        st.sampled_from([0.0, 60.0, 1_700.0, HOUR_S, 7 * HOUR_S, DAY_S]),
        st.sampled_from([0, 0, 0, 400, 4_000, 30_000]),
        st.sampled_from(NAMES),
        st.booleans(),
    )

    @settings(max_examples=examples(5), deadline=None)
    @given(history=st.lists(steps, min_size=5, max_size=25))
    def check(history: list[tuple[float, float, str, bool]]) -> None:
        with empty_store() as url:
            asyncio.run(goes_well(url, history))

    check()


async def test_what_a_settlement_counts_late_is_told_too(at: At) -> None:
    await at.enqueue(new(), counters=(CounterRow(name="accepted"),))
    (claimed,) = await at.claim()
    await at.later(HOUR_S + STEP_SETTLED_S).retain_all()
    await at.settle(delivered(claimed), counters=(CounterRow(name="delivered"),))
    found = await read(at.outbox, NOW, int(HOUR_S), names=("accepted", "delivered"))
    assert found == {(NOW, "accepted"): 1, (NOW, "delivered"): 1}


@every_row(
    ("since", "step_s", "spans", "expected"),
    [
        (7_200.5, 60, {3_600: (0, 10_800)}, (7_201, 7_201, 7_201)),
        (7_200, 3_600, {}, (7_200, 7_200, 7_200)),
        (3_600, 3_600, {3_600: (0, 10_800)}, (3_600, 10_800, 10_800)),
        (20_000, 3_600, {3_600: (0, 10_800)}, (21_600, 21_600, 21_600)),
        (100, 0, {3_600: (0, 10_800)}, (3_600, 10_800, 10_800)),
        # The day that runs is that of its hours; of a young store the hours are all that is summed.
        (0, 86_400, {3_600: (80_000, 97_200), 86_400: (0, 86_400)}, (0, 86_400, 97_200)),
        (0, 86_400, {3_600: (7_200, 10_800)}, (7_200, 7_200, 10_800)),
        # Hours that do not follow are of no use.
        (0, 86_400, {3_600: (90_000, 97_200), 86_400: (0, 86_400)}, (0, 86_400, 86_400)),
    ],
)
def test_which_stretches_are_read_from_which_sums(
    since: float, step_s: int, spans: dict[int, tuple[int, int]], expected: tuple[int, int, int]
) -> None:
    sums = sum_parameters(since, step_s, spans)
    assert (sums["sums_from"], sums["sums_until"], sums["later_from"]) == expected

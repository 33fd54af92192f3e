"""Time that passed is told from time that a clock was set by."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.shared_values import ClockJump
from app.sender.clocks import Clocks, add_jump, age_s
from tests.rows import every_row
from tests.sender.claims import NOW

HOUR, DAY = 3_600.0, 86_400.0


class Machine:
    """A machine whose clock can be set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.steady = 1_000.0

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now, lambda: self.steady)


def jump(before: float, after: float) -> ClockJump:
    return ClockJump(before=NOW + before, after=NOW + after)


@every_row(
    ("since", "now", "jumps", "age"),
    [
        (0, 100, [], 100),
        (0, 4 * DAY + 20, [jump(10, 4 * DAY + 10)], 20),  # 10 s before, 10 s after
        (4 * DAY + 15, 4 * DAY + 20, [jump(10, 4 * DAY + 10)], 5),  # enqueued after it
        (HOUR, HOUR + 9, [jump(0, 10)], 9),
        (0, 3 * DAY, [jump(10, 4 * DAY), jump(4 * DAY + 9, 19)], 3 * DAY),  # an error that is mended: 3 d - 4 d + 4 d
        (0, 2 * DAY + 5, [jump(10, 4 * DAY), jump(4 * DAY, 2 * DAY)], 15),  # 10 s before the first, 5 s after the last
        (0, -HOUR + 20, [jump(10, -HOUR + 10)], 20),  # set back
        (-2 * HOUR, -HOUR + 20, [jump(10, -HOUR + 10)], 2 * HOUR + 20),
        (-2 * HOUR, HOUR, [jump(10, -HOUR + 10)], 4 * HOUR),
        (-HOUR + 300, 0, [jump(10, -HOUR + 10)], HOUR - 300),  # one or two hours old: rather one
        (0, 7 * DAY, [jump(10, DAY), jump(DAY + 10, 3 * DAY)], 4 * DAY + 20),
        (61, 60, [jump(0, 61)], 0),  # set back since by less than is noticed
        (-HOUR + 11, -HOUR + 10, [jump(10, -HOUR + 10)], 0),
        (2 * HOUR, DAY + 9, [jump(10, DAY)], 9),  # skipped here, so of another machine: as old as the jump
        (3 * DAY, DAY + 9, [jump(10, DAY)], 0),
    ],
)
def test_the_age_leaves_out_what_the_clock_was_set_forward_by(
    since: float, now: float, jumps: Sequence[ClockJump], age: float
) -> None:
    assert age_s(NOW + since, NOW + now, jumps) == pytest.approx(age, abs=1e-3)


@given(
    steps=st.lists(st.tuples(st.floats(0, 10 * HOUR), st.floats(-2 * DAY, 10 * DAY)), max_size=10),
    data=st.data(),
)
def test_whatever_the_clock_does_nothing_is_older_than_the_time_that_passed(
    steps: list[tuple[float, float]], data: st.DataObject
) -> None:
    machine = Machine()
    clocks = machine.clocks()
    began: list[tuple[float, float]] = []
    for passes_s, set_by_s in steps:
        began.append((clocks.now(), machine.steady))
        machine.pass_time(passes_s)
        machine.now += set_by_s
    began.append((clocks.now(), machine.steady))

    since, steady = data.draw(st.sampled_from(began))
    assert clocks.age_s(since) <= machine.steady - steady + 2 * len(steps) + 1e-3  # smaller ones are not noticed


@every_row(("step_s", "is_noticed"), [(0, False), (1.9, False), (-1.9, False), (2.1, True), (-2.1, True)])
def test_a_step_is_noticed_at_the_next_look(step_s: float, *, is_noticed: bool) -> None:
    machine = Machine()
    clocks = machine.clocks()
    machine.pass_time(HOUR)
    machine.now += step_s

    expected = [jump(HOUR, HOUR + step_s)] if is_noticed else []
    assert clocks.now() == NOW + HOUR + step_s
    assert clocks.has_jumped == is_noticed
    assert clocks.noticed() == expected
    assert list(clocks.jumps) == expected
    for each in expected:
        clocks.heeded(each)
    assert not clocks.has_jumped
    assert list(clocks.jumps) == expected


def test_a_clock_that_is_slowed_down_or_rescheduled_is_no_step() -> None:
    machine = Machine()
    clocks = machine.clocks()
    for _ in range(1_000):
        machine.pass_time(1)
        machine.now += 0.0005  # what time services do
        clocks.now()

    assert not clocks.has_jumped


def test_what_others_noticed_before_is_learnt() -> None:
    machine = Machine()
    clocks = machine.clocks()
    clocks.learn([jump(-4 * DAY, -10)])

    assert clocks.age_s(NOW - 4 * DAY - 30) == pytest.approx(40, abs=1e-3)


@pytest.mark.parametrize(
    ("known", "new", "after"),
    [
        ([], jump(0, DAY), [jump(0, DAY)]),
        ([jump(0, DAY)], jump(0.5, DAY + 0.5), [jump(0, DAY)]),  # another process saw it a little later
        ([jump(0, DAY)], jump(2 * DAY, 3 * DAY), [jump(0, DAY), jump(2 * DAY, 3 * DAY)]),
        ([jump(0, DAY)], jump(DAY + 9, 9), [jump(0, DAY), jump(DAY + 9, 9)]),
    ],
)
def test_a_jump_is_kept_once(known: list[ClockJump], new: ClockJump, after: list[ClockJump]) -> None:
    assert list(add_jump(known, new)) == after


def test_few_jumps_are_kept() -> None:
    jumps: tuple[ClockJump, ...] = ()
    for number in range(50):
        jumps = add_jump(jumps, jump(number * HOUR, number * HOUR + 60))

    assert len(jumps) == 20
    assert jumps[-1] == jump(49 * HOUR, 49 * HOUR + 60)

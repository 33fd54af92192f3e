"""The checker finds what must not be, and nothing else."""

import pytest

from tests.rows import every_row
from tests.simulation.history import Call, History, Life, Outage, faults

LIFE = Life(number=0, began_at=0.0)


def history(*calls: tuple[float, int], free_at: float = 0.0) -> History:
    """Return what happened where Pinterest took nothing from 100 s to 400 s: calls, by when, and of how many events."""
    return History(
        is_offline=False,
        max_age_s=600,
        max_pause_s=20,
        bad=frozenset(),
        calls=[Call(LIFE, began_at, tuple(f"e-{number}" for number in range(count))) for began_at, count in calls],
        outages=[Outage(100, 400)],
        free_at=free_at,
    )


@every_row(
    "allowed",
    [
        pytest.param(history(), id="nobody tried"),
        pytest.param(history((50, 900), (410, 900)), id="the backlog before it and after it"),
        pytest.param(history((101, 50), (130, 50)), id="the backlog before it is known"),
        pytest.param(history(*((110 + 20 * number, 1) for number in range(14))), id="probes"),
        pytest.param(history((101, 1), (150, 50)), id="as many as may be"),
        pytest.param(history((101, 50), (300, 50), free_at=290), id="the store is locked, so nobody can note it"),
        pytest.param(history((101, 50), (390, 50), free_at=370), id="it is over before it could be noted"),
        pytest.param(history((101, 50), free_at=700), id="it is over long before the store is free"),
    ],
)
def test_who_tries_no_more_than_probes_in_a_known_outage_is_without_fault(allowed: History) -> None:
    assert faults(allowed) == []


@pytest.mark.parametrize(
    ("pressed", "fault"),
    [
        (history((101, 1), (150, 51)), "51 events were sent in 259 s of an outage, 50 may be"),
        (history((101, 1), (350, 30), free_at=300), "30 events were sent in 60 s of an outage, 21 may be"),
    ],
)
def test_who_presses_the_backlog_in_a_known_outage_is_found(pressed: History, fault: str) -> None:
    assert faults(pressed) == [fault]

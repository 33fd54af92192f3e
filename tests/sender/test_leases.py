"""Leases are renewed while the work goes on."""

import asyncio
from collections.abc import Sequence

import pytest

from app.core.deliveries import Claimed
from app.errors import OutboxUnavailable
from app.sender.leases import Leases
from tests.sender.claims import NOW, a_claim
from tests.waiting import until_async


class Renewals:
    """An outbox that notes what is renewed, and is unavailable at first, then fails as nobody foresaw."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], float, float]] = []

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        self.calls.append(([each.delivery_id for each in claimed], lease_s, now))
        if len(self.calls) <= 2:
            raise OutboxUnavailable if len(self.calls) == 1 else ZeroDivisionError


async def test_what_is_held_is_renewed_whatever_goes_wrong_meanwhile(errors: list[Exception]) -> None:
    outbox = Renewals()
    leases = Leases(outbox.renew, lease_s=0.06, clock=lambda: NOW, monotonic=lambda: 0, on_error=errors.append)
    running = asyncio.create_task(leases.run())

    async def renewed_since(count: int) -> bool:
        return len(outbox.calls) > count

    leases.hold([a_claim(delivery_id="1"), a_claim(delivery_id="2")])
    await until_async(lambda: renewed_since(2))
    leases.release([a_claim(delivery_id="1"), a_claim(delivery_id="unknown")])
    seen = len(outbox.calls)
    await until_async(lambda: renewed_since(seen))
    leases.release([a_claim(delivery_id="2")])
    running.cancel()

    assert outbox.calls[2] == (["1", "2"], 0.06, NOW)
    assert outbox.calls[-1] == (["2"], 0.06, NOW)
    assert [type(error) for error in errors] == [OutboxUnavailable, ZeroDivisionError]


async def test_the_outbox_is_asked_also_while_nothing_is_held(errors: list[Exception]) -> None:
    """It may keep something at hand for the next claim."""
    outbox = Renewals()
    leases = Leases(outbox.renew, lease_s=0.003, clock=lambda: NOW, monotonic=lambda: 0, on_error=errors.append)

    running = asyncio.create_task(leases.run())

    async def is_asked() -> bool:
        return bool(outbox.calls)

    await until_async(is_asked)
    running.cancel()
    assert outbox.calls[-1] == ([], 0.003, NOW)


def test_a_release_does_not_let_go_of_a_newer_claim(errors: list[Exception]) -> None:
    leases = Leases(Renewals().renew, lease_s=1, clock=lambda: NOW, monotonic=lambda: 0, on_error=errors.append)
    old, new = a_claim(claim="old"), a_claim(claim="new")
    leases.hold([old])
    leases.hold([new])
    leases.release([old])
    assert leases._held == {"1": new}


def test_claims_are_stale_after_the_process_stood_still_for_a_lease(errors: list[Exception]) -> None:
    now = 0.0
    leases = Leases(Renewals().renew, lease_s=30, clock=lambda: NOW, monotonic=lambda: now, on_error=errors.append)
    old, new = a_claim(claim="old", delivery_id="1"), a_claim(claim="new", delivery_id="2")
    leases.hold([old])
    now = 29.0
    assert not leases.are_stale([old])
    now = 59.0
    leases.hold([new])

    assert leases.are_stale([old])
    assert leases.are_stale([new, old])
    assert not leases.are_stale([new])


@pytest.mark.parametrize(
    ("seconds", "may"),
    [
        ([0], False),  # whoever lives renews within a third of a lease
        ([45], True),
        ([45, "disturbed"], False),
        ([45, "disturbed", 89], False),
        ([45, "disturbed", 90], True),
        ([45, "disturbed", 60, "disturbed", 60], False),
    ],
)
def test_after_a_disturbance_every_holder_has_the_time_of_a_lease_to_come_forward(
    errors: list[Exception], seconds: list[float | str], *, may: bool
) -> None:
    passed_s = 0.0
    leases = Leases(Renewals().renew, lease_s=90, clock=lambda: NOW, monotonic=lambda: passed_s, on_error=errors.append)
    for step in seconds:
        if isinstance(step, str):
            leases.disturbed()
        else:
            passed_s += step

    assert leases.may_take_over == may

"""All processes together stay under the limit, through the outbox."""

from app.delivery import Limiter
from app.outbox import Outbox
from tests.delivery.overtaken import Overtaken


def limiter(outbox: Outbox, *, max_calls_per_minute: int = 600) -> Limiter:
    return Limiter(outbox, ad_account_id="42", max_calls_per_minute=max_calls_per_minute)


async def test_processes_share_one_bucket(outbox: Outbox) -> None:
    one, other = limiter(outbox), limiter(outbox)

    granted = [await each.take(now=100.0) == 0 for each in (one, other) for _ in range(10)]

    assert granted.count(True) == 10  # 600 / 60 * 1 s


async def test_a_wait_is_told_where_nothing_is_left(outbox: Outbox) -> None:
    one = limiter(outbox, max_calls_per_minute=60)

    assert await one.take(now=100.0) == 0
    assert 0 < await one.take(now=100.0) <= 60 / 59 + 1e-9
    assert await one.take(now=102.0) == 0


async def test_several_calls_are_reserved_at_once_and_lapse(outbox: Outbox) -> None:
    one = limiter(outbox)

    await one.take(now=100.0)
    reserved = await outbox.get_shared("rate/42")
    await one.take(now=100.5)
    unchanged = await outbox.get_shared("rate/42")
    await one.take(now=101.5)
    renewed = await outbox.get_shared("rate/42")

    assert reserved
    assert unchanged
    assert renewed
    assert reserved.value["calls"] == 2  # 10 - 8
    assert reserved.revision == unchanged.revision != renewed.revision


async def test_who_writes_second_asks_again_soon(outbox: Outbox) -> None:
    late = Limiter(Overtaken(outbox), ad_account_id="42", max_calls_per_minute=600)

    assert 0 < await late.take(now=100.0) < 0.1

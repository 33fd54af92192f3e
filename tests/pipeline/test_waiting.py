"""Which orders wait for the same order from the other side, and for how long."""

from pathlib import Path
from typing import Any

import pytest

from app.core.deliveries import NewDelivery
from app.core.trust import SourceTraits
from app.outbox import open_outbox
from app.pipeline.waiting import OrderWaits
from tests.outbox.build import NOW, new, rules
from tests.rows import every_row

PUBLIC, TRUSTED = SourceTraits(is_trusted=False), SourceTraits(is_trusted=True)
BOTH = {"web": PUBLIC, "shop": TRUSTED}
DAY_S = 86_400


def waits(
    sources: dict[str, SourceTraits] = BOTH, *, takes: frozenset[str] | None = None, shared: Any = None, **changes: Any
) -> OrderWaits:
    return OrderWaits(
        rules(**changes), accounts={"1": takes}, sources=lambda: sources, traits_of=sources.__getitem__, shared=shared
    )


async def drafted(waits: OrderWaits, trust: SourceTraits = PUBLIC, *, at: float = NOW, **members: Any) -> NewDelivery:
    """Return an order of a side with what is decided of it when it arrives."""
    properties = members.pop("properties", {"total": 5, "currency": "USD"})
    standard = {"ad_account_id": "1", "order_id": "SO-1", "event_time": int(at)}
    source = "shop" if trust.is_trusted else "web"
    delivery = new(is_trusted=trust.is_trusted, shop=trust.shop, source=source, **(standard | members))
    built = {"event_id": delivery.event_id, "action_source": delivery.action_source}
    await waits.look(at)
    return waits.with_side(delivery, {"type": "track", "messageId": "m", "properties": properties}, built, at)


@every_row(
    ("sources", "takes", "is_paired"),
    [
        (BOTH, None, True),
        (BOTH, frozenset({"web", "shop"}), True),
        (BOTH, frozenset({"web"}), False),
        ({"web": PUBLIC, "app": PUBLIC}, None, False),
        ({"shop": TRUSTED}, None, False),
        ({}, None, False),
        ({"web": PUBLIC, "shop": SourceTraits(is_trusted=True, shop="Berlin")}, None, False),
        ({"web": SourceTraits(is_trusted=False, shop="Berlin"), "shop": TRUSTED}, None, False),
    ],
)
async def test_an_order_waits_where_a_page_and_a_shop_send_to_one_account_and_shop(
    sources: dict[str, SourceTraits], takes: frozenset[str] | None, *, is_paired: bool
) -> None:
    for trust in (PUBLIC, TRUSTED):
        delivery = await drafted(waits(sources, takes=takes), trust)
        assert (delivery.wait_s, delivery.side is not None) == (600 * is_paired, is_paired)


async def test_sources_of_one_shop_are_paired() -> None:
    web, shop = (SourceTraits(is_trusted=trusted, shop="Berlin") for trusted in (False, True))
    berlin = waits({"web": web, "shop": shop, "paris": SourceTraits(is_trusted=True, shop="Paris")})

    assert [(await drafted(berlin, trust)).wait_s for trust in (web, shop)] == [600, 600]
    assert (await drafted(berlin, SourceTraits(is_trusted=True, shop="Paris"))).side is None


@every_row(
    ("trust", "changes", "members", "wait_s"),
    [
        (PUBLIC, {}, {}, 600),
        (PUBLIC, {"order_wait_minutes": 0.5}, {}, 30),
        (PUBLIC, {"order_wait_minutes": 0}, {}, 0),
        (PUBLIC._replace(waits_for_page=False), {}, {}, 600),
        (TRUSTED._replace(waits_for_page=False), {}, {}, 0),
        (PUBLIC, {}, {"order_id": None}, 0),
        (PUBLIC, {}, {"order_id": None, "properties": {"checkout_token": "t"}}, 600),
        (PUBLIC, {}, {"event_time": int(NOW) - 7_200}, 600),
        (TRUSTED, {}, {"event_time": int(NOW) - 7_200}, 0),
        (TRUSTED, {}, {"event_time": int(NOW) - 54 * 60}, 60),
        (TRUSTED, {}, {"event_time": int(NOW) + 60}, 600),
        (TRUSTED, {}, {"properties": {"source_name": "pos"}}, 0),
        (PUBLIC, {}, {"properties": {"source_name": "pos"}}, 600),
        (TRUSTED, {}, {"action_source": "offline"}, 0),
    ],
)
async def test_how_long_an_order_waits(
    trust: SourceTraits, changes: dict[str, Any], members: dict[str, Any], wait_s: float
) -> None:
    sources = BOTH | {"shop" if trust.is_trusted else "web": trust}
    delivery = await drafted(waits(sources, **changes), trust, **members)

    assert delivery.wait_s == wait_s
    assert delivery.side is not None


async def test_a_side_that_sent_no_order_for_thirty_days_is_not_waited_for(tmp_path: Path) -> None:
    outbox = open_outbox(f"sqlite:///{tmp_path}/o.db", rules())
    mine = waits(shared=outbox)
    # both count as heard of from the first start
    assert (await drafted(mine, TRUSTED)).wait_s == 600
    assert (await drafted(mine, TRUSTED, at=NOW + 29 * DAY_S)).wait_s == 600
    assert (await drafted(mine, TRUSTED, at=NOW + 30 * DAY_S)).wait_s == 0
    # the page hears of the shop
    assert (await drafted(mine, PUBLIC, at=NOW + 31 * DAY_S)).wait_s == 600
    assert (await drafted(mine, TRUSTED, at=NOW + 31 * DAY_S + 120)).wait_s == 600
    # another process knows it, a day exactly
    other = waits(shared=outbox)
    assert (await drafted(other, TRUSTED, at=NOW + 60 * DAY_S)).wait_s == 600
    assert (await drafted(other, TRUSTED, at=NOW + 62 * DAY_S)).wait_s == 0
    await outbox.close()


@pytest.mark.slow
async def test_what_is_heard_is_written_once_a_day(tmp_path: Path) -> None:
    outbox = open_outbox(f"sqlite:///{tmp_path}/o.db", rules())
    mine = waits(shared=outbox)
    for minute in range(0, 60 * 24 * 2 + 10, 10):
        await drafted(mine, TRUSTED, at=NOW + minute * 60)

    written = {key: value.revision for key, value in (await outbox.list_shared("orders-heard/")).items()}
    assert written == {"orders-heard/1/trusted/": 2, "orders-heard/1/public/": 1}
    await outbox.close()


@pytest.mark.parametrize(("trust", "named"), [(PUBLIC, True), (TRUSTED, False)])
async def test_a_page_that_gives_its_tag_the_message_id_names_it(trust: SourceTraits, *, named: bool) -> None:
    for setting, expected in (("event_id", False), ("message_id", named)):
        delivery = await drafted(waits(tag_event_id=setting), trust, message_id="m", event_id="m")
        assert delivery.side
        assert delivery.side.names_event_id is expected


async def test_only_a_page_is_withheld_where_it_stays_alone() -> None:
    mine = waits(unconfirmed_orders="withhold")

    assert [(await drafted(mine, trust)).is_withheld_alone for trust in (PUBLIC, TRUSTED)] == [True, False]

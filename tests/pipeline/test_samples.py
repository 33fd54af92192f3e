"""Samples: a few events of each name, half of them public at most, none of who says no, erased with a person."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.assemble.services import make_services
from app.core.events import Event
from app.core.pages import Quarantined, QuarantineFilter
from app.core.people import NamedPerson
from app.core.shared_values import SAMPLES_HURRIED
from app.errors import EventRefused, SettingsError
from app.outbox import Outbox, open_outbox
from app.pipeline import samples as sampling
from app.source import Intake
from tests import assembled
from tests.outbox.new_store import new_store

NOW = 1_800_000_000.0
DAY_S = 86_400
ON: dict[str, Any] = {"samples_per_name": 4, "quarantine_key": "a key of the quarantine, long enough"}
MEMORY = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
ORDER = {"type": "track", "event": "Order Completed", "userId": "u-1", "properties": {"order_id": "SO-1", "total": 5}}
_numbers = count()


class Shop:
    """A store with a pipeline that keeps samples."""

    def __init__(self, url: str, **changes: Any) -> None:
        self.settings = assembled.settings(outbox_url=url, **(ON | changes))
        self.outbox: Outbox = open_outbox(url, self.settings, clock=lambda: NOW)
        catalog = assembled.shipped_catalog()
        quarantine = assemble.quarantine(self.settings, self.outbox)
        self.pipeline = assemble.pipeline(self.settings, catalog, outbox=self.outbox, quarantine=quarantine)
        found = assemble.samples(self.settings, self.outbox, lambda: catalog)
        assert found is not None
        self.samples = found
        #: Seconds of CPU that keeping some events takes.
        self.costs_s = 0.0
        ticks = count()
        found._cpu_clock = lambda: self.costs_s * next(ticks)
        self.pipeline.listeners = (found,)

    async def accept(self, *events: Event, now: float = NOW, is_trusted: bool = True) -> None:
        given = ({"messageId": f"m-{next(_numbers)}", "timestamp": now, "context": PERSON} | each for each in events)
        await self.pipeline.accept(Intake(list(given), now=now, is_trusted=is_trusted))

    async def kept(self, now: float = NOW) -> list[Quarantined]:
        return await self.outbox.sealed_events.find(QuarantineFilter(samples=True), now=now, after=0, limit=1_000)


@pytest.fixture
async def shop(tmp_path: Path) -> Any:
    made = Shop(new_store(tmp_path, "o.db"))
    yield made
    await made.outbox.close()


async def test_a_few_of_each_name_are_kept_sealed_for_a_day(shop: Shop) -> None:
    await shop.accept(*[ORDER] * 9, {"type": "page"})
    kept = await shop.kept()
    assert sorted(each.name for each in kept) == ["Order Completed"] * 4 + ["page"]
    assert {(each.outcome.value, each.is_trusted, each.ends_at) for each in kept} == {("accepted", True, NOW + DAY_S)}
    assert "SO-1" not in "".join(each.sealed for each in kept)
    assert await shop.kept(now=NOW + DAY_S) == []
    assert await shop.outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=9) == []
    assert await shop.outbox.sealed_events.groups(now=NOW, limit=9) == []


async def test_new_ones_come_through_the_day_and_the_oldest_go(shop: Shop) -> None:
    await shop.accept(*[ORDER] * 9)
    await shop.accept(ORDER, now=NOW + DAY_S / 4 - 1)
    assert {each.at for each in await shop.kept()} == {NOW}
    await shop.accept(ORDER, now=NOW + DAY_S / 4)
    assert [each.at for each in await shop.kept()] == [NOW] * 3 + [NOW + DAY_S / 4]


async def test_half_of_them_are_public_at_most(shop: Shop) -> None:
    await shop.accept(*[ORDER] * 9, is_trusted=False)
    assert [each.is_trusted for each in await shop.kept()] == [False] * 2
    await shop.accept(*[ORDER] * 9, now=NOW + 2)
    assert sorted(each.is_trusted for each in await shop.kept()) == [True] * 4
    await shop.accept(ORDER, now=NOW + DAY_S / 2 + 2, is_trusted=False)
    assert sorted(each.is_trusted for each in await shop.kept()) == [False, True, True, True]


async def test_names_are_bounded_by_trust(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_MAX_NAMES", 2)
    made_up = [{"type": "track", "event": f"made up {number}"} for number in range(9)]
    await shop.accept(*made_up, is_trusted=False)
    await shop.accept(ORDER)
    assert {each.name for each in await shop.kept()} == {"made up 0", "made up 1", "Order Completed"}


@pytest.mark.parametrize(
    "event",
    [
        ORDER | {"properties": {"opt_out": True}},
        ORDER | {"integrations": {"All": False}},
        ORDER | {"properties": {"note": "x" * 100_000}},
        {"type": "delete", "userId": "u-1"},
    ],
    ids=str,
)
async def test_some_events_are_never_kept(shop: Shop, event: Event) -> None:
    await shop.accept(event)
    assert await shop.kept() == []


@pytest.mark.slow
async def test_a_request_that_erases_somebody_gives_no_sample_and_erases_those_of_before(tmp_path: Path) -> None:
    shop = Shop(new_store(tmp_path, "o.db"), **MEMORY)
    await shop.accept(ORDER, ORDER | {"userId": "u-2"})
    assert len(await shop.kept()) == 2
    await shop.accept(ORDER, {"type": "delete", "userId": "u-1"})
    assert len(await shop.kept()) == 1
    await assemble.forgetting(shop.settings, shop.outbox).forget(NamedPerson(user_id="u-2"), now=NOW)
    assert await shop.kept() == []
    await shop.outbox.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("costs_s", "kept"),
    [(0.0, 8), (0.001, 8), (0.0025, 4), (0.005, 2), (0.1, 1)],
    ids=str,
)
async def test_a_live_run_keeps_ten_a_second_and_takes_one_percent_of_a_core_at_most(
    shop: Shop, costs_s: float, kept: int
) -> None:
    await shop.accept(*[ORDER] * 9)
    shop.samples.hurried_until, shop.costs_s = NOW + 60, costs_s
    assert costs_s * kept <= 0.01 or kept == 1
    for step in range(32):
        await shop.accept(*[ORDER] * 3, now=NOW + 30 + step / 32)
    assert [each.at for each in await shop.kept() if each.at > NOW] == [
        NOW + 30 + number / kept for number in range(kept)
    ]


async def test_what_is_refused_is_no_sample_and_counts_in_its_place(shop: Shop) -> None:
    order = ORDER | {"messageId": "m", "timestamp": NOW, "context": PERSON}
    await shop.pipeline.accept(Intake([EventRefused("no event"), order], now=NOW, is_trusted=True))
    assert [each.message_id for each in await shop.kept()] == ["m"]


async def test_one_sample_a_name_is_none_of_strangers(tmp_path: Path) -> None:
    shop = Shop(new_store(tmp_path, "o.db"), samples_per_name=1)
    await shop.accept(ORDER, is_trusted=False)
    assert await shop.kept() == []
    await shop.outbox.close()


async def test_samples_are_off_unless_asked_for_and_need_a_key(tmp_path: Path) -> None:
    outbox: Any = None
    assert assemble.samples(assembled.settings(), outbox, assembled.shipped_catalog) is None
    settings = assembled.settings(samples_per_name=1, outbox_url=new_store(tmp_path, "o.db"))
    opened = open_outbox(settings.outbox_url, settings)
    with pytest.raises(SettingsError, match="QUARANTINE_KEY"):
        assemble.samples(settings, opened, assembled.shipped_catalog)
    await opened.close()


async def test_a_process_keeps_samples_and_more_while_that_is_wanted(tmp_path: Path) -> None:
    settings = assembled.settings(outbox_url=new_store(tmp_path, "o.db"), **ON)
    services = make_services(settings, "all", clock=lambda: NOW, environ={})
    assert services.samples in services.listeners
    assert services.samples is not None
    await SAMPLES_HURRIED.write(services.outbox, NOW + 60)
    await services.coordination.refresh(now=NOW)
    await services.look_at_files()
    assert services.samples.hurried_until == NOW + 60
    await services.outbox.close()

"""What a mended preset makes of events that are kept in quarantine."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import assemble
from app.config import Settings
from app.core.events import Outcome
from app.core.pages import QuarantineFilter
from app.core.values.times import DAY_S
from app.errors import FeatureOff
from app.outbox import Outbox, open_outbox
from app.pipeline.receipts import BACKLOG_FULL
from app.pipeline.replay import Replaying
from app.source import Intake
from tests import assembled
from tests.catalog.test_destinations import folder_of
from tests.outbox.build import new, payload
from tests.outbox.new_store import new_store
from tests.pipeline.test_quarantine import KEY, MEMORY, NOW

ALL = QuarantineFilter()
BROKEN = """
name: Purchase
subscribe: event = "Purchase"
action: report_conversion_event
mapping: {event_name: checkout, event_time: {"@path": $.properties.nowhere}}
"""
MENDED = BROKEN.replace(', event_time: {"@path": $.properties.nowhere}', "")
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
#: It takes the same event, and finds its own time nowhere.
SECOND = BROKEN.replace("name: Purchase", "name: Second").replace("checkout", "lead")
SECOND_MENDED = MENDED.replace("name: Purchase", "name: Second").replace("checkout", "lead")
ACCOUNT_A = 'name: A\nad_account_id: "001"\nmode: sandbox\n'
ACCOUNT_B = 'name: B\nad_account_id: "002"\nmode: sandbox\n'
STRICT = "name: kiosk\nkind: segment\nproofs: [{kind: anyone}]\nconsent_categories: [ads]\n"
GRANTED = {"consent": {"categoryPreferences": {"ads": True}}}
DENIED = {"consent": {"categoryPreferences": {"ads": False}}}


class Shop:
    """A pipeline with a quarantine over a folder with one preset, whose file the test mends."""

    def __init__(self, settings: Settings, outbox: Outbox, file: Path) -> None:
        self.outbox = outbox
        self.file = file
        self.settings = settings
        self.now = NOW
        self.running = assemble.running_catalog(settings)

    async def receive(self, *events: dict[str, Any], source: str = "default", is_trusted: bool = True) -> list[Outcome]:
        pipeline = assemble.pipeline(
            self.settings,
            self.running.catalog,
            outbox=self.outbox,
            quarantine=assemble.quarantine(self.settings, self.outbox),
        )
        complete = [{"type": "track", "timestamp": NOW - 60, "context": PERSON, **event} for event in events]
        receipt = await pipeline.accept(Intake(complete, now=self.now, source=source, is_trusted=is_trusted))
        return [line.outcome for event in receipt.events for line in event.deliveries]

    async def reopen(self, **changes: Any) -> None:
        """Open the store anew, by changed settings."""
        await self.outbox.close()
        self.settings = self.settings.model_copy(update=changes)
        self.outbox = open_outbox(self.settings.outbox_url, self.settings, clock=lambda: self.now)

    def mend(self, text: str = MENDED, *, second: str | None = None) -> None:
        self.file.write_text(text, encoding="utf-8")
        if second is not None:
            self.file.with_name("second.yaml").write_text(second, encoding="utf-8")
        self.running.reload()

    def replaying(self, **changes: Any) -> Replaying:
        settings = self.settings.model_copy(update=changes)
        return assemble.replaying(settings, self.running, self.outbox, why_off=lambda *_: None, clock=lambda: self.now)

    async def left(self) -> list[str]:
        found = await self.outbox.sealed_events.find(ALL, now=self.now, after=0, limit=2_000)
        return [each.message_id for each in found]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    file = tmp_path / "presets/purchase.yaml"
    file.parent.mkdir()
    file.write_text(BROKEN, encoding="utf-8")
    url = new_store(tmp_path, "o.db")
    changes = {"presets_dir": (file.parent,), "outbox_url": url, "quarantine_names": ("Refund",)}
    settings = assembled.settings(**KEY | MEMORY | changes)
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    shop = Shop(settings, outbox, file)
    yield shop
    await shop.outbox.close()


def purchase(message_id: str, **properties: Any) -> dict[str, Any]:
    return {"event": "Purchase", "messageId": message_id, "properties": {"order_id": f"o-{message_id}"} | properties}


def folder_in(folder: Path, **texts: str) -> Path:
    folder.mkdir()
    return folder_of(folder, **texts)


@pytest.mark.slow
async def test_what_is_mended_is_delivered_with_its_own_id_and_time_and_leaves(shop: Shop) -> None:
    assert await shop.receive(purchase("m-1")) == [Outcome.INVALID]
    shop.now += 7_200
    shop.mend()
    done = await shop.replaying().replay(ALL)
    assert (done.events, done.leaving, dict(done.outcomes)) == (1, 1, {Outcome.ENQUEUED: 1})
    assert await shop.left() == []
    (delivery,) = (await shop.outbox.message("m-1")).deliveries
    assert (delivery.event_id, delivery.event_time, delivery.order_id) == ("m-1", int(NOW) - 60, "o-m-1")


async def test_a_preview_says_the_same_and_changes_nothing(shop: Shop) -> None:
    await shop.receive(purchase("m-1"), purchase("m-2"))
    before = await shop.replaying().preview(ALL)
    assert (before.events, before.leaving, dict(before.outcomes)) == (2, 0, {Outcome.INVALID: 2})
    shop.mend()
    after = await shop.replaying().preview(ALL)
    assert (after.leaving, dict(after.outcomes)) == (2, {Outcome.ENQUEUED: 2})
    assert await shop.left() == ["m-1", "m-2"]
    assert (await shop.outbox.message("m-1")).deliveries == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "context", "becomes"),
    [
        (STRICT, DENIED, Outcome.WITHHELD),
        (STRICT, GRANTED, Outcome.ENQUEUED),
        (STRICT + "enabled: false\n", GRANTED, Outcome.WITHHELD),
    ],
    ids=["denied", "granted", "switched off"],
)
@pytest.mark.parametrize("remember_days", [90, 0], ids=["memory", "no memory"])
async def test_what_its_source_may_not_send_on_now_is_withheld_and_leaves(
    shop: Shop, tmp_path: Path, remember_days: int, source: str, context: dict[str, Any], becomes: Outcome
) -> None:
    folder = folder_in(tmp_path / "sources", kiosk=source)
    await shop.reopen(sources_dir=(folder,), remember_days=remember_days)
    await shop.receive(purchase("m-1") | {"context": PERSON | context}, source="kiosk")
    await shop.receive(purchase("m-2"))
    shop.mend()
    assert (await shop.replaying().preview(QuarantineFilter(source="kiosk"))).outcomes == {becomes: 1}
    done = await shop.replaying().replay(ALL)
    assert (done.leaving, done.outcomes) == (2, Counter([becomes, Outcome.ENQUEUED]))
    assert await shop.left() == []
    sent = len((await shop.outbox.message("m-1")).deliveries)
    assert (sent, len((await shop.outbox.message("m-2")).deliveries)) == (becomes is Outcome.ENQUEUED, 1)


async def test_a_source_is_asked_as_its_last_reload_has_it(shop: Shop, tmp_path: Path) -> None:
    folder = folder_in(tmp_path / "sources", kiosk=STRICT)
    await shop.reopen(sources_dir=(folder,))
    sources = assemble.running_sources(shop.settings, on_fault=print)
    assert sources is not None
    replaying = assemble.replaying(
        shop.settings, shop.running, shop.outbox, why_off=lambda *_: None, clock=lambda: NOW, sources=sources
    )
    await shop.receive(purchase("m-1") | {"context": PERSON | GRANTED}, source="kiosk")
    shop.mend()
    folder_of(folder, kiosk=STRICT + "enabled: false\n")
    assert (await replaying.preview(ALL)).outcomes == {Outcome.ENQUEUED: 1}
    sources.use(sources.load())
    assert (await replaying.preview(ALL)).outcomes == {Outcome.WITHHELD: 1}


async def test_what_is_not_mended_stays_and_is_not_noted_again(shop: Shop) -> None:
    await shop.receive(purchase("m-1"))
    done = await shop.replaying().replay(ALL)
    assert (done.leaving, dict(done.outcomes)) == (0, {Outcome.INVALID: 1})
    assert await shop.left() == ["m-1"]
    assert len((await shop.outbox.message("m-1")).dropped_events) == 1


@pytest.mark.slow
async def test_what_one_preset_has_and_another_cannot_use_yet_stays_for_the_other(shop: Shop) -> None:
    shop.mend(second=SECOND)
    assert await shop.receive(purchase("m-1")) == [Outcome.ENQUEUED, Outcome.INVALID]
    for _ in range(2):
        done = await shop.replaying().replay(ALL)
        assert (done.events, done.leaving, dict(done.outcomes)) == (1, 0, {Outcome.DUPLICATE: 1, Outcome.INVALID: 1})
        assert (await shop.replaying().preview(ALL)).leaving == 0
    assert await shop.left() == ["m-1"]
    assert len((await shop.outbox.message("m-1")).dropped_events) == 1
    shop.mend(second=SECOND_MENDED)
    done = await shop.replaying().replay(ALL)
    assert (done.leaving, dict(done.outcomes)) == (1, {Outcome.DUPLICATE: 1, Outcome.ENQUEUED: 1})
    assert await shop.left() == []
    assert [each.preset for each in (await shop.outbox.message("m-1")).deliveries] == ["Purchase", "Second"]


@pytest.mark.slow
async def test_what_only_one_of_two_presets_makes_is_sent_once_and_stays_for_the_other(shop: Shop) -> None:
    shop.mend(BROKEN, second=SECOND)
    assert await shop.receive(purchase("m-1")) == [Outcome.INVALID, Outcome.INVALID]
    shop.mend()
    done = await asyncio.gather(shop.replaying().replay(ALL), shop.replaying().replay(ALL))
    assert sum((each.outcomes for each in done), Counter()) == {
        Outcome.ENQUEUED: 1,
        Outcome.DUPLICATE: 1,
        Outcome.INVALID: 2,
    }
    assert [each.leaving for each in done] == [0, 0]
    assert await shop.left() == ["m-1"]
    shop.mend(second=SECOND_MENDED)
    assert (await shop.replaying().replay(ALL)).leaving == 1
    assert [each.preset for each in (await shop.outbox.message("m-1")).deliveries] == ["Purchase", "Second"]


@pytest.mark.slow
async def test_what_a_full_ad_account_has_no_room_for_stays_and_is_sent_there_once_it_has(
    shop: Shop, tmp_path: Path
) -> None:
    accounts = folder_in(tmp_path / "accounts", a=ACCOUNT_A, b=ACCOUNT_B)
    await shop.reopen(destinations_dir=(accounts,), outbox_max_backlog_bytes=20 * len(payload()))
    assert await shop.receive(purchase("m-1")) == [Outcome.INVALID, Outcome.INVALID]
    await shop.outbox.enqueue([new(ad_account_id="002") for _ in range(20)], [], [], now=NOW)
    shop.mend()
    for first in (Outcome.ENQUEUED, Outcome.DUPLICATE):
        done = await shop.replaying().replay(ALL)
        assert (done.leaving, dict(done.outcomes)) == (0, {first: 1, Outcome.WITHHELD: 1})
        assert ("Purchase", Outcome.WITHHELD, BACKLOG_FULL) in done.reasons
        assert await shop.left() == ["m-1"]
    await shop.reopen(outbox_max_backlog_bytes=10_000)
    done = await shop.replaying().replay(ALL)
    assert (done.leaving, dict(done.outcomes)) == (1, {Outcome.DUPLICATE: 1, Outcome.ENQUEUED: 1})
    assert await shop.left() == []
    assert [each.ad_account_id for each in (await shop.outbox.message("m-1")).deliveries] == ["001", "002"]


async def test_an_unmatched_event_is_replayed_by_a_new_preset(shop: Shop) -> None:
    assert await shop.receive({"event": "Refund", "messageId": "r-1"}) == [Outcome.UNMATCHED]
    shop.mend(MENDED.replace('"Purchase"', '"Refund"').replace("checkout", "lead"))
    assert (await shop.replaying().replay(QuarantineFilter(name="Refund"))).leaving == 1
    assert len((await shop.outbox.message("r-1")).deliveries) == 1


async def test_what_has_been_sent_meanwhile_is_a_duplicate_and_leaves(shop: Shop) -> None:
    await shop.receive(purchase("m-1"))
    shop.mend()
    assert await shop.receive(purchase("m-1")) == [Outcome.ENQUEUED]
    done = await shop.replaying().replay(ALL)
    assert (done.leaving, dict(done.outcomes)) == (1, {Outcome.DUPLICATE: 1})
    assert await shop.left() == []


@pytest.mark.slow
async def test_only_what_the_filter_means_is_replayed_or_discarded(shop: Shop) -> None:
    await shop.receive(purchase("m-1"))
    await shop.receive(purchase("m-2"), source="kiosk")
    shop.mend()
    assert (await shop.replaying().replay(QuarantineFilter(source="kiosk"))).events == 1
    assert await shop.left() == ["m-1"]
    (delivery,) = (await shop.outbox.message("m-2")).deliveries
    assert delivery.source == "kiosk"
    assert await shop.replaying().discard(QuarantineFilter(source="kiosk")) == 0
    assert await shop.replaying().discard(ALL) == 1
    assert await shop.left() == []


@pytest.mark.slow
async def test_more_than_fit_into_one_step_are_all_replayed(shop: Shop) -> None:
    await shop.receive(*(purchase(f"m-{number}") for number in range(1_100)))
    shop.mend()
    done = await shop.replaying().replay(ALL)
    assert (done.events, done.leaving, dict(done.outcomes)) == (1_100, 1_100, {Outcome.ENQUEUED: 1_100})
    assert await shop.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(("said", "filled"), [({}, ["em"]), ({"gpc": True}, [])], ids=["nothing since", "no since"])
async def test_memory_is_asked_again_and_of_who_has_said_no_since_it_gives_nothing(
    shop: Shop, said: dict[str, Any], filled: list[str]
) -> None:
    identify = {"type": "identify", "userId": "ann"}
    traits = PERSON | {"traits": {"email": "ann@shop.example"}}
    await shop.receive(identify | {"messageId": "i-1", "context": traits})
    await shop.receive(purchase("m-1") | {"userId": "ann"})
    await shop.receive(identify | {"messageId": "i-2", "context": PERSON | said})
    shop.mend()
    assert (await shop.replaying().replay(ALL)).leaving == 1
    (delivery,) = (await shop.outbox.message("m-1")).deliveries
    whole = await shop.outbox.delivery(delivery.delivery_id)
    assert whole is not None
    assert whole.payload is not None
    assert [name for name in orjson.loads(whole.payload)["user_data"] if name == "em"] == filled


async def test_what_another_key_sealed_is_counted_and_stays(shop: Shop) -> None:
    await shop.receive(purchase("m-1"))
    shop.mend()
    other = assembled.settings(quarantine_key="another key of the quarantine, long").quarantine_key
    done = await shop.replaying(quarantine_key=other).replay(ALL)
    assert (done.events, done.unreadable, done.leaving) == (1, 1, 0)
    assert await shop.left() == ["m-1"]


@pytest.mark.parametrize("change", ["mended meanwhile", "too old meanwhile"])
async def test_what_was_judged_otherwise_than_it_was_accepted_is_not_lost(shop: Shop, change: str) -> None:
    await shop.receive(purchase("m-1"))
    if change == "too old meanwhile":
        shop.mend()
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        if change == "mended meanwhile":
            shop.mend()
            return shop.now
        return shop.now + (0 if asked < 3 else 8 * DAY_S)

    replaying = assemble.replaying(shop.settings, shop.running, shop.outbox, why_off=lambda *_: None, clock=clock)
    done = await replaying.replay(ALL)
    assert (done.events, done.leaving, dict(done.outcomes)) == (1, 0, {Outcome.INVALID: 1})
    assert await shop.left() == ["m-1"]


async def test_where_it_is_off_there_is_nothing_to_replay(shop: Shop) -> None:
    settings = shop.settings.model_copy(update={"quarantine_hours": 0})
    with pytest.raises(FeatureOff, match="QUARANTINE_HOURS"):
        assemble.replaying(settings, shop.running, shop.outbox, why_off=lambda *_: None, clock=lambda: NOW)


@pytest.mark.slow
async def test_an_order_that_was_too_dear_stays_until_the_amount_is_raised(shop: Shop) -> None:
    shop.mend()
    await shop.reopen(max_public_order_value=("USD:1000",))
    order = {
        "event": "Purchase",
        "messageId": "m-1",
        "properties": {"order_id": "1", "total": 2_000, "currency": "USD"},
    }
    assert await shop.receive(order, is_trusted=False) == [Outcome.WITHHELD]
    still = await shop.replaying().replay(ALL)
    assert (still.events, still.leaving, still.outcomes) == (1, 0, {Outcome.WITHHELD: 1})
    now = await shop.replaying(max_public_order_value=("USD:3000",)).replay(ALL)
    assert (now.events, now.leaving, now.outcomes) == (1, 1, {Outcome.ENQUEUED: 1})

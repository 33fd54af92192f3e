"""Random sequences of a shop's server and of strangers: what the server gets is what it alone would have got.

Two stores live through the same hours, with restarts: one hears the server and strangers, the other the server alone.
What may differ is what docs/trust.md allows: an order whose public twin is bound is one with it, sent once.
"""

import os
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from app import assemble
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.config import Settings
from app.core.deliveries import Delivered, Settlement, State
from app.core.events import Event, Measure
from app.core.pages import QuarantineFilter
from app.insights.inventory.counting import NameCounts, Sampler
from app.outbox import Outbox, open_outbox
from app.source import Arrival, Intake, read_event
from tests import assembled
from tests.outbox.build import NOW
from tests.rounds import LEVEL

#: Seeds of each engine, and how many of them a test plays: idle processes of `make prove` share the tests.
SEEDS, SEEDS_OF_TEST = (450, 50) if LEVEL == "prove" else (2, 2)
#: PostgreSQL plays each third seed of `make prove`: a seed takes five times as long as on SQLite.
POSTGRES_STEP = 3 if LEVEL == "prove" else 1
STEPS = 40
ORDERS = 4
TOTALS = (10, 20, 30)
PRESET = """
name: Order Completed
subscribe: event = "Order Completed"
action: report_conversion_event
hold: 1m
withdrawn_by: event = "Order Cancelled"
mapping: {event_name: checkout}
"""
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
SETTINGS: dict[str, Any] = {
    "write_keys": "page:0123456789abcdef,shop:0123456789abcdea",
    "trusted_senders": "shop",
    "quarantine_hours": 72,
    "quarantine_key": "a key of the quarantine, long enough",
    "quarantine_max_bytes": 30_000,
    "remember_days": 90,
    "remember_max_people": 1_000,
    "remember_secret": "a secret of the installation, long",
    "inventory_names": 4,
    "remember_users_from": "everyone",
}


class World:
    """One store, who sends to it, and what left it."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._names: NameCounts | None = None
        self.now = now
        #: What was sent of each order: whether it was trusted, its value, its e-mail addresses.
        self.sent: defaultdict[str, list[tuple[bool, str | None, tuple[str, ...]]]] = defaultdict(list)
        self.outbox = self._open()

    def _open(self) -> Outbox:
        settings = self._settings
        outbox = open_outbox(settings.outbox_url, settings, clock=lambda: self.now)
        running = assemble.running_catalog(settings)
        self._pipeline = assemble.pipeline(
            settings, running.catalog, outbox=outbox, quarantine=assemble.quarantine(settings, outbox)
        )
        self._names = self._names or NameCounts(
            Sampler(lambda: running.catalog), Random(1), max_names=settings.inventory_names
        )
        self._pipeline.listeners = (self._names,)
        return outbox

    async def restart(self) -> None:
        await self.outbox.close()
        self.outbox = self._open()

    async def send(self, events: list[Event], *, is_trusted: bool) -> None:
        read = [
            read_event({"type": "track", "timestamp": self.now, "context": PERSON} | each, Arrival.at(self.now))
            for each in events
        ]
        source = "shop" if is_trusted else "page"
        await self._pipeline.accept(Intake(read, self.now, source=source, is_trusted=is_trusted))

    async def deliver(self) -> None:
        """Send what is due, and have Pinterest take it."""
        asked: dict[str, Any] = {"limit": 100, "max_bytes": 10**9, "max_wait_s": 0, "lease_s": 60}
        while claimed := await self.outbox.claim(SANDBOX_AD_ACCOUNT_ID, now=self.now, **asked):
            for each in claimed:
                event = orjson.loads(each.payload)
                delivery = await self.outbox.delivery(each.delivery_id)
                assert delivery is not None
                told = delivery.is_trusted, event["custom_data"].get("value"), tuple(event["user_data"].get("em", ()))
                self.sent[event["custom_data"]["order_id"]].append(told)
            settled = [Settlement(claimed=each, result=Delivered(), state=State.DELIVERED) for each in claimed]
            await self.outbox.settle(settled, [], now=self.now)

    async def live(
        self, events: list[Event], passes_s: float, *, is_trusted: bool, restarts: bool, delivers: bool
    ) -> None:
        """Let time pass, then take events, and perhaps begin anew and send."""
        self.now += passes_s
        if events:
            await self.send(events, is_trusted=is_trusted)
        if restarts:
            await self.restart()
        if delivers:
            await self.deliver()

    async def kept(self) -> tuple[list[str], dict[str, int]]:
        """Return what is kept of the server's: messages in quarantine, events by name."""
        assert self._names is not None
        await self.outbox.inventory.add(self._names.take(), now=self.now, max_names=self._settings.inventory_names)
        rows = await self.outbox.inventory.read(since=0, by_hour=False, counted=[Measure.RECEIVED])
        names = {count.key.name: count.number for _, count in rows if count.key.source == "shop"}
        found = await self.outbox.sealed_events.find(QuarantineFilter(), now=self.now, after=0, limit=1_000)
        return [each.message_id for each in found if each.is_trusted], names


def order(number: int, total: float, message_id: str, user: str) -> Event:
    properties = {"order_id": f"SO-{number}", "total": total, "currency": "USD"}
    return {"event": "Order Completed", "messageId": message_id, "userId": user, "properties": properties}


def step(rng: Random, number: int) -> tuple[list[Event], list[Event]]:
    """Return what the server and the strangers send next; one of the two is empty."""
    at, user = rng.randrange(ORDERS), f"user-{rng.randrange(2)}"
    cancelled = {"event": "Order Cancelled", "messageId": f"c-{number}", "properties": {"order_id": f"SO-{at}"}}
    says = {"type": "identify", "messageId": f"i-{number}", "userId": user}
    email = {"traits": {"email": f"{user}.{rng.randrange(2)}@shop.example"}}
    no, yes = ({"context": PERSON | {"opt_out": each}} for each in (True, False))
    server = [
        [order(at, TOTALS[at % len(TOTALS)], f"order-{at}", user)],
        [cancelled],
        [says | email],
        [{"type": "page", "messageId": f"n-{number}", "userId": user} | no],
        [{"event": "Order Completed", "messageId": f"bad-{number}", "context": {}, "properties": {}}],
        [{"event": f"Trusted {number % 3}", "messageId": f"p-{number}"}],
    ]
    anyone = f"x{rng.randrange(3)}"
    junk = {"event": "Order Completed", "context": {}, "properties": {"note": "x" * 500}}
    strangers = [
        [order(at, rng.choice((0.01, *TOTALS)), rng.choice((f"order-{at}", f"page-{number}")), "user-0")],
        [order(each, 0.01, f"order-{each}", "nobody") for each in range(ORDERS)],
        [cancelled],
        [says | {"anonymousId": anyone, "traits": {"email": "eve@example.com"}}],
        [{"type": "page", "messageId": f"y-{number}", "userId": user, "anonymousId": anyone} | yes],
        [
            {"type": "page", "messageId": f"q-{number}-{each}", "anonymousId": f"z{number}-{each}"} | no
            for each in range(20)
        ],
        [junk | {"messageId": f"j-{number}-{each}"} for each in range(30)],
        [{"event": f"Invented {number}-{each}", "messageId": f"v-{number}-{each}"} for each in range(10)],
        [{"type": "alias", "messageId": f"a-{number}", "userId": "eve", "previousId": user}],
        [{"type": "delete", "messageId": f"d-{number}", "userId": user}],
    ]
    return (rng.choice(server), []) if rng.random() < 0.4 else ([], rng.choice(strangers))


def note(
    server: list[Event], strangers: list[Event], cancelled: set[str], claimed: defaultdict[str, set[float]]
) -> None:
    """Note which orders the server cancels, and which totals strangers claim."""
    cancelled |= {each["properties"]["order_id"] for each in server if each.get("event") == "Order Cancelled"}
    for each in strangers:
        if "total" in each.get("properties", {}):
            claimed[each["properties"]["order_id"]].add(each["properties"]["total"])


async def play(seed: int, settings: tuple[Settings, Settings]) -> None:
    """Let both stores live through one sequence, and compare what they made of the server's events."""
    rng = Random(seed)
    both, alone = (World(each, NOW) for each in settings)
    cancelled: set[str] = set()
    claimed: defaultdict[str, set[float]] = defaultdict(set)
    for number in range(STEPS):
        server, strangers = step(rng, number)
        note(server, strangers, cancelled, claimed)
        passes_s, restarts, delivers = rng.choice((0, 1, 30, 120, 900)), rng.random() < 0.05, rng.random() < 0.5
        for world, events in ((both, [*server, *strangers]), (alone, server)):
            await world.live(events, passes_s, is_trusted=bool(server), restarts=restarts, delivers=delivers)
    for world in (both, alone):
        for _ in range(4):
            world.now += 3_600
            await world.deliver()
    compare(both, alone, cancelled, claimed)
    assert await both.kept() == await alone.kept()
    for world in (both, alone):
        await world.outbox.close()


def compare(both: World, alone: World, cancelled: set[str], claimed: dict[str, set[float]]) -> None:
    """Fail where strangers changed what is sent of the server's orders."""
    for order_id in {*both.sent, *alone.sent} - cancelled:
        expected = alone.sent.get(order_id, [])
        got = [each for each in both.sent.get(order_id, []) if each[0]]
        public = [value for is_trusted, value, _ in both.sent.get(order_id, []) if not is_trusted]
        if got and expected and not expected[0][2] and float(expected[0][1] or 0) in claimed[order_id]:
            # of a buyer of whom the server says nothing, a bound page's order may say who it is
            got = [(is_trusted, value, ()) for is_trusted, value, _ in got]
        if got != expected:
            # a bound order of a page that left before it is the same order: it is not sent again
            assert not got, (order_id, got, expected)
            assert expected[0][1] in public, (order_id, public, expected)
        assert len(got) <= 1, (order_id, got)
        assert len(set(public)) == len(public), (order_id, public)
        assert {float(value or 0) for value in public} <= claimed[order_id], (order_id, public)


def seeds_of_tests() -> list[list[int]]:
    """Return the seeds of each test; only `SEED` if the environment has this variable."""
    if given := os.environ.get("SEED"):
        return [[int(given)]]
    return [list(range(first, first + SEEDS_OF_TEST)) for first in range(1, SEEDS, SEEDS_OF_TEST)]


@pytest.mark.slow
@pytest.mark.prove
@pytest.mark.parametrize("seeds", seeds_of_tests(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_nothing_public_changes_what_trusted_events_alone_would_have_given(
    empty_store: Callable[[], AbstractContextManager[str]], tmp_path: Path, engine: str, seeds: list[int]
) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "order.yaml").write_text(PRESET, encoding="utf-8")
    for seed in seeds[:: POSTGRES_STEP if engine == "postgres" else 1]:
        with ExitStack() as stores:
            urls = [stores.enter_context(empty_store()) for _ in range(2)]
            first, second = (assembled.settings(**SETTINGS, outbox_url=url, presets_dir=(folder,)) for url in urls)
            try:
                await play(seed, (first, second))
            except AssertionError as exc:
                message = f"SEED={seed} pytest {__file__}: {exc}"
                raise AssertionError(message) from exc

"""What each addition costs an event: on and off, each by itself and all together.

    python bench/additions.py [--rounds 8]

Events of tests/conformance/events.ndjson, as if they happened now, are accepted in arrays of 100 by the pipeline over
an outbox on SQLite of its own; no HTTP. CPU time of this process an event, by turns: of each array the least of the
rounds after those in which functions are made for the shapes of events. So it can be read on a busy machine too.

    inventory      INVENTORY_NAMES as it comes
    memory         REMEMBER_DAYS=90; the people of the events are known from the first rounds on
    quarantine     QUARANTINE_HOURS=24: what is invalid is kept sealed; none of these events is
    ad accounts    three files in DESTINATIONS_DIR, of which one takes these events
    tail           the place where operators may look on, while nobody does
    all            all of these together
    two sides      beside `one side`: a page and a shop send to the same ad account; else only the shop does
    no answers     SUPPRESS=fill: what people answer reaches no other event
    opt-outs       one event in twenty has Global Privacy Control, of the same people each time; `opt-outs, fill` is the
                   same with SUPPRESS=fill
    feed           by itself: what a product costs that is looked up in a feed of 500,000 items, at 1,000 orders
                   a second of three products each; and how long reading such a feed takes
    named source   by itself: a paid order of Shopify becomes an event, before it is read like all others

That the first usable value is sent cannot be switched off: what the rules of that day cost is said under *One event* in
README.md.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from statistics import mean
from typing import Any, Final

import orjson

from app import assemble
from app.assemble.ad_accounts import destinations
from app.catalog.sources import load_source
from app.config import load_settings
from app.core.coordination import Coordination
from app.insights.product_feed import FeedReader
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Pipeline
from app.source import Intake, read_raw_event
from app.source.named_sources import events_of
from app.source.raw_records import read_raw_requests

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package


ROOT: Final = Path(__file__).parents[1]
ARRAY: Final = 100
#: Events between two writings of the inventory, ten seconds.
PRODUCTS_EVERY: Final = 10_000
#: Functions for shapes of events are made meanwhile.
WARM_ROUNDS: Final = 6
SECRET: Final = "a secret for measuring, long enough"
ORDERS: Final = frozenset({"order_id", "checkout_id"})
ACCOUNT: Final = 'name: {name}\nad_account_id: "{number}"\nmode: sandbox\nsources: [{source}]\n'
SOURCES: Final = {"first": "default", "second": "second", "third": "third"}
ADDITIONS: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "inventory": {"inventory_names": 500},
    "memory": {"remember_days": 90, "remember_secret": SECRET},
    "quarantine": {"quarantine_hours": 24, "quarantine_key": SECRET},
    "ad accounts": {"destinations_dir": (Path("destinations"),)},
    "tail": {"tail": True},
}
ADDITIONS["all"] = {name: value for addition in list(ADDITIONS.values()) for name, value in addition.items()}
ADDITIONS["one side"] = {"write_keys": ()}
ADDITIONS["two sides"] = {"write_keys": ("page:k2",)}
ADDITIONS["no answers"] = {"suppress": "fill"}
ADDITIONS["opt-outs"] = {}
ADDITIONS["opt-outs, fill"] = {"suppress": "fill"}


def accepting(added: dict[str, Any], folder: Path) -> tuple[Pipeline, Outbox]:
    """Return what accepts events with these additions, and its outbox."""
    folder.mkdir()
    given = {"inventory_names": 0, "write_keys": ("second:k2", "third:k3"), **added}
    is_watched = given.pop("tail", False)
    if "destinations_dir" in given:
        given["destinations_dir"] = (folder,)
        for number, (name, source) in enumerate(SOURCES.items(), start=549755885175):
            (folder / f"{name}.yaml").write_text(ACCOUNT.format(name=name, number=number, source=source))
    settings = load_settings(
        presets_dir=(ROOT / "presets",),
        mappings_dir=(ROOT / "mappings",),
        outbox_url=f"sqlite:///{folder}/pinrelay.db",
        **given,
    )
    running = assemble.running_catalog(settings)
    outbox = open_outbox(settings.outbox_url, settings)
    kept = assemble.quarantine(settings, outbox)
    accepts: Pipeline = assemble.pipeline(
        settings, running.catalog, outbox=outbox, quarantine=kept, to=destinations(settings)
    )
    names = assemble.name_counts(settings, running)
    alone = Coordination(
        outbox, lambda: "", presets=list, ad_account_ids=(), generation="", process_id="bench", role="all"
    )
    tail = assemble.live_tail(settings, running, outbox, alone)
    accepts.listeners = (*([names] if names else []), *([tail] if is_watched else []))
    return accepts, outbox


def fresh(turn: int, now: float) -> list[dict[str, Any]]:
    """Return the events as they are read, of ids and orders of their own."""
    events = []
    for number, line in enumerate((ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()):
        event: dict[str, Any] = orjson.loads(line)
        own_id = f"{turn}-{number}"
        event |= {"messageId": own_id, "timestamp": datetime.fromtimestamp(now, UTC).isoformat()}
        properties = event.get("properties") or {}
        properties |= dict.fromkeys(properties.keys() & ORDERS, own_id)
        events.append(read_raw_event(orjson.dumps(event), now=now))
    return events


async def accepted(accepts: Pipeline, events: Sequence[dict[str, Any]], now: float) -> list[float]:
    """Return the CPU time of this process for each array, in microseconds an event."""
    found = []
    for start in range(0, len(events), ARRAY):
        begun = time.process_time()
        await accepts.accept(Intake(events[start : start + ARRAY], now=now, is_trusted=True))
        found.append((time.process_time() - begun) / ARRAY * 1e6)
    return found


def named_source() -> float:
    """Return the CPU time of a paid order of Shopify until it is an event, in microseconds."""
    case = orjson.loads((ROOT / "tests/sources/cases/shopify-order-paid.json").read_bytes())["request"]
    reshape = load_source((ROOT / "sources",), "shopify").reshape
    assert reshape
    raw, least = orjson.dumps(case["body"]), []
    for _ in range(20):
        begun = time.process_time()
        for _ in range(200):
            made = list(events_of(read_raw_requests(raw, "application/json", case["headers"], ""), reshape))
        least.append((time.process_time() - begun) / 200 * 1e6)
        assert made
        assert all(isinstance(event, dict) for event in made)
    return min(least)


def products() -> tuple[float, float]:
    """Return the CPU time of a product that is looked up, in microseconds, and of reading the feed, in seconds."""
    settings = load_settings(presets_dir=(ROOT / "presets",), mappings_dir=(ROOT / "mappings",), inventory_names=500)
    names = assemble.name_counts(settings, assemble.running_catalog(settings))
    assert names
    assert names.products
    data = BytesIO(b"id,item_group_id\n" + b"".join(b"SKU-%d,G-%d\n" % (n, n // 5) for n in range(500_000)))
    begun, reader = time.process_time(), FeedReader()
    reader.read(data)
    known_as, read_s = lru_cache(16_384)(reader.ids().known_as), time.process_time() - begun
    events = [_order(number) for number in range(PRODUCTS_EVERY)]
    least = [1e9, 1e9]
    for turn in range(10):
        names.products.known_as = known_as if turn % 2 else None
        observe, begun = names.observer("default", []), time.process_time()
        for event in events:
            observe(event)
        least[turn % 2] = min(least[turn % 2], time.process_time() - begun)
        names.take()
    return (least[1] - least[0]) / len(events) / 3 * 1e6, read_s


def _order(number: int) -> dict[str, Any]:
    bought = [
        {"product_id": f"SKU-{number * 31 + n * 7}", "sku": f"S-{n}", "price": 5, "quantity": 1} for n in range(3)
    ]
    return {"type": "track", "event": "Order Completed", "messageId": str(number), "properties": {"products": bought}}


async def measure(rounds: int) -> dict[str, float]:
    """Accept all events by turns, with each addition; return the microseconds an event."""
    least: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: accepting(added, Path(folder) / name.replace(" ", "-")) for name, added in ADDITIONS.items()}
        for _, outbox in ways.values():
            await outbox.check()  # then there are tables
        for turn in range(WARM_ROUNDS + rounds):
            now = time.time()
            for name, (accepts, _) in ways.items():
                events = fresh(turn, now)
                if "opt-outs" in name:
                    for event in events[::20]:
                        event["context"] = {**(event.get("context") or {}), "gpc": True}
                gc.collect()
                found = await accepted(accepts, events, now)
                if turn >= WARM_ROUNDS:
                    least[name] = list(map(min, found, least.get(name, found)))
        for _, outbox in ways.values():
            await outbox.close()
    return {name: mean(found) for name, found in least.items()}


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="of each; the least counts")
    given = parser.parse_args()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as the server does
    found = asyncio.run(measure(given.rounds))
    for name, us in found.items():
        print(f"{name:14} {us:6.1f} us an event, {us - found['nothing']:+6.1f} us")
    product_us, read_s = products()
    print(f"feed         {product_us:6.2f} us a product, {read_s:.1f} s to read 500,000 items")
    print(f"named source {named_source():6.1f} us an event, before all else")


if __name__ == "__main__":
    main()

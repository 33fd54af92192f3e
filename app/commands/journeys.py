"""`pinrelay preview --journey`: what memory would bring, shown on events of the past. Nothing is stored or sent."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, Any

from rich.table import Table

from app import assemble
from app.catalog import Catalog
from app.commands.terminal import add_row, print_json, print_table
from app.config import Settings
from app.core.events import Event, Exit
from app.core.receipts import EventReceipt
from app.core.values.hidden_emails import unpersonal_id
from app.destination import components
from app.errors import EventRefused
from app.identity import HeldMemory
from app.pipeline.explain import own_event
from app.pipeline.identity_events import own_time
from app.pipeline.receipts import receipt_of_refusal
from app.source import event_json, read_event_file

#: Days that are remembered where neither the command nor the settings say it.
DEFAULT_DAYS = 90.0


def journey(
    events: Iterable[Event | EventRefused], settings: Settings, catalog: Catalog, *, clock: float
) -> Iterator[EventReceipt]:
    """Yield what becomes of events in their order, each at its own time, with a memory that is empty at first.

    `settings` say how long is remembered; `clock` (Unix seconds) is the time of an event that tells none.
    """
    walk, memory = assemble.walk(settings), HeldMemory()
    for event in events:
        if isinstance(event, EventRefused):
            yield receipt_of_refusal(event)
            continue
        at = own_time(event, math.inf)
        lines = walk.lines(event, catalog, now=clock if math.isinf(at) else at, memory=memory)
        yield EventReceipt(message_id=unpersonal_id(event["messageId"]), deliveries=tuple(lines))


def show_journey(settings: Settings, stream: IO[bytes], *, as_json: bool) -> None:
    """Print a line an event, as JSON, or a summary by preset: quality components an event, own and with memory."""
    catalog = assemble.running_catalog(settings).catalog
    events = read_event_file(stream, clock=time.time, max_depth=settings.max_json_depth)
    receipts = journey(events, settings, catalog, clock=time.time())
    if as_json:
        for receipt in receipts:
            print_json(_json(receipt))
    else:
        print_table(_summary(receipts))


def _json(receipt: EventReceipt) -> dict[str, Any]:
    """Prepare one event for JSON: each delivery has its finished event (null: none) and what came from memory."""
    told = event_json(receipt)
    for line, delivery in zip(receipt.deliveries, told["deliveries"], strict=True):
        delivery["event"] = line.event
        delivery.setdefault("memory", {})
    return told


def _summary(receipts: Iterable[EventReceipt]) -> Table:
    events: Counter[str] = Counter()
    own: Counter[str] = Counter()
    with_memory: Counter[str] = Counter()
    for line in (line for receipt in receipts for line in receipt.deliveries):
        if line.event is not None and line.exit is Exit.ENQUEUED:
            for name in (line.preset or "", "all"):
                events[name] += 1
                own[name] += len(components(own_event(line) or {}))
                with_memory[name] += len(components(line.event))
    table = Table("preset", "events", "own", "with memory", title="Quality components an event, of Pinterest's eleven")
    for name, count in events.most_common():
        add_row(table, name, count, f"{own[name] / count:.2f}", f"{with_memory[name] / count:.2f}")
    return table

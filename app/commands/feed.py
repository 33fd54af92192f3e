"""`pinrelay feed`: which products of the events the product feed contains."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.table import Table

from app import assemble
from app.commands.terminal import (
    AsJson,
    add_row,
    opened_file,
    print_json,
    print_line,
    print_table,
    time_text,
    with_outbox,
)
from app.config import Settings, load_settings
from app.core.events import EventKey
from app.core.shared_values import FEED, FEED_UNKNOWN, FeedState
from app.insights.product_feed import (
    SENT,
    UNKNOWN_SHOWN,
    FeedMatches,
    advice,
    fetch_feed,
    keep_ids,
    read_addresses,
    read_known,
)
from app.outbox import Outbox
from app.pipeline.received_names import title_of


def feed(
    feeds: Annotated[
        list[str] | None,
        typer.Argument(help="Feeds to read now: files, or addresses that begin with https://.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Number of days.")] = 7,
    *,
    as_json: AsJson = False,
) -> None:
    """Show which products of the events your product feed knows, and which CONTENT_ID finds the most.

    With a feed it reads that first: RSS, TSV or CSV, also gzipped. The server takes the ids up within a minute and
    looks up the products of events that arrive from then on. FEED_URL has the server read feeds every day.

    Example: pinrelay feed https://shop.example/feed.xml
    """
    settings, now = load_settings(), time.time()

    async def run(outbox: Outbox) -> None:
        if feeds:
            await keep_ids(outbox, await read_addresses(feeds, _fetched), now)
        await _report(outbox, await read_known(outbox.inventory, now=now, days=days), settings, as_json=as_json)

    with_outbox(run)


async def _report(
    outbox: Outbox, found: Mapping[EventKey, Mapping[str, FeedMatches]], settings: Settings, *, as_json: bool
) -> None:
    state = await FEED.read(outbox) or FeedState()
    unknown = await FEED_UNKNOWN.read(outbox) or {}
    told = advice(found, assemble.content_id_of(settings))
    first = {kind: dict(list(ids.items())[:UNKNOWN_SHOWN]) for kind, ids in unknown.items()}
    if as_json:
        events = [
            {**key._asdict(), "known": {name: each.counts for name, each in counts.items()}}
            for key, counts in found.items()
        ]
        print_json({"feed": state, "events": events, "unknown": first, "advice": told})
        return
    _print_state(state)
    if not found:
        print_line("No products were looked up in these days: they are from a minute after the feed was read.")
        return
    ids = list(dict.fromkeys(name for counts in found.values() for name in counts if name != SENT))
    table = Table("event", "source", "products", *ids)
    for key, counts in sorted(found.items()):
        products = max(each.total() for each in counts.values())
        add_row(table, title_of(key), key.source, f"{products:,}", *(counts.get(name, "") for name in ids))
    print_table(table)
    for kind, texts in first.items():
        if texts:
            print_line(f"{kind}: unknown are {', '.join(f'{text} ({count:,})' for text, count in texts.items())}.")
    print_line(told or "No other CONTENT_ID would find more products.")


async def _fetched(place: str, into: IO[bytes]) -> None:
    if "://" in place:
        await fetch_feed(place, into)
        return
    with opened_file(Path(place)) as file:
        while data := file.read(1 << 20):
            into.write(data)
    into.seek(0)


def _print_state(state: FeedState) -> None:
    if state.read_at:
        skipped = f", {state.skipped:,} without a usable id" if state.skipped else ""
        print_line(
            f"The feed of {time_text(state.read_at)} has {state.items:,} items, {state.groups:,} in groups{skipped}."
        )
    elif not state.why:
        print_line("No feed was read: name one, or set FEED_URL.")
    if state.why:
        print_line(f"The feed was not taken up since {time_text(state.since)}: {state.why}.")

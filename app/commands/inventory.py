"""`pinrelay inventory` and `feed`: received events by name, their contents, and their products in the feed."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.table import Table

from app import assemble
from app.api.answers import EventDetails, EventFigures
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
from app.console.labels import day
from app.core.events import EventKey
from app.core.pages import Query
from app.core.shared_values import FEED, FEED_UNKNOWN, FeedState
from app.core.values.times import day_number
from app.errors import UnknownName
from app.insights.inventory.figures import BECAME, DAYS, SHOWN, STANDS, Change
from app.insights.inventory.view import InventoryView, NameView
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


def show(
    name: Annotated[
        str | None, typer.Argument(help="Event to show with its properties. Without it, all events are listed.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only events from this source.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Number of days.")] = DAYS,
    last_day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC). Default: today.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List received events by name: their results, the preset that takes them or the nearest one, and their contents.

    Example: pinrelay inventory "order completed"
    """
    settings = load_settings()
    catalog = assemble.running_catalog(settings).catalog

    async def read(outbox: Outbox) -> tuple[list[NameView], list[Change]]:
        view = InventoryView(inventory=outbox.inventory, catalog=lambda: catalog, clock=time.time)
        last = None if last_day is None else day_number(last_day.date())
        every = await view.names(days=days, last_day=last)
        of_source = [one for one in every if source in (None, one.figures.key.source)]
        names = [one for one in of_source if name in (None, one.figures.key.name, one.figures.title)]
        if source is not None and not names:
            await assemble.event_finder(settings, outbox).check(Query(source=source))
        if name is not None and not names:
            raise UnknownName("event", name, [one.figures.key.name for one in every])
        if name is not None:
            names = [await view.with_properties(one, days=days, last_day=last) for one in names]
        return names, await view.changes()

    names, changes = with_outbox(read)
    if as_json:
        shape = EventFigures if name is None else EventDetails
        for one in names:
            print_json(shape.model_validate(one).model_dump())
    elif name is None:
        _print_all(names, changes)
    else:
        for one in names:
            _print_one(one)


def _print_all(names: list[NameView], changes: list[Change]) -> None:
    if not names:
        print_line("No events in these days, or INVENTORY_NAMES is 0.")
        return
    table = Table("event", "received", "trust", "result", "preset, or why none", "carries", "last (UTC)")
    is_of_one = len({one.figures.key.source for one in names}) == 1
    for one in names:
        figures = one.figures
        title = figures.title if is_of_one else f"{figures.title} from {figures.key.source}"
        told = "; ".join(filter(None, (_told(figures.outcomes, BECAME), _told(figures.states, STANDS))))
        carries = ", ".join(f"{label} {_percent(figures.share(label))}" for label in SHOWN) if figures.sampled else ""
        why = one.nearest.why or one.nearest.preset
        add_row(table, title, f"{figures.received:,}", figures.trust, told, why, carries, _minute(figures.last_at))
    print_table(table)
    for change in changes:
        print_line(f"{change.text}.")


def _print_one(one: NameView) -> None:
    figures = one.figures
    table = Table("", "", show_header=False, title=None)
    add_row(table, "event", f"{figures.title} from {figures.key.source}")
    add_row(table, "received", f"{figures.received:,}")
    add_row(table, "trust", figures.trust)
    add_row(table, "result", _told(figures.outcomes, BECAME))
    add_row(table, "deliveries", _told(figures.states, STANDS))
    taken = ", ".join(f"{preset} ({count:,})" for preset, count in figures.presets.most_common())
    add_row(table, "preset, or why none", one.nearest.why or taken or one.nearest.preset or "")
    add_row(table, "first and last seen", f"{day(figures.first_at)}, {_minute(figures.last_at)}")
    for label, share in figures.shares.items():
        add_row(table, f"with {label}", _percent(share))
    print_table(table)
    carried = Table("property", "kind", "in", "read by", "first seen", "last seen")
    for each in one.properties:
        read_by = "nothing" if each.is_read is False else ""
        add_row(carried, each.path, each.kind, _percent(each.share), read_by, day(each.first_at), day(each.last_at))
    print_table(carried)
    by_day = Table("day", "received", "result", "deliveries")
    for at in figures.told_days:
        told = _told(figures.outcomes_by_day[at], BECAME), _told(figures.states_by_day[at], STANDS)
        add_row(by_day, day(at), f"{figures.days.get(at, 0):,}", *told)
    print_table(by_day)


def _told(counts: Counter[str], words: Mapping[str, str]) -> str:
    return ", ".join(f"{count:,} {words.get(name, name)}" for name, count in counts.most_common())


def _minute(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


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

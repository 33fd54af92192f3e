"""`pinrelay find` and `message`: deliveries, and events that were not sent, by anything they are known by."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Final

import typer
from rich.table import Table

from app import assemble
from app.assemble.ad_accounts import account_names
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, time_text, with_outbox
from app.config import Settings, load_settings
from app.core.deliveries import Delivery
from app.core.events import DroppedEvent, Outcome
from app.core.pages import DroppedPage, Message, Page, Query
from app.core.values.hidden_emails import unpersonal_id
from app.destination import TypedPerson
from app.outbox import SEARCH_FILTERS, Outbox, read_filters
from app.pipeline.receipts import receipt_of_message
from app.pipeline.search import Finder, Found
from app.source.responses import event_json

_IN_HISTORY: Final = (
    "an e-mail address on a command line stays in the shell's history: use --person, and type the address when asked"
)
_NO_MATCH: Final = "no match. Use complete ids. Unmatched events without an order id are counted, not stored."
FILTER_NAMES: Final = ", ".join(SEARCH_FILTERS)


def find(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT | FILTER=TEXT...]",
            help=f"An id, a name or part of a reason; or filters, combined with AND: {FILTER_NAMES}.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Maximum number of deliveries, and of events without one.")
    ] = 50,
    *,
    person: Annotated[
        bool,
        typer.Option("--person", help="Ask for an e-mail or phone, and find its deliveries. The input is not stored."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find deliveries, and events that were not sent, newest first.

    Example: pinrelay find SO-1001
    Example: pinrelay find preset=Checkout outcome=invalid since=2026-11-25
    """
    texts = what or []
    if any("@" in text for text in texts):
        raise typer.BadParameter(_IN_HISTORY)
    plain = texts[0] if len(texts) == 1 and "=" not in texts[0] and not person else None
    query = Query() if plain else read_filters(filters_of_words(texts))
    settings = load_settings()
    if person:
        query = replace(query, person=(_digest(settings),))

    async def search(outbox: Outbox) -> Found | None:
        finder = assemble.event_finder(settings, outbox)
        found = await _found(finder, outbox, plain, query, limit)
        if found is None or found.is_empty:
            await finder.check(query)
        return found

    found = with_outbox(search)
    _show(found, as_json=as_json)
    if found is None or found.is_empty:
        print_line(f"pinrelay: {_NO_MATCH}", err=True)
        raise typer.Exit(1)


def filters_of_words(words: Sequence[str]) -> dict[str, str]:
    """Return `filter=text` words by filter.

    Raises BadParameter for a word without a filter, and for a repeated filter.
    """
    if lone := [word for word in words if "=" not in word]:
        raise typer.BadParameter(f'"{lone[0]}" is not a filter: write FILTER=TEXT; filters are {FILTER_NAMES}')
    filters = dict(word.split("=", 1) for word in words)
    if len(filters) < len(words):
        raise typer.BadParameter("the same filter is given twice: give each filter once")
    return filters


def _digest(settings: Settings) -> str:
    digest = TypedPerson(settings)(typer.prompt("E-mail or phone (not shown)", err=True, hide_input=True))
    if digest is None:
        raise typer.BadParameter("the text is neither an e-mail address nor a phone number: type one of them")
    return digest


async def _found(finder: Finder, outbox: Outbox, text: str | None, query: Query, limit: int) -> Found | None:
    if text is not None:
        return await finder.look_up(text, limit=limit)
    page = await outbox.search(query, limit=limit)
    while page.next_cursor and len(page.deliveries) < limit:
        more = await outbox.search(query, limit=limit - len(page.deliveries), cursor=page.next_cursor)
        page = Page(deliveries=(*page.deliveries, *more.deliveries), next_cursor=more.next_cursor)
    dropped = await outbox.search_dropped(query, limit=limit)
    while dropped.next_cursor and len(dropped.events) < limit:
        others = await outbox.search_dropped(query, limit=limit - len(dropped.events), cursor=dropped.next_cursor)
        dropped = DroppedPage(events=(*dropped.events, *others.events), next_cursor=others.next_cursor)
    return Found(query=query, deliveries=page, dropped=dropped)


def _show(found: Found | None, *, as_json: bool) -> None:
    if found is None:
        return
    if as_json:
        for delivery in found.deliveries.deliveries:
            print_json({"kind": "delivery", **asdict(delivery)})
        for at, event in found.dropped.events:
            print_json({"kind": "dropped_event", "at": at, **asdict(event)})
        return
    table = Table("id", "received (UTC)", "state", "preset, sent as", "order", "message id", "reason")
    for each in found.deliveries.deliveries:
        order = " ".join(filter(None, (each.order_id, each.amount, each.currency, each.channel)))
        received, sent_as = received_text(each), f"{each.preset}, {each.event_name}"
        add_row(table, each.delivery_id, received, each.state.value, sent_as, order, each.message_id, each.reason)
    dropped = Table("not sent (UTC)", "outcome", "preset", "order", "message id", "reason")
    for at, event in found.dropped.events:
        order = " ".join(filter(None, (event.order_id, event.amount, event.currency, event.channel)))
        add_row(dropped, time_text(at), event.outcome.value, event.preset or "", order, event.message_id, event.reason)
    for one in (table, dropped):
        if one.row_count:
            print_table(one)


def received_text(delivery: Delivery) -> str:
    """Return the time of a delivery in its list: when it was stored, or the end of its delay."""
    if delivery.is_held and delivery.due_at:
        return f"held until {time_text(delivery.due_at)}"
    return time_text(delivery.enqueued_at)


def message(
    message_id: Annotated[str, typer.Argument(help="Segment's `messageId` of the event.")], *, as_json: AsJson = False
) -> None:
    """Show every delivery of a message id with its attempts, or why it was not sent.

    In JSON, `receipt` is the receipt that the sender got, with the names of the ad accounts, and `trust` says whether
    the event is trusted or public.

    Example: pinrelay message ajs-next-1772640772244
    """
    found = with_outbox(lambda outbox: outbox.message(unpersonal_id(message_id)))
    if as_json:
        receipt = event_json(receipt_of_message(found, account_names(load_settings())))
        print_json(asdict(found) | {"receipt": receipt["deliveries"], "trust": receipt["trust"]})
    elif found.dropped_events or found.deliveries:
        print_table(_what_became(found))
        if attempts := [each for each in found.deliveries if each.history]:
            print_table(_attempts(attempts))
        if any(event.outcome is Outcome.UNMATCHED for _, event in found.dropped_events):
            print_line("`pinrelay events list` names the nearest preset of each event, and why it does not take it.")
    if not found.dropped_events and not found.deliveries:
        print_line(
            f"pinrelay: message {message_id} not found. Use the complete id; find other ids by "
            f"`pinrelay find {message_id}`. Unmatched events without an order id are counted, not stored.",
            err=True,
        )
        raise typer.Exit(1)


def _what_became(found: Message) -> Table:
    rows: list[tuple[float, list[str]]] = []
    for each in found.deliveries:
        about = [each.delivery_id, each.state.value, each.preset, each.ad_account_id, each.event_id]
        rows.append((each.enqueued_at, [received_text(each), *about, *_trust_and_why(each)]))
    for at, event in found.dropped_events:
        about = ["", event.outcome.value, event.preset or "", event.ad_account_id or "", ""]
        rows.append((at, [time_text(at), *about, *_trust_and_why(event)]))
    table = Table(
        "received (UTC)", "delivery", "result", "preset", "ad account", "event id", "trust", "why, and warnings"
    )
    for _, cells in sorted(rows, key=lambda row: row[0]):
        add_row(table, *cells)
    return table


def _trust_and_why(each: Delivery | DroppedEvent) -> tuple[str, str]:
    return "trusted" if each.is_trusted else "public", "; ".join(filter(None, (each.reason, *each.warnings)))


def _attempts(deliveries: list[Delivery]) -> Table:
    table = Table("tried (UTC)", "delivery", "attempt", "result", "status", "answer")
    for each in deliveries:
        for tried in each.history:
            status = "" if tried.status is None else tried.status
            add_row(
                table, time_text(tried.at), each.delivery_id, tried.number, tried.result.value, status, tried.message
            )
    return table

"""Deliveries: look for them, look at one, look at a message, and send dead ones again."""

from collections.abc import Mapping
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.forms import read_form
from app.console.masking import masked
from app.console.pages import Pages, base_of, person_of
from app.console.services import ConsoleServices
from app.types import Query, State
from app.values.hidden_emails import unpersonal_id

PAGE_SIZE = 50
#: Fields of the search form; each narrows the search.
SEARCH_FIELDS = ("message_id", "event_id", "ad_account_id", "preset", "state", "reason")


class DeliveryPages:
    """Search, one delivery, one message, redrive."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def search(self, request: Request) -> Response:
        """List deliveries, newest first; a message id also shows what the ledger says of it."""
        filters, outbox = filters_of(request.query_params), self._services.outbox
        cursor = request.query_params.get("cursor") or None
        page = await outbox.search(query_of(filters), limit=PAGE_SIZE, cursor=cursor)
        message = await outbox.message(unpersonal_id(filters["message_id"])) if "message_id" in filters else None
        return self._pages.render(
            request,
            "deliveries.html",
            nav="deliveries",
            filters=filters,
            page=page,
            message=message,
            cursor=cursor,
            presets=[preset.name for preset in self._services.running.catalog.presets],
            redriven=_count(request.query_params.get("redriven")),
            filter_query=urlencode(filters),
            next_query=urlencode({**filters, "cursor": page.next_cursor or ""}),
        )

    async def delivery(self, request: Request) -> Response:
        """Show one delivery with every attempt and answer."""
        delivery = await self._services.outbox.delivery(request.query_params.get("id", ""))
        if delivery is None:
            return self._missing(request)
        return self._pages.render(
            request,
            "delivery.html",
            nav="deliveries",
            delivery=delivery,
            event=masked(orjson.loads(delivery.payload)) if delivery.payload else None,
            redriven=_count(request.query_params.get("redriven")),
        )

    async def message(self, request: Request) -> Response:
        """Show what became of one message id."""
        message = await self._services.outbox.message(unpersonal_id(request.query_params.get("id", "")))
        return self._pages.render(request, "message.html", nav="deliveries", message=message)

    async def confirm_redrive(self, request: Request) -> Response:
        """Ask before many are sent again, and show some of them."""
        filters = {**filters_of(request.query_params), "state": State.DEAD.value}
        page = await self._services.outbox.search(query_of(filters), limit=10)
        filters.pop("state")
        dead = None if filters else await self._dead()
        return self._pages.render(request, "redrive.html", nav="deliveries", filters=filters, page=page, dead=dead)

    async def redrive(self, request: Request) -> Response:
        """Make dead deliveries pending again: one, those that a filter finds, or all."""
        form = await read_form(request)
        delivery_id = form.get("delivery_id") or None
        filters = {**filters_of(form), "state": State.DEAD.value}
        query = Query(delivery_id=delivery_id) if delivery_id else query_of(filters)
        count = await self._services.changes.redrive(person_of(request), query)
        if delivery_id:
            return _go(request, "delivery", {"id": delivery_id, "redriven": str(count)})
        filters.pop("state")
        return _go(request, "deliveries", {**filters, "redriven": str(count)})

    async def _dead(self) -> int:
        """Return how many dead deliveries there are, of all ad accounts."""
        outbox, now = self._services.outbox, self._services.clock()
        accounts = self._services.destination.accounts
        return sum([(await outbox.backlog(each.ad_account_id, now=now)).dead for each in accounts])

    def _missing(self, request: Request) -> Response:
        return self._pages.problem(
            request,
            404,
            "No such delivery",
            "It was never there, or it is older than LEDGER_DELIVERED_DAYS or LEDGER_DAYS and was forgotten.",
        )


def filters_of(values: Mapping[str, str]) -> dict[str, str]:
    """Keep the search fields that hold something; an unknown state is no filter."""
    found = {name: values.get(name, "").strip() for name in SEARCH_FIELDS}
    if found["state"] not in tuple(State):
        found["state"] = ""
    return {name: value for name, value in found.items() if value}


def query_of(filters: Mapping[str, str]) -> Query:
    """Ask the outbox for what the filters say."""
    return Query(
        message_id=filters.get("message_id"),
        event_id=filters.get("event_id"),
        ad_account_id=filters.get("ad_account_id"),
        preset=filters.get("preset"),
        state=State(filters["state"]) if "state" in filters else None,
        reason=filters.get("reason"),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _go(request: Request, page: str, values: Mapping[str, str]) -> Response:
    return RedirectResponse(f"{base_of(request)}/{page}?{urlencode(values)}", status_code=303)

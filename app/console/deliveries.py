"""Deliveries, and events that became none: look for them, look at one, look at a message, and send dead ones again."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.forms import read_form
from app.console.labels import EXIT_LABELS, STATE_LABELS, iso
from app.console.masking import masked
from app.console.pages import Pages, base_of, person_of
from app.console.services import ConsoleServices
from app.outbox import SEARCH_FILTERS, given_filters, means_deliveries, noted_exits, read_filters
from app.receiving.finding import Found
from app.types import Query, State
from app.values.hidden_emails import unpersonal_id

PAGE_SIZE = 50
#: Of the address of a list, what is no filter.
_NO_FILTERS = frozenset({"cursor", "notes_cursor", "redriven"})


class DeliveryPages:
    """Search, one delivery, one message, redrive."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def search(self, request: Request) -> Response:
        """List deliveries and what became none, newest first. Raises FilterError for an unknown filter."""
        given = request.query_params
        filters = given_filters({name: text for name, text in given.items() if name not in _NO_FILTERS})
        cursors = {name: given.get(name) or None for name in ("cursor", "notes_cursor")}
        found = await self._services.finder.find(read_filters(filters), limit=PAGE_SIZE, **cursors)
        return self.listed(
            request, found, filters=filters, of=_whose_cursor(cursors), redriven=_count(given.get("redriven"))
        )

    async def look_up(self, request: Request) -> Response:
        """Lead to what is known by whatever somebody types; a person, by digest only, stands in no address."""
        form, finder = await read_form(request), self._services.finder
        text = form.get("text", "")
        digest, may_look = finder.digest(text), person_of(request).may_operate
        if "cursor" in form and digest is not None and may_look:
            found = await finder.find(Query(person=(digest,)), limit=PAGE_SIZE, cursor=form["cursor"])
            return self.listed(request, found, of="deliveries")
        looked_up = await finder.look_up(text, limit=PAGE_SIZE, people=may_look)
        if looked_up is None and digest is not None and not may_look:
            return self._pages.only_operators(request)
        if looked_up is None:
            return self.listed(request, None, missed=text if digest is None else "")
        if looked_up.query.person is None:
            filters = {name: str(value) for name, value in looked_up.query.given.items()}
            return _go(request, "deliveries", filters)
        return self.listed(request, looked_up)

    def listed(
        self,
        request: Request,
        found: Found | None,
        *,
        filters: Mapping[str, str] | None = None,
        of: Literal["deliveries", "notes"] | None = None,
        missed: str | None = None,
        redriven: int | None = None,
    ) -> Response:
        """Show what was found with the form of filters.

        `of` names the list of which an older page is shown, and nothing of the other; `missed` is a text that leads to
        nothing.
        """
        query = found.query if found else Query()
        filters = dict(filters or {})
        shown = filters | {name: iso(at) for name in ("since", "until") if (at := query.given.get(name)) is not None}
        return self._pages.render(
            request,
            "deliveries.html",
            nav="deliveries",
            filters=shown,
            found=found,
            query=query,
            shows_deliveries=means_deliveries(query) and of != "notes",
            shows_notes=bool(noted_exits(query)) and of != "deliveries",
            is_first=of is None,
            missed=missed,
            choices=self._choices(),
            redriven=redriven,
            filter_query=urlencode(filters),
            older=_older(found, filters),
        )

    def _choices(self) -> dict[str, list[tuple[str, str]]]:
        """Return what the form offers for some filters: value and label."""
        return {
            "preset": [(preset.name, preset.name) for preset in self._services.running.catalog.presets],
            "ad_account_id": [(each.ad_account_id, each.shown) for each in self._services.destination.accounts],
            "exit": [(exit_.value, label) for exit_, label in EXIT_LABELS.items()],
            "state": [(state.value, f"{state}: {label}") for state, label in STATE_LABELS.items()],
        }

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
        """Ask before many are sent again, and show some of them. Raises FilterError for an unknown filter."""
        filters = given_filters(request.query_params)
        page = await self._services.outbox.search(read_filters(filters | {"state": State.DEAD}), limit=10)
        filters.pop("state", None)
        dead = None if filters else await self._dead()
        return self._pages.render(
            request, "redrive.html", nav="deliveries", filters=filters, words=SEARCH_FILTERS, page=page, dead=dead
        )

    async def redrive(self, request: Request) -> Response:
        """Make dead deliveries pending again: one, those that a filter finds, or all. Raises FilterError likewise."""
        filters = given_filters(await read_form(request))
        count = await self._services.changes.redrive(person_of(request), read_filters(filters | {"state": State.DEAD}))
        if filters.keys() == {"delivery_id"}:
            return _go(request, "delivery", {"id": filters["delivery_id"], "redriven": str(count)})
        filters.pop("state", None)
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


def _whose_cursor(cursors: Mapping[str, str | None]) -> Literal["deliveries", "notes"] | None:
    if cursors["cursor"]:
        return "deliveries"
    return "notes" if cursors["notes_cursor"] else None


def _older(found: Found | None, filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the addresses of the next pages of both lists, without their path; None where there are none."""
    cursors = {
        "cursor": found.deliveries.next_cursor if found else None,
        "notes_cursor": found.notes.next_cursor if found else None,
    }
    return {name: cursor and urlencode({**filters, name: cursor}) for name, cursor in cursors.items()}


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _go(request: Request, page: str, values: Mapping[str, str]) -> Response:
    return RedirectResponse(f"{base_of(request)}/{page}?{urlencode(values)}", status_code=303)

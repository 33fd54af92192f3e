"""Deliveries, and events that became none: look for them, look at one, look at a message."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.console.forms import read_form
from app.console.labels import EXIT_LABELS, STATE_LABELS, iso
from app.console.masking import masked
from app.console.pages import Pages, go, person_of
from app.console.services import ConsoleServices
from app.outbox import given_filters, means_deliveries, noted_exits, read_filters
from app.receiving.finding import Found
from app.types import DeadCause, Query
from app.values.hidden_emails import unpersonal_id

PAGE_SIZE = 50
#: So many causes of dead letters are listed.
CAUSES = 50
#: What was done to dead letters, as an address says it: how many.
DONE_TO_DEAD = ("redriven", "overtaken", "waiting", "dismissed")
#: Of the address of a list, what is no filter.
_NO_FILTERS = frozenset({"cursor", "notes_cursor", *DONE_TO_DEAD})


class DeliveryPages:
    """Search, one delivery, one message."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def search(self, request: Request) -> Response:
        """List deliveries and what became none, newest first. Raises FilterError for an unknown filter."""
        given = request.query_params
        filters = given_filters({name: text for name, text in given.items() if name not in _NO_FILTERS})
        cursors = {name: given.get(name) or None for name in ("cursor", "notes_cursor")}
        found = await self._services.finder.find(read_filters(filters), limit=PAGE_SIZE, **cursors)
        causes = await self._services.outbox.dead_letters.causes(limit=CAUSES) if filters == {"state": "dead"} else []
        return self._listed(
            request, found, filters=filters, of=_whose_cursor(cursors), causes=causes, done=done_of(given)
        )

    async def look_up(self, request: Request) -> Response:
        """Lead to what is known by whatever somebody types; a person, by digest only, stands in no address."""
        form, finder = await read_form(request), self._services.finder
        text = form.get("text", "")
        digest, may_look = finder.digest(text), person_of(request).may_operate
        if "cursor" in form and digest is not None and may_look:
            found = await finder.find(Query(person=(digest,)), limit=PAGE_SIZE, cursor=form["cursor"])
            return self._listed(request, found, of="deliveries")
        looked_up = await finder.look_up(text, limit=PAGE_SIZE, people=may_look)
        if looked_up is None and digest is not None and not may_look:
            return self._pages.only_operators(request)
        if looked_up is None:
            return self._listed(request, None, missed=text if digest is None else "")
        if looked_up.query.person is None:
            filters = {name: str(value) for name, value in looked_up.query.given.items()}
            return go(request, "deliveries", filters)
        return self._listed(request, looked_up)

    def _listed(
        self,
        request: Request,
        found: Found | None,
        *,
        filters: Mapping[str, str] | None = None,
        of: Literal["deliveries", "notes"] | None = None,
        missed: str | None = None,
        causes: Sequence[DeadCause] = (),
        done: Mapping[str, int] | None = None,
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
            causes=causes,
            done=done,
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
            done=done_of(request.query_params),
        )

    async def message(self, request: Request) -> Response:
        """Show what became of one message id."""
        message = await self._services.outbox.message(unpersonal_id(request.query_params.get("id", "")))
        return self._pages.render(request, "message.html", nav="deliveries", message=message)

    def _missing(self, request: Request) -> Response:
        return self._pages.problem(
            request,
            404,
            "No such delivery",
            "It was never there, or it is older than LEDGER_DELIVERED_DAYS or LEDGER_DAYS and was forgotten.",
        )


def done_of(values: Mapping[str, str]) -> dict[str, int]:
    """Return what an address says was just done to dead letters, all counts of it; empty where it says nothing."""
    done = {name: int(values[name]) for name in DONE_TO_DEAD if values.get(name, "").isdecimal()}
    return done if not done or "dismissed" in done else dict.fromkeys(DONE_TO_DEAD[:3], 0) | done


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

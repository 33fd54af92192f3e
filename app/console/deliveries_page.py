"""Pages for deliveries and other events: search, details, messages; redrive or dismiss dead ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Final, Literal
from urllib.parse import quote, urlencode

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.config import Settings
from app.console.filter import ANEW, PageFilter, filter_of
from app.console.labels import OUTCOME_LABELS, STATE_LABELS, iso, masked
from app.console.pages import Form, PageGroup, csv_download, given_number, go, person_of, read_form, read_params
from app.core.deliveries import Delivery, State
from app.core.pages import DeadCause, DroppedPage, Page, Query
from app.core.shared_values import SET_ASIDE
from app.core.values.hidden_emails import unpersonal_id
from app.errors import FilterError
from app.operations import deliveries
from app.operations.declaration import Column, Operation, counts_of, faults_of, plain, read_texts
from app.operations.deliveries import COLUMNS, DeadParams, DeliveryFilters, dismiss, redrive
from app.outbox import SEARCH_FILTERS, read_filters
from app.outbox.search import dropped_outcomes, given_filters, means_deliveries
from app.pipeline.received_names import title_of
from app.pipeline.search import Found, dropped_json

PAGE_SIZE = 25
#: Maximum number of listed causes of dead letters.
CAUSES = 50
#: Parameters of an address with the counts of a redrive or a dismissal.
DONE_TO_DEAD = ("redriven", "overtaken", "waiting", "too_old", "dismissed")
#: Parameters of a list's address that are not filters.
_NO_FILTERS = (ANEW - {"since", "until"}) | {"sort"}
_OLDEST: Final = {"sort": "oldest"}
#: The cursors of both lists, as in addresses.
_CURSORS: Final = ("cursor", "dropped_cursor")
#: Filters that identify a single object, and states that are independent of the period.
_IDS: Final = frozenset({"delivery_id", "message_id", "event_id", "order_id"})
_NOW: Final = frozenset({"waiting", State.PENDING, State.CLAIMED, State.DEAD})


#: The columns of an export of events that were not sent.
_DROPPED_COLUMNS: Final = (
    Column(name="at", title="When", kind="time"),
    Column(name="outcome", title="What"),
    Column(name="source", title="Source"),
    Column(name="name", title="Event"),
    Column(name="preset", title="Preset"),
    Column(name="ad_account_id", title="Ad account"),
    Column(name="reason", title="Why"),
    Column(name="order_id", title="Order"),
    Column(name="amount", title="Value", kind="money"),
    Column(name="warnings", title="Warnings"),
    Column(name="message_id", title="Message id"),
)


class DeliveryPages(PageGroup):
    """Search, details of a delivery, details of a message."""

    async def search(self, request: Request) -> Response:
        """List deliveries and other events, newest first; an error in the filters is shown above the form."""
        given = {name: text for name, text in request.query_params.items() if name not in _NO_FILTERS}
        try:
            return await self._searched(request, given_filters(given))
        except FilterError as exc:
            typed = {name: text for name, text in given.items() if name in SEARCH_FILTERS}
            return self._listed(request, None, typed=typed, fault=str(exc))

    async def _searched(self, request: Request, filters: dict[str, str]) -> Response:
        given, chosen = request.query_params, self._adopted(request, filters)
        narrowed = with_page_filter(chosen, filters, self._services.clock())
        cursor, dropped_cursor = (given.get(name) or None for name in _CURSORS)
        found = await self._services.finder.find(
            read_filters(narrowed),
            limit=PAGE_SIZE,
            cursor=cursor,
            dropped_cursor=dropped_cursor,
            oldest_first=bool(_order(request)),
        )
        causes = []
        if narrowed.keys() <= {"state", "ad_account_id"} and filters.get("state") == "dead":
            every = await self._services.outbox.dead_letters.causes(limit=CAUSES)
            causes = [each for each in every if chosen.account_id in ("", each.ad_account_id)]
        return self._listed(
            request,
            found,
            filters=narrowed,
            typed=filters,
            of="deliveries" if cursor else "dropped" if dropped_cursor else None,
            causes=causes,
        )

    async def export(self, request: Request) -> Response:
        """Return all deliveries of the filters as CSV; with `of=dropped`, all events that were not sent."""
        given = {name: text for name, text in request.query_params.items() if name not in {*_NO_FILTERS, "of"}}
        filters, outbox, is_oldest = given_filters(given), self._services.outbox, bool(_order(request))
        narrowed = with_page_filter(self._adopted(request, filters), filters, self._services.clock())
        query = (await self._services.finder.find(read_filters(narrowed), limit=1)).query

        async def deliveries(limit: int, cursor: str | None) -> tuple[Iterable[Delivery], str | None]:
            page = await outbox.search(query, limit=limit, cursor=cursor, oldest_first=is_oldest)
            return page.deliveries, page.next_cursor

        async def dropped(limit: int, cursor: str | None) -> tuple[Iterable[SimpleNamespace], str | None]:
            page = await outbox.search_dropped(query, limit=limit, cursor=cursor, oldest_first=is_oldest)
            return [SimpleNamespace(**each) for each in dropped_json(page)], page.next_cursor

        if request.query_params.get("of") == "dropped":
            return csv_download("not-sent", _DROPPED_COLUMNS, dropped)
        return csv_download("deliveries", COLUMNS, deliveries)

    def _adopted(self, request: Request, filters: dict[str, str]) -> PageFilter:
        """Move an ad account and a source in the filters of the address to the page filter.

        A search by id is not restricted, unless the address restricts it.
        """
        chosen, accounts = filter_of(request), self._services.accounts
        if not _IDS.isdisjoint(filters):
            return chosen
        named = next((each for each in accounts if each.ad_account_id == filters.get("ad_account_id")), None)
        if named and len(accounts) > 1:
            del filters["ad_account_id"]
            chosen = replace(chosen, account=named)
        if filters.get("source") in chosen.sources and len(chosen.sources) > 1:
            chosen = replace(chosen, source=filters.pop("source"))
        request.state.page_filter = chosen
        return chosen

    async def look_up(self, request: Request) -> Response:
        """Redirect to the object of a typed text; a person, only by digest, is never in an address."""
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
        if looked_up.query.order_id is not None:
            return go(request, f"order/{quote(unpersonal_id(looked_up.query.order_id), safe='')}")
        if looked_up.query.person is None:
            filters = {name: str(value) for name, value in looked_up.query.given.items()}
            return go(request, "deliveries", filters)
        return self._listed(request, looked_up)

    async def offers(self, _request: Request) -> Response:
        """Return the names that `Ctrl+K` offers in addition to the pages, each with its kind and its page, as JSON."""
        services = self._services
        presets = [
            ("Preset", each.name, f"preset?{urlencode({'name': each.name})}")
            for each in services.running.catalog.presets
        ]
        keys = [each.figures.key for each in await services.inventory.names()]
        events = [("Event", title_of(key), f"inventory/name?{urlencode(key._asdict())}") for key in keys if key.type]
        sources = [("Source", name, f"inventory?{urlencode({'from': name})}") for name in services.sources()]
        settings = [("Setting", name.upper(), "") for name in Settings.model_fields]
        return JSONResponse([*presets, *events, *sources, *settings], headers={"Cache-Control": "no-store"})

    def _listed(
        self,
        request: Request,
        found: Found | None,
        *,
        filters: Mapping[str, str] | None = None,
        typed: Mapping[str, str] | None = None,
        of: Literal["deliveries", "dropped"] | None = None,
        missed: str | None = None,
        fault: str = "",
        causes: Sequence[DeadCause] = (),
    ) -> Response:
        """Show the results with the form of filters.

        `typed` are the filters that are not in the page filter: the form shows them. `of` is the list whose older page
        is shown, without the other list; `missed` is a text without results, `fault` an error in the typed text.
        """
        query = found.query if found else Query()
        filters, typed = dict(filters or {}), dict(typed or {})
        return self._pages.render(
            request,
            "deliveries.html",
            status=400 if fault else 200,
            fault=fault,
            obeys=applied_filters(typed),
            usual="the times below" if {"since", "until"} & typed.keys() else "any time",
            kept={name: text for name, text in typed.items() if name not in ANEW} | _order(request),
            nav="deliveries",
            filters=_with_times(typed, query),
            narrowed=filters,
            found=found,
            query=query,
            shows_deliveries=means_deliveries(query) and of != "dropped",
            shows_dropped=bool(dropped_outcomes(query)) and of != "deliveries",
            is_first=of is None,
            missed=missed,
            choices=self._choices(),
            causes=causes,
            done=done_counts(request.query_params),
            filter_query=urlencode(filters),
            in_order=_order(request),
            turned=None if query.person else urlencode(typed | ({} if _order(request) else _OLDEST)),
            ways=_ways(found, filters | _order(request)),
        )

    def _choices(self) -> dict[str, list[tuple[str, str]]]:
        """Return the options of the form for some filters: value and label."""
        return {
            "preset": [(preset.name, preset.name) for preset in self._services.running.catalog.presets],
            "outcome": [(outcome.value, label) for outcome, label in OUTCOME_LABELS.items()],
            "state": [
                ("waiting", "waits or is being sent"),
                *((state.value, label) for state, label in STATE_LABELS.items()),
            ],
        }

    async def delivery(self, request: Request) -> Response:
        """Show a delivery with all attempts and responses."""
        delivery = await self._services.outbox.delivery(request.query_params.get("id", ""))
        if delivery is None:
            return self._missing(request)
        presets = self._services.running.catalog.presets
        return self._pages.render(
            request,
            "delivery.html",
            kept={"id": delivery.delivery_id},
            nav="deliveries",
            delivery=delivery,
            set_aside=await SET_ASIDE.read(self._services.outbox, f"delivery/{delivery.delivery_id}"),
            redriven=was_redriven(delivery),
            may_be_held=any(each.name == delivery.preset and each.hold_s for each in presets),
            event=masked(orjson.loads(delivery.payload)) if delivery.payload else None,
            done=done_counts(request.query_params),
        )

    async def message(self, request: Request) -> Response:
        """Show the results of a message id."""
        message = await self._services.outbox.message(unpersonal_id(request.query_params.get("id", "")))
        kept = {"id": message.message_id}
        return self._pages.render(request, "message.html", kept=kept, nav="deliveries", message=message)

    def _missing(self, request: Request) -> Response:
        return self._pages.problem(
            request,
            404,
            "No such delivery",
            "It was never there, or it is older than RETENTION_DAYS and was forgotten.",
        )


def was_redriven(delivery: Delivery) -> bool:
    """Return whether a delivery was redriven: then it has attempts from before it was enqueued again."""
    return bool(delivery.history) and delivery.history[0].at < delivery.enqueued_at


def applied_filters(filters: Mapping[str, str]) -> frozenset[str]:
    """Return the parts of the page filter that restrict a list, given the list's own filters.

    A search by id is not restricted; the period does not restrict a current state, or explicit times.
    """
    if not _IDS.isdisjoint(filters):
        return frozenset()
    is_timed = {"since", "until"}.isdisjoint(filters) and filters.get("state") not in _NOW
    return frozenset({"account", "from", "period"} if is_timed else {"account", "from"})


def with_page_filter(chosen: PageFilter, filters: Mapping[str, str], now: float) -> dict[str, str]:
    """Return the filters of a list together with the page filter."""
    parts, period = applied_filters(filters), chosen.period
    head: dict[str, str] = {}
    if "account" in parts:
        head |= {"ad_account_id": chosen.account_id, "source": chosen.source}
    if period and "period" in parts:
        head |= {"since": str(period.starts(now)[0]), "until": str(period.until(now) or "")}
    return {name: text for name, text in {**head, **filters}.items() if text}


def done_counts(values: Mapping[str, str]) -> dict[str, int]:
    """Return the counts of a redrive or dismissal in the parameters of an address; empty if there are none."""
    done = {name: count for name in DONE_TO_DEAD if (count := given_number(values.get(name))) is not None}
    return done if not done or "dismissed" in done else dict.fromkeys(DONE_TO_DEAD[:4], 0) | done


def _with_times(typed: Mapping[str, str], query: Query) -> dict[str, str]:
    """Return the typed filters, with their parsed times."""
    times = {
        name: iso(at) for name in ("since", "until") if name in typed and (at := query.given.get(name)) is not None
    }
    return {**typed, **times}


def _order(request: Request) -> dict[str, str]:
    """Return the parameter of an address with another order than the default; otherwise empty."""
    return dict(_OLDEST) if request.query_params.get("sort") == _OLDEST["sort"] else {}


def _ways(found: Found | None, filters: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the addresses of a list's pages by cursor, without their path: the first, the previous and the next.

    Missing pages are "".
    """
    if found is None:
        return {}
    lists: tuple[Page | DroppedPage, ...] = found.deliveries, found.dropped
    cursors = {
        name: {"prev": page.prev_cursor, "next": page.next_cursor} for name, page in zip(_CURSORS, lists, strict=True)
    }
    return {
        name: {"first": urlencode(filters)}
        | {way: urlencode({**filters, name: cursor}) if cursor else "" for way, cursor in of.items()}
        for name, of in cursors.items()
    }


#: Rows shown before a person confirms.
_SHOWN = 10


class DeadLetterPages(PageGroup):
    """Confirm and run the operations that change dead deliveries: a dry run gives the counts to confirm."""

    async def confirm_redrive(self, request: Request) -> Response:
        """Ask before deliveries are redriven, and show some of them."""
        return await self._confirm(request, redrive, dict(request.query_params))

    async def confirm_dismissal(self, request: Request) -> Response:
        """Ask before deliveries are dismissed, and for the reason."""
        return await self._confirm(request, dismiss, dict(request.query_params))

    async def redrive(self, request: Request) -> Response:
        """Redrive."""
        return await self._run(request, redrive)

    async def dismiss(self, request: Request) -> Response:
        """Dismiss."""
        return await self._run(request, dismiss)

    async def _run(self, request: Request, operation: Operation) -> Response:
        form = await read_form(request)
        try:
            params = read_texts(operation, form)
        except ValidationError as exc:
            faults = faults_of(exc)
            if {name for name, _ in faults} != {"because"}:
                raise FilterError("; ".join(text for _, text in faults)) from exc
            return await self._confirm(request, operation, form, fault=faults[0][1])
        result = await operation(self.call(request), params)
        filters = {name: text for name, text in form.items() if name in DeliveryFilters.model_fields}
        done = {name: value for name, value in plain(result).items() if type(value) is int}
        if filters.keys() == {"delivery_id"}:
            return go(request, "delivery", {"id": filters["delivery_id"], **done})
        return go(request, "deliveries", {**filters, **done})

    async def _confirm(self, request: Request, operation: Operation, given: Form, *, fault: str = "") -> Response:
        """Ask about the deliveries that match; `fault` is the error in the reason, "" before a reason was given."""
        filters = {name: text for name, text in given.items() if name in DeliveryFilters.model_fields}
        texts = {**filters, "dry_run": "true", **({} if filters else {"all": "true"})}
        if operation is dismiss:
            texts["because"] = "dry run"
        params: DeadParams = read_params(operation, texts)
        counted = await operation(self.call(request), params)
        return self._pages.render(
            request,
            "dead_letters.html",
            status=400 if fault else 200,
            fault=fault,
            kept=filters,
            nav="deliveries",
            operation=operation,
            filters=filters,
            words=SEARCH_FILTERS,
            page=await self._services.outbox.search(params.query, limit=_SHOWN),
            counted=counted,
            counts=counts_of(counted),
            done_name="redriven" if operation is redrive else "dismissed",
            counted_at_most=deliveries.COUNTED_AT_MOST,
        )

"""The event tester, which shows the result of a pasted event, and the live tail, whose events it opens."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.access.users import Person
from app.catalog import Preset
from app.catalog.publishing import Publisher
from app.console.filter import filter_of
from app.console.inventory_page import key_of
from app.console.labels import OUTCOME_LABELS, pretty, with_fresh_timestamp
from app.console.pages import MAX_FORM_BYTES, Form, PageGroup, given_number, go, person_of, read_form
from app.console.services import ConsoleServices
from app.core.events import DEFAULT_SOURCE, Event, EventKey
from app.destination.client import Failure
from app.errors import CatalogError, EventRefused, Fault, UnknownName
from app.insights.inventory.drafts import draft_preset
from app.pipeline.explain import EventReport, PresetReport
from app.source import Arrival, NamedSource, read_event_text
from app.source.event import read_or_refuse
from app.source.named_sources import events_of, held_back
from app.source.raw_records import read_raw_requests
from app.source.responses import RequestRefused

#: Maximum number of events in a pasted array. Each event may have the size of a request.
MAX_EVENTS: Final = 4_000
#: The body of a request for a pixel.
_NO_BODY: Final = b"null"


class NoEvent(Exception):
    """The pasted text contains no event; the message has the reason and the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """The part of the form about the input."""

    #: An event; for a mapped source, the body of a request.
    text: str = ""
    #: The name of the source.
    source: str = DEFAULT_SOURCE
    #: For a mapped source: `Name: value` lines.
    headers: str = ""
    #: The query of the address, likewise.
    query: str = ""
    #: The number of the displayed event, from 1.
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """The displayed event."""

    event: Event | EventRefused
    #: The JSON of a mapped source; "" for the pasted text itself.
    made: str = ""
    #: The number of events.
    count: int = 1


def arriving(pasted: Pasted, source: NamedSource | None, now: float) -> Arriving:
    """Return the event in the pasted text, as the source's endpoint would read it; `None`: a source without a file.

    Raises NoEvent.
    """
    if source is None or source.reshape is None:
        events = _segments(pasted.text, now)
        made = [""] * len(events)
    else:
        raw = list(events_of(_records(pasted, source), source.reshape))
        made = ["" if isinstance(each, EventRefused) else pretty(each) for each in raw]
        events = [read_or_refuse(each, Arrival.at(now)) for each in raw]
    if not events:
        raise NoEvent("There is no event in this array.")
    place = min(max(pasted.number, 1), len(events)) - 1
    event = events[place] if source is None else held_back(events[place], source)
    return Arriving(event=event, made=made[place], count=len(events))


def _segments(text: str, now: float) -> list[Event | EventRefused]:
    if not text.strip():
        raise NoEvent("There is nothing here yet: paste an event as JSON, or pick an example.")
    fault = _where_it_breaks_off(text)
    try:
        return read_event_text(text.encode(errors="replace"), now=now, max_events=MAX_EVENTS)
    except RequestRefused as exc:
        raise NoEvent(fault or exc.reason) from None


def _records(pasted: Pasted, source: NamedSource) -> list[dict[str, Any] | EventRefused]:
    """Return the records of a request; headers with secrets are omitted, as in the endpoint."""
    body = pasted.text.strip().encode(errors="replace")
    if not body and not (source.takes_pixels and pasted.query):
        raise NoEvent("There is nothing here yet: paste a request's body, and the headers that the triggers ask for.")
    headers = dict(_pairs(pasted.headers))
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    shown = {name: value for name, value in headers.items() if name.lower() not in source.hidden_headers}
    try:
        return list(read_raw_requests(body or _NO_BODY, content_type, shown, pasted.query.removeprefix("?")))
    except RequestRefused as exc:
        raise NoEvent(_where_it_breaks_off(pasted.text) or exc.reason) from None


def _pairs(lines: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(filter(str.strip, lines.splitlines()), start=1):
        name, colon, value = line.partition(":")
        if not colon:
            raise NoEvent(f"Line {number} of the headers is not a header: write it as `Name: value`.")
        yield name.strip(), value.strip()


def _where_it_breaks_off(text: str) -> str:
    """Return the position of a JSON syntax error that the endpoint would tolerate; "" without an error."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return f"This is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}."
    return ""


#: A file that is not in the catalog, as for drafts of a kind of event.
_NEW_FILE: Final = re.compile(r".{1,400}\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file's text in a trial: it replaces the file of that name and is never written."""

    #: The name in the running catalog, such as `presets/checkout.yaml`.
    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestReply:
    """Pinterest's response to a test event."""

    #: The HTTP status; `None` without a response.
    status: int | None
    #: Pinterest's message, or the reason for a missing response. Contains no token.
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The form for display, and its result."""

    #: The pasted input.
    pasted: Pasted
    #: The tried file; `None` without one.
    draft: Draft | None = None
    #: Why the text is not an event; "" if it is.
    fault: str = ""
    #: The faults of the draft; with faults no result is shown.
    draft_faults: tuple[Fault, ...] = ()
    #: The displayed event; `None` in case of a fault.
    arriving: Arriving | None = None
    explanation: EventReport | None = None
    #: Pinterest's responses by the report's title, if the event was sent.
    replies: dict[str, PinterestReply] = field(default_factory=dict)


class TesterPages(PageGroup):
    """The page with the form and its result. The buttons of the form determine the action."""

    async def show(self, request: Request) -> Response:
        """Show the form with the first example, the `?example=` of a preset, or the draft for a kind of event."""
        if request.query_params.get("type"):
            return self._render(request, await self._try_new(key_of(request.query_params)))
        wanted = request.query_params.get("example")
        pasted = Pasted(text=self._example_text(wanted), source=self._source_of(request.query_params))
        return self._render(request, await self._try(pasted, None), is_fresh=not request.query_params)

    async def run(self, request: Request) -> Response:
        """Perform the button's action: load an example or a file, send a test event, or show the result."""
        form = await read_form(request)
        if "example" in form:
            form = {**form, "event": self._example_text(form["example"])}
        pasted = Pasted(
            text=form.get("event", ""),
            source=self._source_of(form),
            headers=form.get("headers", ""),
            query=form.get("query", ""),
            number=given_number(form.get("number") or form.get("chosen")) or 1,
        )
        trial = await self._try(pasted, self._draft(form))
        if title := form.get("send"):
            person = person_of(request)
            if not person.may_operate:
                return self._pages.only_operators(request)
            trial.replies.update(await self._send(trial.explanation, title, person))
        return await asyncio.to_thread(self._render, request, trial, is_again="again" in form)

    async def open(self, request: Request, text: str, source: str) -> Response:
        """Show the form with a received event; an event of a mapped source is shown as a plain event."""
        known = self._services.sources()
        file = known.get(source)
        is_plain = source in known and (file is None or file.reshape is None)
        pasted = Pasted(text=text, source=source if is_plain else DEFAULT_SOURCE)
        return self._render(request, await self._try(pasted, None), is_opened=True)

    async def _try_new(self, key: EventKey) -> Trial:
        """Try the draft of a preset for a kind of event, with an example of the observed shape."""
        properties, view = await self._services.inventory.properties(key), await self._services.inventory.name(key)
        shares = view.figures.shares if view else {}
        made = draft_preset(key, properties, self._services.running.catalog, shares)
        source = key.source if key.source in self._services.sources() else DEFAULT_SOURCE
        pasted = Pasted(text=pretty(with_fresh_timestamp(made.event, self._services.clock())), source=source)
        return await self._try(pasted, Draft(file=made.file, text=made.text))

    def _source_of(self, values: Mapping[str, str]) -> str:
        """Return the requested source; the default one if the name is unknown."""
        asked = values.get("source", "")
        return asked if asked in self._services.sources() else DEFAULT_SOURCE

    async def _try(self, pasted: Pasted, draft: Draft | None) -> Trial:
        running, now = self._services.running, self._services.clock()
        try:
            # Other requests continue meanwhile.
            found = await asyncio.to_thread(arriving, pasted, self._services.sources().get(pasted.source), now)
            catalog = running.catalog
            if draft:
                catalog = await asyncio.to_thread(running.with_draft, draft.file, draft.text)
        except NoEvent as exc:
            return Trial(pasted=pasted, draft=draft, fault=str(exc))
        except CatalogError as exc:
            return Trial(pasted=pasted, draft=draft, draft_faults=exc.faults)
        explanation = await self._services.explainer.explain(found.event, catalog, now=now, source=pasted.source)
        return Trial(pasted=pasted, draft=draft, arriving=found, explanation=explanation)

    def _draft(self, form: Form) -> Draft | None:
        """Return the draft in the form; a newly selected file starts with its running text, a new file continues."""
        texts = self._services.running.texts
        chosen = form.get("draft_file", "")
        begun = form.get("draft_of") == chosen and "reset" not in form
        if chosen not in texts:
            return (
                Draft(file=chosen, text=form.get("draft_text", "")) if begun and _NEW_FILE.fullmatch(chosen) else None
            )
        return Draft(file=chosen, text=form.get("draft_text", "") if begun else texts[chosen])

    async def _send(self, explanation: EventReport | None, title: str, person: Person) -> dict[str, PinterestReply]:
        """Send the result of a preset with `?test=true`, if there is one. Raises UnknownName.

        `title` is that of its report, which includes the destination.
        """
        made = {each.title: each for each in (explanation.presets if explanation else ())}
        if explanation and title not in made:
            raise UnknownName("preset", title, made)
        reply = await send_as_test(self._services, person, made[title]) if title in made else None
        return {title: reply} if reply else {}

    def _example_text(self, wanted: str | None) -> str:
        """Return a preset's example; if it has none, the first of all examples, or "".

        Raises UnknownName.
        """
        presets = {each.name: each for each in self._services.running.catalog.presets}
        if wanted and wanted not in presets:
            raise UnknownName("preset", wanted, presets)
        examples = {each.name: each.example for each in _with_example(presets.values())}
        event = examples.get(wanted or "") or next(iter(examples.values()), None)
        return pretty(with_fresh_timestamp(event, self._services.clock())) if event else ""

    def _render(
        self,
        request: Request,
        trial: Trial,
        *,
        is_fresh: bool = False,
        is_again: bool = False,
        is_opened: bool = False,
    ) -> Response:
        """Show the form.

        With `is_fresh` a script may restore the text that was typed before, and then the form is shown with `is_again`.
        The script stores text with `is_opened` like typed text.
        """
        running, sources = self._services.running, self._services.sources()
        publisher = self._services.acts.catalog.publisher
        chosen = sources.get(trial.pasted.source)
        return self._pages.render(
            request,
            "tester.html",
            sources=list(sources),
            is_mapped=chosen is not None and chosen.reshape is not None,
            nav="tester",
            trial=trial,
            is_fresh=is_fresh,
            is_again=is_again,
            is_opened=is_opened,
            max_form_bytes=MAX_FORM_BYTES,
            examples=[preset.name for preset in _with_example(running.catalog.presets)],
            files=list(running.texts),
            is_new=trial.draft is not None and trial.draft.file not in running.texts,
            why_not=publisher.why_not(trial.draft.file) if trial.draft else "",
            published_as=_published_as(publisher, trial.draft),
        )


async def send_as_test(services: ConsoleServices, person: Person, report: PresetReport) -> PinterestReply | None:
    """Send the result of a preset with `?test=true`, and return the response; `None` without a result."""
    if not report.payload:
        return None
    accounts = {each.name: each.ad_account_id for each in services.accounts}
    client = services.clients[accounts[report.destination]]
    answer = await services.acts.tests.send_event(person, client, report.payload, title=report.title)
    if isinstance(answer, Failure):
        return PinterestReply(status=None, body=answer.reason)
    return PinterestReply(status=answer.status, body=orjson.dumps(answer.body).decode())


def _published_as(publisher: Publisher, draft: Draft | None) -> str:
    """Return the file that a draft is published as, if it differs from its current file; otherwise ""."""
    if draft is None or publisher.why_not(draft.file):
        return ""
    target = str(publisher.target(draft.file))
    return "" if target == draft.file else target


def _with_example(presets: Iterable[Preset]) -> list[Preset]:
    return [preset for preset in presets if preset.example]


#: The durations in minutes for which it may be switched on.
MINUTES: Final = (5, 10, 15)
#: Maximum number of listed events.
LISTED: Final = 50


class TailPages(PageGroup):
    """The list of received events, its switch, and opening an event in the tester. All are for operators."""

    async def show(self, request: Request) -> Response:
        """List the newest events that match the page filter; `?part=live` only the changing part."""
        services, now, chosen = self._services, self._services.clock(), filter_of(request)
        tail = services.acts.tail.tail
        events = [
            each
            for each in tail.events(now=now)
            if chosen.source in ("", each.source)
            and (not chosen.account_id or any(line.ad_account_id == chosen.account_id for line in each.lines))
        ]
        return self._pages.render(
            request,
            "tail_live.html" if request.query_params.get("part") == "live" else "tail.html",
            obeys=("account", "from"),
            usual="since it is on",
            nav="tail",
            tail=tail,
            events=events[:LISTED],
            more=len(events[LISTED:]),
            minutes=MINUTES,
            became=OUTCOME_LABELS,
            process=services.coordination.process,
            others=len(await services.coordination.processes(now=now)) - 1,
        )

    async def switch(self, request: Request) -> Response:
        """Switch the live tail on for some minutes, or off."""
        wanted = (await read_form(request)).get("minutes", "")
        minutes = next((each for each in MINUTES if str(each) == wanted), 0)
        await self._services.acts.tail.watch(person_of(request), for_s=minutes * 60)
        return go(request, "tail")

    async def open(self, request: Request) -> Response:
        """Open an event in the tester."""
        number = (await read_form(request)).get("number", "")
        found = self._services.acts.tail.tail.events(now=self._services.clock())
        event = next((each for each in found if str(each.number) == number), None)
        if event is None:
            text = (
                "It has left the tail, or the tail has ended, or another process answers than the one that holds it. "
                "Go back, load the page again, and open a newer event."
            )
            return self._pages.problem(request, 404, "The event is not held any more", text)
        return await TesterPages(self._services, self._pages).open(request, event.text.decode(), event.source)

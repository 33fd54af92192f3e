"""`pinrelay preview --story`: the results of events in the order and at the times of a file; no event is sent."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import IO, Any, Final, Literal

import httpx
import msgspec
import orjson
import typer
from msgspec import Struct

from app import assemble
from app.assemble.ad_accounts import Destination, destinations
from app.catalog import Catalog
from app.commands.terminal import print_json, print_line
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.deliveries import State
from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.log import log_error
from app.core.pages import Query
from app.core.receipts import EventReceipt
from app.core.trust import SourceTraits
from app.core.values.times import unix_seconds
from app.destination import redact
from app.destination.client import PinterestClient
from app.errors import EventRefused, SettingsError
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Pipeline
from app.pipeline.router import Router
from app.pipeline.waiting import OrderWaits
from app.sender.clocks import Clocks
from app.sender.consent import consent_check
from app.sender.context import CallReport, Dependencies
from app.sender.worker import Worker
from app.source import Intake, read_raw_event

#: Credentials for stories without ones, because a live ad account withholds tests and crawlers; they are never sent.
_CREDENTIALS: Final = {"pinterest_ad_account_id": "549755885175", "pinterest_conversion_token": "a-story-sends-nothing"}
_FORM: Final = (
    "A story has `start`, `steps`; a step `at`, `sender`, `event`; a sender `trust` (public, trusted), `source`"
)
#: The interval and the maximum number of checks for late deliveries.
_LOOK_AGAIN_S: Final = 1.0
_LOOKS: Final = 60
#: Maximum number of waiting deliveries that are checked for the next due time.
_MOST_WAITING: Final = 1_000


class Sender(Struct, frozen=True, kw_only=True):
    """The sender of an event in a story."""

    trust: Literal["public", "trusted"]
    source: str = DEFAULT_SOURCE
    shop: str = ""


class Step(Struct, frozen=True, kw_only=True):
    """An event in a story."""

    #: Seconds after the start of the story.
    at: float
    sender: Sender
    event: dict[str, Any]


class Story(Struct, frozen=True, kw_only=True):
    """A line of a story file."""

    start: str
    steps: list[Step]
    name: str = ""
    #: By name in the environment.
    settings: dict[str, str | int | float | bool] = {}

    @property
    def senders(self) -> tuple[Sender, ...]:
        return tuple(dict.fromkeys(step.sender for step in self.steps))


@dataclass(slots=True, kw_only=True)
class Told:
    """The results of a story."""

    #: The receipt of each step.
    receipts: list[EventReceipt] = field(default_factory=list)
    #: Seconds after the start, the finished event, and its warnings.
    sent: list[tuple[float, Event, tuple[str, ...]]] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        return [receipt.deliveries[0].outcome for receipt in self.receipts]


def show_stories(stream: IO[bytes], *, as_json: bool, **folders: Any) -> None:
    """Play each story of a file; print a line of JSON for each story, or the history.

    Raises BadParameter, with line and member, if the file is invalid.
    """
    stories = [_story(number, line, folders) for number, line in enumerate(stream, start=1) if line.strip()]
    with tempfile.TemporaryDirectory(prefix="pinrelay-story-") as folder:
        asyncio.run(_show(stories, Path(folder), folders, _print_json if as_json else _print))


async def _show(
    stories: Iterable[Story], folder: Path, folders: dict[str, Any], show: Callable[[Story, Told], None]
) -> None:
    for number, story in enumerate(stories, start=1):
        show(story, await play(story, folder, number, folders))


async def play(story: Story, folder: Path, number: int, folders: dict[str, Any]) -> Told:
    """Play a story in its own store, a new file in a folder. `folders` are settings with priority."""
    settings = _settings_of(story, folders)
    path = await _new_store(folder, number, settings)
    return await _Player(story, settings, path).play()


def _print_json(story: Story, told: Told) -> None:
    sent = [{"at": at, "event": event, "warnings": warnings} for at, event, warnings in told.sent]
    print_json({"name": story.name, "sent": sent, "outcomes": told.outcomes})


def _story(number: int, line: bytes, folders: dict[str, Any]) -> Story:
    """Parse a line. Raises BadParameter with the fault and the member."""
    try:
        story = msgspec.json.decode(line, type=Story)
        _check(story)
        _settings_of(story, folders)
    except msgspec.ValidationError as exc:
        message = f"line {number}: {exc}. {_FORM}"
        raise typer.BadParameter(message) from exc
    except msgspec.DecodeError as exc:
        raise typer.BadParameter(f"line {number} is not JSON: {exc}. Write one story a line") from exc
    except SettingsError as exc:
        raise typer.BadParameter(f"line {number}: {exc} - at `$.settings`") from exc
    return story


def _check(story: Story) -> None:
    """Raise ValidationError if a member has the right type but cannot be played."""
    if unix_seconds(story.start) is None:
        message = f"{story.start!r} is no time, such as 2026-03-01T09:00:00Z - at `$.start`"
        raise msgspec.ValidationError(message)
    for name in story.settings:
        if name.lower() not in Settings.model_fields:
            message = f"{name!r} is no setting, docs/settings.md lists them - at `$.settings`"
            raise msgspec.ValidationError(message)
    for place, (before, at) in enumerate(pairwise([0.0, *(step.at for step in story.steps)])):
        if at < before:
            message = f"{at:g} is earlier than {before:g}, write steps in their order - at `$.steps[{place}].at`"
            raise msgspec.ValidationError(message)


def _settings_of(story: Story, folders: dict[str, Any]) -> Settings:
    given = ((name.lower(), value) for name, value in story.settings.items())
    return _settings(tuple(sorted(given)), tuple(folders.items()))


@cache
def _settings(given: tuple[tuple[str, Any], ...], folders: tuple[tuple[str, Any], ...]) -> Settings:
    """Return the settings of a story over those of the environment, for a live ad account without a connection."""
    settings = load_settings(**dict(given), **dict(folders))
    own = {} if settings.live or settings.destinations_dir else _CREDENTIALS
    return load_settings(**dict(given), **dict(folders), **own, alert_webhook_url=None) if own else settings


@cache
def _catalog(settings: Settings) -> Catalog:
    return assemble.running_catalog(settings).catalog


@cache
def _router(settings: Settings) -> Router:
    return assemble.event_router(settings)


class _TakesAll(httpx.AsyncBaseTransport):
    """A transport in place of Pinterest that accepts all events."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        count = len(orjson.loads(await request.aread())["data"])
        taken = {"status": "processed", "error_message": None, "warning_message": None}
        answer = {"num_events_received": count, "num_events_processed": count, "events": [taken] * count}
        return httpx.Response(200, json=answer)


class _Player:
    """Plays a story over its own store, with a clock that jumps from a due time to the next."""

    def __init__(self, story: Story, settings: Settings, path: Path) -> None:
        self._settings = settings
        self._story = story
        self._path = path
        self._start = unix_seconds(story.start) or 0.0
        self._now = self._start
        self._told = Told()
        self._reports: list[CallReport] = []

    async def play(self) -> Told:
        """Play the story until no delivery waits."""
        outbox = open_outbox(f"sqlite:///{self._path}", self._settings, clock=self._clock)
        try:
            workers = [self._worker(outbox, destination) for destination in destinations(self._settings)]
            pipeline = self._pipeline(outbox)
            for step in self._story.steps:
                await self._go_to(self._start + step.at, outbox, workers)
                self._told.receipts.append(await self._accept(pipeline, step))
                await self._go_to(self._now, outbox, workers)
            await self._go_to(None, outbox, workers)
        finally:
            await outbox.close()
        return self._told

    def _clock(self) -> float:
        return self._now

    def _pipeline(self, outbox: Outbox) -> Pipeline:
        quarantine = assemble.quarantine(self._settings, outbox)
        senders = self._story.senders
        traits = {each.source: SourceTraits(is_trusted=each.trust == "trusted", shop=each.shop) for each in senders}
        router = copy(_router(self._settings))
        router.traits_of = traits.__getitem__
        if router.reader is not None:
            router.consents = assemble.consents(self._settings, router.reader, self._clock)
        router.waits = OrderWaits(
            self._settings,
            accounts={each.ad_account_id: each.sources for each in destinations(self._settings)},
            sources=lambda: traits,
            traits_of=router.traits_of,
            shared=outbox,
        )
        return Pipeline(_catalog(self._settings), router, outbox=outbox, quarantine=quarantine)

    def _worker(self, outbox: Outbox, destination: Destination) -> Worker:
        client = PinterestClient(
            api_url=destination.settings.pinterest_api_url,
            ad_account_id=destination.ad_account_id,
            token=destination.token,
            timeout_s=destination.settings.limits.send_timeout_s,
            transport=_TakesAll(),
        )
        surroundings = Dependencies(
            clocks=Clocks(self._clock, self._clock),
            consents=consent_check(outbox, destination.settings, self._clock),
            rng=Random(0),  # noqa: S311 - no pause is drawn: Pinterest takes all
            switches=Switches,
            redact=redact,
            on_call=self._reports.append,
            on_settled_unsent=_ignore,
            on_trouble=_ignore,
            on_jump=_ignore,
            on_error=log_error,
        )
        return Worker(
            outbox, client, destination.settings, ad_account_id=destination.ad_account_id, surroundings=surroundings
        )

    async def _accept(self, pipeline: Pipeline, step: Step) -> EventReceipt:
        event: Event | EventRefused
        try:
            event = read_raw_event(orjson.dumps(step.event), now=self._now)
        except EventRefused as refused:
            event = refused
        intake = Intake([event], self._now, source=step.sender.source, is_trusted=step.sender.trust == "trusted")
        return (await pipeline.accept(intake)).events[0]

    async def _go_to(self, moment: float | None, outbox: Outbox, workers: Sequence[Worker]) -> None:
        """Send due deliveries and advance the clock to a time, or until no delivery waits.

        Newly due deliveries are sent too.
        """
        looks = 0  # at this time
        while (due := await self._next_due(outbox)) is not None and looks < _LOOKS:
            at = due if due > self._now else self._now + _LOOK_AGAIN_S * (looks > 0)
            if moment is not None and at > moment:
                break
            looks = looks + 1 if due <= self._now else 1
            self._now = at
            await self._send(outbox, workers)
        if moment is not None:
            self._now = max(self._now, moment)

    async def _next_due(self, outbox: Outbox) -> float | None:
        waiting = (await outbox.search(Query(state=State.PENDING), limit=_MOST_WAITING)).deliveries
        return min((each.due_at for each in waiting if each.due_at is not None), default=None)

    async def _send(self, outbox: Outbox, workers: Sequence[Worker]) -> None:
        for worker in workers:
            await worker.send_due()
        for report in self._reports:
            for claimed in report.claimed:
                delivery = await outbox.delivery(claimed.delivery_id)
                warnings = delivery.warnings if delivery else ()
                self._told.sent.append((report.at - self._start, orjson.loads(claimed.payload), warnings))
        self._reports.clear()


def _ignore(*_: object) -> None:
    """Do nothing, in place of a callback."""


async def _new_store(folder: Path, number: int, settings: Settings) -> Path:
    """Return a new store as a copy of the first one.

    The creation of the schema is slower than a whole story.
    """
    empty = folder / "empty.db"
    if not empty.exists():
        await open_outbox(f"sqlite:///{empty}", settings).close()
    return Path(shutil.copy(empty, folder / f"{number}.db"))


def _print(story: Story, told: Told) -> None:
    print_line(story.name or "story")
    arrived = [
        (step.at, f"{step.sender.source} ({step.sender.trust}) says {_name(step.event)}: {_in_words(receipt)}")
        for step, receipt in zip(story.steps, told.receipts, strict=True)
    ]
    sent = [
        (at, f"sent {_summary(event)}{''.join(f'; {each}' for each in warnings)}") for at, event, warnings in told.sent
    ]
    for at, text in sorted([*arrived, *sent], key=lambda each: each[0]):
        print_line(f"{at:>10g} s  {text}")


def _name(event: Event) -> str:
    return " ".join(str(event[name]) for name in ("event", "messageId") if name in event)


def _in_words(receipt: EventReceipt) -> str:
    lines: Iterable[str] = (": ".join(filter(None, (line.outcome, line.reason))) for line in receipt.deliveries)
    return ", ".join(dict.fromkeys(lines))


def _summary(event: Event) -> str:
    custom_data = event.get("custom_data", {})
    told = {"order": custom_data.get("order_id"), "value": custom_data.get("value"), "id": event["event_id"]}
    return " ".join([event["event_name"], *(f"{name} {value}" for name, value in told.items() if value is not None)])

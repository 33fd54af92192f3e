"""The page of a preset, and its visual editor: the chosen event, and the results of real events."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, Final, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.access.users import Person
from app.catalog import Catalog, Preset
from app.catalog.document import YamlDocument, read_document
from app.catalog.publishing import Version, name_fault
from app.config.settings import AccountEventSettings, event_settings_of
from app.console.chips import WRAPPERS
from app.console.counts import StepCounts
from app.console.drafts import Drafts, both_changed, changed, moved, with_published
from app.console.filter import days_of
from app.console.inventory_page import key_of
from app.console.labels import pretty, time_span, with_fresh_timestamp
from app.console.pages import Form, PageGroup, Pages, go, person_of, read_form
from app.console.preset_editor import (
    FIELD_EDITS,
    META,
    OPERATORS,
    FieldGroup,
    SeenPath,
    TriggerRow,
    WordedChange,
    field_groups,
    meta_of,
    nodes_in_words,
    read_path,
    seen_paths,
    trigger_rows,
    with_field,
    with_meta,
    with_shares,
)
from app.console.publish_page import difference, digest, own_sources, running_file
from app.console.services import ConsoleServices
from app.console.tester_page import PinterestReply, send_as_test
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE, Event, EventKey, Outcome
from app.core.shared_values import DraftStep, PresetDraft
from app.core.values.times import DAY_S, HOUR_S
from app.errors import CatalogError, EditRefused, EventRefused, Fault, TriggerError, UnknownName
from app.insights.inventory.drafts import draft_preset
from app.insights.inventory.figures import NameFigures
from app.insights.orders.revenue import read_revenue
from app.pipeline.explain import Explainer, PresetReport
from app.pipeline.quarantine import shown_name
from app.pipeline.recording import recorded
from app.pipeline.shadow import Shadow
from app.source import Arrival
from app.source.event import read_or_refuse
from app.trigger import Trigger, compile_trigger
from app.trigger.edits import condition_text, negated, with_added, with_condition, with_joiner, without_term

#: The numbers of newest samples that are counted, and of matching samples that are mapped with draft and live preset.
_COUNTED: Final = 500
_COMPARED: Final = 120
#: Maximum number of event names that the value of a condition suggests.
_NAMES: Final = 200
#: Maximum numbers of switches and versions on the page of a preset.
_LISTED: Final = 5
#: The days of results on its page.
_DAYS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A real event on which a draft is shown, or the preset's invented example."""

    #: The id in the address: `s12` a sample, `t3` an event of the live tail, `example`.
    id: str
    at: float
    source: str
    event: Event
    #: Whether the draft matches it, and whether the running preset does.
    is_taken: bool = False
    was_taken: bool = False

    @property
    def title(self) -> str:
        return shown_name(self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The result of the chosen event, and of many events."""

    sample: Sample | None
    #: The samples before and after it, and the next one that the draft changes; "" if there is none.
    before: str = ""
    behind: str = ""
    differs: str = ""
    report: PresetReport | None = None
    #: Lines of the finished event, with marked differences from the running preset.
    lines: Sequence[str] = ()
    shadow: Shadow | None = None
    #: The first sample for each key of the shadow run's `fields` and `outcomes`.
    first: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    #: The result of each test of the preset: its name, and its failure.
    tests: Sequence[tuple[str, str]] = ()
    #: The number of samples, and those that match the draft and the running preset.
    samples: int = 0
    taken: int = 0
    was_taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorView:
    """The data of the editor's page."""

    draft: PresetDraft
    #: Name, description and hold by their names in the file; "" if absent.
    meta: Mapping[str, str]
    faults: Sequence[Fault]
    #: Empty if the trigger is invalid.
    trigger: Sequence[TriggerRow]
    groups: Sequence[FieldGroup]
    paths: Sequence[SeenPath]
    effect: Effect
    samples: Sequence[Sample]
    #: Received names that the trigger may match, the most frequent first; and all names of tracked events.
    names: Sequence[NameFigures]
    known_names: Sequence[str]
    #: The nodes that the draft and a publish by another operator changed, and that publish; `None` if there is none.
    both: Sequence[WordedChange] = ()
    published: Version | None = None
    #: Why the last edit was refused; "" if it was accepted.
    refused: str = ""
    #: Pinterest's response if the event was sent as a test.
    reply: PinterestReply | None = None


class PresetPages(PageGroup):
    """The page of a preset, and its editor."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        #: Treats every event as new, because samples were sent before.
        self._explainer = Explainer(services.explainer.router)
        self._drafts = Drafts(services.outbox, services.running)
        self._counts = StepCounts(services.outbox, names=tuple(Outcome))

    async def show(self, request: Request) -> Response:
        """Show a preset: its trigger and fields, and the results of its events. Raises UnknownName."""
        name = request.query_params.get("name", "")
        running = self._services.running.catalog
        presets = {each.name: each for each in running.presets}
        if name not in presets:
            raise UnknownName("preset", name, presets)
        preset = presets[name]
        names = [each for each in await self._services.inventory.names(days=_DAYS) if each.figures.presets.get(name)]
        publisher, now = self._services.acts.catalog.publisher, self._services.clock()
        why_not = publisher.why_not(preset.file)
        days = days_of(None, usual=_DAYS, now=now)
        span = {"since": days.first * DAY_S, "until": (days.last + 1) * DAY_S}
        blocks = await read_revenue(self._services.outbox, {}, first_day=days.first, last_day=days.last)
        worth = [(block, line) for block in blocks for line in block.lines["preset"] if line.name == name]
        return self._pages.render(
            request,
            "preset.html",
            nav="mappings",
            preset=preset,
            own=own_sources(preset, running),
            tests=await asyncio.to_thread(self._tests, running.alone(preset)),
            rows=trigger_rows(preset.trigger.term, None),
            names=names,
            worth=worth,
            days=_DAYS,
            span=span,
            switches=await Switches.read(self._services.outbox),
            history=(await self._services.outbox.audit(limit=_LISTED, target=f"preset {name}")).entries,
            why_not=why_not,
            versions=[] if why_not else (await asyncio.to_thread(publisher.versions, preset.file))[:_LISTED],
            became=await self._became(name, span["since"], now),
        )

    async def _became(self, name: str, since: int, now: float) -> Counter[str]:
        """Return the outcomes of a preset's events since then."""
        counted = await self._counts.read(since=since, step_s=HOUR_S, now=now)
        found: Counter[str] = Counter()
        for _, each in counted:
            if each.preset == name:
                found[each.name] += each.count
        return found

    def _tests(self, alone: Catalog) -> list[tuple[str, str]]:
        """Return the result of each test of the only preset: its name, and its failure. Maps events, so it blocks."""
        (preset,) = alone.presets
        failing = {
            each.path: each.message for each in self._services.running.failing(alone) if each.file == preset.file
        }
        return [(each.name, failing.get(f"/tests/{number}", "")) for number, each in enumerate(preset.tests)]

    async def edit(self, request: Request) -> Response:
        """Show the editor of a file, or of a new file for a kind of event: its type, name and source."""
        file = running_file(request.query_params.get("file", ""), self._services)
        if request.query_params.get("type"):
            file = await self._begin(person_of(request), key_of(request.query_params))
        if why := self._no_file(file):
            return self._pages.problem(request, 404, "There is no such preset", why)
        draft = await self._drafts.read(person_of(request), file)
        return self._render(request, await self._view(draft, request.query_params.get("sample", "")))

    async def change(self, request: Request) -> Response:
        """Store an edit in the draft, and return the editor; with `part=effect` only the parts that typing changes."""
        form, person = await read_form(request), person_of(request)
        file, sample = running_file(form.get("file", ""), self._services), form.get("sample", "")
        if why := self._no_file(file):
            return self._pages.problem(request, 404, "There is no such preset", why)
        if form.get("do") == "send":
            view = await self._view(await self._drafts.read(person, file), sample)
            report = view.effect.report
            reply = await send_as_test(self._services, person, report) if report else None
            refused = "" if reply else "this event is not sent, so there is nothing to test"
            return self._render(request, replace(view, reply=reply, refused=refused), status=200 if reply else 422)
        try:
            draft = await self._drafts.change(person, file, partial(self._edited, form=form, sample=sample))
        except (EditRefused, TriggerError, LookupError) as exc:
            draft = await self._drafts.read(person, file)
            return self._render(request, await self._view(draft, sample, refused=str(exc)), status=422)
        if form.get("part") == "effect":
            return self._render(request, await self._view(draft, sample, is_peek=True), template="preset_peek.html")
        return go(request, "preset/edit", {"file": file, **({"sample": sample} if sample else {})})

    def _no_file(self, file: str) -> str:
        """Return why the editor cannot open a file; "" if it can."""
        return "" if file in self._services.running.preset_texts else name_fault(file)

    async def _begin(self, person: Person, kind: EventKey) -> str:
        """Store the draft of a new preset for a kind of event, unless a draft or preset exists; return its file."""
        properties = await self._services.inventory.properties(kind)
        made = draft_preset(kind, properties, self._services.running.catalog)
        file = running_file(made.file, self._services)
        await self._drafts.begin(person, file, made.text)
        return file

    async def _edited(self, draft: PresetDraft, form: Form, sample: str) -> PresetDraft:
        """Return the draft after an edit. Raises EditRefused, TriggerError, LookupError."""
        match do := form.get("do", ""):
            case "undo" | "redo":
                return moved(draft, -1 if do == "undo" else 1)
            case "reset":
                return self._drafts.new(draft.file)
            case "text":
                done, text = "change the YAML", _yaml_of(draft, form)
            case "theirs":
                done, text = "use the published value", with_published(draft, read_path(form.get("path", "")))
            case "pin":
                done, text = "add a test", await self._with_test(draft, sample)
            case _:
                done, document = self._edited_document(read_document(draft.now.text), do, form)
                text = document.text
        return changed(draft, text, done, same_step=form.get("same_step") == "yes")

    def _edited_document(self, document: YamlDocument, do: str, form: Form) -> tuple[str, YamlDocument]:
        """Return an edit in words, and the document after it. Raises EditRefused, TriggerError, LookupError."""
        if do in FIELD_EDITS:
            done = f"use the default for {form.get('path')}" if do == "default" else f"map {form.get('path')}"
            return done, with_field(document, do, form, self._services.running.catalog.action)
        if do == "meta":
            name = form.get("name", "")
            return f"change the {name}", with_meta(document, name, form.get("value", "").strip())
        done, subscribe = _trigger_edit(do, str(document.get(("subscribe",), "")), form)
        return done, document.with_value(("subscribe",), subscribe)

    async def _with_test(self, draft: PresetDraft, sample: str) -> str:
        """Return the draft's text with another test, created from the chosen event with invented data."""
        alone, faults = await self._drafted(draft)
        if alone is None:
            raise EditRefused(("tests",), f"mend the draft first: {faults[0].message}")
        chosen = next((each for each in await self._samples(alone) if each.id == sample), None)
        if chosen is None:
            raise EditRefused(("tests",), "choose an event first")
        given = self._settings_of(await self._report(chosen, alone), chosen.source)
        made, _ = await recorded(
            chosen.event,
            self._services.explainer_of_test(given),
            alone,
            Random(),  # noqa: S311 - made-up values, no secret
            now=chosen.at,
            source=chosen.source,
            is_trusted=self._services.traits_of(chosen.source).is_trusted,
        )
        if draft.file not in made:
            raise EditRefused(("tests",), "the preset does not take this event: choose another")
        document = read_document(draft.now.text)
        number = len(document.get(("tests",)) or [])
        test = made[draft.file] | ({"settings": given} if given else {})
        text = document.with_value(("tests", number), test).text
        pinned, faults = await self._drafted(replace(draft, steps=[DraftStep(done="", text=text)], at=0))
        failing = await asyncio.to_thread(self._tests, pinned) if pinned else []
        if faults or failing[number][1]:
            why = faults[0].message if faults else failing[number][1]
            raise EditRefused(("tests",), f"this event cannot be kept as a test: {why}")
        return text

    def _settings_of(self, report: PresetReport | None, source: str) -> dict[str, Any]:
        """Return the settings of the ad account that gets the event, as far as they differ from the defaults."""
        account = self._explainer.router.account(report.destination if report else "", source)
        own = {name: getattr(account.making.rules, name) for name in AccountEventSettings.model_fields}
        own["content_id"] = account.making.content_id
        return event_settings_of(self._services.settings.model_copy(update=own))

    async def _drafted(self, draft: PresetDraft) -> tuple[Catalog | None, tuple[Fault, ...]]:
        """Return a catalog with only the draft's preset; `None`, with the faults, if it is invalid."""
        try:
            catalog = await asyncio.to_thread(self._services.running.with_draft, draft.file, draft.now.text)
        except CatalogError as exc:
            return None, exc.faults
        return _alone(catalog, draft.file), ()

    async def _samples(self, alone: Catalog) -> list[Sample]:
        """Return real events, the newest first, followed by the invented example of the preset, if there is one."""
        shadow, tail, now = self._services.acts.catalog.shadow, self._services.acts.tail.tail, self._services.clock()
        kept = await shadow.samples(at_most=_COUNTED) if shadow else []
        found: list[tuple[str, float, str, Event | EventRefused]]
        found = [(f"s{one.id}", one.at, one.source, event) for one, event in kept]
        if not found:
            read = (
                (each, read_or_refuse(orjson.loads(each.text), Arrival.at(each.at))) for each in tail.events(now=now)
            )
            found = [(f"t{each.number}", each.at, each.source, event) for each, event in read]
        for preset in alone.presets:
            if preset.example:
                example = orjson.loads(pretty(with_fresh_timestamp(preset.example, now)))
                found.append(("example", now, DEFAULT_SOURCE, read_or_refuse(example, Arrival.at(now))))
        return [
            Sample(id=id_, at=at, source=of, event=event) for id_, at, of, event in found if isinstance(event, dict)
        ]

    def _render(
        self, request: Request, view: EditorView, *, status: int = 200, template: str = "preset_edit.html"
    ) -> Response:
        file = view.draft.file
        return self._pages.render(
            request,
            template,
            status=status,
            nav="mappings",
            view=view,
            wrappers=WRAPPERS,
            operators=OPERATORS,
            digest=digest,
            is_new=file not in self._services.running.preset_texts,
            why_not=self._services.acts.catalog.publisher.why_not(file),
            age=lambda at: time_span(max(0.0, self._services.clock() - at)),
            kept={"file": file, **({"sample": view.effect.sample.id} if view.effect.sample else {})},
        )

    async def _view(self, draft: PresetDraft, wanted: str, *, refused: str = "", is_peek: bool = False) -> EditorView:
        running = self._services.running.catalog
        alone, faults = await self._drafted(draft)
        live = _alone(running, draft.file)
        samples = [_compared(each, alone, live) for each in await self._samples(alone or live)]
        samples.sort(key=lambda each: not each.is_taken)
        chosen = next((each for each in samples if each.id == wanted), samples[0] if samples else None)
        effect = await self._effect(alone, live, samples, chosen, is_peek=is_peek)
        document, preset = read_document(draft.now.text), alone.presets[0] if alone else None
        event = chosen.event if chosen else None
        groups = field_groups(document, running.action, effect.report, faults, event)
        names = [] if is_peek else [each.figures for each in await self._services.inventory.names(days=_DAYS)]
        real = [each for each in samples if each.id != "example"] or samples
        seen = [each.event for each in real if each.is_taken] or [each.event for each in real]
        return EditorView(
            draft=draft,
            meta={name: meta_of(document, name) for name in META},
            faults=[fault for fault in faults if not fault.path.startswith("/mapping/")],
            trigger=_trigger_of(preset, document, event),
            groups=with_shares(groups, effect.shadow, preset.name) if preset and effect.shadow else groups,
            paths=[] if is_peek else seen_paths(seen),
            effect=effect,
            samples=samples[:50],
            names=_taken_names(names, preset.trigger)[:8] if preset else [],
            both=nodes_in_words(
                [(each.path, each.own, each.published) for each in both_changed(draft)], running.action
            ),
            published=await self._published(draft),
            known_names=sorted({each.key.name for each in names if each.key.type == "track"})[:_NAMES],
            refused=refused,
        )

    async def _published(self, draft: PresetDraft) -> Version | None:
        """Return the publish that changed the file since the draft began; `None` if there is none."""
        publisher = self._services.acts.catalog.publisher
        if not draft.begun_from or publisher.why_not(draft.file):
            return None
        return next(iter(await asyncio.to_thread(publisher.versions, draft.file)), None)

    async def _effect(
        self, alone: Catalog | None, live: Catalog, samples: Sequence[Sample], chosen: Sample | None, *, is_peek: bool
    ) -> Effect:
        real = [each for each in samples if each.id != "example"]
        effect = Effect(
            sample=chosen,
            samples=len(real),
            taken=sum(each.is_taken for each in real),
            was_taken=sum(each.was_taken for each in real),
        )
        if alone is None or chosen is None:
            return effect
        report, before = await self._report(chosen, alone), await self._report(chosen, live)
        became, was = (pretty(orjson.loads(each.payload)) if each and each.payload else "" for each in (report, before))
        place = samples.index(chosen)
        effect = replace(
            effect,
            before=samples[place - 1].id if place else "",
            behind=samples[place + 1].id if place + 1 < len(samples) else "",
            report=report,
            lines=difference(was, became) or [f" {line}" for line in became.splitlines()],
            tests=await asyncio.to_thread(self._tests, alone),
        )
        return effect if is_peek else self._with_shadow(effect, (live, alone), samples, place)

    async def _report(self, sample: Sample, alone: Catalog) -> PresetReport | None:
        """Return the result of a sample with the only preset; `None` without a preset."""
        event = orjson.loads(orjson.dumps(sample.event))
        told = await self._explainer.explain(event, alone, now=sample.at, source=sample.source)
        return next(iter(told.presets), None)

    def _with_shadow(
        self, effect: Effect, catalogs: tuple[Catalog, Catalog], samples: Sequence[Sample], place: int
    ) -> Effect:
        """Return the effect with the changes of the draft for matching samples, starting after `place`."""
        shadow, first = Shadow(), dict[tuple[str, str, str], str]()
        in_turn = [*samples[place + 1 :], *samples[: place + 1]]
        concerned = [each for each in in_turn if (each.is_taken or each.was_taken) and each.id != "example"]
        for each in concerned[:_COMPARED]:
            is_trusted = self._services.traits_of(each.source).is_trusted
            router = self._explainer.router
            keys = shadow.add(each.event, router, catalogs, now=each.at, source=each.source, is_trusted=is_trusted)
            for key in keys:
                first.setdefault(key, each.id)
        return replace(effect, shadow=shadow, first=first, differs=next(iter(first.values()), ""))


def _alone(catalog: Catalog, file: str) -> Catalog:
    """Return a catalog with only the preset of a file; empty if there is no such file."""
    return catalog.alone(*(each for each in catalog.presets if each.file == file))


def _yaml_of(draft: PresetDraft, form: Form) -> str:
    """Return the YAML of a form. Raises EditRefused if it is invalid, or was based on another text of the draft."""
    text = form.get("text", "")
    read_document(text)
    if form.get("base") not in (None, digest(draft.file, draft.now.text)):
        raise EditRefused((), "another window changed the draft: copy your YAML, then load this page again")
    return text


def _trigger_edit(do: str, subscribe: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Return an edit in words, and the trigger after it. Raises EditRefused, TriggerError, LookupError."""
    place = tuple(int(each) for each in form.get("place", "").split(".") if each.isdecimal())
    condition = condition_text(
        form.get("field", "").strip(), form.get("operator", "="), form.get("value", ""), is_text="is_text" in form
    )
    joiner: Literal["and", "or"] = "or" if form.get("joiner") == "or" else "and"
    match do:
        case "condition":
            return "change a condition", with_condition(subscribe, place, condition)
        case "add":
            return "add a condition", with_added(subscribe, place, joiner, condition)
        case "remove":
            return "remove a condition", without_term(subscribe, place)
        case "join":
            return "join conditions", with_joiner(subscribe, place, joiner)
        case "negate":
            return "turn a condition round", negated(subscribe, place)
    raise EditRefused((), f"there is no edit {do!r}")


def _trigger_of(preset: Preset | None, document: YamlDocument, event: Event | None) -> list[TriggerRow]:
    """Return the rows of a trigger; for a preset with other faults, without the results of an event.

    Empty if the trigger is invalid.
    """
    if preset is not None:
        return trigger_rows(preset.trigger.term, preset.trigger.explain(event) if event else None)
    try:
        return trigger_rows(compile_trigger(str(document.get(("subscribe",), ""))).term, None)
    except TriggerError:
        return []


def _compared(sample: Sample, alone: Catalog | None, live: Catalog) -> Sample:
    is_taken = alone is not None and bool(alone.matching(sample.event))
    return replace(sample, is_taken=is_taken, was_taken=bool(live.matching(sample.event)))


def _taken_names(names: Sequence[NameFigures], trigger: Trigger) -> list[NameFigures]:
    """Return the received kinds of events that a trigger may match, as far as it restricts them."""
    return [
        each
        for each in names
        if (trigger.types is None or each.key.type in trigger.types)
        and (trigger.events is None or each.key.name in trigger.events)
    ]

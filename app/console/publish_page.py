"""The running presets with their switches, and publishing of drafts: changes, versions, and rollback."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.catalog import MAX_ENABLED_PRESETS, Catalog, Preset
from app.catalog.opt_outs import defaults_with_opt_outs
from app.catalog.publishing import Publisher, Version, name_fault
from app.console.drafts import BothChanged, Drafts, both_changed
from app.console.labels import mapped_value, pretty, with_fresh_timestamp
from app.console.pages import Form, PageGroup, Pages, given_number, go, person_of, read_form
from app.console.preset_editor import changes_in_words
from app.console.services import ConsoleServices
from app.core.coordination import Switches
from app.core.values.texts import visible
from app.errors import CatalogError, Fault, PublishingRefused
from app.pipeline.explain import EventReport
from app.pipeline.shadow import Shadow
from app.source import read_event_text


def default_sources(catalog: Catalog) -> list[tuple[str, str]]:
    """Return the source of each default field, in the action's order."""
    return _sends(defaults_with_opt_outs(catalog.action), "")


def own_sources(preset: Preset, catalog: Catalog) -> list[tuple[str, str, str]]:
    """Return the fields of a preset that differ from the action's defaults.

    Each result has the field, the source of its value, and the default source; "" without a default.
    """
    defaults = dict(default_sources(catalog))
    return [
        (field, source, defaults.get(field, ""))
        for field, source in _sends(preset.fields, "")
        if source != defaults.get(field) and field not in ("event_name", "action_source")
    ]


def _sends(fields: dict[str, Any], place: str) -> list[tuple[str, str]]:
    """Return each field with the source of its value, members after their object."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, dict) and not any(key.startswith("@") for key in value):
            found.extend(_sends(value, f"{place}{name}/"))
        else:
            found.append((place + name, mapped_value(value)))
    return found


#: The last action -> the message on the page. No other text from the address is shown.
DONE = {
    "reloaded": "The files were read again and are in use. Other processes follow within 2 seconds.",
    "kept": "The files have faults, so nothing was changed: the catalog that was running runs on.",
    "on": "Switched on. Every process takes it up within 2 seconds.",
    "off": "Switched off. Every process takes it up within 2 seconds.",
}


class MappingPages(PageGroup):
    """The list of presets, the switches, the reload button."""

    async def show(self, request: Request) -> Response:
        """Show all presets, and the catalog of each process."""
        services, coordination = self._services, self._services.coordination
        return self._pages.render(
            request,
            "mappings.html",
            nav="mappings",
            presets=services.running.catalog.presets,
            defaults=default_sources(services.running.catalog),
            warnings=services.running.catalog.warnings,
            max_presets=MAX_ENABLED_PRESETS,
            faults=coordination.faults,
            generation=coordination.generation,
            sources=[(name, services.traits_of(name)) for name in services.sources()],
            processes=await coordination.processes(now=services.clock()),
            switches=await Switches.read(services.outbox),
            done=request.query_params.get("done", ""),
            said=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def switch(self, request: Request) -> Response:
        """Switch a preset, an ad account, or all sending if the form has neither."""
        form = await read_form(request)
        preset, account, on = form.get("preset"), form.get("ad_account_id"), form.get("on") == "yes"
        await self._services.acts.sending.switch(person_of(request), preset, on=on, ad_account_id=account)
        if preset and form.get("to") == "preset":
            return go(request, "preset", {"name": preset})
        return go(request, "mappings", {"done": "on" if on else "off"})

    async def reload(self, request: Request) -> Response:
        """Read the files again, all or none."""
        faults = await self._services.acts.catalog.reload(person_of(request))
        return go(request, "mappings", {"done": "kept" if faults else "reloaded"})


_NOT_SHOWN: Final = (
    "The file or the text was changed after its difference was shown to you. Below is the difference of the text that "
    "arrived: look at it, then publish it, or cancel."
)
_LISTED_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChange:
    """The changed result of a preset's example."""

    preset: str
    was: str
    becomes: str
    #: The lines of a unified diff of the finished events; empty if they are equal.
    difference: tuple[str, ...]


class PublishPages(PageGroup):
    """Asks for confirmation before a file is published, publishes it, and shows its versions."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._drafts = Drafts(services.outbox, services.running)

    async def confirm(self, request: Request) -> Response:
        """Show the changes of a draft or an earlier version: in the file, for privacy, for examples and quarantine.

        With `draft`, the text is the stored draft of the person, on top of the live text.
        """
        form = await read_form(request)
        if "draft" not in form:
            return await self._ask(request, _file_of(form), _text_of(form))
        file = running_file(form["draft"], self._services)
        draft = await self._drafts.read(person_of(request), file)
        return await self._ask(request, file, draft.now.text, both=both_changed(draft))

    async def _ask(
        self, request: Request, file: str, text: str | None, *, note: str = "", both: Sequence[BothChanged] = ()
    ) -> Response:
        """Show the changes of a text and ask for confirmation; `note` is the reason for not publishing."""
        publisher = self._services.acts.catalog.publisher
        if fault := name_fault(file):
            return self._pages.problem(request, 400, "This is no name of a file", fault)
        if why := publisher.why_not(file):
            return self._pages.problem(request, 409, "This file cannot be published here", why)
        try:
            candidate = await asyncio.to_thread(publisher.candidate, file, text)
        except CatalogError as exc:
            return self._refused(request, exc.faults)
        running = self._services.running
        runs = running.texts.get(running_file(file, self._services), "")
        path, becomes = publisher.effective(file, text)
        preset = candidate.preset_of(path)
        return self._pages.render(
            request,
            "publish.html",
            status=409 if note else 200,
            note=note,
            shown=digest(file, text),
            nav="mappings",
            file=file,
            text=text,
            target=publisher.target(file),
            generation=running.catalog.generation,
            words=changes_in_words(runs, becomes or "", candidate.action),
            both={each.path for each in both},
            lines=await asyncio.to_thread(difference, runs, becomes or ""),
            tests=[(each.name, "") for each in (preset or candidate.action).tests],
            privacy=publisher.privacy_changes(candidate),
            examples=await self._examples(candidate),
            shadows=await self._shadow(candidate),
        )

    async def publish(self, request: Request) -> Response:
        """Write the displayed text to its file, and reload."""
        form = await read_form(request)
        file, text = _file_of(form), _text_of(form)
        if form.get("shown") != digest(file, text) or name_fault(file):
            return await self._ask(request, file, text, note=_NOT_SHOWN)
        try:
            is_taken_up = await self._services.acts.catalog.publish(
                person_of(request),
                file,
                text,
                base=form.get("base", ""),
                is_confirmed="confirmed" in form,
                why=form.get("why", ""),
            )
        except CatalogError as exc:
            return self._refused(request, exc.faults)
        except PublishingRefused as exc:
            return self._pages.problem(request, 409, "Nothing was published", str(exc))
        return go(request, "versions", {"file": file, "done": "published" if is_taken_up else "kept"})

    async def versions(self, request: Request) -> Response:
        """Show all versions of a file, each with its difference from the previous version."""
        file, publisher = request.query_params.get("file", ""), self._services.acts.catalog.publisher
        why_not, skip = publisher.why_not(file), given_number(request.query_params.get("skip")) or 0
        versions = [] if why_not else await asyncio.to_thread(_versions, publisher, file, skip)
        return self._pages.render(
            request,
            "versions.html",
            nav="mappings",
            file=file,
            shown=file if why_not else publisher.target(file),
            why_not=why_not,
            versions=versions[:_LISTED_AT_ONCE],
            skipped=skip,
            older=skip + _LISTED_AT_ONCE if len(versions) > _LISTED_AT_ONCE else None,
            done=request.query_params.get("done", ""),
            faults=self._services.coordination.faults,
        )

    async def _examples(self, candidate: Catalog) -> list[ExampleChange]:
        """Return the changed results of examples, with the differences of their finished events."""
        now, running = self._services.clock(), self._services.running.catalog
        changes = []
        for preset in candidate.presets:
            before = _of_name(running, preset.name)
            if preset.example is None or (before is not None and _same(before, preset)):
                continue
            (event,) = read_event_text(pretty(with_fresh_timestamp(preset.example, now)).encode(), now=now)
            was, becomes = [
                _outcome(await self._services.explainer.explain(event, catalog, now=now), preset.name)
                for catalog in (running, candidate)
            ]
            if was != becomes:
                lines = tuple(difference(was[1], becomes[1]))
                changes.append(ExampleChange(preset=preset.name, was=was[0], becomes=becomes[0], difference=lines))
        return changes

    async def _shadow(self, candidate: Catalog) -> dict[str, Shadow | None]:
        """Return the changes by the draft for the quarantine and for samples; `None` if they are off."""
        runs = self._services.acts.catalog.shadow
        is_on = self._services.settings.quarantine_hours > 0
        return {
            "quarantine": await runs.run(candidate, samples=False) if runs and is_on else None,
            "samples": await runs.run(candidate) if runs and runs.has_samples else None,
        }

    def _refused(self, request: Request, faults: tuple[Fault, ...]) -> Response:
        text = " ".join(str(fault) for fault in faults)
        return self._pages.problem(request, 400, "The draft cannot be used", text)


def _file_of(form: Form) -> str:
    return form.get("draft_file") or form.get("file", "")


def _text_of(form: Form) -> str | None:
    """Return the text to publish; `None`: delete the file."""
    return None if "removed" in form else form.get("draft_text", form.get("text", ""))


def digest(file: str, text: str | None) -> str:
    """Return the identity of a file's text. A form contains it to identify the text that the reader saw."""
    return sha256(repr((file, text)).encode()).hexdigest()


def running_file(file: str, services: ConsoleServices) -> str:
    """Return the path of the file with this name in the running catalog; a new file unchanged."""
    name = file.rpartition("/")[2]
    return next((path for path in services.running.texts if path.rpartition("/")[2] == name), file)


def _versions(publisher: Publisher, file: str, skip: int) -> list[tuple[Version, list[str]]]:
    """Return the versions of a file, newest first, each with its difference from the previous one. Reads files.

    Without the `skip` newest; the list has an additional version if there are older ones.
    """
    found = publisher.versions(file)[skip : skip + _LISTED_AT_ONCE + 1]
    befores = [*(each.text or "" for each in found[1:]), ""]
    return [(each, difference(was, each.text or "")) for each, was in zip(found, befores, strict=False)]


def difference(was: str, becomes: str) -> list[str]:
    """Return the lines of a unified diff without its head; empty only if both texts are equal.

    Hidden characters are escaped, because they may reverse the direction of reading.
    """
    changed = list(unified_diff(_lines(was), _lines(becomes), lineterm="", n=2))[2:]
    return [visible(line, lines=True) for line in changed]


def _lines(text: str) -> list[str]:
    """Return the lines of a text, with an additional line if the last has no line end."""
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else [*lines, "(no line end)"]


def _of_name(catalog: Catalog, name: str) -> Preset | None:
    return next((preset for preset in catalog.presets if preset.name == name), None)


def _same(one: Preset, other: Preset) -> bool:
    return one.fields == other.fields and one.trigger.text == other.trigger.text and one.enabled == other.enabled


def _outcome(report: EventReport, preset: str) -> tuple[str, str]:
    """Return the result of an event with a preset in words, and the finished event as text ("" without one)."""
    for each in report.presets:
        if each.preset == preset:
            said = f"{each.outcome.value}: {each.reason}" if each.reason else each.outcome.value
            return said, pretty(orjson.loads(each.payload)) if each.payload else ""
    return "there is no such preset", ""

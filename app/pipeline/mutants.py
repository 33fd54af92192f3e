"""Find the lines of presets, mappings and sources that no test covers: change each line and run the affected tests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import orjson

from app.catalog import Catalog, Preset
from app.catalog.catalog import Draft, RunningCatalog
from app.catalog.document import YamlDocument, read_document, with_member
from app.catalog.files import FileTest
from app.catalog.mutations import Change, changes
from app.catalog.sources import untrusted_source
from app.core.events import Event
from app.errors import CatalogError
from app.pipeline.file_tests import FileTestResult, FileTests
from app.pipeline.mapping_cases import MappingCases
from app.trigger.edits import parts_of
from app.trigger.syntax import Comparison, places_asked

#: Values that are tried at a place, in this order, until the change has an effect.
_PROBES: Final = ("probe-1", 12.5, True, False, "ada.miller@example.com", "2026-11-25T10:15:00Z", "DE", "+491701234567")


class Mutant(NamedTuple):
    """A change of a file."""

    file: str
    line: int
    sentence: str
    #: Whether a test failed, or the changed file was refused.
    is_found: bool
    #: A test that passes now and fails after the change. `None` if the change was found, or if no event was found.
    suggestion: dict[str, Any] | None = None

    def __str__(self) -> str:
        """Return the sentence about a change that no test detected."""
        return f"{self.file}:{self.line}: {self.sentence} without a failing test"


class Mutants:
    """Changes each place, condition and function of the files of a draft in turn."""

    def __init__(
        self, tests: FileTests, running: RunningCatalog, draft: Draft, recorded: Sequence[dict[str, Any]] = ()
    ) -> None:
        """Use the files of `draft`. `recorded` are events without personal data, which suggested tests prefer."""
        self._tests, self._running, self._draft, self._recorded = tests, running, draft, recorded
        self._base = draft.over(running)
        self._presets = {**running.preset_texts, **draft.presets}
        #: The name of the test that detected the last change.
        self._finder = ""

    def run(self) -> Iterator[Mutant]:
        """Yield each change and whether a test detected it. Raises CatalogError if a file is faulty."""
        for file, text in self._draft.mappings.items():
            yield from self._run_mapping(file, text)
        for file, text in {**self._draft.presets, **self._draft.sources}.items():
            document = read_document(text)
            for change in changes(document.value):
                changed = orjson.dumps(self._finder_first(change.value)).decode()
                is_found = self._is_found(file, changed)
                suggestion = None
                if not is_found and file in self._draft.presets:
                    suggestion = self._suggestion(file, self._alone(file, changed), change)
                yield Mutant(file, _line(document, change), change.sentence, is_found, suggestion)

    def _run_mapping(self, file: str, text: str) -> Iterator[Mutant]:
        document = read_document(text)
        cases = MappingCases(self._tests, self._running, self._base, self._presets, document.value)
        for change in changes(document.value):
            changed = cases.changed(change.value)
            is_found = changed is None or cases.finds(changed)
            suggestion = None if changed is None or is_found else self._suggestion(file, changed, change)
            yield Mutant(file, _line(document, change), change.sentence, is_found, suggestion)

    def _is_found(self, file: str, text: str) -> bool:
        try:
            found = next((each for each in self._results(file, text) if each.differences), None)
        except CatalogError:
            return True
        if found is not None:
            self._finder = found.name
        return found is not None

    def _finder_first(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a file with the test first that detected the last change: the next change is often nearby."""
        return value | {"tests": sorted(value.get("tests") or (), key=lambda test: test["name"] != self._finder)}

    def _results(self, file: str, text: str) -> Iterator[FileTestResult]:
        """Yield the results of all tests that a changed file affects. Raises CatalogError if the file is faulty."""
        if file in self._draft.sources:
            yield from self._tests.run(None, [(file, *untrusted_source(file, text))])
        else:
            changed = self._alone(file, text)
            for preset in changed.presets:
                yield from self._tests.run_preset(changed, preset)
                others = (preset if each.file == file else each for each in self._base.presets)
                yield from self._tests.only_for_the_command(self._base.of(others), {file})

    def _alone(self, file: str, text: str) -> Catalog:
        """Return the catalog of a single changed preset. Raises CatalogError."""
        return replace(self._draft, presets={file: text}).alone(self._running)

    def _suggestion(self, file: str, changed: Catalog, change: Change) -> dict[str, Any] | None:
        """Return a test that passes now and fails after the change."""
        if change.at == ("enabled",):
            return {"name": "The preset is on", "expect": {"enabled": True}}
        before, after = self._preset(self._base, file), self._preset(changed, file)
        for event, probes in self._candidates(before, change):
            test = FileTest.model_validate({"name": "probe", "event": event})
            outcome, sent = self._tests.sent(self._base, before, test)
            other_outcome, other = self._tests.sent(changed, after, test)
            if (outcome, sent) == (other_outcome, other):
                continue
            fields = dict(_differing(sent, other, probes, self._tests.digest)) if sent else {}
            given = {} if event == before.example else {"event": event}
            expect = {"fields": fields} if fields else {"outcome": outcome}
            return {"name": f"Guards {', '.join(change.paths) or change.sentence}", **given, "expect": expect}
        return None

    def _preset(self, catalog: Catalog, file: str) -> Preset:
        return catalog.preset_of(file) or catalog.bare_preset("checkout")

    def _candidates(self, preset: Preset, change: Change) -> Iterator[tuple[Event, Sequence[Any]]]:
        """Yield events that may show the change, each with the values that were put into the event."""
        for recorded in self._recorded:
            yield recorded, ()
        given = (each.event for each in preset.tests if isinstance(each.event, dict))
        example: Any = preset.example or next(given, _EVENT)
        places = [path.removeprefix("$.").split(".") for path in change.paths if "[" not in path]
        for base in (example, example | {"properties": {"currency": "EUR"}}):
            yield base, ()
            for probe in _PROBES:
                event = base
                for number, place in enumerate(places):
                    event = with_member(event, place, f"{probe}-{number}" if number and type(probe) is str else probe)
                yield event, (probe,)
            for place in places:
                yield with_member(base, place, "other"), ()
                yield with_member(base, place, None), ()
            for _, part in parts_of(preset.trigger.text):
                if isinstance(part, Comparison):
                    yield with_member(base, next(places_asked(part)).split("."), part.value.value), ()


def _line(document: YamlDocument, change: Change) -> int:
    """Return the line of a change."""
    first, _ = document.lines(change.at) or (1, 1)
    return first


_PERSON: Final = {"ip": "203.0.113.10", "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) Safari/605.1.15"}
_EVENT: Final = {"type": "track", "event": "Probe", "messageId": "probe-1", "context": _PERSON}


def _differing(
    one: Any, other: Any, probes: Sequence[Any], digest_of: Callable[[str, str], str | None], at: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield the fields in which two events differ, with the expectation that the first event meets."""
    if isinstance(one, dict):
        members = other if isinstance(other, dict) else {}
        for name in {**one, **members}:
            yield from _differing(one.get(name), members.get(name), probes, digest_of, f"{at}.{name}" if at else name)
    elif one != other:
        digests = [probe for probe in probes if one in ([digest := digest_of(at, str(probe))], digest)]
        yield at, {"absent": True} if one is None else {"digest": str(digests[0])} if digests else one

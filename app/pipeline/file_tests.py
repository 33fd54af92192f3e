"""Run the tests in presets, mappings and sources through the router of events."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from app.catalog import Catalog, Preset
from app.catalog.document import with_member
from app.catalog.files import Expected, FileTest, PresetFile
from app.catalog.presets import parse_file
from app.catalog.source_files import SourceFile
from app.config.environment import shipped
from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.receipts import PresetResult
from app.destination import sent_of_text
from app.errors import CatalogError, EventRefused, Fault, SettingsError
from app.pipeline.explain import places_in_words, shown_json
from app.pipeline.identity_events import own_time
from app.pipeline.receipts import receipt_of_refusal
from app.pipeline.router import BuildProfile, Router
from app.source import NamedSource, events_of_request, read_event_text
from app.source.responses import RequestRefused
from app.trigger import ABSENT

#: The time of arrival of an event without a time: later than all other times.
SOME_TIME: Final = datetime.fromisoformat("2100-01-01T00:00:00Z").timestamp()
_MATCHERS: Final = frozenset({"absent", "present", "matches", "digest"})
_JSON: Final = {"content-type": "application/json"}
#: Errors of a test that cannot be run.
CANNOT_RUN: Final = (SettingsError, CatalogError, RequestRefused, OSError)
#: The settings of a test, by the names of variables.
GivenSettings: TypeAlias = Mapping[str, str | bool | int | float]
#: A source's file, its content, and the compiled source.
SourceToTest: TypeAlias = tuple[str, SourceFile, NamedSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTestResult:
    """The result of a test."""

    file: str
    #: The position in the file's `tests`, from 0.
    number: int
    name: str
    #: The differences from the expectation, a sentence each; empty if the test passes.
    differences: tuple[str, ...]

    def fault(self) -> Fault:
        """Return a failing test as a fault of its file."""
        told = f"the test {self.name!r} fails: {'; '.join(self.differences)}"
        return Fault(f"/tests/{self.number}", told, file=self.file)


def _no_places(_: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestResult:
    """The result of a test's events."""

    outcome: Outcome
    reason: str
    #: The event whose fields are compared, and the number of events.
    event: Event
    count: int
    warnings: Sequence[str] = ()
    #: The action that built the event; and the look-up of a field's origin.
    making: BuildProfile
    places_of: Callable[[str], str] = _no_places


class _Line(NamedTuple):
    """A result in an event's receipt, with the event's time of arrival."""

    event: Event | EventRefused
    now: float
    line: PresetResult


class FileTests:
    """Runs tests, independent of the instance's settings, memory and earlier events."""

    def __init__(
        self,
        router_of: Callable[[GivenSettings], Router],
        shipped_source: Callable[[str], tuple[SourceFile, NamedSource]],
    ) -> None:
        """Use functions that create a router from the settings of a test, and that read a shipped source.

        `router_of` may raise SettingsError, `shipped_source` CatalogError.
        """
        self._router_of = router_of
        self._shipped_source = shipped_source

    def failing(self, catalog: Catalog | None, sources: Sequence[SourceToTest] = ()) -> list[Fault]:
        """Return every failing test as a fault."""
        return [result.fault() for result in self.run(catalog, sources) if result.differences]

    def run(self, catalog: Catalog | None, sources: Sequence[SourceToTest] = ()) -> Iterator[FileTestResult]:
        """Yield the result of each test of the mapping, of presets and of sources."""
        if catalog is not None:
            yield from _ended(catalog.action_path, catalog.action.tests, partial(self._of_preset, catalog, None))
            for preset in catalog.presets:
                yield from self.run_preset(catalog, preset)
        for file, spec, source in sources:
            yield from _ended(file, spec.tests, partial(self._of_source, file, source))

    def run_preset(self, catalog: Catalog, preset: Preset) -> Iterator[FileTestResult]:
        """Yield the result of each test of a preset in the catalog."""
        yield from _ended(preset.file, preset.tests, partial(self._of_preset, catalog, preset))

    def _of_preset(self, catalog: Catalog, preset: Preset | None, test: FileTest) -> list[str]:
        """Return the differences of a test of a preset; `None`: only the action's defaults."""
        preset = preset or catalog.bare_preset(test.event_name)
        return _with_rows(test, preset, partial(self.differences, catalog, preset))

    def only_for_the_command(self, catalog: Catalog, files: Collection[str]) -> Iterator[FileTestResult]:
        """Yield the faults of these files that do not prevent publishing: events sent twice, and disabled presets.

        An event is sent twice if a second enabled preset matches the example of a preset and neither lists the other in
        `also`. A preset is disabled by mistake if its test expects `enabled: true`, or if it is enabled in the shipped
        files and no test expects `enabled: false`.
        """
        for preset in catalog.presets:
            if preset.file in files:
                yield from _of_wrong_state(preset)
            for other in self._also_taken_by(catalog, preset):
                if not frozenset(files).isdisjoint((preset.file, other.file)):
                    told = (
                        f"the presets {preset.name!r} and {other.name!r} both send the example of {preset.name!r}: "
                        f"change `subscribe`, or list {other.name!r} under `also` in {preset.file}"
                    )
                    yield FileTestResult(file=preset.file, number=0, name="Its example", differences=(told,))

    def _also_taken_by(self, catalog: Catalog, preset: Preset) -> list[Preset]:
        if not preset.enabled or preset.example is None:
            return []
        events = read_event_text(orjson.dumps(preset.example), now=SOME_TIME)
        taken = catalog.matching(events[0]) if events and not isinstance(events[0], EventRefused) else []
        return [each for each in taken if each.name != preset.name and each.name not in preset.also]

    def sent(self, catalog: Catalog, preset: Preset, test: FileTest) -> tuple[str, Event]:
        """Return the outcome of the first event of a test, and the event that Pinterest gets; empty if none is sent."""
        lines = self._lines(catalog, preset, test)
        sent = [each for each in lines if each.line.event is not None]
        first = next(iter(sent or lines), None)
        return ("", {}) if first is None else (first.line.outcome.value, first.line.event or {})

    def digest(self, path: str, text: str) -> str | None:
        """Return the sent form of a text in a field, by the default settings; `None` if the text is not sent."""
        return sent_of_text(path, text, self._router_of({}).account("").making.rules)

    def content_id(self, test: FileTest) -> str:
        """Return the CONTENT_ID of a test. Raises SettingsError."""
        return self._router_of(test.settings).account("", _source_of(test)).making.content_id

    def differences(self, catalog: Catalog, preset: Preset, test: FileTest, *, is_explained: bool = True) -> list[str]:
        """Return the differences of a test of a preset, without its rows. Raises the errors in `CANNOT_RUN`.

        `is_explained`: each difference names the places of the value in the event.
        """
        router = self._router_of(test.settings)
        source = _source_of(test)
        ended = self._lines(catalog, preset, test)
        if not ended:
            return ["there is no event"]
        sent = [each for each in ended if each.line.event is not None]
        event, now, line = (sent or ended)[0]
        making = router.account(line.destination, source).making
        reason = line.reason
        if isinstance(event, dict) and line.outcome is Outcome.UNMATCHED:
            reason = "; ".join(
                f"{each.text} does not hold, found {'nothing' if each.found is ABSENT else shown_json(each.found)}"
                for each in preset.trigger.explain(event).blamed()
            )
        result = _TestResult(
            outcome=line.outcome,
            reason=reason,
            event=line.event or {},
            count=len(sent),
            warnings=line.warnings,
            making=making,
            places_of=partial(places_in_words, preset, event, line, making, now=now) if is_explained else _no_places,
        )
        return list(_differences(test.expect, result, Outcome.ENQUEUED))

    def _lines(self, catalog: Catalog, preset: Preset, test: FileTest) -> list[_Line]:
        router, source = self._router_of(test.settings), _source_of(test)
        ended: list[_Line] = []
        for event in self.events(test, preset):
            if isinstance(event, EventRefused):
                ended += [_Line(event, SOME_TIME, line) for line in receipt_of_refusal(event).deliveries]
                continue
            now = test.arrives_at or own_time(event, SOME_TIME)
            alone, is_known = catalog.alone(preset), test.trust == "secret"
            lines = router.lines(event, alone, now=now, source=source, is_trusted=is_known, is_known=is_known)
            ended += [_Line(event, now, line) for line in lines]
        return ended

    def events(self, test: FileTest, preset: Preset) -> list[Event | EventRefused]:
        """Return the events of a preset's test, by default its example. Raises CatalogError, OSError."""
        if test.example:
            name, _, wanted = test.example.partition("/")
            spec, source = self._shipped_source(name)
            found = next((each for each in spec.tests if each.name == wanted), None)
            if found is None:
                known = ", ".join(f"{name}/{each.name}" for each in spec.tests)
                raise CatalogError([Fault("", f"there is no example {test.example}: one of {known}")])
            return _made(found, source, "")
        body = _body(test, preset.file)
        return read_event_text(orjson.dumps(preset.example) if body is None else body, now=test.arrives_at or SOME_TIME)

    def _of_source(self, file: str, source: NamedSource, test: FileTest) -> list[str]:
        """Return the differences of a test of a source: its first event is compared."""
        return _with_rows(test, None, partial(self._of_request, file, source))

    def _of_request(self, file: str, source: NamedSource, test: FileTest) -> list[str]:
        made = _made(test, source, file)
        accepted = [event for event in made if not isinstance(event, EventRefused)]
        outcome, reason = Outcome.ACCEPTED, ""
        if not accepted:
            refusals = [receipt_of_refusal(each).deliveries[0] for each in made if isinstance(each, EventRefused)]
            outcome, reason = (
                (refusals[0].outcome, refusals[0].reason) if refusals else (Outcome.UNMATCHED, "it makes no event")
            )
        event = accepted[0] if accepted else {}
        making = self._router_of(test.settings).account("").making
        result = _TestResult(outcome=outcome, reason=reason, event=event, count=len(accepted), making=making)
        return list(_differences(test.expect, result, Outcome.ACCEPTED))


def _ended(file: str, tests: Sequence[FileTest], run: Callable[[FileTest], list[str]]) -> Iterator[FileTestResult]:
    for number, test in enumerate(tests):
        try:
            differences = run(test)
        except CANNOT_RUN as exc:
            differences = [f"it cannot be run: {exc}"]
        yield FileTestResult(file=file, number=number, name=test.name, differences=tuple(differences))


def _of_wrong_state(preset: Preset) -> Iterator[FileTestResult]:
    """Yield the faults of a preset that is on or off, but should not be."""
    for number, test in enumerate(preset.tests):
        if test.expect.enabled not in (None, preset.enabled):
            state, wanted = ("on", "off") if preset.enabled else ("off", "on")
            told = f"enabled: the preset is {state}, the test expects {wanted}: change one of them"
            yield FileTestResult(file=preset.file, number=number, name=test.name, differences=(told,))
    is_expected = any(test.expect.enabled is not None for test in preset.tests)
    if not preset.enabled and not is_expected and _is_shipped_on(Path(preset.file).name):
        told = "the preset is off, but shipped on: remove `enabled: false`, or expect `enabled: false` in a test"
        yield FileTestResult(file=preset.file, number=0, name="Its state", differences=(told,))


@cache
def _is_shipped_on(name: str) -> bool:
    """Return whether a preset with this file name comes with Pinrelay and is on there."""
    file = shipped("presets") / name
    spec = parse_file(PresetFile, file.read_text(encoding="utf-8"))[0] if file.is_file() else None
    return spec is not None and spec.enabled


def _source_of(test: FileTest) -> str:
    is_shipped = test.example and test.source == DEFAULT_SOURCE
    return test.example.partition("/")[0] if is_shipped and test.example else test.source


def _with_rows(test: FileTest, preset: Preset | None, run: Callable[[FileTest], list[str]]) -> list[str]:
    """Return the differences of a test and of each of its rows."""
    return [f"{place}{difference}" for place, each in cases_of(test, preset) for difference in run(each)]


def cases_of(test: FileTest, preset: Preset | None) -> Iterator[tuple[str, FileTest]]:
    """Yield a test without its rows, and each row as a test, with the place of the row for messages."""
    yield "", test.model_copy(update={"rows": []})
    base = preset.example if preset is not None and test.event is None else test.event
    for number, row in enumerate(test.rows, 1):
        event: Any = base
        for path, value in row.set.items():
            event = with_member(event, [int(key) if key.isdecimal() else key for key in path.split(".")], value)
        expect = Expected.model_construct(
            outcome=row.outcome, fields=row.fields, warnings=None, events=None, enabled=None
        )
        yield (
            f"row {number} ({', '.join(row.set)}): ",
            test.model_copy(update={"event": event, "expect": expect, "rows": []}),
        )


def _body(test: FileTest, file: str) -> bytes | None:
    """Return the body of the test's request, as JSON or from its file; `None` if the test has neither."""
    if test.file:
        return Path(file).parent.joinpath(test.file).read_bytes()
    return None if test.event is None else orjson.dumps(test.event)


def _made(test: FileTest, source: NamedSource, file: str) -> list[Event | EventRefused]:
    """Return the events that a source creates from the request of its test."""
    body, now = _body(test, file), test.arrives_at or SOME_TIME
    made = events_of_request(source, body or b"", _JSON | test.headers, now=now, query=test.query)
    return [event for _, event in made]


def _differences(expected: Expected, outcome: _TestResult, usual: Outcome) -> Iterator[str]:
    """Yield the differences from the expectation."""
    wanted = expected.outcome or usual.value
    if outcome.outcome != wanted:
        reason = f": {outcome.reason}" if outcome.reason else ""
        yield f"outcome: expected {wanted}, got {outcome.outcome.value}{reason}"
    if expected.events is not None and expected.events != outcome.count:
        yield f"events: expected {expected.events}, got {outcome.count}"
    if expected.warnings is not None and (told := _other_warnings(expected.warnings, outcome.warnings)):
        yield told
    if outcome.outcome == wanted or outcome.event:
        for path, value in expected.fields.items():
            actual = _at(outcome.event, path)
            if problem := _unlike(path, value, actual, outcome.making):
                yield f"{path}: {problem}{outcome.places_of(path)}"


def _other_warnings(expected: Sequence[str], actual: Sequence[str]) -> str:
    """Return the missing and superfluous warnings; "" if there are none."""
    missing = [each for each in expected if not any(each in told for told in actual)]
    others = [told for told in actual if not any(each in told for each in expected)]
    found = [f"missing {each!r}" for each in missing] + [f"not expected {each!r}" for each in others]
    return f"warnings: {', '.join(found)}" if found else ""


def _at(event: Any, path: str) -> Any:
    """Return the value at a dotted path, or `None`."""
    for key in path.split("."):
        if isinstance(event, list):
            event = event[int(key)] if key.isdecimal() and int(key) < len(event) else None
        else:
            event = event.get(key) if isinstance(event, dict) else None
    return event


def _unlike(path: str, expected: Any, actual: Any, making: BuildProfile) -> str:
    """Return why a value differs from the expectation; "" if it does not."""
    if isinstance(expected, dict) and len(expected) == 1 and expected.keys() <= _MATCHERS:
        ((matcher, given),) = expected.items()
        if matcher == "digest":
            return _unlike_digest(path, given, actual, making)
        if matcher == "matches":
            is_alike = actual is not None and fnmatchcase(
                actual if isinstance(actual, str) else shown_json(actual), given
            )
            return "" if is_alike else f"expected something like {given}, got {_shown(actual)}"
        is_there = (matcher == "present") is (given is not False)
        return (
            ""
            if (actual is not None) is is_there
            else f"expected {'a value' if is_there else 'nothing'}, got {_shown(actual)}"
        )
    return "" if _sorted(expected) == _sorted(actual) else f"expected {_shown(expected)}, got {_shown(actual)}"


def _unlike_digest(path: str, plain: Any, actual: Any, making: BuildProfile) -> str:
    plains = plain if isinstance(plain, list) else [plain]
    digests = [sent_of_text(path, str(each), making.rules) for each in plains]
    if any(each is None for each in digests):
        return f"{plain!r} can have no digest here"
    if digests == (actual if isinstance(actual, list) else [actual]):
        return ""
    return f"expected the digest of {plain!r}, got {_shown(actual)}"


def _sorted(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _shown(value: Any) -> str:
    return "nothing" if value is None else shown_json(value)

"""Run the tests that a changed mapping can affect: those with an event for which a changed field has another value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from pydantic import ValidationError

from app.catalog import Catalog, Preset
from app.catalog.catalog import RunningCatalog
from app.catalog.fields import is_plain
from app.catalog.files import ActionFile, FileTest
from app.catalog.presets import compile_action, compile_fields
from app.core.events import Event
from app.core.values.amounts import Computed
from app.core.values.candidates import FieldPath, PassedOver
from app.errors import EventRefused, MappingError
from app.mapping import Mapping as CompiledMapping
from app.pipeline.file_tests import CANNOT_RUN, FileTests, cases_of


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A test, or a row of a test."""

    #: The file of the preset. `None` for a test of the mapping.
    file: str | None
    test: FileTest
    #: `None` if the events cannot be read: the case always runs.
    events: Sequence[Event] | None
    #: The CONTENT_ID of the test.
    content_id: str


class MappingCases:
    """The tests of a mapping and of the presets that use the mapping."""

    def __init__(
        self,
        tests: FileTests,
        running: RunningCatalog,
        base: Catalog,
        presets: Mapping[str, str],
        value: dict[str, Any],
    ) -> None:
        """Use the catalog with the unchanged mapping, the texts of its presets by file, and the file of the mapping.

        The file is compiled again: a changed file shares the objects of `value`, and these are compiled only once.
        """
        self._tests, self._running, self._path, self._presets = tests, running, base.action_path, presets
        unchanged = self.changed(value, base.defaults)
        assert unchanged is not None  # noqa: S101 - `base` was compiled from this file
        self._base = unchanged
        #: The cases that found the last changes are first: they often find the next changes.
        self._cases = list(self._read(base))
        self._before, self._unchanged = cache(_value), cache(partial(_field, unchanged))

    def changed(self, value: dict[str, Any], like: CompiledMapping | None = None) -> Catalog | None:
        """Return the catalog without presets of a changed mapping file. `None` if the file is faulty."""
        try:
            file = ActionFile.model_validate({**value, "tests": []})
        except ValidationError:
            return None
        action, _ = compile_action(file, like=like or self._base.defaults)
        return self._running.compiled({}, {self._path: ""}, action=action) if action else None

    def finds(self, changed: Catalog) -> bool:
        """Return whether a case fails with the changed mapping."""
        compiled = cache(partial(self._compiled, changed))
        for case in self._affected(changed):
            try:
                preset = compiled(case.file, case.test.event_name)
                is_found = bool(self._tests.differences(changed, preset, case.test, is_explained=False))
            except CANNOT_RUN:
                is_found = True
            if is_found:
                self._cases.remove(case)
                self._cases.insert(0, case)
                return True
        return False

    def _read(self, base: Catalog) -> Iterator[_Case]:
        for preset in (None, *base.presets):
            for test in base.action.tests if preset is None else preset.tests:
                alone = preset or base.bare_preset(test.event_name)
                for _, case in cases_of(test, alone):
                    events, content_id = self._events(alone, case), self._tests.content_id(case)
                    yield _Case(preset.file if preset else None, case, events, content_id)

    def _events(self, preset: Preset, test: FileTest) -> Sequence[Event] | None:
        try:
            events = self._tests.events(test, preset)
        except CANNOT_RUN:
            return None
        readable = [event for event in events if not isinstance(event, EventRefused)]
        return readable if len(readable) == len(events) else None

    def _affected(self, changed: Catalog) -> Iterator[_Case]:
        """Yield the cases whose result can differ."""
        fields = list(_changed_fields(self._base.compiled_action.defaults, changed.compiled_action.defaults))
        mappings = [(path, self._unchanged(path), _field(changed, path)) for path in fields]
        for case in self._cases:
            if case.events is None or any(
                self._before(before.under(case.content_id), case, number, path)
                != _value(after.under(case.content_id), case, number, path)
                for path, before, after in mappings
                for number in range(len(case.events))
            ):
                yield case

    def _compiled(self, changed: Catalog, file: str | None, event_name: str) -> Preset:
        """Return a preset with the changed mapping; only the defaults if `file` is `None`. Raises CatalogError."""
        if file is None:
            return changed.bare_preset(event_name)
        texts = {file: self._presets[file]}
        return self._running.compiled(texts, {self._path: ""}, action=changed.compiled_action).presets[0]


def _changed_fields(before: Any, after: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield each field without sub-fields that has another mapping."""
    if is_plain(before) and is_plain(after):
        for name in {**before, **after}:
            if before.get(name) is not after.get(name):
                yield from _changed_fields(before.get(name), after.get(name), (*path, name))
    elif before != after:
        yield path


def _field(catalog: Catalog, path: FieldPath) -> CompiledMapping:
    """Return the mapping of a field by the defaults alone."""
    *parents, name = path
    members: Any = catalog.compiled_action.defaults
    for parent in parents:
        members = members.get(parent, {})
    fields = {name: members[name]} if name in members else {}
    for parent in reversed(parents):
        fields = {parent: fields}
    return compile_fields(fields, catalog.defaults)


def _value(mapping: CompiledMapping, case: _Case, number: int, path: FieldPath) -> Any:
    """Return all readable values of a field for an event of a case, in a comparable form."""
    event = (case.events or ())[number]
    skipped: list[PassedOver] = []
    try:
        found = list(mapping.candidates(event, skipped, path))
        is_computed = any(isinstance(each.value, Computed) for each in found)
        written = list(mapping.candidates(event, [], path, written=True)) if is_computed else found
        return _comparable([found or mapping.resolve(event), written, skipped])
    except MappingError as exc:
        return str(exc)


def _comparable(value: Any) -> Any:
    """Return a value in a form whose equality includes types, and the details of computed amounts."""
    if isinstance(value, Computed):
        # An amount that depends on its context is different each time, so its case runs.
        context = object() if value.in_context else None
        return str(value), value.currency, value.dressed, context, value.is_plain, value.reason
    if isinstance(value, dict):
        return {name: _comparable(member) for name, member in value.items()}
    return [_comparable(each) for each in value] if isinstance(value, list | tuple) else (type(value), value)

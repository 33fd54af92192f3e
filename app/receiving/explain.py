"""What would become of one event, step by step: for the console's event tester. Nothing of it is kept."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import orjson

from app.catalog import Catalog, Preset
from app.catalog.running import RunningCatalog
from app.destination import ConversionRules, ReportConversionEvent
from app.destination.client import Answer as PinterestAnswer
from app.destination.client import Failure
from app.destination.normalised_forms import normalised_forms
from app.destination.user_field import USER_FIELDS
from app.errors import CatalogError, EventError, EventInvalid, MappingError
from app.receiving.reports import ConditionReport, Draft, EventReport, FieldReport, PinterestReply, PresetReport
from app.sandbox import judge
from app.source import Arrival, read_event
from app.trigger import ABSENT
from app.types import Event, Exit


class _Sends(Protocol):
    async def send(self, payloads: list[bytes], *, test: bool = False) -> PinterestAnswer | Failure: ...


class Tester:
    """Runs one event by every preset, with a draft in place of one file where there is one."""

    def __init__(self, running: RunningCatalog, rules: ConversionRules, client: _Sends) -> None:
        self._running = running
        self._rules = rules
        self._action = ReportConversionEvent(rules)
        self._client = client
        self._wire_names = {f"user_data.{field.name}": f"user_data.{field.wire}" for field in USER_FIELDS}

    def test_event(self, event: Event, draft: Draft | None, now: float) -> EventReport:
        """Map the event by every preset."""
        try:
            catalog = self._catalog(draft)
            complete = read_event(event, Arrival.at(now))
        except CatalogError as exc:
            return EventReport(draft_faults=exc.faults)
        except EventError as exc:
            return EventReport(refusal=exc.reason)
        return EventReport(presets=tuple(self._preset(preset, complete, now) for preset in catalog.presets))

    def _catalog(self, draft: Draft | None) -> Catalog:
        if draft is None:
            return self._running.catalog
        presets, mappings = dict(self._running.preset_texts), dict(self._running.mapping_texts)
        (mappings if draft.file in mappings else presets)[draft.file] = draft.text
        return self._running.compile(presets, mappings)

    def _preset(self, preset: Preset, event: Event, now: float) -> PresetReport:
        finding = preset.trigger.explain(event)
        conditions = tuple(
            ConditionReport(text=part.text, held=part.held, found=None if part.found is ABSENT else _json(part.found))
            for part in finding.conditions()
        )
        if not finding.held:
            return PresetReport(
                preset=preset.name,
                enabled=preset.enabled,
                matched=False,
                conditions=conditions,
                exit=Exit.UNMATCHED,
                reason="the trigger does not hold",
            )
        return self._matched(preset, event, conditions, now)

    def _matched(
        self, preset: Preset, event: Event, conditions: tuple[ConditionReport, ...], now: float
    ) -> PresetReport:
        built: dict[str, Any] = {}
        warnings: list[str] = []
        reason = ""
        fields: tuple[FieldReport, ...] = ()
        try:
            resolved = preset.mapping.resolve(event) or {}
            fields = tuple(self._fields(preset, event, resolved, built))
            made, warnings = self._action(resolved, now=now)
            built.update(made)
            fields = tuple(self._fields(preset, event, resolved, built))
        except EventInvalid as exc:
            reason = exc.reason
        except MappingError as exc:
            reason = str(exc)
        return PresetReport(
            preset=preset.name,
            enabled=preset.enabled,
            matched=True,
            conditions=conditions,
            exit=Exit.INVALID if reason else Exit.ENQUEUED,
            reason=reason,
            fields=fields,
            warnings=tuple(warnings),
            payload=orjson.dumps(built) if built else None,
            schema_problems=tuple(judge(built, now=now)) if built else (),
        )

    def _fields(
        self, preset: Preset, event: Event, resolved: Mapping[str, Any], built: Mapping[str, Any]
    ) -> Iterator[FieldReport]:
        """Say where each field's value came from, and what it became."""
        forms = normalised_forms(resolved.get("user_data"), self._rules)
        for row in preset.mapping.explain(event):
            sent = self._sent(built, row.path)
            yield FieldReport(
                field=row.path.replace(".", "/"),
                paths=tuple(read.path for read in row.reads),
                value=_json(row.value),
                normalised=forms.get(row.path.removeprefix("user_data."), ""),
                sent=None if sent is None else _json(sent),
            )

    def _sent(self, built: Mapping[str, Any], path: str) -> Any:
        """Return what stands in the finished event for a field of the mapping; None where nothing does."""
        value: Any = built
        for key in self._wire_names.get(path, path).split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    async def send_test(self, payload: bytes) -> PinterestReply:
        """Send one finished event with `?test=true`."""
        answer = await self._client.send([payload], test=True)
        if isinstance(answer, Failure):
            return PinterestReply(status=None, body=answer.reason)
        return PinterestReply(status=answer.status, body=_json(answer.body))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()

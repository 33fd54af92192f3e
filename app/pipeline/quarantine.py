"""Quarantine: events that made no delivery, kept sealed and for a short time."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from app.catalog import Catalog
from app.config.settings import QuarantineSettings
from app.core.events import Event, Outcome
from app.core.pages import Quarantined
from app.core.receipts import PresetResult
from app.core.trust import TOO_DEAR
from app.core.values.hidden_emails import unpersonal_id
from app.destination import redact
from app.outbox import NOT_CONFIRMED
from app.outbox.sealed_events import SealedEvents, Sealer
from app.pipeline.identity_events import IdentityEventReader
from app.source import Intake

#: An event and what became of it.
QuarantineCandidate: TypeAlias = tuple[Event, Sequence[PresetResult]]

#: Of the bound: after so much that was kept, this process has the oldest erased that are too many.
_TRIMMED_AFTER: Final = 1 / 16
_MAX_NAME: Final = 200


class Quarantine:
    """Seals what may be mended, and keeps it in the store."""

    def __init__(
        self, sealed_events: SealedEvents, sealer: Sealer, reader: IdentityEventReader, settings: QuarantineSettings
    ) -> None:
        """Take where events are kept, who encrypts them, and who knows their ids and what their persons say."""
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._reader = reader
        self._settings = settings
        self._untrimmed = 0

    async def keep(self, candidates: Iterable[QuarantineCandidate], catalog: Catalog, intake: Intake) -> None:
        """Commit those of an intake's events that may be mended. Raises OutboxUnavailable."""
        kept: list[Quarantined] = []
        for event, lines in candidates:
            line = self._mendable(event, lines)
            if line is None or self._reader.says_no(event, catalog):
                continue
            sealed = self._sealer.seal(event)
            if sealed is not None:
                keys = self._reader.all_keys(event, catalog, lines)
                lasts_s = self._settings.quarantine_s
                kept.append(
                    quarantined(
                        event, sealed, intake, keys=keys, lasts_s=lasts_s, outcome=line.outcome, reason=line.reason
                    )
                )
        if kept:
            await self._sealed_events.keep(kept)
            await self._trim(sum(len(each.sealed) for each in kept))

    def _mendable(self, event: Event, lines: Sequence[PresetResult]) -> PresetResult | None:
        """Return the line that says why the event made no delivery; None where nothing of it is to be kept."""
        if any(
            line.outcome is Outcome.WITHHELD and not (is_too_dear(line) or line.reason == NOT_CONFIRMED)
            for line in lines
        ):
            return None
        for line in lines:
            if line.outcome in {Outcome.INVALID, Outcome.WITHHELD} or (
                line.outcome is Outcome.UNMATCHED and name_of(event) in self._settings.quarantine_names
            ):
                return line
        return None

    async def _trim(self, added: int) -> None:
        self._untrimmed += added
        if self._untrimmed > self._settings.quarantine_max_bytes * _TRIMMED_AFTER:
            self._untrimmed = 0
            await self._sealed_events.trim(self._settings.quarantine_max_bytes)


def quarantined(
    event: Event,
    sealed: str,
    intake: Intake,
    *,
    keys: tuple[str, ...],
    lasts_s: float,
    outcome: Outcome,
    reason: str = "",
) -> Quarantined:
    """Return what the store keeps of an event for so many seconds, given the event sealed."""
    return Quarantined(
        at=intake.now,
        ends_at=intake.now + lasts_s,
        source=intake.source,
        is_trusted=intake.is_trusted,
        name=shown_name(event),
        outcome=outcome,
        reason=reason,
        message_id=unpersonal_id(event["messageId"]),
        keys=keys,
        sealed=sealed,
    )


def is_quarantine_candidate(event: Event, lines: Sequence[PresetResult]) -> bool:
    """Return whether a quarantine has to look at an event: a delivery of it was not made."""
    return event["type"] != "delete" and any(
        line.outcome in (Outcome.INVALID, Outcome.UNMATCHED) or is_too_dear(line) for line in lines
    )


def is_too_dear(line: PresetResult) -> bool:
    """Return whether a public order is withheld for its amount: a person decides about it."""
    return line.outcome is Outcome.WITHHELD and line.reason.startswith(TOO_DEAR)


def name_of(event: Event) -> str:
    """Return the name of a `track`, `page` or `screen`, else the type."""
    given = event.get("event") if event["type"] == "track" else event.get("name")
    return given if type(given) is str and given else event["type"]


def shown_name(event: Event) -> str:
    """Return the name of an event as it may be kept in clear: without personal data, and of bounded length."""
    return redact(name_of(event)[:_MAX_NAME])

"""Quarantine: events without a delivery, stored encrypted and for a short time."""

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

#: An event with its results.
QuarantineCandidate: TypeAlias = tuple[Event, Sequence[PresetResult]]

#: The share of the limit after which this process deletes the oldest excess events.
_TRIMMED_AFTER: Final = 1 / 16
_MAX_NAME: Final = 200


class Quarantine:
    """Encrypts events that could be fixed, and stores them."""

    def __init__(
        self, sealed_events: SealedEvents, sealer: Sealer, reader: IdentityEventReader, settings: QuarantineSettings
    ) -> None:
        """Use the store, the encryption, and the reader of ids and opt-outs."""
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._reader = reader
        self._settings = settings
        self._untrimmed = 0

    async def keep(self, candidates: Iterable[QuarantineCandidate], catalog: Catalog, intake: Intake) -> None:
        """Commit those of an intake's events that could be fixed. Raises OutboxUnavailable."""
        kept: list[Quarantined] = []
        for event, lines in candidates:
            line = self._mendable(event, lines)
            if line is None or self._reader.has_opt_out(event, catalog):
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
        """Return the result with the reason why the event has no delivery; `None` if the event must not be stored."""
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
    """Return the stored form of an encrypted event, with its lifetime in seconds."""
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
    """Return whether the quarantine must check an event: a delivery is missing."""
    return event["type"] != "delete" and any(
        line.outcome in (Outcome.INVALID, Outcome.UNMATCHED) or is_too_dear(line) for line in lines
    )


def is_too_dear(line: PresetResult) -> bool:
    """Return whether a public order is withheld because of its amount, for the decision of an operator."""
    return line.outcome is Outcome.WITHHELD and line.reason.startswith(TOO_DEAR)


def name_of(event: Event) -> str:
    """Return the name of a `track`, `page` or `screen`; otherwise the type."""
    given = event.get("event") if event["type"] == "track" else event.get("name")
    return given if type(given) is str and given else event["type"]


def shown_name(event: Event) -> str:
    """Return the name of an event in a form that may be stored unencrypted.

    The name has no personal data, and a limited length.
    """
    return redact(name_of(event)[:_MAX_NAME])

"""The way of one event to the outbox: withheld? which presets take it? switched off? mapped, built, made a delivery.

There is one such way. The pipeline goes it with what is received, `explain` with what people ask about.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from app.catalog import Catalog, Preset
from app.core.events import DEFAULT_SOURCE, Event, Exit
from app.core.receipts import PresetResult
from app.core.values.hidden_emails import MAX_ID_BYTES, is_long, unpersonal_id
from app.destination import Complete
from app.errors import EventInvalid, MappingError
from app.identity import NOTHING_KNOWN, Memory, Recollection
from app.receiving.remembering import Remembering, completed
from app.receiving.routes import AdAccount, Making, cancellations, line_for, not_sent, routes
from app.source import app_platform

#: A message id that is not sent as event id is only kept, to know the event again.
_LONG_ID = f"messageId: a text of more than {MAX_ID_BYTES} bytes, its SHA-256 is kept"

#: Returns why an event must not be sent, None where it may be: the event's consent and routing.
WhyWithheld: TypeAlias = Callable[[Event], str | None]
#: Returns why this preset sends nothing to this ad account now, None where it does: the switches.
WhyOff: TypeAlias = Callable[[str, str], str | None]

_OF_NO_PRESET = PresetResult(preset=None, exit=Exit.UNMATCHED, reason="no preset's trigger holds for this event")
_OF_NO_ACCOUNT = PresetResult(preset=None, exit=Exit.UNMATCHED, reason="no ad account takes this source and preset")


class Matched(NamedTuple):
    """The presets that match an event, its ways to ad accounts, and why it is withheld; None where it is not."""

    presets: Sequence[Preset]
    ways: Sequence[tuple[Preset, AdAccount]]
    withheld: str | None


def _nothing_against(*_: object) -> None:
    """Stand for a rule where none is given."""


class Walk:
    """What is asked of every event on its way, and what is made of it."""

    def __init__(
        self,
        accounts: Sequence[AdAccount] = (AdAccount(),),
        *,
        withheld: WhyWithheld | None = None,
        why_off: WhyOff | None = None,
        remembering: Remembering | None = None,
    ) -> None:
        """Take the ad accounts, at least one, and the rules. Without `remembering` there is no memory."""
        self._accounts = tuple(accounts)
        self._by_name = {account.name: account for account in accounts}
        self._withheld = withheld or _nothing_against
        self._why_off = why_off or _nothing_against
        #: What memory does; None where there is none.
        self.remembering = remembering

    def account(self, name: str) -> AdAccount:
        """Return the ad account of a line's destination; that of a line without one is the first."""
        return self._by_name.get(name) or self._accounts[0]

    def lines(
        self,
        event: Event,
        catalog: Catalog,
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        memory: Memory | None = None,
        is_proven: bool = True,
    ) -> list[PresetResult]:
        """Return one line for each preset and ad account that take the event, or one that says why there is none.

        A line that is to be enqueued carries the finished event, completed by `memory` where there is one, which
        remembers what the event says. `is_proven` says that the event's sender is known by a secret.
        """
        matched = self.matched(event, catalog, source)
        lines = self.mapped(event, matched, now)
        known = NOTHING_KNOWN
        if self.remembering and memory is not None:
            known, _ = self.remembering.meet(
                event, matched.presets, lines, catalog, memory, now=now, is_proven=is_proven
            )
        return self.finished(event, matched, lines, catalog, known=known, now=now, source=source)

    def matched(self, event: Event, catalog: Catalog, source: str) -> Matched:
        """Return which presets take the event, and its ways to ad accounts."""
        reason = self._withheld(event)
        if reason is not None:
            return Matched([], [], reason)
        presets = catalog.matching(event)
        return Matched(presets, routes(presets, self._accounts, source), None)

    def mapped(self, event: Event, matched: Matched, now: float) -> list[PresetResult]:
        """Return what the event comes to by itself, without memory."""
        presets, ways, reason = matched
        if reason is not None:
            return [PresetResult(preset=None, exit=Exit.WITHHELD, reason=reason)]
        return self._map_all(ways, event, now) or [_OF_NO_ACCOUNT if presets else _OF_NO_PRESET]

    def finished(
        self,
        event: Event,
        matched: Matched,
        lines: list[PresetResult],
        catalog: Catalog,
        *,
        known: Recollection,
        now: float,
        source: str,
    ) -> list[PresetResult]:
        """Return the lines of an event with what memory has for it, and with the orders that it cancels."""
        ways = matched.ways
        if known.facts and ways:
            lines = [
                completed(preset, line, known, partial(self._map, account=account, event=event, now=now))
                for (preset, account), line in zip(ways, lines, strict=True)
            ]
        if not catalog.cancellable or not (cancelled := cancellations(event, catalog, self._accounts, source)):
            return lines
        return [*cancelled, *(line for line in lines if line.exit is not Exit.UNMATCHED)]

    def _map_all(self, ways: Sequence[tuple[Preset, AdAccount]], event: Event, now: float) -> list[PresetResult]:
        """Return a line for each way; what is made alike for several ad accounts is made once."""
        if len(self._accounts) == 1:
            return [self._map(preset, account, event, now) for preset, account in ways]
        made: dict[tuple[str, Making], PresetResult] = {}
        lines = []
        for preset, account in ways:
            line, key = self._off(preset, account), (preset.name, account.making)
            if line is None and key in made:
                line = line_for(account, made[key])
            elif line is None:
                line = made[key] = self._make(preset, account, event, now)
            lines.append(line)
        return lines

    def _map(
        self, preset: Preset, account: AdAccount, event: Event, now: float, complete: Complete | None = None
    ) -> PresetResult:
        return self._off(preset, account) or self._make(preset, account, event, now, complete)

    def _off(self, preset: Preset, account: AdAccount) -> PresetResult | None:
        reason = self._why_off(preset.name, account.ad_account_id)
        return None if reason is None else not_sent(preset, account, Exit.WITHHELD, reason)

    def _make(
        self, preset: Preset, account: AdAccount, event: Event, now: float, complete: Complete | None = None
    ) -> PresetResult:
        making = account.making
        try:
            given = preset.mapping.of(event)
            fields = given.fields if making.action_source_by_context and (platform := app_platform(event)) else None
            if fields and fields.get("action_source") == "web":
                fields["action_source"] = platform
            built, warnings = making.action(given if fields is None else fields, now=now, complete=complete)
        except EventInvalid as exc:
            return not_sent(preset, account, Exit.INVALID, exc.reason)
        except MappingError as exc:
            return not_sent(preset, account, Exit.INVALID, str(exc))
        reason, about = making.not_genuine(event, built)
        if reason is not None:
            return not_sent(preset, account, Exit.WITHHELD, reason)
        warnings += about
        if built["event_name"] == "checkout":
            warnings += _about_app(event, built)
        message_id = event["messageId"]
        if built["event_id"] != message_id and is_long(message_id) and built["event_id"] != unpersonal_id(message_id):
            warnings.append(_LONG_ID)
        return PresetResult(
            preset=preset.name,
            destination=account.name,
            ad_account_id=account.ad_account_id,
            exit=Exit.ENQUEUED,
            warnings=tuple(warnings),
            event=built,
            hold_s=preset.hold_s,
        )


def _about_app(event: Event, built: Event) -> list[str]:
    """Return the warning about a checkout that an app sent as one of the web."""
    if built["action_source"] != "web" or not (platform := app_platform(event)):
        return []
    return [f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}"]

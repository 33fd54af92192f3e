"""The way of one event to the outbox: withheld? which presets take it? switched off? mapped, built, made a delivery.

There is one such way. The pipeline goes it with what is received, `explain` with what people ask about.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from app.catalog import Catalog, Preset
from app.destination import Complete
from app.errors import EventHeldBack, EventInvalid, EventRefused, MappingError
from app.identity import NOTHING_KNOWN, LoadedMemory, Memory, Recollection
from app.inventory.received_names import received_name
from app.receiving.drafted import drafted_delivery, drafted_withdrawal
from app.receiving.noting import NotingMemory
from app.receiving.quarantining import is_aside
from app.receiving.receipts import Drafts
from app.receiving.remembering import Remembering, completed
from app.receiving.routes import AdAccount, Making, cancellations, line_for, not_sent, routes
from app.receiving.unsent_orders import unsent_order, with_orders
from app.source import app_platform
from app.types import DEFAULT_SOURCE, Event, Exit, Given, Line
from app.values.hidden_emails import MAX_ID_BYTES, is_long, unpersonal_id

#: A message id that is not sent as event id is only kept, to know the event again.
_LONG_ID = f"messageId: a text of more than {MAX_ID_BYTES} bytes, its SHA-256 is kept"

#: Returns why an event must not be sent, None where it may be: the event's consent and routing.
WhyWithheld: TypeAlias = Callable[[Event], str | None]
#: Returns why this preset sends nothing to this ad account now, None where it does: the switches.
WhyOff: TypeAlias = Callable[[str, str], str | None]

#: Types of events that speak to memory rather than to presets: what they gave to it is told.
_TO_MEMORY = frozenset({"identify", "alias", "group", "screen", "delete"})

_OF_NO_PRESET = Line(preset=None, exit=Exit.UNMATCHED, reason="no preset's trigger holds for this event")
_OF_NO_ACCOUNT = Line(preset=None, exit=Exit.UNMATCHED, reason="no ad account takes this source and preset")


class _Alone(NamedTuple):
    """What an event comes to without memory: the presets that match it, its ways to ad accounts, and their lines."""

    presets: Sequence[Preset]
    ways: Sequence[tuple[Preset, AdAccount]]
    lines: list[Line]


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
    ) -> list[Line]:
        """Return one line for each preset and ad account that take the event, or one that says why there is none.

        A line that is to be enqueued carries the finished event, completed by `memory` where there is one, which
        remembers what the event says. `is_proven` says that the event's sender is known by a secret.
        """
        alone = self._alone(event, catalog, now=now, source=source)
        known = NOTHING_KNOWN
        if self.remembering and memory is not None:
            known, _ = self.remembering.meet(
                event, alone.presets, alone.lines, catalog, memory, now=now, is_proven=is_proven
            )
        return self._finished(event, alone, known, catalog, now=now, source=source)

    def _alone(self, event: Event, catalog: Catalog, *, now: float, source: str) -> "_Alone":
        """Return what the event comes to by itself, without memory."""
        reason = self._withheld(event)
        if reason is not None:
            return _Alone([], [], [Line(preset=None, exit=Exit.WITHHELD, reason=reason)])
        presets = catalog.matching(event)
        ways = routes(presets, self._accounts, source)
        lines = self._map_all(ways, event, now) or [_OF_NO_ACCOUNT if presets else _OF_NO_PRESET]
        return _Alone(presets, ways, lines)

    def _finished(
        self, event: Event, alone: "_Alone", known: Recollection, catalog: Catalog, *, now: float, source: str
    ) -> list[Line]:
        """Return the lines of an event with what memory has for it, and with the orders that it cancels."""
        _, ways, lines = alone
        if known.facts and ways:
            lines = [
                completed(preset, line, known, partial(self._map, account=account, event=event, now=now))
                for (preset, account), line in zip(ways, lines, strict=True)
            ]
        if not catalog.cancellable or not (cancelled := cancellations(event, catalog, self._accounts, source)):
            return lines
        return [*cancelled, *(line for line in lines if line.exit is not Exit.UNMATCHED)]

    def _map_all(self, ways: Sequence[tuple[Preset, AdAccount]], event: Event, now: float) -> list[Line]:
        """Return a line for each way; what is made alike for several ad accounts is made once."""
        if len(self._accounts) == 1:
            return [self._map(preset, account, event, now) for preset, account in ways]
        made: dict[tuple[str, Making], Line] = {}
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
    ) -> Line:
        return self._off(preset, account) or self._make(preset, account, event, now, complete)

    def _off(self, preset: Preset, account: AdAccount) -> Line | None:
        reason = self._why_off(preset.name, account.ad_account_id)
        return None if reason is None else not_sent(preset, account, Exit.WITHHELD, reason)

    def _make(
        self, preset: Preset, account: AdAccount, event: Event, now: float, complete: Complete | None = None
    ) -> Line:
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
        return Line(
            preset=preset.name,
            destination=account.name,
            ad_account_id=account.ad_account_id,
            exit=Exit.ENQUEUED,
            warnings=tuple(warnings),
            event=built,
            hold_s=preset.hold_s,
        )

    def draft(self, event: Event | EventRefused, catalog: Catalog, drafts: Drafts, *, now: float) -> None:
        """Add to `drafts` what an event gives: its receipt, and the deliveries that are to be enqueued."""
        if isinstance(event, EventRefused):
            self._refuse(event, catalog, drafts)
        else:
            self._add(event, self.lines(event, catalog, now=now, source=drafts.source), catalog, drafts)

    def draft_with(
        self,
        memory: LoadedMemory,
        remembering: Remembering,
        events: Sequence[Event | EventRefused],
        catalog: Catalog,
        drafts: Drafts,
        *,
        now: float,
    ) -> None:
        """Do `draft` for some events, completed by memory, which remembers what they say.

        All are mapped, then all meet memory, then all are completed: one after the other took half as long again, since
        a processor holds the code of one of these steps at hand, but not of all.
        """
        read = [each for each in events if not isinstance(each, EventRefused)]
        alone = [self._alone(each, catalog, now=now, source=drafts.source) for each in read]
        met = []
        for one, (presets, _, lines) in zip(read, alone, strict=True):
            noting = NotingMemory(memory) if drafts.is_proven and one["type"] in _TO_MEMORY else None
            known, encounter = remembering.meet(
                one, presets, lines, catalog, noting or memory, now=now, is_proven=drafts.is_proven
            )
            met.append((known, encounter, noting.given() if noting else None))
        left = zip(alone, met, strict=True)
        for event in events:
            if isinstance(event, EventRefused):
                self._refuse(event, catalog, drafts)
                continue
            by_itself, (known, encounter, given) = next(left)
            completed_lines = self._finished(event, by_itself, known, catalog, now=now, source=drafts.source)
            if delivered := self._add(event, completed_lines, catalog, drafts, given):
                memory.note_whose(delivered, encounter)

    def _refuse(self, event: EventRefused, catalog: Catalog, drafts: Drafts) -> None:
        order = None
        if isinstance(event, EventHeldBack):
            order = unsent_order(event.event, catalog, self._accounts[0].making.rules)
        drafts.refuse(event, name=received_name(event), order=order)

    def _add(
        self, event: Event, lines: list[Line], catalog: Catalog, drafts: Drafts, given: Given | None = None
    ) -> str | None:
        """Add to `drafts` what the lines of an event give; return its message id, None where there is no delivery."""
        if any(line.event is None for line in lines):
            lines = with_orders(lines, event, catalog, lambda line: self.account(line.destination).making.rules)
        message_id = unpersonal_id(event["messageId"])
        count = len(drafts.deliveries)
        for line in lines:
            if line.cancels is not None:
                drafts.withdrawals.append(drafted_withdrawal(message_id, line, source=drafts.source))
            if line.event:
                drafts.deliveries.append(drafted_delivery(message_id, event, line, source=drafts.source))
        if drafts.asides is not None and is_aside(event, lines):
            drafts.asides.append((event, lines))
        drafts.add(message_id, lines, name=received_name(event), is_made="idIsMade" in event, given=given)
        return message_id if len(drafts.deliveries) > count else None


def _about_app(event: Event, built: Event) -> list[str]:
    """Return the warning about a checkout that an app sent as one of the web."""
    if built["action_source"] != "web" or not (platform := app_platform(event)):
        return []
    return [f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}"]

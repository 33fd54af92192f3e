"""The way of one event to the outbox: withheld? which presets take it? switched off? mapped, built, made a delivery.

There is one such way. The pipeline goes it with what is received, `explain` with what people ask about.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import orjson
from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.destination import Complete, components
from app.errors import EventHeldBack, EventInvalid, EventRefused, MappingError
from app.identity import LoadedMemory, Memory
from app.inventory.received_names import received_name
from app.receiving.noting import NotingMemory
from app.receiving.quarantining import is_aside
from app.receiving.receipts import Drafts
from app.receiving.remembering import Remembering, completed
from app.receiving.routes import AdAccount, Making, cancellations, not_sent, routes
from app.receiving.unsent_orders import unsent_order, with_orders
from app.source import app_platform, checkout_id_of
from app.types import DEFAULT_SOURCE, Event, Exit, Line, NewDelivery, Withdrawal
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
        lines = self._lines(event, catalog, now=now, source=source, memory=memory, is_proven=is_proven)
        if not catalog.cancellable or not (cancelled := cancellations(event, catalog, self._accounts, source)):
            return lines
        return [*cancelled, *(line for line in lines if line.exit is not Exit.UNMATCHED)]

    def _lines(
        self, event: Event, catalog: Catalog, *, now: float, source: str, memory: Memory | None, is_proven: bool
    ) -> list[Line]:
        reason = self._withheld(event)
        presets = catalog.matching(event) if reason is None else []
        ways = routes(presets, self._accounts, source)
        if reason is not None:
            lines = [Line(preset=None, exit=Exit.WITHHELD, reason=reason)]
        else:
            lines = self._map_all(ways, event, now) or [_OF_NO_ACCOUNT if presets else _OF_NO_PRESET]
        if self.remembering is None or memory is None:
            return lines
        known = self.remembering.meet(event, presets, lines, catalog, memory, now=now, is_proven=is_proven)
        if not known.facts or not ways:
            return lines
        return [
            completed(preset, line, known, partial(self._map, account=account, event=event, now=now))
            for (preset, account), line in zip(ways, lines, strict=True)
        ]

    def _map_all(self, ways: Sequence[tuple[Preset, AdAccount]], event: Event, now: float) -> list[Line]:
        """Return a line for each way; what is made alike for several ad accounts is made once."""
        if len(self._accounts) == 1:
            return [self._map(preset, account, event, now) for preset, account in ways]
        made: dict[tuple[str, Making], Line] = {}
        lines = []
        for preset, account in ways:
            line, key = self._off(preset, account), (preset.name, account.making)
            if line is None and key in made:
                line = _for(account, made[key])
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

    def draft(
        self,
        event: Event | EventRefused,
        catalog: Catalog,
        drafts: Drafts,
        *,
        now: float,
        memory: LoadedMemory | None = None,
    ) -> None:
        """Add to `drafts` what an event gives: its receipt, and the deliveries that are to be enqueued."""
        if isinstance(event, EventRefused):
            held_back = event.event if isinstance(event, EventHeldBack) else {}
            order = unsent_order(held_back, catalog, self._accounts[0].making.rules)
            drafts.refuse(event, name=received_name(event), order=order)
            return
        message_id = unpersonal_id(event["messageId"])
        is_told = memory is not None and drafts.is_proven and event["type"] in _TO_MEMORY
        noting = NotingMemory(memory) if memory is not None and is_told else None
        lines = self.lines(
            event, catalog, now=now, source=drafts.source, memory=noting or memory, is_proven=drafts.is_proven
        )
        if any(line.event is None for line in lines):
            lines = with_orders(lines, event, catalog, lambda line: self.account(line.destination).making.rules)
        for line in lines:
            if line.cancels is not None:
                drafts.withdrawals.append(self.withdrawal(message_id, line, source=drafts.source))
            if line.event:
                drafts.deliveries.append(self.delivery(message_id, event, line, source=drafts.source))
        if self.remembering and memory is not None and any(line.event for line in lines):
            memory.whose.append(self.remembering.whose(event, message_id))
        if drafts.asides is not None and is_aside(event, lines):
            drafts.asides.append((event, lines))
        given = noting.given() if noting else None
        drafts.add(message_id, lines, name=received_name(event), is_made="idIsMade" in event, given=given)

    def withdrawal(self, message_id: str, line: Line, *, source: str) -> Withdrawal:
        """Return what a line that cancels an order withdraws."""
        return Withdrawal(
            ad_account_id=line.ad_account_id,
            preset=line.preset or "",
            order_id=line.cancels or "",
            source=source,
            message_id=message_id,
        )

    def delivery(self, message_id: str, event: Event, line: Line, *, source: str = DEFAULT_SOURCE) -> NewDelivery:
        """Return the delivery that the line of an event, which carries the finished one, gives."""
        built = line.event or {}
        is_checkout = built["event_name"] == "checkout"
        custom_data = built.get("custom_data", {})
        return NewDelivery(
            ad_account_id=line.ad_account_id,
            preset=line.preset or "",
            message_id=message_id,
            event_name=built["event_name"],
            event_id=built["event_id"],
            action_source=built["action_source"],
            order_id=custom_data.get("order_id") if is_checkout else None,
            event_time=built["event_time"],
            source=source,
            hold_s=line.hold_s,
            checkout_id=checkout_id_of(event) if is_checkout else None,
            amount=custom_data.get("value"),
            currency=custom_data.get("currency"),
            buyer=tuple(built["user_data"].get("em", ())) if is_checkout else (),
            payload=orjson.dumps(built),
            warnings=line.warnings,
            quality=components(built),
            memory=line.memory,
            name=received_name(event),
        )


def _for(account: AdAccount, made: Line) -> Line:
    """Return the line of another ad account for this one; memory may add to its event without adding to the other's."""
    event = None if made.event is None else {**made.event, "user_data": {**made.event["user_data"]}}
    return replace(made, destination=account.name, ad_account_id=account.ad_account_id, event=event)


def _about_app(event: Event, built: Event) -> list[str]:
    """Return the warning about a checkout that an app sent as one of the web."""
    if built["action_source"] != "web" or not (platform := app_platform(event)):
        return []
    return [f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}"]

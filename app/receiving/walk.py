"""The way of one event to the outbox: withheld? which presets take it? switched off? mapped, built, made a delivery.

There is one such way. The pipeline goes it with what is received, `explain` with what people ask about.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeAlias

import orjson

from app.catalog import Catalog, Preset
from app.destination import Complete, components, report_conversion_event
from app.errors import EventInvalid, EventRefused, MappingError
from app.identity import LoadedMemory, Memory
from app.receiving.receipts import Drafts
from app.receiving.remembering import Remembering, WhyNotGenuine, completed
from app.source import app_platform, checkout_id_of
from app.types import DEFAULT_SOURCE, Event, Exit, Line, NewDelivery
from app.values.hidden_emails import MAX_ID_BYTES, is_long, unpersonal_id

#: A message id that is not sent as event id is only kept, to know the event again.
_LONG_ID = f"messageId: a text of more than {MAX_ID_BYTES} bytes, its SHA-256 is kept"
#: Of a reason that is kept.
_MAX_REASON = 1_000

#: Returns why an event must not be sent, None where it may be: the event's consent and routing.
WhyWithheld: TypeAlias = Callable[[Event], str | None]
#: Returns why the preset of this name sends nothing now, None where it does: the switches.
WhyOff: TypeAlias = Callable[[str], str | None]


class Action(Protocol):
    """Builds the Pinterest event from resolved fields, or raises EventInvalid."""

    def __call__(
        self, fields: dict[str, Any], *, now: float | None, complete: Complete | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the event and warnings; `now` (Unix seconds) judges its age, `complete` adds to `user_data`."""
        ...


_OF_NO_PRESET = Line(preset=None, exit=Exit.UNMATCHED, reason="no preset's trigger holds for this event")


def _nothing_against(_: object) -> None:
    """Stand for a rule where none is given."""


def _all_genuine(_: Event, __: Event) -> tuple[str | None, tuple[str, ...]]:
    """Stand for the look at tests, crawlers and orders where there is none."""
    return None, ()


class Walk:
    """What is asked of every event on its way, and what is made of it."""

    def __init__(
        self,
        *,
        action: Action = report_conversion_event,
        withheld: WhyWithheld | None = None,
        why_off: WhyOff | None = None,
        not_genuine: WhyNotGenuine | None = None,
        action_source_by_context: bool = False,
        ad_account_id: str = "",
        remembering: Remembering | None = None,
    ) -> None:
        """Take the rules; `action_source_by_context` sends as `app_ios` or `app_android` what an app sent as `web`.

        Without `remembering` there is no memory.
        """
        #: Builds the finished event.
        self.action = action
        self._withheld = withheld or _nothing_against
        self._why_off = why_off or _nothing_against
        self._not_genuine = not_genuine or _all_genuine
        self._by_context = action_source_by_context
        self._ad_account_id = ad_account_id
        #: What memory does; None where there is none.
        self.remembering = remembering

    def lines(
        self, event: Event, catalog: Catalog, *, now: float, memory: Memory | None = None, is_proven: bool = True
    ) -> list[Line]:
        """Return one line for each preset that takes the event, or one that says why there is none.

        A line that is to be enqueued carries the finished event, completed by `memory` where there is one, which
        remembers what the event says. `is_proven` says that the event's sender is known by a secret.
        """
        reason = self._withheld(event)
        presets = catalog.matching(event) if reason is None else []
        if reason is not None:
            lines = [Line(preset=None, exit=Exit.WITHHELD, reason=reason)]
        else:
            lines = [self._map(preset, event, now) for preset in presets] or [_OF_NO_PRESET]
        if self.remembering is None or memory is None:
            return lines
        known = self.remembering.meet(event, presets, lines, catalog, memory, now=now, is_proven=is_proven)
        if not known.facts or not presets:
            return lines
        map_again = partial(self._map, event=event, now=now)
        return [completed(preset, line, known, map_again) for preset, line in zip(presets, lines, strict=True)]

    def _map(self, preset: Preset, event: Event, now: float, complete: Complete | None = None) -> Line:
        reason = self._why_off(preset.name)
        if reason is not None:
            return Line(preset=preset.name, exit=Exit.WITHHELD, reason=reason)
        try:
            fields = preset.mapping.resolve(event) or {}
            if self._by_context and fields.get("action_source") == "web":
                fields["action_source"] = app_platform(event) or "web"
            built, warnings = self.action(fields, now=now, complete=complete)
        except EventInvalid as exc:
            return Line(preset=preset.name, exit=Exit.INVALID, reason=_cut(exc.reason))
        except MappingError as exc:
            return Line(preset=preset.name, exit=Exit.INVALID, reason=_cut(str(exc)))
        reason, about = self._not_genuine(event, built)
        if reason is not None:
            return Line(preset=preset.name, exit=Exit.WITHHELD, reason=reason)
        warnings += [*about, *_about_app(event, built)]
        if is_long(event["messageId"]) and built["event_id"] != unpersonal_id(event["messageId"]):
            warnings.append(_LONG_ID)
        return Line(preset=preset.name, exit=Exit.ENQUEUED, warnings=tuple(warnings), event=built)

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
            drafts.refuse(event)
            return
        message_id = unpersonal_id(event["messageId"])
        lines = self.lines(event, catalog, now=now, memory=memory, is_proven=drafts.is_proven)
        for line in lines:
            if line.event:
                drafts.deliveries.append(self.delivery(message_id, event, line, source=drafts.source))
        if self.remembering and memory is not None and any(line.event for line in lines):
            memory.whose.append(self.remembering.whose(event, message_id))
        drafts.add(message_id, lines, is_made="idIsMade" in event)

    def delivery(self, message_id: str, event: Event, line: Line, *, source: str = DEFAULT_SOURCE) -> NewDelivery:
        """Return the delivery that the line of an event, which carries the finished one, gives."""
        built = line.event or {}
        is_checkout = built["event_name"] == "checkout"
        custom_data = built.get("custom_data", {})
        return NewDelivery(
            ad_account_id=self._ad_account_id,
            preset=line.preset or "",
            message_id=message_id,
            event_name=built["event_name"],
            event_id=built["event_id"],
            action_source=built["action_source"],
            order_id=custom_data.get("order_id") if is_checkout else None,
            event_time=built["event_time"],
            source=source,
            checkout_id=checkout_id_of(event) if is_checkout else None,
            amount=custom_data.get("value"),
            currency=custom_data.get("currency"),
            buyer=tuple(built["user_data"].get("em", ())) if is_checkout else (),
            payload=orjson.dumps(built),
            warnings=line.warnings,
            quality=components(built),
        )


def _cut(reason: str) -> str:
    """Shorten what is kept of each event: a few bytes that are sent could have many faults."""
    return reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}…"


def _about_app(event: Event, built: Event) -> list[str]:
    """Return the warning about a purchase that an app sent as one of the web."""
    if built["event_name"] != "checkout" or built["action_source"] != "web" or not (platform := app_platform(event)):
        return []
    return [f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}"]

"""What would become of one event, as records, and the words for it: the same on a page and on the command line.

Personal data appears in them only where a person has just pasted it; nothing of them is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.core.events import Exit
from app.core.receipts import EventReceipt
from app.core.values.times import hold_text

#: How an event, or its delivery for one preset, leaves the way to the outbox, as the end of a sentence.
IN_WORDS: Mapping[Exit, str] = {
    Exit.REFUSED: "not a Segment event",
    Exit.UNMATCHED: "did not match",
    Exit.WITHHELD: "withheld",
    Exit.ENQUEUED: "would be sent",
    Exit.DUPLICATE: "a duplicate",
    Exit.INVALID: "invalid",
    Exit.MATCHED: "a cancellation",
}


#: What there is to say first where all lines leave so; their reasons say the rest.
_ALIKE: Mapping[Exit, str] = {Exit.WITHHELD: "Withheld.", Exit.MATCHED: "A cancellation."}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReport:
    """One condition of a trigger and what the event holds there."""

    #: As written in the trigger.
    text: str
    held: bool
    #: It is a reason why the trigger does not hold; below a `not` that may be a condition that held.
    blamed: bool
    #: The value found, as JSON; None where the event has none.
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReport:
    """What became of one field of the mapping."""

    #: `user_data/email`.
    field: str
    #: Where the value was looked for, e.g. `context.traits.email`; empty for a fixed value.
    paths: tuple[str, ...]
    #: What was found, as JSON; None where nothing was.
    value: str | None
    #: The form it has before hashing, as text; "" where it is sent as it is.
    normalised: str
    #: What Pinterest gets, as JSON (a digest where hashed); None where it is not sent.
    sent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetReport:
    """What one preset makes of the event for one ad account."""

    preset: str
    #: The name of the destination; "" where the settings name the only one, or the trigger does not hold.
    destination: str = ""
    #: False where its file takes the preset out.
    enabled: bool
    #: Its trigger holds, whether or not anything is sent.
    matched: bool
    conditions: tuple[ConditionReport, ...]
    exit: Exit
    #: Why there is no new delivery; "" where there is one.
    reason: str = ""
    #: When the earlier delivery that this one repeats was enqueued or redriven; None where it repeats none.
    seen_at: float | None = None
    #: Why the delivery would be kept for now instead of being sent; "" where nothing is switched off.
    kept: str = ""
    #: Empty where it did not match, or where the mapping cannot be resolved.
    fields: tuple[FieldReport, ...] = ()
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event as JSON; None where there is none.
    payload: bytes | None = None
    #: What Pinterest's schema says against it, one sentence each; empty where it agrees.
    schema_problems: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The preset, and where ad accounts have names the destination, as people read them."""
        return titled(self.preset, self.destination)


def titled(preset: str | None, destination: str) -> str:
    """Return a preset with the destination that it sends to, where that has a name."""
    return f"{preset} ({destination})" if destination else preset or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The first thing to say of an event, for people."""

    level: Literal["good", "warn", "bad"]
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """What would become of one event."""

    #: Exactly what its sender would be told. Lines with a finished event have it.
    receipt: EventReceipt
    #: One a preset, switched-off ones too, in the catalog's order; empty where the event was refused.
    presets: tuple[PresetReport, ...] = ()

    @property
    def headline(self) -> Headline:
        """The whole of it in one or two sentences."""
        lines = self.receipt.deliveries
        sent = [titled(line.preset, line.destination) for line in lines if line.exit is Exit.ENQUEUED]
        if sent:
            count = f"{len(sent)} {'delivery' if len(sent) == 1 else 'deliveries'}"
            hold_s = max(line.hold_s for line in lines)
            held = f" Held for {hold_text(hold_s)} first." if hold_s else ""
            return Headline(level="good", title=f"{count} to Pinterest:", text=f"{', '.join(sent)}.{held}")
        exits = {line.exit for line in lines}
        if Exit.REFUSED in exits:
            return Headline(level="bad", title="Refused.", text=lines[0].reason)
        if Exit.UNMATCHED in exits:
            why = "For each there is the condition that failed, and what the event holds there."
            none = ("No preset matches this event.", why) if self.presets else ("Unmatched.", f"{lines[0].reason}.")
            return Headline(level="warn", title=none[0], text=none[1])
        if len(exits) == 1 and exits <= _ALIKE.keys():
            (exit_,) = exits
            told = ", ".join(dict.fromkeys(each.reason for each in lines))
            return Headline(level="warn", title=_ALIKE[exit_], text=told)
        if exits == {Exit.DUPLICATE}:
            return Headline(level="warn", title="Sent before.", text="Nothing would be sent again.")
        return Headline(level="bad", title="Matched, but nothing would be sent.", text="Each preset has its reason.")

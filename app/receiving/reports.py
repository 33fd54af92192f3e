"""What would become of one event, as records: for the tester, previews and pages.

Personal data appears in them only where a person has just pasted it; nothing of them is kept.
"""

from dataclasses import dataclass

from app.errors import Fault
from app.types import Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One file's text as somebody is trying it: it stands for the file of that name and is never written."""

    #: A `SourceFile.file`.
    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReport:
    """One condition of a trigger and what the event holds there."""

    #: As written in the trigger.
    text: str
    held: bool
    #: The value found, as JSON; None where the event has none.
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReport:
    """What became of one field of the mapping."""

    #: `user_data/email`.
    field: str
    #: Where the value was looked for, e.g. `$.context.traits.email`; empty for a fixed value.
    paths: tuple[str, ...]
    #: What was found, as JSON; None where nothing was.
    value: str | None
    #: The form it has before hashing, as text; "" where it is sent as it is.
    normalised: str
    #: What Pinterest gets, as JSON (a digest where hashed); None where it is not sent.
    sent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetReport:
    """What one preset makes of the event."""

    preset: str
    #: False where the file, or a switch, takes the preset out.
    enabled: bool
    matched: bool
    conditions: tuple[ConditionReport, ...]
    #: The rest is empty where it did not match.
    exit: Exit
    #: Why there is no delivery; "" where there is one.
    reason: str = ""
    fields: tuple[FieldReport, ...] = ()
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event as JSON; None where invalid.
    payload: bytes | None = None
    #: What Pinterest's schema says against it, one sentence each; empty where it agrees.
    schema_problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """What would become of one event."""

    #: One a preset, in the catalog's order; empty where the event was refused or the draft has faults.
    presets: tuple[PresetReport, ...] = ()
    #: Why it is no Segment event; "" where it is one.
    refusal: str = ""
    #: What is wrong with the draft; then the presets say nothing.
    draft_faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestReply:
    """Pinterest's answer to a test event."""

    #: The HTTP status; None where no answer came.
    status: int | None
    #: What it said, or why no answer came. Holds no token.
    body: str

"""Every error that Pinrelay raises on purpose.

    PinrelayError
    ├── ConfigurationError        the operator must mend something; start-up stops
    │   ├── SettingsError         an environment variable
    │   │   └── FeatureOff        a setting that is not set switches off what was asked for
    │   ├── CatalogError          presets, mappings or destinations, every fault of every file at once
    │   ├── TriggerError          one `subscribe` text, with the column
    │   └── MappingError          one mapping, every fault at once, each with its path
    ├── EventError                the sender of the event must mend something
    │   ├── EventRefused          it could not be read as a Segment event
    │   │   ├── EventUntaken      nothing of its source takes it
    │   │   └── EventHeldBack     its source may not send it on
    │   └── EventInvalid          it was mapped, but Pinterest would refuse the result
    ├── WarehouseError            rows of a file or a database cannot be read: mend what is named
    ├── UnknownName               a filter or a switch names what does not exist: take the nearest name
    │   └── NoDelivery            there is no delivery of this id
    ├── PublishingRefused         whoever published a file must do something first
    ├── FilterError               whoever searches must narrow it by something that there is
    ├── WhyMissing                whoever puts dead letters away must say why
    └── OutboxError               wait, or look at the store
        ├── OutboxUnavailable     cannot commit now: the sender is asked to come again
        │   ├── BacklogFull       too much waits for an ad account: see why it is not delivered
        │   └── RowRefused        the store refuses one row: the rest of the call can be done without it
        ├── MemoryChanged         others changed what is remembered meanwhile: decide again by what it is now
        └── OutboxVersionError    the store was written by a newer Pinrelay

The docstring of a class is its default message: a sentence and a remedy.
No message ever holds personal data or a token: values are shown by kind and length.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file or a text, and what to do about it."""

    #: Where inside the file, as a JSON pointer (`/mapping/user_data/email/@if/then`); "" is the whole file.
    path: str
    #: A sentence, with the remedy.
    message: str
    #: The file it stands in; None where the text did not come from a file.
    file: str | None = None

    def __str__(self) -> str:
        """Read as `presets/checkout.yaml: /subscribe: message`."""
        return ": ".join(part for part in (self.file, self.path, self.message) if part)


class PinrelayError(Exception):
    """Something went wrong in Pinrelay."""

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, or the class docstring where there is none."""
        super().__init__(message or (self.__doc__ or "").strip())


class ConfigurationError(PinrelayError):
    """The configuration cannot be used. Mend what is named and start again."""


class SettingsError(ConfigurationError):
    """A setting cannot be used. Mend the environment variable that is named."""


class FeatureOff(SettingsError):
    """A setting switches this off. Set the environment variable that is named."""


class _FaultsError(ConfigurationError):
    """Several faults, listed one a line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class CatalogError(_FaultsError):
    """The presets, mappings or destinations cannot be used. Mend every line that is named."""


class MappingError(_FaultsError):
    """The mapping cannot be compiled, or cannot be resolved for this event."""


class TriggerError(ConfigurationError):
    """The `subscribe` text cannot be compiled. Mend it at the column that is named."""

    def __init__(self, message: str, column: int) -> None:
        #: Counted in characters from 1.
        self.column = column
        super().__init__(f"column {column}: {message}")


class EventError(PinrelayError):
    """The event cannot be used."""

    def __init__(self, reason: str) -> None:
        #: Safe to show and to store: no personal data.
        self.reason = reason
        super().__init__(reason)


class EventRefused(EventError):
    """The body is not a Segment event."""

    #: Which exit it takes, as `Exit` calls it.
    exit: ClassVar[Literal["refused", "unmatched", "withheld"]] = "refused"

    def __init__(self, reason: str, *, message_id: str | None = None, named: tuple[str, str] | None = None) -> None:
        #: None where what was sent carries none.
        self.message_id = message_id
        #: Type and name of the event; None where it could not be read so far.
        self.named = named
        super().__init__(reason)

    def told_in(self, place: str) -> "EventRefused":
        """Return the same refusal with the place where the event stands: a line, a file."""
        return EventRefused(f"{place}{self.reason}", message_id=self.message_id, named=self.named)


class EventUntaken(EventRefused):
    """Nothing of its source takes it: that is usual where a sender tells everything."""

    exit = "unmatched"


class EventHeldBack(EventRefused):
    """Its source is switched off, or the consent that its source asks for is not given."""

    exit = "withheld"

    def __init__(self, reason: str, event: Mapping[str, Any]) -> None:
        #: As it was read.
        self.event = event
        super().__init__(reason, message_id=event["messageId"])


class EventInvalid(EventError):
    """Pinterest would refuse the event."""


class WarehouseError(PinrelayError):
    """The rows cannot be read. Mend what is named."""


class UnknownName(PinrelayError):
    """Nothing has this name. Take a name that exists."""

    #: Why it may have existed before.
    why_gone: ClassVar[str] = "A reload or a change of settings may have removed it."

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        self.kind = kind
        nearest = get_close_matches(name, sorted(known), n=1, cutoff=0)
        remedy = f'the nearest is "{nearest[0]}"' if nearest else "there is none at all"
        super().__init__(f"there is no {kind} of this name; {remedy}")


class NoDelivery(UnknownName):
    """There is no delivery of this id."""

    why_gone = "Deliveries are removed when their time in the ledger is over."

    def __init__(self, delivery_id: str) -> None:
        self.kind = "delivery"
        PinrelayError.__init__(self, f"there is no delivery {delivery_id}; find its id by its message id")


class PublishingRefused(PinrelayError):
    """The file cannot be published. Do what is named and try again."""


class FilterError(PinrelayError):
    """The search cannot be narrowed so. Take a filter that there is, with a text that it reads."""


class WhyMissing(PinrelayError):
    """Nobody said why, or at too great length."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Say why in 1 to {most} characters: it stays with them and in the audit log.")


class OutboxError(PinrelayError):
    """The outbox cannot be used."""


#: Why the store cannot be used: nobody's disk has room, its own limit is reached, what it holds cannot be read, another
#: process holds it, its file is not where it was, nobody may write to it, its server is away, anything else.
WhyUnavailable: TypeAlias = Literal[
    "disk full", "backlog full", "damaged", "locked", "gone", "not writable", "unreachable", "unusable"
]


class OutboxUnavailable(OutboxError):
    """The outbox cannot commit now. Send the events again later."""

    def __init__(self, message: str | None = None, *, why: WhyUnavailable = "unusable", retry_after_s: int = 5) -> None:
        self.why = why
        self.retry_after_s = retry_after_s
        super().__init__(message)


class BacklogFull(OutboxUnavailable):
    """No more deliveries may wait for an ad account. See why they are not delivered, or raise the limit."""

    def __init__(self, full: Mapping[str, str]) -> None:
        """Take, by ad account, how much waits and which limit that reaches."""
        self.full = full
        told = "; ".join(f"ad account {account}: {each}" for account, each in full.items())
        message = f"The backlog is full for {told}. See why they are not delivered, or raise the limit."
        super().__init__(message, why="backlog full", retry_after_s=60)


class RowRefused(OutboxUnavailable):
    """The outbox refuses a row. See the log."""

    def __init__(self, message: str | None = None, *, words: str, why: WhyUnavailable = "unusable") -> None:
        #: Why, as the store says it: for operators, not for senders.
        self.words = words
        super().__init__(message, why=why)


class MemoryChanged(OutboxError):
    """Others changed what is remembered meanwhile. Read it again, and decide again."""


class OutboxVersionError(OutboxError):
    """Another version of Pinrelay wrote the outbox. Start that version, or point OUTBOX_URL elsewhere."""

"""Every error that Pinrelay raises on purpose.

    PinrelayError
    ├── ConfigurationError        the operator must fix something; start-up stops
    │   ├── SettingsError         an environment variable
    │   │   └── FeatureOff        a setting that is not set switches off what was asked for
    │   ├── CatalogError          presets, mappings or destinations, every fault of every file at once
    │   ├── TriggerError          one `subscribe` text, with the column
    │   └── MappingError          one mapping, every fault at once, each with its path
    ├── EventError                the sender of the event must fix something
    │   ├── EventRefused          it could not be read as a Segment event
    │   │   ├── EventUntaken      its source has no mapping for it
    │   │   └── EventHeldBack     its source may not send it on
    │   └── EventInvalid          it was mapped, but Pinterest would refuse the result
    ├── WarehouseError            rows of a file or a database cannot be read
    │   └── ColumnsUnknown        it is not said which of their columns have the id and the amount
    ├── UnknownName               a filter or a switch names something unknown: use the nearest name
    │   └── NoDelivery            no delivery has this id
    ├── PublishingRefused         a file cannot be published yet
    ├── FilterError               a search has an unknown filter or value
    │   └── NameUnreadable        a text cannot be the e-mail address, phone number or id of a person
    ├── FeedUnusable              a product feed cannot be read
    ├── Forbidden                 a viewer asked for a change
    └── OutboxError               wait, or look at the store
        ├── OutboxUnavailable     cannot commit now: the sender has to send again
        │   ├── BacklogFull       too many deliveries wait for an ad account
        │   └── RowRefused        the store refuses one row; the rest of the call can be done without it
        ├── MemoryChanged         another process changed the memory meanwhile: decide again
        └── OutboxVersionError    a newer Pinrelay wrote the store

The docstring of a class is its default message: a sentence and a remedy.
No message ever holds personal data or a token: values are shown by kind and length.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a file or a text, with the remedy."""

    #: The place in the file, as a JSON pointer (`/mapping/user_data/email/@if/then`); "" is the whole file.
    path: str
    #: A sentence, with the remedy.
    message: str
    #: The file; `None` if the text did not come from a file.
    file: str | None = None

    def __str__(self) -> str:
        """Return a text such as `presets/checkout.yaml: /subscribe: message`."""
        return ": ".join(part for part in (self.file, self.path, self.message) if part)


class PinrelayError(Exception):
    """Something went wrong in Pinrelay."""

    def __init__(self, message: str | None = None) -> None:
        """Use `message`, or the docstring of the class by default."""
        super().__init__(message or (self.__doc__ or "").strip())


class ConfigurationError(PinrelayError):
    """The configuration has an error. Fix it and start again."""


class SettingsError(ConfigurationError):
    """A setting has a wrong value. Fix the environment variable."""


class FeatureOff(SettingsError):
    """A setting switches this off. Set the environment variable that is named."""


class _FaultsError(ConfigurationError):
    """Several faults, listed on a line each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class CatalogError(_FaultsError):
    """Presets, mappings or destinations have errors. Fix each of them."""


class MappingError(_FaultsError):
    """The mapping cannot be compiled, or cannot be resolved for this event."""


class TriggerError(ConfigurationError):
    """The `subscribe` text cannot be compiled. Fix it at the given column."""

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

    #: The outcome of the event, as in `Outcome`.
    outcome: ClassVar[Literal["refused", "unmatched", "withheld"]] = "refused"

    def __init__(self, reason: str, *, message_id: str | None = None, named: tuple[str, str] | None = None) -> None:
        #: `None` if the input has no message id.
        self.message_id = message_id
        #: Type and name of the event; `None` if the event could not be read that far.
        self.named = named
        super().__init__(reason)

    def told_in(self, place: str) -> "EventRefused":
        """Return the same refusal with the place of the event: a line, a file."""
        return EventRefused(f"{place}{self.reason}", message_id=self.message_id, named=self.named)


class EventUntaken(EventRefused):
    """The source has no mapping for the event. This is normal if a sender sends all of its events."""

    outcome = "unmatched"


class EventHeldBack(EventRefused):
    """The source is switched off, or the consent that it requires is missing."""

    outcome = "withheld"

    def __init__(self, reason: str, event: Mapping[str, Any]) -> None:
        #: The event as it was read.
        self.event = event
        super().__init__(reason, message_id=event["messageId"])


class EventInvalid(EventError):
    """Pinterest would refuse the event."""


class WarehouseError(PinrelayError):
    """The rows cannot be read. Fix the file, the address or the query."""


class ColumnsUnknown(WarehouseError):
    """The columns are unknown. Name the column of the order id and that of the amount."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Store the columns of the rows."""
        self.columns = tuple(columns)
        super().__init__(
            "the columns are not those of Shopify's or WooCommerce's exports: name the columns of the order id "
            "(--order-id) and the amount (--total), and, if there are any, of the currency (--currency) and the time "
            f"(--time); the file has: {', '.join(columns)}"
        )


class UnknownName(PinrelayError):
    """The name is unknown. Use an existing one."""

    #: Why the name may have existed before.
    why_gone: ClassVar[str] = "A reload or a change of settings may have removed it."

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        self.kind = kind
        nearest = get_close_matches(name, sorted(known), n=1, cutoff=0)
        remedy = f'the nearest is "{nearest[0]}"' if nearest else "none exists so far"
        super().__init__(f"unknown {kind}; {remedy}")


class NoDelivery(UnknownName):
    """No delivery has this id. Find it with `pinrelay find`."""

    why_gone = "Deliveries are removed when their time in the ledger is over."

    def __init__(self, delivery_id: str) -> None:
        self.kind = "delivery"
        PinrelayError.__init__(self, f"delivery {delivery_id} not found; search by its message id")


class PublishingRefused(PinrelayError):
    """The file cannot be published. Fix the error and try again."""


class EditRefused(PinrelayError):
    """The text of a file cannot be changed so. Change it in the YAML view."""

    def __init__(self, path: Sequence[str | int], why: str) -> None:
        #: The keys and positions from the top of the file to the place.
        self.path = tuple(path)
        super().__init__(f"{'/'.join(map(str, path))}: {why}" if path else why)


class FilterError(PinrelayError):
    """The filter or its value is unknown. Use one of the listed ones."""


class Forbidden(PinrelayError):
    """The role viewer cannot do it: ask for the role operator."""


class NameUnreadable(FilterError):
    """A text cannot be the e-mail address, phone number or id of a person. Correct it."""


class FeedUnusable(PinrelayError):
    """The product feed cannot be read. Look whether Pinterest reads it."""


class OutboxError(PinrelayError):
    """The outbox cannot be used."""


#: Why the store is unavailable: disk full, its own limit reached, data damaged, locked by another process, file
#: missing, read-only, server unreachable or refusing connections, or another error.
WhyUnavailable: TypeAlias = Literal[
    "disk full", "backlog full", "damaged", "locked", "gone", "not writable", "unreachable", "unusable"
]


class OutboxUnavailable(OutboxError):
    """The outbox cannot be used now. The log has the reason."""

    def __init__(self, message: str | None = None, *, why: WhyUnavailable = "unusable", retry_after_s: int = 5) -> None:
        self.why = why
        self.retry_after_s = retry_after_s
        super().__init__(message)


class BacklogFull(OutboxUnavailable):
    """Too many deliveries wait for an ad account. Find out why they are not delivered, or raise the limit."""

    def __init__(self, full: Mapping[str, str]) -> None:
        """Store the reached limit of each ad account, with the amount that waits."""
        self.full = full
        told = "; ".join(f"ad account {account}: {each}" for account, each in full.items())
        message = f"The backlog is full for {told}. Find out why they are not delivered, or raise the limit."
        super().__init__(message, why="backlog full", retry_after_s=60)


class RowRefused(OutboxUnavailable):
    """The outbox refuses a row. The log has the reason."""

    def __init__(self, message: str | None = None, *, words: str, why: WhyUnavailable = "unusable") -> None:
        #: The error of the store: for operators, not for senders.
        self.words = words
        super().__init__(message, why=why)


class MemoryChanged(OutboxError):
    """Another process changed the memory meanwhile. Try again."""


class OutboxVersionError(OutboxError):
    """Another version of Pinrelay wrote the outbox. Start that version, or set OUTBOX_URL to another outbox."""

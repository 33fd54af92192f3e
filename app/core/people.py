"""Records of people in identity memory: digests only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from app.core.fields import PERSON, memory_groups

#: Members of Pinterest's `user_data` that are remembered and recalled together, by the name of the group.
GROUPS: Final = memory_groups()
#: Groups that identify a person on every device.
OF_PERSON: Final = tuple(memory_groups(PERSON))


class Fact(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The last observed value of a group of facts about a person (`app.identity.facts`)."""

    #: By Pinterest's name: lists of digests; the plain id of a click.
    members: Mapping[str, Any]
    #: The timestamp of the newest event with the fact, Unix seconds.
    at: float
    #: The type of that event, such as `identify`.
    by: str
    #: That event was trusted (docs/memory.md): a public event neither replaces nor renews the fact.
    is_trusted: bool = False


class Link(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A link from an id in identity memory to a user."""

    #: The user's key.
    to: str
    #: The timestamp of the newest event with the link; of a removed link, the timestamp of the event that removed it.
    at: float
    #: False after removal. A removed link is not followed, but still separates the next user from the first.
    is_followed: bool = True
    #: A trusted event has the link: a public event does not replace, renew or remove it.
    is_trusted: bool = False


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """The data stored under an id."""

    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)
    link: Link | None = None


class OptOut(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An opt-out of a person."""

    #: The timestamp of the event, Unix seconds.
    at: float
    #: Keys of the browser that opted out. An opt-in of that browser cancels the opt-out for every id.
    by: tuple[str, ...] = ()
    #: A trusted event has the opt-out: only a trusted opt-in cancels it.
    is_trusted: bool = False
    #: The opt-out covers trusted events too: a trusted event has it, or linked the browser to this user.
    for_trusted: bool = False
    #: The time of expiry, Unix seconds; `None`: no expiry.
    ends_at: float | None = None


def latest_end(opt_outs: Sequence[OptOut]) -> float | None:
    """Return when the last of at least one opt-outs expires; `None` if any has no expiry."""
    ends = [no.ends_at for no in opt_outs if no.ends_at is not None]
    return max(ends) if len(ends) == len(opt_outs) else None


class Suppression(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The opt-outs that apply to an id."""

    opt_outs: tuple[OptOut, ...]
    #: Other ids that an opt-out of this browser applies to.
    also: tuple[str, ...] = ()
    #: When the last opt-out expires, Unix seconds; `None` if any has no expiry.
    ends_at: float | None = None

    @classmethod
    def of(cls, opt_outs: tuple[OptOut, ...], also: tuple[str, ...]) -> "Suppression":
        """Return a suppression with at least one opt-out."""
        return cls(opt_outs=opt_outs, also=also, ends_at=latest_end(opt_outs))

    @property
    def at(self) -> float:
        return max(no.at for no in self.opt_outs)


class PersonRow(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """The data of an id, as stored in the outbox."""

    #: HMAC-SHA-256 of the id, in hex.
    key: str
    #: Increases with every write; 0 if the id is not stored.
    revision: int
    record: Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFound:
    """The data of some ids, and of the ids that they are linked with."""

    people: Sequence[PersonRow]
    #: By key: a `Suppression` as JSON.
    suppressions: dict[str, str]
    #: Memory has no room for another suppression, or for more data from the requesting public key.
    is_full: bool = False


class PersonChange(Struct, frozen=True, kw_only=True):
    """The new data of an id."""

    key: str
    #: The revision on which the decision is based; 0 if the id was not stored.
    revision: int
    linked_to: str | None = None
    linked_at: float | None = None
    #: The timestamp of the newest event about the id.
    seen_at: float = 0
    #: When the first part of the data expires.
    stale_at: float = 0
    #: `None`: the id is deleted. With revision 0 the write only requires that the id is still unknown.
    record: str | None


class SuppressionChange(Struct, frozen=True, kw_only=True):
    """The change of an id's suppression."""

    key: str
    #: The `Suppression` on which the decision is based, as JSON; `None` if there was none.
    was: str | None
    #: The new `Suppression`, as JSON; `None`: deleted.
    now: str | None


class Ownership(Struct, frozen=True, kw_only=True, gc=False):
    """The owner of a message: the ids by which a request of a person finds the message."""

    message_id: str
    #: Prefixes of keys, and of the digests of the e-mail addresses and phone numbers that were sent.
    user: str | None
    anonymous: str | None
    contacts: tuple[str, ...] = ()
    is_trusted: bool = False

    @property
    def keys(self) -> tuple[str | None, ...]:
        return (self.user, self.anonymous, *self.contacts)


#: The request of an event of type `delete`: `access` is Shopify's `customers/data_request`.
Wish: TypeAlias = Literal["erase", "erase and suppress", "suppress", "access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPerson:
    """The ids in a request of a person for access or erasure: raw, and never stored."""

    user_id: str | None = None
    anonymous_id: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    #: Digests of contacts that were already computed.
    digests: tuple[str, ...] = ()
    #: A source whose people are all included; `None`: no source.
    source: str | None = None
    #: The request; `None`: unknown.
    wish: Wish | None = "erase"

    def __repr__(self) -> str:
        """Return the kinds of ids without the values: a log or a traceback must not contain them."""
        return f"NamedPerson({', '.join(self.kinds)})"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of ids, without the values."""
        return tuple(each.name for each in fields(self) if each.name != "wish" and getattr(self, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """A person's request for access that a shop forwarded, with the keys and digests that find the person."""

    #: The time of the request, Unix seconds.
    at: float
    source: str
    #: The reference in the event of the request.
    reference: str
    #: The kinds of ids of the person.
    named_by: tuple[str, ...]
    ids: tuple[str, ...]
    alone: tuple[str, ...]
    named: tuple[str, ...]
    external: tuple[str, ...]
    orders: tuple[str, ...]
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The certificate of an erasure, without data of the person."""

    #: The time of the erasure, Unix seconds.
    at: float
    #: The operator, and the place of the request.
    who: str
    place: str
    #: The reference of the ticket, or of the event with the request.
    reference: str
    #: The kinds of ids of the person.
    named_by: tuple[str, ...]
    #: The number of ids with data in memory, and of messages with stored data.
    ids: int
    messages: int
    #: By kind: how many deliveries, payloads, dropped events ... were erased.
    erased: Mapping[str, int]
    #: Data that cannot or must not be erased.
    kept: tuple[str, ...]
    #: Data that may belong to the person and could not be erased, with the remedy; otherwise "".
    stays: str
    #: The state of the deletion requests to Pinterest.
    pinterest: tuple[str, ...] = ()
    #: Keyed digests of the person's ids, to find the erasure by an id. Never displayed.
    found_by: tuple[str, ...] = ()

    @property
    def shown(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "found_by"}


class PeopleChanges(Struct, frozen=True, kw_only=True):
    """Changes of memory by the events of a call. They are applied only if the data is unchanged since the decision."""

    people: list[PersonChange]
    #: An entry for every key of `people`, and for other ids; most entries change no suppression.
    suppressions: list[SuppressionChange]
    #: The public key of the events; `None` if they are trusted.
    public_key: str | None = None
    #: Owners of the messages in the same call, one entry for each message.
    owners: list[Ownership] = msgspec.field(default_factory=list)


def with_owners(changes: PeopleChanges | None, owners: list[Ownership]) -> PeopleChanges | None:
    """Return changes of memory (or `None`) together with the owners of the messages in the same call."""
    if changes is None:
        return PeopleChanges(people=[], suppressions=[], owners=owners) if owners else None
    return msgspec.structs.replace(changes, owners=owners)


# ---------------------------------------------------------------------------------------------------------------------
# Records of receipts for senders.


class Recalled(Struct, frozen=True, kw_only=True, gc=False):
    """The origin of a group of `user_data` that memory provided."""

    #: The age of the observation at the time of the event, in seconds.
    age_s: float
    #: The type of the event with the observation, such as `identify`.
    by: str

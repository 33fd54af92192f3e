"""What identity memory keeps of people: digests only."""

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
    """What was last observed of one group of facts about a person (`app.identity.facts`)."""

    #: By Pinterest's name: lists of digests; of a click the id itself.
    members: Mapping[str, Any]
    #: The own time of the newest event that said it, Unix seconds.
    at: float
    #: The type of that event, such as `identify`.
    by: str
    #: That event was trusted (docs/memory.md): no public one replaces or renews it.
    is_trusted: bool = False


class Link(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """That an id of identity memory stands for a user."""

    #: The user's key.
    to: str
    #: The own time of the newest event that said so; of one that no longer holds: of the event that removed it.
    at: float
    #: False once it is removed. It is followed no more, but still tells the next user from the first.
    is_followed: bool = True
    #: A trusted event said so: no public one replaces, renews or removes it.
    is_trusted: bool = False


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered under one id."""

    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)
    link: Link | None = None


class No(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """That a person said no."""

    #: The own time of the event, Unix seconds.
    at: float
    #: The keys of the browser that said it: a yes of that browser lifts it, of whichever id it was noted.
    by: tuple[str, ...] = ()
    #: A trusted event said it: only a trusted yes lifts it.
    is_trusted: bool = False
    #: It holds for trusted events too: a trusted event said it, or linked the browser that did to this user.
    for_trusted: bool = False
    #: When it ends, Unix seconds; None: not by itself.
    ends_at: float | None = None


def latest_end(nos: Sequence[No]) -> float | None:
    """Return when the last of some nos ends, at least one; None where one of them does not end by itself."""
    ends = [no.ends_at for no in nos if no.ends_at is not None]
    return max(ends) if len(ends) == len(nos) else None


class Suppression(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Who said no that holds for one id."""

    nos: tuple[No, ...]
    #: Other ids for which a no of this browser holds.
    also: tuple[str, ...] = ()
    #: When the last of them ends, Unix seconds; None: one of them does not end by itself.
    ends_at: float | None = None

    @classmethod
    def of(cls, nos: tuple[No, ...], also: tuple[str, ...]) -> "Suppression":
        """Return a suppression by these nos, at least one."""
        return cls(nos=nos, also=also, ends_at=latest_end(nos))

    @property
    def at(self) -> float:
        return max(no.at for no in self.nos)


class PersonRow(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What is remembered under one id, as the outbox finds it."""

    #: HMAC-SHA-256 of the id, in hex.
    key: str
    #: Grows with every write. 0 stands for what is not there.
    revision: int
    record: Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFound:
    """What is remembered of some ids, and of those that they are linked with."""

    people: Sequence[PersonRow]
    #: By key: a `Suppression` as JSON.
    suppressions: dict[str, str]
    #: There is no room for another suppression, or for more of the public key that asks.
    is_full: bool = False


class PersonChange(Struct, frozen=True, kw_only=True):
    """What is to be remembered under one id from now on."""

    key: str
    #: Of what was there when it was decided; 0 where nothing was.
    revision: int
    linked_to: str | None = None
    linked_at: float | None = None
    #: The own time of the newest event that said anything of it.
    seen_at: float = 0
    #: When the first part of it is too old.
    stale_at: float = 0
    #: None where nothing is left: the id is forgotten. With revision 0 it only has to be unknown still.
    record: str | None


class SuppressionChange(Struct, frozen=True, kw_only=True):
    """What becomes of the suppression of one id."""

    key: str
    #: The `Suppression` that was there when it was decided, as JSON; None where none was.
    was: str | None
    #: The same from now on.
    now: str | None


class Ownership(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a message is: the ids under which what is kept of it is found when a person asks for it."""

    message_id: str
    #: Beginnings of keys, and of the digests of the e-mail addresses and phone numbers that were sent.
    user: str | None
    anonymous: str | None
    contacts: tuple[str, ...] = ()
    is_trusted: bool = False

    @property
    def keys(self) -> tuple[str | None, ...]:
        return (self.user, self.anonymous, *self.contacts)


#: What an event of type `delete` asks for: `access` is Shopify's `customers/data_request`.
Wish: TypeAlias = Literal["erase", "erase and suppress", "suppress", "access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPerson:
    """By what somebody is named who asks for what is kept; raw, and kept nowhere."""

    user_id: str | None = None
    anonymous_id: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    #: Digests of contacts, where somebody has read them already.
    digests: tuple[str, ...] = ()
    #: The source of which everybody is meant; None: nobody by their source.
    source: str | None = None
    #: What is asked for; None: nothing that is known.
    wish: Wish | None = "erase"

    def __repr__(self) -> str:
        """Return by what the person is named, without the values: a log or a traceback must not show them."""
        return f"NamedPerson({', '.join(self.kinds)})"

    @property
    def kinds(self) -> tuple[str, ...]:
        """By what the person is named, without the values."""
        return tuple(each.name for each in fields(self) if each.name != "wish" and getattr(self, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """That somebody asks what is kept of them, as a shop tells it: by which keys and digests it is found."""

    #: When it was asked, Unix seconds.
    at: float
    source: str
    #: Of the event that asked.
    reference: str
    #: By what the person is named.
    named_by: tuple[str, ...]
    ids: tuple[str, ...]
    alone: tuple[str, ...]
    named: tuple[str, ...]
    external: tuple[str, ...]
    orders: tuple[str, ...]
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is kept of one erasure: its certificate, without anything of the person."""

    #: When it was done, Unix seconds.
    at: float
    #: Who asked, and from where.
    who: str
    place: str
    #: Of the ticket, or of the event that asked.
    reference: str
    #: By what the person was named.
    named_by: tuple[str, ...]
    #: Under how many ids anything was remembered, and of how many messages anything was kept.
    ids: int
    messages: int
    #: By kind: how many deliveries, payloads, dropped events ... were erased.
    erased: Mapping[str, int]
    #: What is not erased because it cannot be, or must not.
    kept: tuple[str, ...]
    #: What may be the person's and could not be erased, with the remedy; "" where there is nothing.
    stays: str
    #: That Pinterest was asked to delete, and how far that is.
    pinterest: tuple[str, ...] = ()
    #: Keyed digests of what the person was named by: who knows the name finds the erasure. They are not shown.
    found_by: tuple[str, ...] = ()

    @property
    def shown(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "found_by"}


class PeopleChanges(Struct, frozen=True, kw_only=True):
    """What the events of one call change in memory. It is done where nothing of it was changed meanwhile."""

    people: list[PersonChange]
    #: One for every key of `people`, and others; most of them change nothing.
    suppressions: list[SuppressionChange]
    #: The public key that the events came by; None where they are trusted.
    public_key: str | None = None
    #: Of what the same call keeps, one a message.
    owners: list[Ownership] = msgspec.field(default_factory=list)


def with_owners(changes: PeopleChanges | None, owners: list[Ownership]) -> PeopleChanges | None:
    """Return changes of memory, or none, with whose the messages of the same call are."""
    if changes is None:
        return PeopleChanges(people=[], suppressions=[], owners=owners) if owners else None
    return msgspec.structs.replace(changes, owners=owners)


# ---------------------------------------------------------------------------------------------------------------------
# What the sender of events is told.


class Recalled(Struct, frozen=True, kw_only=True, gc=False):
    """Where a group of `user_data` came from that memory filled."""

    #: How long before the event it was observed last, in seconds.
    age_s: float
    #: The type of the event that it was observed by, such as `identify`.
    by: str

"""Encounters in a few words: ids are short names, digests are plain texts, times are days."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from app import identity
from app.config.settings import MemorySettings
from app.identity import GROUPS, IdentityEvent

DAY = 86_400.0
RULES = MemorySettings.model_construct(remember_days=90)
#: Members of `user_data` that hold one text, not a list.
PLAIN = {"click_id"}


def says(
    day: float, kind: str = "track", *, user: str | None = None, anon: str | None = None, **said: Any
) -> IdentityEvent:
    """What an event says: members of `user_data` as texts, a list where there are several, and fields of Encounter.

    An event of a user has that user's `external_id`; `previous="x"` is the previous id of an alias.
    """
    members = {member for group in GROUPS.values() for member in group}
    given = ({"external_id": user} if user else {}) | {name: said[name] for name in members & said.keys()}
    given = {name: value for name, value in given.items() if value}
    found = {name: value if name in PLAIN or isinstance(value, list) else [value] for name, value in given.items()}
    fields = {name: value for name, value in said.items() if name not in members}
    if previous := fields.pop("previous", None):
        fields["previous"] = (f"user {previous}", f"anonymous {previous}")
    return IdentityEvent(
        kind=kind,
        at=day * DAY,
        user=user and f"user {user}",
        anonymous=anon and f"anonymous {anon}",
        found=found,
        **fields,
    )


def identify(day: float, **said: Any) -> IdentityEvent:
    return says(day, "identify", **said)


def no(day: float, kind: str = "track", **said: Any) -> IdentityEvent:
    """An event in which the person says no."""
    return says(day, kind, is_opt_out=True, **said)


def withheld(day: float, kind: str = "track", **said: Any) -> IdentityEvent:
    return says(day, kind, is_withheld=True, **said)


def yes(day: float, kind: str = "track", **said: Any) -> IdentityEvent:
    return says(day, kind, is_opt_in=True, **said)


def public(step: IdentityEvent) -> IdentityEvent:
    """The same event by a public key."""
    return replace(step, is_trusted=False)


class Erasure(NamedTuple):
    """Somebody asks to be forgotten."""

    day: float
    user: str | None = None
    anon: str | None = None


Step: TypeAlias = IdentityEvent | Erasure


class Patient:
    """A Memory that is asked so often only: rules that are wrong may ask for ever."""

    def __init__(self, memory: Any, questions: int = 10_000) -> None:
        self.held, self._left = memory, questions

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left < 0:
            message = "the rules go round in a circle"
            raise RuntimeError(message)
        return getattr(self.held, name)


def told(steps: Sequence[Step], *, rules: MemorySettings = RULES, room: Any = identity) -> dict[str, Any]:
    """What memory has for the last of these events, by group: a text, or those of several members.

    `room` has the rules: `app.identity`, or what was made of it.
    """
    last = steps[-1]
    assert isinstance(last, IdentityEvent)
    return filled(known_after(steps, rules=rules, room=room), last.found, GROUPS)


def known_after(steps: Sequence[Step], *, rules: MemorySettings = RULES, room: Any = identity) -> Any:
    """The recollection of the last of these events."""
    memory, known = Patient(room.HeldMemory()), room.NOTHING_KNOWN
    for step in steps:
        if isinstance(step, Erasure):
            erase(step, memory, rules, room)
        else:
            known = room.resolve_identity(step, memory, rules)
    return known


def erase(step: Erasure, memory: Any, rules: MemorySettings = RULES, room: Any = identity) -> int:
    """How many were forgotten."""
    keys = {"user": step.user and f"user {step.user}", "anonymous": step.anon and f"anonymous {step.anon}"}
    return len(room.erase(memory, rules, **keys, now=step.day * DAY))


def filled(known: Any, user_data: Mapping[str, Any], groups: Collection[str]) -> dict[str, Any]:
    """What a delivery gets, by group; it has this `user_data` of its own."""
    completed = dict(user_data)
    groups = known.fill(completed, groups)
    got = {name: value for name, value in completed.items() if name not in user_data}
    members = {group: {name: got.pop(name) for name in GROUPS[group] if name in got} for group in groups}
    assert not got, "what was filled was not told"
    return {group: _short(values) for group, values in members.items()}


def _short(members: dict[str, Any]) -> Any:
    values = {name: _alone(value) for name, value in members.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value

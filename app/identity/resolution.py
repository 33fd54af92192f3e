"""All rules of identity in order: the changes of memory by an event, and the data in memory for the event."""

from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.core.people import Fact, Remembered
from app.core.trust import may_change
from app.identity.alias_graph import end_of, ids_of, link_ids, link_of, previous_of, unlink_ids
from app.identity.facts import (
    LINKING,
    NOBODY,
    NOTHING_KNOWN,
    OF_BROWSER,
    OF_PERSON,
    TELLING,
    IdentityEvent,
    PersonHistory,
    are_several,
    differs,
    groups_of,
    is_remembered,
)
from app.identity.memory import Memory, TrustedMemory
from app.identity.suppression import hand_on, is_suppressed, lift_suppression, suppress


def look_up(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Return the facts that may complete the deliveries of an event, and those that distinguish its person."""
    user = _user_of(event, memory, rules)
    person = memory.person(user) if user else None
    here = memory.person(event.anonymous) if event.anonymous else None
    facts: dict[str, Fact] = {}
    newest: dict[str, Fact] = {}
    for each in (person,) if event.user or event.claimed else (person, here):
        for group, fact in each.facts.items() if each else ():
            if group in OF_PERSON and event.at - fact.at <= rules.remember_s:
                if group not in newest or fact.at > newest[group].at:
                    newest[group] = fact
                if fact.at <= event.at and (group not in facts or fact.at > facts[group].at):
                    facts[group] = fact
    if event.user:
        _look_under_later_names(newest, event.user, event.at, memory, rules)
    if click := _usable(here, "click", event.at, rules) or _click_elsewhere(event, user, memory, rules):
        facts["click"] = click
    if event.may_use_device and (device := _usable(here, "device", event.at, rules)):
        facts["device"] = device
    if event.user is None and (own_id := _usable(person, "external_id", event.at, rules)):
        facts["external_id"] = own_id
    return PersonHistory(at=event.at, facts=facts, newest=newest, introduces=event.kind == "identify")


def _user_of(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> str | None:
    """Return the user of an event: its own, otherwise the recent user of its browser; `None` if unknown.

    Also `None` if the event has an untrusted `userId` that is not the recent user of its browser.
    """
    at = event.at
    if event.user:
        return end_of(memory, event.user, at, rules, until=at)
    link = link_of(memory, event.anonymous, at, rules) if event.anonymous else None
    if not (link and link.is_followed and 0 <= at - link.at <= rules.session_s):
        return None
    user = end_of(memory, link.to, at, rules, until=at)
    claimed = event.claimed
    return user if claimed is None or end_of(memory, claimed, at, rules, until=at) == user else None


def _look_under_later_names(
    newest: dict[str, Fact], user: str, at: float, memory: Memory, rules: MemorySettings
) -> None:
    """Add the facts that the person has under later names to the newest facts."""
    own = memory.person(user)
    if own is None or own.link is None:  # nearly always
        return
    person = memory.person(end_of(memory, user, at, rules)) or own
    newest.update((group, fact) for group, fact in person.facts.items() if at - fact.at <= rules.remember_s)


def _click_elsewhere(event: IdentityEvent, user: str | None, memory: Memory, rules: MemorySettings) -> Fact | None:
    """Return the newest click of a user's ids; `None` without a user."""
    newest: Fact | None = None
    for key in ids_of(memory, user, event.at, rules, until=event.at) if user else ():
        fact = _usable(memory.person(key), "click", event.at, rules)
        if fact and (newest is None or fact.at > newest.at):
            newest = fact
    return newest


def _usable(person: Remembered | None, group: str, at: float, rules: MemorySettings) -> Fact | None:
    """Return the fact of a group if it was observed before the event and is not too old."""
    fact = person.facts.get(group) if person else None
    return fact if fact and 0 <= at - fact.at <= rules.lasts_s(group) else None


def resolve_identity(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Store the data of an event in `memory`, and return the data in memory for its deliveries.

    Events of a request are resolved in order. A trusted event only reads data from trusted events.
    """
    seen = TrustedMemory(memory) if event.is_trusted else memory
    if event.is_opt_out or event.is_withheld:
        unlink_ids(event, seen, rules)
        if event.is_opt_out:
            suppress(event, memory, rules)
        return NOTHING_KNOWN
    believed = event
    if not (event.is_trusted or rules.believes_public_keys):
        believed = replace(event, user=None, previous=None, claimed=event.user)
    previous = previous_of(believed, seen, rules)
    if event.is_opt_in:
        lift_suppression(believed, memory)
    if memory.has_suppressions:
        hand_on(event, memory, rules)
    if memory.is_full or (memory.has_suppressions and is_suppressed(event, seen, rules)):
        return NOTHING_KNOWN
    return _meet(believed, previous, seen, rules)


def _meet(event: IdentityEvent, previous: list[str], memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Resolve an event without an opt-out."""
    if event.kind in LINKING:
        link_ids(event, previous, memory, rules)
    if are_several(event.found):
        return NOTHING_KNOWN
    known = look_up(event, memory, rules)
    is_other = not known.introduces and differs(event.found, known.newest)
    if event.kind in TELLING:
        _observe(event, memory, rules, without_person=is_other)
    if is_other:
        return replace(known, facts={group: fact for group, fact in known.facts.items() if group not in OF_PERSON})
    return known


def _observe(event: IdentityEvent, memory: Memory, rules: MemorySettings, *, without_person: bool) -> None:
    """Store the data of an event about its person and browser; `without_person` omits the person's groups."""
    user, anonymous, at = event.user, event.anonymous, event.at
    for group, members in groups_of(event.found).items():
        if group == "external_id":
            key = user
        elif group == "click" and _was_handed_on(user, anonymous, at, memory, rules):
            continue
        elif group in OF_BROWSER:
            key = anonymous or user
        elif without_person:
            continue
        else:
            key = end_of(memory, user, at, rules) if user else anonymous
        if key:
            known = memory.person(key) or NOBODY
            before = known.facts.get(group)
            if before and not may_change(by_trusted=event.is_trusted, of_trusted=before.is_trusted):
                continue
            if before is None or at - before.at > rules.lasts_s(group):
                fact = Fact(members=members, at=at, by=event.kind, is_trusted=event.is_trusted)
            elif at < before.at:
                continue
            else:  # of two matching facts the more complete one
                fuller = before.members if is_remembered(before, members) else members
                fact = Fact(members=fuller, at=at, by=event.kind, is_trusted=event.is_trusted)
            memory.keep(key, Remembered(facts={**known.facts, group: fact}, link=known.link))


def _was_handed_on(user: str | None, anonymous: str | None, at: float, memory: Memory, rules: MemorySettings) -> bool:
    """Return whether another user has taken over the browser of an event since, so that its clicks were deleted."""
    if not (user and anonymous):
        return False
    return end_of(memory, anonymous, at, rules) != end_of(memory, user, at, rules)

"""Links from ids to users, followed in both directions: the final user of an id, and all ids of a user."""

from collections.abc import Collection, Iterator
from typing import Final

from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.core.people import Fact, Link, Remembered
from app.core.trust import may_change
from app.identity.facts import NOBODY, OF_PERSON, IdentityEvent
from app.identity.memory import SOMEBODY_ELSES, Memory

#: Maximum length of a followed chain of links.
MAX_STEPS: Final = 8
#: Maximum number of ids of a person, the newest of each user first.
MAX_IDS: Final = 1_000


def link_of(memory: Memory, key: str, at: float, rules: MemorySettings) -> Link | None:
    """Return the link of an id, possibly a removed one, unless it is too old at that time."""
    person = memory.person(key)
    link = person.link if person else None
    return link if link and at - link.at <= rules.remember_s else None


def chain(memory: Memory, key: str, at: float, rules: MemorySettings, *, until: float | None = None) -> list[str]:
    """Return an id and the users that it is linked to, in order; the last is the final user.

    A cycle is cut before it closes. Links that were observed after `until` are not followed; `None` follows all.
    """
    keys = [key]
    while len(keys) <= MAX_STEPS:
        link = link_of(memory, keys[-1], at, rules)
        if not link or not link.is_followed or link.to in keys or (until is not None and link.at > until):
            break
        keys.append(link.to)
    return keys


def end_of(memory: Memory, key: str, at: float, rules: MemorySettings, *, until: float | None = None) -> str:
    """Return the final user of an id: the last of its `chain`."""
    person = memory.person(key)
    if person is None or person.link is None:
        return key
    return chain(memory, key, at, rules, until=until)[-1]


def ids_of(memory: Memory, user: str, at: float, rules: MemorySettings, *, until: float | None = None) -> Iterator[str]:
    """Yield a user and all ids that are linked to that user, directly or through other users; MAX_IDS at most.

    Links that were observed after `until` are omitted; `None` includes all.
    """
    found = {user: None}
    yield user
    for known in (waiting := [user]):
        for key in memory.linked_to(known):
            if key not in found and len(found) < MAX_IDS:
                link = link_of(memory, key, at, rules)
                if link and link.is_followed and (until is None or link.at <= until):
                    found[key] = None
                    waiting.append(key)
                    yield key


def previous_of(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> list[str]:
    """Return the key of an alias's previous id: the user of that name if known, otherwise the `anonymousId`.

    Return [] for an event without one. Call this before an opt-in in the event cancels a suppression: a suppressed user
    counts as known.
    """
    if event.previous is None:
        return []
    user, anonymous = event.previous
    is_known = memory.suppression(user) is not None and user != event.user
    return [user] if is_known or _is_known(memory, user, event.at, rules) else [anonymous]


def sources_of(event: IdentityEvent) -> list[str]:
    """Return the ids that an event assigns to its user, with both keys of an alias's previous id.

    An opt-in, an opt-out and a removed link apply to both keys. If they applied to one key, the event itself could
    change which one, and a repeat would apply to the other.
    """
    return [key for key in (event.anonymous, *(event.previous or ())) if key]


def _is_known(memory: Memory, user: str, at: float, rules: MemorySettings) -> bool:
    """Return whether memory has data about a user that is not too old, or an id that is linked to that user."""
    person = memory.person(user) or NOBODY
    is_fresh = (at - fact.at <= rules.lasts_s(group) for group, fact in person.facts.items())
    if any(is_fresh) or link_of(memory, user, at, rules) is not None:
        return True
    return any(key != user for key in ids_of(memory, user, at, rules))


def link_ids(event: IdentityEvent, previous: list[str], memory: Memory, rules: MemorySettings) -> None:
    """Link the `anonymousId` of an event and its `previous_of` to its user; without a user no link is added."""
    if event.user:
        for source in (event.anonymous, *previous):
            if source and source != event.user:
                _link(source, event.user, event, memory, rules)


def _link(source: str, user: str, event: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    at, is_trusted = event.at, event.is_trusted
    before = link_of(memory, source, at, rules)
    if (before and before.at > at) or not _may_relink(source, event, memory):
        return
    target = memory.person(user)
    users = chain(memory, user, at, rules) if target and target.link else [user]
    if source in users:  # cut the cycle: the new link stays, the link to `source` is removed
        last = users[users.index(source) - 1]
        if not _may_relink(last, event, memory):
            return
        _keep_link(last, None, memory)
        users = users[: users.index(source)]
    if before is None:
        _move(source, users[-1], event, memory, rules)
    elif before.to != user and end_of(memory, before.to, at, rules) != users[-1]:
        _forget(source, SOMEBODY_ELSES, memory, is_trusted=is_trusted)
    _keep_link(source, Link(to=user, at=at, is_trusted=is_trusted), memory)


def _may_relink(key: str, event: IdentityEvent, memory: Memory) -> bool:
    """Return whether an event may change the link of an id, whatever its age."""
    link = (memory.person(key) or NOBODY).link
    return link is None or may_change(by_trusted=event.is_trusted, of_trusted=link.is_trusted)


def _keep_link(source: str, link: Link | None, memory: Memory) -> None:
    memory.keep(source, Remembered(facts=(memory.person(source) or NOBODY).facts, link=link))


def _move(source: str, user: str, event: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Move the data of an id to the user if it is newer than the user's data.

    A public event moves no trusted data.
    """
    at, is_trusted = event.at, event.is_trusted
    given = memory.person(source)
    if given is None:
        return
    known = memory.person(user) or NOBODY
    facts = dict(known.facts)
    for group in OF_PERSON:
        fact = given.facts.get(group)
        may_move = fact and may_change(by_trusted=is_trusted, of_trusted=fact.is_trusted)
        if fact and may_move and at - fact.at <= rules.remember_s and _gives_way(facts.get(group), fact):
            facts[group] = fact
    memory.keep(user, replace(known, facts=facts))
    _forget(source, OF_PERSON, memory, is_trusted=is_trusted)


def _gives_way(known: Fact | None, fact: Fact) -> bool:
    """Return whether the fact of a linked id replaces the user's fact."""
    return known is None or (fact.at > known.at and may_change(by_trusted=fact.is_trusted, of_trusted=known.is_trusted))


def _forget(source: str, groups: Collection[str], memory: Memory, *, is_trusted: bool) -> None:
    """Delete the data of an id in these groups, except the part that a public event may not change."""
    if person := memory.person(source):
        facts = {
            group: fact
            for group, fact in person.facts.items()
            if group not in groups or not may_change(by_trusted=is_trusted, of_trusted=fact.is_trusted)
        }
        memory.keep(source, replace(person, facts=facts))


def unlink_ids(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Remove links to another user than that of an event whose data is not stored; a newer link stays."""
    if event.user is None:
        return
    at = event.at
    user = end_of(memory, event.user, at, rules)
    for source in sources_of(event):
        link = link_of(memory, source, at, rules)
        if not _may_relink(source, event, memory):
            continue
        if link and link.is_followed and link.at <= at and end_of(memory, link.to, at, rules) != user:
            _keep_link(source, replace(link, at=at, is_followed=False), memory)

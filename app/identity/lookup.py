"""Whom an event is about, and what is remembered of that person at the time of the event."""

from app.config.settings import MemorySettings
from app.core.people import Fact, Remembered
from app.identity.alias_graph import end_of, ids_of, link_of
from app.identity.facts import OF_PERSON
from app.identity.filling import PersonHistory
from app.identity.identity_event import IdentityEvent
from app.identity.memory import Memory


def look_up(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Return what may fill the deliveries of an event, and what tells its person from others."""
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
    """Return the user that an event is about: its own, else the one who used its browser lately; None: nobody known.

    None also where the event claims a user that is not believed, and that is not the one who used its browser.
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
    """Add to the newest facts what the person has under the names that the user took since."""
    own = memory.person(user)
    if own is None or own.link is None:  # nearly always
        return
    person = memory.person(end_of(memory, user, at, rules)) or own
    newest.update((group, fact) for group, fact in person.facts.items() if at - fact.at <= rules.remember_s)


def _click_elsewhere(event: IdentityEvent, user: str | None, memory: Memory, rules: MemorySettings) -> Fact | None:
    """Return the newest click of all that a user has; None where there is no user."""
    newest: Fact | None = None
    for key in ids_of(memory, user, event.at, rules, until=event.at) if user else ():
        fact = _usable(memory.person(key), "click", event.at, rules)
        if fact and (newest is None or fact.at > newest.at):
            newest = fact
    return newest


def _usable(person: Remembered | None, group: str, at: float, rules: MemorySettings) -> Fact | None:
    """Return what is remembered of a group, where it was observed by the time of the event and is not too old."""
    fact = person.facts.get(group) if person else None
    return fact if fact and 0 <= at - fact.at <= rules.lasts_s(group) else None

"""Whom an event is about, and what is remembered of that person at the time of the event."""

from app.config.settings import MemorySettings
from app.core.people import Fact, Remembered
from app.identity.alias_graph import end_of, ids_of, link_of
from app.identity.facts import OF_PERSON
from app.identity.filling import PersonHistory
from app.identity.identity_event import IdentityEvent
from app.identity.memory import Memory


def look_up(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Return what may fill the deliveries of an event, and what tells its person from others."""
    user = _user_of(encounter, memory, rules)
    person = memory.person(user) if user else None
    here = memory.person(encounter.anonymous) if encounter.anonymous else None
    facts: dict[str, Fact] = {}
    newest: dict[str, Fact] = {}
    for each in (person,) if encounter.user or encounter.claimed else (person, here):
        for group, fact in each.facts.items() if each else ():
            if group in OF_PERSON and encounter.at - fact.at <= rules.remember_s:
                if group not in newest or fact.at > newest[group].at:
                    newest[group] = fact
                if fact.at <= encounter.at and (group not in facts or fact.at > facts[group].at):
                    facts[group] = fact
    if encounter.user:
        _look_under_later_names(newest, encounter.user, encounter.at, memory, rules)
    if click := _usable(here, "click", encounter.at, rules) or _click_elsewhere(encounter, user, memory, rules):
        facts["click"] = click
    if encounter.may_use_device and (device := _usable(here, "device", encounter.at, rules)):
        facts["device"] = device
    if encounter.user is None and (own_id := _usable(person, "external_id", encounter.at, rules)):
        facts["external_id"] = own_id
    return PersonHistory(at=encounter.at, facts=facts, newest=newest, introduces=encounter.kind == "identify")


def _user_of(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> str | None:
    """Return the user that an event is about: its own, else the one who used its browser lately; None: nobody known.

    None also where the event claims a user that is not believed, and that is not the one who used its browser.
    """
    at = encounter.at
    if encounter.user:
        return end_of(memory, encounter.user, at, rules, until=at)
    link = link_of(memory, encounter.anonymous, at, rules) if encounter.anonymous else None
    if not (link and link.is_followed and 0 <= at - link.at <= rules.session_s):
        return None
    user = end_of(memory, link.to, at, rules, until=at)
    claimed = encounter.claimed
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


def _click_elsewhere(encounter: IdentityEvent, user: str | None, memory: Memory, rules: MemorySettings) -> Fact | None:
    """Return the newest click of all that a user has; None where there is no user."""
    newest: Fact | None = None
    for key in ids_of(memory, user, encounter.at, rules, until=encounter.at) if user else ():
        fact = _usable(memory.person(key), "click", encounter.at, rules)
        if fact and (newest is None or fact.at > newest.at):
            newest = fact
    return newest


def _usable(person: Remembered | None, group: str, at: float, rules: MemorySettings) -> Fact | None:
    """Return what is remembered of a group, where it was observed by the time of the event and is not too old."""
    fact = person.facts.get(group) if person else None
    return fact if fact and 0 <= at - fact.at <= rules.lasts_s(group) else None

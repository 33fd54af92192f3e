"""Whom an event is about, and what is remembered of that person at the time of the event."""

from collections.abc import Iterable

from app.identity.chains import end_of, ids_of, link_of
from app.identity.encounter import Encounter
from app.identity.facts import OF_PERSON
from app.identity.filling import Recollection
from app.identity.identity_rules import IdentityRules
from app.identity.memory import Memory
from app.types import Fact


def recall(encounter: Encounter, memory: Memory, rules: IdentityRules) -> Recollection:
    """Return what may fill the deliveries of an event, and what tells its person from others."""
    user, browser = _user_of(encounter, memory, rules), encounter.anonymous
    facts: dict[str, Fact] = {}
    newest: dict[str, Fact] = {}
    for key in (user,) if encounter.user else (user, browser):
        person = memory.person(key) if key else None
        for group, fact in person.facts.items() if person else ():
            if group in OF_PERSON and encounter.at - fact.at <= rules.remember_s:
                _take(newest, group, fact)
                if fact.at <= encounter.at:
                    _take(facts, group, fact)
    if click := _click(encounter, user, memory, rules):
        facts["click"] = click
    if encounter.may_use_device and (device := _usable(encounter, [browser], "device", memory, rules)):
        facts["device"] = device
    if encounter.user is None and (own_id := _usable(encounter, [user], "external_id", memory, rules)):
        facts["external_id"] = own_id
    return Recollection(at=encounter.at, facts=facts, newest=newest, introduces=encounter.kind == "identify")


def _take(facts: dict[str, Fact], group: str, fact: Fact) -> None:
    """Keep the newer one; of two of the same moment the first."""
    known = facts.get(group)
    if known is None or fact.at > known.at:
        facts[group] = fact


def _user_of(encounter: Encounter, memory: Memory, rules: IdentityRules) -> str | None:
    """Return the user that an event is about: its own, else the one who used its browser lately; None: nobody known.

    An event that claims to be another's than that one's is of nobody known.
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


def _click(encounter: Encounter, user: str | None, memory: Memory, rules: IdentityRules) -> Fact | None:
    """Return the click of the event's browser, else the newest of all that the user has."""
    click = _usable(encounter, [encounter.anonymous], "click", memory, rules)
    if click or user is None:
        return click
    everywhere = ids_of(memory, user, encounter.at, rules, until=encounter.at)
    return _usable(encounter, everywhere, "click", memory, rules)


def _usable(
    encounter: Encounter, keys: Iterable[str | None], group: str, memory: Memory, rules: IdentityRules
) -> Fact | None:
    """Return the newest fact of these ids (None: of none) that was observed by the time of the event and is usable."""
    newest: Fact | None = None
    at = encounter.at
    for key in keys:
        person = memory.person(key) if key else None
        fact = person.facts.get(group) if person else None
        if fact and 0 <= at - fact.at <= rules.lasts_s(group) and (newest is None or fact.at > newest.at):
            newest = fact
    return newest

"""Whom an event is about, and what is remembered of that person at the time of the event."""

from collections.abc import Iterable, Iterator

from app.identity.chains import chain, ids_of, link_of
from app.identity.encounter import Encounter
from app.identity.facts import OF_PERSON, Fact
from app.identity.filling import TELL_APART, Recollection
from app.identity.identity_rules import IdentityRules
from app.identity.memory import Memory


def recall(encounter: Encounter, memory: Memory, rules: IdentityRules) -> Recollection:
    """Return what may fill the deliveries of an event, and what tells its person from others."""
    user = _user_of(encounter, memory, rules)
    browser = encounter.anonymous
    asked = [user] if encounter.user else [user, browser]
    homes = dict.fromkeys(OF_PERSON, asked)
    homes |= {"device": [browser] if encounter.may_use_device else [], "external_id": [] if encounter.user else [user]}
    facts = {group: _usable(encounter, keys, group, memory, rules) for group, keys in homes.items()}
    facts["click"] = _click(encounter, user, memory, rules)
    newest = {group: _newest(encounter, asked, group, memory, rules) for group in TELL_APART}
    return Recollection(
        at=encounter.at,
        facts={group: fact for group, fact in facts.items() if fact},
        newest={group: fact for group, fact in newest.items() if fact},
        introduces=encounter.kind == "identify",
    )


def _user_of(encounter: Encounter, memory: Memory, rules: IdentityRules) -> str | None:
    """Return the user that an event is about: its own, else the one who used its browser lately; None: nobody known.

    An event that claims to be another's than that one's is of nobody known.
    """
    at = encounter.at
    if encounter.user:
        return chain(memory, encounter.user, at, rules, until=at)[-1]
    link = link_of(memory, encounter.anonymous, at, rules) if encounter.anonymous else None
    if not (link and link.is_followed and 0 <= at - link.at <= rules.session_s):
        return None
    user = chain(memory, link.to, at, rules, until=at)[-1]
    claimed = encounter.claimed
    return user if claimed is None or chain(memory, claimed, at, rules, until=at)[-1] == user else None


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
    """Return the newest fact of these ids that was observed at or before the event and is not too old."""
    facts = _facts(encounter, keys, group, memory, rules)
    return max((fact for fact in facts if fact.at <= encounter.at), key=_at, default=None)


def _newest(
    encounter: Encounter, keys: Iterable[str | None], group: str, memory: Memory, rules: IdentityRules
) -> Fact | None:
    """Return the newest fact of these ids, also one observed after the event, unless it is too old."""
    return max(_facts(encounter, keys, group, memory, rules), key=_at, default=None)


def _facts(
    encounter: Encounter, keys: Iterable[str | None], group: str, memory: Memory, rules: IdentityRules
) -> Iterator[Fact]:
    """Yield the facts of a group under these ids (None: under none) that are not too old at the time of the event."""
    for key in keys:
        person = memory.person(key) if key else None
        fact = person.facts.get(group) if person else None
        if fact and encounter.at - fact.at <= rules.lasts_s(group):
            yield fact


def _at(fact: Fact) -> float:
    return fact.at

"""Whom an event is about, and what is remembered of that person at the time of the event."""

from collections.abc import Iterable, Iterator

from app.identity.chains import chain, ids_of, link_of
from app.identity.encounter import Encounter
from app.identity.facts import OF_PERSON, Fact
from app.identity.filling import Recollection
from app.identity.identity_rules import IdentityRules
from app.identity.memory import Memory


def recall(encounter: Encounter, memory: Memory, rules: IdentityRules) -> Recollection:
    """Return what may fill the deliveries of an event, and what tells its person from others."""
    user, browser = _user_of(encounter, memory, rules), encounter.anonymous
    facts: dict[str, Fact] = {}
    newest: dict[str, Fact] = {}
    for key in (user,) if encounter.user else (user, browser):
        for group, fact in _facts(encounter, key, memory, rules):
            if group in OF_PERSON:
                _take(newest, group, fact)
                if fact.at <= encounter.at:
                    _take(facts, group, fact)
    click = _click(encounter, user, memory, rules)
    device = _usable(encounter, [browser], "device", memory, rules) if encounter.may_use_device else None
    own_id = _usable(encounter, [user], "external_id", memory, rules) if encounter.user is None else None
    others = (("click", click), ("device", device), ("external_id", own_id))
    return Recollection(
        at=encounter.at,
        facts=facts | {group: fact for group, fact in others if fact},
        newest=newest,
        introduces=encounter.kind == "identify",
    )


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
    found: dict[str, Fact] = {}
    for key in keys:
        for name, fact in _facts(encounter, key, memory, rules):
            if name == group and fact.at <= encounter.at:
                _take(found, name, fact)
    return found.get(group)


def _facts(encounter: Encounter, key: str | None, memory: Memory, rules: IdentityRules) -> Iterator[tuple[str, Fact]]:
    """Yield the facts under an id (None: under none) that are not too old at the time of the event, by group."""
    person = memory.person(key) if key else None
    if person:
        for group, fact in person.facts.items():
            if encounter.at - fact.at <= rules.lasts_s(group):
                yield group, fact

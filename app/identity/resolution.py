"""What becomes of memory by one event, and what memory has for it: all rules of identity, in their order."""

from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.core.people import Fact, Remembered
from app.core.trust import may_change
from app.identity.alias_graph import end_of, link_ids, previous_of, unlink_ids
from app.identity.facts import NOBODY, OF_BROWSER, OF_PERSON, groups_of, is_remembered
from app.identity.filling import NOTHING_KNOWN, PersonHistory, are_several, differs
from app.identity.identity_event import LINKING, TELLING, IdentityEvent
from app.identity.lookup import look_up
from app.identity.memory import Memory
from app.identity.proven import ProvenMemory
from app.identity.suppression import hand_on, is_suppressed, lift_suppression, suppress


def resolve_identity(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Remember what an event says, in `memory`, and return what memory has for its deliveries.

    Events of one request come in their order. A proven event sees only what proven events said.
    """
    seen = ProvenMemory(memory) if event.is_proven else memory
    if event.is_no or event.is_withheld:
        unlink_ids(event, seen, rules)
        if event.is_no:
            suppress(event, memory, rules)
        return NOTHING_KNOWN
    believed = event
    if not (event.is_proven or rules.believes_public_keys):
        believed = replace(event, user=None, previous=None, claimed=event.user)
    previous = previous_of(believed, seen, rules)
    if event.is_yes:
        lift_suppression(believed, memory)
    if memory.has_suppressions:
        hand_on(event, memory, rules)
    if memory.is_full or (memory.has_suppressions and is_suppressed(event, seen, rules)):
        return NOTHING_KNOWN
    return _meet(believed, previous, seen, rules)


def _meet(event: IdentityEvent, previous: list[str], memory: Memory, rules: MemorySettings) -> PersonHistory:
    """Do `resolve_identity` for an event whose person did not say no."""
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
    """Remember what an event says of its person and its browser; `without_person` leaves the person's groups out."""
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
            if before and not may_change(by_proven=event.is_proven, of_proven=before.is_proven):
                continue
            if before is None or at - before.at > rules.lasts_s(group):
                fact = Fact(members=members, at=at, by=event.kind, is_proven=event.is_proven)
            elif at < before.at:
                continue
            else:  # of two that agree the fuller one
                fuller = before.members if is_remembered(before, members) else members
                fact = Fact(members=fuller, at=at, by=event.kind, is_proven=event.is_proven)
            memory.keep(key, Remembered(facts={**known.facts, group: fact}, link=known.link))


def _was_handed_on(user: str | None, anonymous: str | None, at: float, memory: Memory, rules: MemorySettings) -> bool:
    """Return whether the browser of an event is another user's since: the clicks that it had then were dropped."""
    if not (user and anonymous):
        return False
    return end_of(memory, anonymous, at, rules) != end_of(memory, user, at, rules)

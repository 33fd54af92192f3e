"""Who said no: the ids of that person are erased and marked, until the same id says yes explicitly.

A proven no goes only by a proven yes. A public no holds for public events of its ids, and for proven ones of a user to
whom a proven event linked the browser that said it.
"""

from collections.abc import Iterable
from itertools import chain as joined
from typing import Final

from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.core.people import Mark, No
from app.core.trust import may_change
from app.core.values.times import DAY_S
from app.identity.alias_graph import chain, ids_of, sources_of
from app.identity.facts import NOBODY
from app.identity.identity_event import LINKING, IdentityEvent
from app.identity.memory import Memory
from app.identity.proven import ProvenMemory

#: So many nos are told apart of one id. Further ones are joined, and then lifted by a yes of the id itself alone.
MAX_NOS: Final = 8
#: The mark of a browser alone ends so long after its newest no.
ALONE_S: Final = 400 * DAY_S
#: A no is noted of so many other ids with each of its own.
MAX_ALSO: Final = 100
_NOBODYS: Final = Mark(nos=())


def ids_in(encounter: IdentityEvent) -> list[str]:
    """Return the keys of an event's own ids."""
    own = sources_of(encounter)
    return [encounter.user, *own] if encounter.user else own


def with_no(mark: Mark | None, no: No, also: Iterable[str] = (), *, is_alone: bool = False) -> Mark:
    """Return a mark with one more no, which holds for the ids `also` too.

    The mark ends while all nos of it `is_alone`: browsers said them of which no user is known.
    """
    before = mark or _NOBODYS
    nos = {(each.by, each.is_proven): each for each in before.nos}
    known = nos.get((no.by, no.is_proven))
    if known is None and len(nos) >= MAX_NOS:
        no = replace(no, by=())
        known = nos.get((no.by, no.is_proven))
    if known:
        no = replace(no, at=max(no.at, known.at), for_proven=no.for_proven or known.for_proven)
    nos[no.by, no.is_proven] = no
    ends = is_alone and (mark is None or mark.ends_at is not None)
    ends_at = max(each.at for each in nos.values()) + ALONE_S if ends else None
    ids = dict.fromkeys((*before.also, *also))
    return Mark(nos=tuple(nos.values()), also=tuple(ids)[:MAX_ALSO], ends_at=ends_at)


def suppress(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Erase and mark the ids of an event, its user or the one they are linked to, and every id linked to that user.

    Links stay, so that an event with a linked id is known to be of a person who said no.
    """
    reached = _reached(encounter, memory, rules)
    browsers = sources_of(encounter)
    keys = dict.fromkeys((*_closed_by(encounter, memory, rules), *reached))
    is_alone = (reached if encounter.is_proven else keys).keys() <= set(browsers)
    for key in keys:
        no = No(at=encounter.at, by=tuple(browsers), is_proven=encounter.is_proven, for_proven=key in reached)
        also = keys if key in browsers else ()
        memory.set_mark(key, with_no(memory.mark(key), no, also, is_alone=is_alone))
        person = memory.person(key) or NOBODY
        left = {} if key in reached else {group: fact for group, fact in person.facts.items() if fact.is_proven}
        memory.keep(key, replace(person, facts=left))


def _closed_by(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> dict[str, None]:
    """Return the ids for which the no of an event holds, in a memory as it is told to the event."""
    keys = dict.fromkeys(ids_in(encounter))
    for key in [encounter.user] if encounter.user else list(keys):
        for user in chain(memory, key, encounter.at, rules):
            keys |= dict.fromkeys(ids_of(memory, user, encounter.at, rules))
    return keys


def _reached(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> dict[str, None]:
    """Return the ids of which a no holds for proven events as well."""
    proven = ProvenMemory(memory)
    if encounter.is_proven:
        return _closed_by(encounter, proven, rules)
    users = (chain(proven, source, encounter.at, rules)[1:] for source in sources_of(encounter))
    return dict.fromkeys(joined.from_iterable(users))


def hand_on(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Let the public nos of a browser hold for the user, to whom a proven event links it."""
    if not (encounter.user and encounter.is_proven and encounter.kind in LINKING):
        return
    users = chain(ProvenMemory(memory), encounter.user, encounter.at, rules)
    for source in sources_of(encounter):
        mark = memory.mark(source)
        public = [no for no in mark.nos if not no.is_proven] if mark else []
        for no in public:
            for user in users:
                memory.set_mark(user, with_no(memory.mark(user), replace(no, for_proven=True)))
                memory.set_mark(source, with_no(memory.mark(source), no, [user]))
                memory.keep(user, replace(memory.person(user) or NOBODY, facts={}))


def lift_suppression(encounter: IdentityEvent, memory: Memory) -> None:
    """Lift what is older than the yes of an event: the nos of its ids, and each no that its browser said."""
    own, browsers = ids_in(encounter), sources_of(encounter)
    keys = dict.fromkeys(own)
    for key in browsers:
        if mark := memory.mark(key):
            keys |= dict.fromkeys(mark.also)
    for key in keys:
        if mark := memory.mark(key):
            left = tuple(no for no in mark.nos if not _is_lifted(no, encounter, browsers, is_own=key in own))
            memory.set_mark(key, replace(mark, nos=left) if left else None)


def _is_lifted(no: No, encounter: IdentityEvent, browsers: list[str], *, is_own: bool) -> bool:
    return (
        no.at < encounter.at
        and may_change(by_proven=encounter.is_proven, of_proven=no.is_proven)
        and (is_own or not set(browsers).isdisjoint(no.by))
    )


def is_suppressed(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> bool:
    """Return whether one of an event's ids, or a user that one is linked to, is marked."""
    return any(
        memory.mark(user) is not None for key in ids_in(encounter) for user in chain(memory, key, encounter.at, rules)
    )

"""Opt-outs and erasures: the ids of a person are erased and suppressed, until the same id opts in.

A trusted opt-out ends only by a trusted opt-in. A public opt-out applies to public events of its ids, and to trusted
events of a user if a trusted event linked the browser of the opt-out to that user.
"""

import math
from collections.abc import Iterable
from itertools import chain as joined
from typing import Final

from msgspec.structs import replace

from app.config.settings import MemorySettings, RetentionDays
from app.core.people import OptOut, Suppression, latest_end
from app.core.trust import may_change
from app.core.values.times import DAY_S
from app.identity.alias_graph import chain, ids_of, sources_of
from app.identity.facts import LINKING, NOBODY, IdentityEvent
from app.identity.memory import Memory, TrustedMemory

#: Maximum number of separate opt-outs of an id. Further ones are merged, and only an opt-in of the id itself cancels
#: them.
MAX_OPT_OUTS: Final = 8
#: An opt-out of a browser without a known user ends after this time.
ALONE_S: Final = 400 * DAY_S
#: Maximum number of linked ids that are stored with each own id.
MAX_ALSO: Final = 100
_NOBODYS: Final = Suppression(opt_outs=())


def ids_in(event: IdentityEvent) -> list[str]:
    """Return the keys of an event's own ids."""
    own = sources_of(event)
    return [event.user, *own] if event.user else own


def with_opt_out(suppression: Suppression | None, no: OptOut, also: Iterable[str] = ()) -> Suppression:
    """Return a suppression with another opt-out, which also applies to the ids `also`."""
    before = suppression or _NOBODYS
    opt_outs = {(each.by, each.is_trusted): each for each in before.opt_outs}
    known = opt_outs.get((no.by, no.is_trusted))
    if known is None and len(opt_outs) >= MAX_OPT_OUTS:
        no = replace(no, by=())
        known = opt_outs.get((no.by, no.is_trusted))
    if known:
        no = replace(
            no,
            at=max(no.at, known.at),
            for_trusted=no.for_trusted or known.for_trusted,
            ends_at=latest_end((no, known)),
        )
    opt_outs[no.by, no.is_trusted] = no
    ids = dict.fromkeys((*before.also, *sorted(also)))
    return Suppression.of(tuple(opt_outs.values()), tuple(ids)[:MAX_ALSO])


def suppress(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Erase and suppress the ids of an event, its user or the linked user, and every id linked to that user.

    Links stay, so that an event with a linked id is recognised as one of a suppressed person.
    """
    reached = _reached(event, memory, rules)
    browsers = sources_of(event)
    keys = dict.fromkeys((*_closed_by(event, memory, rules), *reached))
    is_alone = (reached if event.is_trusted else keys).keys() <= set(browsers)
    for key in keys:
        no = OptOut(
            at=event.at,
            by=tuple(browsers),
            is_trusted=event.is_trusted,
            for_trusted=key in reached,
            ends_at=event.at + ALONE_S if is_alone else None,
        )
        memory.set_suppression(key, with_opt_out(memory.suppression(key), no, keys if key in browsers else ()))
        person = memory.person(key) or NOBODY
        left = {} if key in reached else {group: fact for group, fact in person.facts.items() if fact.is_trusted}
        memory.keep(key, replace(person, facts=left))


def _closed_by(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> dict[str, None]:
    """Return the ids that an event's opt-out applies to, in a memory as the event sees it."""
    keys = dict.fromkeys(ids_in(event))
    for key in [event.user] if event.user else list(keys):
        for user in chain(memory, key, event.at, rules):
            keys |= dict.fromkeys(ids_of(memory, user, event.at, rules))
    return keys


def _reached(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> dict[str, None]:
    """Return the ids for which an opt-out also applies to trusted events."""
    trusted = TrustedMemory(memory)
    if event.is_trusted:
        return _closed_by(event, trusted, rules)
    users = (chain(trusted, source, event.at, rules)[1:] for source in sources_of(event))
    return dict.fromkeys(joined.from_iterable(users))


def hand_on(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Extend the public opt-outs of a browser to the user that a trusted event links to it."""
    if not (event.user and event.is_trusted and event.kind in LINKING):
        return
    users = chain(TrustedMemory(memory), event.user, event.at, rules)
    for source in sources_of(event):
        suppression = memory.suppression(source)
        public = [no for no in suppression.opt_outs if not no.is_trusted] if suppression else []
        for no in (replace(each, ends_at=None) for each in public):
            for user in users:
                memory.set_suppression(user, with_opt_out(memory.suppression(user), replace(no, for_trusted=True)))
                memory.set_suppression(source, with_opt_out(memory.suppression(source), no, [user]))
                memory.keep(user, replace(memory.person(user) or NOBODY, facts={}))


def lift_suppression(event: IdentityEvent, memory: Memory) -> None:
    """Cancel opt-outs older than the event's opt-in: those of its ids, and those of its browser."""
    own, browsers = ids_in(event), sources_of(event)
    keys = dict.fromkeys(own)
    for key in browsers:
        if suppression := memory.suppression(key):
            keys |= dict.fromkeys(suppression.also)
    for key in keys:
        if suppression := memory.suppression(key):
            left = tuple(no for no in suppression.opt_outs if not _is_lifted(no, event, browsers, is_own=key in own))
            memory.set_suppression(key, Suppression.of(left, suppression.also) if left else None)


def _is_lifted(no: OptOut, event: IdentityEvent, browsers: list[str], *, is_own: bool) -> bool:
    return (
        no.at < event.at
        and may_change(by_trusted=event.is_trusted, of_trusted=no.is_trusted)
        and (is_own or not set(browsers).isdisjoint(no.by))
    )


def is_suppressed(event: IdentityEvent, memory: Memory, rules: MemorySettings) -> bool:
    """Return whether any of an event's ids, or a linked user, is suppressed."""
    return any(
        memory.suppression(user) is not None for key in ids_in(event) for user in chain(memory, key, event.at, rules)
    )


#: Links that are too old to be used still identify data to erase.
FOR_EVER: Final = MemorySettings.model_construct(
    remember_days=math.inf, retention_days=RetentionDays.model_construct(click=math.inf, session=math.inf)
)


def ids_of_person(memory: Memory, rules: MemorySettings, key: str, *, now: float) -> list[str]:
    """Return an id, the users that it is linked to, and every id that is or was linked to these users.

    Users that an alias linked are the same person. `now` is Unix seconds.
    """
    waiting = chain(memory, key, now, rules)
    found = dict.fromkeys(waiting)
    for each in waiting:
        for linked in memory.linked_to(each):
            if linked not in found:
                found[linked] = None
                waiting.append(linked)
    return list(found)


def erase(
    memory: Memory, rules: MemorySettings, *, user: str | None = None, anonymous: str | None = None, now: float
) -> list[str]:
    """Erase the data of a user's key, and of every id that is or was linked to that user.

    For an `anonymousId` only its own data is erased. Suppressions stay. Returns the keys with data, and records all
    examined keys as erased; `now` is Unix seconds.
    """
    found = dict.fromkeys(ids_of_person(memory, rules, user, now=now) if user else ())
    if anonymous:
        found[anonymous] = None
    memory.erased += found
    erased = [key for key in found if memory.person(key)]
    for key in erased:
        memory.keep(key, NOBODY)
    return erased

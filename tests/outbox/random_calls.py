"""Calls of every kind that an outbox answers, at random."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeAlias

from app.core.deliveries import Claimed, Enqueued, Settlement
from app.core.events import EventKey, Measure
from app.core.pages import QuarantineFilter, Query
from tests.outbox import random_values as some
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, audited
from tests.outbox.random_values import ACCOUNTS, DIGESTS, IDS, KEYS, OWN_KEYS, PRESETS, SOURCES, TEXTS, maybe


@dataclass
class Side:
    """An outbox at a moment, and what it has given out."""

    at: At
    #: Of each delivery that there ever was: its place among all. An engine may leave ids out.
    ids: dict[str, int] = field(default_factory=dict)
    claims: list[Claimed] = field(default_factory=list)

    def localize(self, query: Query) -> Query:
        """Return the query with the id of this store, if it asks for the place of a delivery."""
        if query.delivery_id is None or not query.delivery_id.isdecimal():
            return query
        place = int(query.delivery_id)
        return replace(query, delivery_id=next((id_ for id_, at in self.ids.items() if at == place), "no such id"))


Calls: TypeAlias = dict[str, Callable[[Side], Awaitable[Any]]]


def write(rng: Random, number: int, now: float) -> tuple[str, Callable[[Side], Awaitable[Any]]]:
    """One call that changes the store, and its name."""
    calls = storing(rng, number) | sending(rng, now) | redriving(rng) | keeping(rng, now)
    name = rng.choice([*calls, *["remember", "enqueue", "claim", "settle"] * 3])
    return name, calls[name]


def storing(rng: Random, number: int) -> Calls:
    deliveries = [some.delivery(rng, 10 * number + n) for n in range(rng.choice([0, 1, 1, 2, 5]))]
    given = deliveries, [some.note(rng, n) for n in range(rng.randrange(3))], [some.counter(rng) for _ in range(2)]
    people = some.people(rng, [each.message_id for each in deliveries])
    forgotten, again = rng.sample(KEYS, 2), rng.sample(["m1", "m11", *IDS], 3)

    async def remember(side: Side) -> list[Enqueued]:
        changes = some.as_read(people, await side.at.outbox.people([each.key for each in people.suppressions]))
        return await side.at.outbox.enqueue(*given, now=side.at.now, people=changes)

    return {
        "remember": remember,
        "enqueue": lambda side: side.at.outbox.enqueue(*given, now=side.at.now),
        "enqueue with people": lambda side: side.at.outbox.enqueue(*given, now=side.at.now, people=people),
        "forget": lambda side: side.at.outbox.forget(forgotten, again=again),
        "forget sealed": lambda side: side.at.outbox.sealed_events.forget(forgotten),
    }


def sending(rng: Random, now: float) -> Calls:
    account, skipped, limit = rng.choice(ACCOUNTS), rng.randrange(5), rng.choice([1, 3, 100])
    how: dict[str, Any] = {
        "max_bytes": rng.choice([1, 300, 10**6]),
        "max_wait_s": rng.choice([0, 0, 30]),
        "without_presets": frozenset(rng.sample(PRESETS, rng.choice([0, 0, 1]))),
        "take_over": rng.random() < 0.8,
    }
    becomes = [some.result(rng, now) for _ in range(rng.randrange(1, 4))]

    async def claim(side: Side) -> list[Claimed]:
        found = await side.at.outbox.claim(account, now=side.at.now, limit=limit, lease_s=30, **how)
        side.claims += (claimed := sorted(found, key=lambda each: int(each.delivery_id)))
        return claimed

    async def settle(side: Side) -> None:
        chosen = side.claims[skipped * len(side.claims) // 5 :]
        await side.at.settle(*(Settlement(claimed=each, **how) for each, how in zip(chosen, becomes, strict=False)))

    return {
        "claim": claim,
        "settle": settle,
        "renew": lambda side: side.at.outbox.renew(side.claims[skipped:], lease_s=30, now=side.at.now),
        "reschedule": lambda side: side.at.outbox.reschedule(account, pending_by=now, claimed_by=now + 5, limit=limit),
    }


def redriving(rng: Random) -> Calls:
    asked, because, withdrawn = some.query(rng), rng.choice(TEXTS), some.withdrawal(rng)
    redriven = rng.choice([asked, Query()])

    return {
        "redrive": lambda side: side.at.outbox.dead_letters.redrive(side.localize(redriven), now=side.at.now),
        "dismiss": lambda side: side.at.outbox.dead_letters.dismiss(side.localize(asked), because=because),
        "withdraw": lambda side: side.at.outbox.withdraw([withdrawn], now=side.at.now),
        "retain": lambda side: side.at.retain_all(500),
    }


def keeping(rng: Random, now: float) -> Calls:
    counts, sealed, session = [some.count(rng) for _ in range(4)], some.sealed(rng, now), some.session(rng, now)
    text, key, revision, size = (
        rng.choice(TEXTS),
        rng.choice(OWN_KEYS),
        rng.choice([None, None, 0, 1]),
        rng.randrange(300),
    )

    async def release(side: Side) -> None:
        found = await side.at.outbox.sealed_events.find(QuarantineFilter(), now=0, after=0, limit=9)
        await side.at.outbox.sealed_events.release([each.id for each in found[:: 1 + size % 3]])

    return {
        "count": lambda side: side.at.outbox.inventory.add(counts, now=side.at.now, max_names=3),
        "keep": lambda side: side.at.outbox.sealed_events.keep([sealed]),
        "trim": lambda side: side.at.outbox.sealed_events.trim(size),
        "release": release,
        "put": lambda side: side.at.outbox.put_shared(key, {text: [text, 1.5]}, revision=revision),
        "write audit": lambda side: side.at.outbox.write_audit(audited(at=side.at.now, target=text)),
        "open session": lambda side: side.at.outbox.open_session(session),
        "end session": lambda side: side.at.outbox.end_session(session.digest),
    }


def read(rng: Random, number: int) -> Calls:
    """All that can be asked. What is asked for by its name only is in no order that anyone promises."""
    return looking_up(rng, number) | adding_up(rng) | looking_into(rng)


def looking_up(rng: Random, number: int) -> Calls:
    asked, limit, text, noted = some.query(rng), rng.choice([1, 2, 100]), rng.choice(TEXTS), rng.random() < 0.5
    new, since = [some.delivery(rng, 10 * number + n) for n in range(2)], NOW + rng.choice([-DAY_S, 0, HOUR_S])

    async def paged(ask: Callable[..., Awaitable[Any]], *words: Any) -> list[Any]:
        first = await ask(*words, limit=limit, cursor=text if noted else None)
        return [first, first.next_cursor and await ask(*words, limit=limit, cursor=first.next_cursor)]

    async def orders(side: Side) -> list[Any]:
        rows, after = await side.at.outbox.orders(dropped=noted, since=since, limit=limit)
        if after is not None:
            rows += (await side.at.outbox.orders(dropped=noted, since=since, limit=limit, after=after)).rows
        return rows

    return {
        "search": lambda side: paged(side.at.outbox.search, side.localize(asked)),
        "all": lambda side: side.at.outbox.search(Query(), limit=1_000),
        "dropped_events": lambda side: paged(side.at.outbox.search_dropped, side.localize(asked)),
        "orders": orders,
        "delivery": lambda side: side.at.outbox.delivery(
            dict(zip(side.ids.values(), side.ids, strict=True)).get(number, text)
        ),
        "message": lambda side: side.at.outbox.message(asked.message_id or f"m{number}"),
        "seen": lambda side: side.at.outbox.seen(new, now=side.at.now),
        "audit": lambda side: paged(side.at.outbox.audit),
    }


def adding_up(rng: Random) -> Calls:
    account, limit = rng.choice(ACCOUNTS), rng.choice([1, 2, 100])
    since, day = NOW + rng.choice([-DAY_S, 0, HOUR_S]), int(NOW // DAY_S)
    days = {"first_day": day - 1, "last_day": day + 9}
    #: Of less than an hour an engine may know no more after a day.
    step_s = rng.choice([0, 3_600, 6 * 3_600, 86_400])
    steps = {
        "since": since // (step_s or HOUR_S) * (step_s or HOUR_S),
        "until": maybe(rng, since + DAY_S),
        "step_s": step_s,
    }
    names = maybe(rng, ["accepted", "warning"][: rng.randrange(3)])
    key, by_hour = maybe(rng, EventKey(rng.choice(SOURCES), "track", rng.choice(TEXTS)), 0.5), rng.random() < 0.5
    pairs = [(each, source) for each in TEXTS for source in SOURCES]
    counted: dict[str, Any] = {"since": since, "by_hour": by_hour, "counted": list(Measure), "key": key}
    return {
        "backlog": lambda side: side.at.outbox.backlog(account, now=side.at.now),
        "counters, unordered": lambda side: side.at.outbox.counters(**steps, names=names),
        "revenue, unordered": lambda side: side.at.outbox.revenue(**days),
        "causes": lambda side: side.at.outbox.dead_letters.causes(limit=limit),
        "inventory, unordered": lambda side: side.at.outbox.inventory.read(**counted),
        "names, unordered": lambda side: side.at.outbox.inventory.name_counts(pairs, **days),
    }


def looking_into(rng: Random) -> Calls:
    text, key, limit = rng.choice(TEXTS), rng.choice(OWN_KEYS), rng.choice([1, 2, 100])
    wanted = QuarantineFilter(name=maybe(rng, text), source=maybe(rng, rng.choice(SOURCES)), reason=maybe(rng, text))
    keys, after = rng.sample(KEYS, 3), rng.choice(["", KEYS[0]])
    asking = rng.choice([None, "tag"])
    return {
        "people": lambda side: side.at.outbox.people(keys, browsers=keys[:1], public_key=asking, now=side.at.now),
        "people with": lambda side: side.at.outbox.people_with([DIGESTS[0]], after=after),
        "sealed": lambda side: side.at.outbox.sealed_events.find(wanted, now=side.at.now, after=0, limit=limit),
        "groups": lambda side: side.at.outbox.sealed_events.groups(now=side.at.now, limit=limit),
        "shared": lambda side: side.at.outbox.get_shared(key),
        "all shared": lambda side: side.at.outbox.list_shared(key),
        "session": lambda side: side.at.outbox.session(key, now=side.at.now),
    }

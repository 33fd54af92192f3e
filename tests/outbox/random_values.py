"""Values of every kind that an outbox takes, at random: many of them alike, and texts that a store may mistake."""

from random import Random
from typing import Any, Final

from msgspec.structs import replace

from app.core.deliveries import Blocked, Delivered, NewDelivery, Rejected, Retry, State, Withdrawal
from app.core.events import CounterRow, DroppedEvent, EventKey, InventoryCount, Measure, Outcome
from app.core.pages import Quarantined, Query, Session
from app.core.people import Ownership, PeopleChanges, PeopleFound, PersonChange, Recalled, SuppressionChange
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, marked, payload

#: Texts that a store may take for something else.
TEXTS: Final = [
    "a",
    "A",
    "ä",
    "Ä",
    "x\0y",
    "\0",
    "",
    " ",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "\\u0000",
    "😀",
    "a; not redriven: b",
    "é",
]
#: What is a key of its own is never a text of an event: it has no U+0000.
OWN_KEYS: Final = [text for text in TEXTS if "\0" not in text]
IDS: Final = ["1", "2", "3", "x\0", "\\u0000", "ä"]
AMOUNTS: Final = [None, "", "1", "2.50", "12.", ".5", "1e3", "9999999999.999999", "12345678901", "٣", "-1", "0.0000001"]
ACCOUNTS: Final = [ACCOUNT, ACCOUNT, "2"]
PRESETS: Final = ["Order", "Lead", "ä"]
SOURCES: Final = ["default", "shop", "ä"]
CHANNELS: Final = ["", "web", "pos", "580111"]
NAMES: Final = ["checkout", "checkout", "lead"]
DIGESTS: Final = ["0" * 64, "1" * 64]
KEYS: Final = [letter * 64 for letter in "abcdef"]


def maybe(rng: Random, value: Any, chance: float = 0.15) -> Any:
    return value if rng.random() < chance else None


def delivery(rng: Random, number: int) -> NewDelivery:
    name = rng.choice(NAMES)
    is_order = name == "checkout"
    return NewDelivery(
        ad_account_id=rng.choice(ACCOUNTS),
        preset=rng.choice(PRESETS),
        message_id=f"m{number}" if rng.random() < 0.7 else rng.choice(IDS),
        event_name=name,
        event_id=f"e{number}" if rng.random() < 0.6 else rng.choice(IDS),
        action_source=rng.choice(["web", "offline"]),
        order_id=rng.choice([None, f"o{number}", *IDS]) if is_order else None,
        event_time=int(NOW) - rng.randrange(10**6),
        source=rng.choice(SOURCES),
        amount=rng.choice(AMOUNTS),
        currency=rng.choice([None, "EUR", "USD"]),
        checkout_id=rng.choice([None, *IDS]) if is_order else None,
        buyer=tuple(rng.sample(DIGESTS, rng.randrange(3))) if is_order else (),
        channel=rng.choice(CHANNELS) if is_order else "",
        hold_s=rng.choice([0, 0, 0, 60]),
        payload=payload(ph=[rng.choice(DIGESTS)], client_ip_address="203.0.113.9", x="é" * rng.randrange(4)),
        warnings=tuple(rng.choices(TEXTS, k=rng.randrange(3))),
        quality=(),
        traceparent=rng.choice([None, "00-" + "1" * 32 + "-" + "2" * 16 + "-01"]),
        name=rng.choice(["Order Completed", *TEXTS]),
        memory=rng.choice([None, None, {"em": Recalled(age_s=3.5, by="identify")}]),
    )


def note(rng: Random, number: int) -> DroppedEvent:
    return DroppedEvent(
        message_id=rng.choice([f"n{number}", *IDS]),
        ad_account_id=rng.choice([None, *ACCOUNTS]),
        preset=rng.choice([None, *PRESETS]),
        outcome=rng.choice([Outcome.REFUSED, Outcome.UNMATCHED, Outcome.WITHHELD, Outcome.DUPLICATE, Outcome.INVALID]),
        reason=rng.choice(TEXTS),
        warnings=tuple(rng.choices(TEXTS, k=rng.randrange(3))),
        event_name=rng.choice([None, "checkout", "lead"]),
        order_id=rng.choice([None, *IDS]),
        amount=rng.choice(AMOUNTS),
        currency=rng.choice([None, "EUR"]),
        source=rng.choice(SOURCES),
        name=rng.choice(TEXTS),
        channel=rng.choice(CHANNELS),
    )


def counter(rng: Random) -> CounterRow:
    return CounterRow(
        name=rng.choice(["accepted", "warning"]),
        preset=rng.choice(["", *PRESETS]),
        label=rng.choice(TEXTS),
        ad_account_id=rng.choice(["", *ACCOUNTS]),
        source=rng.choice(SOURCES),
        count=rng.randrange(1, 5),
    )


def query(rng: Random) -> Query:
    moment = NOW + rng.choice([-HOUR_S, 0, 1, 31, HOUR_S, DAY_S])
    return Query(
        delivery_id=maybe(rng, rng.choice([str(rng.randrange(9)), *TEXTS]), 0.05),
        message_id=maybe(rng, rng.choice(["m1", *IDS]), 0.1),
        event_id=maybe(rng, rng.choice(["e1", "m1", *IDS]), 0.1),
        order_id=maybe(rng, rng.choice(["o1", *IDS]), 0.1),
        ad_account_id=maybe(rng, rng.choice(ACCOUNTS)),
        preset=maybe(rng, rng.choice(PRESETS)),
        event_name=maybe(rng, rng.choice(NAMES)),
        name=maybe(rng, rng.choice(TEXTS)),
        source=maybe(rng, rng.choice(SOURCES)),
        channel=maybe(rng, rng.choice(CHANNELS)),
        currency=maybe(rng, rng.choice(["", "EUR"])),
        is_order=maybe(rng, rng.random() < 0.5),
        state=maybe(rng, rng.choice([*State, "waiting"]), 0.3),
        outcome=maybe(rng, rng.choice(list(Outcome))),
        taken=maybe(rng, rng.random() < 0.5),
        status=maybe(rng, rng.choice([422, 503]), 0.1),
        reason=maybe(rng, rng.choice(TEXTS)),
        cause=maybe(rng, rng.choice(TEXTS), 0.05),
        warning=maybe(rng, rng.choice(TEXTS)),
        since=maybe(rng, moment),
        until=maybe(rng, moment + HOUR_S),
        person=maybe(rng, tuple(rng.sample(DIGESTS, rng.randrange(3))), 0.05),
    )


def people(rng: Random, message_ids: list[str]) -> PeopleChanges:
    """What nobody knew before; no two are seen at one moment, for of equals any may be forgotten."""
    chosen = rng.sample(KEYS, rng.randrange(1, 4))
    at = NOW + rng.choice([-DAY_S, 0, 1.5, DAY_S]) + rng.random()
    user = rng.choice(KEYS)
    link = f'{{"to":"{user}","at":{at}}}' if rng.random() < 0.5 else "null"
    fact = f'{{"em":{{"members":{{"em":["{rng.choice(DIGESTS)}"]}},"at":{at},"by":"identify"}}}}'
    return PeopleChanges(
        people=[
            PersonChange(
                key=key,
                revision=0,
                linked_to=None if link == "null" else user,
                linked_at=None if link == "null" else at,
                seen_at=at + place / 8,
                stale_at=at + DAY_S,
                record=maybe(rng, f'{{"facts":{fact},"link":{link}}}', 0.9),
            )
            for place, key in enumerate(chosen[:2])
        ],
        suppressions=[
            SuppressionChange(key=key, was=None, now=marked(rng.choice([None, at]), is_trusted=rng.random() < 0.5))
            for key in chosen
        ],
        public_key=rng.choice([None, None, "tag", "page"]),
        owners=[
            Ownership(message_id=each, user=chosen[0][:16], anonymous=rng.choice([None, *(key[:16] for key in KEYS)]))
            for each in sorted(set(message_ids))
        ],
    )


def as_read(changes: PeopleChanges, found: PeopleFound) -> PeopleChanges:
    """The same changes of what is there."""
    revisions = {each.key: each.revision for each in found.people}
    return replace(
        changes,
        people=[replace(each, revision=revisions.get(each.key, 0)) for each in changes.people],
        suppressions=[replace(each, was=found.suppressions.get(each.key)) for each in changes.suppressions],
    )


def result(rng: Random, now: float) -> dict[str, Any]:
    reason = rng.choice(TEXTS)
    due = {"state": State.PENDING, "due_at": now + rng.choice([0, 5, 100])}
    return rng.choice(
        [
            {"result": Delivered(warning=rng.choice(TEXTS)), "state": State.DELIVERED},
            {"result": Rejected(reason=reason, status=422), "state": State.DEAD},
            {"result": Rejected(reason=reason, status=422), "state": State.DEAD},
            {"result": Retry(reason=reason, status=503), **due},
            {"result": Retry(reason=reason, tried=False), **due, "give_back": True},
            {"result": Blocked(reason=reason, status=401), **due, "give_back": True},
        ]
    )


def withdrawal(rng: Random) -> Withdrawal:
    return Withdrawal(
        ad_account_id=rng.choice(ACCOUNTS),
        preset=rng.choice(PRESETS),
        order_id=rng.choice(IDS),
        source=rng.choice(SOURCES),
        message_id="w\0",
    )


def count(rng: Random) -> InventoryCount:
    key = EventKey(rng.choice(SOURCES), "track", rng.choice(TEXTS))
    return InventoryCount(key, rng.choice(list(Measure)), rng.choice(TEXTS), 1)


def sealed(rng: Random, now: float) -> Quarantined:
    return Quarantined(
        at=now,
        ends_at=now + 60,
        source=rng.choice(SOURCES),
        is_trusted=rng.random() < 0.5,
        name=rng.choice(TEXTS),
        outcome=Outcome.INVALID,
        reason=rng.choice(TEXTS),
        message_id=rng.choice(IDS),
        keys=(rng.choice(KEYS),),
        sealed="x" * rng.randrange(100),
    )


def session(rng: Random, now: float) -> Session:
    key = rng.choice(OWN_KEYS)
    return Session(digest=key, who=key, seal=key, ends_at=now + rng.choice([-1, 60]))

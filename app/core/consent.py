"""What people answered to being tracked, and for which deliveries their no holds. Ids are kept as digests."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from math import inf
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import orjson
from msgspec import Struct
from msgspec.structs import replace

from app.core.deliveries import OrderSide
from app.core.trust import is_early, may_change

#: How a no was said: by a consent category, by an opt-out of the person, by a permission that a device asks for.
Kind: TypeAlias = Literal["category", "opt_out", "device"]
#: Each kind as a bit of what a `ConsentBook` knows of an id; the stricter one is the greater.
_KINDS: Final[dict[Kind, int]] = {"device": 1, "opt_out": 2, "category": 4}
OPT_OUT: Final = _KINDS["opt_out"]
#: Beside them: no trusted event said one of them; and a yes of the same request.
PUBLIC: Final = 8
YES: Final = 16
#: So many hexadecimal digits of a digest are a key: 64 bits.
KEY_DIGITS: Final = 16


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """The newest answer of a browser, or of whoever else said it, about one id."""

    #: The beginning of the digest of an id, a contact, an order or its token.
    key: str
    #: The key of the browser that said it; where none is known, of the user; "" where nobody is.
    said_by: str
    #: A trusted event said it: only a trusted yes lifts a no.
    is_trusted: bool
    #: The key of the user that the event named; "" where it named none.
    user: str = ""
    #: It holds for trusted events too, since a trusted event linked the browser to this user.
    for_trusted: bool = False
    is_no: bool
    kind: Kind = "category"
    #: The own time of the event, Unix seconds.
    at: float
    #: Of a checkout: its total, such as `USD 249.00`, and behind it `OrderSide.facts`; "" where it is about no order. A
    #: trusted order of the same id is the same one if it names this amount.
    total: str = ""
    #: Where it was said: "" in the browser, else the name of the source.
    source: str = ""

    @property
    def reason(self) -> str:
        """Why something is not sent, for people."""
        day = time.gmtime(self.at)
        where = f"by the source {self.source}" if self.source else "in the browser"
        return f"the person said no on {day.tm_mday} {time.strftime('%B', day)}, {where}"


class Subject(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a delivery is."""

    is_trusted: bool
    #: Keys: of its user and its browser; "" where it has none.
    user: str = ""
    browser: str = ""
    #: Keys of e-mail addresses and phone numbers.
    contacts: tuple[str, ...] = ()
    #: The key of the token of its checkout; "" where it has none.
    token: str = ""
    #: The key of its order; "" where it is no checkout. And the amounts that it names.
    order: str = ""
    totals: tuple[str, ...] = ()
    #: Keys of the browsers whose page's event was merged into it.
    pages: tuple[str, ...] = ()
    #: `OrderSide.facts` and `OrderSide.at` of its order.
    facts: tuple[str, ...] = ()
    at: int | None = None
    #: A public no about its order holds only if a fact of the buyer is equal.
    ignores_weak: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys under which an answer may be about it."""
        found = (self.user, self.browser, *self.pages, *self.contacts, self.token, self.order)
        return tuple(key for key in found if key)


class Answers:
    """Holds answers by id: the stored ones, and those of the same request in their order."""

    def __init__(self, stored: Iterable[Answer] = ()) -> None:
        """Take those that are stored."""
        #: By key; of each, by who said it, and whether that was trusted.
        self._by_key: dict[str, dict[tuple[str, bool], Answer]] = {}
        #: The keys about which a browser or a user answered.
        self._keys_of: dict[str, set[str]] = {}
        for each in stored:
            self._put(each)

    def add(self, said: Sequence[Answer]) -> list[Answer]:
        """Take what one event answers, and return what of it is new. A yes lifts older nos."""
        new = []
        for answer in said:
            known = self._by_key.get(answer.key, {}).get((answer.said_by, answer.is_trusted))
            if known is None or is_newer(answer, known):
                self._put(after(known, answer) if known else answer)
                new.append(answer)
        if said and not said[0].is_no:
            yes = said[0]
            names = self._keys_of.get(yes.said_by, set()) | self._keys_of.get(yes.user, set()) | {yes.user}
            for no in [no for no in self.about(names) if is_lifted(no, yes)]:
                self._put(replace(no, is_no=False, at=yes.at))
        return new

    def about(self, keys: Iterable[str]) -> Iterator[Answer]:
        return (each for key in dict.fromkeys(keys) for each in self._by_key.get(key, {}).values())

    def _put(self, answer: Answer) -> None:
        self._by_key.setdefault(answer.key, {})[answer.said_by, answer.is_trusted] = answer
        for name in (answer.said_by, answer.user):
            self._keys_of.setdefault(name, set()).add(answer.key)


def is_newer(answer: Answer, known: Answer) -> bool:
    """Return whether an answer of the same about the same id changes what is known: at the same time a no does."""
    if answer.at != known.at:
        return answer.at > known.at
    return answer.is_no and (not known.is_no or answer.for_trusted > known.for_trusted)


def after(known: Answer, answer: Answer) -> Answer:
    """Return what is known once a newer answer came: a no makes a stricter one no weaker, only a yes ends it."""
    if not answer.is_no:
        return answer
    kind = max(known.kind, answer.kind, key=_KINDS.__getitem__) if known.is_no else answer.kind
    return replace(answer, kind=kind, for_trusted=answer.for_trusted or known.for_trusted)


def is_lifted(no: Answer, yes: Answer) -> bool:
    """Return whether a yes lifts a no of the same browser, or of the same user."""
    if not no.is_no or no.at >= yes.at or not may_change(by_trusted=yes.is_trusted, of_trusted=no.is_trusted):
        return False
    if yes.said_by and no.said_by == yes.said_by:
        return True
    is_same_user = yes.user != "" and yes.user in (no.user, no.key)
    return is_same_user and (yes.is_trusted or not no.for_trusted)


def objections(answers: Answers, subject: Subject) -> list[Answer]:
    """Return the nos that hold for a delivery, the newest first."""
    found = [each for each in answers.about(subject.keys) if each.is_no and _holds(each, subject)]
    return sorted(found, key=lambda no: no.at, reverse=True)


def _holds(no: Answer, subject: Subject) -> bool:
    """Return whether a no about one of its ids holds for a delivery: a public no holds for few trusted ones."""
    is_public = not (no.is_trusted or no.for_trusted)
    if is_public and no.key == subject.order:
        return _holds_for_order(no, subject)
    if may_change(by_trusted=no.is_trusted or no.for_trusted, of_trusted=subject.is_trusted):
        return True
    if no.key in subject.pages:
        return True  # the page's event that is in it may opt it out too
    if no.key == subject.browser:
        return subject.user != ""  # the trusted event links the browser to its user
    return no.key == subject.token


def _holds_for_order(no: Answer, subject: Subject) -> bool:
    """Return whether a public no about an order holds for the order."""
    amount, facts = amount_of(no)
    is_weak = set(facts).isdisjoint(subject.facts)
    if is_weak and (subject.ignores_weak or (subject.is_trusted and is_early(no.at, subject.at))):
        return False
    return not subject.is_trusted or amount in subject.totals


def order_total(side: OrderSide) -> str:
    """Return `Answer.total` of a page order."""
    return " ".join((side.totals[0], *side.facts)) if side.totals else ""


def amount_of(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """Return the amount of an answer about an order, such as `USD 249.00`, and the facts of the buyer.

    >>> amount_of(Answer(key="", said_by="", is_trusted=False, is_no=True, at=0, total="USD 249.00 i0f9a1b"))
    ('USD 249.00', ('i0f9a1b',))
    """
    currency, _, rest = answer.total.partition(" ")
    amount, *facts = rest.split(" ")
    return f"{currency} {amount}".strip(), tuple(facts)


def about_its_order(no: Answer, subject: Subject) -> list[Answer]:
    """Return a no that withholds a page's order as one about it: its shop may tell of it, and not of the browser."""
    if subject.is_trusted and no.key not in subject.pages:
        return []
    total = order_total(OrderSide(totals=subject.totals, facts=subject.facts))
    at = no.at if subject.is_trusted or subject.at is None else subject.at
    said = replace(no, total=total, at=at, is_trusted=False, for_trusted=False)
    return [replace(said, key=key) for key in (subject.token, subject.order) if key]


def has_agreed(answers: Answers, subject: Subject) -> bool:
    """Return whether the person of a delivery said yes. A page's yes about an order counts for the order of its total.

    Else whoever counts up the numbers of a shop's orders could agree for its buyers.
    """
    return any(
        not each.is_no
        and (
            each.key != subject.order
            or each.is_trusted
            or not subject.is_trusted
            or amount_of(each)[0] in subject.totals
        )
        for each in answers.about(subject.keys)
    )


#: Why nothing is sent of somebody who said neither yes nor no.
NOT_ASKED: Final = "CONSENT_REQUIRED: the person has not said yes"
#: What becomes of a delivery: it goes as it is, with `opt_out`, or not at all.
Verdict: TypeAlias = Literal["send", "opt_out", "withhold"]
#: How far a no reaches: `SUPPRESS`.
Reach: TypeAlias = Literal["per_event", "withhold", "fill"]


def verdict(nos: Iterable[Answer], reach: Reach) -> tuple[Verdict, Answer | None]:
    """Return what becomes of a delivery for which these nos hold, and by which of them."""
    found: tuple[Verdict, Answer | None] = ("send", None)
    for no in nos if reach != "fill" else ():
        if no.kind == "category" or reach == "withhold":
            return "withhold", no
        if no.kind == "opt_out" and found[1] is None:
            found = ("opt_out", no)
    return found


def is_opted_out(payload: bytes) -> bool:
    """Return whether a finished event tells Pinterest that its person opted out."""
    return b'"opt_out":true' in payload  # quotation marks of its texts are escaped


def opted_out(payload: bytes) -> bytes:
    """Return a finished event that tells Pinterest that its person opted out."""
    return payload if is_opted_out(payload) else orjson.dumps({**orjson.loads(payload), "opt_out": True})


def key_of(digest: str | None) -> str:
    """Return the key of an id by its digest; "" where there is none."""
    return (digest or "")[:KEY_DIGITS]


def order_key(order_id: str) -> str:
    """Return the key of an order, by which an event is found that names it."""
    return sha256(f"order {order_id}".encode()).hexdigest()[:KEY_DIGITS]


class Lifted(NamedTuple):
    """A no that a yes lifted, by both its ends: the key of the id that it was about, and of who said it."""

    key: str
    said_by: str


def nos_that_count(reach: Reach) -> int:
    """Return which kinds of no do anything to later events, as bits."""
    return {"fill": 0, "per_event": OPT_OUT | _KINDS["category"], "withhold": sum(_KINDS.values())}[reach]


def bits_of(answer: Answer) -> int:
    """Return what an answer is, as bits."""
    return (_KINDS[answer.kind] | (0 if answer.is_trusted else PUBLIC)) if answer.is_no else YES


def bits_about(keys: Iterable[str | None], known: Mapping[str, int]) -> int:
    """Return what is known about some ids, as bits."""
    found = 0
    for key in keys:
        if key is not None and key in known:
            found |= known[key]
    return found


class KeepsConsents(Protocol):
    """The part of the outbox that keeps answers. Every method may raise OutboxUnavailable."""

    async def consents(self, keys: Collection[str]) -> list[Answer]: ...

    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]: ...


class ConsentBook:
    """Knows about which ids anybody answered, so that the store is asked for few events only. One for each process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Take the clock by which it looks again."""
        self._monotonic = monotonic
        #: By id about which anything is known: the kinds of its nos, as bits; 0 where there is no no.
        self.kept: dict[str, int] = {}
        #: These ids, as they are at any time.
        self.ids: AbstractSet[str | None] = self.kept.keys()
        self._after = "0"
        self._read_at = -inf

    async def look(self, store: KeepsConsents, *, max_age_s: float = 0) -> None:
        """Learn what other processes noted, unless that was done so recently. Raises OutboxUnavailable."""
        now = self._monotonic()
        if now - self._read_at >= max_age_s:
            kept, self._after = await store.consent_keys(self._after)
            self.kept.update(kept)
            self._read_at = now

    def note(self, answers: Iterable[Answer], *, is_lifting: bool) -> None:
        """Know answers that this process has written. What a yes lifted is learnt before the next request."""
        for each in answers:
            self.kept[each.key] = self.kept.get(each.key, 0) | (bits_of(each) & ~YES)
        if is_lifting:
            self._read_at = -inf

    def known(self, subjects: Iterable[Subject]) -> set[str]:
        """Return the keys of some deliveries about which anything is known."""
        if not self.kept:
            return set()
        return {key for subject in subjects for key in subject.keys if key in self.kept}

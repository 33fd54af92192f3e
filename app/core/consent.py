"""Consent: answers of people about tracking, and the deliveries that an opt-out covers. Ids are stored as digests."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeAlias

import orjson
from msgspec import Struct
from msgspec.structs import replace

from app.core.deliveries import OrderSide
from app.core.trust import is_early, may_change

#: How a person opted out: by a consent category, by an opt-out flag, or by a permission of the device.
Kind: TypeAlias = Literal["category", "opt_out", "device"]
#: Each kind as a bit in a `ConsentBook`. A stricter kind has a greater bit.
_KINDS: Final[dict[Kind, int]] = {"device": 1, "opt_out": 2, "category": 4}
OPT_OUT: Final = _KINDS["opt_out"]
#: Additional bits: no trusted event has this opt-out; the same request has an opt-in.
PUBLIC: Final = 8
YES: Final = 16
#: The length of a key, in hexadecimal digits of a digest: 64 bits.
KEY_DIGITS: Final = 16


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """The newest answer about an id from a browser, a user or an unknown author."""

    #: The beginning of the digest of an id, a contact, an order or its token.
    key: str
    #: The key of the browser that answered; if the browser is unknown, the key of the user; otherwise "".
    author: str
    #: A trusted event has the answer. Only a trusted opt-in cancels a trusted opt-out.
    is_trusted: bool
    #: The key of the user in the event; "" if the event has none.
    user: str = ""
    #: The answer covers trusted events too, because a trusted event linked the browser to this user.
    for_trusted: bool = False
    is_opt_out: bool
    kind: Kind = "category"
    #: The timestamp of the event, Unix seconds.
    at: float
    #: Of a checkout: the total, such as `USD 249.00`, followed by `OrderSide.facts`; "" if the answer is not about an
    #: order. A trusted order with the same id is the same order only if the order has this amount.
    total: str = ""
    #: "" if the answer was given in the browser; otherwise the name of the source.
    source: str = ""

    @property
    def reason(self) -> str:
        """Return the reason for not sending an event, as a text for people."""
        day = time.gmtime(self.at)
        where = f"by the source {self.source}" if self.source else "in the browser"
        return f"the person opted out on {day.tm_mday} {time.strftime('%B', day)}, {where}"


class Subject(Struct, frozen=True, kw_only=True, gc=False):
    """The person, browser and order that a delivery belongs to."""

    is_trusted: bool
    #: Keys of the user and the browser; "" if the event has none.
    user: str = ""
    browser: str = ""
    #: Keys of e-mail addresses and phone numbers.
    contacts: tuple[str, ...] = ()
    #: The key of the checkout token; "" if the event has none.
    token: str = ""
    #: The key of the order, "" if the event is no checkout; and the amounts in the event.
    order: str = ""
    totals: tuple[str, ...] = ()
    #: Keys of the browsers with a page order that was merged into the delivery.
    pages: tuple[str, ...] = ()
    #: `OrderSide.facts` and `OrderSide.at` of its order.
    facts: tuple[str, ...] = ()
    at: int | None = None
    #: A public opt-out about the order counts only if it shares a fact about the buyer.
    ignores_weak: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of all answers that can apply to the delivery."""
        found = (self.user, self.browser, *self.pages, *self.contacts, self.token, self.order)
        return tuple(key for key in found if key)


class Answers:
    """Collected answers by id: the stored answers, then those of the current request in order."""

    def __init__(self, stored: Iterable[Answer] = ()) -> None:
        """Start with the stored answers."""
        #: By key, then by author and trust.
        self._by_key: dict[str, dict[tuple[str, bool], Answer]] = {}
        #: The keys about which a browser or a user answered.
        self._keys_of: dict[str, set[str]] = {}
        for each in stored:
            self._put(each)

    def add(self, said: Sequence[Answer]) -> list[Answer]:
        """Add the answers of an event, and return those that change anything. An opt-in cancels older opt-outs."""
        new = []
        for answer in said:
            known = self._by_key.get(answer.key, {}).get((answer.author, answer.is_trusted))
            if known is None or is_newer(answer, known):
                self._put(after(known, answer) if known else answer)
                new.append(answer)
        if said and not said[0].is_opt_out:
            yes = said[0]
            names = self._keys_of.get(yes.author, set()) | self._keys_of.get(yes.user, set()) | {yes.user}
            for no in [no for no in self.about(names) if is_lifted(no, yes)]:
                self._put(replace(no, is_opt_out=False, at=yes.at))
        return new

    def about(self, keys: Iterable[str]) -> Iterator[Answer]:
        return (each for key in dict.fromkeys(keys) for each in self._by_key.get(key, {}).values())

    def _put(self, answer: Answer) -> None:
        self._by_key.setdefault(answer.key, {})[answer.author, answer.is_trusted] = answer
        for name in (answer.author, answer.user):
            self._keys_of.setdefault(name, set()).add(answer.key)


def is_newer(answer: Answer, known: Answer) -> bool:
    """Return whether an answer replaces `known`, which has the same author and id.

    At the same time, an opt-out wins.
    """
    if answer.at != known.at:
        return answer.at > known.at
    return answer.is_opt_out and (not known.is_opt_out or answer.for_trusted > known.for_trusted)


def after(known: Answer, answer: Answer) -> Answer:
    """Return the state after a newer answer.

    An opt-out never weakens a stricter one; only an opt-in ends an opt-out.
    """
    if not answer.is_opt_out:
        return answer
    kind = max(known.kind, answer.kind, key=_KINDS.__getitem__) if known.is_opt_out else answer.kind
    return replace(answer, kind=kind, for_trusted=answer.for_trusted or known.for_trusted)


def is_lifted(no: Answer, yes: Answer) -> bool:
    """Return whether an opt-in cancels an opt-out of the same browser or the same user."""
    if not no.is_opt_out or no.at >= yes.at or not may_change(by_trusted=yes.is_trusted, of_trusted=no.is_trusted):
        return False
    if yes.author and no.author == yes.author:
        return True
    is_same_user = yes.user != "" and yes.user in (no.user, no.key)
    return is_same_user and (yes.is_trusted or not no.for_trusted)


def objections(answers: Answers, subject: Subject) -> list[Answer]:
    """Return the opt-outs that apply to a delivery, the newest first."""
    found = [each for each in answers.about(subject.keys) if each.is_opt_out and _holds(each, subject)]
    return sorted(found, key=lambda no: no.at, reverse=True)


def _holds(no: Answer, subject: Subject) -> bool:
    """Return whether an opt-out about an id applies to a delivery.

    A public opt-out applies to few trusted deliveries.
    """
    is_public = not (no.is_trusted or no.for_trusted)
    if is_public and no.key == subject.order:
        return _holds_for_order(no, subject)
    if may_change(by_trusted=no.is_trusted or no.for_trusted, of_trusted=subject.is_trusted):
        return True
    if no.key in subject.pages:
        return True  # the merged page order may also opt the delivery out
    if no.key == subject.browser:
        return subject.user != ""  # the trusted event links the browser to its user
    return no.key == subject.token


def _holds_for_order(no: Answer, subject: Subject) -> bool:
    """Return whether a public opt-out about an order applies to the order."""
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

    >>> amount_of(Answer(key="", author="", is_trusted=False, is_opt_out=True, at=0, total="USD 249.00 i0f9a1b"))
    ('USD 249.00', ('i0f9a1b',))
    """
    currency, _, rest = answer.total.partition(" ")
    amount, *facts = rest.split(" ")
    return f"{currency} {amount}".strip(), tuple(facts)


def about_its_order(no: Answer, subject: Subject) -> list[Answer]:
    """Return an opt-out that withholds a page order as opt-outs about the order.

    The result applies to the matching shop order, and not to the browser.
    """
    if subject.is_trusted and no.key not in subject.pages:
        return []
    total = order_total(OrderSide(totals=subject.totals, facts=subject.facts))
    at = no.at if subject.is_trusted or subject.at is None else subject.at
    said = replace(no, total=total, at=at, is_trusted=False, for_trusted=False)
    return [replace(said, key=key) for key in (subject.token, subject.order) if key]


def has_agreed(answers: Answers, subject: Subject) -> bool:
    """Return whether the person of a delivery opted in.

    A public opt-in about an order counts only for an order with that total. Otherwise anyone who enumerates the order
    numbers of a shop could opt in for its buyers.
    """
    return any(
        not each.is_opt_out
        and (
            each.key != subject.order
            or each.is_trusted
            or not subject.is_trusted
            or amount_of(each)[0] in subject.totals
        )
        for each in answers.about(subject.keys)
    )


#: Reason for withholding events of a person without an answer.
NOT_ASKED: Final = "CONSENT_REQUIRED: the person has not said yes"
#: How a delivery is handled: sent unchanged, sent with `opt_out`, or withheld.
Verdict: TypeAlias = Literal["send", "opt_out", "withhold"]
#: The effect of an opt-out: the setting `SUPPRESS`.
Reach: TypeAlias = Literal["per_event", "withhold", "fill"]


def verdict(opt_outs: Iterable[Answer], reach: Reach) -> tuple[Verdict, Answer | None]:
    """Return how a delivery with these opt-outs is handled, and the opt-out that decides."""
    found: tuple[Verdict, Answer | None] = ("send", None)
    for no in opt_outs if reach != "fill" else ():
        if no.kind == "category" or reach == "withhold":
            return "withhold", no
        if no.kind == "opt_out" and found[1] is None:
            found = ("opt_out", no)
    return found


def is_opted_out(payload: bytes) -> bool:
    """Return whether a finished event has `opt_out: true`."""
    return b'"opt_out":true' in payload  # quotation marks within texts are escaped


def opted_out(payload: bytes) -> bytes:
    """Return a finished event with `opt_out: true`."""
    return payload if is_opted_out(payload) else orjson.dumps({**orjson.loads(payload), "opt_out": True})


def key_of(digest: str | None) -> str:
    """Return the key of an id from its digest; "" without a digest."""
    return (digest or "")[:KEY_DIGITS]


def order_key(order_id: str) -> str:
    """Return the key of an order from its id."""
    return sha256(f"order {order_id}".encode()).hexdigest()[:KEY_DIGITS]


class Lifted(NamedTuple):
    """An opt-out that an opt-in cancelled: the key of the id, and the key of the author."""

    key: str
    author: str


def opt_outs_that_count(reach: Reach) -> int:
    """Return the kinds of opt-out that affect later events, as bits."""
    return {"fill": 0, "per_event": OPT_OUT | _KINDS["category"], "withhold": sum(_KINDS.values())}[reach]


def bits_of(answer: Answer) -> int:
    """Return an answer as bits."""
    return (_KINDS[answer.kind] | (0 if answer.is_trusted else PUBLIC)) if answer.is_opt_out else YES


def bits_about(keys: Iterable[str | None], known: Mapping[str, int]) -> int:
    """Return the bits of all known answers about some ids."""
    found = 0
    for key in keys:
        if key is not None and key in known:
            found |= known[key]
    return found

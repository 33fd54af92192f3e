"""The two sides of an order: the stored data of one side, and the result when the other arrives, or does not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self, TypeAlias

import orjson
from msgspec.structs import asdict, replace

from app.core.deliveries import Match, NewDelivery, OrderSide, State, StoredDelivery, columns_of, side_of
from app.core.events import Outcome
from app.core.fields import BROWSER, CONTACTS, CUSTOM_FIELDS, LDP_PLACE, USER_FIELDS, memory_groups
from app.core.people import GROUPS, OF_PERSON
from app.core.trust import is_early
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.rows import as_json, memory_told, read_memory, read_warnings
from app.outbox.statements import Statements, read_deliveries

#: The time of the page event is used if it is earlier by at most this time.
_EARLIER_S: Final = 3600
#: The prefix for the digest of an IP address among the facts of a buyer.
ADDRESS: Final = "i"

#: Members of `user_data` that describe the buyer; they come from one side.
_BUYER: Final = tuple(each.wire for each in USER_FIELDS if each.identity.owner.merge == "shop_buyer")
#: Members of `user_data` that are best taken from the browser.
_BROWSER: Final = tuple(each.wire for each in USER_FIELDS if each.identity.owner.merge == "page_browser")
#: Lists of `user_data` that are joined.
_UNION: Final = tuple(each.wire for each in USER_FIELDS if each.identity.owner.merge == "union" and each.reading.hashed)
#: Groups that a shop order takes from the memory of the page's person.
CROSSING: Final = tuple(memory_groups(BROWSER))
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
#: By group, members of `user_data`.
_Recalled: TypeAlias = dict[str, dict[str, Any]]
#: Members of `custom_data` that come from one side.
_MONEY: Final = tuple(each.name for each in CUSTOM_FIELDS if each.merge == "money")
_OF_SHOP: Final = tuple(each.name for each in CUSTOM_FIELDS if each.merge == "shop")
_PRODUCTS: Final = tuple(each.name for each in CUSTOM_FIELDS if each.merge == "products")
_ABOUT_PRODUCTS: Final = tuple(each.name for each in CUSTOM_FIELDS if each.merge == "details")
_PLACE: Final = tuple(each.wire for each in LDP_PLACE)
_LDP: Final = "LDP"
#: The prefix of warnings about missing parts, which the counterpart may have.
_WITHOUT: Final = "checkout without "


def match_orders(public: OrderSide, trusted: OrderSide) -> Match | None:
    """Return how a page order matches a shop order of the same id or token; `None` if the two are not one order."""
    if public.token and trusted.token:
        return Match.STRONG if public.token == trusted.token else None
    if set(public.totals).isdisjoint(trusted.totals):
        return None
    if not set(public.facts).isdisjoint(trusted.facts):
        return Match.STRONG
    return Match.EARLY if is_early(public.at, trusted.at) else Match.WEAK


def has_same_sender(earlier: OrderSide, later: OrderSide) -> bool:
    """Return whether two page orders of the same order id have the same IP address and token.

    With a known IP address, a missing token equals any token.
    """
    addresses = [{fact for fact in side.facts if fact.startswith(ADDRESS)} for side in (earlier, later)]
    if addresses[0] != addresses[1]:
        return False
    return earlier.token == later.token or (addresses[0] != set() and None in (earlier.token, later.token))


def is_same_report(earlier: OrderSide, later: OrderSide) -> bool:
    """Return whether two page orders of the same order id are equal in sender and total."""
    return bool(earlier.totals) and earlier.totals == later.totals and has_same_sender(earlier, later)


class SideEvent(NamedTuple):
    """The finished event of one side of an order, or the event into which both sides were merged."""

    payload: bytes
    names_event_id: bool = False
    warnings: Sequence[str] = ()
    #: The data from the memory by group, in the stored form.
    memory: Mapping[str, Any] = _NONE

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `OrderSide.own`."""
        payload, names_event_id, *notes = orjson.loads(text)
        memory = notes.pop() if notes and isinstance(notes[-1], dict) else _NONE
        return cls(payload.encode(), names_event_id, notes, memory)

    @property
    def text(self) -> str:
        """The event as `OrderSide.own` stores it."""
        notes = [*self.warnings, *([self.memory] if self.memory else [])]
        return as_json([self.payload.decode(), self.names_event_id, *notes])


def merged(public: SideEvent, trusted: SideEvent, *, crossing: Collection[str] = CROSSING) -> SideEvent:
    """Merge the finished events of a page and a shop: money and buyer of the shop, browser and event id of the page.

    Of two public events the newer counts as public. The event id of the page is that of the tag; `names_event_id` is
    false if another delivery that was sent or is bound has this id. The memory has completed each event separately.
    This data is removed, and then completes members that both events lack: from the memory of the shop's person, and
    for `crossing` groups from that of the page's person.
    """
    page, shop = orjson.loads(public.payload), orjson.loads(trusted.payload)
    of_shop, of_page = _taken_out(shop["user_data"], trusted.memory), _taken_out(page["user_data"], public.memory)
    event = {**page, **shop}
    if "event_source_url" in page:
        event["event_source_url"] = page["event_source_url"]
    if public.names_event_id:
        event["event_id"] = page["event_id"]
    if 0 <= shop["event_time"] - page["event_time"] <= _EARLIER_S:
        event["event_time"] = page["event_time"]
    event["user_data"] = _user_data(page["user_data"], shop["user_data"])
    memory = _fill(event["user_data"], of_shop, trusted.memory)
    crossed = {group: of_page[group] for group in crossing if group in of_page}
    memory |= _fill(event["user_data"], crossed, public.memory)
    custom_data = _custom_data(page.get("custom_data", {}), shop.get("custom_data", {}))
    event.pop("custom_data", None)
    if custom_data:
        event["custom_data"] = custom_data
    _keep_every_no(event, (page, shop))
    warnings = _warnings(public.warnings, trusted.warnings, custom_data)
    names_event_id = public.names_event_id or trusted.names_event_id
    return SideEvent(orjson.dumps(event), names_event_id, warnings, memory)


def with_opt_outs(shop: SideEvent, pages: Sequence[bytes]) -> SideEvent:
    """Return a shop event with the opt-outs of page events, without their other data."""
    event = orjson.loads(shop.payload)
    _keep_every_no(event, [*map(orjson.loads, pages), orjson.loads(shop.payload)])
    return shop._replace(payload=orjson.dumps(event))


def _taken_out(user_data: dict[str, Any], memory: Iterable[str]) -> _Recalled:
    return {group: {name: user_data.pop(name) for name in GROUPS[group] if name in user_data} for group in memory}


def _fill(user_data: dict[str, Any], recalled: _Recalled, memory: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a `user_data` by the missing groups of the memory; return the data to store about these.

    If the event describes another person than the remembered one, groups of `OF_PERSON` are not added.
    """
    is_other = any(
        name in user_data and set(recalled[name][name]) != set(user_data[name])
        for name in CONTACTS
        if recalled.get(name)
    )
    told = {}
    for group, members in recalled.items():
        if user_data.keys().isdisjoint(GROUPS[group]) and not (is_other and group in OF_PERSON):
            user_data.update(members)
            told[group] = memory[group]
    return told


def _user_data(page: dict[str, Any], shop: dict[str, Any]) -> dict[str, Any]:
    user_data = {**page, **shop}
    user_data |= {name: page[name] for name in _BROWSER if name in page}
    if not shop.keys().isdisjoint(_BUYER):
        _take(_BUYER, shop, user_data)
    for name in _UNION:
        if values := dict.fromkeys((*shop.get(name, ()), *page.get(name, ()))):
            user_data[name] = list(values)
    return user_data


def _custom_data(page: dict[str, Any], shop: dict[str, Any]) -> dict[str, Any]:
    custom_data = {**page, **shop}
    _take(_OF_SHOP, shop, custom_data)
    _take(_MONEY, page if "value" in page and "value" not in shop else shop, custom_data)
    if shop.keys().isdisjoint(_PRODUCTS) and not page.keys().isdisjoint(_PRODUCTS):
        _take((*_PRODUCTS, *_ABOUT_PRODUCTS), page, custom_data)
        if custom_data.get("currency") != page.get("currency"):
            _take_off_prices(custom_data)
    else:
        _take((*_PRODUCTS, *_ABOUT_PRODUCTS), shop, custom_data)
    return custom_data


def _take(names: Iterable[str], side: dict[str, Any], members: dict[str, Any]) -> None:
    for name in names:
        members.pop(name, None)
        if name in side:
            members[name] = side[name]


def _take_off_prices(custom_data: dict[str, Any]) -> None:
    """Remove the page's prices, which have another currency than the sent one."""
    contents = [{name: each[name] for name in each if name != "item_price"} for each in custom_data.get("contents", ())]
    _take(("contents",), {"contents": kept} if (kept := [each for each in contents if each]) else {}, custom_data)


def _keep_every_no(event: dict[str, Any], sides: Sequence[dict[str, Any]]) -> None:
    types = [side.get("custom_data", {}).get("opt_out_type", "") for side in sides]
    if flags := dict.fromkeys(flag for each in types for flag in each.split(",") if flag):
        event.setdefault("custom_data", {})["opt_out_type"] = ",".join(flags)
    # Pinterest applies LDP to the state that is sent: if the merge changed the state, LDP becomes a plain opt-out
    unheeded = (
        _LDP in each.split(",") and any(side["user_data"].get(name) != event["user_data"].get(name) for name in _PLACE)
        for side, each in zip(sides, types, strict=True)
    )
    if any(side.get("opt_out") is True for side in sides) or any(unheeded):
        event["opt_out"] = True


def _warnings(public: Sequence[str], trusted: Sequence[str], custom_data: dict[str, Any]) -> tuple[str, ...]:
    told = dict.fromkeys((*trusted, *(each for each in public if not each.startswith("custom_data"))))
    return tuple(
        each
        for each in told
        if not (each.startswith(_WITHOUT) and each.removeprefix(_WITHOUT).partition(":")[0] in custom_data)
    )


#: Within this time Pinterest silently drops the second of two events with the same id.
ID_KEPT_S: Final = DAY_S
#: The warning of a page order before its confirmation by the shop.
NOT_CONFIRMED: Final = "not confirmed by the shop"
#: The prefix of the warnings of two orders that were both sent, since page and shop disagree.
PAGE_DIFFERS: Final = "the page's order differs"
SHOP_SENT_TOO: Final = "the shop's order differs"
#: The prefix of the warning of a shop order if a page order with the same amount was sent too, and is not its
#: counterpart.
PAGE_SENT_TOO: Final = "a page order was sent before the shop order"
#: The reasons why a page order is not sent.
SHOP_DIFFERS: Final = "the shop's own order differs"
SHOP_HAS_ID: Final = "the shop's own order has its event_id"
ARRIVED_EARLY: Final = "it arrived before the shop created the order"
ANOTHER_MATCHES: Final = "another page order matches the token or the buyer of the shop's order"
SEVERAL_MATCH: Final = "several page orders match the shop's order, and none of them its token or its buyer"
GAVE_WAY: Final = "more than 20 events claim the order"
FIRST_WAS_SENT: Final = "an earlier event of the page for the same order was sent"
PAGE_WAS_TAKEN: Final = "Pinterest accepted the same order from the page"
#: The prefix of the reason with the delivery that an event was merged into.
MERGED_INTO: Final = "merged with delivery"
#: Values of `follows`: the delivery waits for its counterpart, after no other; or waits and is withheld without its
#: counterpart.
WAITS: Final = 0
WAITS_TO_BE_WITHHELD: Final = -1
#: The interval of checks of the delivery that another one follows.
LOOK_S: Final = 15.0
#: The time before the age limit of Pinterest at which a shop order that follows a page order is sent.
_BEFORE_TOO_OLD_S: Final = 12 * HOUR_S


def holds_id(stored: StoredDelivery, now: float) -> bool:
    """Return whether Pinterest would treat another event with the id of this delivery as a duplicate."""
    return stored.has_left and (stored.settled_at is None or stored.settled_at > now - ID_KEPT_S)


async def read_twins(store: Statements, ids: Sequence[int]) -> dict[object, StoredDelivery]:
    """Read deliveries that may be the counterparts of an order, by id.

    Skip a pending delivery if its payload is missing or damaged: nothing can be merged into that delivery.
    """
    found = await read_deliveries(store, ids)
    return {each.delivery_id: each for each in found if each.state != State.PENDING or _is_event(each.payload)}


def _is_event(payload: bytes | None) -> bool:
    try:
        return isinstance(orjson.loads(payload or b""), dict)
    except orjson.JSONDecodeError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The decision about an order with stored events of either side."""

    into: StoredDelivery | None = None
    #: How the page order matches the shop order; `None` between two page orders.
    match: Match | None = None
    #: Page orders of which a shop order takes only the opt-outs.
    opt_outs: tuple[StoredDelivery, ...] = ()
    #: Whether the order may use its event id: no other delivery has this id.
    may_name_id: bool = True
    #: The delivery that the order waits for.
    follows: int | None = None
    #: The new event id, since its id was sent with another order.
    event_id: str | None = None
    #: Deliveries that stop waiting, and the reasons.
    dropped: tuple[tuple[StoredDelivery, str], ...] = ()
    #: Of a delivery in `dropped`: the delivery that its followers follow from now on.
    heirs: tuple[tuple[int, int], ...] = ()
    #: New warnings of other deliveries.
    told: tuple[tuple[StoredDelivery, str], ...] = ()
    #: Keys to store in addition to those from its columns.
    learned: tuple[Any, ...] = ()


class Merge(NamedTuple):
    """A delivery after another one was merged into it, and its due time."""

    stored: StoredDelivery
    #: Whether the delivery waits for its counterpart as before.
    waits_on: bool
    #: The hold of its preset in seconds, counted from `held_from` of `HoldClock`.
    hold_s: float
    held_from: float

    def parameters(self, now: float) -> dict[str, Any]:
        """Return the parameters of an engine's statement `merge`."""
        due = {"waits_on": self.waits_on, "hold_s": self.hold_s, "held_from": self.held_from, "now": now}
        return asdict(self.stored) | due


def merge(twin: StoredDelivery, delivery: NewDelivery, pairing: Pairing, *, held_from: float) -> Merge:
    """Merge a delivery into one that was not sent; of two public ones the newer counts as the page's."""
    side, twin_side = delivery.side or OrderSide(), twin.side or OrderSide()
    new = SideEvent(delivery.payload, side.names_event_id, delivery.warnings, memory_told(delivery))
    known = _stored_event(twin, twin_side)
    page, shop = (known, new) if delivery.is_trusted else (new, known)
    is_trusted, was_weak = twin.is_trusted or delivery.is_trusted, twin_side.match is Match.WEAK
    if was_weak and twin_side.own is not None:
        shop = SideEvent.read(twin_side.own)
    is_one_of_several = was_weak and pairing.match is Match.WEAK
    if is_one_of_several:
        one = with_opt_outs(shop, [known.payload, new.payload])
    else:
        page = page._replace(names_event_id=page.names_event_id and pairing.may_name_id)
        one = merged(page, shop, crossing=CROSSING if is_trusted else page.memory)
    columns = columns_of(orjson.loads(one.payload))
    buyer = columns.pop("buyer")
    own = shop.text if pairing.match is Match.WEAK else None
    notes = () if is_trusted else (NOT_CONFIRMED,)
    waits_on = not is_trusted or is_one_of_several
    stored = replace(
        twin,
        merged=twin.merged + 1,
        **columns,
        checkout_id=twin.checkout_id or delivery.checkout_id,
        stored_buyer=as_json(buyer),
        stored_warnings=as_json([*notes, *one.warnings, *([one.memory] if one.memory else [])]),
        stored_side=as_json(side_of(_merged_side(twin_side, side, delivery, pairing, one, own))),
        is_trusted=is_trusted,
        channel=delivery.channel or twin.channel,
        follows=twin.follows if waits_on else None,
        payload=one.payload,
    )
    return Merge(stored=stored, waits_on=waits_on, hold_s=delivery.hold_s, held_from=held_from)


def _stored_event(twin: StoredDelivery, side: OrderSide) -> SideEvent:
    warnings, memory = without_note(twin.stored_warnings), read_memory(twin.stored_warnings)
    return SideEvent(twin.payload or b"", side.names_event_id, warnings, memory)


def _merged_side(
    known: OrderSide, new: OrderSide, delivery: NewDelivery, pairing: Pairing, one: SideEvent, own: str | None
) -> OrderSide:
    """Return the side of a delivery after a merge: of the shop, or of two page orders with the earlier arrival."""
    is_replaced = known.match is Match.WEAK and pairing.match is Match.STRONG
    browsers = tuple(dict.fromkeys((*(() if is_replaced else known.browsers), *new.browsers)))
    if pairing.match is None and not delivery.is_trusted:
        known = replace(known, token=known.token or new.token, facts=tuple(dict.fromkeys((*known.facts, *new.facts))))
    shop = new if delivery.is_trusted else known
    return replace(
        shop, names_event_id=one.names_event_id, browsers=browsers, match=pairing.match or known.match, own=own
    )


def with_opt_outs_of(delivery: NewDelivery, pages: Sequence[StoredDelivery]) -> NewDelivery:
    """Return a shop order with the opt-outs of several weak page orders."""
    side = delivery.side or OrderSide()
    shop = SideEvent(delivery.payload, side.names_event_id, delivery.warnings, memory_told(delivery))
    payload = with_opt_outs(shop, [page.payload for page in pages if page.payload]).payload
    return replace(delivery, payload=payload, side=replace(side, match=Match.WEAK, own=shop.text))


def without_note(warnings: str) -> tuple[str, ...]:
    """Return stored warnings without the note about the missing confirmation of the shop."""
    return tuple(each for each in read_warnings(warnings) if each != NOT_CONFIRMED)


@dataclass(slots=True)
class WaitsOver:
    """The decisions about deliveries that waited."""

    sent: list[int] = field(default_factory=list)
    #: Checked again after LOOK_S.
    waiting: list[int] = field(default_factory=list)
    #: [delivery, its outcome, the reason] of those that are not sent.
    dropped: list[tuple[int, Outcome, str]] = field(default_factory=list)
    #: Of these, deliveries with repeatable events: their keys are deleted.
    withheld: list[StoredDelivery] = field(default_factory=list)
    #: By a delivery that was deleted unsent: the page event that is sent in its place, of those that followed it.
    first: dict[int, int] = field(default_factory=dict)


def waits_over(
    waiting: Iterable[StoredDelivery], states: Mapping[int, State | None], *, now: float, max_event_age_s: float
) -> WaitsOver:
    """Decide about deliveries that follow others: no order is sent after Pinterest accepted it.

    `states` has, for each waiting delivery, the state of the delivery that it follows; `None` if that does not exist.
    """
    over = WaitsOver()
    for each in waiting:
        id_, state, follows = each.delivery_id, states[each.delivery_id], each.follows or WAITS
        if follows == WAITS_TO_BE_WITHHELD:
            over.dropped.append((id_, Outcome.WITHHELD, NOT_CONFIRMED))
            over.withheld.append(each)
        elif state == State.DELIVERED:
            reason = PAGE_WAS_TAKEN if each.is_trusted else FIRST_WAS_SENT
            over.dropped.append((id_, Outcome.DUPLICATE, f"{reason}, as delivery {follows}"))
        elif state in {State.PENDING, State.CLAIMED} and not (
            each.is_trusted and now > each.event_time + max_event_age_s - _BEFORE_TOO_OLD_S
        ):
            over.waiting.append(id_)
        elif each.is_trusted or over.first.setdefault(follows, id_) == id_:
            over.sent.append(id_)
        else:
            over.waiting.append(id_)
    return over

"""One order from two sides: whether the page's event and the shop's are bound, and the one event that they become."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from app.core.deliveries import OrderSide
from app.core.people import GROUPS, OF_PERSON

#: The page's event may be so much earlier that its time is the better one.
_EARLIER_S: Final = 3600

#: Members of `user_data` that describe the buyer; they come from one side.
_BUYER: Final = ("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country")
#: Members of `user_data` that the browser knows best.
_BROWSER: Final = ("click_id", "client_ip_address", "client_user_agent")
#: Of what memory knows of the page's person so much crosses to an order of the shop: the groups.
CROSSING: Final = ("click",)
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
#: By group, members of `user_data`.
_Recalled: TypeAlias = dict[str, dict[str, Any]]
#: Members of `custom_data` that come from one side.
_MONEY: Final = ("value", "currency", "predicted_ltv")
_PRODUCTS: Final = ("contents", "content_ids")
_ABOUT_PRODUCTS: Final = ("num_items", "content_name", "content_category", "content_brand")
_PLACE: Final = ("st", "country")
_LDP: Final = "LDP"
#: Warnings that a side without these parts has, which the other side may have.
_WITHOUT: Final = "checkout without "


def bound(public: OrderSide, proven: OrderSide) -> bool:
    """Return whether a public and a proven event of one order id, or of one token, are one order.

    Without an order id that both name only an equal token tells.
    """
    if public.token and proven.token:
        return public.token == proven.token
    return not set(public.totals).isdisjoint(proven.totals)


def is_twin(earlier: OrderSide, later: OrderSide) -> bool:
    """Return whether two public events of one order id are one: their totals are equal, their tokens do not differ."""
    differs = earlier.token and later.token and earlier.token != later.token
    return bool(earlier.totals) and earlier.totals == later.totals and not differs


class Merged(NamedTuple):
    """The one event that two sides of an order become, and the columns of its row that follow."""

    payload: bytes
    event_id: str
    event_time: int
    amount: str | None
    currency: str | None
    #: Digests of e-mail addresses, as `NewDelivery.buyer`.
    buyer: tuple[str, ...]
    #: Whether `event_id` was named by its event, as `OrderSide.names_event_id` says.
    names_event_id: bool
    warnings: tuple[str, ...]
    #: What is in it from memory, by group, as it is stored behind the warnings.
    memory: dict[str, Any]


class SideEvent(NamedTuple):
    """The finished event of one side of an order."""

    payload: bytes
    names_event_id: bool = False
    warnings: Sequence[str] = ()
    #: What is in it from memory, by group, as it is stored behind the warnings.
    memory: Mapping[str, Any] = _NONE


def merged(public: SideEvent, proven: SideEvent, *, crossing: Collection[str] = CROSSING) -> Merged:
    """Merge the finished events of a page and a shop: money and buyer of the shop, browser and event id of the page.

    Of two public ones the newer is taken as public. The id that the page named is the tag's; `names_event_id` is false
    where another delivery has it that left or is bound.
    Memory has completed each of them by itself. That is taken out, and completes what both lack: what memory knows of
    the shop's person, and of the page's the groups that are `crossing`.
    """
    page, shop = orjson.loads(public.payload), orjson.loads(proven.payload)
    of_shop, of_page = _taken_out(shop["user_data"], proven.memory), _taken_out(page["user_data"], public.memory)
    event = {**page, **shop}
    if "event_source_url" in page:
        event["event_source_url"] = page["event_source_url"]
    if public.names_event_id:
        event["event_id"] = page["event_id"]
    if 0 <= shop["event_time"] - page["event_time"] <= _EARLIER_S:
        event["event_time"] = page["event_time"]
    event["user_data"] = _user_data(page["user_data"], shop["user_data"])
    memory = _fill(event["user_data"], of_shop, proven.memory)
    crossed = {group: of_page[group] for group in crossing if group in of_page}
    memory |= _fill(event["user_data"], crossed, public.memory)
    custom_data = _custom_data(page.get("custom_data", {}), shop.get("custom_data", {}))
    event.pop("custom_data", None)
    if custom_data:
        event["custom_data"] = custom_data
    _keep_every_no(event, (page, shop))
    return Merged(
        payload=orjson.dumps(event),
        event_id=event["event_id"],
        event_time=event["event_time"],
        amount=custom_data.get("value"),
        currency=custom_data.get("currency"),
        buyer=tuple(event["user_data"].get("em", ())),
        names_event_id=public.names_event_id or proven.names_event_id,
        warnings=_warnings(public.warnings, proven.warnings, custom_data),
        memory=memory,
    )


def _taken_out(user_data: dict[str, Any], memory: Iterable[str]) -> _Recalled:
    return {group: {name: user_data.pop(name) for name in GROUPS[group] if name in user_data} for group in memory}


def _fill(user_data: dict[str, Any], recalled: _Recalled, memory: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a `user_data` by the groups of memory that it has no member of, and return what is told of these.

    Somebody else than the person that is remembered gets none of the person's groups.
    """
    is_other = any(
        name in user_data and set(recalled[name][name]) != set(user_data[name])
        for name in ("em", "ph")
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
    if external_ids := dict.fromkeys((*shop.get("external_id", ()), *page.get("external_id", ()))):
        user_data["external_id"] = list(external_ids)
    return user_data


def _custom_data(page: dict[str, Any], shop: dict[str, Any]) -> dict[str, Any]:
    custom_data = {**page, **shop}
    _take(("order_id",), shop, custom_data)
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
    """Leave out the page's prices, which are in another currency than the one that is sent."""
    contents = [{name: each[name] for name in each if name != "item_price"} for each in custom_data.get("contents", ())]
    _take(("contents",), {"contents": kept} if (kept := [each for each in contents if each]) else {}, custom_data)


def _keep_every_no(event: dict[str, Any], sides: Sequence[dict[str, Any]]) -> None:
    if any(side.get("advertiser_tracking_enabled") is False for side in sides):
        event["advertiser_tracking_enabled"] = False
    types = [side.get("custom_data", {}).get("opt_out_type", "") for side in sides]
    if flags := dict.fromkeys(flag for each in types for flag in each.split(",") if flag):
        event.setdefault("custom_data", {})["opt_out_type"] = ",".join(flags)
    # Pinterest heeds LDP by the state that is sent: where that is not the one that it was said with, it is a plain no
    unheeded = (
        _LDP in each.split(",") and any(side["user_data"].get(name) != event["user_data"].get(name) for name in _PLACE)
        for side, each in zip(sides, types, strict=True)
    )
    if any(side.get("opt_out") is True for side in sides) or any(unheeded):
        event["opt_out"] = True


def _warnings(public: Sequence[str], proven: Sequence[str], custom_data: dict[str, Any]) -> tuple[str, ...]:
    told = dict.fromkeys((*proven, *(each for each in public if not each.startswith("custom_data"))))
    return tuple(
        each
        for each in told
        if not (each.startswith(_WITHOUT) and each.removeprefix(_WITHOUT).partition(":")[0] in custom_data)
    )

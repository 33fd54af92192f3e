"""One order from two sides: when they are bound, and the one event that they become."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from app.core.deliveries import Match, OrderSide, State, StoredDelivery, columns_of
from app.core.people import GROUPS
from app.outbox.pairing import (
    WAITS_TO_BE_WITHHELD,
    SideEvent,
    is_same_report,
    match_orders,
    merged,
    waits_over,
)
from tests.rounds import examples
from tests.rows import every_row

NONE = OrderSide()


def of(*totals: str, **members: Any) -> OrderSide:
    return OrderSide(totals=totals, **members)


STRONG, WEAK, EARLY = Match.STRONG, Match.WEAK, Match.EARLY
IP, MAIL = ("iaaaaaa",), ("eaaaaaa",)


@every_row(
    ("public", "trusted", "expected"),
    [
        (of("USD 249.00"), of("USD 249.00"), WEAK),
        (of("USD 249.00"), of("USD 229.00", "USD 249.00"), WEAK),
        (of("USD 0.01"), of("USD 249.00"), None),
        (of("EUR 249.00"), of("USD 249.00"), None),
        (NONE, of("USD 249.00"), None),
        (of("USD 249.00"), NONE, None),
        (NONE, NONE, None),
        (of(token="t"), of("USD 80.00", token="t"), STRONG),
        (of("USD 1.00", token="t"), of("USD 80.00", token="t"), STRONG),
        (of("USD 80.00", token="t"), of("USD 80.00", token="u"), None),
        (of("USD 80.00", token="t"), of("USD 80.00"), WEAK),
        (of("USD 80.00"), of("USD 80.00", token="t"), WEAK),
        (of(token="t"), of("USD 80.00"), None),
        (of("USD 80.00", facts=IP), of("USD 80.00", facts=(*MAIL, *IP)), STRONG),
        (of("USD 80.00", facts=MAIL), of("USD 80.00", facts=(*MAIL, *IP)), STRONG),
        (of("USD 80.00", facts=MAIL), of("USD 80.00", facts=IP), WEAK),
        (of("USD 80.01", facts=IP), of("USD 80.00", facts=IP), None),
        (of("USD 80.00", token="t", facts=IP), of("USD 80.00", token="u", facts=IP), None),
        (of("USD 80.00", at=939), of("USD 80.00", at=1_000), EARLY),
        (of("USD 80.00", at=940), of("USD 80.00", at=1_000), WEAK),
        (of("USD 80.00", at=2_000), of("USD 80.00", at=1_000), WEAK),
        (of("USD 80.00"), of("USD 80.00", at=1_000), WEAK),
        (of("USD 80.00", at=1), of("USD 80.00"), WEAK),
        (of("USD 80.00", at=1, facts=IP), of("USD 80.00", at=1_000, facts=IP), STRONG),
        (of("USD 80.00", at=1, token="t"), of("USD 80.00", at=1_000, token="t"), STRONG),
    ],
)
def test_a_page_order_matches_a_shop_order(public: OrderSide, trusted: OrderSide, *, expected: Match | None) -> None:
    assert match_orders(public, trusted) is expected


@every_row(
    ("earlier", "later", "expected"),
    [
        (of("USD 9.00"), of("USD 9.00"), True),
        (of("USD 9.00"), of("EUR 9.00"), False),
        (of("USD 9.00"), of("USD 8.00"), False),
        (of("USD 9.00", token="t"), of("USD 9.00", token="t"), True),
        (of("USD 9.00", token="t"), of("USD 9.00"), False),
        (of("USD 9.00", token="t"), of("USD 9.00", token="u"), False),
        (of("USD 9.00", token="t", facts=IP), of("USD 9.00", facts=(*MAIL, *IP)), True),
        (of("USD 9.00", token="t", facts=IP), of("USD 9.00", token="u", facts=IP), False),
        (of("USD 9.00", facts=IP), of("USD 9.00", facts=("ibbbbbb",)), False),
        (of("USD 9.00", facts=IP), of("USD 9.00"), False),
        (of("USD 9.00", facts=MAIL), of("USD 9.00"), True),
        (NONE, NONE, False),
        (NONE, of("USD 9.00"), False),
    ],
)
def test_two_page_orders_are_one_if_sender_and_total_are_equal(
    earlier: OrderSide, later: OrderSide, *, expected: bool
) -> None:
    assert is_same_report(earlier, later) is expected
    assert is_same_report(later, earlier) is expected


AT = 1_800_000_000


def event(user_data: Any = None, custom_data: Any = None, **members: Any) -> dict[str, Any]:
    built = {"event_name": "checkout", "action_source": "web", "event_time": AT, "event_id": "shop-1"}
    return {**built, "user_data": user_data or {}, **({"custom_data": custom_data} if custom_data else {}), **members}


def merge(page: dict[str, Any], shop: dict[str, Any], *, names: bool = True) -> dict[str, Any]:
    found = merged(SideEvent(orjson.dumps(page), names_event_id=names), SideEvent(orjson.dumps(shop)))
    payload: dict[str, Any] = orjson.loads(found.payload)
    return payload


#: Custom data of the page, of the shop, and of the one event.
CUSTOM_DATA: list[tuple[str, Any, Any, Any]] = [
    (
        "money whole from the shop",
        {"value": "1", "currency": "EUR", "predicted_ltv": "9"},
        {"value": "2", "currency": "USD"},
        {"value": "2", "currency": "USD"},
    ),
    (
        "no currency of the page beside a value of the shop",
        {"value": "1", "currency": "EUR"},
        {"value": "2"},
        {"value": "2"},
    ),
    (
        "money whole from the page where the shop has no value",
        {"value": "1", "currency": "EUR"},
        {"currency": "USD"},
        {"value": "1", "currency": "EUR"},
    ),
    (
        "no value on either side",
        {"currency": "EUR"},
        {"currency": "USD", "order_id": "7"},
        {"currency": "USD", "order_id": "7"},
    ),
    (
        "products with their count from the shop",
        {"content_ids": ["p"], "contents": [{"id": "p"}], "num_items": 9, "content_name": "P"},
        {"content_ids": ["s"], "num_items": 1},
        {"content_ids": ["s"], "num_items": 1},
    ),
    (
        "no count of the page beside products of the shop",
        {"content_ids": ["p"], "num_items": 9},
        {"contents": [{"id": "s"}]},
        {"contents": [{"id": "s"}]},
    ),
    (
        "products with their count from the page where the shop has none",
        {"value": "1", "currency": "USD", "contents": [{"id": "p", "item_price": "1"}], "num_items": 2},
        {"value": "2", "currency": "USD", "num_items": 5, "content_name": "S"},
        {"value": "2", "currency": "USD", "contents": [{"id": "p", "item_price": "1"}], "num_items": 2},
    ),
    (
        "no price of the page in another currency",
        {"currency": "EUR", "contents": [{"id": "p", "item_price": "1"}, {"item_price": "2"}], "content_ids": ["p"]},
        {"value": "2", "currency": "USD"},
        {"value": "2", "currency": "USD", "contents": [{"id": "p"}], "content_ids": ["p"]},
    ),
    (
        "nothing left of products but their prices",
        {"currency": "EUR", "contents": [{"item_price": "2"}]},
        {"value": "2", "currency": "USD"},
        {"value": "2", "currency": "USD"},
    ),
    ("the shop's name of products", {}, {"content_name": "S"}, {"content_name": "S"}),
    ("the order id of the shop", {"order_id": "#7"}, {"order_id": "7"}, {"order_id": "7"}),
    ("no order id of the page", {"order_id": "7", "search_string": "sofa"}, {}, {"search_string": "sofa"}),
    ("nothing on either side", {}, {}, None),
]


@every_row(("page", "shop", "expected"), [row[1:] for row in CUSTOM_DATA], ids=[row[0] for row in CUSTOM_DATA])
def test_custom_data_of_two_sides(page: Any, shop: Any, expected: Any) -> None:
    payload = merge(event({}, page), event({}, shop))

    assert payload.get("custom_data") == expected


#: User data of the page, of the shop, and of the one event.
USER_DATA: list[tuple[str, Any, Any, Any]] = [
    (
        "the buyer is one group",
        {"em": ["p"], "ph": ["p"], "fn": ["p"], "ct": ["p"], "zp": ["p"], "ge": ["p"], "db": ["p"]},
        {"ln": ["s"]},
        {"ln": ["s"]},
    ),
    ("the page's buyer where the shop names none", {"em": ["p"], "ct": ["p"]}, {}, {"em": ["p"], "ct": ["p"]}),
    (
        "the browser is the page's",
        {"click_id": "p", "client_ip_address": "1.1.1.1", "client_user_agent": "p"},
        {"click_id": "s", "client_ip_address": "2.2.2.2", "client_user_agent": "s", "em": ["s"]},
        {"click_id": "p", "client_ip_address": "1.1.1.1", "client_user_agent": "p", "em": ["s"]},
    ),
    (
        "each of it the shop's where the page has none",
        {"client_user_agent": "p"},
        {"click_id": "s", "client_ip_address": "2.2.2.2", "client_user_agent": "s"},
        {"click_id": "s", "client_ip_address": "2.2.2.2", "client_user_agent": "p"},
    ),
    (
        "both external ids, the shop's first",
        {"external_id": ["p", "both"]},
        {"external_id": ["s", "both"]},
        {"external_id": ["s", "both", "p"]},
    ),
    ("external ids of the page alone", {"external_id": ["p"]}, {}, {"external_id": ["p"]}),
    ("a device of the page", {"hashed_maids": ["p"]}, {"em": ["s"]}, {"hashed_maids": ["p"], "em": ["s"]}),
]


@every_row(("page", "shop", "expected"), [row[1:] for row in USER_DATA], ids=[row[0] for row in USER_DATA])
def test_user_data_of_two_sides(page: Any, shop: Any, expected: Any) -> None:
    assert merge(event(page), event(shop))["user_data"] == expected


TOP: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("the page's address", {"event_source_url": "p"}, {"event_source_url": "s"}, {"event_source_url": "p"}),
    ("else the shop's", {}, {"event_source_url": "s"}, {"event_source_url": "s"}),
    ("the shop's time", {"event_time": AT + 5}, {}, {"event_time": AT}),
    ("the page's up to an hour earlier", {"event_time": AT - 3600}, {}, {"event_time": AT - 3600}),
    ("the shop's where the page's is older", {"event_time": AT - 3601}, {}, {"event_time": AT}),
    ("an opt-out of the page", {"opt_out": True}, {"opt_out": False}, {"opt_out": True}),
    ("an opt-out of the shop", {"opt_out": False}, {"opt_out": True}, {"opt_out": True}),
    ("nobody opted out", {"opt_out": False}, {}, {"opt_out": False}),
    ("the shop's words elsewhere", {"language": "de"}, {"language": "en"}, {"language": "en"}),
    ("the page's where the shop has none", {"language": "de"}, {}, {"language": "de"}),
]


@every_row(("page", "shop", "expected"), [row[1:] for row in TOP], ids=[row[0] for row in TOP])
def test_the_members_beside(page: Any, shop: Any, expected: Any) -> None:
    payload = merge(event(**page), event(**shop))

    assert {name: payload.get(name) for name in expected} == expected
    assert "custom_data" not in payload


@pytest.mark.parametrize(("names", "event_id"), [(True, "tag-1"), (False, "shop-1")])
def test_the_event_id_is_the_tags_where_its_event_named_it(event_id: str, *, names: bool) -> None:
    assert merge(event(event_id="tag-1"), event(), names=names)["event_id"] == event_id


CALIFORNIA = {"st": ["ca"], "country": ["us"]}
LDP: list[tuple[str, Any, Any, Any]] = [
    (
        "of the page, with the state that is sent",
        event(CALIFORNIA, {"opt_out_type": "LDP"}),
        event(CALIFORNIA),
        ("LDP", None),
    ),
    (
        "of the page, whose state is not sent",
        event(CALIFORNIA, {"opt_out_type": "LDP"}),
        event({"em": ["s"]}),
        ("LDP", True),
    ),
    ("of the shop", event(), event(CALIFORNIA, {"opt_out_type": "LDP"}), ("LDP", None)),
    (
        "beside other flags",
        event(CALIFORNIA, {"opt_out_type": "LDP,p"}),
        event(CALIFORNIA, {"opt_out_type": "s"}),
        ("LDP,p,s", None),
    ),
]


@pytest.mark.parametrize(("page", "shop", "expected"), [row[1:] for row in LDP], ids=[row[0] for row in LDP])
def test_limited_data_processing_of_either_side_is_kept(page: Any, shop: Any, expected: Any) -> None:
    payload = merge(page, shop)

    assert (payload["custom_data"]["opt_out_type"], payload.get("opt_out")) == expected


def test_the_columns_follow_from_the_one_event() -> None:
    page = event({"em": ["p"]}, {"value": "1", "currency": "EUR"}, event_id="tag-1", event_time=AT - 60)
    shop = event({}, {"value": "2", "currency": "USD"})

    found = merged(
        SideEvent(
            orjson.dumps(page),
            names_event_id=True,
            warnings=["checkout without order_id: no", "custom_data.value: read", "user_data.ph: left out", "both"],
        ),
        SideEvent(orjson.dumps(shop), warnings=["checkout without value: no", "both"]),
    )

    assert found == SideEvent(
        payload=found.payload,
        names_event_id=True,
        warnings=("both", "checkout without order_id: no", "user_data.ph: left out"),
        memory={},
    )
    assert columns_of(orjson.loads(found.payload)) == {
        "event_id": "tag-1",
        "event_time": AT - 60,
        "order_id": None,
        "amount": "2",
        "currency": "USD",
        "buyer": ("p",),
    }


#: What each side says itself, what memory added to it, and what is sent; `*` behind a name: it came from memory.
MEMORY: list[tuple[str, str, str, str, str, str]] = [
    ("what memory knows of the shop's person", "", "", "", "em=s click_id=c", "em*=s click_id*=c"),
    ("nothing that memory knows of the page's person", "", "em=p ph=p external_id=p", "fn=s", "", "fn=s"),
    ("but a click of the page's", "", "em=p click_id=c", "em=s", "", "em=s click_id*=c"),
    ("own data before memory", "em=p", "", "", "em=s fn=s", "em=p"),
    ("the rest of the same person", "em=s", "", "", "em=s fn=s", "em=s fn*=s"),
    ("nothing of somebody else, but a device", "ph=p", "", "", "ph=s em=s hashed_maids=s", "ph=p hashed_maids*=s"),
    ("a group whole", "st=p", "", "", "country=s", "st=p"),
    ("the shop's click before the page's", "", "click_id=p", "", "click_id=s", "click_id*=s"),
    ("an own click before both", "click_id=own", "", "", "click_id=s", "click_id=own"),
    ("ids of both sides themselves", "external_id=p", "", "external_id=s", "", "external_id=s,p"),
    ("no id of memory beside them", "external_id=p", "", "", "external_id=s", "external_id=p"),
]
_GROUP = {name: group for group, names in GROUPS.items() for name in names}


def people_of(text: str) -> dict[str, Any]:
    pairs = [each.split("=") for each in text.split()]
    return {name: value if name.strip("*") == "click_id" else value.split(",") for name, value in pairs}


@every_row("row", MEMORY, ids=[row[0] for row in MEMORY])
def test_memory_fills_after_merging_by_the_shops_person(row: tuple[str, str, str, str, str, str]) -> None:
    sides = []
    for own, added in (row[1:3], row[3:5]):
        recalled = {_GROUP[name]: {"age_s": 5, "by": "identify"} for name in people_of(added)}
        payload = orjson.dumps(event(people_of(own) | people_of(added)))
        sides.append(SideEvent(payload, memory=recalled))
    found = merged(*sides)
    sent = orjson.loads(found.payload)["user_data"]
    assert {
        f"{name}*" if _GROUP.get(name) in found.memory else name: value for name, value in sent.items()
    } == people_of(row[5])


def test_of_two_public_events_memory_fills_by_both() -> None:
    def of(text: str) -> dict[str, Any]:
        return {"payload": orjson.dumps(event(people_of(text))), "names_event_id": False}

    told = {"age_s": 5, "by": "identify"}
    newer = SideEvent(**of("em=n fn=n"), memory={"em": told, "name": told})
    older = SideEvent(**of("em=o"), memory={"em": told})
    found = merged(newer, older, crossing=newer.memory)
    assert orjson.loads(found.payload)["user_data"] == {"em": ["o"]}
    same = merged(newer, older._replace(**of("em=n")), crossing=newer.memory)
    assert (orjson.loads(same.payload)["user_data"], same.memory) == ({"em": ["n"], "fn": ["n"]}, newer.memory)


TEXTS = st.sampled_from(["a", "b"])
LISTS = st.lists(TEXTS, min_size=1, max_size=2, unique=True)
EVENTS = st.builds(
    lambda members, user_data, custom_data: event(user_data, custom_data, **members),
    st.fixed_dictionaries(
        {"event_id": TEXTS, "event_time": st.integers(AT - 4_000, AT + 4_000)},
        optional={"opt_out": st.booleans(), "event_source_url": TEXTS, "language": TEXTS},
    ),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("em", "ph", "fn", "st", "country", "external_id", "hashed_maids"), LISTS)
        | dict.fromkeys(("click_id", "client_ip_address", "client_user_agent"), TEXTS),
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "value": TEXTS,
            "currency": TEXTS,
            "order_id": TEXTS,
            "content_ids": LISTS,
            "num_items": st.integers(1, 3),
            "contents": st.lists(st.fixed_dictionaries({"id": TEXTS}, optional={"item_price": TEXTS}), min_size=1),
            "opt_out_type": st.sampled_from(["LDP", "x"]),
        },
    ),
)


@pytest.mark.slow
@effort(max_examples=examples(400))
@given(page=EVENTS, shop=EVENTS, names=st.booleans())
def test_merging_keeps_the_shops_money_and_every_no_and_is_done_once(page: Any, shop: Any, *, names: bool) -> None:
    payload = merge(page, shop, names=names)

    mine, own = payload.get("custom_data", {}), shop.get("custom_data", {})
    if "value" in own:
        assert [mine.get(name) for name in ("value", "currency")] == [own.get(name) for name in ("value", "currency")]
    assert mine.get("order_id") == own.get("order_id")
    flags = [(side.get("opt_out"), side.get("custom_data", {}).get("opt_out_type")) for side in (page, shop)]
    for opt_out, kind in flags:
        assert payload.get("opt_out") or not opt_out
        assert kind is None or kind in mine["opt_out_type"].split(",")
    assert merge(page, payload, names=names) == payload
    assert merge(shop, shop) == shop


def waiting(delivery_id: int, follows: int, *, is_trusted: bool = False, at: int = AT) -> StoredDelivery:
    return StoredDelivery(
        ad_account_id="1",
        preset="preset",
        message_id=f"m-{delivery_id}",
        event_name="checkout",
        event_id=f"e-{delivery_id}",
        action_source="web",
        order_id="SO-1",
        event_time=at,
        is_trusted=is_trusted,
        stored_buyer="[]",
        stored_warnings="[]",
        stored_side=None,
        delivery_id=delivery_id,
        state=State.PENDING,
        reason="",
        merged=0,
        was_tried=False,
        settled_at=None,
        follows=follows,
        payload=b"{}",
    )


@every_row(
    ("row", "state", "becomes"),
    [
        (waiting(2, 1), State.DELIVERED, "dropped"),
        (waiting(2, 1, is_trusted=True), State.DELIVERED, "dropped"),
        (waiting(2, 1), State.CLAIMED, "waiting"),
        (waiting(2, 1, is_trusted=True), State.PENDING, "waiting"),
        (waiting(2, 1, is_trusted=True, at=AT - 7 * 86_400), State.PENDING, "sent"),
        (waiting(2, 1), State.DEAD, "sent"),
        (waiting(2, 1), None, "sent"),
        (waiting(2, WAITS_TO_BE_WITHHELD), None, "withheld"),
    ],
)
def test_what_becomes_of_an_order_whose_wait_is_over(row: StoredDelivery, state: State | None, becomes: str) -> None:
    over = waits_over([row], {row.delivery_id: state}, now=AT, max_event_age_s=7 * 86_400)

    assert bool(over.sent) == (becomes == "sent")
    assert bool(over.waiting) == (becomes == "waiting")
    assert bool(over.dropped) == (becomes in {"dropped", "withheld"})
    assert bool(over.withheld) == (becomes == "withheld")


def test_of_several_claims_behind_one_that_is_gone_the_first_takes_its_place() -> None:
    rows = [waiting(3, 1), waiting(2, 1), waiting(5, 4), waiting(6, 1, is_trusted=True)]

    over = waits_over(rows, {3: None, 2: None, 5: State.DEAD, 6: None}, now=AT, max_event_age_s=7 * 86_400)

    assert over.first == {1: 3, 4: 5}
    assert over.sent == [3, 5, 6]
    assert over.waiting == [2]

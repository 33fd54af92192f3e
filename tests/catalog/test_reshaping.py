"""Any JSON becomes Segment events: by a trigger, by a mapping, one of a record or one of each member of a list."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.reshaping import Reshaping, compile_reshaping
from app.catalog.source_files import SourceFile
from app.errors import EventRefused, Fault
from tests.rows import every_row


def spec(*events: dict[str, Any], **common: Any) -> SourceFile:
    named = [{"name": "A", **event} for event in events]
    return SourceFile.model_validate(
        {"name": "shop", "kind": "mapped", "proofs": [{"kind": "anyone"}], "events": named, "mapping": common}
    )


def reshaping(*events: dict[str, Any], **common: Any) -> Reshaping:
    compiled, faults = compile_reshaping(spec(*events, **common))
    assert faults == []
    assert compiled is not None
    return compiled


def made(reshape: Reshaping, record: dict[str, Any]) -> list[Any]:
    return [(each.outcome, each.reason) if isinstance(each, EventRefused) else each for each in reshape(record)]


PAID = {"subscribe": 'headers.x-topic = "paid"', "mapping": {"event": "Order Completed"}}
REFUNDS = {
    "subscribe": "item.amount > 0",
    "each": "$.body.refunds",
    "mapping": {"event": "Refunded", "messageId": {"@template": "r-{{item.id}}"}},
}


def test_an_event_has_what_its_source_maps_and_its_own_over_it() -> None:
    reshape = reshaping(PAID, type="track", event="Anything", context={"ip": {"@path": "$.ip"}, "direct": False})
    record = {"headers": {"x-topic": "paid"}, "ip": "203.0.113.41", "body": {}}
    assert made(reshape, record) == [
        {"type": "track", "event": "Order Completed", "context": {"ip": "203.0.113.41", "direct": False}}
    ]


@every_row(
    ("trigger", "record", "named"),
    [
        ('headers.x-topic = "paid"', {"headers": {"x-topic": "orders/updated"}}, ("record", "orders/updated")),
        ("headers.x-topic='paid' or body.kind=\"b\"", {"body": {"kind": "other"}}, ("record", "other")),
        ('headers.x-topic = "paid"', {"headers": {}}, None),
        ('headers.x-topic = "paid"', {"headers": {"x-topic": 7}}, None),
        ('body.total > 5 and headers.x-topic != "paid"', {"headers": {"x-topic": "t"}, "body": {"total": 1}}, None),
        ('contains(body.kind, "a")', {"body": {"kind": "b"}}, None),
    ],
)
def test_what_no_trigger_takes_is_named_as_the_triggers_ask(
    trigger: str, record: dict[str, Any], named: tuple[str, str] | None
) -> None:
    (untaken,) = reshaping({**PAID, "subscribe": trigger}, type="track")(record)
    assert (untaken.outcome, untaken.named) == ("unmatched", named)


def test_a_list_gives_an_event_of_each_member_that_its_trigger_takes() -> None:
    reshape = reshaping(PAID, REFUNDS, type="track")
    refunds = [{"id": 1, "amount": 5}, {"id": 2, "amount": 0}, {"id": 3, "amount": 1}, "none"]
    assert made(reshape, {"headers": {"x-topic": "paid"}, "body": {"refunds": refunds}}) == [
        {"type": "track", "event": "Order Completed"},
        {"type": "track", "event": "Refunded", "messageId": "r-1"},
        {"type": "track", "event": "Refunded", "messageId": "r-3"},
    ]


@pytest.mark.parametrize(
    ("record", "lacks"),
    [
        ({"headers": {"x-topic": "paid"}, "body": {"paid_at": 1}}, ""),
        ({"headers": {"x-topic": "paid"}, "body": {}}, "body.paid_at != null"),
        ({"headers": {"x-topic": "paid"}, "body": {"paid_at": 1, "lost_at": 2}}, "body.lost_at = null"),
    ],
)
def test_a_record_without_what_its_event_requires_is_refused(record: dict[str, Any], lacks: str) -> None:
    needs = PAID | {"name": "A payment", "requires": "body.paid_at != null and body.lost_at = null"}
    (found,) = reshaping(needs, type="track")(record)
    if not lacks:
        assert found == {"type": "track", "event": "Order Completed"}
        return
    assert found.outcome == "refused"
    assert found.reason.startswith(
        f'the record has not the form of "A payment": {lacks} does not hold; it was sent under'
    )


def test_what_an_event_requires_is_checked_as_its_trigger_is() -> None:
    _, faults = compile_reshaping(spec(PAID | {"requires": "item.amount >"}, type="track"))
    assert [fault.path for fault in faults] == ["/events/0/requires"]


@every_row(("refunds", "count"), [({"id": 1, "amount": 5}, 1), ([], 0), (None, 0), ("text", 0), ([[]], 0)])
def test_what_is_no_list_is_one_member_or_none(refunds: Any, count: int) -> None:
    found = made(reshaping(REFUNDS, type="track"), {"headers": {}, "body": {"refunds": refunds}})
    assert len([each for each in found if isinstance(each, dict)]) == count
    assert count or found == [("unmatched", "no trigger of the source matches it")]


def kind(name: str, **more: Any) -> dict[str, Any]:
    return {"each": "$.body.events", "mapping": {"event": name}, "subscribe": f'item.name = "{name}"', **more}


UNTAKEN = "no trigger of the source matches it"


@every_row(
    ("what", "kinds", "members", "found"),
    [
        (
            "by its name, in its place",
            [kind("buy"), kind("see")],
            [{"name": "see"}, {"name": "refund"}, {"name": "buy"}],
            ["see", ("record", "refund"), "buy"],
        ),
        ("though it has none", [kind("buy")], [{"name": "buy"}, {"name": 7}, "text"], ["buy", None, None]),
        (
            "where nothing else is left",
            [kind("buy")],
            [{"name": "a"}, {"name": "b"}],
            [("record", "a"), ("record", "b")],
        ),
        (
            "by what is not as asked",
            [kind("buy", subscribe='item.type = "commerce" and item.data.action = "buy"')],
            [{"type": "commerce", "data": {"action": "refund"}}, {"type": "session"}],
            [("record", "refund"), ("record", "session")],
        ),
        (
            "by its own name and not by that of the record",
            [kind("buy", subscribe='headers.x-topic = "batch" and item.name = "buy"')],
            [{"name": "refund"}],
            [("record", "refund")],
        ),
    ],
)
def test_a_member_that_its_triggers_ask_by_name_is_told_where_none_takes_it(
    what: str, kinds: list[dict[str, Any]], members: list[Any], found: list[Any]
) -> None:
    record = {"headers": {"x-topic": "orders"}, "body": {"events": members}}
    told = [
        (each.outcome, each.reason, each.named) if isinstance(each, EventRefused) else each["event"]
        for each in reshaping(*kinds, type="track")(record)
    ]
    assert told == [each if isinstance(each, str) else ("unmatched", UNTAKEN, each) for each in found], what


def test_a_mapping_that_cannot_be_resolved_is_refused_by_its_place() -> None:
    template = {"subscribe": "body.id = 1", "mapping": {"event": {"@path": {"@path": "$.body.where"}}}}
    ((outcome, reason),) = made(reshaping(template, type="track"), {"headers": {}, "body": {"id": 1}})
    assert outcome == "refused"
    assert reason.startswith("/events/0/mapping/event/@path")


def test_events_of_one_record_do_not_share_what_is_filled_in_later() -> None:
    first, second = made(reshaping(PAID, PAID, type="track"), {"headers": {"x-topic": "paid"}})
    first["messageId"] = "m-1"
    assert "messageId" not in second


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["refunds", "id", "a"]), inner),
    max_leaves=10,
)


@given(body=JSON, headers=st.dictionaries(st.sampled_from(["x-topic", "a"]), st.sampled_from(["paid", ""])))
def test_every_record_gives_something_and_none_fails(body: Any, headers: dict[str, str]) -> None:
    assert made(reshaping(PAID, REFUNDS, type="track"), {"headers": headers, "body": body})


def test_every_fault_is_told_with_its_place() -> None:
    broken = {"subscribe": "type = 1", "each": "$.a[?(", "mapping": {"event": {"@paht": "$.a"}}}
    compiled, faults = compile_reshaping(spec(PAID, broken))
    assert compiled is None
    assert [fault.path for fault in faults] == [
        "/events/0/mapping",
        "/events/1/subscribe",
        "/events/1/each",
        "/events/1/mapping/event",
        "/events/1/mapping",
    ]
    assert "The fields are method, ip, and body.key, headers.key" in faults[1].message
    assert faults[0] == Fault("/events/0/mapping", "has no `type`: set track, page or identify")


def test_a_type_of_event_that_there_is_not_is_told_at_the_start() -> None:
    _, faults = compile_reshaping(spec(PAID, type="trakc"))
    assert faults == [Fault("/events/0/mapping/type", "'trakc' is not an event type: set track, page or identify")]


@every_row(
    ("mapping", "place"),
    [
        ({"@path": "$.total"}, "@path"),
        ({"@path": "total.amount"}, "@path"),
        ({"@template": "{{body.id}}-{{ total }}"}, "@template"),
        ([{"@coalesce": [{"@path": "$.body.total"}, {"@path": "$.total"}]}], "0/@coalesce/1/@path"),
        ({"@arrayPath": ["$.body.lines", {"id": {"@path": "$.total"}}]}, None),
        (
            {"@transform": {"apply": {"a": {"@path": "$.total"}}, "mapping": {"@path": "$.a"}}},
            "@transform/apply/a/@path",
        ),
        ({"@literal": {"@path": "$.total"}}, None),
        ({"@path": "$..total"}, None),
        ({"@path": {"@template": "body.{{query.name}}"}}, None),
        (
            [
                {"@path": f"$.{name}"}
                for name in ("body", "item.a", "headers.x-a", "query.a", "cloudevent.id", "method", "ip")
            ],
            None,
        ),
    ],
    ids=str,
)
def test_a_path_to_what_a_record_has_not_is_a_fault(mapping: Any, place: str | None) -> None:
    _, faults = compile_reshaping(spec(PAID, type="track", properties={"a": mapping}))
    assert [fault.path for fault in faults] == ([] if place is None else [f"/events/0/mapping/properties/a/{place}"])
    assert all("a record has no `total`, only body, headers, query" in fault.message for fault in faults)
    assert all("write $.body.total" in fault.message for fault in faults)


def test_a_list_is_looked_for_in_the_record_and_a_member_only_where_there_is_a_list() -> None:
    _, faults = compile_reshaping(spec(REFUNDS | {"each": "$.refunds"}, type="track"))
    assert [fault.path for fault in faults] == ["/events/0/each"]
    _, faults = compile_reshaping(spec(PAID | {"subscribe": "item.amount > 0"}, type="track"))
    assert [fault.path for fault in faults] == ["/events/0/subscribe"]
    assert "there is no field `item`" in faults[0].message


def test_a_path_that_is_read_as_a_text_is_a_fault_in_a_source_too() -> None:
    _, faults = compile_reshaping(spec(PAID, type="track", properties={"order_id": "$.body.id"}))
    (fault,) = faults
    assert fault.path == "/events/0/mapping/properties/order_id"
    assert (
        fault.message == '`$.body.id` is sent as it is written: write {"@path": "$.body.id"}, or @literal where meant'
    )


@pytest.mark.parametrize(
    "mapping", [{"messageId": "lead"}, {"properties": {"order_id": 7}}, {"properties": {"event_id": "x"}}]
)
def test_an_id_that_all_events_of_a_source_would_have_is_a_fault(mapping: dict[str, Any]) -> None:
    _, faults = compile_reshaping(spec(PAID, type="track", **mapping))
    (fault,) = faults
    assert fault.path.endswith(("/messageId", "/order_id", "/event_id"))
    assert fault.message == "is the same for every event, so all but the first are duplicates"

"""Tests that presets, mappings and sources carry: what they compare, and how they say what differs."""

import json
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.catalog import Catalog
from app.catalog.catalog import compile_catalog
from app.catalog.sources import untrusted_source
from app.errors import CatalogError
from tests.assembled import settings
from tests.process import ROOT
from tests.rows import every_row

MAPPING = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8").partition("\ntests:")[0]
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-11-25T10:15:00.000Z",
    "context": {"traits": {"email": "Ada@Example.com"}},
    "properties": {"order_id": "SO-1", "revenue": 20.5, "currency": "USD", "products": [{"product_id": "P-1"}]},
}
PRESET: dict[str, Any] = {
    "name": "Order",
    "subscribe": 'type = "track" AND event = "Order Completed"',
    "action": "report_conversion_event",
    "mapping": {"event_name": "checkout"},
}


def catalog(test: dict[str, Any], file: str = "presets/order.yaml", **changes: Any) -> Catalog:
    preset = json.dumps({**PRESET, "tests": [{"name": "a test", **test}], **changes})
    return compile_catalog({file: preset}, {"mappings/report_conversion_event.yaml": MAPPING})


def differences(test: dict[str, Any], file: str = "presets/order.yaml", **changes: Any) -> tuple[str, ...]:
    (result,) = assemble.file_tests().run(catalog({"event": ORDER, **test}, file, **changes))
    assert (result.file, result.number, result.name) == (file, 0, "a test")
    return result.differences


def expect(**expected: Any) -> dict[str, Any]:
    return {"expect": expected}


def field(path: str, value: Any) -> dict[str, Any]:
    return expect(fields={path: value})


@every_row(
    "test",
    [
        {},
        expect(outcome="enqueued", events=1, warnings=[]),
        field("custom_data.value", "20.5"),
        field("custom_data.contents", [{"id": "P-1"}]),
        field("custom_data.contents.0.id", "P-1"),
        field("custom_data.contents.1.id", {"absent": True}),
        field("custom_data.order_id", {"matches": "SO-*"}),
        field("event_time", {"matches": "1795*"}),
        field("user_data.em", {"digest": "ada@example.com"}),
        field("user_data.em", {"digest": ["ADA@example.com"]}),
        field("user_data.em", {"present": True}),
        field("user_data.em", {"absent": False}),
        field("user_data.ph", {"present": False}),
        {"now": "2026-12-25T10:15:00", **expect(outcome="invalid")},
        {"now": None, "file": None, **expect(outcome="enqueued")},
        {"now": "2026-11-25T11:15:00+00:00", **expect(outcome="enqueued")},
        {"event": [ORDER, {**ORDER, "messageId": "m-2"}], **expect(events=2)},
        {"event": {**ORDER, "event": "Other"}, **expect(outcome="unmatched", events=0)},
        {"event": {"properties": {}}, **expect(outcome="refused")},
        {"event": {**ORDER, "type": "delete", "userId": "u"}, "trust": "public", **expect(outcome="refused")},
        {
            "event": {**ORDER, "context": {"consent": {"categoryPreferences": {"Ads": False}}}},
            "settings": {"CONSENT_CATEGORIES": "Ads"},
            **expect(outcome="withheld"),
        },
        {
            "event": {**ORDER, "context": {"traits": {"email": "a@b.example", "phone": "415-555-0100"}}},
            "settings": {"DEFAULT_COUNTRY": "US"},
            **field("user_data.ph", {"digest": "+14155550100"}),
        },
        {"settings": {"EXTERNAL_ID_KEEP_CASE": True, "MAX_EVENT_AGE_DAYS": 1}},
        {"event": {**ORDER, "properties": {"revenue": 5}}, **expect(warnings=["currency", "order_id"])},
    ],
    ids=str,
)
def test_what_is_as_expected_passes(test: dict[str, Any]) -> None:
    assert differences(test) == ()


@every_row(
    ("test", "told"),
    [
        (field("custom_data.value", "41"), 'custom_data.value: expected "41", got "20.5" (from properties.revenue)'),
        (field("custom_data.value", 20.5), 'custom_data.value: expected 20.5, got "20.5" (from properties.revenue)'),
        (field("custom_data.contents.0.id", "P"), 'custom_data.contents.0.id: expected "P", got "P-1"'),
        (field("custom_data.order_id", {"matches": "X*"}), 'expected something like X*, got "SO-1"'),
        (field("custom_data.x", {"matches": "*"}), "expected something like *, got nothing"),
        (field("custom_data.currency", {"absent": True}), 'expected nothing, got "USD" (from properties.currency)'),
        (field("user_data.ph", {"present": True}), "user_data.ph: expected a value, got nothing"),
        (field("user_data.em", {"digest": "bob@example.com"}), "expected the digest of 'bob@example.com', got"),
        (field("user_data.em", {"digest": "nobody"}), "'nobody' can have no digest here"),
        (field("event_id", {"digest": "m-1"}), "expected the digest of 'm-1', got \"m-1\" (from messageId)"),
        (expect(outcome="invalid"), "outcome: expected invalid, got enqueued"),
        (expect(events=2), "events: expected 2, got 1"),
        (expect(warnings=["currency"]), "warnings: missing 'currency'"),
        (
            {"event": {**ORDER, "properties": {"revenue": 5}}, **expect(warnings=[])},
            "warnings: not expected",
        ),
        (
            {"event": {**ORDER, "event": "order completed"}},
            (
                'outcome: expected enqueued, got unmatched: event = "Order Completed" does not hold, '
                'found "order completed"'
            ),
        ),
        ({"event": {"properties": {}}}, "outcome: expected enqueued, got refused: "),
        ({"event": {"properties": {}}, **field("event_id", "1")}, "outcome: expected enqueued, got refused: "),
        ({"event": []}, "there is no event"),
        ({"now": "2027-01-01"}, "outcome: expected enqueued, got invalid: "),
        ({"settings": {"PORT": 1}}, "PORT: a test can only change settings about events, such as DEFAULT_COUNTRY"),
        ({"settings": {"DEFAULT_COUNTRY": "Germany"}}, "it cannot be run: DEFAULT_COUNTRY: 'Germany' is not"),
        ({"event": None, "file": "none.json"}, "it cannot be run: [Errno 2] No such file"),
        ({"event": None, "example": "shopify/None"}, "there is no example shopify/None: one of shopify/Order paid, "),
        ({"event": None, "example": "nowhere/None"}, "there is no file nowhere.yaml"),
    ],
    ids=str,
)
def test_what_differs_is_said_with_where_it_came_from(test: dict[str, Any], told: str) -> None:
    found = differences(test)
    assert any(told in each for each in found), found


def test_an_invalid_event_is_told_with_where_its_fields_came_from() -> None:
    test = {"event": {**ORDER, "context": {}}, **expect(outcome="invalid", fields={"custom_data.value": "1"})}
    assert differences(test) == ('custom_data.value: expected "1", got nothing (from properties.revenue)',)


def test_an_event_of_a_file_lies_beside_the_preset(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events/order.json").write_text(json.dumps(ORDER), "utf-8")
    test = {"event": None, "file": "events/order.json", **field("event_id", "m-1")}
    assert differences(test, str(tmp_path / "order.yaml")) == ()


def test_a_preset_without_an_event_tests_its_example_and_one_that_is_off_is_tested_as_if_it_were_on() -> None:
    assert differences({"event": None}, example=ORDER, enabled=False) == ()


def test_an_example_of_a_shipped_source_is_what_that_source_makes() -> None:
    test = {"event": None, "example": "shopify/Order paid", **field("event_id", {"matches": "shopify-order-*"})}
    assert differences(test) == ()


@every_row(
    ("test", "told"),
    [
        ({"event": ORDER, "file": "x.json"}, "give one of `event`, `file` and `example`"),
        ({"file": "/etc/passwd"}, "'/etc/passwd' is not beside this file or below"),
        ({"file": "../x.json"}, "'../x.json' is not beside this file or below"),
        ({"now": "yesterday"}, "'yesterday' is no time: write it as 2026-11-25T10:15:05Z"),
        ({"example": "shopify"}, "must be a source and one of its tests, such as shopify/A paid order"),
        ({"expct": {}}, "unknown key: did you mean 'expect'?"),
        (expect(outcome="sent"), "'enqueued'"),
    ],
    ids=str,
)
def test_a_test_that_cannot_be_meant_is_a_fault_of_its_file(test: dict[str, Any], told: str) -> None:
    with pytest.raises(CatalogError, match=r"presets/order\.yaml: /tests/0") as caught:
        catalog(test)
    assert told in str(caught.value)


def test_the_mapping_is_tested_without_a_preset() -> None:
    test = {"name": "defaults", "event_name": "lead", "event": ORDER, "expect": {"fields": {"event_name": "signup"}}}
    text = f"{MAPPING}\ntests:\n  - {json.dumps(test)}\n"
    found = compile_catalog({}, {"mappings/report_conversion_event.yaml": text})
    (fault,) = assemble.file_tests().failing(found)
    assert str(fault) == (
        "mappings/report_conversion_event.yaml: /tests/0: the test 'defaults' fails: "
        'event_name: expected "signup", got "lead"'
    )


@every_row(
    ("rows", "expected"),
    [
        ([{"set": {"properties.revenue": 7}, "fields": {"custom_data.value": "7"}}], ()),
        ([{"set": {"properties.opt_out": True, "properties.revenue": 1}, "fields": {"opt_out": True}}], ()),
        ([{"set": {"properties.products.0.product_id": "P-9"}, "fields": {"custom_data.content_ids": ["P-9"]}}], ()),
        ([{"set": {"properties.products.1.product_id": "Q"}, "fields": {"custom_data.content_ids.1": "Q"}}], ()),
        ([{"set": {"event": "Other"}, "outcome": "unmatched"}], ()),
        (
            [{"set": {"properties.coupon": "X"}}, {"set": {"properties.currency": None}, "fields": {"user_data": 1}}],
            ("row 2 (properties.currency): user_data: expected 1, got ",),
        ),
        ([{"set": {"event": "Other"}}], ("row 1 (event): outcome: expected enqueued, got unmatched: ",)),
    ],
    ids=str,
)
def test_each_row_of_a_test_changes_its_event(rows: list[dict[str, Any]], expected: tuple[str, ...]) -> None:
    for base in ({}, {"event": None}):
        found = differences({**base, "rows": rows}, example=ORDER)
        assert len(found) == len(expected)
        assert all(one.startswith(other) for one, other in zip(found, expected, strict=True))


def test_rows_need_an_event_in_the_file() -> None:
    with pytest.raises(CatalogError, match="`rows` vary an `event`: give the event here"):
        catalog({"file": "order.json", "rows": [{"set": {"event": "Other"}}]})


@every_row(
    ("changes", "expected"),
    [
        ({}, 0),
        ({"subscribe": 'type = "track" OR event = "Refund"'}, 1),
        ({"subscribe": 'type = "track"', "also": ["Order"]}, 1),
        ({"subscribe": 'type = "track"', "enabled": False}, 0),
        ({"subscribe": 'type = "track"', "example": None}, 1),
    ],
    ids=str,
)
def test_an_event_that_two_presets_take_is_a_fault_unless_declared(changes: dict[str, Any], expected: int) -> None:
    refund = {**PRESET, "name": "Refund", "subscribe": 'event = "Refund"', "example": {**ORDER, "event": "Refund"}}
    texts = {"order.yaml": json.dumps({**PRESET, "example": ORDER}), "refund.yaml": json.dumps(refund | changes)}
    found = compile_catalog(texts, {"mappings/report_conversion_event.yaml": MAPPING})
    tests = assemble.file_tests()
    results = list(tests.only_for_the_command(found, {"refund.yaml"}))
    assert [each.file for each in results] == ["order.yaml"] * expected
    assert list(tests.only_for_the_command(found, {"other.yaml"})) == []
    texts["order.yaml"] = json.dumps({**PRESET, "example": ORDER, "also": ["Refund"]})
    found = compile_catalog(texts, {"mappings/report_conversion_event.yaml": MAPPING})
    assert list(tests.only_for_the_command(found, {"refund.yaml"})) == []


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("expected", [True, False, None])
def test_only_the_command_compares_whether_a_preset_is_on(is_on: bool, expected: bool | None) -> None:  # noqa: FBT001
    found = catalog({"event": ORDER, "expect": {"enabled": expected}}, enabled=is_on)
    assert assemble.file_tests().failing(found) == []
    results = list(assemble.file_tests().only_for_the_command(found, {"presets/order.yaml"}))
    assert len(results) == (expected is not None and expected is not is_on)


@every_row(
    ("file", "is_on", "expected", "faults"),
    [
        ("my-presets/order_completed.yaml", False, None, 1),
        ("my-presets/order_completed.yaml", False, False, 0),
        ("my-presets/order_completed.yaml", True, None, 0),
        ("my-presets/ga4_purchase.yaml", False, None, 0),  # shipped off
        ("my-presets/of_this_shop.yaml", False, None, 0),
    ],
)
def test_a_preset_that_is_off_but_shipped_on_is_a_fault_unless_expected(
    file: str,
    is_on: bool,  # noqa: FBT001
    expected: bool | None,  # noqa: FBT001
    faults: int,
) -> None:
    found = catalog({"event": ORDER, "expect": {"enabled": expected}}, file, enabled=is_on)
    results = list(assemble.file_tests().only_for_the_command(found, {file}))
    assert [each.differences[0].partition(":")[0] for each in results] == ["the preset is off, but shipped on"] * faults


SOURCE: dict[str, Any] = {
    "name": "crm",
    "kind": "mapped",
    "proofs": [{"kind": "header", "header": "X-Key", "secret": {"env": "CRM"}}],
    "mapping": {"type": "track", "messageId": {"@path": "$.body.id"}},
    "events": [{"name": "lead", "subscribe": 'headers.x-topic = "lead"', "mapping": {"event": "Lead"}}],
}


@every_row(
    ("test", "told"),
    [
        ({"headers": {"X-Topic": "lead"}, "expect": {"events": 1, "fields": {"messageId": "1"}}}, []),
        ({"headers": {"X-Topic": "lead"}, **field("event", "Sale")}, ['event: expected "Sale", got "Lead"']),
        ({}, ["outcome: expected accepted, got unmatched: no trigger of the source matches it"]),
        (expect(outcome="unmatched", events=0), []),
        ({"event": [], **expect(outcome="unmatched")}, []),
        ({"event": None, "file": "none.json"}, ["it cannot be run: [Errno 2] No such file or directory: 'none.json'"]),
    ],
    ids=str,
)
def test_a_source_is_tested_by_the_events_that_it_makes(test: dict[str, Any], told: list[str]) -> None:
    text = json.dumps({**SOURCE, "tests": [{"name": "a test", "event": {"id": "1"}, **test}]})
    (result,) = assemble.file_tests().run(None, [("crm.yaml", *untrusted_source("crm.yaml", text))])
    assert list(result.differences) == told


@pytest.mark.slow
def test_every_shipped_file_has_tests_and_they_pass() -> None:
    running = assemble.running_catalog(settings())
    sources = sorted((ROOT / "sources").glob("*.yaml"))
    compiled = [(str(file), *untrusted_source(str(file), file.read_text("utf-8"))) for file in sources]
    results = list(assemble.file_tests().run(running.catalog, compiled))
    assert [result.fault() for result in results if result.differences] == []
    assert {result.file for result in results} == {*running.texts, *map(str, sources)}
    assert sum(preset.enabled for preset in running.catalog.presets) < len(running.catalog.presets)

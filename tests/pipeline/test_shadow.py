"""Shadow runs find what a draft changes, by how much, and nothing else: planted faults and neutral edits."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from app import assemble
from app.catalog import Catalog
from app.catalog.catalog import compile_catalog
from app.errors import SettingsError
from app.pipeline.shadow import Shadow, broken_limits
from tests import assembled
from tests.process import ROOT
from tests.rounds import some_of
from tests.rows import every_row

NOW = 1_795_600_800.0
MAPPING = {"mappings/report_conversion_event.yaml": (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8")}
ROUTER = assemble.event_router(assembled.settings())
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
#: Event of the sender -> Pinterest's name of it.
PRESETS = {
    "Order Completed": "checkout",
    "Product Added": "add_to_cart",
    "Signed Up": "signup",
    "Generate Lead": "lead",
    "Products Searched": "search",
    "Checkout Started": "initiate_checkout",
    "Payment Info Entered": "add_payment_info",
    "Product Viewed": "view_content",
    "Trial Started": "start_trial",
    "Contacted": "contact",
}
FIELDS: dict[str, Any] = {
    "event_id": {"@path": "$.messageId"},
    "opt_out": {"@path": "$.properties.no"},
    "user_data": {
        "email": {"@path": "$.properties.mail"},
        "phone": {"@path": "$.properties.tel"},
        "click_id": {"@path": "$.properties.click"},
        "external_id": {"@path": "$.properties.customer"},
        "client_ip_address": {"@path": "$.context.ip"},
    },
    "custom_data": {
        "value": {"@path": "$.properties.worth"},
        "currency": {"@path": "$.properties.money"},
        "order_id": {"@path": "$.properties.order"},
        "content_name": {"@path": "$.properties.what"},
    },
}
Facts = dict[str, Any]


def preset(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": event,
        "subscribe": f'type = "track" AND event = "{event}"',
        "action": "report_conversion_event",
        "mapping": {"event_name": PRESETS[event], **FIELDS},
        **changes,
    }


def with_field(path: str, value: Any, mapping: dict[str, Any]) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return mapping | {name: with_field(rest, value, mapping[name]) if rest else value}


def catalog(presets: dict[str, str]) -> Catalog:
    return compile_catalog(presets, MAPPING)


def facts(event: str) -> list[Facts]:
    """What some people did: each fact is there or not, and what is expected is counted from them alone."""
    rng = random.Random(event)
    found = []
    for number in range(12):
        known: Facts = {"number": number, "customer": f"c-{number}"}
        optional = {
            "mail": f"p{number}@example.com",
            "tel": f"+1415555{number:04}",
            "click": f"dj0yJnU9{number}",
            "worth": number * 10 + 5.25,
            "money": rng.choice(["USD", "EUR"]),
            "order": f"SO-{number}",
            "what": f"thing {number}",
        }
        known |= {name: value for name, value in optional.items() if rng.random() < 0.7}
        if rng.random() < 0.4:
            known["no"] = True
        found.append(known)
    return found


FACTS = {event: facts(event) for event in PRESETS}
EVENTS = [
    {
        "type": "track",
        "event": event,
        "messageId": f"{event}-{known['number']}",
        "anonymousId": f"a-{known['number']}",
        "timestamp": NOW - 60,
        "context": {"ip": "203.0.113.9", "userAgent": BROWSER},
        "properties": {name: value for name, value in known.items() if name != "number"},
    }
    for event, all_known in FACTS.items()
    for known in all_known
]
RUNNING = catalog({f"presets/{event}.yaml": json.dumps(preset(event)) for event in PRESETS})


def shadow_of(draft: Catalog) -> Shadow:
    shadow = Shadow()
    for event in EVENTS:
        shadow.add(dict(event), ROUTER, (RUNNING, draft), now=NOW, source="default", is_trusted=True)
    return shadow


def drafted(event: str, text: str) -> Shadow:
    presets = {f"presets/{each}.yaml": json.dumps(preset(each)) for each in PRESETS}
    return shadow_of(catalog(presets | {f"presets/{event}.yaml": text}))


@dataclass(frozen=True)
class Fault:
    """One kind of fault, and what it should change of a preset's events."""

    name: str
    plant: Callable[[dict[str, Any]], dict[str, Any]]
    #: By field and change, or by outcome before and after: whether it is so of an event with these facts.
    expected: dict[tuple[str, str], Callable[[Facts], bool]]
    #: Of money: what becomes of the amount and the currency; None: nothing.
    money: Callable[[Facts], tuple[str, Decimal] | None] | None = None


def at(path: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda made: made | {"mapping": with_field(path, value, made["mapping"])}


def has(name: str) -> Callable[[Facts], bool]:
    return lambda known: name in known


def lacks(name: str) -> Callable[[Facts], bool]:
    return lambda known: name not in known


def everyone(_: Facts) -> bool:
    return True


def worth(times: int = 1, money: str | None = None) -> Callable[[Facts], tuple[str, Decimal] | None]:
    def found(known: Facts) -> tuple[str, Decimal] | None:
        return (money or known.get("money", ""), Decimal(str(known["worth"])) * times) if "worth" in known else None

    return found


NOWHERE = {"@path": "$.properties.nowhere"}
FAULTS = [
    Fault(
        "wrong path of the value",
        at("custom_data.value", NOWHERE),
        {("custom_data.value", "lost"): has("worth")},
        lambda _: None,
    ),
    Fault(
        "doubled value",
        at("custom_data.value", {"@multiply": [{"@path": "$.properties.worth"}, 2]}),
        {("custom_data.value", "changed"): has("worth")},
        worth(2),
    ),
    Fault(
        "value in cents",
        at("custom_data.value", {"@multiply": [{"@path": "$.properties.worth"}, 100]}),
        {("custom_data.value", "changed"): has("worth")},
        worth(100),
    ),
    Fault(
        "wrong path of the currency",
        at("custom_data.currency", NOWHERE),
        {("custom_data.currency", "lost"): has("money")},
        worth(1, " "),
    ),
    Fault(
        "swapped currency",
        at("custom_data.currency", "GBP"),
        {("custom_data.currency", "changed"): has("money"), ("custom_data.currency", "gained"): lacks("money")},
        worth(1, "GBP"),
    ),
    Fault("lost opt-out", at("opt_out", NOWHERE), {("opt_out", "lost"): has("no")}),
    Fault("opt-out of everyone", at("opt_out", value=True), {("opt_out", "gained"): lacks("no")}),
    Fault("event id of the browser", at("event_id", {"@path": "$.anonymousId"}), {("event_id", "changed"): everyone}),
    Fault(
        "event id with a prefix", at("event_id", {"@template": "x-{{messageId}}"}), {("event_id", "changed"): everyone}
    ),
    Fault("wrong path of the address", at("user_data.email", NOWHERE), {("user_data.em", "lost"): has("mail")}),
    Fault(
        "address of the shop",
        at("user_data.email", "shop@example.com"),
        {("user_data.em", "changed"): has("mail"), ("user_data.em", "gained"): lacks("mail")},
    ),
    Fault("wrong path of the phone", at("user_data.phone", NOWHERE), {("user_data.ph", "lost"): has("tel")}),
    Fault("wrong path of the click", at("user_data.click_id", NOWHERE), {("user_data.click_id", "lost"): has("click")}),
    Fault(
        "wrong path of the customer",
        at("user_data.external_id", NOWHERE),
        {("user_data.external_id", "lost"): everyone},
    ),
    Fault(
        "wrong path of the address on the network",
        at("user_data.client_ip_address", NOWHERE),
        {("user_data.client_ip_address", "lost"): has("mail"), ("enqueued", "invalid"): lacks("mail")},
        lambda known: worth()(known) if "mail" in known else None,
    ),
    Fault(
        "wrong path of the order", at("custom_data.order_id", NOWHERE), {("custom_data.order_id", "lost"): has("order")}
    ),
    Fault(
        "wrong path of the name",
        at("custom_data.content_name", NOWHERE),
        {("custom_data.content_name", "lost"): has("what")},
    ),
    Fault("another event", at("event_name", "page_visit"), {("event_name", "changed"): everyone}),
    Fault("another place", at("action_source", "offline"), {("action_source", "changed"): everyone}),
    Fault(
        "a trigger that takes only some",
        lambda made: made | {"subscribe": made["subscribe"] + " AND properties.worth > 50"},
        {("enqueued", "unmatched"): lambda known: known.get("worth", 0) <= 50},
        lambda known: worth()(known) if known.get("worth", 0) > 50 else None,
    ),
    Fault(
        "a preset that is off",
        lambda made: made | {"enabled": False},
        {("enqueued", "unmatched"): everyone},
        lambda _: None,
    ),
]
SHOWN = [(fault, event) for fault in FAULTS for event in PRESETS]


@pytest.mark.prove
@pytest.mark.slow
@every_row("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_planted_fault_is_found_with_the_right_amount(fault: Fault) -> None:
    """Every fault in each of ten presets by `make prove`: 210 of them; else in one or two."""
    assert len(SHOWN) >= 200
    events = [event for planted, event in some_of(SHOWN) if planted is fault]
    assert events
    for event in events:
        shadow = drafted(event, json.dumps(fault.plant(preset(event))))
        expected = Counter({key: sum(map(is_so, FACTS[event])) for key, is_so in fault.expected.items()})
        found = Counter(
            {(name, change): count for (_, name, change), count in (shadow.fields + shadow.outcomes).items()}
        )
        assert (event, found) == (event, +expected)
        assert {key[0] for key in (*shadow.fields, *shadow.outcomes)} <= {event}
        assert money_of(shadow, event) == (sums(worth(), event), sums(fault.money or worth(), event))


def sums(of: Callable[[Facts], tuple[str, Decimal] | None], event: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for known in FACTS[event]:
        if amount := of(known):
            found[amount[0].strip()] = found.get(amount[0].strip(), Decimal(0)) + amount[1]
    return found


def money_of(shadow: Shadow, event: str) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    rows = [row for row in shadow.money() if row[0] == event]
    return {row[1]: row[2] for row in rows if row[2]}, {row[1]: row[3] for row in rows if row[3]}


def same(path: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], str]:
    """Return what writes a field of a mapping otherwise, which means the same."""

    def edited(made: dict[str, Any]) -> str:
        value: Any = made["mapping"]
        for key in path.split("."):
            value = value[key]
        return json.dumps(made | {"mapping": with_field(path, change(value), made["mapping"])})

    return edited


NEUTRAL: list[Callable[[dict[str, Any]], str]] = [
    lambda made: "# a comment\n" + json.dumps(made, indent=2),
    lambda made: json.dumps({**made, "description": "Another text.", "enabled": True, "remember": True}),
    lambda made: json.dumps(dict(reversed(made.items()))),
    lambda made: json.dumps({**made, "mapping": dict(reversed(made["mapping"].items()))}),
    lambda made: json.dumps({**made, "subscribe": f"({made['subscribe']})"}),
    lambda made: json.dumps({**made, "example": EVENTS[0], "tests": [{"name": "one"}]}),
    lambda made: json.dumps({**made, "subscribe": " AND ".join(reversed(made["subscribe"].split(" AND ")))}),
    same("event_name", lambda value: {"@literal": value}),
    same("custom_data.value", lambda value: {"@coalesce": [value]}),
    same("custom_data.value", lambda value: {"@coalesce": [NOWHERE, value]}),
    same("custom_data.currency", lambda value: {"@path": value["@path"].removeprefix("$.")}),
    same("user_data.email", lambda value: {"@if": {"exists": value, "then": value, "else": NOWHERE}}),
    same("event_id", lambda value: {"@template": "{{messageId}}"}),
]


@pytest.mark.slow
@every_row("number", range(len(NEUTRAL)))
def test_no_neutral_edit_is_reported(number: int) -> None:
    """Every edit in four presets: 52 of them."""
    events = list(PRESETS)[:4]
    assert len(NEUTRAL) * len(events) >= 50
    for event in events:
        shadow = drafted(event, NEUTRAL[number](preset(event)))
        assert (event, shadow.differs, shadow.fields, shadow.outcomes) == (event, False, Counter(), Counter())
        assert all(before == after for _, _, before, after in shadow.money())
        assert all(before == after for _, before, after in shadow.scores())


def test_examples_say_what_was_and_becomes_without_address_and_browser() -> None:
    event = "Generate Lead"
    shadow = drafted(event, json.dumps(at("user_data.client_ip_address", "198.51.100.7")(preset(event))))
    examples = shadow.examples[event, "user_data.client_ip_address", "changed"]
    assert len(examples) == 3
    assert (examples[0].message_id, examples[0].was, examples[0].becomes) == (f"{event}-0", "(personal)", "(personal)")
    text = "x" * 200
    long = drafted(event, json.dumps(at("custom_data.content_name", text)(preset(event))))
    (_, first), *_ = [(key, value[0]) for key, value in long.examples.items() if key[2] == "gained"]
    assert first.was == "nothing"
    assert first.becomes == f'"{"x" * 119}…'


def test_scores_are_components_an_event() -> None:
    event = "Generate Lead"
    shadow = drafted(event, json.dumps(at("user_data.click_id", NOWHERE)(preset(event))))
    (row,) = [row for row in shadow.scores() if row[0] == event]
    _, before, after = row
    assert before is not None
    assert after is not None
    clicks = sum("click" in known for known in FACTS[event])
    assert round(before - after, 2) == pytest.approx(clicks / len(FACTS[event]), abs=0.011)
    off = drafted(event, json.dumps(preset(event, enabled=False)))
    assert [row[2] for row in off.scores() if row[0] == event] == [None]
    assert json.loads(json.dumps(off.as_json()))["outcomes"] == [
        {"preset": event, "was": "enqueued", "becomes": "unmatched", "count": 12}
    ]


@every_row(
    ("limit", "told"),
    [
        ("lost click_id > 1%", "lost click_id > 1%: it is 10.71%"),
        ("lost user_data.click_id > 0", "lost user_data.click_id > 0: it is "),
        ("lost click_id > 100%", ""),
        ("lost em > 0", ""),
        ("gained click_id > 0%", ""),
        ("changed click_id > 0", ""),
        ("lost events > 0", ""),
        ("money > 0", ""),
        ("money EUR > 0%", ""),
    ],
)
def test_a_limit_is_told_where_a_run_is_beyond_it(limit: str, told: str) -> None:
    event = "Generate Lead"
    shadow = drafted(event, json.dumps(at("user_data.click_id", NOWHERE)(preset(event))))
    found = broken_limits([limit], shadow)
    assert [each.startswith(told) for each in found] == ([True] if told else []), found


@every_row(
    ("changes", "limit", "is_broken"),
    [
        ({"enabled": False}, "lost events > 5%", True),
        ({"enabled": False}, "lost events > 12", False),
        ({"enabled": False}, "gained events > 0", False),
        ({"enabled": False}, "changed events > 0", False),
        ({"enabled": False}, "money > 0.5%", True),
        ({"enabled": False}, "money USD > 0.5%", True),
        ({"enabled": False}, "money CHF > 0", False),
        ({"subscribe": 'event = "Signed Up"'}, "gained events > 9%", True),
        ({"mapping": {"event_name": "lead", **FIELDS, "partner_name": "ss-a"}}, "gained partner_name > 99%", True),
    ],
    ids=str,
)
def test_limits_of_events_and_money(changes: dict[str, Any], limit: str, *, is_broken: bool) -> None:
    shadow = drafted("Generate Lead", json.dumps(preset("Generate Lead", **changes)))
    assert bool(broken_limits([limit], shadow)) is is_broken


@every_row("limit", ["lost > 1%", "click_id > 1", "lost click_id", "money eur > 1", "lost click_id > x%"])
def test_what_is_no_limit_is_told(limit: str) -> None:
    with pytest.raises(SettingsError, match="is no limit: write `lost click_id > 1%`"):
        broken_limits([limit], Shadow())


OTHER = {"@replace": {"pattern": "1", "replacement": "2", "value": {"@path": "$.properties.customer"}}}
DIGEST = re.compile("[0-9a-f]{64}")


@every_row(
    ("path", "wire", "value", "was", "becomes"),
    [
        ("email", "em", {"@path": "$.userId"}, "properties.mail: x9@xxxxxxx.xxx", "userId: xxx@xxxx.xxxxxxx"),
        ("email", "em", {"@template": "a{{properties.mail}}"}, "properties.mail: x9@xxxxxxx.xxx", "x9@xxxxxxx.xxx"),
        ("email", "em", "shop@example.com", "properties.mail: x9@xxxxxxx.xxx", "a fixed text: xxxx@xxxxxxx.xxx"),
        ("email", "em", {"@path": "$.properties.other"}, "properties.mail: x9@xxxxxxx.xxx", "other: x9@xxxxxxx.xxx"),
        ("phone", "ph", {"@path": "$.properties.fax"}, "properties.tel: 99999999999", "properties.fax: 9999999999"),
        ("phone", "ph", NOWHERE, "properties.tel: 99999999999", "nothing"),
        ("city", "ct", {"@path": "$.properties.town"}, "nothing", "properties.town: xxxxxxx"),
        ("external_id", "external_id", {"@literal": "c-2"}, "properties.customer: x-9", "a fixed text: x-9"),
        ("external_id", "external_id", OTHER, "properties.customer: x-9", "properties.customer: x-9, another text"),
    ],
    ids=str,
)
def test_an_example_of_a_hashed_field_names_the_input_without_the_text(
    path: str, wire: str, value: Any, was: str, becomes: str
) -> None:
    known = {"mail": "p0@example.com", "other": "q1@example.org", "tel": "+14155550000", "fax": "+4930123456"}
    texts = {**known, "town": "München", "customer": "c-1"}
    event = EVENTS[0] | {"userId": "ada@mail.example", "properties": texts}
    made = preset("Order Completed")
    draft = json.dumps(made | {"mapping": with_field(f"user_data.{path}", value, made["mapping"])})
    shadow = Shadow()
    catalogs = RUNNING, catalog({"presets/Order Completed.yaml": draft})
    shadow.add(event, ROUTER, catalogs, now=NOW, source="default", is_trusted=True)
    (found,) = [each for (_, name, _), each in shadow.examples.items() if name == f"user_data.{wire}"]
    assert found[0].was.endswith(was)
    assert found[0].becomes.endswith(becomes)
    printed = json.dumps(shadow.as_json())
    assert not DIGEST.search(printed)
    assert not any(text in printed for text in (*texts.values(), "münchen", "ada@mail.example", "4930123456"))

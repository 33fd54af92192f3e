"""How memory takes part in the way of an event: withheld, mapped by presets of one's own, made valid."""

import re
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from app import assemble
from app.assemble.ad_accounts import destinations
from app.catalog import Catalog, compile_catalog
from app.core.events import Outcome
from app.core.people import Recalled
from app.core.receipts import PresetResult
from app.core.trust import SourceTraits
from app.core.values.times import DAY_S
from app.identity import HeldMemory
from app.outbox import open_outbox
from app.pipeline.enrichment import Enrichment
from app.pipeline.router import AdAccount, Router
from app.source import Intake
from tests.assembled import settings, shipped_catalog
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.rows import every_row

NOW = 1_800_000_000.0
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
IDENTIFY: dict[str, Any] = {
    "type": "identify",
    "userId": "ann",
    "traits": {"email": "ann@shop.example", "firstName": "Ann"},
}
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ann",
    "context": PERSON,
    "properties": {"order_id": "7", "revenue": 20, "currency": "USD"},
}
SAID = {"phone": "+4930901820", "gender": "f", "birthday": "1996-03-14"}
LIVE = {"pinterest_ad_account_id": "1", "pinterest_conversion_token": "t", "webhook_header": "a: b"}


def _remembering() -> Enrichment:
    mine = settings(remember_days=90)
    return assemble.enrichment(mine, destinations(mine, {}), lambda _: SourceTraits(), list)


def lines(*events: dict[str, Any], catalog: Catalog | None = None, **changes: Any) -> list[PresetResult]:
    """The lines of the last of these events, a minute apart."""
    walk, memory = assemble.event_router(settings(remember_days=90, **changes)), HeldMemory()
    told: list[PresetResult] = []
    for number, event in enumerate(events):
        at = NOW + 60 * number
        complete = {"messageId": f"m-{number}", "timestamp": at, **event}
        told = walk.lines(complete, catalog or shipped_catalog(), now=at, memory=memory)
    return told


def filled(*events: dict[str, Any], **changes: Any) -> set[str]:
    (line,) = lines(*events, **changes)
    assert line.outcome is Outcome.ENQUEUED
    return set(line.memory or ())


def test_a_delivery_tells_what_came_from_memory() -> None:
    (line,) = lines(IDENTIFY, {"type": "page"}, ORDER)
    assert line.memory == {group: Recalled(age_s=120.0, by="identify") for group in ("em", "name")}
    assert line.event is not None
    assert {"em", "fn"} <= set(line.event["user_data"])


def test_a_delete_reaches_a_user_of_another_name_by_a_link_that_is_too_old_to_be_used() -> None:
    """As a person who is erased by command does."""
    walk, memory = assemble.event_router(settings(remember_days=90)), HeldMemory()
    renamed = {"type": "alias", "previousId": "ann", "userId": "bob"}
    said = {0: IDENTIFY, 1: renamed, 80: IDENTIFY | {"userId": "bob"}, 92: {"type": "delete", "userId": "ann"}}
    for day, event in (said | {93: ORDER | {"userId": "bob"}}).items():
        at = NOW + day * DAY_S
        complete = {"messageId": f"m-{day}", "timestamp": at, **event}
        told = walk.lines(complete, shipped_catalog(), now=at, memory=memory)

    assert [(line.outcome, line.memory) for line in told] == [(Outcome.ENQUEUED, None)]


def test_without_memory_nothing_is_remembered() -> None:
    walk = assemble.event_router(settings())
    order = {"messageId": "m", "timestamp": NOW, **ORDER}
    (line,) = walk.lines(order, shipped_catalog(), now=NOW, memory=HeldMemory())
    assert line.memory is None


def test_an_event_without_an_identifier_is_sent_where_memory_has_one() -> None:
    assert filled(IDENTIFY, ORDER | {"context": {}}) == {"em", "name"}


@pytest.mark.parametrize(
    "order",
    [
        ORDER | {"context": {}, "properties": {"revenue": -20}},
        ORDER | {"context": {}, "userId": "bob"},
    ],
    ids=["a refund", "nobody known"],
)
def test_what_is_invalid_besides_stays_so(order: dict[str, Any]) -> None:
    (line,) = lines(IDENTIFY, order)
    assert (line.outcome, line.memory) == (Outcome.INVALID, None)


NO_PURCHASE = {"properties": {"order_id": "7", "status": "cancelled", "email": "bob@shop.example"}}


@every_row(
    "event",
    [
        ORDER | NO_PURCHASE,
        ORDER | NO_PURCHASE | {"context": {}},
        {"type": "identify", "userId": "ann", "traits": {"email": "b@shop.example"}, "context": {"test": True}},
        {
            "type": "identify",
            "userId": "ann",
            "traits": {"email": "b@shop.example"},
            "context": {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        },
        {"type": "identify", "userId": "ann", "traits": {"email": "b@shop.example"}, "integrations": {"All": False}},
        {
            "type": "identify",
            "userId": "ann",
            "traits": {"email": "b@shop.example"},
            "context": {"page": {"url": "http://localhost/"}},
        },
    ],
    ids=["no purchase", "nor an invalid one", "a test", "a crawler", "integrations", "a page for tests"],
)
def test_what_is_withheld_is_not_remembered_whether_a_preset_takes_it_or_not(event: dict[str, Any]) -> None:
    assert filled(event, ORDER, **LIVE) == set()


def test_nor_is_what_a_switch_withholds() -> None:
    walk = assemble.event_router(
        settings(remember_days=90, events_while_off="withhold"),
        lambda name, _: "off" if name == "Order Completed" else None,
    )
    memory = HeldMemory()
    order = ORDER | {"messageId": "m", "timestamp": NOW, "properties": {"email": "ann@shop.example"}}
    (line,) = walk.lines(order, shipped_catalog(), now=NOW, memory=memory)
    assert line.outcome is Outcome.WITHHELD
    assert vars(memory) == vars(HeldMemory())


def test_an_erasure_counts_from_a_sender_who_is_known_only() -> None:
    walk, memory = assemble.event_router(settings(remember_days=90)), HeldMemory()
    delete = {"type": "delete", "userId": "ann"}
    told = []
    for event, is_trusted in ((IDENTIFY, True), (delete, False), (ORDER, True), (delete, True), (ORDER, True)):
        complete = {"messageId": "m", "timestamp": NOW, **event}
        (line,) = walk.lines(complete, shipped_catalog(), now=NOW, memory=memory, is_known=is_trusted)
        told.append(set(line.memory or ()))
    assert told == [set(), set(), {"em", "name"}, set(), set()]


PRESET = """
subscribe: type = "track"
action: report_conversion_event
"""


def mine(*texts: str) -> Catalog:
    """A catalog of presets `Mine 0`, `Mine 1` and so on, each by what stands in its file beyond PRESET."""
    action = ROOT / "mappings/report_conversion_event.yaml"
    files = {f"{number}.yaml": f"name: Mine {number}{PRESET}{text}" for number, text in enumerate(texts)}
    return compile_catalog(files, {action.name: action.read_text(encoding="utf-8")})


@every_row(
    ("mapping", "expected"),
    [
        ("mapping: {event_name: lead}", {"em", "name", "ph", "ge", "db"}),
        ("mapping: {event_name: lead, user_data: {email: {'@path': $.properties.mail}}}", {"name", "ph", "ge", "db"}),
        ("mapping: {event_name: lead, user_data: {last_name: null}}", {"em", "ph", "ge", "db"}),
        ("mapping: {event_name: lead, person_blocks: {'@blocks': {members: {}, places: [$.properties]}}}", {"em"}),
        ("mapping: {event_name: lead, user_data: {phone: null}}", {"em", "name", "ge", "db"}),
        ("mapping: {event_name: lead, user_data: {'@path': $.properties.user_data}}", set()),
        ("mapping: {event_name: lead}\nremember: false", set()),
        ("mapping: {event_name: lead, opt_out: true}", set()),
        ("mapping: {event_name: {'@path': $.properties.name}}", {"em", "name", "ph", "ge", "db"}),
    ],
)
def test_a_preset_decides_for_the_groups_that_it_names(mapping: str, expected: set[str]) -> None:
    user_data = {"client_ip_address": "203.0.113.9", "client_user_agent": "Mozilla/5.0"}
    order = ORDER | {"properties": {"name": "lead", "user_data": user_data}}
    identify = IDENTIFY | {"traits": IDENTIFY["traits"] | SAID}
    assert filled(identify, order, catalog=mine(mapping)) == expected


def test_an_opt_out_that_a_preset_finds_itself_holds_for_a_delivery_made_valid_by_memory_too() -> None:
    catalog = mine("mapping: {event_name: lead, opt_out: {'@path': $.properties.no_ads}}")
    (line,) = lines(IDENTIFY, ORDER | {"context": {}, "properties": {"no_ads": True}}, catalog=catalog)
    assert line.outcome is Outcome.INVALID


def test_a_delivery_made_valid_by_memory_may_be_withheld() -> None:
    catalog = mine("mapping: {event_name: lead, event_source_url: {'@path': $.properties.where}}")
    order = ORDER | {"context": {}, "properties": {"where": "http://localhost/"}}
    (line,) = lines(IDENTIFY, order, catalog=catalog, **LIVE)
    assert line.outcome is Outcome.WITHHELD


def test_the_person_is_what_the_defaults_find_whatever_a_preset_maps() -> None:
    own = ORDER | {"properties": {"email": "ann@shop.example"}}
    catalog = mine("mapping: {event_name: lead, user_data: {email: shop@shop.example}}")
    assert filled(own, ORDER, catalog=catalog) == set()
    assert filled(own, ORDER) == {"em"}


OWN, PLAIN = "mapping: {event_name: lead, user_data: {email: shop@shop.example}}", "mapping: {event_name: lead}"


@pytest.mark.parametrize(
    ("presets", "accounts"),
    [
        ([OWN, PLAIN], [AdAccount(name="US"), AdAccount(name="FR")]),
        ([PLAIN, OWN], [AdAccount(presets=frozenset({"Mine 1"}))]),
    ],
    ids=["two ad accounts", "one that takes the second preset only"],
)
def test_nor_does_it_matter_which_ad_account_takes_which_preset(presets: list[str], accounts: list[AdAccount]) -> None:
    remembering, memory = _remembering(), HeldMemory()
    own = ORDER | {"messageId": "m-1", "timestamp": NOW, "properties": {"email": "ann@shop.example"}}
    Router(accounts, enrichment=remembering).lines(own, mine(*presets), now=NOW, memory=memory)
    later = ORDER | {"messageId": "m-2", "timestamp": NOW}
    (line,) = Router(enrichment=remembering).lines(later, mine(PLAIN), now=NOW, memory=memory)
    assert line.event is not None
    assert line.event["user_data"]["em"] == [sha256(b"ann@shop.example").hexdigest()]


def test_the_delivery_of_each_ad_account_is_completed_by_itself() -> None:
    remembering, memory = _remembering(), HeldMemory()
    walk = Router([AdAccount(name="US"), AdAccount(name="FR")], enrichment=remembering)
    for number, event in enumerate((IDENTIFY, ORDER)):
        complete = {"messageId": f"m-{number}", "timestamp": NOW, **event}
        told = walk.lines(complete, shipped_catalog(), now=NOW, memory=memory)
    assert [(line.destination, set(line.memory or ())) for line in told] == [
        ("US", {"em", "name"}),
        ("FR", {"em", "name"}),
    ]


#: Where memory is: nothing of it is called for an event while it is off.
#: Whose an event is, is read and kept all the same: people ask for it.
#: `look` and `known` are of the `ConsentBook`, which is on without memory.
OF_MEMORY = re.compile(
    r"app/(identity/(?!id_keys)|pipeline/enrichment\.py|outbox/(\w+/)?people\.py (?!owner_text|look|known))"
)


@pytest.mark.slow
async def test_memory_that_is_off_costs_no_call_an_event(tmp_path: Path) -> None:
    mine = settings(remember_days=0, outbox_url=new_store(tmp_path, "o.db"))
    outbox = open_outbox(mine.outbox_url, mine, clock=lambda: NOW)
    pipeline = assemble.pipeline(mine, outbox=outbox)

    async def calls(name: str, count: int) -> int:
        found: Counter[bool] = Counter()
        page = {"type": "page", "userId": "ann", "context": PERSON, "timestamp": NOW}
        made = [{**page, "messageId": f"{name}-{number}"} for number in range(count)]

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                found[bool(OF_MEMORY.search(f"{frame.f_code.co_filename} {frame.f_code.co_name}"))] += 1

        sys.setprofile(note)
        try:
            await pipeline.accept(Intake(made, now=NOW))
        finally:
            sys.setprofile(None)
        assert found[False] > count, "other calls are seen"
        return found[True]

    assert await calls("one", 1) == await calls("many", 40)
    await outbox.close()

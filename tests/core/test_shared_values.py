"""The values that every process must know: read as their records, over a real outbox."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core import shared_values
from app.core.pages import Attributed, Coverage, FileImported, PinterestView, Quality, RowsImported, Unread
from app.core.people import AccessRequest, Erasure
from app.core.shared_values import (
    ACCESS_REQUESTS,
    ACCOUNT_SWITCH,
    ADS_TOKEN,
    CATALOG_FAULTS,
    CLOCK_JUMPS,
    DELETIONS,
    DESTINATION_SWITCH,
    ERASED_AT,
    ERASURES,
    FEED,
    FEED_PIECES,
    FEED_TURN,
    FEED_UNKNOWN,
    HOLD_TIME,
    IMPORTED,
    INCIDENTS,
    OPEN_INCIDENTS,
    ORDERS_HEARD,
    PINTEREST_VIEWS,
    PRESET_DRAFTS,
    PRESET_SWITCH,
    PROCESSES,
    RATE,
    REPORTS_TURN,
    RETENTION_BEHIND,
    ROW_DIGESTS,
    ROWS_IMPORTED,
    SAMPLES_HURRIED,
    SET_ASIDE,
    SHOP_CLOCKS,
    STORE_SECRET,
    TAG_CALLS,
    TAG_FIGURES,
    TAIL,
    TROUBLE,
    WANTED_CATALOG,
    Bucket,
    ClockJump,
    ClockJumps,
    DraftStep,
    FeedState,
    HoldTime,
    Incident,
    PinterestDeletion,
    PresetDraft,
    Process,
    SealedToken,
    SetAside,
    Shared,
    SharedKey,
    SharedKeys,
    Switch,
    TagCall,
    TagCalls,
    TagCounts,
    TagFigures,
)
from app.errors import Fault
from app.outbox import Outbox, open_outbox
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.sender.claims import a_trouble

FILES = sorted((ROOT / "app").rglob("*.py"))

COVERAGE = Coverage(component="order_id", event="checkout", percent=62.5, overlap=None, issues=("few",))
QUALITY = Quality(platform="WEB", way="TAG", status="FAIR", coverage=(COVERAGE,))
INCIDENT = Incident(
    id="0a1b",
    key="US: blocked",
    kind="blocked",
    severity="critical",
    text="US: Pinterest refuses our calls.",
    ad_account_id="42",
    source="shop",
    since=1.5,
    until=2.5,
    events=3,
    money={"EUR": "9.50"},
    told="firing",
)
UNREAD = Unread(why="Pinterest answers 403", needs_person=True, since=1.5)
ATTRIBUTED = Attributed(date="2026-11-26", checkouts=1, by_click=1, by_view=0, value="19.99")

#: Each value there is, with one that it may hold.
VALUES: list[tuple[SharedKey[Any], Any]] = [
    (TROUBLE.of("42"), a_trouble()),
    (SET_ASIDE.of("delivery/17"), SetAside(doing="settle", why="no", since=1.5, again_at=2.5, record={"a": [1]})),
    (CLOCK_JUMPS, ClockJumps(jumps=(ClockJump(before=1.5, after=2.5),))),
    (RETENTION_BEHIND, 1.5),
    (ORDERS_HEARD.of("42/page/"), 1.5),
    (SHOP_CLOCKS.of("woocommerce"), 1.5),
    (
        PRESET_DRAFTS.of("0a1b"),
        PresetDraft(file="presets/checkout.yaml", steps=[DraftStep(done="", text="name: Checkout")], at=0),
    ),
    (STORE_SECRET, "0a1b"),
    (
        ERASURES.of("1-a"),
        Erasure(
            at=1.5,
            who="ada",
            place="here",
            reference="T-1",
            named_by=("emails",),
            ids=1,
            messages=2,
            erased={"payloads": 2},
            kept=("sums",),
            stays="",
            pinterest=("42: PENDING",),
            found_by=("0a1b",),
        ),
    ),
    (
        ACCESS_REQUESTS.of("1-a"),
        AccessRequest(
            at=1.5,
            source="shop",
            reference="m",
            named_by=("emails",),
            ids=("0a",),
            alone=(),
            named=("1b",),
            external=(),
            orders=(),
            listed=("m-1",),
        ),
    ),
    (DELETIONS.of("1-a-42"), PinterestDeletion(certificate="1-a", ad_account_id="42", asked_at=1.5, sealed="AAAA")),
    (TAG_CALLS.of("7"), TagCalls(at=1, calls=(TagCall(event="checkout"),), more=2)),
    (TAG_FIGURES, TagFigures(until=1, days={"20": {"checkout": TagCounts(calls=3)}}, more={"20": 1})),
    (FEED, FeedState(read_at=1.5, tried_at=2.5, half=1, items=2, groups=1, skipped=3, why="no", since=0.5)),
    (FEED_PIECES.of("0/1"), "AAAA"),
    (FEED_TURN, 1.5),
    (FEED_UNKNOWN, {"Order Completed from shop": {"7": 2}}),
    (HOLD_TIME, HoldTime(at=1.5, machine=2.5, wall=3.5, steady=4.5, boot="b")),
    (RATE.of("42"), Bucket(calls=0.5, at=1_795_000_000.25)),
    (ACCOUNT_SWITCH.of("42"), Switch(on=False)),
    (DESTINATION_SWITCH, Switch(on=False)),
    (PRESET_SWITCH.of("Order / Completed"), Switch(on=True)),
    (WANTED_CATALOG, "abc"),
    (CATALOG_FAULTS, (Fault(path="/name", message="missing", file="presets/a.yaml"),)),
    (PROCESSES.of("host-1"), Process(process_id="host-1", role="all", generation="abc", seen_at=1.5)),
    (TAIL, 1_795_000_300.0),
    (SAMPLES_HURRIED, 1_795_000_300.5),
    (ERASED_AT, 1_795_000_300.5),
    (OPEN_INCIDENTS, {"0a1b": INCIDENT}),
    (INCIDENTS.of("0a1b"), INCIDENT),
    (IMPORTED.of("0a1b"), FileImported(done=1_000, at=1.5)),
    (ROWS_IMPORTED.of("0a1b"), RowsImported(cursor="2026-11-26", first=1, end=2, at=1.5)),
    (ROW_DIGESTS.under("0a1b").of("1"), ("0a1b",)),
    (
        PINTEREST_VIEWS.of("42"),
        PinterestView(
            read_at={"quality": 1.5},
            unread={"currency": UNREAD},
            attributed=(ATTRIBUTED,),
            quality=(QUALITY,),
            their_names={"a": ""},
        ),
    ),
    (REPORTS_TURN, 1.5),
    (ADS_TOKEN, SealedToken(origin="0a1b", sealed="x")),
]


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    rules = outbox_rules(dedup_window_s=1)
    store = open_outbox(new_store(tmp_path, "o.db"), rules)
    yield store
    await store.close()


def test_the_table_holds_every_value_and_no_key_stands_twice() -> None:
    listed = [each for each in vars(shared_values).values() if isinstance(each, SharedKey | SharedKeys)]
    prefixes = [each.name if isinstance(each, SharedKey) else each.prefix for each in listed]
    for key, _ in VALUES:
        assert [prefix for prefix in prefixes if key.name.startswith(prefix)], key
    assert len(VALUES) == len(listed)
    assert [(one, other) for one in prefixes for other in prefixes if one != other and one.startswith(other)] == []


@pytest.mark.parametrize(("key", "value"), VALUES, ids=lambda each: getattr(each, "name", None))
async def test_what_is_written_is_read_and_taken_away(outbox: Outbox, key: SharedKey[Any], value: Any) -> None:
    assert await key.read_revised(outbox) == Shared(None, 0)
    assert await key.write(outbox, value) == 1
    assert await key.read_revised(outbox) == Shared(value, 1)
    assert await key.write(outbox, None) == 2
    assert await key.read(outbox) is None


@pytest.mark.parametrize("stored", ["nonsense", {}, {"on": "no"}, [], None, 7])
async def test_what_does_not_read_as_its_record_is_no_value_and_may_be_overwritten(outbox: Outbox, stored: Any) -> None:
    await outbox.put_shared(DESTINATION_SWITCH.name, stored)
    assert await DESTINATION_SWITCH.read_revised(outbox) == Shared(None, 1)
    assert await DESTINATION_SWITCH.write(outbox, Switch(on=False), revision=1) == 2


async def test_members_that_a_newer_version_added_are_passed_over(outbox: Outbox) -> None:
    await outbox.put_shared(DESTINATION_SWITCH.name, {"on": False, "by": "somebody"})
    assert await DESTINATION_SWITCH.read(outbox) == Switch(on=False)


async def test_who_writes_second_writes_nothing(outbox: Outbox) -> None:
    await ERASED_AT.write(outbox, 1.5)
    assert await ERASED_AT.write(outbox, 2.5, revision=0) is None
    assert await ERASED_AT.read(outbox) == 1.5


async def test_all_of_one_kind_are_read_by_name_without_what_is_none(outbox: Outbox) -> None:
    for name, on in (("b", True), ("a", False)):
        await PRESET_SWITCH.of(name).write(outbox, Switch(on=on))
    await PRESET_SWITCH.of("gone").write(outbox, None)
    await DESTINATION_SWITCH.write(outbox, Switch(on=False))
    assert list((await PRESET_SWITCH.read_all(outbox)).items()) == [("a", Switch(on=False)), ("b", Switch(on=True))]


def test_nobody_reads_or_writes_a_shared_value_but_by_its_key() -> None:
    callers = {path for path in FILES if re.search(r"\.(get|put|list)_shared\(", path.read_text(encoding="utf-8"))}
    assert {str(path.relative_to(ROOT)) for path in callers if path.parents[1].name != "outbox"} <= {
        "app/core/shared_values.py",
        "app/outbox/transfer.py",  # carries all there are from one engine to another
    }


def test_switches_have_one_place() -> None:
    named = {path for path in FILES if "_SWITCH" in path.read_text(encoding="utf-8")}
    assert {str(path.relative_to(ROOT)) for path in named} == {"app/core/coordination.py", "app/core/shared_values.py"}

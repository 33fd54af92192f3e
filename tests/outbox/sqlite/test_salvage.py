"""What lies on good pages of a damaged file arrives in a new one; what does not is named."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.core.deliveries import State
from app.core.events import CounterRow, DroppedEvent, EventKey, InventoryCount, Measure, Outcome
from app.core.pages import AuditAction, AuditEntry, Query
from app.core.people import Ownership, PeopleChanges
from app.errors import OutboxUnavailable
from app.outbox import Salvaged, open_outbox, salvage
from app.outbox.sqlite.database import IDENTITY, SCHEMA_VERSION
from tests.outbox.build import ACCOUNT, NOW, At, delivered, new, rules
from tests.outbox.keep_store import STORES, load
from tests.outbox.sqlite.damage import damage_end_of, damage_pages_of

COUNT = 600
DELIVERED, DEAD = 100, 50

Salvages = Callable[..., Awaitable[tuple[Salvaged, At]]]


@pytest.fixture
async def filled(path: Path) -> Path:
    """An outbox with delivered, dead and waiting deliveries, dropped events, counts and shared values."""
    at = At(open_outbox(f"sqlite:///{path}", rules(payload_s=1_000)))
    deliveries = [new(message_id=f"m-{n}", event_id=f"m-{n}") for n in range(1, COUNT + 1)]
    counters = [CounterRow(name="accepted", count=COUNT)]
    names = [*(each.message_id for each in deliveries), "n-1"]
    owners = [Ownership(message_id=name, user="u" * 16, anonymous=None) for name in names]
    whose = PeopleChanges(people=[], suppressions=[], owners=owners)
    await at.outbox.enqueue(deliveries, _dropped(COUNT), counters, now=NOW, people=whose)
    sent = await at.claim(limit=DELIVERED)
    await at.settle(*(delivered(each, warning="em looks odd" * 40 * (number % 2)) for number, each in enumerate(sent)))
    await at.kill(*await at.claim(limit=DEAD))
    await at.outbox.write_audit(AuditEntry(at=NOW, who="eva", place="::1", what=AuditAction.SWITCH))
    for n in range(3):
        count = InventoryCount(EventKey("default", "track", str(n)), Measure.RECEIVED, "", COUNT)
        await at.outbox.inventory.add([count], now=NOW, max_names=9)
    await at.outbox.put_shared("switch/destination", {"on": False})
    await at.outbox.close()
    return path


def _dropped(count: int) -> tuple[DroppedEvent, ...]:
    return tuple(
        DroppedEvent(message_id=f"n-{n}", preset=None, outcome=Outcome.REFUSED, reason="no event") for n in range(count)
    )


@pytest.fixture
def salvaged(filled: Path, tmp_path: Path) -> Salvages:
    """`await salvaged({table: pages})` damages so many pages of each and salvages; what was found, and the new one."""

    async def do(damage: dict[str, int]) -> tuple[Salvaged, At]:
        for table, count in damage.items():
            damage_pages_of(filled, table, count=count)
        url = f"sqlite:///{tmp_path}/new.db"
        return await salvage(filled, url), At(open_outbox(url, rules()))

    return do


@pytest.mark.slow
async def test_of_a_good_file_everything_arrives(salvaged: Salvages) -> None:
    found, at = await salvaged({})
    assert found.arrived == {
        "keys": COUNT - DEAD,
        "suppressions": 0,
        "people": 0,
        "consents": 0,
        "owners": COUNT + 1,
        "quarantined": 0,
        "waiting": COUNT - DELIVERED,
        "delivered": DELIVERED,
        "dropped_events": COUNT,
        "audit": 1,
        "counts": found.arrived["counts"],
        "revenue": 4,
        "inventory": 6,
        "shared": 2,  # a switch, and the time by which holds end
    }
    assert found.arrived["counts"] > 0
    assert (found.lost, found.lost_dropped_events, found.lost_keys) == ([], 0, 0)
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.dead) == (COUNT - DELIVERED - DEAD, DEAD)
    named = await at.outbox.inventory.name_counts([("Order Completed", "default")], first_day=0, last_day=10**6)
    stands = {"delivered": DELIVERED, "dead": DEAD, "waiting": COUNT - DELIVERED - DEAD}
    assert {each.state: each.number for each in named} == stands
    assert {len((await at.outbox.message(f"m-{n}")).deliveries[0].history) for n in range(1, DELIVERED + DEAD)} == {1}
    (again,) = await at.enqueue(new(event_id="m-1"))
    assert again.outcome is Outcome.DUPLICATE
    assert len(await at.claim(limit=COUNT)) == COUNT - DELIVERED - DEAD
    await at.outbox.close()


@pytest.mark.slow
async def test_deliveries_on_damaged_pages_are_named_and_all_others_arrive(salvaged: Salvages) -> None:
    found, at = await salvaged({"delivery": 2})
    arrived = found.arrived["waiting"] + found.arrived["delivered"]
    assert found.arrived["owners"] == arrived + 1
    assert 0 < len(found.lost) < COUNT / 4
    assert arrived == COUNT - len(found.lost)
    assert [name for id_, name in found.lost] == [f"m-{id_}" for id_, _ in found.lost]  # the index knows them
    page = await at.outbox.search(Query(), limit=COUNT)
    assert {each.message_id for each in page.deliveries} == {f"m-{n}" for n in range(1, COUNT + 1)} - {
        name for _, name in found.lost
    }
    await at.outbox.close()


@pytest.mark.slow
async def test_where_no_index_knows_it_a_lost_delivery_is_named_by_its_id(salvaged: Salvages) -> None:
    found, at = await salvaged({"delivery": 1, "delivery_message": 1})
    assert found.lost
    assert {name for _, name in found.lost} <= {None} | {f"m-{id_}" for id_, _ in found.lost}
    assert found.arrived["waiting"] + found.arrived["delivered"] >= COUNT - len(found.lost)
    await at.outbox.close()


@pytest.mark.slow
async def test_a_waiting_delivery_without_its_payload_is_lost_and_a_delivered_one_is_not(salvaged: Salvages) -> None:
    found, at = await salvaged({"payload": 3})
    assert found.arrived["delivered"] == DELIVERED
    assert found.arrived["waiting"] == COUNT - DELIVERED - len(found.lost)
    assert all(id_ > DELIVERED and name == f"m-{id_}" for id_, name in found.lost)
    claimed = await at.claim(limit=COUNT)
    assert {each.payload[:1] for each in claimed} == {b"{"}
    await at.outbox.close()


@pytest.mark.slow
async def test_what_is_damaged_beside_the_deliveries_costs_none_of_them(salvaged: Salvages) -> None:
    found, at = await salvaged(
        {"dropped_event": 1, "dedup_key": 1, "attempt": 1, "delivery_due": 1, "delivery_unsettled": 1}
    )
    assert found.arrived["waiting"] + found.arrived["delivered"] == COUNT
    assert found.lost == []
    assert found.arrived["owners"] == COUNT + 1
    assert 0 < found.lost_dropped_events < COUNT / 4
    assert found.arrived["dropped_events"] == COUNT - found.lost_dropped_events
    assert found.lost_keys > 0
    assert COUNT - DEAD > found.arrived["keys"] > COUNT / 2
    assert len((await at.outbox.search(Query(state=State.DEAD), limit=COUNT)).deliveries) == DEAD
    await at.outbox.close()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["delivery", "dropped_event"])
async def test_where_the_end_of_a_table_is_damaged_what_lies_before_it_arrives_and_the_rest_is_counted(
    filled: Path, salvaged: Salvages, table: str
) -> None:
    at = At(open_outbox(f"sqlite:///{filled}", rules()))
    await at.enqueue(dropped=_dropped(COUNT))
    await at.outbox.close()
    damage_end_of(filled, table)
    found, at = await salvaged({})
    lost = {"delivery": len(found.lost), "dropped_event": found.lost_dropped_events}
    assert 0 < lost.pop(table) < COUNT / 4
    assert set(lost.values()) == {0}
    assert found.arrived["waiting"] + found.arrived["delivered"] + len(found.lost) == COUNT
    assert found.arrived["dropped_events"] + found.lost_dropped_events == 2 * COUNT
    await at.outbox.close()


@pytest.mark.slow
async def test_new_deliveries_get_ids_that_the_damaged_file_never_gave(salvaged: Salvages) -> None:
    _, at = await salvaged({"delivery": 2})
    await at.enqueue(new(message_id="after"))
    (delivery,) = (await at.outbox.message("after")).deliveries
    assert int(delivery.delivery_id) == COUNT + 1
    await at.outbox.close()


@pytest.mark.slow
async def test_a_store_that_holds_something_is_not_salvaged_into(filled: Path) -> None:
    with pytest.raises(OutboxUnavailable, match="Name an empty one"):
        await salvage(filled, f"sqlite:///{filled}")


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "Check that it is the file of an outbox"), (b"noise" * 2_000, "not an outbox")]
)
async def test_a_file_that_is_no_outbox_is_refused_and_no_new_one_is_made(
    tmp_path: Path, content: bytes, words: str
) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    with pytest.raises(OutboxUnavailable, match=words):
        await salvage(damaged, f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()


#: Tables with the column that version 2 of the schema renamed.
_TRUSTED_TABLES = """
    SELECT name FROM sqlite_schema
    WHERE type = 'table' AND EXISTS (
      SELECT 1 FROM pragma_table_info(sqlite_schema.name) AS has WHERE has.name = 'is_trusted')
"""


@pytest.mark.slow
@pytest.mark.parametrize("tables", ["", "note dropped_event", "note dropped_event tally counter whose delivery_owner"])
@pytest.mark.parametrize("version", [13, 16])
async def test_everything_arrives_of_a_file_from_before_the_first_release(
    filled: Path, tmp_path: Path, salvaged: Salvages, version: int, tables: str
) -> None:
    of_the_newer = await salvage(filled, f"sqlite:///{tmp_path}/of-the-newer.db")
    _mark(filled, identity=0, version=version)
    names = tables.split()
    with closing(sqlite3.connect(filled)) as connection:
        for former, name in zip(names[::2], names[1::2], strict=True):
            connection.execute(f"ALTER TABLE {name} RENAME TO {former}")
        for table in (each for (each,) in connection.execute(_TRUSTED_TABLES).fetchall()):
            connection.execute(f"ALTER TABLE {table} RENAME COLUMN is_trusted TO is_proven")
        connection.execute("ALTER TABLE consent RENAME COLUMN for_trusted TO for_proven")
    found, at = await salvaged({})
    assert (found.lost, found.lost_dropped_events, found.lost_audit, found.lost_keys) == ([], 0, 0, 0)
    assert found.arrived == of_the_newer.arrived
    await at.outbox.close()


@pytest.mark.slow
async def test_deliveries_and_dropped_events_of_a_file_of_version_1_arrive_without_a_channel(tmp_path: Path) -> None:
    file, url = tmp_path / "old.db", f"sqlite:///{tmp_path}/new.db"
    load((STORES / "9903de9f.sqlite.sql").read_text(encoding="utf-8"), f"sqlite:///{file}")
    found = await salvage(file, url)
    assert (found.lost, found.lost_dropped_events, found.lost_audit, found.lost_keys) == ([], 0, 0, 0)
    outbox = open_outbox(url, rules())
    arrived = [(each.message_id, each.channel) for each in (await outbox.search(Query(), limit=9)).deliveries]
    dropped = [(each.message_id, each.channel) for _, each in (await outbox.message("old-3")).dropped_events]
    await outbox.close()
    assert sorted(arrived) == [("old-1", ""), ("old-2", "")]
    assert set(dropped) == {("old-3", "")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("identity", "version"), [(0, 1), (0, 12), (0, 17), (IDENTITY, SCHEMA_VERSION + 1), (IDENTITY ^ 1, 99)]
)
async def test_a_file_of_an_unknown_schema_is_left_to_the_pinrelay_that_wrote_it(
    filled: Path, identity: int, version: int
) -> None:
    _mark(filled, identity=identity, version=version)
    with pytest.raises(OutboxUnavailable, match="with the Pinrelay that wrote it"):
        await salvage(filled, f"sqlite:///{filled}-new")


def _mark(path: Path, *, identity: int, version: int) -> None:
    """Make an outbox look like one of another schema."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA application_id={identity}; PRAGMA user_version={version};")


@pytest.mark.slow
async def test_another_baseline_from_before_the_first_release_is_read_too(filled: Path, salvaged: Salvages) -> None:
    _mark(filled, identity=IDENTITY ^ 1, version=SCHEMA_VERSION)
    found, at = await salvaged({})
    assert found.lost == []
    assert len(await at.claim()) == COUNT - DELIVERED - DEAD
    await at.outbox.close()


async def test_a_damaged_shared_value_is_named_by_a_check_and_a_salvage_and_costs_no_other(
    filled: Path, salvaged: Salvages
) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("INSERT INTO shared VALUES ('secret', CAST(? AS TEXT), 1)", (b"\xff\xfe",))
    opened = open_outbox(f"sqlite:///{filled}", rules())
    with pytest.raises(OutboxUnavailable, match="The shared value secret in the outbox is damaged"):
        await opened.check()
    await opened.close()
    found, at = await salvaged({})
    assert (found.lost_shared, found.arrived["shared"]) == (["secret"], 2)
    await at.outbox.check()
    await at.outbox.close()


@pytest.mark.slow
async def test_what_only_looks_like_a_row_or_a_payload_is_named_and_costs_no_other(
    filled: Path, salvaged: Salvages
) -> None:
    _spoil(filled)
    found, at = await salvaged({})
    assert sorted(found.lost) == [(300, None), (400, "m-400")]
    assert found.arrived["waiting"] == COUNT - DELIVERED - 2
    assert found.lost_dropped_events == 1
    assert found.arrived["dropped_events"] == COUNT - 1
    await at.outbox.close()


def _spoil(path: Path) -> None:
    """Put into good pages what no Pinrelay would write."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        connection.execute("UPDATE delivery SET attempts = -7 WHERE id = 300")
        connection.execute("UPDATE payload SET body = x'ff00' WHERE delivery_id = 400")
        connection.execute("UPDATE dropped_event SET message_id = CAST(x'fffe' AS TEXT) WHERE id = 7")
        connection.commit()

"""The statements that both engines share, in the dialect of each."""

import msgspec
import pytest

from app.core.deliveries import State, StoredDelivery
from app.outbox.rows import for_postgres, for_sqlite, named_queries, shared_queries, stored_deliveries
from tests.rows import every_row


@every_row(
    ("shared", "postgres", "sqlite"),
    [
        ("at < :now::float8 - 60", "at < %(now)s::float8 - 60", "at < :now - 60"),
        ("learned::integer", "learned::integer", "learned"),
        ("key LIKE 'a%'", "key LIKE 'a%%'", "key LIKE 'a%'"),
        ("id = ANY(:ids::bigint[])", "id = ANY(%(ids)s::bigint[])", "id IN (SELECT value FROM json_each(:ids))"),
        ("FROM each_row(:r) AS x", "FROM jsonb_array_elements(%(r)s::jsonb) AS x (value)", "FROM json_each(:r) AS x"),
        ("LIMIT :n FOR UPDATE SKIP LOCKED", "LIMIT %(n)s FOR UPDATE SKIP LOCKED", "LIMIT :n"),
        ('ORDER BY name COLLATE "C", id', 'ORDER BY name COLLATE "C", id', "ORDER BY name, id"),
        ("a IS NOT DISTINCT FROM b", "a IS NOT DISTINCT FROM b", "a IS b"),
        ("a IS DISTINCT FROM b", "a IS DISTINCT FROM b", "a IS NOT b"),
        ("least(a, greatest(b, c))", "least(a, greatest(b, c))", "min(a, max(b, c))"),
        ("UPDATE {queue} SET held = {false}", "UPDATE queue SET held = false", "UPDATE delivery SET held = 0"),
        ("FROM {dead} WHERE held = {true}", "FROM dead WHERE held = true", "FROM delivery WHERE held = 1"),
    ],
)
def test_a_shared_statement_is_rendered_for_each_engine(shared: str, postgres: str, sqlite: str) -> None:
    assert (for_postgres(shared), for_sqlite(shared)) == (postgres, sqlite)


def test_no_word_of_the_shared_dialect_is_left() -> None:
    shared = shared_queries()
    for text in (for_postgres(shared), for_sqlite(shared)):
        assert "{" not in text
        assert "each_row" not in text
    assert "::" not in for_sqlite(shared)


def test_two_statements_with_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"statements with the same name: a$"):
        named_queries("-- a --\nSELECT 1;\n", "-- a --\nSELECT 2;\n-- b --\nSELECT 3;\n")


def test_a_stored_delivery_is_read_from_its_columns_in_order_and_from_no_others() -> None:
    values = dict.fromkeys(StoredDelivery.__struct_fields__, "text")
    row = values | {
        "event_time": 1, "stored_side": None, "delivery_id": 7, "state": "dead", "merged": 0, "is_trusted": 1,
        "was_tried": True, "settled_at": 2.5, "follows": None, "payload": None,
    }  # fmt: skip
    (read,) = stored_deliveries([tuple(row.values())])
    assert (read.delivery_id, read.state, read.is_trusted, read.was_tried) == (7, State.DEAD, True, True)
    for wrong in (tuple(row.values())[:-1], tuple((row | {"state": "gone"}).values()), tuple(reversed(row.values()))):
        with pytest.raises(msgspec.ValidationError):
            stored_deliveries([wrong])


def test_only_the_statement_of_stored_deliveries_lists_their_columns() -> None:
    columns = ", ".join(StoredDelivery.__struct_fields__)
    for dialect in (for_postgres, for_sqlite):
        found = named_queries(dialect(shared_queries()))
        assert [name for name, text in found.items() if columns in text] == ["deliveries"]

"""The table of fields: no row lacks a column, and each column decides what it is documented to decide."""

import ast
from dataclasses import fields, replace
from itertools import product
from typing import Any, Final

import orjson
import pytest

from app.core.fields import CONTACTS, CUSTOM_FIELDS, USER_FIELDS, CustomField, UserField, checked_by_name, memory_groups
from app.outbox.pairing import SideEvent, merged
from tests.process import ROOT
from tests.rows import every_row

SIDES: Final = ((), ("page",), ("shop",), ("page", "shop"))


@every_row(
    ("row", "column"), [(each[0], column.name) for each in (USER_FIELDS, CUSTOM_FIELDS) for column in fields(each[0])]
)
def test_a_row_without_a_column_is_a_type_error(row: UserField | CustomField, column: str) -> None:
    columns = {each.name: getattr(row, each.name) for each in fields(row) if each.name != column}

    with pytest.raises(TypeError, match=column):
        type(row)(**columns)


@every_row(
    "row", [USER_FIELDS[0].identity, USER_FIELDS[0].identity.owner, USER_FIELDS[0].reading, USER_FIELDS[0].match_key]
)
def test_no_column_of_a_part_has_a_default(row: Any) -> None:
    with pytest.raises(TypeError):
        type(row)()
    assert replace(row) is not row


def test_a_field_without_a_reader_and_a_reader_without_a_field_are_type_errors() -> None:
    assert list(checked_by_name({"b": 1, "a": 2}, ["a", "b"])) == ["a", "b"]
    with pytest.raises(TypeError, match="nick"):
        checked_by_name({}, ["nick"])
    with pytest.raises(TypeError, match="nick"):
        checked_by_name({"nick": 1}, [])


def test_names_are_unique_and_a_field_that_identifies_is_a_memory_group_of_its_own() -> None:
    assert len({each.wire for each in USER_FIELDS}) == len({each.name for each in USER_FIELDS}) == len(USER_FIELDS)
    assert {name: memory_groups()[name] for name in CONTACTS} == {name: (name,) for name in CONTACTS}


def of_side(field: UserField, side: str) -> Any:
    return [f"{side} {field.wire}"] if field.reading.hashed else f"{side} {field.wire}"


def sent(**user_data: dict[str, Any]) -> dict[str, Any]:
    """Return the `user_data` of the event that a page order and a shop order become."""
    rest = {"event_name": "checkout", "action_source": "web", "event_time": 1, "event_id": "e"}
    page, shop = (SideEvent(orjson.dumps(rest | {"user_data": user_data[side]})) for side in ("page", "shop"))
    found: dict[str, Any] = orjson.loads(merged(page, shop).payload)["user_data"]
    return found


def expected(field: UserField, page: dict[str, Any], shop: dict[str, Any]) -> Any:
    """Return the value of a field after merging, by its `merge` column alone; `None`: no value."""
    name = field.wire
    buyers = {each.wire for each in USER_FIELDS if each.identity.owner.merge == "shop_buyer"}
    match field.identity.owner.merge:
        case "shop_buyer":
            return (shop if buyers & set(shop) else page).get(name)
        case "page_browser":
            return page.get(name, shop.get(name))
        case "union" if field.reading.hashed:
            return [*shop.get(name, []), *page.get(name, [])] or None
        case _:
            return shop.get(name, page.get(name))


@every_row(
    ("field", "beside", "where"),
    [(each, other, pair) for each, other in product(USER_FIELDS, repeat=2) for pair in product(SIDES, repeat=2)],
)
def test_each_pair_of_fields_is_merged_by_its_column(field: UserField, beside: UserField, where: Any) -> None:
    data: dict[str, dict[str, Any]] = {"page": {}, "shop": {}}
    for each, sides in zip((field, beside), where, strict=True):
        for side in sides:
            data[side][each.wire] = of_side(each, side)

    got = sent(**data)

    assert {each.wire: got.get(each.wire) for each in (field, beside)} == {
        each.wire: expected(each, **data) for each in (field, beside)
    }


def test_no_field_of_a_buyer_comes_from_the_page_if_the_shop_sends_any() -> None:
    buyers = [each for each in USER_FIELDS if each.identity.owner.merge == "shop_buyer"]
    page = {each.wire: of_side(each, "page") for each in USER_FIELDS}
    for each in buyers:
        got = sent(page=page, shop={each.wire: of_side(each, "shop")})
        assert [other.wire for other in buyers if other.wire in got] == [each.wire]


#: The sandbox judges independently of the table. The others assign a reader to each field; import checks their names.
LISTS_OF_FIELDS: Final = {
    "app/destination/custom_data.py",
    "app/destination/normalise.py",
    "app/destination/user_data.py",
    "app/sandbox/judge.py",
}


def lists_fields(node: ast.AST) -> bool:
    """Return whether a literal collection has two fields of `user_data`, or three of `custom_data`."""
    members = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
    names = {each.value for each in members if isinstance(each, ast.Constant)}
    wires, custom = {each.wire for each in USER_FIELDS}, {each.name for each in CUSTOM_FIELDS}
    return len(names & wires) >= 2 or len(names & custom) >= 3


def test_no_module_beside_the_table_and_the_readers_lists_fields() -> None:
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "app").rglob("*.py")}
    found = {name for name, path in files.items() if any(map(lists_fields, ast.walk(ast.parse(path.read_text()))))}
    assert found == LISTS_OF_FIELDS

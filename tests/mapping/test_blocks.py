"""`@blocks` reads each place of an event by itself, and names the faults of its own."""

from typing import Any

import pytest

from app.errors import MappingError
from app.mapping import compile_mapping
from tests.rows import every_row

MEMBERS = {"first_name": ["first_name", "firstName"], "state": ["state", "province"]}
BLOCKS = {
    "members": MEMBERS,
    "beside": {"email": ["email"]},
    "within": ["address"],
    "places": ["$.properties", {"place": "$.traits", "members": {"name": ["name"]}}],
    "recipients": ["$.properties.shipping"],
}


def found(event: dict[str, Any], **options: Any) -> Any:
    resolved = compile_mapping({"blocks": {"@blocks": BLOCKS | options}}).resolve(event)
    return [
        ("to " * block["is_recipient"] + block["place"], block["values"])
        for block in (resolved or {}).get("blocks", [])
    ]


@every_row(
    ("what", "event", "blocks"),
    [
        ("one place", {"properties": {"state": "CA"}}, [("properties", {"state": [["state", "CA"]]})]),
        (
            "two places and a recipient, in order",
            {"traits": {"name": "A B"}, "properties": {"firstName": "A", "shipping": {"province": "NV"}}},
            [
                ("properties", {"first_name": [["firstName", "A"]]}),
                ("traits", {"name": [["name", "A B"]]}),
                ("to properties.shipping", {"state": [["province", "NV"]]}),
            ],
        ),
        (
            "spellings in their order, those of an address first",
            {"properties": {"province": "NV", "state": "CA", "address": {"province": "WA"}}},
            [("properties", {"state": [["address.province", "WA"], ["state", "CA"], ["province", "NV"]]})],
        ),
        (
            "an e-mail address beside a name",
            {"properties": {"first_name": "A", "email": "a@b.co"}},
            [("properties", {"first_name": [["first_name", "A"]], "email": [["email", "a@b.co"]]})],
        ),
        ("an e-mail address alone makes no block", {"properties": {"email": "a@b.co"}}, []),
        (
            "what says nothing makes no block",
            {"properties": {"state": "(not set)", "first_name": [], "province": {}}},
            [],
        ),
        ("a member of another place", {"properties": {"name": "Walnut stool"}}, []),
        (
            "several people",
            {"properties": {"shipping": [{"state": "CA"}, {"state": "NV"}]}},
            [("to properties.shipping", {"state": [["state", ["CA", "NV"]]]})],
        ),
        ("what is no object", {"properties": "state", "traits": 5}, []),
        (
            "a list of objects where one is expected",
            {"properties": [{"state": "CA"}, 1, {"address": [{"state": "NV"}, "x"]}]},
            [("properties", {"state": [["address.state", ["NV"]], ["state", ["CA"]]]})],
        ),
        ("a list of no objects", {"properties": ["state"], "traits": []}, []),
        ("an address that is none", {"properties": {"address": "1 Main St"}}, []),
        ("false, as PHP writes nothing", {"properties": False}, []),
        ("nothing", {}, []),
    ],
)
def test_what_each_place_holds_is_read(what: str, event: dict[str, Any], blocks: list[Any]) -> None:
    assert found(event) == blocks, what


@every_row(
    ("options", "fault"),
    [
        ("text", "/b/@blocks: should be an object with"),
        ({"places": []}, "/b/@blocks: should have the key 'members'"),
        ({"members": {}}, "/b/@blocks: should have the key 'places'"),
        ({"members": [], "places": []}, "/b/@blocks/members: should be an object of lists but it is a list"),
        ({"members": {"a": "b"}, "places": []}, "/b/@blocks/members/a: should be a list of texts"),
        ({"members": {"a": [1]}, "places": []}, "/b/@blocks/members/a: should be a list of texts"),
        ({"members": {}, "beside": 5, "places": []}, "/b/@blocks/beside: should be an object of lists"),
        ({"members": {}, "within": "address", "places": []}, "/b/@blocks/within: should be a list of texts"),
        ({"members": {}, "places": "$.a"}, "/b/@blocks/places: should be a list of places but it is a text"),
        ({"members": {}, "places": [], "recipients": {}}, "/b/@blocks/recipients: should be a list of places"),
        ({"members": {}, "places": [5]}, "/b/@blocks/places/0: should be a text but it is a number"),
        ({"members": {}, "places": ["$.a[*]"]}, "/b/@blocks/places/0: should be the path of one object"),
        ({"members": {}, "places": ["$"]}, "/b/@blocks/places/0: should be the path of one object"),
        ({"members": {}, "places": [{"place": "$.a", "ember": {}}]}, "has an unknown key 'ember'"),
        (
            {"members": {}, "places": [{"place": "$.a", "members": 1}]},
            "/b/@blocks/places/0/members: should be an object",
        ),
        ({"members": {}, "place": []}, "has an unknown key 'place'; did you mean 'places'?"),
    ],
)
def test_a_fault_names_its_place(options: Any, fault: str) -> None:
    with pytest.raises(MappingError) as error:
        compile_mapping({"b": {"@blocks": options}})

    assert fault in str(error.value)


@every_row(
    ("mapping", "fault"),
    [
        ({"@all": "$.a"}, "/x/@all: should be a list of values but it is a text"),
        ({"@all": [1] * 51}, "/x/@all: has more than 50 values"),
        ({"@ifContains": {"value": 1}}, "/x/@ifContains: should have the key 'contains'"),
        ({"@ifContains": {"contains": "@"}}, "/x/@ifContains: should have the key 'value'"),
        ({"@ifContains": {"value": 1, "contains": 5}}, "/x/@ifContains/contains: should be a text but it is a number"),
        ({"@ifContains": {"value": 1, "contains": ""}}, "/x/@ifContains/contains: should not be empty"),
        ({"@ifAllowed": {"value": 1, "equals": []}}, "/x/@ifAllowed/equals: should be a text, number or boolean"),
    ],
)
def test_a_fault_of_the_directives_beside_it_names_its_place(mapping: Any, fault: str) -> None:
    with pytest.raises(MappingError) as error:
        compile_mapping({"x": mapping})

    assert fault in str(error.value)


@pytest.mark.parametrize(
    ("what", "event", "values"),
    [
        ("both", {"a": 1, "b": {"c": False}}, [1, False]),
        ("null is not there", {"a": None, "b": {"c": ""}}, [""]),
        ("false, as PHP writes nothing", {"b": False}, None),
        ("none", {}, None),
    ],
)
def test_all_values_that_are_there_are_a_list(what: str, event: Any, values: Any) -> None:
    mapping = compile_mapping({"x": {"@all": [{"@path": "$.a"}, {"@path": "$.b.c"}]}})

    assert mapping.resolve(event).get("x") == values, what


@every_row(
    ("value", "branch"), [(3, "then"), ("3", "then"), ([3.0], "then"), (2, "else"), (True, "else"), (" ", "unsaid")]
)
def test_a_permission_may_be_another_word_than_yes(value: Any, branch: str) -> None:
    options = {"value": {"@path": "$.a"}, "equals": 3, "then": "then", "else": "else", "unsaid": "unsaid"}

    assert compile_mapping({"x": {"@ifAllowed": options}}).resolve({"a": value}) == {"x": branch}

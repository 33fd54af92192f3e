"""What resolves to what, where the vectors say nothing: our own directives, edges and bounds."""

from typing import Any

import orjson
import pytest

from app.catalog.mappings import compile_mapping
from app.core.values.amounts import Context, read_amount
from app.errors import MappingError
from app.mapping import MISSING
from tests.rows import every_row


def path(text: str) -> dict[str, str]:
    return {"@path": text}


def resolve(value: Any, event: dict[str, Any] | None = None) -> Any:
    """Resolve one value of a mapping; MISSING where it leaves its key out."""
    return compile_mapping({"out": value}).resolve(event or {}).get("out", MISSING)


COALESCE = [
    # options as they are found in the event, the choice
    ([None, "", [], "a"], "a"),
    ([0, "a"], 0),
    ([False, "a"], False),
    ([{"b": None}, {"b": [{}]}, {"b": 0}, "a"], {"b": 0}),
    ([" ", "undefined", "nAn", " (Not Set)\t", {}, [None, ["n/a", ""]], "a"], "a"),
    ([None, "", []], MISSING),
    ([], MISSING),
]


@every_row(("options", "chosen"), COALESCE)
def test_coalesce_chooses_the_first_that_is_not_empty(options: list[Any], chosen: Any) -> None:
    paths = [path(f"$.o.{index}") for index in range(len(options))]
    calls = [{"@case": {"operator": "lower", "value": option}} for option in paths]

    assert resolve({"@coalesce": [path("$.gone"), *paths]}, {"o": options}) == chosen
    assert resolve({"@coalesce": [path("$.gone"), *calls]}, {"o": options}) == chosen
    assert resolve({"@coalesce": options}) == chosen


PARENT, CHILD = {"sku": "p1", "type": "parent", "price": 5}, {"sku": "p2", "type": "child", "price": 0}


@every_row(
    ("where", "given", "found"),
    [
        ('item.type = "child"', [PARENT, CHILD], ["p2"]),
        ('item.type != "child"', [PARENT, CHILD, {"sku": "p3"}], ["p1", "p3"]),
        ("item.price > 0", [PARENT, CHILD], ["p1"]),
        ('item.price = 0 or match(item.sku, "*1")', [PARENT, CHILD], ["p1", "p2"]),
        ('not (item.parent.type = "bundle")', [{"sku": "p1", "parent": {"type": "bundle"}}, CHILD], ["p2"]),
        ('item.type = "child"', CHILD, ["p2"]),
        ('item.type = "child"', PARENT, MISSING),
        ('item.type = "child"', orjson.dumps([PARENT, CHILD]).decode(), ["p2"]),
        ('item.type = "child"', [PARENT], MISSING),
        ('item.type = "child"', [PARENT, None, 5, "p4"], MISSING),
        ('item.type = "child"', "p4", MISSING),
        ('item.type = "child"', [], MISSING),
        ('item.type = "child"', None, MISSING),
    ],
)
def test_each_with_where_skips_objects_that_do_not_match(where: str, given: Any, found: Any) -> None:
    value = {"@each": ["$.o", path("$.sku"), {"where": where}]}

    assert resolve(value, {"o": given}) == found
    assert resolve({"@coalesce": [value, "next"]}, {"o": given}) == ("next" if found is MISSING else found)
    explained = [read.value for read in compile_mapping({"out": value}).explain({"o": given})]
    assert explained == ([] if found is MISSING else [found])


@every_row(
    ("given", "warned"),
    [
        ([PARENT, CHILD], []),
        ([PARENT], []),
        ([CHILD, "p4"], ["p4"]),
        ([], [[]]),
    ],
)
def test_where_warns_of_what_is_no_object_only(given: Any, warned: list[Any]) -> None:
    found = compile_mapping({"out": {"@each": ["$.o", path("$.sku"), {"where": 'item.type = "child"'}]}})

    assert [each.value for each in found.resolve({"o": given}).places.passed_over] == warned


@every_row(
    ("given", "prefix", "found"),
    [
        ("EPIK_1", "EPIK_", "EPIK_1"),
        (" EPIK_1 ", "EPIK_", "EPIK_1"),
        ("1", "EPIK_", MISSING),
        ("", "EPIK_", MISSING),
        (1, "EPIK_", MISSING),
        ("", "", ""),  # without a prefix it is any text
        ("a", "", "a"),
    ],
)
def test_a_text_is_taken_that_begins_with_the_prefix(given: Any, prefix: str, found: Any) -> None:
    assert resolve({"@prefixed": {"value": path("$.o"), "prefix": prefix}}, {"o": given}) == found


@every_row(
    ("above", "option", "chosen"),
    [
        (False, "$.o.a", "next"),
        (0, "$.o.a", "next"),
        (False, "$.o.a.b.c", "next"),
        ({"a": False}, "$.o.a.b", "next"),
        ({}, "$.o.a", "next"),
        ("", "$.o.length", "next"),
        (True, "$.o.a", "next"),
        ({"a": False}, "$.o.a", False),
        ([0], "$.o[0]", 0),
        ([], "$.o.length", 0),
        ("ab", "$.o.length", 2),
    ],
)
def test_coalesce_passes_over_a_path_into_false_or_zero(above: Any, option: str, chosen: Any) -> None:
    value = {"@coalesce": [path(option), path("$.o[*].a"), "next"]}

    assert resolve(value, {"o": above}) == chosen
    assert [found.value for found in compile_mapping({"out": value}).explain({"o": above})] == [chosen]


def test_a_plain_path_into_false_still_gives_it() -> None:
    assert resolve(path("$.o.a.b"), {"o": False}) is False


@every_row(
    ("value", "equals", "is_equal"),
    [
        (True, True, True),
        ("true", True, True),
        (1, True, False),
        (275.0, "275", True),
        (None, "null", False),
        (MISSING, "a", False),
        ("", "a", False),
    ],
)
def test_equals_compares_as_text(value: Any, equals: Any, is_equal: bool) -> None:  # noqa: FBT001 - a row of the table
    event = {} if value is MISSING else {"a": value}
    options = {"value": path("$.a"), "equals": equals}

    assert resolve({"@ifEquals": {**options, "then": 1, "else": 2}}, event) == (1 if is_equal else 2)
    assert resolve({"@ifEquals": {**options, "then": 1}}, event) == (1 if is_equal else MISSING)
    assert resolve({"@ifEquals": {**options, "else": 2}}, event) == (MISSING if is_equal else 2)


@every_row(
    ("value", "branch"),
    [
        (True, "then"),
        ("true", "then"),
        ("TRUE", "then"),
        (1, "then"),
        (1.0, "then"),
        ("1", "then"),
        ("yes", "then"),
        ([True], "then"),
        (False, "else"),
        ("false", "else"),
        (0, "else"),
        ("no", "else"),
        # cannot be read
        ("authorized", "else"),
        ("undefined", "else"),
        (" ", MISSING),
        (2, "else"),
        ([], "else"),
        ([True, True], "then"),
        ([True, None, " "], "then"),
        ([True, False], "else"),
        ([True, "maybe"], "else"),
        ([None, ""], MISSING),
        ({}, "else"),
        # not given
        ("", MISSING),
        (None, MISSING),
        (MISSING, MISSING),
    ],
    ids=str,
)
def test_only_a_plain_yes_is_a_permission(value: Any, branch: Any) -> None:
    event = {} if value is MISSING else {"a": value}
    both = {"value": path("$.a"), "then": "then", "else": "else"}

    assert resolve({"@ifAllowed": both}, event) == branch
    assert resolve({"@ifAllowed": {"value": path("$.a"), "then": "then"}}, event) == (
        "then" if branch == "then" else MISSING
    )


@every_row(
    ("above", "branch"),
    [
        *(
            (False, MISSING),
            (0, MISSING),
            ("", MISSING),
            (None, MISSING),
            ({"a": False}, "else"),
            ({"a": True}, "then"),
        ),
        *(
            ([], MISSING),
            ([0, "a", {"b": 1}], MISSING),
            ([{"a": True}], "then"),
            ([{"a": True}, [{"a": False}]], "else"),
        ),
        *(([{"a": None}], MISSING), ([{"a": " "}, {"a": 1}], "then")),
    ],
)
def test_a_path_into_false_is_no_refusal_and_one_into_a_list_asks_all_its_items(above: Any, branch: Any) -> None:
    value = {"@ifAllowed": {"value": path("$.o.a"), "then": "then", "else": "else"}}

    assert resolve(value, {"o": above}) == branch
    explained = [found.value for found in compile_mapping({"out": value}).explain({"o": above})]
    assert explained == ([] if branch is MISSING else [branch])


NUMBERS = [
    # operand, its half of a sum with 0
    (19.98, "19.98"),
    (5, "5"),
    ("19.980", "19.98"),
    (" 7 ", "7"),
    ("-0.5", "-0.5"),
    ("1,299.00", "1299"),
    ("1,299,000", "1299000"),
    ("1.299,50", "1299.5"),
    ("1.299.000", "1299000"),
    ("12,5", "12.5"),
    ("€5", "5"),
    ("1.234,56 €", "1234.56"),
    ("$1,299.00", "1299"),
    ("Rs.500", "500"),
    ("kr. 100", "100"),
    ("€.99", "0.99"),
    ("EUR -12,50", "-12.5"),
    ("CHF 1’299.05", "1299.05"),  # noqa: RUF001 - how the Swiss write thousands
    (".5", "0.5"),
    ("2e3", "2000"),
    (1e20, "100000000000000000000"),
    (1e-7, "0.0000001"),
    ("1,299", "1299"),
    ("€1.299", "1.299"),
    ("-€25.00", "-25"),
    ({"amount": "19.90", "currency": "USD"}, "19.9"),
    # not to be read as a number, or not in one way only
    ("1,23,456", MISSING),
    ("USD 25 EUR", MISSING),
    ("5 pieces", MISSING),
    ("five", MISSING),
    ("", MISSING),
    ("1e26", MISSING),
    ("1e4000", MISSING),
    ("٣", "3"),
    ("1" * 26, MISSING),
    (1e300, MISSING),
    (float("inf"), MISSING),
    (True, MISSING),
    (None, MISSING),
    ([1], MISSING),
]


@every_row(("operand", "expected"), NUMBERS)
def test_arithmetic_reads_what_can_only_be_one_number(operand: Any, expected: Any) -> None:
    assert resolve({"@sum": [path("$.a"), 0]}, {"a": operand}) == expected


SUMS = [
    # 0.1 + 0.2, without the dust of floating point
    ({"@sum": [0.1, 0.2]}, "0.3"),
    # 59.94 - 5 - 4.95
    ({"@subtract": [59.94, 5, "4.95"]}, "49.99"),
    # 19.98 * 3
    ({"@multiply": [19.98, 3]}, "59.94"),
    # more decimals than two, more factors than a few, and less than nothing
    ({"@multiply": [1.25, 0.5]}, "0.625"),
    ({"@multiply": [2, 2, 2, 2, 2]}, "32"),
    ({"@sum": [{"@subtract": [3, 5.5]}, 1]}, "-1.5"),
    # 5 - 5
    ({"@subtract": [5, 5]}, "0"),
    ({"@subtract": [5]}, "5"),
    ({"@subtract": [5, {"@path": "$.gone"}]}, MISSING),
    ({"@sum": {"@literal": [1, 2, "3"]}}, "6"),
    ({"@sum": {"@literal": []}}, MISSING),
    ({"@sum": {"@path": "$.gone"}}, MISSING),
    ({"@sum": {"@literal": "12"}}, MISSING),
    ({"@atMost": [5, 3]}, "3"),
    ({"@atMost": ["3.00", 5]}, "3"),
    ({"@atMost": [5, "n/a"]}, 5),
    ({"@atMost": [5, {"@path": "$.gone"}]}, 5),
    ({"@atMost": [{"@path": "$.gone"}, 3]}, MISSING),
    ({"@atMost": ["n/a", 3]}, MISSING),
    # one price is missing: a sum without it would be wrong
    ({"@sum": {"@arrayPath": [{"@literal": [{"p": 1}, {}]}, {"@path": "$.p"}]}}, MISSING),
]


@every_row(("value", "expected"), SUMS)
def test_arithmetic_is_exact_and_never_partial(value: Any, expected: Any) -> None:
    assert resolve(value) == expected


@every_row(
    ("value", "currency", "expected"),
    [
        # IDR: 150.000 is 150000, less 15000
        ({"@subtract": ["150.000", 15000]}, "IDR", "135000"),
        # elsewhere a point stands before a fraction: 150 - 15000
        ({"@subtract": ["150.000", 15000]}, "EUR", "-14850"),
        # 3.500 pesos each, two of them, and 1.000 of postage
        ({"@sum": [{"@multiply": ["3.500", 2]}, "1.000"]}, "CLP", "8000"),
        # in Kuwait 1,234 may be either
        ({"@sum": ["1,234", 1]}, "KWD", None),
        ({"@sum": ["1,234", 1]}, None, "1235"),
        # 6 dollars, and 5 of the event's currency
        ({"@sum": ["6 USD", 5]}, "USD", "11"),
        ({"@sum": ["6 USD", 5]}, None, "11"),
        ({"@sum": ["6 USD", 5]}, "EUR", None),
        ({"@sum": ["6 USD", 0]}, "EUR", "6"),
        # 150.000 is more than 200 in IDR, and less elsewhere
        ({"@atMost": [200, "150.000"]}, "IDR", "200"),
        ({"@atMost": [200, "150.000"]}, "EUR", "150"),
        ({"@atMost": ["6 USD", 5]}, "USD", "5"),
        ({"@atMost": ["6 USD", 5]}, "EUR", None),
        # a quantity knows no thousands: one piece of 5
        ({"@multiply": [5, "1,000"]}, None, "5"),
    ],
)
def test_what_is_computed_follows_the_currency_that_is_known_later(
    value: Any, currency: str | None, expected: str | None
) -> None:
    amount = read_amount(resolve(value), Context(currency=currency))
    assert (amount and amount.number) == expected


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ({"@subtract": ["25.00 USD", 5]}, "USD"),
        ({"@multiply": ["€25", 2]}, "EUR"),
        ({"@sum": [{"@multiply": [{"@literal": {"amount": 5, "currencyCode": "GBP"}}, 2]}, "£1"]}, "GBP"),
        ({"@sum": ["$5", 1]}, None),
    ],
)
def test_what_is_computed_keeps_the_currency_of_its_operands(value: Any, currency: str | None) -> None:
    amount = read_amount(resolve(value))
    assert amount is not None
    assert amount.currency == currency


def test_amounts_of_several_currencies_are_not_added() -> None:
    assert resolve({"@sum": ["€5", "5 USD"]}) == MISSING


@every_row(
    ("item", "expected"),
    [
        ({"price": 5, "currency": "USD"}, {"amount": 5, "currency": "USD"}),
        ({"price": "5", "currency": None, "currencyCode": "US$"}, {"amount": "5", "currency": "US$"}),
        ({"price": {"amount": 5}, "currency_code": "USD"}, {"amount": 5, "currency": "USD"}),
        # as it stands: what names its own, what no currency stands beside, and what is no amount
        ({"price": "€5", "currency": "USD"}, "€5"),
        ({"price": {"amount": 5, "currency": "EUR"}, "currency": "USD"}, {"amount": 5, "currency": "EUR"}),
        ({"price": {"shop_money": {"amount": 5}}, "currency": "USD"}, {"shop_money": {"amount": 5}}),
        ({"price": 5}, 5),
        ({"price": 5, "currency": ""}, 5),
        ({"price": 5, "currency": "kr"}, 5),
        ({"price": 5, "currency": 840}, 5),
        ({"price": "free", "currency": "USD"}, "free"),
        ({"currency": "USD"}, MISSING),
        ("no object", MISSING),
    ],
)
def test_an_amount_has_the_currency_that_stands_beside_it(item: Any, expected: Any) -> None:
    assert resolve({"@arrayPath": ["$.items", {"price": {"@money": path("$.price")}}]}, {"items": [item]}) == [
        {} if expected is MISSING else {"price": expected}
    ]


ADDRESSES = [
    ("https://shop.example/?a=1&epik=x", "x"),
    ("?epik=x", "x"),
    ("epik=x", "x"),
    ("https://shop.example/#?epik=x", MISSING),
    ("https://shop.example/?epik=&epik=y", "y"),
    ("?%65pik=a%20b+c", "a b c"),
    ("?xepik=x", MISSING),
    ("https://shop.example/epik", MISSING),
    ("?epik", MISSING),
    ("", MISSING),
    (5, MISSING),
    ("?epik=" + "x" * 8_000, MISSING),
]


@every_row(("address", "expected"), ADDRESSES, ids=[str(address)[:40] for address, _ in ADDRESSES])
def test_a_query_parameter_is_the_first_that_is_not_empty(address: Any, expected: Any) -> None:
    assert resolve({"@queryParameter": {"url": path("$.u"), "name": "epik"}}, {"u": address}) == expected


READS = [
    # path, event, what is found
    ("a[0]", {"a": [7]}, 7),
    ("a.00", {"a": [7]}, MISSING),
    ("a.1", {"a": [7]}, MISSING),
    ("a.٣", {"a": [7, 7, 7, 7]}, MISSING),
    ("a.1234567890123456789012", {"a": [7]}, MISSING),
    ("a.length", {"a": {"length": 3}}, 3),
    ("a.length", {"a": "e🎯"}, 3),
    ("a.b.c", {"a": {"b": None}}, None),
    ("a.b.c", {"a": 5}, MISSING),
    ("a.b", {"a": 0}, 0),
    ('["a.b"][0]', {"a.b": ["x"]}, "x"),
    ("$..b", {"a": {"b": 1}}, [1]),
    ("..b", {"a": {"b": 1}}, [1]),
    ("a..b", {"a": {"b": 1}}, 1),
    ("*", {"a": 1, "b": [2]}, [1, [2]]),
    ("a[*].b[*]", {"a": [{"b": [1]}, {"b": [2, 3]}, 5]}, [1, 2, 3]),
    ("a[0,1]", {"a": [1, 2, 3]}, [1, 2]),
    ("a[-1]", {"a": []}, MISSING),
    ("a[*]", {"a": []}, MISSING),
    ("a[*]", {"a": "text"}, MISSING),
    ("[*]", {"a": 1}, [1]),
]


@every_row(("text", "event", "expected"), READS, ids=[f"{row[0]} of {row[1]}" for row in READS])
def test_a_path_finds_what_stands_there(text: str, event: dict[str, Any], expected: Any) -> None:
    assert resolve(path(text), event) == expected
    assert resolve({"@path": {"@literal": {"@coalesce": [text]}}}, event) in (expected, MISSING)


@pytest.mark.parametrize("text", ["$.a[*].b", "x" * 501])
def test_a_path_that_an_event_names_is_never_more_than_dotted(text: str) -> None:
    assert resolve({"@path": path("$.p")}, {"p": text, "a": [{"b": 1}]}) is MISSING


@pytest.mark.parametrize("directive", ["@path", "@template"])
@pytest.mark.parametrize(("given", "words"), [({}, "gives nothing"), ({"p": 5}, "gives a number")])
def test_a_path_or_template_that_the_event_does_not_name_is_an_error(
    directive: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(MappingError, match=f"/out/{directive}: should give a text but it {words}"):
        resolve({directive: path("$.p")}, given)


@every_row("directive", ["@path", "@template"])
@every_row(
    ("fixed", "words"),
    [
        ({"@literal": 12.5}, "gives a number"),
        ({"@literal": False}, "gives a boolean"),
        ({"@case": {"operator": "lower"}}, "gives nothing"),
        ({"@replace": {"value": "", "pattern": "-"}}, "gives nothing"),
    ],
)
def test_a_path_or_template_that_no_event_can_name_is_an_error_too(
    directive: str, fixed: dict[str, Any], words: str
) -> None:
    with pytest.raises(MappingError, match=f"/out/{directive}: should give a text but it {words}"):
        resolve({directive: fixed}, {})


TEMPLATES = [
    ("{{a}}", "1"),
    ("{{ b.c }}", "x"),
    ("{{{a}}}{{a}}", "11"),
    ("{{a[*}}-{{l[*]}}", "-"),
    ("{{" + "a" * 501 + "}}", ""),
    ("y" * 5_001, MISSING),
]


@every_row(("template", "expected"), TEMPLATES, ids=[row[0][:20] for row in TEMPLATES])
def test_a_template_that_an_event_names_reads_dotted_paths(template: str, expected: Any) -> None:
    event = {"t": template, "a": 1, "b": {"c": "x"}, "l": [1]}

    assert resolve({"@template": path("$.t")}, event) == expected


LONG = "a" * 60_000
MANY = [1] * 10_001

TOO_LARGE = [
    {"@template": "{{t}}{{t}}"},
    {"@replace": {"value": path("$.t"), "pattern": "a", "replacement": "$'"}},
    {"@replace": {"value": path("$.t"), "pattern": "a", "replacement": "bb"}},
    {"@transform": {"apply": path("$.l"), "mapping": {"x": path("$.0")}}},
    {"@flatten": {"value": path("$.l"), "separator": "."}},
    {"@json": {"mode": "encode", "value": path("$.l")}},
    {"@excludeWhenNull": path("$.l")},
    {"@arrayPath": [{"@case": {"operator": "upper", "value": path("$.l")}}, {"x": 1}]},
    {"@liquid": "{{ t | append: t }}"},
    {"@liquid": "{{ t | replace: 'a', t }}"},
    {"@liquid": "{{ t }}{{ t }}"},
    {"@liquid": "{% assign a = t | split: '' %}{{ a | join: t }}"},
    {"@liquid": "{{ (1..99999999) | join }}"},
    {"@liquid": "{{ 0 | date: '%999Y' }}"},
    {"@liquid": "{{ l | json }}"},
    {"@liquid": "{{ q" + " | json" * 50 + " }}"},
    {"@liquid": "{% assign a = t %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 18},
]


@every_row("value", TOO_LARGE, ids=str)
def test_what_grows_beyond_bounds_is_left_out(value: Any) -> None:
    assert resolve(value, {"t": LONG, "l": MANY, "q": '"\\'}) is MISSING


def test_a_list_beyond_bounds_is_not_shaped_by_nested_directives() -> None:
    shaped = {"@arrayPath": [{"@arrayPath": ["$.l", {"a": path("$.")}]}, {"b": path("$.a")}]}

    assert resolve(shaped, {"l": [{"x": 1}]}) == [{"b": {"x": 1}}]
    assert resolve(shaped, {"l": MANY}) is MISSING


def test_an_event_that_is_too_deep_is_an_error_and_no_crash() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    mapping = compile_mapping({"out": {"@template": "{{a}}"}})

    with pytest.raises(MappingError, match="nested too deeply"):
        mapping.resolve({"a": deep})
    with pytest.raises(MappingError, match="nested too deeply"):
        mapping.explain({"a": deep})


@pytest.mark.parametrize(("event", "words"), [("x", "a text"), (None, "null"), ([], "a list")])
def test_an_event_is_an_object(event: Any, words: str) -> None:
    with pytest.raises(MappingError, match=f"this is {words}"):
        compile_mapping({"a": 1}).resolve(event)


def test_each_result_is_new() -> None:
    mapping = compile_mapping({"list": [1, {"a": []}], "object": {"a": {"b": 1}}})

    first = mapping.resolve({})
    first["list"][1]["a"].append("changed")
    first["object"]["a"]["b"] = 2

    assert mapping.resolve({}) == {"list": [1, {"a": []}], "object": {"a": {"b": 1}}}


def test_deep_and_wide_choices_compile() -> None:
    value: Any = path("$.x")
    for _ in range(18):
        value = {"@coalesce": [*(path(f"$.q{index}") for index in range(49)), value]}

    assert resolve(value, {"x": 1}) == 1


def test_numbers_of_any_size_stand_in_a_mapping() -> None:
    assert resolve([2**70, 1.5, float("inf")]) == [2**70, 1.5, float("inf")]


def test_a_mapping_that_is_one_directive_gives_its_value_or_none() -> None:
    assert compile_mapping(path("$.a")).resolve({"a": 1}) == 1
    assert compile_mapping(path("$.a")).resolve({}) is None


@every_row(
    ("given", "expected"),
    [
        ([{"a": 1, "b": 2}, {"a": [3]}], {"a": [1, [3]], "b": [2]}),
        ([{"a": 1}, "x", None], {"a": [1]}),
        (["x"], ["x"]),
        ([], []),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_a_member_that_is_to_be_joined_is_one_object_of_a_list_of_objects(given: Any, expected: Any) -> None:
    mapping = {"people": path("$.a"), "others": path("$.a")}

    assert compile_mapping(mapping, joined=["people"]).resolve({"a": given}) == {"people": expected, "others": given}
    assert compile_mapping(path("$"), joined=["people"]).resolve({"people": given}) == {"people": given}
    assert compile_mapping(mapping, joined=["people"]).resolve({}) == {}


LITERALS = [
    ({"event_name": "checkout"}, ("event_name",), "checkout"),
    ({"event_name": {"@literal": "checkout"}}, ("event_name",), "checkout"),
    ({"event_name": path("$.event")}, ("event_name",), MISSING),
    ({"a": {"b": [1, {"@literal": 2}]}}, ("a", "b"), [1, 2]),
    ({"a": [path("$.b")]}, ("a",), MISSING),
    ({"a": {"b": 1}}, ("a",), MISSING),
    ({"a": 1}, ("b",), MISSING),
    ({"a": 1}, ("a", "b"), MISSING),
]


@every_row(("mapping", "keys", "expected"), LITERALS)
def test_a_literal_is_known_without_an_event(mapping: Any, keys: tuple[str, ...], expected: Any) -> None:
    assert compile_mapping(mapping).literal(*keys) == expected


def test_missing_says_so() -> None:
    assert repr(MISSING) == "MISSING"

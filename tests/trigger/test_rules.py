"""The rules of the language, each with the events at its edge."""

from typing import Any

from app.trigger import compile_trigger
from tests.rows import every_row

HUGE = 10**400
ESCAPES = r'properties.a = "say \"hi\" it\'s C:\\temp \d"'


def event_of(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order", "properties": properties}


@every_row(
    ("rule", "text", "properties", "expected"),
    [
        # Keys and paths
        ("a key may be of any script", "properties.цена = 1", {"цена": 1}, True),
        ("a key may hold the marks of its script", "properties.मूल्य = 1", {"मूल्य": 1}, True),
        ("a key is compared as written, not normalised", "properties.cafe\u0301 = 1", {"caf\u00e9": 1}, False),
        ("a key may hold $ _ -", "properties.$a_b-c = 1", {"$a_b-c": 1}, True),
        ("a key may be a word of the language", "properties.and = 1", {"and": 1}, True),
        ("an all-digits key names a member of an object", "properties.a.0 = 1", {"a": {"0": 1}}, True),
        ("an all-digits key indexes a list", "properties.a.1 = 2", {"a": [1, 2]}, True),
        ("leading zeros of an all-digits key are part of a name", "properties.a.00 = 1", {"a": {"0": 1}}, False),
        ("digits of other scripts do not index", "properties.a.\u0660 = 1", {"a": [1]}, False),
        ("[0] indexes a list", "properties.a[0] = 1", {"a": [1]}, True),
        ("[0] does not name a member", "properties.a[0] = 1", {"a": {"0": 1}}, False),
        ("[007] is [7]", "properties.a[01] = 2", {"a": [1, 2]}, True),
        ("a position after the end is missing", "properties.a[2] = null", {"a": [1, 2]}, True),
        ("a huge position is missing", f"properties.a[{'9' * 5000}] = null", {"a": [1]}, True),
        ("a huge all-digits key is missing", f"properties.a.{'9' * 5000} = null", {"a": [1]}, True),
        ("no index reaches into text", "properties.a[0] = null", {"a": "xyz"}, True),
        (r"\[ and \] are brackets", r"properties.a\[0\].b = 1", {"a": [{"b": 1}]}, True),
        (r"\[ and ] may be mixed", r"properties.a\[0] = 1", {"a": [1]}, True),
        (r"\[ goes with a key too", r'properties\["a b"\] = 1', {"a b": 1}, True),
        ('["..."] holds any text', 'properties["a.b \\[0] = \n\u2003"] = 1', {"a.b \\[0] = \n\u2003": 1}, True),
        ('["..."] is followed by more', 'properties["a b"].c["d"][0] = 1', {"a b": {"c": {"d": [1]}}}, True),
        ('["0"] does not index a list', 'properties.a["0"] = null', {"a": [1]}, True),
        ('["0"] names a member', 'properties.a["0"] = 1', {"a": {"0": 1}}, True),
        ("no member is inherited from JavaScript", "properties.a.length = null", {"a": "xyz"}, True),
        # Numbers
        ("numbers are IEEE doubles", "properties.a = 9007199254740993", {"a": 9007199254740992}, True),
        ("numbers of events are IEEE doubles", "properties.a = 9007199254740992", {"a": 9007199254740993}, True),
        ("0.1 + 0.2 is not 0.3", "properties.a = 0.3", {"a": 0.1 + 0.2}, False),
        ("exponents are read", "properties.a = 1.5E+2", {"a": 150}, True),
        ("negative exponents are read", "properties.a = +25e-1", {"a": 2.5}, True),
        ("-0 is 0", "properties.a = -0", {"a": 0}, True),
        ("a number beyond all doubles is infinite", "properties.a = 1e999", {"a": HUGE}, True),
        ("a huge number is over every finite one", "properties.a > 1e308", {"a": HUGE}, True),
        ("a huge negative number is under every finite one", "properties.a < -1e308", {"a": -HUGE}, True),
        ("very many digits are read", f"properties.a = {'0' * 6000}1.{'0' * 6000}", {"a": 1}, True),
        ("true is not 1", "properties.a = 1", {"a": True}, False),
        ("1 is not true", "properties.a = true", {"a": 1}, False),
        ("0 is not false", "properties.a = false", {"a": 0}, False),
        ("true is not over 0", "properties.a > 0", {"a": True}, False),
        ("!= with a number needs another number: text", "properties.a != 1", {"a": "2"}, False),
        ("!= with a number needs another number: boolean", "properties.a != 0", {"a": True}, False),
        ("!= with a number needs another number: missing", "properties.a != 1", {}, False),
        ("!= with a number needs another number: null", "properties.a != 1", {"a": None}, False),
        ("!= with a number holds for another number", "properties.a != 1", {"a": 1.5}, True),
        ("<= holds at the bound", "properties.a <= 5", {"a": 5.0}, True),
        ("a text that is a number may be the bound", 'properties.a >= "-5e0"', {"a": -5}, True),
        ("order holds for numbers only", "properties.a < 5", {"a": "4"}, False),
        # Text, booleans, null
        ("!= with text holds where it is missing", 'properties.a != "x"', {}, True),
        ("!= with text holds for another type", 'properties.a != "1"', {"a": 1}, True),
        ("!= true holds where it is missing", "properties.a != true", {}, True),
        ("!= true holds for text", "properties.a != true", {"a": "true"}, True),
        ("= null holds where it is null", "properties.a = null", {"a": None}, True),
        ("= null does not hold for an empty object", "properties.a = null", {"a": {}}, False),
        ("!= null holds for false", "properties.a != null", {"a": False}, True),
        ("!= null holds for an empty text", "properties.a != null", {"a": ""}, True),
        ("only \\\" \\' \\\\ are escapes", ESCAPES, {"a": 'say "hi" it\'s C:\\temp \\d'}, True),
        ("text may end with an escaped backslash", r'properties.a = "C:\\"', {"a": "C:\\"}, True),
        ("text may span lines", "properties.a = 'x\r\ny'", {"a": "x\r\ny"}, True),
        ("words are read in any case", "properties.a = NuLL oR properties.a = TRue", {"a": True}, True),
        # Functions
        ("contains looks in text only", 'contains(properties.a, "x")', {"a": ["x"]}, False),
        ("contains finds the empty text in any text", 'contains(properties.a, "")', {"a": ""}, True),
        ("a number is read as its text, as written", "contains(properties.a, +05.0)", {"a": "x+05.0x"}, True),
        ("a boolean is read as its text, as written", "match(properties.a, TRUE)", {"a": "TRUE"}, True),
        ("a boolean's text keeps its case", "match(properties.a, TRUE)", {"a": "true"}, False),
        ("!contains is false where there is no text", '!contains(properties.a, "x")', {"a": 5}, False),
        ("!match is false where it is missing", 'NOT match(properties.a, "x")', {}, False),
        ("a negated group is the exact opposite", '!(contains(properties.a, "x"))', {"a": 5}, True),
        ("a negated negation in a group is exact too", '!(!contains(properties.a, "x"))', {"a": 5}, True),
        ("not needs no blank before a parenthesis", "not(properties.a = 1)", {"a": 1}, False),
        ("blanks stand anywhere between tokens", 'not contains ( properties.a , "x" )', {"a": "y"}, True),
        # match
        ("* is any run, line ends included", 'match(properties.a, "a*b")', {"a": "a\r\n\u2028b"}, True),
        ("* may be empty", 'match(properties.a, "a*b")', {"a": "ab"}, True),
        ("both ends are held to", 'match(properties.a, "a*b")', {"a": "xab"}, False),
        ("both ends do not overlap", 'match(properties.a, "ab*ba")', {"a": "aba"}, False),
        ("pieces stand in order", 'match(properties.a, "*b*a*")', {"a": "ab"}, False),
        ("a middle piece does not reach into the end", 'match(properties.a, "a*b*b")', {"a": "ab"}, False),
        ("two stars are one", 'match(properties.a, "a**b")', {"a": "a b"}, True),
        ("only stars match the empty text", 'match(properties.a, "***")', {"a": ""}, True),
        ("the empty pattern is equality", 'match(properties.a, "")', {"a": "x"}, False),
        ("no sign of regular expressions has a meaning", 'match(properties.a, "a.c")', {"a": "abc"}, False),
        (r"\* is a backslash and a star", r'match(properties.a, "a\*")', {"a": r"a\bc"}, True),
        # Groups
        ("one level of and", "properties.a = 1 and properties.b = 2 and properties.c = 3", {"a": 1, "b": 2}, False),
        (
            "three that hold",
            "properties.a = 1 and properties.b = 2 and properties.c = 3",
            {"a": 1, "b": 2, "c": 3},
            True,
        ),
        ("one of three", "properties.a = 1 or properties.b = 2 or properties.c = 3", {"c": 3}, True),
        ("none of three", "properties.a = 1 or properties.b = 2 or properties.c = 3", {}, False),
        ("one of two", "properties.a = 1 or properties.b = 2", {"b": 2}, True),
        ("no blank is needed", '(type="track")and(properties.a="x"and properties.b=1)', {"a": "x", "b": 1}, True),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value and len(value) < 60 else "",
)
def test_each_rule_of_the_language_holds(rule: str, text: str, properties: dict[str, Any], *, expected: bool) -> None:
    assert compile_trigger(text).matches(event_of(**properties)) is expected, rule


@every_row(
    ("text", "user_id", "expected"),
    [
        ("userId = 42", 42, True),
        ("userId = 42", 42.0, True),
        ("userId = 42", "42", True),
        ("userId = 42", "42.0", False),
        ("userId = 042", "42", False),
        ("userId = 042", "042", True),
        ("userId = +42", 42, True),
        ("userId = 1", True, False),
        ("userId = 42", None, False),
        ("userId != 42", "42", False),
        ("userId != 42", None, True),
        ("userId != 42", "043", True),
        ("userId != 1", True, True),
        ("userId > 41", "42", False),
        ("userId > 41", 42, True),
        ('userId = "42"', 42, False),
        ('userId != "42"', 42, True),
        ("userId = true", True, True),
        ("userId != true", 1, True),
    ],
)
def test_a_flat_field_equals_the_number_and_the_text_of_the_number_as_written(
    text: str, user_id: Any, *, expected: bool
) -> None:
    assert compile_trigger(text).matches({"userId": user_id}) is expected


#: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt, White_Space
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


#: What may stand where an object is expected: none of it has a member `a`.
CONTAINERS: list[Any] = [None, "text", "", 5, True, [], ["a"], [{"a": 1}], {}]


def test_every_white_space_of_unicode_separates_tokens() -> None:
    def separates(blank: str) -> bool:
        text = f'{blank}type{blank}={blank}"track"{blank}and{blank}not{blank}({blank}event{blank}!=\t"Order"){blank}'
        return compile_trigger(text).matches(event_of())

    assert [f"U+{ord(blank):04X}" for blank in WHITE_SPACE if not separates(blank)] == []


@every_row(
    ("condition", "expected"),
    [
        ("a = null", True),
        ("a != null", False),
        ('a = "x"', False),
        ('a != "x"', True),
        ("a != 1", False),
        ("a.b.c = null", True),
        ("a[0].b != null", False),
        ("a < 1", False),
    ],
)
def test_a_container_of_any_type_holds_no_member(condition: str, *, expected: bool) -> None:
    wrong = [
        (root, container)
        for root in ("properties", "traits", "context", "integrations")
        for container in CONTAINERS
        if compile_trigger(f"{root}.{condition}").matches({root: container}) is not expected
    ]
    assert wrong == []


def test_a_list_in_place_of_an_object_can_be_indexed() -> None:
    assert compile_trigger('properties[0] = "x" and properties.0 = "x"').matches({"properties": ["x"]})

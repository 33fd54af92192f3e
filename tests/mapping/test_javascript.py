"""Values become text as in JavaScript."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.mapping.javascript import javascript_number, javascript_text
from tests.mapping.strategies import unhurried
from tests.rows import every_row

NUMBERS = [
    (275.0, "275"),
    (0.1, "0.1"),
    (-0.0, "0"),
    (-4.5, "-4.5"),
    (310.4, "310.4"),
    (100.0, "100"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1.5e21, "1.5e+21"),
    (123456789012345680000.0, "123456789012345680000"),
    (1e16, "10000000000000000"),
    (0.000001, "0.000001"),
    (1.5e-6, "0.0000015"),
    (1e-7, "1e-7"),
    (1.25e-7, "1.25e-7"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (0.00012, "0.00012"),
    (12345.678, "12345.678"),
    (9007199254740993, "9007199254740993"),
    (12345678901234567890, "12345678901234567890"),
    (10**21, "1e+21"),
    (10**400, "Infinity"),
    (-(10**400), "-Infinity"),
    (math.inf, "Infinity"),
    (math.nan, "NaN"),
]


@every_row(("number", "text"), NUMBERS, ids=[text for _, text in NUMBERS])
def test_a_number_is_written_as_in_javascript(number: float, text: str) -> None:
    assert javascript_number(number) == text


@unhurried
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_it(number: float) -> None:
    assert float(javascript_number(number)) == number


@every_row(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        ([1, [2, None], {}], "1,2,,[object Object]"),
        ({}, "[object Object]"),
    ],
)
def test_a_value_is_written_as_in_javascript(value: Any, text: str) -> None:
    assert javascript_text(value) == text

"""Amounts and counts are read where that is unambiguous."""

from typing import Any

import pytest

from app.destination.money import IntegerReader, read_currency, read_money
from tests.rows import every_row

HUNDRED = IntegerReader(0, 100)
COUNT = IntegerReader(clamp=False)


@every_row(
    ("given", "sent"),
    [
        (19.99, "19.99"),
        (189, "189"),
        (189.0, "189"),
        (-0.0, "0"),
        ("20.00", "20"),
        ("2e3", "2000"),
        ("+5", "5"),
        (" .5 ", "0.5"),
        ([20], "20"),
        ("1.234", "1.234"),
        (2**70, str(2**70)),
        (1e22, "10000000000000000000000"),
    ],
)
def test_numbers_are_written_as_javascript_does_without_an_exponent(given: Any, sent: str) -> None:
    assert read_money(given) == (sent, None, ())


@every_row(
    ("given", "sent"),
    [
        ("1,299.00", "1299"),
        ("1.299,00", "1299"),
        ("1 299,00", "1299"),
        ("1\u00a0299,50 \u20ac", "1299.5"),
        ("1'299.00", "1299"),
        ("CHF 1\u2019299.05", "1299.05"),
        ("1,234,567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        ("19,99", "19.99"),
        ("0,123", "0.123"),
        ("12345,678", "12345.678"),
        (",5", "0.5"),
        ("€5", "5"),
        ("5 kr", "5"),
        ("US$ 12.50", "12.5"),
        ("eur 5", "5"),
        ("€.99", "0.99"),
        ("Rs.500", "500"),
        ("Rs. 500", "500"),
        ("Rs.1,299.00", "1299"),
        ("kr.100", "100"),
        ("KR. 100", "100"),
        ("Fr.20", "20"),
        ("Kč.20", "20"),
        ("20 kr.", "20"),
        (1e-07, "0.0000001"),
    ],
)
def test_dressed_amounts_are_undressed_with_a_warning(given: Any, sent: str) -> None:
    text, currency, notes = read_money(given)

    assert text == sent
    assert [note for note in notes if note.endswith(f"read as {sent}{f' {currency}' if currency else ''}")]


@every_row(
    "given",
    [
        pytest.param("1,234,567,89", id="one mark cannot be both"),
        pytest.param("1.234.567.8", id="neither groups nor a fraction"),
        pytest.param("USD.5", id="the point of a code that has none, or a fraction"),
        pytest.param("5k", id="a unit is no currency"),
        pytest.param("10%", id="a share is no amount"),
        pytest.param("free", id="a word"),
        pytest.param("Infinity", id="infinity"),
        pytest.param("1e400", id="too large for a number"),
        pytest.param(float("inf"), id="an infinite number"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("€" + "9" * 60, id="too long"),
        pytest.param(True, id="true"),
        pytest.param([20, 30], id="two amounts"),
        pytest.param({"sum": 5}, id="an object of something else"),
        pytest.param(-5.5, id="negative"),
        pytest.param("€-5", id="negative, with a sign"),
    ],
)
def test_amounts_in_doubt_are_left_out_with_a_warning(given: Any) -> None:
    text, _, notes = read_money(given)

    assert text is None
    assert "left out" in notes[0]


@every_row(
    ("read", "given", "sent", "about"),
    [
        (HUNDRED, "80", 80, ""),
        (HUNDRED, "3.0", 3, ""),
        (HUNDRED, 80.5, 81, "80.5 sent as 81"),
        (HUNDRED, 101, 100, "101 sent as 100"),
        (HUNDRED, -1, 0, "-1 sent as 0"),
        (HUNDRED, 1e300, 100, "1e+300 sent as 100"),
        (HUNDRED, "1,0", 1, '"1,0" sent as 1'),
        (HUNDRED, False, None, "false left out, an integer is expected"),
        (HUNDRED, "many", None, "a text of 4 characters left out"),
        (COUNT, 2**70, 2**63 - 1, "a number sent as 9223372036854775807"),
        (COUNT, -3, None, "a number left out, it is below 0"),
    ],
)
def test_integers_are_rounded_and_clamped_with_a_warning(read: Any, given: Any, sent: int | None, about: str) -> None:
    integer, notes = read(given)

    assert integer == sent
    assert type(integer) is not float
    assert about in "".join(notes)
    assert bool(about) == bool(notes)


@pytest.mark.parametrize(
    ("given", "code"), [("gbp", "GBP"), (" EUR", "EUR"), (["usd"], "USD"), (["EUR", "eur", None], "EUR")]
)
def test_a_currency_is_sent_in_upper_case(given: Any, code: str) -> None:
    assert read_currency(given) == (code, ())


@every_row("given", ["XXX9", "XXX", "xts", "€", 826, True, ["x", 5]])
def test_what_is_no_currency_is_left_out(given: Any) -> None:
    code, notes = read_currency(given)

    assert code is None
    assert "it is no ISO 4217 currency" in notes[0]


@pytest.mark.parametrize(
    ("given", "code", "about"),
    [
        (["EUR", "USD"], "EUR", (": 2 currencies, EUR is sent, which comes first",)),
        (["euro", "USD"], "USD", (": a list of 2 holds what is no ISO 4217 currency",)),
    ],
)
def test_of_several_currencies_the_first_is_sent_with_a_warning(given: Any, code: str, about: tuple[str, ...]) -> None:
    assert read_currency(given) == (code, about)


def test_products_that_name_no_currency_are_no_fault() -> None:
    assert read_currency([None, ""]) == (None, ())

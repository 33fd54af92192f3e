"""Amounts as shops write them: which number is meant, and in which currency."""

# ruff: noqa: RUF001 - roubles and leva are written in Cyrillic

from typing import Any

from app.config.validators import currencies
from app.core.values.amounts import COUNT, WITH_THREE_DECIMALS, WITHOUT_FRACTIONS, Context, read_amount
from tests.rows import every_row

SEPARATORS = [
    # the text, the currency of the event, the number; None where it would be a guess
    # One comma, blank or apostrophe before exactly three digits is grouping.
    ("1,234", None, "1234"),
    ("999,000", "USD", "999000"),
    ("1 234", "EUR", "1234"),
    ("1\u202f234 €", None, "1234"),
    ("1'234", "CHF", "1234"),
    ("-1,234", None, "-1234"),
    # ... but not after a lone zero,
    ("0,500", None, "0.500"),
    ("0,500", "JPY", "0.500"),
    ("0.500", "JPY", "0.500"),
    ("0 500", None, None),
    # not before fewer or more digits,
    ("1,23", None, "1.23"),
    ("1,2345", None, "1.2345"),
    # and not behind more than three.
    ("1234,567", None, "1234.567"),
    # One point is a fraction, as programs write it.
    ("1.234", None, "1.234"),
    ("1.234", "EUR", "1.234"),
    ("$1.234", None, "1.234"),
    # Where no minor unit is in use, a point before exactly three digits is grouping too.
    ("150.000", "IDR", "150000"),
    ("1.500", "JPY", "1500"),
    ("19.990", "CLP", "19990"),
    ("3500.00", "JPY", "3500.00"),
    ("1500.000", "JPY", "1500.000"),
    ("1,500", "KRW", "1500"),
    ("12.5", "VND", "12.5"),
    # Where there are three decimals, a point is a fraction, and a comma may be either.
    ("1.234", "KWD", "1.234"),
    ("1,234", "KWD", None),
    ("1 234", "KWD", "1234"),
    ("0,500", "KWD", "0.500"),
    ("1,234.567", "BHD", "1234.567"),
    ("1234,567", "TND", "1234.567"),
    # Several separators tell each other apart, whatever the currency.
    ("1,299.00", None, "1299.00"),
    ("1.299,00", "JPY", "1299.00"),
    ("1.234.567", None, "1234567"),
    ("1,23,456", None, None),
    ("1,23,456", "USD", None),
    # South Asia groups by two digits above the thousands.
    ("1,23,456", "INR", "123456"),
    ("1,23,456.00", None, "123456.00"),
    ("12,34,567.5", "USD", "1234567.5"),
    ("123,45,678", "INR", None),
    ("₹1,23,456.00", None, "123456.00"),
    ("₹1,23,456", None, "123456"),
    # Beside a sign or a code people write thousands, alone it is a program's fraction.
    ("Kč 1.299", None, "1299"),
    ("1.299 Kč", "CZK", "1299"),
    ("1.299", "CZK", "1.299"),
    ("1.299 Ft", None, "1299"),
    ("1.299", "HUF", "1.299"),
    ("$ 1.299", "COP", "1299"),
    ("COP 1.299", None, "1299"),
    ("1.299", "COP", "1.299"),
    ("CLP 1.299", None, "1299"),
    ("ISK 1.299", None, "1299"),
    ("PYG 1.299", None, "1299"),
    ("IDR 1.299", None, "1299"),
    ("VND 1.299", None, "1299"),
    ("KRW 1.299", None, "1299"),
    ("JPY 1.299", None, "1299"),
    ("Kč 0.299", None, "0.299"),
    ("Kč 1.29", None, "1.29"),
    ("KWD 1.299", None, "1.299"),
    ("€1.299", None, "1.299"),
    ("1,234,567,89", None, None),
    ("1.2e1", "JPY", "1.2e1"),
    # A sign stands in front of the number or of its currency, once.
    ("-€25.00", None, "-25.00"),
    # Digits and marks of full width, and those of other scripts, are digits and marks.
    ("\uff11\uff0c\uff12\uff13\uff14\u5186", "JPY", "1234"),
    ("\uffe5\uff11\uff12\uff13\uff14", "JPY", "1234"),
    ("\uff0d\uff15\uff0e\uff12\uff15", None, "-5.25"),
    ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660", "EGP", "1234.50"),
    ("\u06f2\u06f5", None, "25"),
    ("\u0968\u096b.\u0966\u0966", "INR", "25.00"),
    ("\u221225,00 kr", None, "-25.00"),
    ("-€-5", None, None),
]


@every_row(("text", "currency", "number"), SEPARATORS)
def test_a_text_with_separators_is_read_as_its_currency_is_written(
    text: str, currency: str | None, number: str | None
) -> None:
    read = read_amount(text, Context(currency=currency))
    assert (read and read.number) == number


@every_row(
    ("text", "number"),
    [
        ("1,000", "1.000"),  # one piece, by a program that writes three decimals
        ("2.500", "2.500"),
        ("2,5", "2.5"),
        ("1,234", None),  # 1234 pieces, or one and a bit
        ("1 000", None),
        ("1,234,567", None),
        ("1,23,456", None),
    ],
)
def test_counts_know_no_grouping(text: str, number: str | None) -> None:
    read = read_amount(text, COUNT)
    assert (read and read.number) == number


@every_row(
    ("text", "number", "currency"),
    [
        ("25.00 USD", "25.00", "USD"),
        ("usd25", "25", "USD"),
        ("€25", "25", "EUR"),
        ("US$25", "25", "USD"),
        ("$25.00 CAD", "25.00", "CAD"),
        ("25 zł", "25", "PLN"),
        ("150.000 IDR", "150000", "IDR"),
        ("₩1.500", "1500", "KRW"),
        ("RM25.00", "25.00", "MYR"),
        ("Rp 150.000", "150000", "IDR"),
        ("Rp. 1.150.000,00", "1150000.00", "IDR"),
        ("25,00 TL", "25.00", "TRY"),
        ("RD$25", "25", "DOP"),
        ("KSh 2,500", "2500", "KES"),
        ("S/ 25", "25", "PEN"),
        ("S/. 25.50", "25.50", "PEN"),
        ("25 лв.", "25", "BGN"),
        ("25 руб.", "25", "RUB"),
        ("1 299,00 грн", "1299.00", "UAH"),
        ("25元", "25", "CNY"),
        ("3,500円", "3500", "JPY"),
        ("3.500원", "3500", "KRW"),
        ("150.000đ", "150000", "VND"),
        ("150.000 VNĐ", "150000", "VND"),
        ("R 1 299,00", "1299.00", "ZAR"),
        ("25 $ US", "25", "USD"),
        ("25 Euro", "25", "EUR"),
        ("\u200f25.00\u00a0\u200f₪", "25.00", "ILS"),  # as browsers write it in Hebrew
        # A dash for no cents; the mark in front of it groups nothing.
        ("CHF 25.–", "25.00", "CHF"),
        ("25,- kr", "25.00", None),
        ("25.--", "25.00", None),
        ("€ 1.299,-", "1299.00", "EUR"),
        ("1'299.— CHF", "1299.00", "CHF"),
        ("Fr. 25.−", "25.00", None),
        # These name none, since several currencies are written so.
        ("$25", "25", None),
        ("¥2500", "2500", None),
        ("£25", "25", None),
        ("25 kr", "25", None),
        ("C$25", "25", None),
        # A code wins beside a sign that several currencies have, on one side of the number or on two.
        ("USD $25", "25", "USD"),
        ("25 $ USD", "25", "USD"),
        ("$ USD 25", "25", "USD"),
        ("AUD$25", "25", "AUD"),
        ("CAD $1,299.00", "1299.00", "CAD"),
        ("NZD $-25", "-25", "NZD"),
        ("EUR €25", "25", "EUR"),
        ("25,00 kr SEK", "25.00", "SEK"),
        ("INR Rs. 500", "500", "INR"),
        ("JPY ¥3.500", "3500", "JPY"),
        ("US$ 25 USD", "25", "USD"),
        # Nor do blanks make another sign of one.
        ("US $25", "25", "USD"),
        ("25 A $", "25", "AUD"),
    ],
)
def test_a_currency_written_in_the_text_is_read_with_it(text: str, number: str, currency: str | None) -> None:
    read = read_amount(text, Context(currency="EUR"))
    assert read is not None
    assert (read.number, read.currency) == (number, currency)


@every_row(
    ("text", "beside", "currency"),
    [
        ("25 руб.", None, "RUB"),
        ("25 руб.", "RUB", "RUB"),
        ("25 руб.", "BYN", "BYN"),
        ("25 руб. BYN", "RUB", "BYN"),
        ("25 RUB", "BYN", "RUB"),
        ("250元", "TWD", "TWD"),
        ("250元", "USD", "CNY"),
        ("2 500 FCFA", "XAF", "XAF"),
        ({"amount": 25, "currency": "руб."}, "BYN", "BYN"),
    ],
)
def test_a_sign_of_several_currencies_is_that_of_the_one_beside_it_where_it_can_be(
    text: Any, beside: str | None, currency: str
) -> None:
    read = read_amount(text, Context(currency=beside))
    assert (read and read.currency) == currency


@every_row(
    "text",
    [
        "USD 25 EUR",
        "25 pieces",
        "€25 kg",
        "USD €25",
        "US$ CAD 25",
        "USD CAD 25",
        "US$25 CAD",
        "USDA 25",
        "USD. 25",
        "25.-5",
        "25.---",
    ],
)
def test_a_text_that_contradicts_itself_is_no_amount(text: str) -> None:
    assert read_amount(text) is None


BOTH = {
    "shop_money": {"amount": "25.00", "currency_code": "USD"},
    "presentment_money": {"amount": "3.500", "currency_code": "JPY"},
}
OBJECTS = [
    # the object, with SHOP_MONEY=presentment?, number and currency; None where it is no amount
    ({"amount": "25.00", "currency": "USD"}, False, ("25.00", "USD")),
    ({"amount": 25, "currencyCode": "USD"}, False, ("25", "USD")),
    ({"amount": 25.5, "currency_code": "usd"}, False, ("25.5", "USD")),
    ({"amount": 25}, False, ("25", None)),
    ({"amount": "€25", "currency": "USD"}, False, ("25", "EUR")),
    ({"amount": "1.500", "currency": "JPY"}, False, ("1500", "JPY")),
    ({"amount": "1,234", "currency": "KWD"}, False, None),
    (BOTH, False, ("25.00", "USD")),
    (BOTH, True, ("3500", "JPY")),
    ({"shop_money": {"amount": None}, "presentment_money": {"amount": 5}}, False, ("5", None)),
    # Its currency is read as one in a text: by a code, or by a sign that only one has.
    ({"amount": "25", "currency": "US$"}, False, ("25", "USD")),
    ({"amount": "25", "currency": "€"}, False, ("25", "EUR")),
    ({"amount": 25, "currency": "CAD $"}, False, ("25", "CAD")),
    ({"amount": "1.500", "currency_code": "₩"}, False, ("1500", "KRW")),
    ({"amount": 25, "currency": "$"}, False, ("25", None)),
    ({"amount": 25, "currency": " ", "currencyCode": "USD"}, False, ("25", "USD")),
    ({"amount": 25, "currency": "euros?", "currency_code": "EUR"}, False, ("25", "EUR")),
    ({"amount": 25, "currency": "undefined"}, False, ("25", None)),
    ({"amount": 25, "currency": 840}, False, ("25", None)),
    ({"amount": 250, "currency": "points"}, False, None),
    *[
        ({"amount": 250, "currency": nothing}, False, ("250", None))
        for nothing in ("-", "unknown", "{{ shop.currency }}", "[object Object]", "US Dollar", "dollars", "0")
    ],
    ({"amount": 250, "currency": "unknown", "currencyCode": "USD"}, False, ("250", "USD")),
    ({"amount": 250, "currency": "Euro"}, False, ("250", "EUR")),
    # Minor units only where the object says so.
    ({"amount": 2550, "currency": "USD", "exponent": 2}, False, ("25.50", "USD")),
    ({"amount": "2550", "currency_code": "USD", "currency_minor_unit": 2}, False, ("25.50", "USD")),
    ({"amount": -5, "currency": "USD", "currency_minor_unit": 2}, False, ("-0.05", "USD")),
    ({"amount": 2550, "currency": "JPY", "currency_minor_unit": 0}, False, ("2550", "JPY")),
    ({"amount": 2550, "currency": "USD", "exponent": "2"}, False, ("25.50", "USD")),
    ({"amount": 2550, "currency": "USD", "exponent": 2.0}, False, ("25.50", "USD")),
    ({"amount": 2550.0, "currency": "USD", "currency_minor_unit": 2}, False, ("25.50", "USD")),
    ({"amount": "2,550", "currency": "€", "exponent": " 2 "}, False, ("25.50", "EUR")),
    ({"amount": 2550.0, "currency": "JPY", "exponent": "0"}, False, ("2550.0", "JPY")),
    ({"amount": 2550.5, "exponent": 2}, False, None),
    ({"amount": "25.50", "exponent": 2}, False, None),
    ({"amount": "2550.00", "exponent": 2}, False, None),
    ({"amount": 2550, "exponent": 1.5}, False, None),
    ({"amount": 2550, "exponent": True}, False, None),
    ({"amount": 2550, "exponent": ""}, False, None),
    ({"amount": 2550, "exponent": -2}, False, None),
    ({"amount": 2550, "exponent": "two"}, False, None),
    ({"amount": 2550, "exponent": 40}, False, None),
    ({"amount": {"amount": 5}}, False, None),
    ({"sum": 5}, False, None),
]


@every_row(("value", "presentment", "expected"), OBJECTS)
def test_objects_of_money_are_read(value: Any, presentment: bool, expected: Any) -> None:  # noqa: FBT001 - a column
    read = read_amount(value, Context(currency="GBP", presentment=presentment))
    assert (read and (read.number, read.currency)) == expected


@every_row("value", [None, True, [5, 6], "", "free", float("nan"), float("inf"), "9" * 41])
def test_what_holds_no_number_is_no_amount(value: Any) -> None:
    assert read_amount(value) is None


def test_the_lists_of_currencies_hold_iso_codes() -> None:
    assert currencies() >= WITHOUT_FRACTIONS | WITH_THREE_DECIMALS
    assert WITHOUT_FRACTIONS.isdisjoint(WITH_THREE_DECIMALS)

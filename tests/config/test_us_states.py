"""A state of the USA is known by its code and by its full name, and nothing else is one."""

import pycountry
import pytest

from app.config.validators import us_state_code
from app.destination.place_names import state_code
from tests.rows import every_row


@every_row(
    ("text", "code"),
    [
        ("CA", "CA"),
        ("ca", "CA"),
        ("US-CA", "CA"),
        ("us-co", "CO"),
        ("California", "CA"),
        ("CALIFORNIA", "CA"),
        ("New York", "NY"),
        ("new-york", "NY"),
        ("Washington", "WA"),
        ("Washington, D.C.", "DC"),
        ("District of Columbia", "DC"),
        ("Virginia", "VA"),
        ("West Virginia", "WV"),
        ("Puerto Rico", "PR"),
    ],
)
def test_a_code_or_a_full_name_is_read(text: str, code: str) -> None:
    assert us_state_code(text) == code


@every_row("text", ["", "ZZ", "Californ", "USA", "US", "DE-BY", "CA-QC", "Ontario", "California CO", "US-"])
def test_anything_else_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a state of the USA: use its code or full name, such as CA"):
        us_state_code(text)


def test_what_an_event_may_call_a_state_is_the_same_state_in_a_setting() -> None:
    states = pycountry.subdivisions.get(country_code="US")  # type: ignore[no-untyped-call]  # pycountry's gap
    assert len(states) >= 50
    for state in states:
        for text in (state.code, state.code.partition("-")[2], state.name):
            assert us_state_code(text) == state_code(text, "US"), text

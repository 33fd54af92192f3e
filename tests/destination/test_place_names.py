"""Countries and states are known by the names that people write."""

import pycountry

from app.destination.place_aliases import COUNTRIES, STATES
from app.destination.place_names import country_code, load_place_names, state_code
from tests.rows import every_row


@every_row(
    ("name", "code"),
    [
        ("Britain", "GB"),
        ("Great-Britain", "GB"),
        ("ENGLAND", "GB"),
        ("United Kingdom (UK)", "GB"),
        ("U.A.E.", "AE"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("the USA", "US"),
        ("EE. UU.", "US"),
        ("United States (US)", "US"),
        ("Holland", "NL"),
        ("Россия", "RU"),
        ("Korea (South)", "KR"),
        ("P.R. China", "CN"),
        ("Deutschland", "DE"),
        # no country, or more than one
        ("Atlantis", None),
        ("Virgin Islands", None),
        ("Saint Martin", None),
        ("Hawaii", None),
    ],
)
def test_a_country_is_known_by_the_names_in_use(name: str, code: str | None) -> None:
    assert country_code(name) == code


@every_row(
    ("name", "country", "code"),
    [
        ("Bavaria", "DE", "BY"),
        ("Bayern", "DE", "BY"),
        ("baden wuerttemberg", "DE", "BW"),
        ("NRW", "DE", "NW"),
        ("Tuscany", "IT", "52"),
        ("Vienna", "AT", "9"),
        ("Flanders", "BE", "VLG"),
        ("PEI", "CA", "PE"),
        ("CDMX", "MX", "CMX"),
        ("Calif.", None, "CA"),
        ("N. Carolina", "US", "NC"),
        ("Bavaria", "US", None),
        ("U.S. Virgin Islands", "US", "VI"),
        ("Hawai\u02bbi", "US", "HI"),
        ("Comunidad de Madrid", "ES", "MD"),
        ("Comunidad Valenciana", "ES", "VC"),
        ("Coahuila", "MX", "COA"),
        ("Busan", "KR", "26"),
        ("神奈川県", "JP", "14"),
        ("Wellington", "NZ", "WGN"),
        ("Co. Dublin", "IE", None),
        ("Kent", "DE", None),
        ("JP13", "JP", "13"),
        ("tr34", "TR", "34"),
        ("TR34", "JP", None),
        ("DEBY", "DE", "BY"),
        ("INDIANA", "US", "IN"),
    ],
)
def test_a_state_is_known_by_the_names_in_use(name: str, country: str | None, code: str | None) -> None:
    assert state_code(name, country) == code


def test_every_code_of_the_names_in_use_is_one_of_iso() -> None:
    states = {f"{country}-{code}" for country, codes in STATES.items() for code in codes}

    assert {code for code in COUNTRIES if pycountry.countries.get(alpha_2=code) is None} == set()
    assert states <= {state.code for state in pycountry.subdivisions}


def test_names_that_are_read_ahead_are_not_read_again() -> None:
    load_place_names()
    misses = country_code.cache_info().misses

    load_place_names()

    assert country_code.cache_info().misses == misses

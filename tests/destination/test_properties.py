"""What holds for any input: valid or refused, never in between, and never personal in the clear."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, format_number, parse

from app.config.settings import ConversionSettings
from app.core.fields import HASHED, USER_FIELDS
from app.destination import OFFERED_FIELDS, ReportConversionEvent, report_conversion_event
from app.destination.app_and_device import read_app_info
from app.destination.normalise import Normaliser, normalised, normalisers, phone_normaliser
from app.errors import EventInvalid
from tests.destination.builders import NOW, a_conversion, of_user
from tests.rounds import examples

EMAIL = "planted.person@mail.example"
PHONE = "+14155550177"
NAME = "Plantedname"


USER_FIELD_NAMES = HASHED
NORMALISERS = normalisers(ConversionSettings.model_construct())


def names_in(name: str) -> list[str]:
    return sorted(OFFERED_FIELDS[name].members)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from(
        ["1,299.00", "€5", "-5", "2026-03-04T06:07:08Z", "en-US", "LDP", "203.0.113.1", "USD", "US", "CA", "null"]
    )
    | st.sampled_from([EMAIL, PHONE, "x" * 20_000, "9" * 400, "1e999"])
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def objects(names: list[str], values: st.SearchStrategy[Any] = json_values) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=10), values, max_size=8) | json_values


contents = st.lists(objects(sorted(OFFERED_FIELDS["custom_data"].members["contents"].members)), max_size=3)
any_fields = st.builds(
    lambda top, nested, valid: (a_conversion() if valid else {}) | top | nested,
    st.dictionaries(st.sampled_from(sorted(OFFERED_FIELDS)) | st.text(max_size=10), json_values, max_size=6),
    st.fixed_dictionaries(
        {},
        optional={
            "user_data": objects(names_in("user_data")),
            "custom_data": objects(names_in("custom_data"), json_values | contents),
            "app_info": objects(names_in("app_info")),
            "device_info": objects(names_in("device_info")),
        },
    ),
    st.booleans(),
)
CAREFUL = ReportConversionEvent(
    ConversionSettings.model_construct(
        default_country="US",
        default_currency="EUR",
        ldp_states=("CA",),
        partner_name="ss-x",
    )
)


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=any_fields, now=st.none() | st.just(NOW), build=st.sampled_from([report_conversion_event, CAREFUL]))
def test_any_fields_give_a_reason_or_a_valid_event(
    judged_by_pinterest: Callable[[dict[str, Any]], list[str]],
    fields: dict[str, Any],
    now: float | None,
    build: Callable[..., tuple[dict[str, Any], list[str]]],
) -> None:
    before = json.dumps(fields)
    try:
        event, warnings = build(fields, now=now)
    except EventInvalid:
        return
    assert judged_by_pinterest(event) == []
    assert all(isinstance(warning, str) for warning in warnings)
    assert json.dumps(fields) == before, "the fields are left alone"


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    user_data=st.dictionaries(st.sampled_from(USER_FIELD_NAMES), st.text(max_size=30) | st.lists(st.text(max_size=30)))
)
def test_normalising_twice_is_normalising_once(user_data: dict[str, Any]) -> None:
    """The digests of an event, given as the values of another, are sent as they are."""
    wire = {field.name: field.wire for field in USER_FIELDS}
    plain = {"client_ip_address": "2001:db8::1", "client_user_agent": "UA"}
    once, _ = report_conversion_event(of_user(**user_data, **plain), now=None)
    digests = {name: once["user_data"].get(wire[name]) for name in USER_FIELD_NAMES}

    twice, warnings = report_conversion_event(a_conversion(user_data=digests | plain), now=None)

    assert twice["user_data"] == once["user_data"]
    assert warnings == []


@pytest.mark.parametrize(
    "normalise",
    [pytest.param(each, id=name) for name, each in NORMALISERS.items() if name not in ("phone", "zip")],
)
@given(text=st.text(max_size=30))
def test_a_normal_form_is_its_own_normal_form(normalise: Normaliser, text: str) -> None:
    form, _ = normalised(text, "US", normalise)

    if form and normalised(form, "US", normalise)[1] != "it is blank or a placeholder":
        assert normalised(form, "US", normalise) == (form, "")


between = st.sampled_from(["", " ", "/", "?q=", "&tel=", "&email=", "; ", "\n", "%20", "#", "(", "a ", " 5 "])


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    nest=st.sampled_from(
        [lambda v: v, lambda v: [v], lambda v: [[v, None]], lambda v: {"value": v}, lambda v: [v, v.upper()]]
    ),
    fields=st.lists(st.sampled_from([*USER_FIELD_NAMES]), max_size=12),
    seams=st.tuples(between, between, between),
    rest=st.dictionaries(st.sampled_from(["colour", EMAIL, PHONE]), scalars.filter(lambda v: v not in (EMAIL, PHONE))),
)
def test_no_planted_personal_value_is_in_event_or_warnings(
    nest: Callable[[str], Any], fields: list[str], seams: tuple[str, str, str], rest: dict[str, Any]
) -> None:
    planted = [EMAIL, PHONE, NAME]
    user_data = {name: nest(planted[index % 3]) for index, name in enumerate(fields)} | {"phone": PHONE}
    text = EMAIL.join(seams[:2]) + PHONE.join((seams[2], " "))
    event, warnings = report_conversion_event(
        of_user(**user_data)
        | rest
        | {
            "event_source_url": f"https://shop.example/{text}",
            "custom_data": {"search_string": text, "value": EMAIL, "num_items": NAME, "currency": EMAIL},
            "wifi": EMAIL,
            "language": PHONE,
            "user_data": {"client_ip_address": "2001:db8::1", "client_user_agent": "UA"} | user_data,
        },
        now=None,
    )
    told = json.dumps([event, warnings]).lower()

    for value in (EMAIL, PHONE.removeprefix("+"), "4155550177", NAME.lower()):
        assert value not in told


@given(value=st.floats(allow_nan=False) | st.integers())
def test_numbers_of_app_info_stay_within_bounds(value: float) -> None:
    sent, _ = read_app_info({"window_height": value})

    assert sent is None or 0 <= sent["window_height"] <= 30_720


@pytest.mark.slow
@given(
    number=st.from_regex(r"(\+1[ .-]?)?\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True),
    country=st.sampled_from(["US", "CA"]),
)
@settings(max_examples=examples(500))
def test_north_american_numbers_are_read_as_libphonenumber_reads_them(number: str, country: str) -> None:
    read = format_number(parse(number, country), PhoneNumberFormat.E164).lstrip("+")
    assert phone_normaliser(None)(number, country) == (read, "")

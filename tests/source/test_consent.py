"""Consent and routing, by the tables of Segment and RudderStack."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config.settings import ConsentSettings
from app.source.json_reader import parse
from app.source.withholding import withheld
from tests.rows import every_row

X = "Pinterest Conversions API"
RULES = ConsentSettings.model_construct(consent_categories=("ads", "analytics"), integration_names=(X, "Actions " + X))
ABSENT: Any = object()


def event(consent: Any = ABSENT, integrations: Any = ABSENT, **context: Any) -> dict[str, Any]:
    built: dict[str, Any] = {"type": "track", "context": context}
    if consent is not ABSENT:
        context["consent"] = consent
    if integrations is not ABSENT:
        built["integrations"] = integrations
    return built


def preferences(**given: Any) -> dict[str, Any]:
    return {"categoryPreferences": given}


GRANTED = preferences(ads=True, analytics=True)


@every_row(
    ("consent", "integrations", "reason"),
    [
        pytest.param(ABSENT, ABSENT, None, id="neither: flows"),
        pytest.param({}, ABSENT, None, id="empty consent alone: flows"),
        pytest.param(None, ABSENT, None, id="null consent is absent: flows"),
        pytest.param([], ABSENT, None, id="PHP's empty consent alone: flows"),
        pytest.param(preferences(), ABSENT, "category ads is not granted", id="empty preferences: blocked"),
        pytest.param({"categoryPreferences": []}, ABSENT, "category ads", id="PHP's empty preferences: blocked"),
        pytest.param(ABSENT, {X: True}, None, id="no consent: integrations let it flow"),
        pytest.param(ABSENT, {X: False}, "integrations: Pinterest", id="no consent: integrations block it"),
        pytest.param({}, {X: True}, "none is given", id="empty consent beside integrations: blocked"),
        pytest.param({}, {}, "none is given", id="empty consent beside empty integrations: blocked"),
        pytest.param({}, None, None, id="null integrations are absent: flows"),
        pytest.param(preferences(), {X: True}, "category ads", id="empty preferences beside integrations: blocked"),
        pytest.param(GRANTED, ABSENT, None, id="all granted: flows"),
        pytest.param(preferences(ads=True, analytics=True, other=False), ABSENT, None, id="others do not matter"),
        pytest.param(preferences(ads=True, analytics=False), ABSENT, "category analytics", id="one denied: blocked"),
        pytest.param(preferences(ads=True), ABSENT, "category analytics", id="one missing: blocked"),
        pytest.param(preferences(Ads=True, analytics=True), ABSENT, "category ads", id="ids are case sensitive"),
        pytest.param(GRANTED, {X: False}, "integrations: Pinterest", id="all granted, integrations still block"),
        pytest.param(GRANTED, {X: True}, None, id="all granted, integrations too: flows"),
    ],
)
def test_what_segments_consent_and_integrations_say_decides(
    consent: Any, integrations: Any, reason: str | None
) -> None:
    found = withheld(event(consent, integrations), RULES)

    assert found is None if reason is None else reason in str(found)


@every_row("consent", ["yes", 1, True, ["ads"], {"other": 1}, {"categoryPreferences": None}])
def test_consent_that_cannot_be_read_is_none(consent: Any) -> None:
    assert withheld(event(consent), RULES) == "consent: `context.consent` cannot be read"


@pytest.mark.parametrize("value", ["true", 1, None, {}])
def test_a_category_is_granted_by_true_only(value: Any) -> None:
    assert withheld(event(preferences(ads=value, analytics=True)), RULES) == "consent: category ads is not granted"


@pytest.mark.parametrize("context", ["text", 5, [1]])
def test_a_context_that_cannot_be_read_hides_its_consent(context: Any) -> None:
    assert withheld({"context": context}, RULES) == "consent: `context.consent` cannot be read"


@pytest.mark.parametrize("context", [None, {}, []])
def test_no_context_is_no_consent_object(context: Any) -> None:
    assert withheld({"context": context}, RULES) is None


def test_a_destination_without_categories_asks_for_none() -> None:
    assert withheld(event(preferences(ads=False)), ConsentSettings.model_construct()) is None


@every_row(
    ("integrations", "reason"),
    [
        ({}, None),
        ([], None),
        ({"All": True}, None),
        ({"All": False}, "integrations: All is off"),
        ({"All": False, X: True}, None),
        ({"All": False, X: {"option": 1}}, None),
        ({"All": False, X: {}}, None),
        ({"All": False, X: None}, "integrations: All is off"),
        ({"All": True, X: False}, f"integrations: {X} is off"),
        ({"All": False, "Actions " + X: True}, None),
        ({X: True, "Actions " + X: False}, f"integrations: Actions {X} is off"),
        ({X.lower(): False}, None),
        ({"Facebook": False}, None),
        # what cannot be read is no yes
        ({X: "true"}, f"integrations: {X} is off"),
        ({X: 0}, f"integrations: {X} is off"),
        ({"All": "true"}, "integrations: All is off"),
        ("All", "integrations: cannot be read"),
        (False, "integrations: cannot be read"),
        ([X], "integrations: cannot be read"),
    ],
)
def test_integrations_decide_unless_they_cannot_be_read(integrations: Any, reason: str | None) -> None:
    assert withheld(event(integrations=integrations), RULES) == reason


def test_integrations_that_segment_obeyed_already_need_not_be_obeyed_again() -> None:
    assert (
        withheld(
            event(integrations={X: False, "All": False}),
            ConsentSettings.model_construct(integration_names=("none",)),
        )
        is None
    )


@every_row(
    ("management", "reason"),
    [
        ({"deniedConsentIds": []}, None),
        ({}, None),
        (None, None),
        ([], None),
        ({"allowedConsentIds": ["A"]}, None),
        ({"deniedConsentIds": ["C"]}, None),
        ({"deniedConsentIds": ["C", "B"]}, "consent: B is denied"),
        ({"deniedConsentIds": ["A"], "resolutionStrategy": "and"}, "consent: A is denied"),
        ({"deniedConsentIds": ["A"], "resolutionStrategy": "something"}, "consent: A is denied"),
        ({"deniedConsentIds": ["A"], "resolutionStrategy": "or"}, None),
        ({"deniedConsentIds": ["B", "A"], "resolutionStrategy": "or"}, "consent: A is denied"),
        # what cannot be read is no yes
        ("text", "consent: `context.consentManagement` cannot be read"),
        ([1], "consent: `context.consentManagement` cannot be read"),
        ({"deniedConsentIds": "A"}, "consent: `deniedConsentIds` cannot be read"),
        ({"deniedConsentIds": [1]}, "consent: `deniedConsentIds` cannot be read"),
        ({"deniedConsentIds": ["C", None]}, "consent: `deniedConsentIds` cannot be read"),
    ],
)
def test_what_rudderstacks_consent_says_decides(management: Any, reason: str | None) -> None:
    assert (
        withheld(event(consentManagement=management), ConsentSettings.model_construct(rudder_consent_ids=("A", "B")))
        == reason
    )


def test_rudderstacks_consent_is_not_asked_for_without_ids() -> None:
    assert withheld(event(consentManagement={"deniedConsentIds": ["A"]}), ConsentSettings.model_construct()) is None


@every_row("number", ["NaN", "-Infinity", "1e999"])
@every_row(
    ("members", "reason"),
    [
        ('"integrations": %s', "integrations: cannot be read"),
        ('"integrations": {"All": %s}', "integrations: All is off"),
        (f'"integrations": {{"{X}": %s}}', f"integrations: {X} is off"),
        ('"context": %s', "consent: `context.consent` cannot be read"),
        ('"context": {"consent": %s}', "consent: `context.consent` cannot be read"),
        ('"context": {"consent": {"categoryPreferences": %s}}', "consent: `context.consent` cannot be read"),
        ('"context": {"consentManagement": %s}', "consent: `context.consentManagement` cannot be read"),
        ('"context": {"consentManagement": {"deniedConsentIds": %s}}', "consent: `deniedConsentIds` cannot be read"),
        ('"context": {"consentManagement": {"deniedConsentIds": [%s]}}', "consent: `deniedConsentIds` cannot be read"),
        (
            '"context": {"consentManagement": {"deniedConsentIds": ["A"], "resolutionStrategy": %s}}',
            "consent: A is denied",
        ),
    ],
)
def test_a_number_that_is_none_is_no_yes(members: str, reason: str, number: str) -> None:
    sent = parse(f"{{{members % number}}}".encode())

    assert (
        withheld(
            sent,
            ConsentSettings.model_construct(
                consent_categories=("ads",), rudder_consent_ids=("A", "B"), integration_names=(X,)
            ),
        )
        == reason
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["ads", "All", "and"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["consent", "categoryPreferences", "consentManagement", "deniedConsentIds", "All", X, "ads"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@settings(deadline=None)  # a busy machine is no fault
@given(_JSON, _JSON)
def test_every_shape_is_judged(context: Any, integrations: Any) -> None:
    rules = ConsentSettings.model_construct(
        consent_categories=("ads",), rudder_consent_ids=("A",), integration_names=(X,)
    )

    assert isinstance(withheld({"context": context, "integrations": integrations}, rules), str | None)

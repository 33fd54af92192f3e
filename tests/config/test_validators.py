"""Texts of settings that can be nothing are refused at start-up, with the setting and what is expected."""

import json
import re

import pytest

from app.catalog.destinations import CHECKED
from app.catalog.files import PresetFile
from app.catalog.source_files import SourceFile
from app.config import Settings, load_settings
from app.config.environment import FORMS
from app.errors import SettingsError
from tests.config.test_settings import set_all

NO_ADDRESS = "is not a URL: write it in full, such as https://"
ADDRESSES = ("PINTEREST_API_URL", "ALERT_WEBHOOK_URL", "PUBLIC_URL")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("LDP_STATES", "Bavaria", "'Bavaria' is not a state of the USA: use its code or full name, such as CA"),
        ("LDP_STATES", "CA,IOWA CITY", "'IOWA CITY' is not a state of the USA"),
        ("LDP_STATES", "CA;CO", "'CA;CO' is not a state of the USA"),
        ("DEFAULT_COUNTRY", "XX", "'XX' is not a country code of ISO 3166: use two letters, such as US, GB or DE"),
        ("DEFAULT_COUNTRY", "UK", "'UK' is not a country"),
        ("DEFAULT_COUNTRY", "USA", "'USA' is not a country"),
        ("DEFAULT_CURRENCY", "XXQ", "'XXQ' is not a currency code of ISO 4217: use three letters, such as USD"),
        ("DEFAULT_CURRENCY", "$", "'$' is not a currency"),
        ("PINTEREST_AD_ACCOUNT_ID", "549-755", "must be 1 to 18 digits, such as 549755885175"),
        ("PARTNER_NAME", "shop", "must be ss- and then lower-case letters, digits or hyphens, such as ss-shop"),
        ("EPIK_COOKIE_DOMAIN", "shop", "must be a domain, such as shop.example"),
        ("PORT", "abc", "must be a whole number, 0 or more, at most 65,535"),
        ("PORT", "65536", "must be a whole number, 0 or more, at most 65,535"),
        ("PORT", "80.5", "must be a whole number, 0 or more, at most 65,535"),
        ("REMEMBER_MAX_PEOPLE", "many", "must be a whole number, 1 or more, at most 1,000,000,000"),
        ("RETRY_BASE_S", "0", "must be a number, more than 0, at most 86,400"),
        ("ALERT_LIMITS", "fall:inf", "fall: must be a number, more than 0, less than 1"),
        (
            "RETENTION_DAYS",
            "payload:1, colour: 3",
            "colour: must be one of delivered, other, audit, payload, click, session",
        ),
        ("RETENTION_DAYS", "payload", "write it as delivered:30,other:30,audit:365,payload:0,click:60,session:7"),
        ("RETENTION_DAYS", "payload:1,payload:2", "payload is there twice"),
        ("PINTEREST_APP", "5005550005:s3cret", "must be id:secret:refresh_token of the app, without spaces and quotes"),
        (
            "PINTEREST_APP",
            "5005550005:s3cret b:c",
            "must be id:secret:refresh_token of the app, without spaces and quotes",
        ),
        (
            "PINTEREST_APP",
            "5005550005::s3cret",
            "must be id:secret:refresh_token of the app, without spaces and quotes",
        ),
        ("INTEGRATION_NAMES", "none,Shop", "must be none alone, or a list without none"),
        ("TAG_EVENT_ID", "message", "must be 'event_id' or 'message_id'"),
        ("WITHHOLD", "tests", "must be 'test_events', 'crawlers' or 'none'"),
        ("WITHHOLD", "test_events,none", "must be none alone, or a list without none"),
        ("WITHHOLD", ",", "must not be empty: write none"),
        ("CONSENT_REQUIRED", "perhaps", "must be true or false"),
        ("EVENTS_WHILE_OFF", "keep", "must be 'delay' or 'withhold'"),
        ("WEBHOOK_SHARED_SECRETS", "s3cret1,s3cret2,s3cret3", "has 3 values, must have at most 2"),
        *((name, text, NO_ADDRESS) for name in ADDRESSES for text in ("foo", "foo.example/path")),
        *(("ALERT_WEBHOOK_URL", text, NO_ADDRESS) for text in ("https://", "https:///s3cret", "ftp://s3cret.example")),
        *(("PINTEREST_API_URL", text, NO_ADDRESS) for text in ("http://[::1", "http://a:99999", "http://a b/")),
    ],
)
def test_what_can_be_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name}: {told}")
    assert "s3cret" not in str(caught.value)


def test_every_pattern_has_words() -> None:
    models = (Settings, SourceFile, PresetFile, CHECKED)
    schemas = " ".join(json.dumps(model.model_json_schema(by_alias=True)) for model in models)
    patterns = {json.loads(f'"{each}"') for each in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', schemas)}
    assert patterns - {"^[A-Za-z]{2}$", "^[A-Za-z]{3}$"} == set(FORMS)  # countries and currencies are looked up
    assert all("such as" in words or "without" in words for words in FORMS.values())


def test_what_can_be_meant_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        LDP_STATES="California,us-co\nNew York",
        DEFAULT_COUNTRY="xk",
        DEFAULT_CURRENCY="eur",
        PINTEREST_API_URL="http://127.0.0.1:9/v5",
        ALERT_WEBHOOK_URL="https://hooks.example/T0/B0",
        PUBLIC_URL="https://[::1]:8443/under",
    )
    settings = load_settings()
    assert (settings.ldp_states, settings.default_country, settings.default_currency) == (
        ("CA", "CO", "NY"),
        "XK",
        "EUR",
    )
    assert settings.alert_webhook_url is not None
    assert settings.alert_webhook_url.get_secret_value() == "https://hooks.example/T0/B0"

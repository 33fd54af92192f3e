"""Texts of settings that can be nothing are refused at start-up, with the setting and what is expected."""

import pytest

from app.config import load_settings
from app.errors import SettingsError
from tests.config.test_settings import set_all

NO_ADDRESS = "it is no address: write it whole, such as https://"
ADDRESSES = ("PINTEREST_API_URL", "ALERT_WEBHOOK_URL", "PUBLIC_URL")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("LDP_STATES", "Bavaria", "'Bavaria' is no state of the USA: write its code or its full name, such as CA"),
        ("LDP_STATES", "CA,IOWA CITY", "'IOWA CITY' is no state of the USA"),
        ("LDP_STATES", "CA;CO", "'CA;CO' is no state of the USA"),
        ("DEFAULT_COUNTRY", "XX", "'XX' is no country of ISO 3166: write its two letters, such as US, GB or DE"),
        ("DEFAULT_COUNTRY", "UK", "'UK' is no country"),
        ("DEFAULT_COUNTRY", "USA", "'USA' is no country"),
        ("DEFAULT_CURRENCY", "XXQ", "'XXQ' is no currency of ISO 4217: write its three letters, such as USD"),
        ("DEFAULT_CURRENCY", "$", "'$' is no currency"),
        (
            "PINTEREST_AD_ACCOUNT_ID",
            "549-755",
            r"is not of the form ^\d{1,18}$: 1 to 18 digits; with the token, events go to Pinterest",
        ),
        ("PARTNER_NAME", "shop", "is not of the form ^ss-[a-z0-9-]+$: sent as `partner_name`"),
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

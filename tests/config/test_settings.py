"""Settings: read once, strict, and safe by default."""

from pathlib import Path
from typing import Any

import pytest

from app.config import load_settings
from app.errors import SettingsError
from tests.assembled import settings
from tests.sender.claims import a_policy

DAY_S = 86_400
LIVE = {"PINTEREST_AD_ACCOUNT_ID": "549755885175", "PINTEREST_CONVERSION_TOKEN": "token-5f0d"}

#: Of as many characters as a secret on a public address must have, and of one less.
STRONG = "0123456789abcdef"
WEAK = STRONG[:-1]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LIVE, "HOST", "PORT", "WRITE_KEYS", "CONSOLE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_without_credentials_it_is_the_sandbox_on_loopback() -> None:
    settings = load_settings()
    assert (settings.live, settings.sandboxed, settings.host, settings.reachable) == (False, True, "127.0.0.1", False)


def test_both_credentials_make_it_live(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, **LIVE)
    settings = load_settings()
    assert settings.live
    assert settings.current_token().get_secret_value() == "token-5f0d"


@pytest.mark.parametrize("missing", LIVE)
def test_one_credential_without_the_other_stops_start_up(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    set_all(monkeypatch, **{name: value for name, value in LIVE.items() if name != missing})
    with pytest.raises(SettingsError, match="go together"):
        load_settings()


@pytest.mark.parametrize("secret", [None, "whsec_short", "plJ3nmyCDGBKInavdOK15jslAAAAAAAA", "whsec_" + "A" * 33])
def test_signed_alerts_need_a_secret_of_standard_webhooks(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    set_all(monkeypatch, ALERT_FORMAT="json", **({"ALERT_WEBHOOK_SECRET": secret} if secret else {}))
    with pytest.raises(SettingsError, match="ALERT_WEBHOOK_SECRET to `whsec_`") as refused:
        load_settings()
    assert secret is None or secret not in str(refused.value)
    set_all(monkeypatch, ALERT_WEBHOOK_SECRET="whsec_" + "A" * 32)
    assert load_settings().alert_format == "json"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, LDP_STATES="ca, co", PRESETS_DIR="presets,/etc/presets")
    settings = load_settings()
    assert settings.ldp_states == ("CA", "CO")
    assert settings.presets_dir == (Path("presets"), Path("/etc/presets"))


@pytest.mark.parametrize("name", ["LDP_STATES", "QUARANTINE_NAMES", "WRITE_KEYS", "PRESETS_DIR"])
def test_a_list_in_json_is_refused_with_how_it_is_written(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, '["one", "another"]')
    with pytest.raises(SettingsError, match=f"{name}.*must be a list with commas, not JSON"):
        load_settings()


def test_all_faults_are_reported_with_variable_and_value_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"WEBHOOK_SHARED_SECRETS": "first,second,third", "QUARANTINE_KEY": "fourth"}
    set_all(monkeypatch, PORT="eighty", DEDUP_WINDOW_HOURS="-1", **secrets)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert all(name in text for name in ("PORT", "DEDUP_WINDOW_HOURS", "WEBHOOK_SHARED_SECRETS"))
    assert "PORT: must be a whole number, 0 or more, at most 65,535; the value is 'eighty'" in text.splitlines()
    assert not any(value in text for value in ("first", "third", "fourth"))
    assert "QUARANTINE_KEY: has 6 characters, must have at least 32" in text.splitlines()


def test_a_secret_comes_from_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n", encoding="utf-8")
    set_all(monkeypatch, PINTEREST_AD_ACCOUNT_ID="1", PINTEREST_CONVERSION_TOKEN_FILE=str(file))
    settings = load_settings()
    assert settings.current_token().get_secret_value() == "from-file"

    file.write_text("changed\n", encoding="utf-8")

    assert settings.current_token().get_secret_value() == "changed"


def test_what_may_be_a_secret_in_the_place_of_a_file_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINTEREST_CONVERSION_TOKEN_FILE", "pina_secret")

    with pytest.raises(
        SettingsError, match=r"^PINTEREST_CONVERSION_TOKEN_FILE: cannot read the file \(its name has no folder"
    ) as caught:
        load_settings()

    assert "pina_secret" not in str(caught.value)


def test_a_secret_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONSOLE_PASSWORD_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match=r"^CONSOLE_PASSWORD_FILE: .*/nothing: No such file"):
        load_settings()


def test_a_secret_in_a_file_that_is_not_utf_8_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"secret of the console\xff")
    monkeypatch.setenv("CONSOLE_PASSWORD_FILE", str(file))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert (
        str(refused.value)
        == f"CONSOLE_PASSWORD_FILE: cannot read {file}: it is not UTF-8. Put the secret there, readable by Pinrelay"
    )


@pytest.mark.parametrize(
    "ends_it",
    [
        {"WRITE_KEYS": f"shop:{STRONG}"},
        {"WEBHOOK_HEADER": f"X-Key: {STRONG}"},
        {"WEBHOOK_SHARED_SECRETS": STRONG},
        {"PUBLISHED_ON_LOOPBACK": "true"},
        {"PUBLISHED_ON_LOOPBACK": "127.0.0.1"},
        {"HOST": "127.0.0.1"},
    ],
    ids=lambda settings: next(iter(settings)),
)
@pytest.mark.parametrize("credentials", [LIVE, {}], ids=["live", "sandbox"])
def test_reachable_without_authentication_is_refused_unless(
    monkeypatch: pytest.MonkeyPatch, credentials: dict[str, str], ends_it: dict[str, str]
) -> None:
    set_all(monkeypatch, **credentials, HOST="0.0.0.0")
    with pytest.raises(SettingsError, match="WRITE_KEYS"):
        load_settings()
    set_all(monkeypatch, **ends_it)
    assert load_settings().live is bool(credentials)


@pytest.mark.parametrize(
    ("name", "weak", "strong"),
    [
        ("WRITE_KEYS", f"a-long-name-of-a-shop:{WEAK}", f"shop:{STRONG}"),
        ("WRITE_KEYS", f"shop:{STRONG},app:{WEAK}", f"shop:{STRONG},app:{STRONG}"),
        ("WEBHOOK_HEADER", f"X-A-Long-Name-Of-It: {WEAK}", f"X-Key: {STRONG}"),
        ("WEBHOOK_SHARED_SECRETS", f"{STRONG},{WEAK}", f"{STRONG},{STRONG}"),
        ("CONSOLE_PASSWORD", WEAK, STRONG),
    ],
)
def test_a_secret_of_under_sixteen_characters_is_refused_on_a_public_address_only(
    monkeypatch: pytest.MonkeyPatch, name: str, weak: str, strong: str
) -> None:
    set_all(monkeypatch, **({"WRITE_KEYS": f"shop:{STRONG}"} | {name: weak}))
    load_settings()
    monkeypatch.setenv("HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match=name) as told:
        load_settings()
    assert WEAK not in str(told.value)
    monkeypatch.setenv(name, strong)
    assert load_settings().reachable


def test_secrets_mask_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, **LIVE, WRITE_KEYS="shop:write-key-1")
    assert "token-5f0d" not in repr(load_settings())
    assert "write-key-1" not in repr(load_settings())
    assert "s3cret" not in repr(load_settings(outbox_url="postgresql://pinrelay:s3cret@db/pinrelay"))


def test_a_lease_outlasts_the_longest_send() -> None:
    assert a_policy(send_timeout_s=30).lease_s == 90


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, ()),
        ({"write_keys": "shop:k"}, ("*",)),
        ({"write_keys": "shop:k", "sdk_origins": "https://a.example"}, ("https://a.example",)),
        ({"sdk_origins": "*"}, ("*",)),
    ],
)
def test_pages_of_any_site_may_send_where_a_write_key_is_asked_for(
    given: dict[str, Any], origins: tuple[str, ...]
) -> None:
    assert settings(**given).page_origins == origins


@pytest.mark.parametrize(
    ("given", "window_s"),
    [
        ({}, 7 * DAY_S),
        ({"max_event_age_days": 14}, 14 * DAY_S),
        ({"dedup_window_hours": 24}, DAY_S),
        ({"dedup_window_hours": 24, "max_event_age_days": 14}, DAY_S),
    ],
)
def test_events_are_remembered_as_long_as_they_may_be_old_unless_it_is_set(
    given: dict[str, Any], window_s: float
) -> None:
    assert settings(**given).dedup_window_s == window_s


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, (True, False)), ({"order_scope": "source"}, (True, True)), ({"order_scope": "none"}, (False, False))],
)
def test_an_order_id_is_one_order_of_the_account_unless_each_source_has_its_own(
    given: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    found = settings(**given)
    assert (found.compares_orders, found.orders_by_source) == expected


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, None),
        ({"outbox_url": "postgresql://db/pinrelay"}, 10**10),
        ({"destinations_dir": ("there",)}, 10**10),
        ({"outbox_max_backlog_bytes": 5}, 5),
    ],
)
def test_the_backlog_is_bounded_by_the_disk_where_that_is_known_and_one_ad_accounts(
    changes: dict[str, Any], most: int | None
) -> None:
    assert settings(**changes).max_backlog_bytes == most


def test_a_process_has_room_for_four_of_the_largest_requests() -> None:
    assert settings(max_decompressed_bytes=10).max_decompressed_in_flight == 40

"""Misspelt settings stop the start; variables of other programs do not."""

import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.config import Settings, doubtful_variables, load_settings
from app.config.environment import MAX_EDITS, edits
from app.config.settings import setting_names
from app.config.settings_file import take_settings_file
from app.errors import SettingsError
from tests.process import ROOT

NAMES = sorted(name.upper() for name in Settings.model_fields)
LONG = [name for name in NAMES if len(name) >= 10]
#: Variables of shells, machines, containers, clouds, languages and databases, with those that come near a setting.
OF_OTHERS = (ROOT / "tests/cases/variables_of_other_programs.txt").read_text(encoding="utf-8").split()
#: Misspelt, and what is meant.
MISSPELT = {
    "CONSENT_CATEGORY": "CONSENT_CATEGORIES",
    "CONSENT_CATAGORIES": "CONSENT_CATEGORIES",
    "consent_category": "CONSENT_CATEGORIES",
    "LDP_STATE": "LDP_STATES",
    "WRITE_KEY": "WRITE_KEYS",
    "WRIET_KEYS": "WRITE_KEYS",
    "WEBHOOK_SHARED_SECRET": "WEBHOOK_SHARED_SECRETS",
    "WEBHOOK_SHARED_SECRET_FILE": "WEBHOOK_SHARED_SECRETS_FILE",
    "CONSOLE_PASWORD_FILE": "CONSOLE_PASSWORD_FILE",
    "PINTEREST_AD_ACOUNT_ID": "PINTEREST_AD_ACCOUNT_ID",
    "PINTEREST_CONVERSIONS_TOKEN": "PINTEREST_CONVERSION_TOKEN",
    "REMEMBERDAYS": "REMEMBER_DAYS",
    "PUBLIC_URI": "PUBLIC_URL",
    "INTEGRATION_NAME": "INTEGRATION_NAMES",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*NAMES, *(f"{name}_FILE" for name in NAMES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_misspelt_setting_stops_the_start_and_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "a value that is not shown")
    monkeypatch.setenv("PORT", "eighty")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    misspelt, port = str(caught.value).splitlines()
    assert misspelt.startswith(f"{name}: is not a setting. The nearest is {meant}. Correct the name; ")
    assert port.startswith("PORT: ")
    assert "not shown" not in misspelt


def test_variables_of_other_programs_stop_nothing() -> None:
    assert setting_names().misspelt(dict.fromkeys(OF_OTHERS, "1")) == []
    doubtful = setting_names().doubtful(dict.fromkeys(OF_OTHERS, "1"))
    assert doubtful.keys() == {"DEFAULT_LOCALE", "DEFAULT_TIMEZONE", "PUBLIC_KEY"}


def test_every_setting_and_the_file_of_every_secret_is_known() -> None:
    secrets = [
        f"{name.upper()}_FILE" for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)
    ]
    given_ = dict.fromkeys((*NAMES, *secrets), "1")
    assert (setting_names().misspelt(given_), setting_names().doubtful(given_)) == ([], {})
    assert setting_names().misspelt({"CONSENT_CATEGORY": ""}) == []  # an empty one is not set


@given(st.sampled_from(LONG), st.data())
def test_whatever_is_within_three_edits_is_found(name: str, data: st.DataObject) -> None:
    text = name
    for _ in range(data.draw(st.integers(1, MAX_EDITS))):
        at = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.sampled_from("AEIOSTXZ"))
        text = data.draw(
            st.sampled_from(
                (
                    text[:at] + text[at + 1 :],
                    text[:at] + letter + text[at:],
                    text[:at] + letter + text[at + 1 :],
                    text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :],
                )
            )
        )
    assume(text not in NAMES)
    words, of_text = name.split("_"), text.split("_")
    differing = [(a, b) for a, b in zip(words, of_text, strict=False) if a != b]
    is_another_word = (
        len(words) == len(of_text) and len(differing) == 1 and 2 * edits(*differing[0]) > max(map(len, differing[0]))
    )
    found = setting_names().misspelt({text: "1"})
    assert found or is_another_word


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("", "", 0), ("A", "", 1), ("AB", "BA", 1), ("ABC", "CA", 2), ("KEY", "URL", 3), ("SITTING", "KITTEN", 3)],
)
def test_edits_are_counted(one: str, other: str, count: int) -> None:
    assert (edits(one, other), edits(other, one)) == (count, count)


def test_a_shared_first_word_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENT_MODE", "1")
    monkeypatch.setenv("PINRELAY_HOST", "1")
    monkeypatch.setenv("PUBLIC_KEY", "1")
    load_settings()
    told = doubtful_variables()
    assert all(f"{name} (nearest: " in told for name in ("CONSENT_MODE", "PINRELAY_HOST", "PUBLIC_KEY"))
    for name in ("CONSENT_MODE", "PINRELAY_HOST", "PUBLIC_KEY"):
        monkeypatch.delenv(name)
    assert doubtful_variables() == ""


@pytest.mark.parametrize("setting", ["SOURCES_DIR", "DESTINATIONS_DIR"])
def test_what_files_of_sources_and_destinations_name_is_known(tmp_path: Path, setting: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "token: {env: PINTEREST_ADS_TOKENS}\nsecret: {env: 'REMEMBER_SECRETS'}\n", encoding="utf-8"
    )
    (folder / "b.yaml").write_bytes(b"\xff")
    environ = {"PINTEREST_ADS_TOKENS": "1", "REMEMBER_SECRETS_FILE": "1", "CONSENT_MODE": "1"}
    assert len(setting_names().misspelt(environ)) == 2
    environ[setting] = f"{tmp_path / 'none'}, {folder}"
    assert setting_names().misspelt(environ) == []
    assert setting_names().doubtful(environ).keys() == {"CONSENT_MODE"}
    (tmp_path / "pinrelay.env").write_text("PINTEREST_ADS_TOKENS=1\nSHOPIFY_WEBHOOK_SECRET=1\n", encoding="utf-8")
    take_settings_file(tmp_path / "pinrelay.env", environ)


def test_an_unknown_line_of_the_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "pinrelay.env"
    file.write_text("CONSENT_CATEGORY=x\n\nOTEL_SERVICE_NAME=a\nPORT=1\nNothing_like_it=\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        take_settings_file(file, {})
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{file}: line 1: CONSENT_CATEGORY is not a setting. The nearest is CONSENT_CATEGORIES: ")
    assert second.startswith(f"{file}: line 5: Nothing_like_it is not a setting. The nearest is ")


@pytest.mark.slow
def test_many_variables_are_looked_at_quickly() -> None:
    environ = {f"{name}_SERVICE_{number}": "1" for name in OF_OTHERS for number in range(10)}
    before = time.process_time()
    setting_names().misspelt(environ)
    assert time.process_time() - before < 1, f"{len(environ)} variables"

"""Files of ad accounts are read as strictly as presets: every fault of every file, each with its place."""

from pathlib import Path

import pytest

from app.catalog.destinations import CHECKED, faults_of_names, load_destinations
from app.config.settings import AccountSettings
from app.errors import CatalogError

US = """
name: US
ad_account_id: 549755885175
token: {env: PINTEREST_TOKEN_US}
sources: [shop]
presets: [Order Completed, Checkout]
settings:
  default_country: us
  ldp_states: [ca, CO]
  max_calls_per_minute: 100
  retry_max_age_hours: 24
"""
SANDBOX = 'name: Trial\nad_account_id: "0012"\nmode: sandbox\n'


def folder_of(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    """What is wrong, without the folder."""
    with pytest.raises(CatalogError) as caught:
        load_destinations(folder)
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


def test_a_file_says_what_is_the_ad_accounts_own(tmp_path: Path) -> None:
    us, trial = load_destinations(folder_of(tmp_path, us=US, zz=SANDBOX)).values()
    assert (us.name, us.ad_account_id, us.mode, us.enabled) == ("US", "549755885175", "live", True)
    assert us.token is not None
    assert (us.token.env, us.token.file) == ("PINTEREST_TOKEN_US", None)
    assert (us.sources, us.presets) == (("shop",), ("Order Completed", "Checkout"))
    assert us.own_settings == {
        "default_country": "US",
        "ldp_states": ("CA", "CO"),
        "max_calls_per_minute": 100,
        "retry_max_age_hours": 24,
    }
    assert (trial.ad_account_id, trial.token, trial.sources, trial.own_settings) == ("0012", None, None, {})


def test_a_later_folder_replaces_files_of_the_same_name(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    folder_of(first, us=US)
    folder_of(second, us=US.replace("name: US", "name: Other"))
    (found,) = load_destinations([first, second]).values()
    assert found.name == "Other"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: A\nad_account_id: 1\n", "`token` is missing: name its place, or set `mode: sandbox`"),
        (SANDBOX + "token: {env: A, file: b}\n", "/token: set either `env` or `file`"),
        (SANDBOX + "token: {}\n", "/token: set either `env` or `file`"),
        (SANDBOX + "token: secret\n", "/token: "),
        (
            "name: US\nad_account_id: '1'\ntoken: pina_0123456789\n",
            "/token: a file must not contain a secret: name its place",
        ),
        (SANDBOX + "tokken: {env: A}\n", "/tokken: unknown key: did you mean 'token'?"),
        (SANDBOX + "sources: []\n", "/sources: "),
        (SANDBOX + "presets: Checkout\n", "/presets: "),
        (SANDBOX + "settings: {ldp_states: 'CA,XX'}\n", "/settings/ldp_states: 'XX' is not a state of the USA"),
        (SANDBOX + "settings: {ldp_states: [CA, 5]}\n", "/settings/ldp_states/1: should be a text: put it in quotes"),
        (SANDBOX + "settings: 5\n", "/settings: should be keys with their values"),
        (SANDBOX + "enabled: maybe\n", "/enabled: should be true or false, without quotes"),
        (SANDBOX + "settings: {default_country: usa}\n", "/settings/default_country: "),
        (SANDBOX + "settings: {max_calls_per_minute: '9'}\n", "/settings/max_calls_per_minute: "),
        (SANDBOX + "settings: {max_calls_per_minute: 9000}\n", "/settings/max_calls_per_minute: "),
        (SANDBOX + "settings: {gpc: never}\n", "/settings/gpc: "),
        (SANDBOX + "settings: {outbox_url: x}\n", "/settings/outbox_url: unknown key"),
        (
            SANDBOX + "settings: {default_contry: US}\n",
            "/settings/default_contry: unknown key: did you mean 'default_country'?",
        ),
        (SANDBOX.replace('"0012"', "a1"), "/ad_account_id: "),
        ("name: [\n", "not readable YAML"),
    ],
    ids=lambda text: text.splitlines()[-1][:40],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (fault,) = faults(folder_of(tmp_path, a=text))
    assert fault.startswith("a.yaml: ")
    assert told in fault


def test_no_fault_shows_a_token_that_was_written_into_the_file(tmp_path: Path) -> None:
    assert "pina_1234" not in "".join(faults(folder_of(tmp_path, a=SANDBOX + "token: pina_1234\n")))


def test_names_and_ad_accounts_stand_once(tmp_path: Path) -> None:
    told = faults(folder_of(tmp_path, a=SANDBOX, b=SANDBOX.replace("0012", "13"), c=US, d=US.replace("US\n", "U\n", 1)))
    places = [fault.split(": ")[:2] for fault in told]
    names = [["a.yaml", "/name"], ["b.yaml", "/name"]]
    assert places == [*names, ["c.yaml", "/ad_account_id"], ["d.yaml", "/ad_account_id"]]


def test_at_least_one_is_enabled(tmp_path: Path) -> None:
    (fault,) = faults(folder_of(tmp_path, a=SANDBOX + "enabled: false\n"))
    assert "/enabled" in fault


def test_a_preset_that_there_is_not_is_named_with_the_nearest(tmp_path: Path) -> None:
    files = load_destinations(folder_of(tmp_path, us=US, zz=SANDBOX))
    assert faults_of_names(files, "presets", {"Order Completed", "Checkout"}) == []
    (fault,) = faults_of_names(files, "presets", {"Order Complete", "Checkout"})
    assert (fault.path, fault.message) == (
        "/presets/0",
        "there is no preset 'Order Completed': did you mean 'Order Complete'?",
    )
    _, other = faults_of_names(files, "presets", {"zzz"})
    assert other.message == "there is no preset 'Checkout': `pinrelay check` lists all"


def test_every_setting_that_an_ad_account_may_have_of_its_own_may_stand_in_its_file() -> None:
    own = CHECKED.model_json_schema()["$defs"]["OwnSettings"]["properties"]
    assert own.keys() == AccountSettings.model_fields.keys()

"""A removed setting is refused wherever a setting can be given, with its replacement."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import COMMANDS, cli
from app.config import Settings, load_settings
from app.config.environment import REMOVED
from app.config.settings import setting_names, settings_of_test
from app.config.settings_file import take_settings_file
from app.errors import SettingsError
from tests.catalog.test_destinations import SANDBOX, faults, folder_of
from tests.config.settings_table import PAGE
from tests.process import ROOT

every_removed = pytest.mark.parametrize("name", REMOVED)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ.keys() - {"PATH", "HOME"}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@every_removed
@pytest.mark.parametrize("form", [str, str.lower, "{}_FILE".format])
def test_a_variable_is_refused_once_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    form: Callable[[str], str],
) -> None:
    monkeypatch.setenv(form(name), "5005550005")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{form(name)}: was removed. {REMOVED[name]} Remove {form(name)};")
    assert ("\n" in str(caught.value), "5005550005" in str(caught.value)) == (False, False)


def test_an_empty_value_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "pinrelay.env"
    file.write_text("".join(f"{name}=\n" for name in REMOVED), encoding="utf-8")
    take_settings_file(file, os.environ)
    for name in REMOVED:
        monkeypatch.setenv(name, "")
    load_settings()


def test_a_settings_file_is_refused_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "pinrelay.env"
    file.write_text("".join(f"{name}=1\n" for name in REMOVED) + "COLOUR=1\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        take_settings_file(file, {})
    *lines, last = str(caught.value).splitlines()
    assert lines == [
        f"{file}: line {number}: {name} was removed. {sentence} Remove the line"
        for number, (name, sentence) in enumerate(REMOVED.items(), start=1)
    ]
    assert "COLOUR is not a setting" in last


@every_removed
def test_an_account_file_is_refused_with_its_key(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, a=f"{SANDBOX}settings: {{{name.lower()}: 1}}\n")
    assert faults(folder) == [f"a.yaml: /settings/{name.lower()}: was removed. {REMOVED[name]}"]


@every_removed
def test_a_test_of_a_preset_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of_test({name: True})
    assert str(caught.value) == f"{name}: was removed. {REMOVED[name]}"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_refuses_it(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("MAX_JSON_DEPTH", "64")
    monkeypatch.setenv("PORT", "eighty")
    told = str(CliRunner().invoke(cli, [command] if command in {"serve", "check"} else [command, "--help"]).exception)
    assert told.startswith("MAX_JSON_DEPTH: was removed. ")
    assert ("PORT: must be a whole number" in told) == (command in {"serve", "check"})  # these report all faults


def test_no_removed_setting_is_left() -> None:
    """Neither in the code of settings nor in what deploys Pinrelay nor in the documentation, but in the changelog."""
    assert {name.lower() for name in REMOVED} & Settings.model_fields.keys() == set()
    assert setting_names().misspelt(dict.fromkeys(REMOVED, "1")) == []
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in REMOVED if f"| `{name}` |" not in changelog] == []
    files = [
        ROOT / "README.md",
        *ROOT.glob("docker-compose*.yml"),
        *(each for each in PAGE.parent.rglob("*.*") if each.is_file()),
    ]
    words = {file.name: set(re.findall(r"\w+", file.read_bytes().decode(errors="replace"))) for file in files}
    assert {file: found for file, each in words.items() if (found := REMOVED.keys() & each)} == {}

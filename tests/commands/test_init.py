"""`pinrelay init`, and the file of settings that every command reads."""

import json
import os
from pathlib import Path

import pytest

from app import __version__
from app.config import Settings, load_settings
from app.config.settings_file import settings_file_text, take_settings_file
from app.errors import SettingsError
from tests.commands.conftest import Run
from tests.process import ROOT


def test_the_program_says_its_version(run: Run) -> None:
    assert run("--version").stdout == f"pinrelay {__version__}\n"


def test_shells_complete_its_commands(run: Run) -> None:
    asked = {"_PINRELAY_COMPLETE": "complete_bash", "COMP_WORDS": "pinrelay deliv", "COMP_CWORD": "1"}
    assert run(**asked).stdout.split() == ["deliveries"]
    assert "--install-completion" in run("--help").stdout


def test_a_folder_of_ones_own_has_settings_presets_and_what_monitors_take(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    told = json.loads(run("init", folder, "--json").stdout)
    assert all((folder / name).exists() for name in told["written"])
    assert (folder / "presets/lead.yaml").read_bytes() == (ROOT / "presets/lead.yaml").read_bytes()
    settings = folder / "pinrelay.env"
    assert settings.stat().st_mode & 0o777 == 0o600

    again = run("init", folder)
    assert again.exit_code == 1
    assert "pinrelay.env, presets" in str(again.exception)

    settings.write_text(settings.read_text().replace("#DEFAULT_COUNTRY=", "DEFAULT_COUNTRY=NL"), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEFAULT_COUNTRY", "")  # counts as not set, and is taken back after the test
    take_settings_file(Path("pinrelay.env"), os.environ)
    assert (load_settings().default_country, load_settings().presets_dir) == ("NL", (Path("presets"),))


def test_in_a_folder_that_cannot_be_written_it_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "monitoring: Not a directory" in str(run("init", tmp_path / "file").exception)


def test_the_file_of_settings_has_every_setting_and_all_of_its_defaults_can_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "pinrelay.env"
    lines = [line.removeprefix("#") for line in settings_file_text().splitlines() if not line.startswith("# ")]
    file.write_text("\n".join(lines), encoding="utf-8")
    environ: dict[str, str] = {}

    take_settings_file(file, environ)

    assert [line.partition("=")[0] for line in lines if line] == sorted(
        map(str.upper, Settings.model_fields), key=lambda name: name.lower() not in Settings.__annotations__
    )
    given = Settings(**{name.lower(): value for name, value in environ.items()})  # type: ignore[arg-type]
    assert given == Settings.model_construct(**{name: getattr(load_settings(), name) for name in Settings.model_fields})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"HOST=127.0.0.1\nPORT\nnothing at all\n", "line 2: write NAME=value\n{0}: line 3: write NAME=value"),
        (b"HOST=\xff", ": it is not UTF-8. Make it readable, or move it away"),
        (b"# A\0\nHOST=a\0b\n", "line 2: write NAME=value"),
        (None, ": Is a directory. Make it readable, or move it away"),
    ],
)
def test_a_file_of_settings_that_cannot_be_read_stops_every_command(
    tmp_path: Path, text: bytes | None, told: str
) -> None:
    file = tmp_path / "pinrelay.env"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        take_settings_file(file, {})
    assert str(caught.value).endswith(told.format(file))


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "pinrelay.env").write_text("PORT=1\nHOST=here\n", encoding="utf-8")
    environ = {"PORT": "2", "HOST": ""}
    take_settings_file(tmp_path / "pinrelay.env", environ)
    assert environ == {"PORT": "2", "HOST": "here"}

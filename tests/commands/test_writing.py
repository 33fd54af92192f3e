"""What a command cannot write is told with the option, or the argument, that names it."""

from pathlib import Path

import pytest

from app.errors import SettingsError
from tests.commands.conftest import Run
from tests.commands.test_reconcile import SHOPIFY


@pytest.mark.parametrize("place", ["no/folder/x", "file/x"])
def test_details_in_a_folder_that_is_none_are_told(run: Run, tmp_path: Path, place: str) -> None:
    orders, details = tmp_path / "file", tmp_path / place
    orders.write_text(f"{SHOPIFY}#7,b@shop.example,paid,1,EUR,2026-11-26 10:00:00 +0000\n")
    told = run("reconcile", orders, "--details", details).exception
    assert isinstance(told, SettingsError)
    assert str(told).startswith(f"--details: cannot write {details}: ")
    assert "Name a folder that you can write to" in str(told)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("ledger-export", "FOLDER"), "FOLDER"),
        (("import-segment", "FILE", "--into", "FOLDER"), "--into"),
        (("init", "FOLDER"), "FOLDER"),
        (("sandbox", "--file", "FOLDER/x"), "--file"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value[0],
)
def test_a_folder_below_a_file_is_told(run: Run, tmp_path: Path, command: tuple[str, ...], option: str) -> None:
    file = tmp_path / "file"
    file.write_text("[]")
    named = {"FOLDER": file / "folder", "FOLDER/x": file / "folder" / "x", "FILE": file}
    told = run(*(named.get(word, word) for word in command)).exception
    assert isinstance(told, SettingsError)
    assert str(told).startswith(f"{option}: cannot write {file}/")
    assert ": Not a directory" in str(told)

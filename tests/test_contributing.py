"""The recipes of docs/CONTRIBUTING.md work: each is done in a copy of the repository, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from tests.process import PATH, ROOT

PAGE = (ROOT / "docs/CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {
    title: [
        (language, file, side, anchor, text)
        for _, language, file, side, anchor, text in re.findall(
            r"^(`{3,})(\S+)(?: (\S+)(?: (after|before) \"([^\n]*)\")?)?\n(.*?)^\1$", recipe, re.MULTILINE | re.DOTALL
        )
    ]
    for title, recipe in re.findall(r"^## (A new .*?)\n(.*?)(?=^## A |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
#: What a recipe that runs tests of the repository needs beside the program.
WITH_TESTS = ("A new source", "A new preset")


def test_there_are_the_six_recipes_that_people_ask_for() -> None:
    assert list(RECIPES) == [
        "A new source",
        "A new preset",
        "A new directive",
        "A new field",
        "A new setting",
        "A new store",
    ]


@pytest.fixture
def copy(tmp_path: Path, title: str) -> Path:
    """What the recipes change, to be changed."""
    more = ("tests", "docs", ".ci") if title in WITH_TESTS else ()
    for folder in ("app", "mappings", "presets", "sources", *more):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for file in ROOT.iterdir() if more else ():
        if file.is_file() and file.name != ".git":
            shutil.copy(file, tmp_path / file.name)
    return tmp_path


@pytest.mark.whole
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str, copy: Path) -> None:
    printed = ""
    for language, file, side, anchor, text in RECIPES[title]:
        if file:
            write(copy / file, side, anchor, text)
        elif language == "sh":
            printed = run(text, copy)
        elif language == "text":
            assert text.strip() in printed


def write(file: Path, side: str, anchor: str, text: str) -> None:
    """Write a new file, or put the text before or after the first line that holds the anchor."""
    if anchor:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        place = next(number for number, line in enumerate(lines) if anchor in line) + (side == "after")
        text = "".join([*lines[:place], text, *lines[place:]])
    else:
        assert not file.exists()
    file.write_text(text, encoding="utf-8")


def run(script: str, folder: Path) -> str:
    """Run a shell script with the copy's program in place of the installed one."""
    settings = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in settings and "COVERAGE" not in name}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{PATH}"
    script = re.sub(r"^pinrelay ", "python -m app.cli ", script, flags=re.MULTILINE)
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=folder,
        env=environment | {"PATH": programs, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return done.stdout

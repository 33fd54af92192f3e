"""The checks of words: the subjects of commits, and riddling turns in what people read."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process import ROOT

pytestmark = pytest.mark.slow  # it starts programs

LONG, LONGEST = "Say " + "x" * 69, "Say " + "é" * 68
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """`git("log")` runs git in a repository of the test."""

    def run(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@shop.example", "-c", "commit.gpgsign=false")
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet")
    return run


def commit(git: Git, subject: str) -> str:
    git("commit", "--quiet", "--allow-empty", "--message", f"{subject}\n\n{'A long line of the body. ' * 9}")
    return git("rev-parse", "HEAD")


def program(name: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """Return how a program of .ci ends in a folder, and what it says."""
    command = [sys.executable, str(folder / name if name == ".ci/prose" else ROOT / name), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_subject_that_is_too_long_is_named_unless_it_is_of_before(git: Git, tmp_path: Path) -> None:
    base = commit(git, LONG)
    assert program(".ci/subjects", tmp_path, base) == (0, "")
    commit(git, LONGEST)
    assert program(".ci/subjects", tmp_path, base) == (0, "")
    wrong = commit(git, LONG)
    commit(git, "Be short")
    code, said = program(".ci/subjects", tmp_path, base)
    assert (code, said.startswith(f"commit {wrong[:7]}"), said.count("\n")) == (1, True, 1)
    assert "its subject has 73 characters" in said
    commit(git, "x")
    assert "its subject says nothing" in program(".ci/subjects", tmp_path, wrong)[1]
    git("checkout", "--quiet", base)  # a branch of before
    assert program(".ci/subjects", tmp_path, base) == (0, "")


def test_a_shallow_clone_an_archive_and_a_history_written_anew_are_checked_as_far_as_they_go(
    git: Git, tmp_path: Path
) -> None:
    base = commit(git, LONG)
    commit(git, LONG)
    commit(git, "Be short")
    for depth, code in ("1", 0), ("2", 1):
        clone = tmp_path / f"clone of {depth}"
        git("clone", "--quiet", "--depth", depth, f"file://{tmp_path}", str(clone))
        assert program(".ci/subjects", clone, base)[0] == code
    archive = tmp_path / "archive"
    archive.mkdir()
    assert program(".ci/subjects", archive, base) == (0, "")
    assert program(".ci/subjects", Path("/"), base) == (0, "")
    unknown = "0" * 40
    assert program(".ci/subjects", tmp_path, unknown)[0] == 0
    commit(git, LONG)
    assert program(".ci/subjects", tmp_path, unknown)[0] == 1


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A repository's files with no turn in them."""
    for folder in (".ci", "docs", "presets", "app/console/templates", "app/commands", "app/sender", "app/api"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("CHANGELOG.md", "docker-compose.yml", "docker-compose.cluster.yml", "Caddyfile", "Dockerfile"):
        (tmp_path / name).touch()
    shutil.copy(ROOT / ".ci/prose", tmp_path / ".ci/prose")
    (tmp_path / ".ci/prose-ceiling").write_text("turns 0\ncode 1000\ntexts 1000\ndocs 1000\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("You send events.\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "turns"),
    [
        ("README.md", "The sender is told why.\nNobody reads it; it stands there.", ["is told", "Nobody", "stands"]),
        ("README.md", "Two.\n\nWhat is sent twice is counted once.", ["What is sent twice is"]),
        ("README.md", "What is sent?", []),
        ("README.md", "- Of these the newest counts.\n- That which waits.", ["Of these", "That which"]),
        ("README.md", "a list of these", []),
        ("README.md", "`stands` and [a](stands.md)\n\n```sh\nstands\n```\n", []),
        (
            "README.md",
            "where there is\nnone, it leads to that, as good as by turns",
            ["where there is none", "leads to", "as good as", "by turns"],
        ),
        ("docs/a.md", "| one | is none |", ["is none"]),
        ("app/console/templates/a.html", "<p title='stands'>{{ stands }} {# stands #}it stands</p>", ["stands"]),
        (
            "app/commands/a.py",
            '"""Stands."""\ndef run():\n    """It stands."""\n    print("stands")\n',
            ["stands", "stands"],
        ),
        ("app/commands/a.py", 'def _run():\n    """It stands."""\n    f"it {1} stands"\n', ["stands"]),
        ("app/sender/a.py", '"""It stands."""\nx = "stands"\nlogger().info("it stands")\n', ["stands", "stands"]),
        ("app/sender/a.py", 'x = Counter("a", "how it stands")\n', ["stands"]),
        ("app/sender/a.py", 'x = Field(description="nobody")\nNOBODY = "if x is None"\n', ["nobody"]),
        ("app/api/a.py", 'class A(BaseModel):\n    """It stands."""\n', ["stands"]),
        ("presets/a.yaml", "name: A\n# it stands\n", ["stands"]),
        ("docs/deploy.yaml", "summary: it stands\n", ["stands"]),
        ("docs/a.schema.json", '{"description": "it stands"}', ["stands"]),
        ("docker-compose.yml", "# it stands\n", ["stands"]),
        ("CHANGELOG.md", "- it stands\n", ["stands"]),
        ("app/sender/a.py", 'raise ValueError(f"{1} stands")\n', ["stands"]),
        (
            "app/errors.py",
            'class A(Exception):\n    """It stands."""\n\n    def a(self):\n        """Stands."""\n',
            ["stands"],
        ),
    ],
    ids=str,
)
def test_turns_are_found_in_what_people_read(pages: Path, file: str, text: str, turns: list[str]) -> None:
    (pages / file).write_text(text, encoding="utf-8")
    code, said = program(".ci/prose", pages, "--each")
    found = [line.rpartition(": ")[2] for line in said.splitlines() if re.match(r"\S+:\d+: ", line)]
    assert found[: len(turns)] == turns
    assert (code, bool(found)) == (int(bool(turns)), bool(turns))


def test_a_turn_is_found_where_it_is(pages: Path) -> None:
    (pages / "README.md").write_text("One.\nIt stands.\n\n- Of these two.\n", encoding="utf-8")
    assert program(".ci/prose", pages, "--each")[1].splitlines()[:2] == ["README.md:2: stands", "README.md:4: Of these"]


def test_the_ceiling_may_only_fall(git: Git, pages: Path) -> None:
    ceiling = pages / ".ci/prose-ceiling"
    (pages / "README.md").write_text("It leads to it. It leads to it.\n", encoding="utf-8")
    assert program(".ci/prose", pages, "--lower")[0] == 0
    assert ceiling.read_text(encoding="utf-8") == "turns 2\ncode 15\ntexts 12\ndocs 12\n"
    ceiling.write_text("2\n", encoding="utf-8")  # the format of the first ceilings
    git("add", ".")
    commit(git, "Two")
    (pages / "README.md").write_text("It leads to it.\n", encoding="utf-8")
    ceiling.write_text("turns 2\ncode 15\ntexts 12\ndocs 12\n", encoding="utf-8")
    code, said = program(".ci/prose", pages)
    counts = "code 0 of 15, texts 0 of 12, docs 0 of 12"
    assert (code, said) == (0, f"turns 1 of 2, {counts}: `.ci/prose --lower` lowers the ceilings\n")
    assert program(".ci/prose", pages, "--lower") == (0, f"turns 1 of 1, {counts}\n")
    git("add", ".")
    commit(git, "One")
    (pages / "README.md").write_text("It leads to it. It leads to it.\n", encoding="utf-8")
    code, said = program(".ci/prose", pages)
    assert (code, "2 riddling turns, 1 more than" in said) == (1, True)
    ceiling.write_text("turns 2\ncode 15\ntexts 12\ndocs 12\n", encoding="utf-8")
    git("add", ".")
    commit(git, "Two again")
    code, said = program(".ci/prose", pages)
    assert (code, "turns was 1 before and is 2: it may only fall" in said) == (1, True)


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("README.md", "Events\nwhose shop is closed", "README.md:2: docs: whose"),
        ("docs/a.md", "Told by the shop", "docs/a.md:1: docs: Told"),
        ("app/a.py", "X = 1\n#: Nothing of it.\n", "app/a.py:2: code: Nothing"),
        ("app/a.py", 'def a():\n    """Return what\n    arrives."""\n', "app/a.py:2: code: what"),
        ("app/a.py", 'print(f"the row {1} holds no order")\n', "app/a.py:1: texts: holds"),
        ("app/console/templates/a.html", "<p>\nkept</p>", "app/console/templates/a.html:2: texts: kept"),
        ("README.md", "`what` is a word\n```\nwhat\n```\n", None),
        ("app/a.py", 'X = "SELECT a FROM b WHERE c"\nY = "it says so"\nZ = "the row makes_one more"\n', None),
        ("app/console/templates/a.html", "{{ what }}<p title='what'>an event</p>", None),
    ],
    ids=str,
)
def test_rare_words_are_counted_by_kind(pages: Path, file: str, text: str, place: str | None) -> None:
    (pages / file).write_text(text, encoding="utf-8")
    code, said = program(".ci/prose", pages, "--words")
    assert (code, [line for line in said.splitlines() if line.startswith(file)]) == (0, [place] if place else [])
    (pages / ".ci/prose-ceiling").write_text("turns 0\ncode 12\ntexts 12\ndocs 12\n", encoding="utf-8")
    code, said = program(".ci/prose", pages)
    assert (code, "rare words in 1,000 words of" in said) == (int(place is not None), place is not None)

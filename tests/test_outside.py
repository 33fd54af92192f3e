"""A clone with nothing beside it is enough."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.outside import trespasses
from tests.process import ROOT
from tests.rows import every_row

#: What may run: tests, measurements, targets, scripts, and the package itself.
PROGRAMS = ("tests", "bench", ".ci", "app", "Makefile", "Dockerfile")
#: The search and its cases name what they look for.
SEARCH = {"tests/outside.py", "tests/test_outside.py"}


@pytest.mark.slow
def test_nothing_in_the_repository_names_a_path_outside() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", *PROGRAMS], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode().split("\0") if name and name not in SEARCH and (ROOT / name).is_file()]
    texts = {name: (ROOT / name).read_text("utf-8") for name in names if not name.endswith((".ndjson", ".png", ".ico"))}
    assert len(texts) > 900
    assert {name: found for name, text in texts.items() if (found := [*trespasses(name, text)])} == {}


@every_row(
    ("name", "text", "found"),
    [
        ("tests/x.py", 'Path(os.environ.get("SHARED_DIR", ROOT / "shared"))', ["SHARED_DIR"]),
        ("tests/x.py", 'folder = os.environ["VECTORS_FOLDER"]', ["VECTORS_FOLDER"]),
        ("tests/x.py", 'ROOT.parent / "shared"', ["ROOT.parent"]),
        ("tests/x.py", "root.parents[0]", ["root.parents"]),
        ("tests/x.py", "Path(__file__).parents[2]", ["Path(__file__).parents[2]"]),
        ("tests/a/x.py", "Path(__file__).parents[2]", []),
        ("tests/x.py", "Path(__file__).parent.parent.parent", ["Path(__file__).parent.parent.parent"]),
        ("tests/a/x.py", "Path(__file__).parent.parent.parent", []),
        ("tests/x.py", 'Path.home() / "vectors"', ["Path.home()"]),
        ("Makefile", "cp ../shared/x.json build/", ["../shared"]),
        (".ci/x", "cat ../../shared/x.json", ["../../shared"]),
        (".ci/x", 'cd "$(dirname "$0")/.."', []),
        ("bench/node/x.cjs", "path.join(__dirname, '../../../shared')", ["../../../shared"]),
        ("bench/node/x.cjs", "path.join(__dirname, '../../tests')", []),
        ("Makefile", "cp ~/shared/x.json build/", ["~/shared"]),
        ("Makefile", "cp /home/me/x.json build/", ["/home"]),
        ("tests/x.py", 'open("/home/me/x.json")', ["/home"]),
        ("tests/x.py", 'open("/proc/meminfo"), get("/webhook")', []),
    ],
)
def test_a_path_outside_is_found(name: str, text: str, found: list[str]) -> None:
    assert [*trespasses(name, text)] == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "name", "code"),
    [
        ("open({path!r})", "shared/vectors.ndjson", 1),
        ("os.listdir({path!r})", "shared", 1),
        ("open({path!r})", "clone/tests/vectors.ndjson", 0),
        ("open({path!r})", ".cache/vectors.ndjson", 0),
    ],
)
def test_a_process_of_tests_opens_nothing_that_lies_beside_the_repository(
    way: str, name: str, code: int, tmp_path: Path
) -> None:
    file = tmp_path / name
    (file if "listdir" in way else file.parent).mkdir(parents=True)
    if "listdir" not in way:
        file.write_text("", encoding="utf-8")
    script = f"import os, pathlib; from tests.outside import forbid; forbid(pathlib.Path({str(tmp_path / 'clone')!r}))"
    command = [sys.executable, "-c", f"{script}; {way.format(path=str(file))}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ("OutsideError" in done.stderr, done.returncode) == (bool(code), code)

"""The wheel and the sdist hold what a checkout has. That they work is tried by test_new_user.py and by the image."""

import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import yaml

from tests.process import ROOT

#: What is not Python in the package, and what is found beside it in a checkout.
PAGES = [path for path in (ROOT / "app").rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
SHIPPED = [
    *(path for folder in ("presets", "mappings", "sources", "destinations") for path in (ROOT / folder).iterdir()),
    ROOT / "docs/grafana-dashboard.json",
    ROOT / "docs/prometheus-alerts.yaml",
]


def test_the_wheel_holds_every_page_preset_mapping_source_and_what_monitors_take(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        held = {name: packed.read(name) for name in packed.namelist()}
    assert len(PAGES) > 20
    assert [path for path in PAGES if held.get(str(path.relative_to(ROOT))) != path.read_bytes()] == []
    lacking = [path for path in SHIPPED if held.get(f"app/_shipped/{path.relative_to(ROOT)}") != path.read_bytes()]
    assert lacking == []


def test_the_sdist_holds_all_that_a_wheel_is_built_of(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    assert {str(path.relative_to(ROOT)) for path in [*PAGES, *SHIPPED]} <= held
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt"} <= held


def test_the_versions_of_python_that_are_named_begin_with_the_oldest_that_it_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [each.rpartition(" ")[2] for each in project["classifiers"] if "Python :: 3." in each]
    assert f">={named[0]}" == project["requires-python"]
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8"))
    checks = workflow["jobs"]["checks"]
    assert checks["strategy"]["matrix"]["python"] == named
    runs = [step["run"] for step in checks["steps"] if "run" in step]
    assert runs[-2:] == [line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if "make" in line]

"""`make release` in a clone: what it refuses, and what it makes."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.process import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the environment of this checkout."""
    if shutil.which(ROOT / ".venv/bin/cyclonedx-py") is None:
        pytest.skip("cyclonedx-bom is not installed: `make prove` installs it")
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    (tmp_path / "clone/.venv").symlink_to(ROOT / ".venv")
    with (tmp_path / "clone/.git/info/exclude").open("a", encoding="utf-8") as file:
        file.write(".venv\n")
    return tmp_path / "clone"


def release(clone: Path, version: str) -> subprocess.CompletedProcess[str]:
    people = {f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone), "PYTHONPATH": str(clone)} | people
    return subprocess.run(
        [clone / ".ci/release", version], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.prove
@pytest.mark.whole
def test_one_command_makes_all_that_a_release_has(clone: Path) -> None:
    assert "say which" in release(clone, "1.2").stderr
    (clone / "new").write_text("", encoding="utf-8")
    assert "not committed" in release(clone, "9.8.7").stderr
    (clone / "new").unlink()

    done = release(clone, "9.8.7")
    assert done.returncode == 0, done.stderr

    assert '__version__ = "9.8.7"' in (clone / "app/__init__.py").read_text(encoding="utf-8")
    assert "## [Unreleased]\n\n## [9.8.7] - 20" in (clone / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "old-1" in (clone / "tests/outbox/stores/9.8.7.sql").read_text(encoding="utf-8")
    tagged = subprocess.run(
        ["git", "rev-parse", "v9.8.7^{commit}"], cwd=clone, capture_output=True, text=True, check=True
    )
    dist = clone / "dist"
    assert f"VERSION=9.8.7\nREVISION={tagged.stdout.strip()}\nCREATED=20" in (dist / "image.env").read_text()
    sums = dict(line.split()[::-1] for line in (dist / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    assert sums.keys() == {
        "pinrelay-9.8.7-py3-none-any.whl",
        "pinrelay-9.8.7.tar.gz",
        "pinrelay-9.8.7.cdx.json",
        "image.env",
    }
    assert {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in sums} == sums
    bill = json.loads((dist / "pinrelay-9.8.7.cdx.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert {"fastapi", "psycopg", "opentelemetry-sdk"} <= {each["name"] for each in bill["components"]}
    again = release(clone, "9.8.7")
    assert "v9.8.7 exists" in again.stderr
    assert "nothing stands under Unreleased" in release(clone, "9.8.8").stderr

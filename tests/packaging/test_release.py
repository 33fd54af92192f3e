"""docs/releasing.md in a clone: what `make release` refuses, what it makes, how that is published or taken back."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.examples.blocks import BLOCKS
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


def run(clone: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    people = {f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone), "PYTHONPATH": str(clone)} | people
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def release(clone: Path, version: str) -> subprocess.CompletedProcess[str]:
    return run(clone, clone / ".ci/release", version)


def shown(held: str) -> str:
    """Return the script of the page that holds this, with the version of these tests."""
    (script,) = (block.text for block in BLOCKS if block.page == "releasing" and held in block.text)
    return script.replace("0.2.0", "9.8.7")


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
    for engine in ("sqlite", "postgres"):
        assert "old-1" in (clone / f"tests/outbox/stores/9.8.7.{engine}.sql").read_text(encoding="utf-8")
        assert f"app/outbox/{engine}/schema/1.sql" in (clone / "tests/outbox/stores/SHA256SUMS").read_text()
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
        "pinrelay-chart-9.8.7.tgz",
        "image.env",
    }
    deploy = clone / "docs/deploy"
    with tarfile.open(dist / "pinrelay-chart-9.8.7.tgz") as packed:
        chart = yaml.safe_load(packed.extractfile("pinrelay/Chart.yaml") or b"")
    assert (chart["version"], chart["appVersion"]) == ("9.8.7", "9.8.7")
    manifests = list(yaml.safe_load_all((deploy / "kubernetes.yaml").read_text(encoding="utf-8")))
    versions = {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in manifests}
    images = {
        container["image"].rpartition(":")[2]
        for each in manifests
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert versions == images == {"9.8.7"}
    assert {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in sums} == sums
    bill = json.loads((dist / "pinrelay-9.8.7.cdx.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert "pkg:npm/%40segment/analytics-next@1.84.3" in {each["purl"] for each in bill["components"]}
    with zipfile.ZipFile(dist / "pinrelay-9.8.7-py3-none-any.whl") as wheel:
        assert "app/source/analytics_js/standalone.js" in wheel.namelist()
    assert {"fastapi", "psycopg", "opentelemetry-sdk"} <= {each["name"] for each in bill["components"]}
    again = release(clone, "9.8.7")
    assert "v9.8.7 exists" in again.stderr
    assert "nothing stands under Unreleased" in release(clone, "9.8.8").stderr

    origin = clone.parent / "origin.git"
    run(clone, "git", "init", "--quiet", "--bare", origin)
    run(clone, "git", "remote", "set-url", "origin", str(origin))
    run(clone, "git", "checkout", "--quiet", "-B", "main")
    published = run(clone, "sh", "-euc", shown("git push"))
    assert published.returncode == 0, published.stderr
    assert published.stdout.count(": OK") == len(sums)
    assert run(origin, "git", "rev-parse", "main").stdout == tagged.stdout


@pytest.mark.prove
def test_the_command_of_the_page_is_the_one_that_is_tried_here_and_can_be_taken_back(clone: Path) -> None:
    planned = run(clone, "make", "--dry-run", *shown("make release").split()[1:])
    assert '.ci/release "9.8.7"' in planned.stdout

    before = run(clone, "git", "rev-parse", "HEAD").stdout
    run(clone, "git", "commit", "--quiet", "--allow-empty", "--message", "Release 9.8.7")
    run(clone, "git", "tag", "v9.8.7")
    page = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    (taken_back,) = re.findall(r"`(git tag -d [^`]*)`", page)
    assert run(clone, "sh", "-euc", taken_back.replace("0.2.0", "9.8.7")).returncode == 0
    assert run(clone, "git", "rev-parse", "HEAD").stdout == before
    assert "v9.8.7" not in run(clone, "git", "tag").stdout

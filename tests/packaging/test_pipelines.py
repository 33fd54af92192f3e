"""docs/testing.md: what hooks and pipelines run is run here, by a command `docker` that does what the image does.

It has the environment of the image and no network; the files are those of the page.
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dockerfile import read_stages
from tests.examples.blocks import BLOCKS
from tests.process import COMMAND, PATH, ROOT

pytestmark = [pytest.mark.whole, pytest.mark.slow]

SHOWN = {block.title: block.text for block in BLOCKS if block.page == "testing"}
PRESET = SHOWN["my-presets/order_completed.yaml"]
FAILING = PRESET.replace("$.properties.total", "$.properties.revenue")
BIN = COMMAND.parent
#: Stands for the container engine: the same command without a network, in the environment of the image.
ENGINE = """#!/bin/sh
[ "$1 $2 $3 $4" = "run --rm --network none" ] || exit 90
while [ "$1" != registry.example.com/pinrelay:0.1.0 ]; do shift; done
shift
alone="unshare --user --map-root-user --net"
$alone true 2>/dev/null || alone=
exec $alone env -i {environment} "$@"
"""


def of_image() -> str:
    """The environment of the image, as `env` takes it; PATH leads to the command that is tested."""
    given = [word for item in read_stages(ROOT / "Dockerfile")[-1] if item.name == "ENV" for word in item.words]
    return " ".join(f"'{word}'" for word in [*given, f"PATH={BIN}:{PATH}"])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of a newcomer with the files of the page."""
    (tmp_path / "my-presets").mkdir()
    (tmp_path / "tools").mkdir()
    engine = tmp_path / "tools/docker"
    engine.write_text(ENGINE.format(environment=of_image()), "utf-8")
    engine.chmod(0o755)
    (tmp_path / "my-presets/order_completed.yaml").write_text(PRESET, "utf-8")
    run(tmp_path, "git init -q && git config user.email ada@example.com && git config user.name Ada")
    return tmp_path


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}/tools:{BIN}:{PATH}", "HOME": str(folder)}
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_hook_lets_git_refuse_a_commit_whose_tests_fail(repository: Path) -> None:
    hook = repository / ".git/hooks/pre-commit"
    hook.write_text(SHOWN["hook"], "utf-8")
    hook.chmod(0o755)
    commit = "git add my-presets && git commit -q -m presets"
    assert run(repository, commit).returncode == 0
    (repository / "my-presets/order_completed.yaml").write_text(FAILING, "utf-8")
    refused = run(repository, commit)
    assert refused.returncode == 1
    assert 'custom_data.value: expected "24.5", got "20"' in refused.stdout + refused.stderr
    (tool,) = yaml.safe_load(SHOWN["pre-commit"])["repos"][0]["hooks"]
    assert f"exec {tool['entry']} " in SHOWN["hook"]


def test_workflows_run_the_image_without_a_network(repository: Path) -> None:
    (job,) = yaml.safe_load(SHOWN["github"])["jobs"].values()
    (github,) = [step["run"] for step in job["steps"] if "run" in step]
    (gitlab,) = yaml.safe_load(SHOWN["gitlab"])["test-presets"]["script"]
    in_image = f"docker run --rm --network none registry.example.com/pinrelay:0.1.0 sh -c {json.dumps(gitlab)}"
    passed = run(repository, github)
    assert (passed.returncode, passed.stdout) == (0, "2 tests, 0 failed\n"), passed.stderr
    (repository / "my-presets/order_completed.yaml").write_text(FAILING, "utf-8")
    assert run(repository, in_image).returncode == 1
    assert 'failures="1"' in (repository / "results.xml").read_text("utf-8")

"""docs/testing.md: the hooks and pipelines of the page find planted faults in a shop's presets, mapping and source.

A command `docker` does what the image does: it has the environment of the image and no network.
The planted faults are tested by forks of `pinrelay` (`tests.forked_program`), all other tests start the command.
"""

import html
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path

import pytest
import yaml

from tests.dockerfile import read_stages
from tests.examples.blocks import BLOCKS
from tests.forked_program import forked_program
from tests.process import COMMAND, PATH, ROOT
from tests.rounds import LEVEL
from tests.rows import every_row

pytestmark = [pytest.mark.whole, pytest.mark.slow]

SHOWN = {block.title: block.text for block in BLOCKS if block.page == "testing"}
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
ORDER, VIEW = "my-presets/order_completed.yaml", "my-presets/product_viewed.yaml"
MAPPING, SOURCE = "my-mappings/report_conversion_event.yaml", "my-sources/shopify.yaml"
OWN_PLACE = '        - {"@path": $.properties.no_ads}\n'
OPT_OUTS = """
  - name: Each opt-out is read
    event_name: checkout
    event: {type: track, event: A, messageId: m-1, context: {traits: {email: ada@example.com}}, properties: {}}
    rows:
      - {set: {properties.opt_out: true}, fields: {opt_out: true}}
      - {set: {properties.no_ads: true}, fields: {opt_out: true}}
"""
#: What is wrong; the file, a text in it and what takes its place; and a part of what is printed.
FAULTS = {
    "OR for AND": (ORDER, " AND ", " OR ", "both send the example of"),
    "OR for AND in a copy": (VIEW, " AND ", " OR ", "both send the example of"),
    "another total": (ORDER, "$.properties.total", "$.properties.revenue", 'expected "24.5", got "20"'),
    "no total": (ORDER, "value: {", "num_items: {", "custom_data.value: expected"),
    "a misspelt member": (ORDER, "value: {", "valeu: {", "unknown field: did you mean 'value'?"),
    "a misspelt directive": (ORDER, "@path", "@paht", "did you mean '@path'?"),
    "another event name": (ORDER, "event_name: checkout", "event_name: lead", 'expected "checkout", got "lead"'),
    "a preset that is off": (ORDER, "\naction", "\nenabled: false\naction", "off, but shipped on"),
    "a copy that is off": (VIEW, "\naction", "\nenabled: false\naction", "is off, the test expects on"),
    "a trigger of no event": (ORDER, '"Order Completed"\naction', '"Order Complete"\naction', "got unmatched"),
    "a trigger of all events": (ORDER, ' = "Order Completed"\naction', ' != "x"\naction', "both send the example of"),
    "a text that is no YAML": (ORDER, "mapping:", "mapping: [", "not readable YAML"),
    "a dropped opt-out": (MAPPING, "\nname:", "\ndrops_opt_out: [$.properties.opt_out]\nname:", "row 1 (proper"),
    "a removed opt-out": (MAPPING, OWN_PLACE, "", "row 2 (properties.no_ads"),
    "another place of the e-mail address": (MAPPING, "$.context.traits.email}", "$.context.mail}", "user_data.em"),
    "another place of the currency": (MAPPING, "$.properties.currency}", "$.properties.cur}", "custom_data.currency"),
    "another place of the order id": (MAPPING, "$.properties.order_id}", "$.properties.order}", "custom_data.order_id"),
    "an event of a source": (SOURCE, "  event: Order Completed\n", "  event: Orders\n", 'expected "Order Completed"'),
    "a topic of a source": (SOURCE, '"orders/paid"\n', '"orders/payed"\n', "expected accepted, got unmatched"),
}  # fmt: skip


def image_environment(bin_folder: Path) -> str:
    """Return the environment of the image as arguments of `env`; PATH begins with the folder of the tested command."""
    given = [word for item in read_stages(ROOT / "Dockerfile")[-1] if item.name == "ENV" for word in item.words]
    return " ".join(f"'{word}'" for word in [*given, f"PATH={bin_folder}:{BIN}:{PATH}"])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return the repository of a shop with the preset of the page, and a changed copy of each other kind of file."""
    for name in ("my-presets", "my-mappings", "my-sources", "tools"):
        (tmp_path / name).mkdir()
    engine = tmp_path / "tools/docker"
    engine.write_text(ENGINE.format(environment=image_environment(tmp_path / "tools")), "utf-8")
    engine.chmod(0o755)
    (tmp_path / ORDER).write_text(SHOWN[ORDER], "utf-8")
    shutil.copy(ROOT / "presets/product_viewed.yaml", tmp_path / VIEW)
    shutil.copy(ROOT / "sources/shopify.yaml", tmp_path / SOURCE)
    mapping = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8").rstrip() + OPT_OUTS
    place = '        - {"@path": $.properties.opt_out}\n'
    (tmp_path / MAPPING).write_text(mapping.replace(place, place + OWN_PLACE, 1), "utf-8")
    run(tmp_path, "git init -q && git config user.email ada@example.com && git config user.name Ada")
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.write_text(SHOWN["hook"], "utf-8")
    hook.chmod(0o755)
    return tmp_path


@pytest.fixture
def forking_repository(repository: Path) -> Iterator[Path]:
    """Return the repository of a shop, in which `pinrelay` is forked: a start takes a fifth of the time."""
    with forked_program("app.cli:main", repository / "tools/pinrelay"):
        yield repository


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}/tools:{BIN}:{PATH}", "HOME": str(folder)}
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def by_hook(repository: Path) -> tuple[int, str]:
    done = run(repository, "git add my-* && git commit -q -m change --allow-empty")
    return done.returncode, done.stdout + done.stderr


def by_pre_commit(repository: Path) -> tuple[int, str]:
    """Do what the tool pre-commit does: run the entry if a changed file matches, with these files unless forbidden."""
    (hook,) = yaml.safe_load(SHOWN["pre-commit"])["repos"][0]["hooks"]
    assert hook["language"] == "system"
    changed = [each for each in (ORDER, VIEW, MAPPING, SOURCE) if re.search(hook["files"], each)]
    assert len(changed) == 4
    given = changed if hook.get("pass_filenames", True) else []
    done = run(repository, shlex.join([*shlex.split(hook["entry"]), *given]))
    return done.returncode, done.stdout + done.stderr


def by_github(repository: Path) -> tuple[int, str]:
    (job,) = yaml.safe_load(SHOWN["github"])["jobs"].values()
    (script,) = [step["run"] for step in job["steps"] if "run" in step]
    done = run(repository, script)
    return done.returncode, done.stdout + done.stderr


def by_gitlab(repository: Path) -> tuple[int, str]:
    job = yaml.safe_load(SHOWN["gitlab"])["test-presets"]
    (script,) = job["script"]
    done = run(repository, f"docker run --rm --network none {job['image']} sh -c {shlex.quote(script)}")
    results = repository / job["artifacts"]["reports"]["junit"]
    return done.returncode, html.unescape(results.read_text("utf-8")) + done.stderr


WAYS = [by_hook, by_pre_commit, by_github, by_gitlab]
#: `make test` plants each fault once, `make prove` plants each fault in each way.
PLANTED = list(product(WAYS, FAULTS)) if LEVEL == "prove" else list(zip(cycle(WAYS), FAULTS, strict=False))


@pytest.mark.parametrize("way", WAYS)
def test_files_without_a_fault_pass(way: Callable[[Path], tuple[int, str]], repository: Path) -> None:
    code, printed = way(repository)
    assert code == 0, printed
    assert way is by_gitlab or way is by_hook or ", 0 failed" in printed


@pytest.mark.prove
@every_row(("way", "name"), PLANTED)
def test_each_way_finds_each_fault(way: Callable[[Path], tuple[int, str]], name: str, forking_repository: Path) -> None:
    file, text, fault, expected = FAULTS[name]
    sound = (forking_repository / file).read_text("utf-8")
    assert text in sound
    (forking_repository / file).write_text(sound.replace(text, fault, 1), "utf-8")
    try:
        code, printed = way(forking_repository)
    finally:
        (forking_repository / file).write_text(sound, "utf-8")
    assert code == 1, printed
    assert expected in printed, printed


def test_the_hook_tests_what_is_staged(repository: Path) -> None:
    file, text, fault, _ = FAULTS["another total"]
    sound = SHOWN[ORDER]
    (repository / file).write_text(sound.replace(text, fault), "utf-8")
    run(repository, "git add my-*")
    (repository / file).write_text(sound, "utf-8")
    refused = run(repository, "git commit -q -m change")
    assert (refused.returncode, "1 failed" in refused.stdout + refused.stderr) == (1, True)
    run(repository, "git add my-*")
    (repository / file).write_text(sound.replace(text, fault), "utf-8")
    assert run(repository, "git commit -q -m change").returncode == 0

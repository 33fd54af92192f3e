"""Every block of the documentation is tried: run, read by what reads its like, or marked with the reason why not.

Scripts are run by test_scripts.py (`make prove`); here their settings are read, and their commands looked up.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from app.access.admission import UserHeaders
from app.access.users import Users
from app.api.problems import Problem
from app.catalog.sources import load_source
from app.cli import all_commands
from app.config import load_settings
from app.core.deliveries import State
from app.core.events import Outcome
from app.core.metrics import Metrics
from app.core.receipts import EventReceipt, MemoryChange, PresetResult
from app.source.responses import event_json
from app.trigger import compile_trigger
from tests.examples.blocks import BLOCKS, PAGES, Block
from tests.process import PATH, ROOT
from tests.rows import every_row

#: Beside those of the root command: typer's.
OF_EVERY_COMMAND = {"--help", "--install-completion", "--show-completion"}


def read_script_of_a_page(text: str, folder: Path) -> None:
    """Read it as a browser would, by Node, the code of an element or attribute too; what it calls must be there."""
    (code,) = re.findall(r'onload="(.*?)"', text) or re.findall(r"<script>(.*?)</script>", text, re.DOTALL) or [text]
    (folder / "shown.js").write_text(code, encoding="utf-8")
    subprocess.run(["node", "--check", folder / "shown.js"], env={"PATH": PATH}, check=True)
    helper = (ROOT / "app/source/pinrelay.js").read_text(encoding="utf-8")
    called = re.findall(r"pinrelay\.(\w+)\(", text)
    assert called
    assert [name for name in called if not re.search(rf"\b{name}\b", helper)] == []


def read_rules_of_the_adapter(text: str, _: Path) -> None:
    (rule,) = yaml.safe_load(text)["rules"]
    metrics = Metrics().render([], now=0)[0].decode()
    for query in (rule["seriesQuery"], rule["metricsQuery"]):
        (asked,) = re.findall(r"pinrelay_\w+(?=_count\b)", query)
        assert f"# TYPE {asked} histogram" in metrics
    chart = ROOT / "docs/deploy/helm/pinrelay/templates/roles.yaml"
    assert f"name: {rule['name']['as']}" in chart.read_text(encoding="utf-8")


def read_problem(text: str) -> None:
    Problem.model_validate_json(text, extra="forbid")


def read_alert(text: str) -> None:
    alert = json.loads(text)
    assert alert["type"] == f"incident.{alert['state']}"
    assert datetime.fromisoformat(alert["since"]) <= datetime.fromisoformat(alert["until"])


def read_receipts(text: str, _: Path) -> None:
    """Every member of a receipt is there, and no other."""
    told = json.loads(text)
    given = MemoryChange(groups=(), linked=False, erased=0, marked=0)
    line = PresetResult(preset=None, outcome=Outcome.UNMATCHED)
    written = event_json(EventReceipt(message_id="", deliveries=(line,), given=given, is_trusted=True))
    for event in told.get("events", [told]):
        assert event.get("to_memory", written["to_memory"]).keys() == written["to_memory"].keys()
        assert event.keys() | {"to_memory"} == written.keys()
        for each in event["deliveries"]:
            assert each.keys() == written["deliveries"][0].keys()
            Outcome(each["outcome"])


def read_source(text: str, folder: Path) -> None:
    (folder / "crm.yaml").write_text(text, encoding="utf-8")
    load_source([folder], "crm")


def read_scraping(text: str, folder: Path) -> None:
    (folder / "prometheus.yml").write_text(text, encoding="utf-8")
    command = ["promtool", "check", "config", "--syntax-only", str(folder / "prometheus.yml")]
    subprocess.run(command, env={"PATH": PATH}, check=True, capture_output=True)


def read_states(text: str, _: Path) -> None:
    found = {state for pair in re.findall(r"(\S+) --> ([\w\[\]*]+):", text) for state in pair}
    assert found == {*(each.value for each in State), "[*]"}


#: By page and language; each fails where the text is not what it should be.
FORMS: dict[tuple[str, str], Callable[[str, Path], object]] = {
    ("CONTRIBUTING", "text"): lambda text, _: targets_of(text)[0],
    ("browser-helper", "html"): read_script_of_a_page,
    ("browser-helper", "js"): read_script_of_a_page,
    ("deploying", "yaml"): read_rules_of_the_adapter,
    ("memory", "json"): read_receipts,
    ("named-sources", "yaml"): read_source,
    ("operating", "json"): lambda text, _: read_alert(text) if '"incident.' in text else read_problem(text),
    ("operating", "text"): lambda text, _: Users.of(load_settings(console_users=text)),
    ("operating", "yaml"): read_scraping,
    ("outbox", "mermaid"): read_states,
    ("sources", "json"): read_receipts,
    ("triggers", "yaml"): lambda text, _: compile_trigger(yaml.safe_load(text)["subscribe"]),
}


def form_of(block: Block) -> Callable[[str, Path], object] | None:
    return None if block.elsewhere or block.title else FORMS.get((block.page, block.language))


def test_every_block_is_tried_in_one_way_or_says_why_not() -> None:
    assert len(BLOCKS) > 150
    ways = {
        str(block): [block.elsewhere, block.why_not, form_of(block), block.sets_only, block.is_script]
        for block in BLOCKS
    }
    assert {at: tried for at, tried in ways.items() if sum(map(bool, tried)) != 1} == {}


def test_the_tests_elsewhere_speak_of_the_page() -> None:
    silent = [
        str(block)
        for block in BLOCKS
        if block.elsewhere
        and (block.page.split("source-")[0] or "source-") not in block.elsewhere.read_text(encoding="utf-8")
    ]
    assert silent == []


@pytest.mark.whole
@pytest.mark.parametrize("block", [block for block in BLOCKS if form_of(block)], ids=str)
def test_a_block_is_read_by_what_reads_its_like(block: Block, tmp_path: Path) -> None:
    read = form_of(block)
    assert read
    read(block.text, tmp_path)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.sets_only], ids=str)
def test_settings_that_are_shown_can_be_given(block: Block, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pina_example", encoding="utf-8")
    script = f"set -a; {block.text.replace('/etc/pinrelay', str(tmp_path))}\nenv -0"
    shown = subprocess.run(["sh", "-euc", script], env={"PATH": PATH}, capture_output=True, text=True, check=True)
    given = dict(each.split("=", 1) for each in shown.stdout.split("\0") if each)
    with patch.dict(os.environ, given, clear=True):
        UserHeaders.of(load_settings())


def commands_of(page: str) -> Iterator[list[str]]:
    """Yield the words behind `pinrelay` of each command of a page: in blocks, and between backticks."""
    spans = [block.text.replace("\\\n", " ") for block in BLOCKS if block.page == page and block.language == "sh"]
    spans += re.findall(r"(?<!`)`(?!`)([^`\n]+)`", next(path for path in PAGES if path.stem == page).read_text("utf-8"))
    for span in spans:
        for words in re.findall(
            r"(?:^|&& |[A-Z]=\S* |/bin/)pinrelay ([^&;|>\n]+(?:\|[^&;|>\n ]+)*)", span, re.MULTILINE
        ):
            yield shlex.split(words.replace("'", ""), comments=True)


def unknown(words: list[str]) -> list[str]:
    """Return the commands and options among them that there are not."""
    at: Any = all_commands()
    found = []
    for word in words:
        options = {option for each in at.params for option in (*each.opts, *each.secondary_opts)} | OF_EVERY_COMMAND
        if word.startswith("$"):
            continue
        if word.startswith("--"):
            found += [word] if word.partition("=")[0] not in options else []
        elif members := getattr(at, "commands", None):
            found += [each for each in word.split("|") if each not in members]
            at = members.get(word.rpartition("|")[2], at)
    return found


def targets_of(text: str) -> list[str]:
    """Return the targets that a page has made, in blocks or between backticks."""
    return re.findall(r"(?:^|`|&& )make ([a-z][\w-]*)", text, re.MULTILINE)


def test_what_pages_have_made_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = {target for path in PAGES for target in targets_of(path.read_text(encoding="utf-8"))}
    assert {"run", "docs", "release", "reference"} <= named <= set(targets)


@pytest.mark.slow
@every_row("page", [path.stem for path in PAGES])
def test_the_commands_and_options_that_a_page_names_exist(page: str) -> None:
    assert [(words, odd) for words in commands_of(page) if (odd := unknown(words))] == []


def test_a_command_or_option_that_does_not_exist_is_found() -> None:
    assert unknown(["quarantine", "list", "--jsno"]) == ["--jsno"]
    assert unknown(["init|chekc"]) == ["chekc"]
    assert [words for words in commands_of("README") if words[0].startswith("init|")]

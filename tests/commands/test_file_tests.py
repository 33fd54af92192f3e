"""`pinrelay test`, what a failing test refuses, and docs/testing.md."""

import json
import re
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from structlog.testing import capture_logs

from app.assemble.services import Services, make_services
from app.catalog.catalog import read_draft
from app.errors import CatalogError
from tests import assembled
from tests.commands.conftest import Run
from tests.examples.blocks import BLOCKS
from tests.outbox.new_store import new_store
from tests.process import ROOT

PAGE = [block for block in BLOCKS if block.page == "testing"]
SHOWN = next(block.text for block in PAGE if block.title == "my-presets/order_completed.yaml")
FAILING = SHOWN.replace("$.properties.total", "$.properties.revenue")


def block(title: str) -> str:
    return next(each.text for each in PAGE if each.title == title)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """The folder of the page, in the folder where commands run."""
    del run  # it chooses a folder first
    (tmp_path / "my-presets").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my-presets", SHOWN)
    return Path("my-presets")


def write(folder: Path, text: str, name: str = "order_completed.yaml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_the_page_shows_what_is_printed(run: Run, own: Path) -> None:
    words = block("in the folder").split()
    assert words[0] == "pinrelay"
    passed = run(*words[1:])
    assert (passed.exit_code, passed.stdout) == (0, block("printed"))
    write(own, FAILING)
    failed = run(*words[1:])
    assert failed.exit_code == 1
    assert failed.stdout == f"{block('difference')}\n2 tests, 1 failed\n"


def test_results_are_read_by_other_programs(run: Run, own: Path) -> None:
    write(own, FAILING)
    suites = ET.fromstring(run("test", own, "--format", "junit").stdout)
    (suite,) = suites
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (f"{own}/order_completed.yaml", "2", "1")
    first, second = suite
    assert first.get("name") == "An order is sent with its total"
    assert "expected" in (first[0].get("message") or "")
    assert len(second) == 0
    tap = run("test", own, "--format", "tap").stdout.splitlines()
    assert tap[:3] == ["TAP version 14", "1..2", f"not ok 1 - {own}/order_completed.yaml: {first.get('name')}"]
    assert tap[3].startswith("# custom_data.value")
    assert tap[4].startswith("ok 2 - ")
    printed = [json.loads(line) for line in run("test", own, "--json").stdout.splitlines()]
    assert [each["passed"] for each in printed] == [False, True]


def test_without_a_path_the_files_of_the_settings_are_tested(run: Run) -> None:
    printed = run("test")
    assert (printed.exit_code, re.sub(r"\d+", "N", printed.stdout)) == (0, "N tests, N failed\n")


def test_a_folder_of_everything_is_read_by_its_keys(tmp_path: Path) -> None:
    for kind in ("presets", "mappings", "sources"):
        (tmp_path / kind).mkdir()
    write(tmp_path / "presets", "name: [", "broken.yaml")
    for file in ("mappings/report_conversion_event.yaml", "sources/shopify.yaml"):
        (tmp_path / file).write_text((ROOT / file).read_text("utf-8"), "utf-8")
    write(tmp_path, "ad_account_id: '1'", "destination.yml")
    draft = read_draft([tmp_path])
    assert [[Path(file).name for file in files] for files in (draft.presets, draft.mappings, draft.sources)] == [
        ["broken.yaml"],
        ["report_conversion_event.yaml"],
        ["shopify.yaml"],
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [("nothing", "nothing: cannot be read: No such file"), ("empty", "the folder has no YAML file: name another")],
)
def test_a_path_without_files_is_an_error(run: Run, own: Path, name: str, told: str) -> None:
    Path("empty").mkdir()
    result = run("test", own, name)
    assert isinstance(result.exception, CatalogError)
    assert told in str(result.exception)
    (own / "bytes.yaml").write_bytes(b"\xff")
    assert "not UTF-8" in str(run("test", own).exception)


def test_a_change_runs_the_tests_again(run: Run, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [FAILING, "name: [", ""]

    def rest(_: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        if text := steps.pop(0):
            write(own, text)

    monkeypatch.setattr(time, "sleep", rest)
    result = run("test", own, "--watch")
    assert result.stdout.splitlines()[0] == "2 tests, 0 failed"
    assert "2 tests, 1 failed" in result.stdout
    assert result.output.count("not readable YAML") == 1


def test_check_lists_a_failing_test_as_a_fault(run: Run, own: Path) -> None:
    assert run("check", PRESETS_DIR=f"presets,{own}").exit_code == 0
    write(own, FAILING)
    result = run("check", PRESETS_DIR=f"presets,{own}")
    assert isinstance(result.exception, CatalogError)
    assert "/tests/0: the test 'An order is sent with its total' fails: custom_data.value" in str(result.exception)


def test_check_warns_of_an_opt_out_that_is_not_read(run: Run, own: Path) -> None:
    write(own, SHOWN + "\ndrops_opt_out: [$.traits.opt_out]\n")
    result = run("check", PRESETS_DIR=f"presets,{own}")
    assert result.exit_code == 0
    (warning,) = [line for line in result.stderr.splitlines() if "drops_opt_out" in line]
    assert warning.endswith("opt-outs at $.traits.opt_out are not read: their events are sent")


def test_check_warns_of_presets_that_count_the_same(run: Run, own: Path) -> None:
    for name in ("payment_succeeded", "invoice_paid"):
        text = (ROOT / f"presets/stripe_{name}.yaml").read_text("utf-8")
        write(own, text.replace("enabled: false", "enabled: true"), f"stripe_{name}.yaml")
    result = run("check", PRESETS_DIR=f"presets,{own}")
    assert result.exit_code == 0
    (warning,) = [line for line in result.stderr.splitlines() if "overlaps" in line]
    assert warning.endswith(
        "'Stripe Invoice Paid' may count the same events as 'Stripe Payment Succeeded': switch off one of these presets"
    )


async def test_a_start_goes_on_and_logs_it_and_a_reload_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "secret").write_text("0123456789abcdef", "utf-8")
    source = (ROOT / "sources/jitsu.yaml").read_text("utf-8").replace("env: JITSU_SECRET", f"file: {tmp_path}/secret")
    write(tmp_path / "sources", source, "jitsu.yaml")
    settings = assembled.settings(
        presets_dir=(ROOT / "presets", tmp_path / own),
        sources_dir=(tmp_path / "sources",),
        outbox_url=new_store(tmp_path, "s.db"),
    )
    services = make_services(settings, "all", clock=None, environ={})
    assert (logged(services), await services.coordination.reload(now=0.0)) == ([], True)
    before = services.coordination.generation
    for folder, text, name in (
        (own, FAILING, "order_completed.yaml"),
        (tmp_path / "sources", source.replace("events: 1", "events: 2"), "jitsu.yaml"),
    ):
        kept = (folder / name).read_text("utf-8")
        write(folder, text, name)
        assert not await services.coordination.reload(now=0.0)
        assert [fault.path for fault in services.coordination.faults] == ["/tests/0"]
        started = make_services(settings, "all", clock=None, environ={})
        (line,) = logged(started)
        await started.outbox.close()
        assert line["event"] == "tests fail"
        write(folder, kept, name)
    assert await services.coordination.reload(now=0.0)
    assert services.coordination.generation == before
    await services.outbox.close()


def logged(services: Services) -> list[Any]:
    """What a start logs of its tests."""
    with capture_logs() as logs:
        services.test_files()
    return list(logs)


def test_mutants_are_listed_with_a_test_that_finds_each(run: Run, own: Path) -> None:
    printed = run("test", own, "--mutants")
    assert printed.exit_code == 1
    *_, last = printed.stdout.splitlines()
    assert re.fullmatch(r"\d+ changes, [1-9]\d* without a failing test", last)
    assert (
        f'{own}/order_completed.yaml:3: the condition `type = "track"` can be removed from `subscribe`'
        in printed.stdout
    )
    assert "expect: {outcome: unmatched}" in printed.stdout
    lines = [json.loads(line) for line in run("test", own, "--mutants", "--json").stdout.splitlines()]
    assert {line["is_found"] for line in lines} == {True, False}
    (suite,) = ET.fromstring(run("test", own, "--mutants", "--format", "junit").stdout)
    assert int(suite.get("tests") or 0) == len(lines)
    assert int(suite.get("failures") or 0) == sum(not line["is_found"] for line in lines)


def test_mutants_need_passing_tests_and_own_files(run: Run, own: Path) -> None:
    write(own, FAILING)
    failed = run("test", own, "--mutants")
    assert (failed.exit_code, failed.stdout.splitlines()[-1]) == (1, "2 tests, 1 failed")
    shipped = run("test", "--mutants")
    assert "the folders of the settings hold shipped files only: name your files or folders" in str(shipped.output)


def test_mutants_of_guarded_files_exit_with_0(run: Run, own: Path) -> None:
    preset = 'name: Own\nsubscribe: event = "Own"\naction: report_conversion_event\nmapping: {event_name: lead}\n'
    example = "example: {type: track, event: Own, messageId: m-1, userId: u, context: {traits: {email: a@b.example}}}\n"
    write(own, f"{preset}{example}")
    tests = [json.loads(line)["suggestion"] for line in run("test", own, "--mutants", "--json").stdout.splitlines()]
    write(own, f"{preset}{example}tests: {json.dumps([test for test in tests if test])}\n")
    printed = run("test", own, "--mutants")
    assert (printed.exit_code, printed.stdout) == (0, "4 changes, 0 without a failing test\n")


def test_a_mapping_runs_the_tests_of_the_presets_that_use_it(run: Run, own: Path) -> None:
    text = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8")
    write(own, text.replace("$.properties.query}", "$.properties.question}"), "report_conversion_event.yaml")
    printed = run("test", own / "report_conversion_event.yaml")
    assert "presets/search.yaml: Its example is sent as search" in printed.stdout
    assert printed.exit_code == 1

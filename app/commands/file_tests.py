"""`pinrelay test`: run the tests that presets, mappings and sources carry."""

import time
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import typer

from app import assemble
from app.catalog.drafts import Draft, read_draft
from app.catalog.sources import unproven_source
from app.catalog.yaml_files import read_texts
from app.commands.recording import record
from app.commands.terminal import AsJson, print_json, print_line
from app.config import Settings, load_settings
from app.config.environment import file_state
from app.core.values.texts import count_of
from app.errors import CatalogError
from app.pipeline.file_tests import FileTestResult

#: How often `--watch` looks at the files.
_LOOK_S = 0.5


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    TAP = "tap"
    JUNIT = "junit"


def run_files(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders. Default: those of the settings."),
    ] = None,
    *,
    form: Annotated[Format, typer.Option("--format", help="How to print the results.")] = Format.TEXT,
    watch: Annotated[bool, typer.Option("--watch", help="Run again when a file changes, until Ctrl-C.")] = False,
    recorded: Annotated[
        str | None, typer.Option("--record", help="Print a test of this message id, or of a file; - is standard input.")
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="With --record: add the test to the preset, if you agree.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests in presets, mappings and sources.

    Tests run under the default settings and those that they name. Files of PATH take the place of files with the same
    name in the folders of the settings. Needs no outbox and no network. Exits with 1 if a test fails.

    With --record, no test is run. Prints a test made of a sample, a quarantined event or a file. Made-up data of the
    same form replaces personal data.

    Example: pinrelay test my-presets --format junit > results.xml
    """
    settings = load_settings(host="127.0.0.1")  # nothing listens here: no secret of senders is needed
    if recorded is not None:
        record(settings, recorded, add=add)
        return
    if watch:
        keep_testing(settings, paths or [], form)
    results = run_tests(settings, paths or [])
    if as_json:
        for each in results:
            told = {"file": each.file, "test": each.name, "passed": not each.differences}
            print_json(told | {"differences": each.differences})
    else:
        _print(results, form)
    if any(each.differences for each in results):
        raise typer.Exit(1)


def run_tests(settings: Settings, paths: Sequence[Path]) -> list[FileTestResult]:
    """Run the tests of these files, or without any those of the settings. Raises CatalogError."""
    running = assemble.running_catalog(settings)
    if paths:
        draft = read_draft(paths)
    else:
        (sources,) = read_texts(SOURCES_DIR=settings.source_folders)
        draft = Draft(presets=running.preset_texts, mappings=running.mapping_texts, sources=sources)
    compiled = [(file, *unproven_source(file, text)) for file, text in draft.sources.items()]
    results = assemble.file_tests().run(draft.over(running), compiled)
    return [each for each in results if each.file in draft.files]


def keep_testing(settings: Settings, paths: Sequence[Path], form: Format) -> None:
    """Run the tests at once, and whenever a file has changed, until somebody ends it."""
    folders = paths or [*settings.presets_dir, *settings.mappings_dir, *settings.source_folders]
    seen: object = None
    while True:
        files = sorted({file for path in folders for file in (path, *path.rglob("*"))})
        if (states := [(file, file_state(file)) for file in files]) != seen:
            seen = states
            try:
                _print(run_tests(settings, paths), form)
            except CatalogError as exc:
                print_line(exc, err=True)
        time.sleep(_LOOK_S)


def _print(results: Sequence[FileTestResult], form: Format) -> None:
    lines = {Format.TEXT: _as_text, Format.TAP: _as_tap, Format.JUNIT: _as_junit}[form](results)
    for line in lines:
        print_line(line)


def _as_text(results: Sequence[FileTestResult]) -> list[str]:
    lines = []
    for each in results:
        if each.differences:
            lines += [f"{each.file}: {each.name}", *(f"  {difference}" for difference in each.differences), ""]
    failed = sum(1 for each in results if each.differences)
    return [*lines, f"{count_of(len(results), 'test')}, {failed} failed"]


def _as_tap(results: Sequence[FileTestResult]) -> list[str]:
    """Return the Test Anything Protocol, version 14: https://testanything.org/tap-version-14-specification.html."""
    lines = ["TAP version 14", f"1..{len(results)}"]
    for number, each in enumerate(results, 1):
        name = f"{each.file}: {each.name}".replace("#", r"\#").replace("\n", " ")
        lines.append(f"{'not ok' if each.differences else 'ok'} {number} - {name}")
        lines += [f"# {difference}" for difference in each.differences]
    return lines


def _as_junit(results: Sequence[FileTestResult]) -> list[str]:
    suites = ET.Element("testsuites")
    for file, group in groupby(results, key=lambda each: each.file):
        suite = ET.SubElement(suites, "testsuite", name=file)
        for each in group:
            case = ET.SubElement(suite, "testcase", classname=file, name=each.name)
            if each.differences:
                failure = ET.SubElement(case, "failure", message=each.differences[0])
                failure.text = "\n".join(each.differences)
        cases = suite.findall("testcase")
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(1 for case in cases if len(case))))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode").splitlines()

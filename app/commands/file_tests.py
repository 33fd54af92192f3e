"""`pinrelay test`: run the tests in presets, mappings and sources, or create a test from a received event."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from xml.etree import ElementTree as ET

import typer
import yaml

from app import assemble
from app.catalog import Catalog
from app.catalog.catalog import Draft, RunningCatalog, read_draft
from app.catalog.files import PresetFile
from app.catalog.presets import parse_file
from app.catalog.sources import untrusted_source
from app.catalog.yaml_files import read_texts
from app.commands.terminal import AsJson, opened_file, print_json, print_line, with_outbox
from app.config import Settings, load_settings
from app.config.environment import FOLDERS, file_state, shipped
from app.config.settings import event_settings_of
from app.core.events import DEFAULT_SOURCE, Event
from app.core.pages import QuarantineFilter
from app.core.values.texts import count_of
from app.errors import CatalogError, EventRefused, UnknownName
from app.outbox import Outbox
from app.pipeline.file_tests import FileTestResult
from app.pipeline.identity_events import own_time
from app.pipeline.mutants import Mutant, Mutants
from app.pipeline.recording import MadeUp, recorded
from app.source.event_files import read_event_file

#: The interval at which `--watch` checks the files.
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
    mutants: Annotated[
        bool, typer.Option("--mutants", help="List the lines of the files that no test guards.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests in presets, mappings and sources.

    Tests run under the default settings and those that they name. Files of PATH take the place of files with the same
    name in the folders of the settings. For a mapping, the tests of all presets run. An event that two enabled presets
    send is a fault. Needs no outbox and no network. Exits with 1 if a test fails.

    With --mutants, each place, condition and function of the files is changed in turn. Prints each change that no test
    finds, with a test that would find the change.

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
    if mutants and not any(each.differences for each in results):
        find_mutants(settings, paths or [], form, as_json=as_json)
        return
    if as_json:
        for each in results:
            told = {"file": each.file, "test": each.name, "passed": not each.differences}
            print_json(told | {"differences": each.differences})
    else:
        _print(results, form)
    if any(each.differences for each in results):
        raise typer.Exit(1)


def run_tests(settings: Settings, paths: Sequence[Path]) -> list[FileTestResult]:
    """Run the tests of these files, by default those of the settings. Raises CatalogError."""
    running = assemble.running_catalog(settings)
    draft = _draft(settings, running, paths)
    compiled = [(file, *untrusted_source(file, text)) for file, text in draft.sources.items()]
    tests, catalog = assemble.file_tests(), draft.over(running)
    results = [each for each in tests.run(catalog, compiled) if draft.mappings or each.file in draft.files]
    return [*results, *tests.only_for_the_command(catalog, draft.files)]


def _draft(settings: Settings, running: RunningCatalog, paths: Sequence[Path]) -> Draft:
    if paths:
        return read_draft(paths)
    (sources,) = read_texts(SOURCES_DIR=settings.source_folders)
    return Draft(presets=running.preset_texts, mappings=running.mapping_texts, sources=sources)


def find_mutants(settings: Settings, paths: Sequence[Path], form: Format, *, as_json: bool) -> None:
    """Change each line of the files of PATH, and print the changes that no test detects.

    The default are the files that are not shipped.
    """
    running = assemble.running_catalog(settings)
    draft = _draft(settings, running, paths)
    if not paths:
        own = [{file: text for file, text in texts.items() if not _is_shipped(file)} for texts in draft.kinds]
        draft = Draft(presets=own[0], mappings=own[1], sources=own[2])
    if not draft.files:
        raise typer.BadParameter("the folders of the settings hold shipped files only: name your files or folders")
    recorded_events = with_outbox(partial(_samples, settings, running.catalog)) if settings.samples_per_name else ()
    found = list(Mutants(assemble.file_tests(), running, draft, recorded_events).run())
    if as_json:
        for each in found:
            print_json(each._asdict())
    elif form is Format.TEXT:
        _print_mutants(found)
    else:
        _print([_as_result(each) for each in found], form)
    if not all(each.is_found for each in found):
        raise typer.Exit(1)


def _is_shipped(file: str) -> bool:
    return Path(file).resolve().parent in {shipped(folder).resolve() for folder in FOLDERS}


def _print_mutants(mutants: Sequence[Mutant]) -> None:
    unnoticed = [each for each in mutants if not each.is_found]
    for each in unnoticed:
        print_line(each)
        for line in _as_yaml(each.suggestion).splitlines() if each.suggestion else ():
            print_line(f"    {line}")
    print_line(f"{count_of(len(mutants), 'change')}, {len(unnoticed)} without a failing test")


def _as_result(mutant: Mutant) -> FileTestResult:
    differences = () if mutant.is_found else (str(mutant),)
    return FileTestResult(
        file=mutant.file, number=0, name=f"line {mutant.line}: {mutant.sentence}", differences=differences
    )


async def _samples(settings: Settings, catalog: Catalog, outbox: Outbox) -> list[Event]:
    """Return the newest `_AT_ONCE` recorded events, with invented data in place of personal data."""
    sealer, made_up = assemble.sealer(settings), MadeUp(catalog, random.SystemRandom())
    found = await outbox.sealed_events.find(QuarantineFilter(samples=True), now=time.time(), after=0, limit=_AT_ONCE)
    opened = (sealer.open(each.sealed) for each in found)
    return [made_up(event) for event in opened if event is not None]


def keep_testing(settings: Settings, paths: Sequence[Path], form: Format) -> None:
    """Run the tests immediately, and after each change of a file, until interrupted."""
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


_AT_ONCE = 500
#: An event, its time of arrival, its source, and whether a secret authenticated its sender.
_Arrived: TypeAlias = tuple[Event, float, str, bool]


def record(settings: Settings, what: str, *, add: bool) -> None:
    """Print a test for each preset that matches an event; with `add`, offer to add it to the preset's file.

    `what` is a message id, the path of a file, or `-`. Raises UnknownName if no such event is stored.
    """
    is_file = what == "-" or Path(what).is_file()
    event, now, source, is_trusted = (
        _of_file(Path(what)) if is_file else with_outbox(lambda outbox: _kept(outbox, settings, what))
    )
    running = assemble.running_catalog(settings)
    given = event_settings_of(settings)
    explainer = assemble.explainer_of_test(given)
    tests, goes_alike = asyncio.run(
        recorded(
            event, explainer, running.catalog, random.SystemRandom(), now=now, source=source, is_trusted=is_trusted
        )
    )
    for file, made in tests.items():
        text = _as_yaml({**made, **({"settings": given} if given else {})})
        print_line(f"# {file}")
        for line in text.splitlines():
            print_line(line)
        if add and typer.confirm(f"Add this test to {file}?", err=True):
            _append(Path(file), text)
    if not tests:
        print_line("no preset takes this event, so there is no test", err=True)
        raise typer.Exit(1)
    if not goes_alike:
        print_line("The event with made-up data goes another way than the real one: look at the test closely", err=True)


def _of_file(file: Path) -> _Arrived:
    with opened_file(file) as stream:
        event = next(read_event_file(stream, clock=time.time), None)
    if event is None or isinstance(event, EventRefused):
        raise typer.BadParameter(f"--record {file}: {event or 'there is no event in it'}")
    return event, own_time(event, time.time()), DEFAULT_SOURCE, True


async def _kept(outbox: Outbox, settings: Settings, message_id: str) -> _Arrived:
    """Find an event among samples, then in quarantine. Raises UnknownName, FeatureOff."""
    sealer = assemble.sealer(settings)
    for samples in (True, False):
        after = 0
        while some := await outbox.sealed_events.find(
            QuarantineFilter(samples=samples), now=time.time(), after=after, limit=_AT_ONCE
        ):
            for one in some:
                if one.message_id == message_id and (event := sealer.open(one.sealed)) is not None:
                    return event, one.at, one.source, one.is_trusted
            after = some[-1].id
    raise UnknownName("sample or quarantined event", message_id, ())


class _Indented(yaml.SafeDumper):
    """Indents lists, as the shipped files do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's
        del indentless
        super().increase_indent(flow, indentless=False)


def _as_yaml(test: Mapping[str, Any]) -> str:
    return yaml.dump(
        {"tests": [dict(test)]},
        Dumper=_Indented,
        sort_keys=False,
        width=118,
        default_flow_style=None,
        allow_unicode=True,
    )


def _append(file: Path, text: str) -> None:
    """Append a test to a file. Raises BadParameter if the `tests` are not at its end."""
    before = file.read_text(encoding="utf-8")
    spec, _ = parse_file(PresetFile, before)
    count = len(spec.tests) if spec else 0
    after = before.rstrip("\n") + "\n" + (text.removeprefix("tests:\n") if count else text)
    added, _ = parse_file(PresetFile, after)
    if added is None or len(added.tests) != count + 1:
        raise typer.BadParameter(f"{file}: put `tests` at its end, or add the test by hand")
    file.write_text(after, encoding="utf-8")
    print_line(f"added to {file}", err=True)

"""`pinrelay test --record`: a test made of an event that arrived."""

import asyncio
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import typer
import yaml

from app import assemble
from app.catalog.files import PresetFile
from app.catalog.presets import parse_file
from app.commands.terminal import opened_file, print_line, with_outbox
from app.config import Settings
from app.config.settings import event_settings_of
from app.core.events import DEFAULT_SOURCE, Event
from app.core.pages import QuarantineFilter
from app.errors import EventRefused, UnknownName
from app.outbox import Outbox
from app.pipeline.explain import Explainer
from app.pipeline.identity_events import own_time
from app.pipeline.recording import recorded
from app.source import read_event_file

_AT_ONCE = 500
#: An event, when it arrived, its source, and whether its sender was known by a secret.
_Arrived: TypeAlias = tuple[Event, float, str, bool]


def record(settings: Settings, what: str, *, add: bool) -> None:
    """Print a test for each preset that takes an event; with `add`, ask whether it goes into the preset's file.

    `what` is a message id, the path of a file, or `-`. Raises UnknownName where no such event is kept.
    """
    is_file = what == "-" or Path(what).is_file()
    event, now, source, is_proven = (
        _of_file(Path(what)) if is_file else with_outbox(lambda outbox: _kept(outbox, settings, what))
    )
    running = assemble.running_catalog(settings)
    given = event_settings_of(settings)
    explainer = Explainer(assemble.router_of_test(given))
    tests, goes_alike = asyncio.run(
        recorded(event, explainer, running.catalog, random.SystemRandom(), now=now, source=source, is_proven=is_proven)
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
                    return event, one.at, one.source, one.is_proven
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
    """Add a test at the end of a file. Raises BadParameter where its `tests` do not stand there."""
    before = file.read_text(encoding="utf-8")
    spec, _ = parse_file(PresetFile, before)
    count = len(spec.tests) if spec else 0
    after = before.rstrip("\n") + "\n" + (text.removeprefix("tests:\n") if count else text)
    added, _ = parse_file(PresetFile, after)
    if added is None or len(added.tests) != count + 1:
        raise typer.BadParameter(f"{file}: put `tests` at its end, or add the test by hand")
    file.write_text(after, encoding="utf-8")
    print_line(f"added to {file}", err=True)

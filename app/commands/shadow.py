"""`pinrelay shadow`: show the effect of a draft before it goes live."""

import asyncio
import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app import assemble
from app.catalog import Catalog
from app.catalog.catalog import RunningCatalog, read_draft
from app.commands.terminal import FORMS, AsJson, add_row, opened_file, print_json, print_line, print_table, with_outbox
from app.config import Settings, load_settings
from app.core.shared_values import SAMPLES_HURRIED
from app.core.values.texts import count_of
from app.errors import EventRefused, FeatureOff
from app.outbox import Outbox
from app.pipeline.identity_events import own_time
from app.pipeline.shadow import Shadow, ShadowRuns, broken_limits
from app.source.event_files import read_event_file

#: The interval at which a live run checks for samples, and its share of a core; a server uses another 1 %.
_LOOK_S = 0.5
_SHARE = 0.015
_AT_ONCE = 50
_LASTS = re.compile(r"[1-9][0-9]{0,4}[sm]")
_OFF = "SAMPLES_PER_NAME and QUARANTINE_HOURS are 0, so no event is kept: set one, or use --file"


def shadow(
    folder: Annotated[Path, typer.Argument(help="Folder of drafts: presets and mappings.")],
    *,
    file: Annotated[Path | None, typer.Option("--file", help=f"Events to try. {FORMS}")] = None,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="Try the quarantine instead of samples.")] = False,
    live: Annotated[str, typer.Option("--live", help="Try what arrives for so long, such as 10m.")] = "",
    fail_if: Annotated[
        list[str] | None, typer.Option("--fail-if", help="Outcome with 1 beyond this, such as `lost click_id > 1%`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run drafts of presets and mappings beside those that run, and show what changes. Sends and stores nothing.

    Files of FOLDER take the place of files with the same name in the folders of the settings. Events are samples of the
    last day (SAMPLES_PER_NAME), the quarantine, or a file. Shows by preset which fields are gained, lost and changed,
    which outcomes move, the value by currency, and the quality components.

    Example: pinrelay shadow my-drafts --fail-if 'lost click_id > 1%'
    """
    if live and not _LASTS.fullmatch(live):
        raise typer.BadParameter(f"--live {live}: must be a number of seconds or minutes, such as 90s or 10m")
    settings = load_settings()
    broken_limits(fail_if or (), Shadow())
    running = assemble.running_catalog(settings)
    draft = read_draft([folder]).over(running)
    if file is not None:
        found = _of_file(file, settings, running.catalog, draft)
    else:
        found = with_outbox(lambda outbox: _of_kept(outbox, settings, running, draft, quarantine=quarantine, live=live))
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if broken := broken_limits(fail_if or (), found):
        for each in broken:
            print_line(f"beyond the limit {each}", err=True)
        raise typer.Exit(1)


def _of_file(file: Path, settings: Settings, running: Catalog, draft: Catalog) -> Shadow:
    found, router, now = Shadow(), assemble.event_router(settings), time.time()
    with opened_file(file) as stream:
        for event in read_event_file(stream, clock=time.time):
            if not isinstance(event, EventRefused):
                at = own_time(event, now)
                found.add(event, router, (running, draft), now=at, source="default", is_trusted=True)
    return found


async def _of_kept(
    outbox: Outbox, settings: Settings, running: RunningCatalog, draft: Catalog, *, quarantine: bool, live: str
) -> Shadow:
    runs = assemble.shadow_runs(settings, running, outbox, clock=time.time)
    if runs is None or not (quarantine or runs.has_samples):
        raise FeatureOff(_OFF)
    if not live:
        return await runs.run(draft, samples=not quarantine)
    lasts_s = int(live[:-1]) * (60 if live.endswith("m") else 1)
    await SAMPLES_HURRIED.write(outbox, time.time() + lasts_s)
    return await _of_live(runs, draft, lasts_s=lasts_s)


async def _of_live(runs: ShadowRuns, draft: Catalog, *, lasts_s: float) -> Shadow:
    """Apply a draft to samples as they arrive, for some seconds, with a small share of a core."""
    found, after, since = Shadow(), 0, time.time()
    began, began_cpu = time.monotonic(), time.process_time()
    is_over = False
    while not is_over:
        await asyncio.sleep(min(_LOOK_S, max(0.0, lasts_s - time.monotonic() + began)))
        passed = time.monotonic() - began
        is_over = passed >= lasts_s  # the last samples are included
        if is_over or time.process_time() - began_cpu <= passed * _SHARE:
            after = await runs.add(found, draft, samples=True, after=after, since=since, at_most=_AT_ONCE)
    return found


def _print(found: Shadow) -> None:
    outcomes = Table("preset", "was", "becomes", "events", title="Outcomes that move")
    for (preset, was, becomes), count in found.outcomes.most_common():
        add_row(outcomes, preset, was, becomes, count)
    fields = Table("preset", "field", "change", "events", "message id", "was", "becomes", title="Fields that change")
    for (preset, name, kind), count in found.fields.most_common():
        example = found.examples[preset, name, kind][0]
        add_row(fields, preset, name, kind, count, example.message_id, example.was, example.becomes)
    money = Table("preset", "currency", "before", "after", title="Value")
    for preset, currency, before, after in found.money():
        add_row(money, preset, currency or "none", before, after)
    scores = Table("preset", "before", "after", title="Quality components an event, of Pinterest's eleven")
    for preset, *sides in found.scores():
        add_row(scores, preset, *("-" if side is None else f"{side:.2f}" for side in sides))
    for table in (outcomes, fields, money, scores) if found.differs else ():
        if table.row_count:
            print_table(table)
    told = "these change" if found.differs else "nothing changes"
    print_line(f"{count_of(found.events, 'event')} tried: {told}")

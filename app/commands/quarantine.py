"""`pinrelay quarantine`: what made no delivery and is kept as received: look, judge anew, replay, discard."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, time_text, with_outbox
from app.config import load_settings
from app.core.coordination import Switches
from app.core.events import Outcome
from app.core.pages import QuarantineFilter
from app.operations.acts import QuarantineActs
from app.outbox import Outbox
from app.pipeline.replay import Replay, replay_json

_Result = TypeVar("_Result")

_Name = Annotated[str | None, typer.Option("--name", help="Only events with this name.")]
_Outcome = Annotated[Outcome | None, typer.Option("--outcome", help="Only invalid, or only unmatched events.")]
_Source = Annotated[str | None, typer.Option("--source", help="Only events from this source.")]
_Reason = Annotated[str | None, typer.Option("--reason", help="Only events with exactly this reason.")]
_All = Annotated[bool, typer.Option("--all", help="All quarantined events.")]


commands = typer.Typer(
    help="List, replay or discard events that were not sent and are kept as received (QUARANTINE_HOURS).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@commands.command("list")
def list_kept(*, as_json: AsJson = False) -> None:
    """Count quarantined events by source, name and reason.

    Example: pinrelay quarantine list
    """
    groups = _with_acts(lambda acts: acts.replaying.groups())
    if as_json:
        for group in groups:
            print_json(group)
        return
    table = Table("source", "event", "outcome", "reason", "events", "first (UTC)", "last (UTC)")
    for each in groups:
        first, last = time_text(each.first_at), time_text(each.last_at)
        add_row(table, each.source, each.name, each.outcome.value, each.reason, each.count, first, last)
    print_table(table)


@commands.command("preview")
def preview_kept(
    name: _Name = None,
    outcome: _Outcome = None,
    source: _Source = None,
    reason: _Reason = None,
    *,
    everything: _All = False,
    as_json: AsJson = False,
) -> None:
    """Show what a replay with the current presets and mappings would do. Changes nothing.

    Example: pinrelay quarantine preview --outcome invalid
    """
    wanted = _filter(name, outcome, source, reason, everything=everything)
    _show(_with_acts(lambda acts: acts.replaying.preview(wanted)), as_json=as_json)


@commands.command("replay")
def replay_kept(
    name: _Name = None,
    outcome: _Outcome = None,
    source: _Source = None,
    reason: _Reason = None,
    *,
    everything: _All = False,
    as_json: AsJson = False,
) -> None:
    """Process quarantined events again, with their ids and times. Events that still cannot be sent stay.

    Example: pinrelay quarantine replay --name "Order Completed"
    """
    wanted = _filter(name, outcome, source, reason, everything=everything)

    _show(_with_acts(lambda acts: acts.replay(caller(), wanted)), as_json=as_json)


@commands.command("discard")
def discard_kept(
    name: _Name = None,
    outcome: _Outcome = None,
    source: _Source = None,
    reason: _Reason = None,
    *,
    everything: _All = False,
    as_json: AsJson = False,
) -> None:
    """Erase quarantined events.

    Example: pinrelay quarantine discard --name "Bot Visit"
    """
    wanted = _filter(name, outcome, source, reason, everything=everything)

    count = _with_acts(lambda acts: acts.discard(caller(), wanted))
    if as_json:
        print_json({"discarded": count})
    else:
        print_line(f"{count} discarded.")


def _filter(
    name: str | None, outcome: Outcome | None, source: str | None, reason: str | None, *, everything: bool
) -> QuarantineFilter:
    wanted = QuarantineFilter(name=name, outcome=outcome, source=source, reason=reason)
    if wanted == QuarantineFilter() and not everything:
        raise typer.BadParameter("nothing selected: give --name, --outcome, --source or --reason, or --all")
    return wanted


def _with_acts(use: Callable[[QuarantineActs], Awaitable[_Result]]) -> _Result:
    """Open the store of the settings and its quarantine, use it, close; return what `use` returns."""
    settings = load_settings()

    async def work(outbox: Outbox) -> _Result:
        switches = await Switches.read(outbox)
        running = assemble.running_catalog(settings)
        replaying = assemble.replaying(settings, running, outbox, why_off=switches.why_off, clock=time.time)
        return await use(QuarantineActs(replaying, Audit(outbox, time.time)))

    return with_outbox(work)


def _show(replay: Replay, *, as_json: bool) -> None:
    facts: dict[str, Any] = replay_json(replay)
    if as_json:
        print_json(facts)
        return
    table = Table("result", "events")
    for each in facts["by_preset"]:
        add_row(table, " · ".join(filter(None, (each["preset"], each["outcome"], each["reason"]))), each["count"])
    print_table(table)
    unread = f" {replay.unreadable} cannot be read: they are sealed with another key." if replay.unreadable else ""
    print_line(f"{replay.leaving} of {replay.events} quarantined events leave the quarantine.{unread}")

"""The command `pinrelay`."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from app import __version__
from app.commands import (
    audit,
    backup,
    dead_letters,
    demo,
    find,
    forget,
    import_events,
    import_segment,
    init,
    inventory,
    ledger_export,
    message,
    outbox_move,
    preview,
    preview_source,
    quarantine,
    reconcile,
    revenue,
    sandbox,
    serve,
    status,
    test_alert,
    verify,
)
from app.commands.terminal import say
from app.config.settings_file import SETTINGS_FILE, take_settings_file
from app.core.log import configure_logging
from app.core.values.texts import visible
from app.errors import OutboxError, PinrelayError

#: What is wrong with a command line; Typer brings Click's class along, or takes Click's own.
_UsageFault: Final[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


class _Group(TyperGroup):
    """Errors about the command line quote it, so hidden characters are written out in them, too."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        with _visible_errors():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with _visible_errors():
            return super().invoke(ctx)


@contextmanager
def _visible_errors() -> Iterator[None]:
    try:
        yield
    except _UsageFault as exc:
        exc.message = visible(exc.message, lines=True)
        raise


EXIT_CODES = {
    0: "done",
    1: "something is wrong and was named",
    2: "the command line cannot be used",
    3: "the outbox cannot be used",
}

cli = typer.Typer(
    name="pinrelay",
    cls=_Group,
    help="Pinrelay brings Segment events to Pinterest's Conversions API: once, well matched, and explained.",
    epilog="Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
#: In the order in which the help lists them.
COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "serve": serve.serve,
    "init": init.init,
    "check": preview.check,
    "preview": preview.preview,
    "preview-source": preview_source.preview_source,
    "import-segment": import_segment.import_segment,
    "import": import_events.import_files,
    "find": find.find,
    "reconcile": reconcile.reconcile,
    "revenue": revenue.revenue,
    "dead-letters": dead_letters.dead_letters,
    "redrive": dead_letters.redrive,
    "dismiss": dead_letters.dismiss,
    "message": message.message,
    "status": status.status,
    "inventory": inventory.show,
    "forget": forget.forget,
    "audit": audit.audit,
    "test-alert": test_alert.send_test_alert,
    "verify": verify.verify,
    "outbox-move": outbox_move.outbox_move,
    "backup": backup.backup,
    "restore": backup.restore,
    "outbox-salvage": backup.outbox_salvage,
    "ledger-export": ledger_export.ledger_export,
    "sandbox": sandbox.sandbox,
    "demo": demo.demo,
}
for name, command in COMMANDS.items():
    cli.command(name)(command)
cli.add_typer(quarantine.commands, name="quarantine")


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer's callback passes it
    if asked:
        say(f"pinrelay {__version__}")
        raise typer.Exit


@cli.callback()
def take_options(
    *, version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False
) -> None:
    """Print the version where it is asked for; else take up the settings of this folder, for every command."""
    del version  # its callback has printed it
    take_settings_file(Path(SETTINGS_FILE), os.environ)


def main() -> None:
    """Run the command line; known errors, and files that cannot be used, become one clear text and an exit code."""
    configure_logging("auto", "warning")
    try:
        cli()
    except PinrelayError as exc:
        _end(str(exc), 3 if isinstance(exc, OutboxError) else 1)
    except OSError as exc:
        if exc.strerror is None:
            raise
        _end(f"{exc.filename} cannot be used: {exc.strerror}" if exc.filename else exc.strerror, 1)


def _end(told: str, code: int) -> NoReturn:
    for line in f"pinrelay: {told}".split("\n"):
        say(line, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""The command `pinrelay`.

A command is imported when it runs: `--version`, `--help` and completion import no part of the server.
"""

import ast
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from app import __version__
from app.core.values.texts import visible
from app.errors import OutboxError, PinrelayError
from app.operations import GROUPS

#: Errors in a command line; Typer includes Click's class, or uses Click's own.
_UsageFault: Final[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


@contextmanager
def _visible_errors() -> Iterator[None]:
    try:
        yield
    except _UsageFault as exc:
        exc.message = visible(exc.message, lines=True)
        raise


EXIT_CODES = {
    0: "done",
    1: "failed, see the error",
    2: "wrong command line",
    3: "outbox unavailable",
}

#: These commands report removed settings together with all other faults.
_REPORT_ALL_FAULTS: Final = ("serve", "check")
#: In the order of the help: the module in `app.commands`, and the function or the Typer in it.
COMMANDS: Final[Mapping[str, str]] = {
    "serve": "serve:serve",
    "init": "init:init",
    "check": "preview:check",
    "test": "file_tests:run_files",
    "shadow": "shadow:shadow",
    "preview": "preview:preview",
    "preview-source": "preview:preview_source",
    "sources-pixel": "sources_pixel:sources_pixel",
    "import-segment": "import_segment:import_segment",
    "import": "import_events:import_files",
    **dict.fromkeys(GROUPS, ""),
    "find": "find:find",
    "reconcile": "reconcile:reconcile",
    "message": "find:message",
    "status": "status:status",
    "feed": "feed:feed",
    "tag-check": "tag_check:tag_check",
    "forget": "forget:forget",
    "person": "forget:person",
    "test-alert": "verify:send_test_alert",
    "verify": "verify:verify",
    "outbox-move": "backup:outbox_move",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "outbox-salvage": "backup:outbox_salvage",
    "ledger-export": "ledger_export:ledger_export",
    "sandbox": "sandbox:sandbox",
    "demo": "demo:demo",
}


class Commands(TyperGroup):
    """Lists commands by name, and imports a command when it runs.

    Errors about the command line quote it, so hidden characters are escaped in them, too.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._loaded: set[str] = set()
        for name in COMMANDS:
            self.add_command(TyperCommand(name))

    def load(self, name: str) -> None:
        """Import a command, unless it is unknown or imported."""
        if name in COMMANDS and name not in self._loaded:
            found = _imported(name)
            if not isinstance(found, typer.Typer):
                alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
                alone.command(name)(found)
                found = alone
            self.add_command(get_command(found), name)
            self._loaded.add(name)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; a command that is not imported only has its name and its help text."""
        found = super().get_command(ctx, cmd_name)
        if found is not None and found.help is None:
            found.help = _about(cmd_name)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the requested command."""
        self.load(args[0])
        return super().resolve_command(ctx, args)

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read the command line."""
        with _visible_errors():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _visible_errors():
            return super().invoke(ctx)


def _imported(name: str) -> Any:
    """Import a command, or the commands of a group of operations."""
    if name in GROUPS:
        return import_module("app.commands.operations").commands_of(name)
    module, _, member = COMMANDS[name].partition(":")
    return getattr(import_module(f"app.commands.{module}"), member)


def _about(command: str) -> str:
    """Return the first paragraph of a command's docstring, without importing the command."""
    if command in GROUPS:
        return GROUPS[command]
    module, _, member = COMMANDS[command].partition(":")
    spec = find_spec(f"app.commands.{module}")
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    for each in ast.parse(source).body:
        if isinstance(each, ast.FunctionDef) and each.name == member:
            return inspect.cleandoc(ast.get_docstring(each) or "").partition("\n\n")[0]
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call) and ast.unparse(each.targets[0]) == member:
            said = {keyword.arg: keyword.value for keyword in each.value.keywords}
            return str(ast.literal_eval(said["help"]))
    raise AssertionError(f"{command} is unreachable")


cli = typer.Typer(
    name="pinrelay",
    cls=Commands,
    help="Send Segment events to Pinterest's Conversions API, each once, and see what became of every event.",
    epilog="Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def all_commands() -> Commands:
    """Return the command with all commands imported."""
    group = cast("Commands", get_command(cli))
    for name in COMMANDS:
        group.load(name)
    return group


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer's callback passes it
    if asked:
        typer.echo(visible(f"pinrelay {__version__}"))
        raise typer.Exit


@cli.callback()
def take_options(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Print the version if requested; otherwise load the settings of this folder, for all commands."""
    del version  # its callback has printed it
    from app.config.settings_file import SETTINGS_FILE, refuse_removed, take_settings_file  # noqa: PLC0415 - no part of --version
    from app.core.log import configure_logging  # noqa: PLC0415 - likewise

    configure_logging("auto", "warning")
    take_settings_file(Path(SETTINGS_FILE), os.environ)
    if context.invoked_subcommand not in _REPORT_ALL_FAULTS:
        refuse_removed(os.environ)


def main() -> None:
    """Run the command line; known errors, and errors of files, become a clear message and an exit code."""
    try:
        cli()
    except PinrelayError as exc:
        _end(str(exc), 3 if isinstance(exc, OutboxError) else 1)
    except OSError as exc:
        if exc.strerror is None:
            raise
        _end(f"Cannot use {exc.filename}: {exc.strerror}" if exc.filename else exc.strerror, 1)


def _end(told: str, code: int) -> NoReturn:
    for line in f"pinrelay: {told}".split("\n"):
        typer.echo(visible(line), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

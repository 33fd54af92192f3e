"""Commands that derive from the declarations of operations."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib import import_module
from inspect import Parameter, Signature
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.commands.terminal import (
    add_row,
    caller,
    print_csv,
    print_json,
    print_line,
    print_table,
    time_text,
    with_outbox,
)
from app.config import load_settings
from app.core.coordination import Switches
from app.operations import GROUPS
from app.operations.declaration import (
    OPERATIONS,
    Call,
    Operation,
    Result,
    Services,
    Surface,
    cell_text,
    counts_text,
    csv_text,
    faults_of,
    operations_of,
    plain,
    value_text,
)
from app.outbox import Outbox
from app.pipeline.replay import Replaying

#: Operations whose rows no table of columns can show: the function that prints them.
_RENDERERS: Final = {"orders revenue": "revenue:print_revenue"}


def commands_of(group: str) -> typer.Typer:
    """Return the commands of a group of operations."""
    app = typer.Typer(
        help=GROUPS[group],
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    for each in operations_of(group):
        if Surface.COMMAND not in each.excluded:
            app.command(each.verb or group, help=_help(each))(_command(each))
    if group not in OPERATIONS:
        app.callback()(lambda: None)  # without a callback Typer makes a single command of a group with one command
    return app


def _help(operation: Operation) -> str:
    words = [
        str(value) if operation.trait(name, "x-argument") else _option(name) + ("" if value is True else f' "{value}"')
        for name, value in operation.example.items()
    ]
    return f"{operation.text}\n\nExample: {' '.join(['pinrelay', operation.name, *words])}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _command(operation: Operation) -> Callable[..., None]:
    def run(**given: Any) -> None:
        as_json, as_csv = given.pop("as_json"), given.pop("as_csv", False)
        texts = {name: value for name, value in given.items() if value not in (None, False)}
        _read(operation, texts | _page_limit(operation, texts))
        if operation.rows:
            result, rows = with_outbox(lambda outbox: _rows(operation, outbox, texts))
            _print_rows(operation, rows, as_json, as_csv)
            if not (as_json or as_csv):
                _print_lists({name: value for name, value in _members(result).items() if name != operation.rows})
        else:
            result = with_outbox(lambda outbox: operation(_call(outbox), _read(operation, texts)))
            _print_result(result, as_json=as_json, is_dry=given.get("dry_run", False))

    parameters = [_parameter(operation, name) for name in operation.params.model_fields if name != "cursor"]
    parameters.append(_flag("as_json", "--json", "Print JSON."))
    if operation.columns:
        parameters.append(_flag("as_csv", "--csv", "Print CSV."))
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Typer reads the options from it
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _flag(name: str, option: str, text: str) -> Parameter:
    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, typer.Option(option, help=text)]
    )


def _parameter(operation: Operation, name: str) -> Parameter:
    field = operation.params.model_fields[name]
    text = field.description or ""
    if name in operation.flags:
        return _flag(name, _option(name), text)
    schema = operation.params.model_json_schema()["properties"][name]
    choices = _choices(operation.params.model_json_schema(), schema)
    if field.default is not None and not field.is_required():
        text = f"{text} Default: {field.default}."
    metavar = f"[{'|'.join(choices)}]" if choices else None
    if operation.trait(name, "x-argument"):
        kind: Any = typer.Argument(help=text, metavar=metavar)
    else:
        kind = typer.Option(_option(name), help=text, metavar=metavar)
    default = Parameter.empty if field.is_required() else None
    annotation = str if field.is_required() else str | None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, kind])


def _choices(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the values that the schema of a parameter lists."""
    parts = [schema, *schema.get("anyOf", ())]
    named = [document["$defs"][part["$ref"].rpartition("/")[2]] for part in parts if "$ref" in part]
    return [str(value) for part in (*parts, *named) for value in part.get("enum", ())]


def _call(outbox: Outbox) -> Call:
    settings = load_settings()
    running = cache(partial(assemble.running_catalog, settings))

    async def replaying() -> Replaying:
        switches = await Switches.read(outbox)
        return assemble.replaying(settings, running(), outbox, why_off=switches.why_off, clock=time.time)

    services = Services(
        settings=settings,
        outbox=outbox,
        finder=assemble.event_finder(settings, outbox),
        audit=Audit(outbox, time.time),
        catalog=lambda: running().catalog,
        replaying=replaying,
    )
    return Call(person=caller(), services=services)


def _read(operation: Operation, given: Mapping[str, Any]) -> Any:
    """Return the parameters. Raises BadParameter, which names the option."""
    try:
        return operation.params.model_validate(given)
    except ValidationError as exc:
        texts = [f"{_option(name)}: {text}" if name else text for name, text in faults_of(exc)]
        raise typer.BadParameter("; ".join(texts)) from exc


def _page_limit(operation: Operation, given: Mapping[str, Any], done: int = 0) -> dict[str, int]:
    """Return the limit of the next page of a list; empty if the list has no pages."""
    limit = str(given.get("limit", operation.params.model_fields["limit"].default)) if _has_pages(operation) else ""
    if not limit.isdecimal():
        return {}
    most: int = operation.params.model_json_schema()["properties"]["limit"]["maximum"]
    return {"limit": min(int(limit) - done, most)}


def _has_pages(operation: Operation) -> bool:
    return "cursor" in operation.params.model_fields


async def _rows(operation: Operation, outbox: Outbox, given: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """Return the last page of a list, and the rows of all pages until the limit."""
    call, cursor = _call(outbox), None
    rows: list[Any] = []
    while True:
        page = {**given, **_page_limit(operation, given, len(rows)), **({"cursor": cursor} if cursor else {})}
        result = await operation(call, _read(operation, page))
        rows += getattr(result, operation.rows)
        cursor = result.next_cursor if _has_pages(operation) else None
        if cursor is None or _page_limit(operation, given, len(rows))["limit"] == 0:
            return result, rows


def _print_rows(operation: Operation, rows: Sequence[Any], as_json: bool, as_csv: bool) -> None:  # noqa: FBT001
    if as_json:
        for row in rows:
            print_json(plain(row))
    elif as_csv:
        print_csv(csv_text(operation.columns, rows, has_head=True))
    elif renderer := _RENDERERS.get(operation.name):
        module, _, function = renderer.partition(":")
        getattr(import_module(f"app.commands.{module}"), function)(rows)
    elif not rows:
        print_line(f"No {operation.rows.replace('_', ' ')}.")
    elif not operation.columns:
        for row in rows:
            _print_details(row)
    else:
        table = Table(*(f"{each.title} (UTC)" if each.kind == "time" else each.title for each in operation.columns))
        for row in rows:
            add_row(table, *(cell_text(each, row) for each in operation.columns))
        print_table(table)


def _print_result(result: Any, *, as_json: bool, is_dry: bool) -> None:
    if as_json:
        print_json(plain(result))
    elif isinstance(result, Result):
        for line in (["Dry run: nothing was changed."] if is_dry else []) + counts_text(result):
            print_line(line)
    else:
        _print_details(result)


def _print_details(result: Any) -> None:
    """Print a record: its values, then a table for each list of records."""
    table, members = Table("field", "value"), _members(result)
    for name, value in members.items():
        if not _is_list(value) and value not in (None, "", (), [], {}):
            add_row(table, name, _value_text(name, value))
    print_table(table)
    _print_lists(members)


def _print_lists(members: Mapping[str, Any]) -> None:
    """Print a table for each list of records."""
    for name, rows in members.items():
        if _is_list(rows):
            names = [*_members(rows[0])]
            table = Table(*names, title=name)
            for row in rows:
                cells = _members(row)
                add_row(table, *(_value_text(each, cells[each]) for each in names))
            print_table(table)


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) > 0 and _is_record(value[0])


def _is_record(value: Any) -> bool:
    return isinstance(value, BaseModel) or is_dataclass(value)


def _members(record: Any) -> dict[str, Any]:
    names = type(record).model_fields if isinstance(record, BaseModel) else [each.name for each in fields(record)]
    return {name: getattr(record, name) for name in names}


def _value_text(name: str, value: Any) -> str:
    is_time = (name == "at" or name.endswith("_at")) and value is not None
    return time_text(value) if is_time else _plain_text(value)


def _plain_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return value_text(_members(value) if _is_record(value) else value)

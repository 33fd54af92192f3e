"""Parity: each operation has the same parameters, results, errors and audit entries on each of its surfaces."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from typer.testing import CliRunner, Result

from app import assemble
from app.api.operations import PREFIX, path_of
from app.cli import COMMANDS, all_commands, cli
from app.core.events import EventKey
from app.core.shared_values import INCIDENTS
from app.insights.alerts.overall import Alert
from app.insights.incidents import begin
from app.operations import GROUPS
from app.operations.declaration import Operation, Surface, all_operations
from app.outbox import open_outbox
from app.source import Intake
from tests import assembled
from tests.insights.inventory.build import counts_of
from tests.operations.test_roles import OPERATIONS
from tests.outbox.build import At, new, rules
from tests.outbox.build import audited as audit_entry
from tests.outbox.new_store import new_store
from tests.web.client import client_of

pytestmark = pytest.mark.usefixtures("tuned_back")

QUARANTINE: Final = {"quarantine_hours": 1, "quarantine_key": "a key of the quarantine, long enough"}
ENVIRONMENT: Final = {name.upper(): str(value) for name, value in QUARANTINE.items()} | {"COLUMNS": "2000"}
OWN_PAGE: Final = {"Origin": "http://127.0.0.1"}
DECLARED: Final = all_operations()
CHANGES: Final = [each for each in DECLARED if each.audit]
#: Commands that no declaration describes yet, and those that never will be, with the reason.
LOCAL: Final = {
    "serve": "runs a process",
    "init": "writes files of this machine",
    "check": "reads files of this machine",
    "test": "reads files of this machine",
    "shadow": "reads files of this machine",
    "preview": "reads files of this machine",
    "preview-source": "reads files of this machine",
    "sources-pixel": "reads files of this machine",
    "import-segment": "writes files of this machine",
    "import": "reads files of this machine",
    "reconcile": "reads files of this machine",
    "verify": "needs no outbox",
    "outbox-move": "the server must be stopped",
    "backup": "writes files of this machine",
    "restore": "the server must be stopped",
    "outbox-salvage": "the server must be stopped",
    "ledger-export": "writes files of this machine",
    "sandbox": "runs a process",
    "demo": "runs a process",
}
UNDECLARED: Final = {
    *("find", "message", "feed", "status", "tag-check"),
    *("forget", "person", "test-alert"),
}
UNDECLARED_PATHS: Final = {
    *("/status", "/messages/{message_id}", "/find"),
    *("/forget", "/reload", "/switch"),
}
#: Texts that at least one kind of parameter refuses. None is large, because a command reads more than one page.
TEXTS: Final = ("", "nonsense", "-1")


def ids(operations: list[Operation]) -> list[str]:
    return [each.name.replace(" ", "-") for each in operations]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an outbox that has dead deliveries and quarantined events."""
    folder = tmp_path_factory.mktemp("parity")
    asyncio.run(_fill(new_store(folder, "pinrelay.db")))
    return folder


async def _fill(url: str) -> None:
    outbox, now = open_outbox(url, rules()), time.time()
    for number, preset in enumerate(("Lead", "Order Completed", "Lead")):
        made = new(preset=preset, message_id=f"dead-{number}", event_name="lead", event_time=int(now) - 90)
        await At(outbox, now).dead_letter(made, "currency is unknown")
    order = new(order_id="SO-1", amount="20", currency="EUR", event_time=int(now) - 90)
    await At(outbox, now).dead_letter(order, "the amount is too small")
    settings = assembled.settings(outbox_url=url, quarantine_names=("Bot Visit",), **QUARANTINE)
    pipeline = assemble.pipeline(
        settings, assembled.shipped_catalog(), outbox=outbox, quarantine=assemble.quarantine(settings, outbox)
    )
    events: list[dict[str, Any]] = [
        {"type": "track", "event": name, "messageId": name, "timestamp": now, "context": {}}
        for name in ("Order Completed", "Bot Visit")
    ]
    await pipeline.accept(Intake(events, now=now))
    await outbox.write_audit(audit_entry())
    incident = begin(Alert(key="blocked", text="Pinterest refuses our calls."), now)
    await INCIDENTS.of(incident.id).write(outbox, replace(incident, until=now))
    kind = EventKey("default", "track", "Order Completed")
    counts = counts_of(kind, 3, outcomes={"invalid": 3}, presets={"Order Completed": 3}, sampled=2, found={"value": 1})
    await outbox.inventory.add(counts, now=now, max_names=9)
    await outbox.close()


@pytest.fixture
def copies(store: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield new copies of the store."""
    return (shutil.copytree(store, tmp_path / str(number)) for number in range(9))


async def by_command(folder: Path, operation: Operation, given: dict[str, Any]) -> Result:
    """Run an operation by its command."""
    words, last = [*operation.name.split(), "--json"], []
    for name, value in given.items():
        if operation.trait(name, "x-argument"):
            last = ["--", str(value)]
        else:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [f"{option}={value}"]
    env = ENVIRONMENT | {"OUTBOX_URL": f"sqlite:///{folder}/pinrelay.db"}
    return await asyncio.to_thread(CliRunner().invoke, cli, [*words, *last], env=env)


async def by_api(client: httpx.AsyncClient, operation: Operation, given: dict[str, Any]) -> httpx.Response:
    """Run an operation by its route."""
    path = f"{PREFIX}{path_of(operation)}"
    if "{id}" in path:
        return await client.get(path.format(**given))
    if operation.method == "POST":
        return await client.post(path, json=given)
    return await client.get(path, params={name: str(value) for name, value in given.items()})


async def by_console(client: httpx.AsyncClient, operation: Operation, given: dict[str, Any]) -> httpx.Response:
    """Run a change by its form."""
    form = {name: "true" if value is True else str(value) for name, value in given.items()}
    path = f"/console/{operation.group}/{operation.verb}"
    return await client.post(path, data=form, headers=OWN_PAGE)


async def audited(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return the entries since the store was filled."""
    outbox = open_outbox(f"sqlite:///{folder}/pinrelay.db", rules())
    entries = (await outbox.audit(limit=9)).entries
    await outbox.close()
    return [(each.what, each.target, each.before, each.after) for each in entries[:-1]]


def printed(operation: Operation, result: Result) -> Any:
    """Return the JSON of a command as the API has it."""
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return lines if operation.rows else lines[0]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    async def read() -> dict[str, Any]:
        async with client_of(tmp_path_factory.mktemp("document")) as client:
            found: dict[str, Any] = (await client.get("/openapi.json")).json()
            return found

    return asyncio.run(read())


@pytest.mark.parametrize("operation", DECLARED, ids=ids(DECLARED))
def test_an_operation_is_on_each_surface_unless_its_declaration_has_a_reason(
    operation: Operation, document: dict[str, Any]
) -> None:
    assert all(reason.strip() for reason in operation.excluded.values())
    names = set(operation.params.model_fields)
    routes = OPERATIONS[operation.name][1]
    if Surface.COMMAND not in operation.excluded:
        command: Any = all_commands().commands[operation.group]
        command = command.commands[operation.verb] if operation.verb else command
        options = {each.name for each in command.params if each.name not in {"as_json", "as_csv", "help"}}
        assert options == names - {"cursor"}
    if Surface.API not in operation.excluded:
        route = document["paths"][f"{PREFIX}{path_of(operation)}"][operation.method.lower()]
        assert route["operationId"] == operation.operation_id
        assert _names(document, route) == names
        assert f"{operation.method} {PREFIX}{path_of(operation)}" in {each.route for each in routes}
    shown = any(" /console" in each.route for each in routes)
    assert shown == (Surface.CONSOLE not in operation.excluded)


def _names(document: dict[str, Any], route: dict[str, Any]) -> set[str]:
    if "requestBody" not in route:
        return {each["name"] for each in route.get("parameters", ())}
    reference = route["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return set(document["components"]["schemas"][reference.rpartition("/")[2]]["properties"])


def test_whatever_is_not_declared_is_listed(document: dict[str, Any]) -> None:
    assert set(COMMANDS) - set(GROUPS) == set(LOCAL) | UNDECLARED
    declared = {path_of(each) for each in DECLARED}
    paths = {path.removeprefix(PREFIX) for path in document["paths"] if path.startswith(PREFIX)}
    assert paths - declared == UNDECLARED_PATHS


@pytest.mark.slow
async def test_a_read_has_the_same_result_by_command_and_api(store: Path, subtests: pytest.Subtests) -> None:
    async with client_of(store, **QUARANTINE) as client:
        for operation in DECLARED:
            if operation.audit is None:
                with subtests.test(operation.name):
                    given = dict(operation.example)
                    answer = (await by_api(client, operation, given)).raise_for_status().json()
                    result = printed(operation, await by_command(store, operation, given))
                    assert result == (answer[operation.rows] if operation.rows else answer)
                    assert result


@pytest.mark.slow
@pytest.mark.parametrize("operation", CHANGES, ids=ids(CHANGES))
async def test_a_change_has_the_same_result_and_audit_entry_on_each_surface(
    operation: Operation, copies: Iterator[Path]
) -> None:
    given, command, api, console = dict(operation.example), next(copies), next(copies), next(copies)
    if "dry_run" in operation.params.model_fields:
        dry = printed(operation, await by_command(command, operation, given | {"dry_run": True}))
        assert await audited(command) == []
        assert any(dry.values())
    result = printed(operation, await by_command(command, operation, given))
    assert any(result.values())
    async with client_of(api, **QUARANTINE) as client:
        assert (await by_api(client, operation, given)).raise_for_status().json() == result
    async with client_of(console, **QUARANTINE) as client:
        shown = await by_console(client, operation, given)
    counts = [int(text) for _, text in _shown(shown) if text.isdecimal()]
    assert counts
    assert set(counts) <= {value for value in result.values() if type(value) is int}
    entries = await audited(command)
    assert len(entries) == 1
    assert entries == await audited(api) == await audited(console)


def _shown(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return the parameters of the address that a form leads to."""
    return parse_qsl(urlsplit(answer.headers["location"]).query)


@pytest.mark.slow
@pytest.mark.parametrize("operation", DECLARED, ids=ids(DECLARED))
async def test_a_command_and_the_api_refuse_the_same_texts_with_the_same_errors(
    operation: Operation, store: Path
) -> None:
    async with client_of(store, **QUARANTINE) as client:
        for name in sorted(operation.params.model_fields.keys() - operation.flags - {"cursor"}):
            for text in TEXTS:
                given = _complete(operation) | {name: text}
                if not text and operation.trait(name, "x-argument"):
                    continue  # the path is that of the list
                answer, result = await by_api(client, operation, given), await by_command(store, operation, given)
                place, output = (operation.name, name, text), " ".join(result.output.split())
                assert (answer.status_code == 422, answer.is_success) == (
                    result.exit_code == 2,
                    result.exit_code == 0,
                ), place
                for each in answer.json().get("errors", ()) if answer.status_code == 422 else ():
                    option = f"--{each['name'].replace('_', '-')}: " if each["name"] else ""
                    assert f"{option}{' '.join(each['detail'].split())}" in output, place
                if answer.status_code == 404:
                    assert str(result.exception) == answer.json()["detail"], place


def _complete(operation: Operation) -> dict[str, Any]:
    """Return the required parameters; of changes also one filter that matches nothing, and `dry_run`."""
    fields = operation.params.model_fields
    given = {name: value for name, value in operation.example.items() if fields[name].is_required()}
    given |= {"reason": "no such reason"} if "all" in fields else {}
    return given | ({"dry_run": True} if "dry_run" in fields else {})


#: What is asked for, and the error that all three surfaces have.
ERRORS: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "no such delivery": (
        "deliveries redrive",
        {"delivery_id": "999999"},
        "delivery 999999 not found; search by its message id",
    ),
    "no such preset": (
        "deliveries dismiss",
        {"preset": "Order Complet", "because": "x"},
        'unknown preset; the nearest is "Order Completed"',
    ),
    "no reason": ("deliveries dismiss", {"preset": "Lead", "because": " "}, "Give a reason of 1 to 200 characters"),
    "no such time": ("deliveries redrive", {"since": "noon"}, 'The filter "since"'),
    "no filter": ("quarantine discard", {}, "Give at least one filter"),
    "two values of which one is wrong": ("quarantine replay", {"all": True, "outcome": "lost"}, "'withheld'"),
    "nothing is kept": ("quarantine replay", {"all": True}, "QUARANTINE_HOURS is not set, so nothing is quarantined"),
}


@pytest.mark.slow
async def test_an_error_has_the_same_text_on_each_surface(
    store: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "QUARANTINE_HOURS", "0")
    operations = {each.name: each for each in DECLARED}
    async with client_of(store) as client:
        for name, (asked, given, text) in ERRORS.items():
            with subtests.test(name):
                operation = operations[asked]
                api, console = await by_api(client, operation, given), await by_console(client, operation, given)
                command = await by_command(store, operation, given)
                assert text in api.json()["detail"]
                assert text.lower() in _plain(console.text).lower()
                assert text in str(command.exception) + " ".join(command.output.split())
                assert (api.status_code, console.status_code) in {(404, 404), (422, 400)}


def _plain(page: str) -> str:
    return page.replace("&#34;", '"').replace("&quot;", '"').replace("&#39;", "'")

"""What programs rely on: every command that prints a result prints JSON of one shape, and ends with a known code."""

import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import typer

from app.cli import EXIT_CODES, all_commands, cli, main
from tests.commands.conftest import Run, documented
from tests.outbox.new_store import new_store
from tests.process import (
    COMMAND,
    ITSELF,
    PLAIN,
    ROOT,
    START_S,
    Server,
    clean_environment,
    free_port,
    measuring,
    run_command,
    server_environment,
)
from tests.sandbox.events import pinterest_event
from tests.waiting import slowdown, until

PAGE = {"type": "page", "messageId": "p-1", "context": {"ip": "203.0.113.9", "userAgent": "x"}}
SERVERS = {"serve", "sandbox"}
OUTPUT = (ROOT / "docs/command-output.md").read_text(encoding="utf-8")


def commands(group: Any, above: str = "") -> dict[str, Any]:
    """Return the commands of a group by all their words."""
    found: dict[str, Any] = {}
    for name, one in group.commands.items():
        found |= commands(one, f"{name} ") if hasattr(one, "commands") else {f"{above}{name}": one}
    return found


COMMANDS = commands(all_commands())


#: What only the server and the commands need.
HEAVY = {"fastapi", "starlette", "uvicorn", "httpx", "pydantic", "structlog", "orjson", "msgspec"}


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """One page that is enqueued, and one event without an identifier, which is invalid."""
    file = tmp_path / "events.ndjson"
    lines = (PAGE, {**PAGE, "messageId": "p-2", "context": {}})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - SERVERS))
def test_every_command_but_the_servers_takes_json_and_says_so(command: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[command].params for option in parameter.opts}
    assert documented(command)


def test_the_list_of_commands_says_of_each_what_its_own_help_says_first() -> None:
    listed: Any = typer.main.get_command(cli)
    for name, loaded in all_commands().commands.items():
        assert listed.get_command(None, name).help == inspect.cleandoc(loaded.help or "").partition("\n\n")[0]


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_who_asks_for_version_or_help_waits_for_nothing_of_the_server(asked: str, tmp_path: Path) -> None:
    """CPU is measured, not time. On a quiet machine it takes 0.2 s at most; with the server it took 1 s."""
    code = f"""
import sys, time, app.cli
sys.argv = ["pinrelay", "{asked}"]
try:
    app.cli.main()
except SystemExit:
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "app")
    heavy = {HEAVY} & sys.modules.keys()
    print(ours, sorted(heavy), time.process_time() < 0.5, file=sys.stderr)
"""
    command, environment = [sys.executable, "-c", code], clean_environment()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    ours = [
        "app",
        "app.cli",
        "app.commands",
        "app.core",
        "app.core.values",
        "app.core.values.texts",
        "app.errors",
        "app.operations",
    ]
    if asked == "--version":
        ours.remove("app.commands")
    assert done.stderr == f"{ours} [] True\n"


@pytest.mark.parametrize(
    ("command", "arguments", "form"),
    [
        ("check", (), 0),
        ("preview", ("EVENTS",), 0),
        ("preview", ("EVENTS", "--explain"), 1),
        ("import", ("EVENTS",), 0),
        ("deliveries redrive", ("--all",), 0),
        ("message", ("p-2",), 0),
        ("status", (), 0),
        ("verify", (), 0),
        ("outbox-move", ("OTHER", "OTHER-2"), 0),
        ("ledger-export", ("FOLDER",), 0),
        ("demo", ("--rounds", "1"), 0),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_the_names_in_the_json_are_those_of_the_documentation(
    run: Run, events: Path, command: str, arguments: tuple[str, ...], form: int
) -> None:
    if command == "message":
        run("import", events)
    named = {"EVENTS": str(events), "OTHER": f"sqlite:///{events.parent}/2.db", "OTHER-2": f"sqlite:///{events}-3.db"}
    named["FOLDER"] = str(events.parent / "ledger")
    if command == "outbox-move":
        run("import", events, OUTBOX_URL=named["OTHER"])

    result = run(*command.split(), *(named.get(word, word) for word in arguments), "--json")

    printed = [json.loads(line) for line in result.stdout.splitlines() if line.startswith(("{", "["))]
    assert printed
    for value in printed:
        rows = value if isinstance(value, list) else [value]
        assert all(row.keys() == documented(command)[form] for row in rows)


def test_explaining_in_json_names_the_paths(run: Run, events: Path) -> None:
    first, _ = map(json.loads, run("preview", events, "--explain", "--json").stdout.splitlines())
    (preset,) = (each for each in first["presets"] if each["matched"])
    (row,) = (row for row in preset["fields"] if row["field"] == "user_data/client_ip_address")
    value = "203.0.113.9"
    assert row == {
        "field": "user_data/client_ip_address",
        "from": ["context.ip"],
        "value": value,
        "normalised": "",
        "sent": value,
    }

    (refused,) = map(json.loads, run("preview", "-", "--explain", "--json", stdin="[3]").stdout.splitlines())
    assert (refused["deliveries"][0]["outcome"], refused["presets"]) == ("refused", [])


def call(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return run_command(*arguments, environment=clean_environment(**settings) | measuring())


NO_OUTBOX = {"outbox_url": "sqlite:////dev/null/o.db"}
RECONCILE = ("reconcile", "", "--query", "SELECT 'SO-1' AS id, 1 AS total", "--order-id", "id", "--total", "total")


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize(
    ("code", "arguments", "settings"),
    [
        pytest.param(0, ("check",), {}, id="presets are fine"),
        pytest.param(1, ("check", "--presets", "nowhere"), {}, id="presets are not fine"),
        pytest.param(1, ("status",), {"port": "eighty"}, id="a setting is wrong"),
        pytest.param(1, ("verify",), {}, id="no credentials"),
        pytest.param(1, ("message", "nobody"), {}, id="nothing found"),
        pytest.param(1, ("restore", "name" * 100), {}, id="a name that no file may have"),
        pytest.param(1, (*RECONCILE, "--details", "/dev/full"), {}, id="a full disk"),
        pytest.param(2, ("deliveries", "redrive"), {}, id="not said what to redrive"),
        pytest.param(2, ("nothing",), {}, id="no such command"),
        pytest.param(3, ("status",), NO_OUTBOX, id="no outbox for a command"),
    ],
)
def test_a_command_ends_with_the_code_that_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
    arguments: tuple[str, ...],
    settings: dict[str, object],
) -> None:
    environment = clean_environment(**({"outbox_url": f"sqlite:///{tmp_path}/o.db", "port": free_port()} | settings))
    new_store(tmp_path, "o.db")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [COMMAND.name, *arguments])
    with patch.dict(os.environ, environment, clear=True), pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == code, told
    assert (told == "") is (code == 0)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("code", "arguments", "settings"),
    [
        pytest.param(0, ("check",), {}, id="presets are fine"),
        pytest.param(3, ("serve",), NO_OUTBOX, id="no outbox for a server"),
    ],
)
def test_its_process_ends_with_that_code_and_shows_no_traceback(
    tmp_path: Path, code: int, arguments: tuple[str, ...], settings: dict[str, object]
) -> None:
    done = call(*arguments, **({"outbox_url": f"sqlite:///{tmp_path}/o.db", "port": free_port()} | settings))
    assert done.returncode == code, done.stderr
    assert (done.stderr == "") is (code == 0)
    assert "Traceback" not in done.stderr


@pytest.mark.whole
def test_watching_prints_a_line_of_json_again_and_again_until_it_is_interrupted(tmp_path: Path) -> None:
    environment = clean_environment(outbox_url=new_store(tmp_path, "o.db"), pythonunbuffered=1) | measuring()
    # A test run in the background ignores SIGINT, and so would what it starts.
    command = ["env", "--default-signal=INT", str(COMMAND), "status", "--watch", "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        first, second = json.loads(watching.stdout.readline()), json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    assert first.keys() == second.keys() == documented("status")[0]


@pytest.mark.whole
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_listen_ends_with_1(tmp_path: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("serve", "--workers", workers, outbox_url=f"sqlite:///{tmp_path}/o.db", port=port)
    assert done.returncode == 1
    assert "pinrelay: HOST and PORT" in done.stderr
    assert "set another PORT or stop the program that has it" in done.stderr


@pytest.mark.whole
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_whose_postgresql_is_not_there_says_so_and_ends_with_3(workers: str) -> None:
    environment = clean_environment(outbox_url="postgresql://127.0.0.1:1/x", port=free_port(), log_format="json")
    environment |= measuring()
    command = [str(COMMAND), "serve", "--workers", workers]
    patience_s = 60 * slowdown()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
    )
    assert done.returncode == 3
    assert '"event":"cannot start"' in done.stderr
    assert "cannot reach the PostgreSQL server: check that it runs, and host and port of OUTBOX_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.whole
def test_a_sandbox_that_cannot_listen_ends_with_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("sandbox", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot listen there" in done.stderr
    assert "Use another port, or stop the program that has it" in done.stderr


def test_a_server_that_was_asked_to_end_ends_by_that_signal(server: Server) -> None:
    assert server.stop() == -signal.SIGTERM  # 143 in a shell
    assert "| 143 |" in OUTPUT


@pytest.mark.measured
def test_a_sandbox_alone_asks_for_its_token_and_keeps_what_it_received(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    port = free_port()
    arguments = ("sandbox", "--port", str(port), "--token", "t0ken", "--file", str(tmp_path / "kept.ndjson"))
    sandbox = start_server(arguments=arguments, port=port)
    url, body = f"{sandbox.url}/sandbox/v5/ad_accounts/42/events", {"data": [pinterest_event()]}
    answers = [
        httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, **PLAIN)
        for token in ("another", "t0ken")
    ]
    assert [answer.status_code for answer in answers] == [401, 200]

    sandbox.stop()
    sandbox.start()
    assert httpx.get(f"{sandbox.url}/sandbox/", **PLAIN).json()["received"] == 1


def test_the_help_and_the_documentation_name_every_exit_code(run: Run) -> None:
    help_text = " ".join(run("--help").stdout.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in help_text
        assert re.search(rf"^\| {code} \| {meaning}", OUTPUT, re.MULTILINE)


OPEN = {"host": "0.0.0.0", "sources": "shopify", "shopify_webhook_secret": "0123456789abcdef"}


@pytest.mark.whole
@pytest.mark.parametrize(
    ("arguments", "given", "listed"),
    [
        ((), {}, ["events POST 127.0.0.1/webhook", "events POST 127.0.0.1/v1/batch", "console 127.0.0.1/console"]),
        (("--role", "send"), {}, ["console 127.0.0.1/console"]),
        (("--workers", "2"), OPEN, ["events POST localhost/webhook/shopify", "console localhost/console, from this"]),
        (
            (),
            OPEN | {"console_password": "0123456789abcdef", "write_keys": "page:0123456789abcdef"},
            [
                "events POST localhost/v1/batch",
                "events POST localhost/webhook/shopify",
                "console localhost/console",
            ],
        ),
    ],
)
def test_a_server_lists_the_addresses_that_are_open_when_they_are(
    tmp_path: Path, arguments: tuple[str, ...], given: dict[str, str], listed: list[str]
) -> None:
    environment = server_environment(tmp_path, **given)
    server = Server(
        port=int(environment["PORT"]),
        environment=environment,
        log_path=tmp_path / "log",
        arguments=("serve", *arguments),
        program=ITSELF,
    )
    try:
        server.start()
        until(lambda: "  delivers  to " in server.log, START_S, "the banner")
        lines = [
            " ".join(line.split()) for line in server.log.splitlines() if line.startswith(("  events", "  console"))
        ]
        plain = [line.replace("http://", "").replace(f":{server.port}", "") for line in lines]
        assert [line[: len(each)] for line, each in zip(plain, listed, strict=True)] == listed
        for line in lines:
            address = line.split("http", 1)[1].partition(",")[0]
            call_it = httpx.post if "POST" in line else httpx.get
            assert call_it(f"http{address}", **PLAIN).status_code in {200, 303, 400, 401, 422}, line
    finally:
        server.end()

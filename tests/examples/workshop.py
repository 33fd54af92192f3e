"""Where the scripts of the documentation are run: a folder with what they name, beside a server in sandbox mode."""

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.outbox import open_outbox
from tests.examples.blocks import BLOCKS, Block
from tests.outbox.build import NOW, At, new, payload, rules
from tests.process import COMMAND, PATH, PLAIN, ROOT, STOP_S, Server, free_port, running
from tests.waiting import until

#: As docs/sources.md shows it.
HEADER = {"X-Pinrelay-Key": "a-long-random-text"}
EMAIL = "eva@example.com"
EMAIL_DIGEST = sha256(EMAIL.encode()).hexdigest()
#: In the place of what must not, or cannot, be used as it is. A server is left running beside the rest of its script.
_PROGRAMS = {
    "pinrelay": """
        [ "$1" = serve ] || exec {command} "$@"
        case "$*" in *"--role send"*) PORT=$OTHER_PORT; export PORT;; esac
        {command} "$@" >>server.log 2>&1 &
        until {curl} --silent --fail "http://127.0.0.1:$PORT/healthz" >/dev/null; do
            kill -0 $! || {{ cat server.log >&2; exit 1; }}
            sleep 0.1
        done""",
    "make": '[ "$*" = run ] && exec pinrelay serve',
    "pip": """extra=${{2#*\\[}} && grep -q "^${{extra%\\]}} = " {root}/pyproject.toml""",
    "curl": """exec {curl} --silent --show-error --fail-with-body "$@" """,
    "pgrep": """exec {pgrep} --parent {pid} "$@" """,
}
#: What whoever runs them is told to put in.
_OF_READERS = {"segment_token": "token", "segment_destination": "id"}
_FOLDERS = ("presets", "mappings", "sources", "destinations", "docs", "tests")
_ORDERS = "Name,Email,Financial Status,Subtotal,Currency,Created at,Accepts Marketing\n"


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A folder and a server that scripts share; a script that starts a server itself has an own store."""

    folder: Path
    server: Server
    _numbers: Iterator[int]

    @property
    def sales(self) -> Path:
        """The file of sales that scripts import."""
        return self.folder / "sales.ndjson"

    def run(self, block: Block, *, database: str = "", **settings: object) -> str:
        """Run a script as it is printed, but for hosts and folders; return what it prints. Fails where it fails.

        `database` takes the place of PostgreSQL's URL.
        """
        starts = "serve" in block.text or "make run" in block.text
        port = free_port() if starts else self.server.port
        sandbox = f"{self.server.url}/sandbox/v5"
        changed = {"port": port, "other_port": free_port(), "pinterest_api_url": sandbox, **_OF_READERS, **settings}
        if starts:
            changed = {"outbox_url": f"sqlite:///{self.folder}/{port}.db"} | changed
        environment = self.server.environment | {name.upper(): str(value) for name, value in changed.items()}
        environment["PATH"] = f"{self.folder}/bin{os.pathsep}{PATH}"
        with subprocess.Popen(
            ["sh", "-euc", re.sub(r"postgresql://\S+", database, self._here(block.text, port))],
            cwd=self.folder, env=environment, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                typed = EMAIL if "--person" in block.text else "y"
                printed, told = process.communicate(f"{typed}\n", timeout=3 * STOP_S)
            finally:
                _end(process.pid)
        assert process.returncode == 0, f"{block}: {printed}\n{told}"
        return printed

    def _here(self, script: str, port: int) -> str:
        """Point hosts and folders of a script to this machine, its folder and the server."""
        url = f"http://127.0.0.1:{port}"
        for host in ("http://127.0.0.1:8080", "http://localhost:8080", "https://pinrelay.example"):
            script = script.replace(host, url)
        subscriptions = f"file://{ROOT}/tests/cases/segment_subscriptions.json?"
        script = script.replace(
            "https://api.segmentapis.com/destinations/$SEGMENT_DESTINATION/subscriptions?", subscriptions
        )
        return script.replace("/etc/pinrelay", f"{self.folder}/etc")

    def fill(self) -> None:
        """Send what scripts look for: orders, some that cannot be sent, a name without a preset; leave dead letters."""
        number = next(self._numbers)
        self.sales.write_text(json.dumps(order(f"till-{number}")) + "\n", encoding="utf-8")
        unsent = [order("SO-2", context={}), order("SO-3", event="Checkout", context={})]
        named = [order("SO-5", event="Bot Visit"), order("SO-6", event="order completed")]
        events = [order("SO-1001"), *unsent, *named]
        url = f"{self.server.url}/webhook"
        httpx.post(url, json=events, headers=HEADER, **PLAIN).raise_for_status()
        asyncio.run(self._leave_dead_letters(number))
        inventory = f"{self.server.url}/api/v1/events"
        until(lambda: "order completed" in httpx.get(inventory, **PLAIN).text, what="the inventory is written")

    async def _leave_dead_letters(self, number: int) -> None:
        outbox = open_outbox(self.server.environment["OUTBOX_URL"], rules(), clock=lambda: NOW)
        for reason in ("currency is unknown", "too old"):
            ids = dict.fromkeys(("message_id", "event_id"), f"{reason}-{number}")
            await At(outbox).dead_letter(new(**ids, payload=payload(em=[EMAIL_DIGEST])), reason)
        await outbox.close()


def order(order_id: str, **changes: Any) -> dict[str, Any]:
    """Return the event of an order of now."""
    known = {"traits": {"email": EMAIL}}
    of_shop = {"order_id": order_id, "revenue": 22.5, "currency": "EUR"}
    now = datetime.now(UTC).isoformat()
    event = {"type": "track", "event": "Order Completed", "messageId": f"m-{order_id}", "timestamp": now}
    return event | {"context": known, "properties": of_shop} | changes


@contextmanager
def workshop(folder: Path) -> Iterator[Workshop]:
    """Make one in an empty folder."""
    for name in _FOLDERS:
        (folder / name).symlink_to(ROOT / name)
    for name in ("etc", "my-presets"):
        (folder / name).mkdir()
    (folder / "etc/token").write_text("pina_example", encoding="utf-8")
    preset = next(block.text for block in BLOCKS if block.title == "preset")
    (folder / "my-presets/store_sale.yaml").write_text(preset, encoding="utf-8")
    _write_programs(folder)
    event = json.dumps(order("SO-4"))
    (folder / "event.json").write_text(event, encoding="utf-8")
    (folder / "events.ndjson").write_text(event + "\n", encoding="utf-8")
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S +0000}"
    rows = "".join(f"#SO-{n},eva@example.com,paid,22.50,EUR,{made},yes\n" for n in ("1001", "1009"))
    (folder / "orders_export.csv").write_text(_ORDERS + rows, encoding="utf-8")
    ((name, value),) = HEADER.items()
    kept: dict[str, Any] = {"quarantine_hours": 72, "quarantine_key": "k" * 32, "quarantine_names": "Bot Visit"}
    kept["write_keys"] = "shop:a-key-only-to-try-it-here"  # as docs/browser-helper.md gives it
    with running(folder, webhook_header=f"{name}: {value}", batch_max_wait_s=0.1, **kept) as server:
        yield Workshop(folder=folder, server=server, _numbers=count(1))


def _write_programs(folder: Path) -> None:
    named = {name: shutil.which(name, path=PATH) for name in ("curl", "pgrep")} | {
        "command": COMMAND,
        "root": ROOT,
        "pid": os.getpid(),
    }
    for path in (folder / "bin", folder / ".venv/bin"):
        path.mkdir(parents=True)
    for name, script in _PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{script.format(**named)}\n", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / ".venv/bin/pinrelay").symlink_to(folder / "bin/pinrelay")


def _end(session: int) -> None:
    """End what a script has left running, and wait for it."""
    left = [each for each in psutil.process_iter() if _session_of(each) == session]
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.terminate()
    until(lambda: not any(_session_of(each) for each in left), STOP_S, "what the script started has ended")


def _session_of(process: psutil.Process) -> int:
    """Return the session of a process; 0 where it has ended."""
    try:
        return 0 if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return 0

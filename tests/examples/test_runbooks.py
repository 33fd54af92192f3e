"""docs/runbooks.md: every script runs as printed, in the page's order, on real stores, servers and PostgreSQL.

systemd and Docker are not here: `systemctl`, `systemd-run` and `docker compose` are scripts that start, stop and run
the real `pinrelay` with the settings that unit and container would have. All folders lie in a temporary one.
`make test` forks `pinrelay` (`tests.forked_program`), `make prove` starts the command.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.examples.blocks import BLOCKS, Block
from tests.examples.workshop import HEADER, order
from tests.forked_program import forked_program
from tests.outbox.postgres_server import PostgresServer, program
from tests.process import COMMAND, PATH, PINRELAY, PLAIN, ROOT, STOP_S, clean_environment, free_port
from tests.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.whole, pytest.mark.xdist_group("examples")]

PAGE = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
SCRIPTS = [block for block in BLOCKS if block.page == "runbooks" and block.language == "sh" and not block.why_not]
#: A server that a script starts ends with the test: its process id lies in `server.pid`.
_SYSTEMCTL = """
case "$1" in
  start) set -a; . {root}/etc/pinrelay.env; set +a; cd {root}/state
    {command} serve >>{root}/server.log 2>&1 & echo $! >{root}/server.pid
    until curl --silent --fail "http://127.0.0.1:$PORT/healthz" >/dev/null; do
      kill -0 $! || {{ cat {root}/server.log >&2; exit 1; }}; sleep 0.1
    done;;
  stop) kill "$(cat {root}/server.pid)"; while kill -0 "$(cat {root}/server.pid)" 2>/dev/null; do sleep 0.1; done;;
esac"""
#: Options of systemd-run that hold settings are read, all others left out.
_SYSTEMD_RUN = """
while :; do case "$1" in
  -p) case "$2" in
    EnvironmentFile=-*) set -a; . "${{2#EnvironmentFile=-}}"; set +a;;
    WorkingDirectory=*) cd "${{2#WorkingDirectory=}}";; esac; shift 2;;
  -*) shift;; *) break;; esac; done
exec "$@" """
#: `run` and `exec` are the same here; what is mounted has its place in the container's folder.
_DOCKER = """
shift; verb=$1; shift
case "$verb" in
  start|stop) exec systemctl "$verb" pinrelay;;
  cp) exec cp "{root}/state/${{1#pinrelay:}}" "$2";;
esac
while :; do case "$1" in
  -v) from=${{2%%:*}}; cp "$from" "{root}/state/${{from##*/}}"; shift 2;; -*) shift;; *) break;; esac; done
shift; set -a; . {root}/etc/pinrelay.env; set +a; cd {root}/state
exec "$@" """
#: End the program in the same way as at the end of the time, but as soon as no delivery waits.
_TIMEOUT = """
{timeout} "$@" &
until {curl} --silent "http://127.0.0.1:$PORT/metrics" |
  {awk} '/^pinrelay_backlog_deliveries.*"(pending|claimed)"/ {{ seen++; waiting += $2 }}
    END {{ exit !seen || waiting }}'
do kill -0 $! || break; sleep 0.1; done
kill -ALRM $!
wait $! """


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator["Machine"]:
    root = tmp_path_factory.mktemp("machine")
    is_forked = isinstance(PINRELAY, str)
    command = root / "forked" if is_forked else COMMAND
    with forked_program(str(PINRELAY), command) if is_forked else nullcontext():
        made = Machine(root, postgres_server, command)
        try:
            yield made
        finally:
            made.run_text("systemctl stop pinrelay || true")


class Machine:
    """A folder with the places that the page names, and a server that its scripts start and stop."""

    def __init__(self, root: Path, postgres: PostgresServer, command: Path) -> None:
        self.root, self.port = root, free_port()
        for name in ("bin", "etc", "state", "backups", "opt/bin"):
            (root / name).mkdir(parents=True)
        programs = {name: shutil.which(name, path=PATH) for name in ("awk", "curl", "timeout")}
        scripts = {"systemctl": _SYSTEMCTL, "systemd-run": _SYSTEMD_RUN, "docker": _DOCKER, "timeout": _TIMEOUT}
        for name, script in scripts.items():
            self._write(f"bin/{name}", script.format(root=root, command=command, **programs))
        self._write("opt/bin/pinrelay", f'exec {command} "$@"')
        self._write("bin/pinrelay", f'exec {command} "$@"')
        self._places = {
            "/var/lib/pinrelay": f"{root}/state",
            "/var/backups": f"{root}/backups",
            "/etc/pinrelay": f"{root}/etc",
            "/opt/pinrelay": f"{root}/opt",
            "/usr/local/bin": f"{root}/bin",
            "PORT=8081": f"PORT={free_port()}",
            "/data/backup.db": "backup.db",
            " /restore.db": " restore.db",
            "postgresql://pinrelay@db/pinrelay": postgres.url("pinrelay"),
        }
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            for name in ("pinrelay", "pinrelay_restored"):
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute("CREATE DATABASE pinrelay")
        self.settings = {
            "PORT": str(self.port),
            "WEBHOOK_HEADER": ": ".join(next(iter(HEADER.items()))),
            "BATCH_MAX_WAIT_S": "0.1",
        }
        text = "".join(f"{name}='{value}'\n" for name, value in self.settings.items())
        (root / "etc/pinrelay.env").write_text(text, encoding="utf-8")
        (root / "etc/webhook").write_text("an-old-secret-of-24-letters\n", encoding="utf-8")
        for name in ("presets", "mappings", "sources"):
            (root / "state" / name).symlink_to(ROOT / name)

    def _write(self, name: str, script: str) -> None:
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, block: Block) -> str:
        """Run a script of the page as it is printed, but for places."""
        text = block.text
        for place, here in self._places.items():
            text = text.replace(place, here)
        return self.run_text(text)

    def run_text(self, text: str) -> str:
        """Run a script on this machine; return what it prints. Fails where it fails."""
        postgres = program("pg_dump")
        assert postgres
        path = os.pathsep.join([str(self.root / "bin"), str(postgres.parent), PATH])
        done = subprocess.run(
            ["sh", "-euc", text],
            cwd=self.root, env=clean_environment() | {"PATH": path}, timeout=3 * STOP_S,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def send(self, order_id: str) -> None:
        """Send an order to the server, and wait until its sandbox has it."""
        url = f"http://127.0.0.1:{self.port}"
        httpx.post(f"{url}/webhook", json=order(order_id), headers=HEADER, **PLAIN).raise_for_status()
        until(lambda: order_id in httpx.get(f"{url}/sandbox/events", **PLAIN).text, what=f"{order_id} is delivered")

    def keep_waiting(self, order_id: str) -> None:
        """Send an order while Pinterest answers 503."""
        url = f"http://127.0.0.1:{self.port}"
        fails = {"steps": [{"status": 503, "times": None}]}
        httpx.put(f"{url}/sandbox/script", json=fails, headers=HEADER, **PLAIN).raise_for_status()
        httpx.post(f"{url}/webhook", json=order(order_id), headers=HEADER, **PLAIN).raise_for_status()

    def found(self, text: str, **settings: str) -> str:
        """Return the states of the deliveries that `pinrelay find` has of a text."""
        given = " ".join(f"{name}={value}" for name, value in settings.items())
        lines = self.run_text(f'with="{given}" pinrelay-unit find {text} --json || true').splitlines()
        return " ".join(json.loads(line)["state"] for line in lines)


def section(title: str) -> list[Block]:
    """Return the scripts below a heading of the page, in their order."""
    begin = PAGE[: PAGE.index(f"\n{title}\n")].count("\n") + 1
    after = re.search(r"^##+ ", "\n".join(PAGE.splitlines()[begin + 1 :]), re.MULTILINE)
    lines = "\n".join(PAGE.splitlines()[begin + 1 :])[: after.start() if after else None].count("\n")
    return [block for block in SCRIPTS if begin <= block.line <= begin + 2 + lines]


def test_the_scripts_of_the_page_run_in_its_order_and_do_what_it_says(machine: Machine) -> None:
    done: list[Block] = []

    def follow(title: str, *numbers: int) -> None:
        blocks = section(title)
        for block in [blocks[number] for number in numbers] if numbers else blocks:
            machine.run(block)
            done.append(block)

    machine.run_text("systemctl start pinrelay")
    follow("## Run a command with the unit's settings")
    machine.send("SO-1")
    follow("## Stop")
    machine.send("SO-2")
    follow("## Back up", 0)

    machine.keep_waiting("SO-3")
    follow("## Restore", 0)
    assert (machine.found("SO-2"), machine.found("SO-3")) == ("delivered", "")
    replaced = machine.root / "state/data/pinrelay.db.replaced-1"
    follow("### Drain the replaced store")
    assert machine.found("SO-3", OUTBOX_URL=f"sqlite:///{replaced}") == "delivered"

    machine.send("SO-4")
    follow("## Back up", 1)
    machine.send("SO-5")
    follow("## Restore", 1)
    assert (machine.found("SO-4"), machine.found("SO-5")) == ("delivered", "")

    follow("## Salvage a damaged file")
    assert machine.found("SO-4") == "delivered"
    machine.run_text("sed -i 's/salvaged/pinrelay/' etc/pinrelay.env")

    follow("## Rotate secrets")
    new, old = (machine.root / "etc/webhook").read_text(encoding="utf-8").strip().split(",")
    assert (len(new), old) == (64, "an-old-secret-of-24-letters")

    follow("## Move to PostgreSQL")
    machine.send("SO-6")
    assert (machine.found("SO-4"), machine.found("SO-6")) == ("delivered", "delivered")
    follow("## Back up", 2)
    follow("## Restore", 2)
    assert sorted(map(str, done)) == sorted(map(str, SCRIPTS))

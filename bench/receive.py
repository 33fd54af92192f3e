"""How fast one process takes events: received, mapped, hashed and committed (on the disk), then answered.

    python bench/receive.py [--outbox sqlite|postgres] [--standby] [--workers 1]

Beside it, in the same run: a FastAPI route that only parses the JSON (receiving/bare.py), under uvicorn as well.
The load (receiving/load.py) comes from a process of its own and is the same for both: raw sockets, kept alive.

Bodies are tests/conformance/events.ndjson as if they happened now; no message, no order and no checkout
comes twice.
The server runs with `--role receive`: sending is another process's work, or the same one's when it has time.
With `postgres` the outbox is a server of its own, with fsync on; `--standby` gives it a synchronous standby.
With several workers they share one outbox, and the CPU time is that of all. The goals are those of one process.
Rounds alternate between the two; the best of ROUNDS counts. Where other programs want the same cores, read the CPU
time: the share of the rate suffers from them, the share of CPU time much less.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from tests.outbox.postgres_server import empty_outbox
from tests.process import free_port

BENCH = Path(__file__).parent
ROUNDS = 3
ROUND_S = 4
CONNECTIONS = 128
ARRAY = 1_000
#: A sender of arrays has few under way.
ARRAY_CONNECTIONS = 4
START_S = 60

GOAL_P99_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What one process should reach."""

    #: Of the bare route's rate, for single events.
    share: float
    #: In arrays.
    events_per_s: float


GOALS = {"sqlite": Goal(share=0.5, events_per_s=15_000), "postgres": Goal(share=0.5, events_per_s=12_000)}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One round."""

    requests_per_s: float
    #: Of the server, for one request.
    cpu_s: float
    p99_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1", help="receiving processes (default: 1)")
    parser.add_argument("--outbox", choices=tuple(GOALS), default="sqlite")
    parser.add_argument("--standby", action="store_true", help="with postgres: every commit is on two servers")
    arguments = parser.parse_args()
    workers, goal = arguments.workers, GOALS[arguments.outbox]
    with (
        tempfile.TemporaryDirectory() as folder,
        empty_outbox(Path(folder), arguments.outbox, standby=arguments.standby) as outbox_url,
    ):
        environment = {**os.environ, "OUTBOX_URL": outbox_url, "LOG_FORMAT": "json"}
        pinrelay = [str(Path(sys.executable).parent / "pinrelay"), "serve", "--role", "receive", "--workers", workers]
        bare = [sys.executable, str(BENCH / "receiving" / "bare.py")]
        port = free_port()
        with served(pinrelay, port, environment) as ours, served([*bare, str(port + 1)], port + 1) as baseline:
            _compare_single(ours, baseline, port, goal)
            _measure_arrays(ours, port, goal)
            print(f"what became of the events: {_exits(port)}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _compare_single(ours: psutil.Process, baseline: psutil.Process, port: int, goal: Goal) -> None:
    """Print how single events go, beside the bare route, and how long an answer takes at half load."""
    rounds = [(measure(ours, port), measure(baseline, port + 1)) for _ in range(ROUNDS)]
    mine, bare = (max(column, key=lambda each: each.requests_per_s) for column in zip(*rounds, strict=True))
    cpu_s, bare_cpu_s = (min(each.cpu_s for each in column) for column in zip(*rounds, strict=True))
    share = mine.requests_per_s / bare.requests_per_s
    print(f"single events      {mine.requests_per_s:8,.0f}/s   bare route {bare.requests_per_s:8,.0f}/s")
    print(f"CPU an event       {cpu_s * 1e6:8,.0f} us  bare route {bare_cpu_s * 1e6:8,.0f} us")
    _against_goal("share of the rate", f"{share:.0%}", f"{goal.share:.0%}", met=share >= goal.share)
    print(f"share by CPU time  {bare_cpu_s / cpu_s:.0%}")
    rate = mine.requests_per_s / 2
    half = measure(ours, port, "--rate", f"{rate:.0f}")
    text = f"{half.p99_s * 1e3:.1f} ms at {rate:,.0f}/s"
    _against_goal("p99 at half load", text, f"under {GOAL_P99_S * 1e3:.0f} ms", met=half.p99_s < GOAL_P99_S)


def _measure_arrays(ours: psutil.Process, port: int, goal: Goal) -> None:
    rounds = [measure(ours, port, "--array", str(ARRAY), connections=ARRAY_CONNECTIONS) for _ in range(ROUNDS)]
    rate = max(each.requests_per_s for each in rounds) * ARRAY
    cpu_s = min(each.cpu_s for each in rounds) / ARRAY
    text = f"{rate:,.0f} events/s, CPU an event {cpu_s * 1e6:.0f} us"
    _against_goal(f"arrays of {ARRAY}", text, f"{goal.events_per_s:,}/s", met=rate >= goal.events_per_s)


def _against_goal(name: str, text: str, goal: str, *, met: bool) -> None:
    print(f"{name:18} {text}   goal {goal}: {'met' if met else 'MISSED'}")


def measure(server: psutil.Process, port: int, *more: str, connections: int = CONNECTIONS) -> Measured:
    """Run the load against one server for one round."""
    program = [sys.executable, str(BENCH / "receiving" / "load.py"), str(port)]
    arguments = ["--connections", str(connections), "--seconds", str(ROUND_S), *more]
    before_s = cpu_of(server)
    done = subprocess.run([*program, *arguments], check=True, capture_output=True, text=True)
    said = orjson.loads(done.stdout)
    return Measured(
        requests_per_s=said["answered"] / said["seconds"],
        cpu_s=(cpu_of(server) - before_s) / said["answered"],
        p99_s=said["p99_s"],
    )


def cpu_of(server: psutil.Process) -> float:
    """Return the CPU time of a server and its children so far."""
    times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _exits(port: int) -> dict[str, int]:
    """Read from the metrics how many deliveries ended how."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text.splitlines()
    outcomes: dict[str, int] = {}
    for line in lines:
        if line.startswith("pinrelay_deliveries_total{outcome="):
            outcome = line.split('"')[1]
            outcomes[outcome] = outcomes.get(outcome, 0) + int(float(line.split()[-1]))
    return outcomes


@contextmanager
def served(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[psutil.Process]:
    """Run a server on this port while the block lasts; what it prints is thrown away."""
    settings = None if environment is None else environment | {"PORT": str(port)}
    server = psutil.Popen(command, env=settings, cwd=BENCH.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(server, port)
        yield server
    finally:
        server.terminate()
        server.wait()


def _wait(server: psutil.Process, port: int) -> None:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and server.is_running():
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the server on port {port} did not start")


if __name__ == "__main__":
    main()

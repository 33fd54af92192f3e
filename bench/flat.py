"""Whether memory stays flat: RSS of the real `pinrelay serve` after each part of a long stream of events.

    python bench/flat.py [--events 1000000] [--goal 1.2]

The server receives, commits and sends to its built-in sandbox, all in one process; the load is that of receive.py, in
arrays of 1,000 by HTTP. After each tenth of the events the backlog is waited for, and RSS is read. The goal: after the
last tenth it is at most `--goal` times what it was after the first. Beside it stands where it was after the start.
Ends with 1 where the goal is missed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from tests.process import ROOT, Server, running
from tests.waiting import until

LOAD = ROOT / "bench/receiving/load.py"
ARRAY = 1_000
CONNECTIONS = 2
#: Arrays a second are offered; a slower server sets the pace.
OFFERED_PER_S = 20
PARTS = 10
DRAIN_S = 600


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="in all (default: 1,000,000)")
    parser.add_argument("--goal", type=float, default=1.2, help="last part to first, at most (default: 1.2)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), log_level="warning") as server:
        process = psutil.Process(server.process.pid)
        print(f"after the start    {_rss_mb(process):6.0f} MB", flush=True)
        sizes = [_part(server, process, number, given.events // PARTS) for number in range(1, PARTS + 1)]
    growth = sizes[-1] / sizes[0]
    is_met = growth <= given.goal
    print(f"last to first      {growth:6.2f}   goal {given.goal}: {'met' if is_met else 'MISSED'}")
    sys.exit(0 if is_met else 1)


def _part(server: Server, process: psutil.Process, number: int, events: int) -> float:
    """Send one part, wait until it is delivered, and return RSS in MB."""
    begun = time.monotonic()
    arrays = max(1, events // ARRAY)
    load = [sys.executable, str(LOAD), str(server.port)]
    so_much = ["--connections", str(CONNECTIONS), "--array", str(ARRAY)]
    so_fast = ["--rate", str(OFFERED_PER_S), "--seconds", str(arrays / OFFERED_PER_S)]
    subprocess.run([*load, *so_much, *so_fast], check=True, capture_output=True)
    until(lambda: _waiting(server) == 0, DRAIN_S, "everything to be delivered")
    rss_mb = _rss_mb(process)
    rate = arrays * ARRAY / (time.monotonic() - begun)
    print(f"after {number * arrays * ARRAY:9,} events {rss_mb:6.0f} MB   ({rate:,.0f} events/s)", flush=True)
    return rss_mb


def _waiting(server: Server) -> int:
    delivery = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=30).json()["delivery"]
    return int(delivery["pending"] + delivery["claimed"])


def _rss_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 1e6)


if __name__ == "__main__":
    main()

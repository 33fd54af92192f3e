"""What `pinrelay shadow --live` takes of a core while events arrive: the server's share, and that of the command.

    python bench/live.py [--seconds 5] [--rate 200] [--rounds 9]

The real `pinrelay serve`, over SQLite, keeps samples (SAMPLES_PER_NAME=20) and receives the load of receive.py, one
event a request, at a steady rate. By turns it is left alone, and runs beside a draft that changes every preset. The
median of what the server takes more is its share. Of the command's CPU time, that of its start is left out: a run of
one second takes it too. Prints the ratio of both shares to the 5 % of a core that a run may take, and ends with 1 where
it is above one. On a busy machine the rounds differ by more than what is measured: then it says so.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from bench.receive import cpu_of
from tests.process import COMMAND, ROOT, Server, running

LOAD: Final = ROOT / "bench/receiving/load.py"
SETTINGS: Final[dict[str, Any]] = {"samples_per_name": 20, "quarantine_key": "a key for measuring, long enough"}
BOUND: Final = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--rate", type=int, default=200, help="events a second")
    parser.add_argument("--rounds", type=int, default=9, help="of each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running(Path(name), log_level="warning", **SETTINGS) as server:
        folder = Path(name)
        drafts = _drafts(folder)
        _cpu_of_load(server, given.rate, 5)  # functions of presets are made, and the first samples kept
        start_s, _ = _ended(*_live(server, drafts, 1))
        alone, beside, command, tried = [], [], [], 0
        for _ in range(given.rounds):
            alone.append(_cpu_of_load(server, given.rate, given.seconds))
            run = _live(server, drafts, given.seconds)
            beside.append(_cpu_of_load(server, given.rate, given.seconds))
            cpu_s, events = _ended(*run)
            command.append(max(0.0, cpu_s - start_s) / given.seconds)
            tried += events
    shares = median(two - one for one, two in zip(alone, beside, strict=True)), median(command)
    print(f"server alone       {median(alone):7.2%} of a core, at {given.rate} events a second")
    print(f"beside a live run  {median(beside):7.2%} of a core: {shares[0]:.2%} more")
    print(f"the command        {shares[1]:7.2%} of a core, and {start_s:.1f} s to start; {tried} events tried")
    noise = max(alone) - min(alone)
    ratio, is_told = sum(shares) / BOUND, noise < BOUND / 2
    verdict = ("kept" if ratio <= 1 else "BROKEN") if is_told else f"not told: alone the rounds differ by {noise:.2%}"
    print(f"of the bound       {ratio:7.2f}   {verdict}; it is {BOUND:.0%} of a core")
    sys.exit(1 if is_told and ratio > 1 else 0)


def _drafts(folder: Path) -> Path:
    """Write the shipped presets as drafts, each with another field."""
    drafts = folder / "drafts"
    drafts.mkdir()
    for file in (ROOT / "presets").glob("*.yaml"):
        text = file.read_text("utf-8").partition("\nexample:")[0].partition("\ntests:")[0]
        (drafts / file.name).write_text(text.replace("\nmapping:\n", "\nmapping:\n  language: de\n"), "utf-8")
    return drafts


def _cpu_of_load(server: Server, rate: int, seconds: int) -> float:
    """Send events for so long, and return what share of a core the server took."""
    process = psutil.Process(server.process.pid)
    before, began = cpu_of(process), time.monotonic()
    words = [sys.executable, str(LOAD), str(server.port), "--connections", "8", "--rate", str(rate)]
    subprocess.run([*words, "--seconds", str(seconds)], check=True, capture_output=True)
    return (cpu_of(process) - before) / (time.monotonic() - began)


def _live(server: Server, drafts: Path, seconds: int) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run beside what arrives, and return it with the file that it writes to."""
    words, told = [str(COMMAND), "shadow", str(drafts), "--live", f"{seconds}s", "--json"], drafts / "told.json"
    with told.open("wb") as output:
        return subprocess.Popen(words, cwd=ROOT, env=server.environment, stdout=output), told


def _ended(process: subprocess.Popen[bytes], told: Path) -> tuple[float, int]:
    """Wait for a run, and return its CPU time and how many events it tried."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime, orjson.loads(told.read_bytes())["events"]


if __name__ == "__main__":
    main()

"""The programs of bench/ that measure delivery do their work, in short."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.process import ROOT, clean_environment
from tests.rounds import Kind
from tests.tools import postgres_is_missing

pytestmark = [pytest.mark.prove, pytest.mark.whole]


def run(program: str, *arguments: str) -> str:
    """Run it as a person would, and return what it printed. Fails where it fails."""
    done = subprocess.run(
        [sys.executable, f"bench/{program}.py", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=1_200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_backlog_drains_in_memory_that_does_not_grow(record_figure: Callable[[str, object], None]) -> None:
    printed = run("drain", "--deliveries", "5000", "--log-level", "warning")

    rss_mb = [int(number) for number in re.findall(r"RSS (\d+) MB", printed)]
    assert len(rss_mb) == 10
    assert rss_mb[-1] <= rss_mb[0] * 1.2
    (rate,) = re.findall(r"^worker +(.+) \(goal", printed, re.MULTILINE)
    record_figure("drain of 5,000", rate)


@pytest.mark.skipif(bool(postgres_is_missing()), reason=postgres_is_missing())
def test_a_backlog_drains_from_postgresql(record_figure: Callable[[str, object], None]) -> None:
    printed = run(
        "drain", "--outbox", "postgres", "--deliveries", "1000", "--latency-ms", "20", "--log-level", "warning"
    )

    assert printed.count("\ntenth ") == 10
    (rate,) = re.findall(r"^worker +(.+) \(goal", printed, re.MULTILINE)
    record_figure("drain of 1,000 from PostgreSQL", rate)


def test_a_server_grows_little_over_a_stream(record_figure: Callable[[str, object], None]) -> None:
    printed = run("flat", "--events", "10000", "--goal", "2")

    sizes = re.findall(r"after +([0-9,]+) events +(\d+) MB", printed)
    assert [size[0] for size in sizes] == [f"{number * 1_000:,}" for number in range(1, 11)]
    record_figure("memory over 10,000 events", f"{sizes[0][1]} to {sizes[-1][1]} MB")


def test_a_crash_loses_nothing(rounds: Callable[[Kind], int], record_figure: Callable[[str, object], None]) -> None:
    printed = run("crash", "--rounds", str(rounds("kills")))

    (line,) = (line for line in printed.splitlines() if "SIGKILL" in line)
    assert ", 0 lost, " in line
    record_figure("crash", line)


def test_bad_ad_accounts_are_measured_beside_good_ones(record_figure: Callable[[str, object], None]) -> None:
    printed = run("accounts", "--rate", "40", "--seconds", "2", "--backlog", "500", "--rounds", "1")

    (ratios,) = re.findall(r"^ratio +(.+?) +\(goal", printed, re.MULTILINE)
    record_figure("ages with five bad ad accounts to ages without", " ".join(ratios.split()))


def test_a_full_store_is_measured_beside_an_empty_one(record_figure: Callable[[str, object], None]) -> None:
    printed = run("day", "--scale", "0.003", "--rounds", "1")

    assert re.findall(r"^(settled|waiting): [0-9,]+ made", printed, re.MULTILINE) == ["settled", "waiting"] * 2
    (worst,) = re.findall(r"^the worst by CPU time (\S+)", printed, re.MULTILINE)
    record_figure("a store that holds 0.3 % of a day, to an empty one", worst)


def test_the_editor_shows_what_a_key_does(record_figure: Callable[[str, object], None]) -> None:
    printed = run("editor", "--keys", "5")

    figures = re.findall(r"^(\S+\.yaml) +(\d+) ms, .* ([\d,]+) bytes: ", printed, re.MULTILINE)
    assert [name for name, _, _ in figures] == ["order_00.yaml", "sixty.yaml"]
    assert all(int(size.replace(",", "")) < 60_000 for _, _, size in figures)
    record_figure("editor, from key to result", ", ".join(f"{name} {took} ms" for name, took, _ in figures))

"""How much later the events of good ad accounts are delivered while others are in trouble.

    python bench/accounts.py [--rate 500] [--seconds 10] [--backlog 100000] [--wait 1] [--rounds 2]

Five good ad accounts get `--rate` events a second each. Beside them, in every second run, five bad ones get as many
and begin with `--backlog` deliveries each: one is refused (403), one is answered after 30 s, of one every call is
refused (400), one may call once a minute, one is switched off. All share one SQLite outbox and one process. `--wait` is
BATCH_MAX_WAIT_S. Printed are the ages at delivery of the good ones' events, p50 and p99, with and without the bad
(goal: within 20 %), the best of the rounds.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from tests.sender.accounts import BAD, ages_of_the_good

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package


GOAL = 1.2


def percentiles(ages: list[float]) -> tuple[float, float]:
    """Return p50 and p99, in seconds."""
    found = quantiles(ages, n=100)
    return found[49], found[98]


async def measure(asked: argparse.Namespace, bad: tuple[str, ...]) -> tuple[float, float]:
    """Run once, and return the percentiles of the good ones' ages."""
    with TemporaryDirectory() as folder:
        backlog = asked.backlog if bad else 0
        ages, _ = await ages_of_the_good(
            Path(folder), bad, a_second=asked.rate, seconds=asked.seconds, backlog=backlog, batch_max_wait_s=asked.wait
        )
    return percentiles(ages)


async def main() -> None:
    """Measure in turns, print the best of each and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--wait", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    runs: dict[str, list[tuple[float, float]]] = {"alone": [], "with five bad": []}
    for _ in range(asked.rounds):
        runs["alone"].append(await measure(asked, ()))
        runs["with five bad"].append(await measure(asked, BAD))
    best = {name: tuple(map(min, zip(*found, strict=True))) for name, found in runs.items()}
    for name, (p50, p99) in best.items():
        print(f"{name:<14} p50 {p50 * 1_000:7.0f} ms   p99 {p99 * 1_000:7.0f} ms")
    ratios = [later / alone for alone, later in zip(best["alone"], best["with five bad"], strict=True)]
    print(f"ratio          p50 {ratios[0]:7.2f}      p99 {ratios[1]:7.2f}      (goal: {GOAL} at most)")


if __name__ == "__main__":
    asyncio.run(main())

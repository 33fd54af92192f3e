"""How long a comparison of a million orders takes, and whether its memory stays flat.

    python bench/reconcile.py [--orders 1000000] [--goal-s 60] [--goal-growth 1.2] [--cpu]

A ledger of SQLite of so many delivered orders, made by the database itself, and a shop's CSV of as many, of which one
in a hundred was never sent and one in a hundred differs, are compared by `pinrelay reconcile`, a process of its own:
first so many orders, then twice as many. Of each run the time, its CPU time and the most memory that it had. Ends
with 1 where the first takes longer than `--goal-s`, or the second has more memory than `--goal-growth` times that of
the first. On a machine that is busy with other work only CPU time says something: `--cpu` judges by that.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from app.outbox.sqlite.database import open_writable
from tests.process import COMMAND, clean_environment

_LEDGER: Final = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < :orders - 1)
INSERT INTO delivery (ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time,
                      state, reason, attempts, enqueued_at, settled_at, warnings, payload_bytes, amount, currency,
                      source, name, buyer)
SELECT '549755885175', 'Order Completed', 'm-' || n, 'checkout', 'm-' || n, 'web', CAST(100000 + n AS TEXT),
       :now - n % 600000, 'delivered', '', 1, :now - n % 600000, :now, '[]', 900, (n % 900) || '.25', 'EUR',
       'default', 'Order Completed', '[]'
FROM number WHERE n % 100 <> 7
"""
_HEAD: Final = "Name,Email,Financial Status,Subtotal,Currency,Created at\n"


class Run(NamedTuple):
    """One comparison."""

    seconds: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000_000, help="of the first run (default: 1,000,000)")
    parser.add_argument("--goal-s", type=float, default=60, help="seconds, at most (default: 60)")
    parser.add_argument("--goal-growth", type=float, default=1.2, help="times the memory, at most (default: 1.2)")
    parser.add_argument("--cpu", action="store_true", help="judge by CPU time instead of the clock")
    given = parser.parse_args()
    runs = []
    for orders in (given.orders, 2 * given.orders):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(Path(folder), orders))
        print(f"{orders:9,} orders  {runs[-1].seconds:6.1f} s  CPU {runs[-1].cpu_s:6.1f} s  {runs[-1].peak_mb:5.0f} MB")
    growth = runs[1].peak_mb / runs[0].peak_mb
    took_s = runs[0].cpu_s if given.cpu else runs[0].seconds
    is_met = took_s <= given.goal_s and growth <= given.goal_growth
    goals = f"{given.goal_s:.0f} s{' of CPU' if given.cpu else ''}, {given.goal_growth:.1f} times"
    print(f"memory {growth:.2f} times   goals {goals}: {'met' if is_met else 'MISSED'}")
    sys.exit(0 if is_met else 1)


def measure(folder: Path, orders: int) -> Run:
    """Compare so many orders; return what it took. Raises AssertionError where what it finds is wrong."""
    now = int(time.time())
    store, file, out = folder / "o.db", folder / "orders.csv", folder / "out.json"
    with closing(open_writable(store)) as connection:
        connection.execute(_LEDGER, {"orders": orders, "now": now})
    with file.open("w") as written:
        written.write(_HEAD)
        written.writelines(_row(number, now) for number in range(orders))
    environment = clean_environment() | {"OUTBOX_URL": f"sqlite:///{store}"}
    begun = time.monotonic()
    with out.open("wb") as answer:
        process = subprocess.Popen([COMMAND, "reconcile", str(file), "--json"], stdout=answer, env=environment)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    assert status == 0, "the comparison failed"
    fates = {each["fate"]: each["orders"] for each in json.loads(out.read_bytes())["fates"]}
    lost = sum(number % 100 == 7 for number in range(orders))
    assert fates == {"never received": lost, "sent with another amount": lost, "sent": orders - 2 * lost}, fates
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _row(number: int, now: int) -> str:
    amount = f"{number % 900}.{75 if number % 100 == 8 else 25}"
    made = f"{datetime.fromtimestamp(now - number % 600_000, UTC):%Y-%m-%d %H:%M:%S +0000}"
    return f"#{100_000 + number},nobody@shop.example,paid,{amount},EUR,{made}\n"


if __name__ == "__main__":
    main()

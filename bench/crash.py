"""What a crash costs: SIGKILL at random moments under load, with the real `pinrelay serve` and `pinrelay sandbox`.

    python bench/crash.py [--outbox sqlite|postgres] [--standby] [--rounds 20] [--seed 11]

In each round, senders post events, the server is killed at some moment within `MOMENT_S` after its first answer, and
started again over the same outbox (with `postgres` a server that lives on). At the end everything must have
arrived that was answered 200. Printed are lost (answered, never arrived) and sent twice (arrived again, with the same
event_id, since the answer of the first call was not recorded). Ends with 1 where something was lost, more was sent
twice than was in flight, or something arrived under an id that nobody posted.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from tests.outbox.postgres_server import empty_outbox
from tests.process import Server, clean_environment, free_port
from tests.waiting import until

TOKEN = "crash-token"
AD_ACCOUNT_ID = "549755885175"
#: Of each sender: the last fills batches by itself, whose deliveries are claimed while they are stored.
EVENTS_A_POST = (50, 50, 800)
MOMENT_S = (0.05, 1.5)
#: `MAX_CALLS_IN_FLIGHT` calls of `BATCH_MAX_EVENTS`: so many deliveries may be sent twice by one crash.
CALLS_IN_FLIGHT, CALL_MAX_EVENTS = 4, 1_000
WHO = {"ip": "203.0.113.9", "userAgent": "x"}


@dataclass(kw_only=True)
class Load:
    """Events posted to one run of the server, until it is gone."""

    url: str
    prefix: str
    #: The message ids that were sent, and those that were answered 200.
    posted: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self, sender: int) -> None:
        """Post one batch after another until `stop`, or until no answer comes."""
        number = 0
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self.stop.is_set():
                ids = [f"{self.prefix}-{sender}-{number + offset}" for offset in range(EVENTS_A_POST[sender])]
                number += len(ids)
                self.posted.update(ids)
                events = [{"type": "page", "messageId": message_id, "context": WHO} for message_id in ids]
                try:
                    answer = client.post(f"{self.url}/webhook", json=events)
                except httpx.TransportError:
                    return
                if answer.status_code == httpx.codes.OK:
                    self.answered.update(ids)


def start_sandbox(folder: Path) -> Server:
    """Start what stands for Pinterest; it writes every event that it processes to `sandbox.ndjson`."""
    port = free_port()
    file = folder / "sandbox.ndjson"
    sandbox = Server(
        port=port,
        environment=clean_environment(),
        log_path=folder / "sandbox.log",
        arguments=("sandbox", "--port", str(port), "--token", TOKEN, "--file", str(file)),
    )
    sandbox.start()
    return sandbox


def make_server(folder: Path, sandbox: Server, outbox_url: str) -> Server:
    """Make the server that will be killed."""
    port = free_port()
    environment = clean_environment(
        port=port,
        outbox_url=outbox_url,
        log_format="json",
        pinterest_ad_account_id=AD_ACCOUNT_ID,
        pinterest_conversion_token=TOKEN,
        pinterest_api_url=f"{sandbox.url}/sandbox/v5",
        batch_max_wait_s=0.05,
        max_calls_in_flight=CALLS_IN_FLIGHT,
        batch_max_events=CALL_MAX_EVENTS,
        send_timeout_s=2,
    )
    return Server(port=port, environment=environment, log_path=folder / "server.log")


def crash_once(server: Server, name: str, chance: random.Random) -> Load:
    """Put the server under load, kill it at a random moment, start it again; answer what was sent and answered."""
    load = Load(url=server.url, prefix=name)
    senders = [threading.Thread(target=load.send, args=(sender,)) for sender in range(len(EVENTS_A_POST))]
    for thread in senders:
        thread.start()
    until(lambda: load.answered, 30, "the server answers")
    time.sleep(chance.uniform(*MOMENT_S))
    server.kill()
    load.stop.set()
    for thread in senders:
        thread.join()
    server.start()
    return load


def is_settled(server: Server) -> bool:
    """Tell whether nothing is on its way any more."""
    delivery: dict[str, Any] = httpx.get(f"{server.url}/readyz", trust_env=False).json()["delivery"]
    return bool(delivery["pending"] + delivery["claimed"] == 0)


def crash(folder: Path, outbox_url: str, *, rounds: int, seed: int) -> int:
    """Do all rounds, print both counts, answer the exit code."""
    chance = random.Random(seed)
    sandbox = start_sandbox(folder)
    server = make_server(folder, sandbox, outbox_url)
    posted: set[str] = set()
    answered: set[str] = set()
    try:
        server.start()
        for number in range(rounds):
            load = crash_once(server, f"round-{number}", chance)
            posted |= load.posted
            answered |= load.answered
            print(f"round {number + 1}: {len(answered)} answered so far", flush=True)
        until(lambda: is_settled(server), 300, "everything is delivered")
    finally:
        server.end()
        sandbox.end()
    arrived = Counter(map(event_id, (folder / "sandbox.ndjson").read_text(encoding="utf-8").splitlines()))
    lost = len(answered - arrived.keys())
    twice = arrived.total() - len(arrived)
    strange = len(arrived.keys() - posted)
    print(
        f"{rounds} rounds of SIGKILL on {outbox_url.partition(':')[0]}: {len(answered)} answered 200, {lost} lost, "
        f"{twice} sent twice, {strange} under an id that nobody posted"
    )
    return int(lost > 0 or strange > 0 or twice > rounds * CALLS_IN_FLIGHT * CALL_MAX_EVENTS)


def event_id(line: str) -> str:
    """Read the id of one event that arrived."""
    found: str = json.loads(line)["event_id"]
    return found


def main() -> int:
    """Read the arguments and crash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outbox", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--standby", action="store_true", help="with postgres: every commit is on two servers")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=11, help="of the random moments")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        empty_outbox(Path(folder), arguments.outbox, standby=arguments.standby) as outbox_url,
    ):
        return crash(Path(folder), outbox_url, rounds=arguments.rounds, seed=arguments.seed)


if __name__ == "__main__":
    sys.exit(main())

"""The first event that a new user sends, as the README's: until the sandbox has it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.process import PLAIN, START_S, STOP_S
from tests.waiting import until

ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "first-1",
    "userId": "u-1",
    "context": {"traits": {"email": "ada@example.com", "phone": "+31 20 555 0123", "country": "Pays-Bas"}},
    "properties": {"order_id": "SO-1", "revenue": 20, "currency": "EUR"},
}


@contextmanager
def started(*command: str | Path, cwd: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the test; it is ended, and whatever it printed is shown where the test fails."""
    with subprocess.Popen(list(map(str, command)), cwd=cwd, env=env, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def first_delivery(process: subprocess.Popen[bytes], port: int, **options: Any) -> None:
    """Send an order once the server answers, and wait until the sandbox has it."""
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, "it ended"
        try:
            return httpx.get(f"{url}/healthz", **PLAIN).is_success
        except httpx.TransportError:
            return False

    until(answers, 5 * START_S, "/healthz answers")
    httpx.post(f"{url}/v1/track", json=ORDER, **PLAIN, **options).raise_for_status()
    until(lambda: "first-1" in httpx.get(f"{url}/sandbox/events", **PLAIN).text, START_S, "the event is delivered")

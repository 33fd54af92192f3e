"""The README is true: its commands run, its payload is what they give, its settings are the code's."""

import json
import re
import subprocess
from typing import Any

import httpx

from tests.config.settings_table import linked, setting_rows
from tests.process import PLAIN, ROOT, Server
from tests.waiting import until

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


(GETTING_STARTED,) = re.findall(
    r"^```sh\n(curl .*?)^```$", (ROOT / "docs/getting-started.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def block(kind: str, containing: str) -> str:
    return next(text for language, text in BLOCKS if language == kind and containing in text)


def test_it_has_at_most_150_lines_and_the_first_command_by_line_15() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert lines.index("make run") < 15


def test_its_curl_commands_run_as_printed_and_give_the_printed_payload(server: Server) -> None:
    until(lambda: httpx.get(f"{server.url}/readyz", **PLAIN).is_success)
    script = block("sh", "/webhook").replace("http://127.0.0.1:8080", server.url)
    post, show = script.rsplit("until", 1)

    receipt = json.loads(_run(post))
    arrived = json.loads(_run(f"until{show}"))  # it waits itself until the last event is at the sandbox

    assert [line["deliveries"][0]["outcome"] for line in receipt["events"]] == ["enqueued", "enqueued"]
    assert len(arrived) == 2
    order = next(event for event in arrived if event["event_name"] == "checkout")
    printed = json.loads(block("json", "checkout"))
    assert _shortened(order, printed) == printed

    # docs/getting-started.md has one more, and asks what became of it.
    send, ask = GETTING_STARTED.replace("http://127.0.0.1:8080", server.url).split(".venv/bin/pinrelay ")
    assert json.loads(_run(send))["events"][0]["deliveries"][0]["outcome"] == "enqueued"
    (asked_for,) = json.loads(server.run(*ask.split(), "--json"))["deliveries"]
    assert asked_for["preset"] == "Order Completed"


def _run(script: str) -> str:
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True, timeout=20).stdout


def _shortened(value: Any, printed: Any) -> Any:
    """Shorten digests as the README prints them, and take its time of the event."""
    if isinstance(value, dict):
        assert value.keys() == printed.keys()
        return {key: printed[key] if key == "event_time" else _shortened(value[key], printed[key]) for key in value}
    if isinstance(value, list):
        return [_shortened(item, shown) for item, shown in zip(value, printed, strict=True)]
    if isinstance(printed, str) and printed.endswith("..."):
        return value[: len(printed) - 3] + "..."
    return value


def test_its_preset_is_the_shipped_one() -> None:
    shipped = (ROOT / "presets/order_completed.yaml").read_text(encoding="utf-8")
    assert all(line in shipped for line in block("yaml", "subscribe").splitlines())


def test_its_settings_are_some_of_the_codes() -> None:
    shown = re.findall(r"^\| (`[A-Z_]+`) \| ([^|]*) \| (.*) \|$", README, flags=re.MULTILINE)
    assert 10 <= len(shown) <= 20
    assert set(shown) <= {(name, default, linked(meaning, "docs/")) for name, _, default, meaning in setting_rows()}

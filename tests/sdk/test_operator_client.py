"""A client that a public generator makes from the OpenAPI document asks a running server every operation of /api."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import PATH, PLAIN, running
from tests.sdk.conftest import NODE_PROGRAMS

pytestmark = pytest.mark.whole

PASSWORD = "console-password-9b1c"
SETTINGS: dict[str, Any] = {
    "console_password": PASSWORD,
    "quarantine_hours": 1,
    "quarantine_key": "a key of the quarantine, long enough",
    "remember_days": 90,
    "remember_secret": "a secret of the installation, long",
}
TYPESCRIPT = ["--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--strict"]


def run(folder: Path, *words: str | Path) -> str:
    """Run a program of npm in a folder; return what it printed."""
    env = {"PATH": f"{NODE_PROGRAMS}/node_modules/.bin:{PATH}", "HOME": os.environ["HOME"]}
    done = subprocess.run([*words], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("node_packages")
def test_every_operation_is_asked_by_a_generated_client(tmp_path: Path) -> None:
    with running(tmp_path, **SETTINGS) as server:
        document = httpx.get(f"{server.url}/openapi.json", **PLAIN).json()
        told = json.loads(asked_of(server.url, document, tmp_path).splitlines()[-1])

    operations = {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == ["api"]
    }
    assert set(told["asked"]) == operations | {"post /webhook"}
    assert told["read"] == {
        "outcomes": ["enqueued", "invalid"],
        "state": "pending",
        "dropped_event": ["number", "invalid"],
        "dropped_events": ["m-2"],
        "found": ["SO-1001"],
        "problems": ["switched off"],
        "counted": True,
        "changes": 0,
        "worth": [[None, "0"], ["EUR", "25.5"]],
        "dead": [0, 0, 0],
        "quarantine": [["Order Completed"], ["invalid"], 0, 1],
        "entries": ["discarded from quarantine"],
        "incidents": [],
        "erased": 1,
    }
    assert [each["status"] for each in told["refused"]] == [404, 422, 401, 404]
    assert 'the nearest is "Order Completed"' in told["refused"][0]["detail"]


def asked_of(url: str, document: dict[str, Any], folder: Path) -> str:
    """Make the client, compile the program that uses it with every check of types, and run it."""
    made = folder / "client"
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    plugins = "export const plugins = ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk']"
    output = f"{{ path: '{made}', importFileExtension: '.js' }}"
    config = f"{plugins}\nexport default {{ input: '{folder}/openapi.json', output: {output}, plugins }}\n"
    (folder / "openapi-ts.config.mjs").write_text(config, encoding="utf-8")
    run(folder, "openapi-ts", "--file", "openapi-ts.config.mjs")
    shutil.copy(NODE_PROGRAMS / "operators.ts", made)
    (made / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    run(made, "tsc", *TYPESCRIPT, "--skipLibCheck", "--outDir", "built", "operators.ts")
    (made / "built/package.json").write_text('{"type": "module"}', encoding="utf-8")
    return run(made, "node", "built/operators.js", url, PASSWORD)

"""The OpenAPI document has no fault that Redocly's or Spectral's linter finds, whatever must be proven."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from app.main import create_app
from tests.assembled import settings
from tests.process import PATH, ROOT

NODE = ROOT / "tests/node"
SECRET = "0123456789abcdef"
CLOSED = {
    "host": "0.0.0.0",
    "console_password": SECRET,
    "write_keys": f"s:{SECRET}",
    "webhook_header": f"X-Key: {SECRET}",
}


@pytest.mark.prove
@pytest.mark.parametrize("changes", [{}, CLOSED], ids=["open", "closed"])
def test_a_linter_finds_nothing(changes: dict[str, str], tmp_path: Path) -> None:
    app = create_app(settings(outbox_url=f"sqlite:///{tmp_path}/o.db", **changes))
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()), encoding="utf-8")
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    for linter, option in (("redocly", "--config"), ("spectral", "--ruleset")):
        done = subprocess.run(
            [NODE / "node_modules/.bin" / linter, "lint", option, NODE / f"{linter}.yaml", document],
            env={"PATH": PATH, "HOME": os.environ["HOME"]} | quiet,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

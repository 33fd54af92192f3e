"""The OpenAPI document says what each operation asks to be proven: what the settings ask for, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from tests.assembled import settings

SECRET = "0123456789abcdef"
TOKEN: list[Any] = [{"consoleToken": []}]
KEYS: list[Any] = [{"writeKey": []}, {"writeKeyInQuery": []}]


@pytest.mark.parametrize(
    ("changes", "schemes", "webhook", "batch", "status", "metrics"),
    [
        ({}, set(), [], [], [], []),
        ({"console_password": "p"}, {"consoleToken", "consoleSession"}, [], [], TOKEN, []),
        ({"write_keys": "shop:k"}, {"writeKey", "writeKeyInQuery"}, [], KEYS, [], []),
        (
            {"webhook_shared_secrets": "s", "webhook_header": "X-Key: v"},
            {"webhookSignature", "webhookHeader"},
            [{"webhookSignature": [], "webhookHeader": []}],
            [],
            [],
            [],
        ),
        (
            {"host": "0.0.0.0", "console_password": SECRET, "write_keys": f"shop:{SECRET}"},
            {"consoleToken", "consoleSession", "writeKey", "writeKeyInQuery"},
            [],
            KEYS,
            TOKEN,
            [*TOKEN, {"consoleSession": []}],
        ),
    ],
    ids=["nothing", "console", "write keys", "webhook", "public"],
)
def test_the_document_names_what_must_be_proven(
    changes: dict[str, Any],
    schemes: set[str],
    webhook: list[Any],
    batch: list[Any],
    status: list[Any],
    metrics: list[Any],
    tmp_path: Path,
) -> None:
    document = create_app(settings(outbox_url=f"sqlite:///{tmp_path}/o.db", **changes)).openapi()
    security = {path: next(iter(found.values()))["security"] for path, found in document["paths"].items()}
    assert document["components"]["securitySchemes"].keys() == schemes
    assert (security["/webhook"], security["/v1/batch"]) == (webhook, batch)
    assert (security["/api/status"], security["/metrics"], security["/healthz"]) == (status, metrics, [])
    assert security["/v1/projects/{key}/settings"] == []

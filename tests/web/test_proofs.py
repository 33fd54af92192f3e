"""The OpenAPI document says what each operation asks to be proven: what the settings ask for, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from tests.assembled import settings
from tests.outbox.new_store import new_store

pytestmark = pytest.mark.usefixtures("tuned_back")

SECRET = "0123456789abcdef"
TOKEN: list[Any] = [{"consoleToken": []}]
KEYS: list[Any] = [{"writeKey": []}, {"writeKeyInQuery": []}]


async def document_of(folder: Path, **changes: Any) -> dict[str, Any]:
    app = create_app(settings(outbox_url=new_store(folder, "o.db"), **changes))
    async with app.router.lifespan_context(app):
        return app.openapi()


@pytest.mark.parametrize(
    ("changes", "schemes", "webhook", "batch", "status", "metrics"),
    [
        ({}, set(), [], [], [], []),
        ({"console_password": "p"}, {"consoleToken"}, [], [], TOKEN, []),
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
async def test_the_document_names_what_must_be_proven(
    changes: dict[str, Any],
    schemes: set[str],
    webhook: list[Any],
    batch: list[Any],
    status: list[Any],
    metrics: list[Any],
    tmp_path: Path,
) -> None:
    document = await document_of(tmp_path, **changes)
    security = {path: next(iter(found.values()))["security"] for path, found in document["paths"].items()}
    assert document["components"]["securitySchemes"].keys() == schemes
    assert (security["/webhook"], security["/v1/batch"]) == (webhook, batch)
    assert (security["/api/v1/status"], security["/metrics"], security["/healthz"]) == (status, metrics, [])
    assert security["/v1/projects/{key}/settings"] == []


async def test_the_document_names_what_strangers_are_answered(tmp_path: Path) -> None:
    paths = (await document_of(tmp_path))["paths"]
    assert all("403" in operation["responses"] for found in paths.values() for operation in found.values())
    assert {"200", "401", "403", "429", "503"} <= paths["/metrics"]["get"]["responses"].keys()

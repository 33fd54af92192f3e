"""The OpenAPI document: its examples are taken as they stand, its ids are those of its addresses."""

from pathlib import Path
from typing import Any

import pytest

from app.web.openapi import EXAMPLES
from tests.web.client import client_of

pytestmark = pytest.mark.usefixtures("tuned_back")


async def test_every_body_has_an_example_that_is_accepted_as_it_stands(tmp_path: Path) -> None:
    async with client_of(tmp_path, quarantine_hours=1, quarantine_key="0123456789abcdef" * 2) as client:
        document: dict[str, Any] = (await client.get("/openapi.json")).json()
        with_bodies = {
            path: operations["post"]["requestBody"]["content"]["application/json"]["example"]
            for path, operations in document["paths"].items()
            if "requestBody" in operations.get("post", {})
        }
        assert with_bodies == EXAMPLES
        answers = {path: await client.post(path, json=example) for path, example in EXAMPLES.items()}
    assert {path: answer.text for path, answer in answers.items() if not answer.is_success} == {}

    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert {"post_webhook", "put_webhook", "get_api_deliveries_delivery_id"} <= set(ids)
    assert len(ids) == len(set(ids))

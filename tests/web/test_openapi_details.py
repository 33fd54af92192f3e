"""The OpenAPI document: its examples are taken as they stand, its ids are those of its addresses."""

from pathlib import Path
from typing import Any

import pytest

from app.api.operations import PREFIX, path_of
from app.operations.declaration import all_operations
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
        declared = {f"{PREFIX}{path_of(each)}" for each in all_operations() if each.method == "POST"}
        assert with_bodies.keys() == EXAMPLES.keys() | declared
        answers = {path: await client.post(path, json=example) for path, example in with_bodies.items()}
    assert {path: answer.text for path, answer in answers.items() if not answer.is_success} == {}

    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert {"post_webhook", "put_webhook", "deliveries_show"} <= set(ids)
    assert len(ids) == len(set(ids))

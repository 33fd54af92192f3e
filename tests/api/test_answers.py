"""Every answer of /api is as the OpenAPI document says: typed where all is well, a problem (RFC 9457) elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest

from app.api.problems import PROBLEM_JSON
from app.main import create_app
from app.web.openapi import EXAMPLES_FILE
from tests.api.examples import ASKED, answers
from tests.assembled import settings
from tests.outbox.new_store import new_store
from tests.web.client import client_of

pytestmark = pytest.mark.usefixtures("tuned_back")

ERRORS = {"400", "401", "403", "415", "422", "429", "500", "503"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    url = new_store(tmp_path_factory.mktemp("document"), "pinrelay.db")
    return create_app(settings(outbox_url=url)).openapi()


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == ["api"]
    }


def test_every_operation_has_typed_answers_and_problems(document: dict[str, Any]) -> None:
    found = operations(document)
    assert set(found) == {f"{method} {path}" for method, path, _ in ASKED}
    for name, operation in found.items():
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema.keys() & {"$ref", "anyOf"}, name
        problems = {status: each for status, each in operation["responses"].items() if status != "200"}
        assert set(problems) >= ERRORS, name
        assert {tuple(each["content"]) for each in problems.values()} == {(PROBLEM_JSON,)}, name


async def test_answers_have_the_shape_of_their_examples_and_schemas(document: dict[str, Any], tmp_path: Path) -> None:
    examples = orjson.loads(EXAMPLES_FILE.read_bytes())
    found = await answers(tmp_path)
    assert {name: shape(each) for name, each in found.items()} == {name: shape(each) for name, each in examples.items()}
    schemas = {"components": document["components"]}
    for name, operation in operations(document).items():
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        for answer in (found[name], operation["responses"]["200"]["content"]["application/json"]["example"]):
            jsonschema.Draft202012Validator({**schemas, **schema}).validate(answer)
    problem = {**schemas, "$ref": "#/components/schemas/Problem"}
    for name in found.keys() - operations(document).keys():
        jsonschema.Draft202012Validator(problem).validate(found[name])


def shape(value: Any) -> Any:
    """Return a value with the kind of each text and number in its place."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(tmp_path, remember_days=90, remember_secret="a secret of the installation, long") as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "asked", "status", "told"),
    [
        ("POST", "/api/v1/deliveries/redrive", {"json": {"al": 1}}, 422, 'There is no "al"'),
        (
            "POST",
            "/api/v1/deliveries/redrive",
            {"content": b"{", "headers": {"Content-Type": "application/json"}},
            422,
            "JSON",
        ),
        ("POST", "/api/v1/find", {"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, "parsing"),
        ("POST", "/api/v1/find", {"json": []}, 422, "body: Input should be"),
        ("GET", "/api/v1/deliveries", {"params": {"limit": 0}}, 422, "limit: Input should be greater"),
        ("GET", "/api/v1/deliveries", {"params": {"cursor": "x"}}, 422, "cursor: String should match"),
        ("GET", "/api/v1/deliveries", {"params": {"presett": "x"}}, 422, "presett"),
        ("GET", "/api/v1/deliveries/x", {}, 404, "delivery x not found"),
        ("GET", "/api/nothing", {}, 404, "GET /openapi.json"),
        ("DELETE", "/api/v1/status", {}, 405, "GET /openapi.json"),
        ("POST", "/api/v1/quarantine/discard", {"json": {"all": True}}, 404, "QUARANTINE_HOURS is not set"),
        ("POST", "/api/v1/forget", {"json": {}}, 400, "name a person"),
        ("POST", "/api/v1/switch", {"content": b""}, 415, "send application/json"),
    ],
)
async def test_whatever_is_refused_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, asked: dict[str, Any], status: int, told: str
) -> None:
    answer = await client.request(method, path, **asked)
    assert told in problem_of(answer, status)["detail"]


@pytest.mark.parametrize(
    ("limit", "status"),
    [(2, 200), (2.0, 200), (True, 422), (False, 422), ("2", 422), (2.5, 422), (1e300, 422), (None, 422), ([2], 422)],
)
async def test_a_limit_is_an_integer_as_json_schema_says(client: httpx.AsyncClient, limit: object, status: int) -> None:
    assert (await client.post("/api/v1/find", json={"text": "m-1", "limit": limit})).status_code == status


async def test_what_stood_in_an_invalid_part_is_not_told_again(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/find", json={"text": ["ada@example.com"], "limit": "ada@example.com"})
    assert {each["name"] for each in problem_of(answer, 422)["errors"]} == {"text", "limit"}
    assert "ada@example.com" not in answer.text


async def test_a_store_that_does_not_answer_is_a_problem_that_says_when_to_ask_again(tmp_path: Path) -> None:
    app = create_app(settings(outbox_url=new_store(tmp_path, "pinrelay.db")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        async with app.router.lifespan_context(app):
            pass
        answer = await client.get("/api/v1/deliveries")
    assert problem_of(answer, 503)["title"] == "Service Unavailable"
    assert int(answer.headers["Retry-After"]) > 0


async def test_what_fails_without_being_foreseen_is_a_problem_too(tmp_path: Path) -> None:
    app = create_app(settings(outbox_url=new_store(tmp_path, "pinrelay.db")))

    @app.get("/api/broken")
    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    # The route that answers unknown paths comes last.
    app.router.routes.sort(key=lambda route: "broken" not in getattr(route, "path", ""))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert problem_of(await client.get("/api/broken"), 500)["detail"].startswith("Internal error")
        assert (await client.get("/broken")).json()["code"] == "internal_error"


async def test_files_with_faults_are_a_problem_that_names_each(tmp_path: Path) -> None:
    presets = tmp_path / "presets"
    presets.mkdir()
    (presets / "lead.yaml").write_text(
        "name: Lead\nsubscribe: type = 'track'\naction: report_conversion_event\nmapping: {event_name: lead}\n"
    )
    async with client_of(tmp_path, presets_dir=(presets,)) as client:
        assert (await client.post("/api/v1/reload", json={})).json() == {"reloaded": True}
        (presets / "lead.yaml").write_text(
            "name: Lead\nsubscribe: type =\naction: report_conversion_event\nmapping: {event_name: lead}\n"
        )
        told = problem_of(await client.post("/api/v1/reload", json={}), 400)
    assert told["reloaded"] is False
    assert len(told["faults"]) == 1
    assert "lead.yaml" in told["faults"][0]


async def test_what_stays_of_a_person_is_a_problem_with_what_was_erased(tmp_path: Path) -> None:
    memory = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
    event = {"type": "identify", "userId": "ann", "traits": {"email": "ann@shop.example"}}
    async with client_of(tmp_path, **memory) as client:
        assert (await client.post("/webhook", json=[event, event | {"userId": "bob"}])).is_success
        told = problem_of(await client.post("/api/v1/forget", json={"user_id": "bob"}), 409)
        done = (await client.post("/api/v1/forget", json={"user_id": "bob", "email": "ann@shop.example"})).json()
    assert (told["ids"], told["messages"], told["stays"]) == (1, 0, told["detail"])
    assert (done["ids"], done["stays"]) == (1, "")


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer is."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM_JSON)
    told: dict[str, Any] = answer.json()
    assert (told["type"], told["status"], bool(told["title"])) == ("about:blank", status, True)
    return told

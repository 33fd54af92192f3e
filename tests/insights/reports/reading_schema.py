"""Pinterest's own description of what may be read, as a judge of our requests and of the sandbox' answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from openapi_schema_validator import OAS30Validator, oas30_format_checker


class ReadingSchema:
    """`reading.json`."""

    def __init__(self) -> None:
        self._description = json.loads(Path(__file__).with_name("reading.json").read_text("utf-8"))

    def faults(self, request: httpx.Request, response: httpx.Response, *, base: str = "/v5") -> list[str]:
        """List what the description has against a request that was answered, and against the answer."""
        path, operation, names = self._operation(request, base)
        given = dict(parse_qsl(request.url.query.decode())) | names
        faults = []
        for parameter in map(self._resolved, operation.get("parameters", ())):
            name, schema = parameter["name"], self._resolved(parameter["schema"])
            if name not in given:
                faults += [f"{path}: {name} is missing"] if parameter.get("required") else []
                continue
            value: Any = given.pop(name)
            if schema["type"] == "array":
                value = value.split(",")
            elif schema["type"] in ("integer", "number"):
                value = int(value)
            faults += [f"{path}: {name}: {error}" for error in self._against(schema, value)]
        faults += [f"{path}: {name} is no parameter" for name in given]
        if "requestBody" in operation:
            (content,) = operation["requestBody"]["content"].items()
            assert request.headers["content-type"] == content[0]
            form = dict(parse_qsl(request.content.decode()))
            faults += [f"{path}: {error}" for error in self._against(content[1]["schema"], form)]
        answers = operation["responses"]
        answer = answers.get(str(response.status_code), answers["default"])["content"]["application/json"]["schema"]
        return faults + [
            f"{path} -> {response.status_code}: {error}" for error in self._against(answer, response.json())
        ]

    def _operation(self, request: httpx.Request, base: str) -> tuple[str, dict[str, Any], dict[str, str]]:
        asked = request.url.path.removeprefix(base)
        for path, operations in self._description["paths"].items():
            found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)), asked)
            if found and request.method.lower() in operations:
                return path, operations[request.method.lower()], found.groupdict()
        raise AssertionError(f"{request.method} {asked} is not described")

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._description
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _against(self, schema: dict[str, Any], value: Any) -> Iterator[str]:
        validator = OAS30Validator(
            {**self._resolved(schema), "components": self._description["components"]},
            format_checker=oas30_format_checker,
        )
        yield from (error.message for error in validator.iter_errors(value))

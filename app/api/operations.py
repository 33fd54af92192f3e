"""Routes that derive from the declarations of operations."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request

from app.api.problems import refusal
from app.operations.declaration import Call, Operation, Services, Surface, all_operations

#: The version of the API.
PREFIX: Final = "/api/v1"


def path_of(operation: Operation) -> str:
    """Return the path of an operation below the prefix of the API."""
    if operation.verb in ("", "list"):
        return f"/{operation.group}"
    return f"/{operation.group}/{'{id}' if operation.verb == 'show' else operation.verb}"


def add_operations(router: APIRouter, services: Services) -> None:
    """Add a route for each operation that the API offers; a path with an id comes last, because it matches others."""
    offered = [each for each in all_operations() if Surface.API not in each.excluded]
    for each in sorted(offered, key=lambda operation: "{" in path_of(operation)):
        _add_route(router, each, services)


def _add_route(router: APIRouter, operation: Operation, services: Services) -> None:
    async def handle(request: Request, params: Any) -> Any:
        return await operation(Call(person=request.state.person, services=services), params)

    async def show(request: Request, id: str) -> Any:  # noqa: A002 - the name in the path
        return await handle(request, operation.params.model_validate({"id": id}))

    source = Query() if operation.method == "GET" else Body()
    handle.__annotations__["params"] = Annotated[operation.params, source]
    router.add_api_route(
        path_of(operation),
        show if operation.verb == "show" else handle,
        methods=[operation.method],
        summary=operation.summary,
        description=operation.text,
        response_model=operation.result,
        operation_id=operation.operation_id,
        responses=refusal(404, "A parameter names nothing known, or a setting switches the operation off."),
    )

"""An answer that ends too early, as broken networks make them."""

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class CutAnswer(Response):
    """Announces `answer`, sends the half of it and cuts the connection; without an `answer` it only cuts."""

    def __init__(self, answer: Response | None) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half of the answer and close the connection."""
        if self._answer:
            start = {"type": "http.response.start", "status": self._answer.status_code}
            await send({**start, "headers": self._answer.raw_headers})
            half = bytes(self._answer.body)[: len(self._answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        _transport(receive).close()
        await receive()  # http.disconnect: from here on the server takes the connection for lost and adds nothing


def _transport(receive: Receive) -> Any:
    """Find the connection below an ASGI call: uvicorn keeps it on the object whose method `receive` is."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox cut the connection")
    return transport

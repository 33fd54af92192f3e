"""Where alerts go: an address that takes Slack's `{"text": "..."}`."""

from collections.abc import Sequence

import httpx
from pydantic import SecretStr

from app.core.log import logger
from app.destination.client import http_client

_TEST = "This is a test: alerts arrive here."


class AlertWebhook:
    """Posts lines. Its URL is a secret: no error tells it."""

    def __init__(self, url: SecretStr, client: httpx.AsyncClient | None = None) -> None:
        self._url = url
        self._client = client or http_client(10)

    async def post(self, lines: Sequence[str]) -> str:
        """Post one message of these lines; return why it was not taken, "" where it was."""
        try:
            body = {"text": "\n".join(f"Pinrelay: {line}" for line in lines)}
            answer = await self._client.post(self._url.get_secret_value(), json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            why = type(exc).__name__
            logger().error("alert not told", error=why)
            return f"it cannot be reached ({why})"
        if not answer.is_success:
            logger().error("alert not told", status=answer.status_code)
            return f"it answered {answer.status_code}"
        return ""

    async def post_test(self) -> str:
        """Post a message that says that it is a test; return why it was not taken, "" where it was."""
        return await self.post([_TEST])

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

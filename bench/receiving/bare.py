"""The baseline of receive.py: a FastAPI route that parses the JSON and does nothing else.

python bench/receiving/bare.py PORT
"""

import sys

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI(openapi_url=None)


@app.post("/webhook")
async def parse(request: Request) -> Response:
    """Parse."""
    orjson.loads(await request.body())
    return Response(b"{}", media_type="application/json")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that it listens."""
    return {"status": "alive"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False, server_header=False)

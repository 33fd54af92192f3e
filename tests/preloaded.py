"""What `pinrelay` imports and reads once at its start, for processes that are forked from the one that imports this.

See `tests.forked`.
"""

import gc

import coverage  # noqa: F401 - measures some of the forked
import httpcore  # noqa: F401 - httpx imports it with the first client
import pydantic.v1  # noqa: F401 - FastAPI looks for it with the first route
import uvicorn.lifespan.on
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl  # noqa: F401 - uvicorn imports these by name

import app.cli
import app.main
import app.outbox.postgres
import app.outbox.sqlite
from app.catalog.catalog import RunningCatalog
from app.console.pages import environment
from app.destination import load_place_names
from app.destination.client import trusted_certificates

app.cli.all_commands()
load_place_names()
trusted_certificates()
for name in environment().list_templates():
    environment().get_template(name)
RunningCatalog("presets", "mappings")  # what is compiled of these texts is remembered
gc.collect()
gc.freeze()

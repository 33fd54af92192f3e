"""Options that several commands take."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
#: What files of events may hold, said once for the commands that read them.
FORMS = "Events: an event, an array or a batch, or one of these a line; gzipped too."

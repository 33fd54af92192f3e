"""What browsers send: forms, bounded, and only from our own pages."""

from typing import TypeAlias
from urllib.parse import parse_qs

from starlette.requests import Request

from app.access.admission import sent_from_console

#: One event and one YAML file, three bytes each for most characters.
MAX_FORM_BYTES = 1_000_000
PASTED = "Paste a single event."
#: A longer text is not read as a number.
_MAX_DIGITS = 12

#: The first value of each name.
Form: TypeAlias = dict[str, str]


def why_not_read(request: Request, max_bytes: int, remedy: str) -> tuple[int, str, str] | None:
    """Return why a form is not even read, by its headers: status, title and text of the answer; None where it is.

    `remedy` is for one of more than `max_bytes`.
    """
    if not sent_from_console(request.headers):
        text = (
            "This form did not come from a page of the console. Open the console and try again; "
            "if a proxy stands before it, let it pass the Host header on."
        )
        return 403, "Not sent from the console", text
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > max_bytes:
        return 413, "Too long", f"Up to {max_bytes:,} bytes can be sent at once. {remedy}"
    return None


async def read_form(request: Request) -> Form:
    """Read an URL-encoded form; line ends become single line feeds."""
    fields = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, errors="replace")
    return {name: values[0].replace("\r\n", "\n").replace("\r", "\n") for name, values in fields.items()}


def given_number(text: str | None) -> int | None:
    """Return the whole number that a form or an address gives; None where it gives none, or one without end.

    >>> given_number("12"), given_number("-1"), given_number("9" * 5_000), given_number(None)
    (12, None, None, None)
    """
    return int(text) if text and text.isdecimal() and len(text) <= _MAX_DIGITS else None

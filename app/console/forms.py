"""What browsers send: forms, bounded, and only from our own pages."""

from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qs

from starlette.requests import Request

from app.access.admission import sent_from_console

#: One event and one YAML file, three bytes each for most characters.
MAX_FORM_BYTES = 1_000_000
PASTED = "Paste a single event."
#: Longer numbers are none.
_MAX_DIGITS = 12

#: The first value of each name.
Form: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRefused:
    """The form is not even read."""

    status: int
    title: str
    text: str


def check_form(request: Request, max_bytes: int, remedy: str) -> FormRefused | None:
    """Decide by its headers whether a form is read; None is yes. `remedy` is for one of more than `max_bytes`."""
    if not sent_from_console(request.headers):
        return FormRefused(
            status=403,
            title="Not sent from the console",
            text="This form did not come from a page of the console. Open the console and try again; "
            "if a proxy stands before it, let it pass the Host header on.",
        )
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > max_bytes:
        return FormRefused(
            status=413,
            title="Too long",
            text=f"Up to {max_bytes:,} bytes can be sent at once. {remedy}",
        )
    return None


async def read_form(request: Request) -> Form:
    """Read an URL-encoded form; line ends become single line feeds."""
    fields = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, errors="replace")
    return {name: values[0].replace("\r\n", "\n") for name, values in fields.items()}


def given_number(text: str | None) -> int | None:
    """Return the whole number that a form or an address gives; None where it gives none, or one without end.

    >>> given_number("12"), given_number("-1"), given_number("9" * 5_000), given_number(None)
    (12, None, None, None)
    """
    return int(text) if text and text.isdecimal() and len(text) <= _MAX_DIGITS else None

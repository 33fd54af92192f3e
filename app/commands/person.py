"""`pinrelay person`: what is kept of a person who asks for it."""

import time
from typing import Annotated, Any, Literal

import typer

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import print_json, with_outbox
from app.config import load_settings
from app.core.people import NamedPerson
from app.core.shared_values import ERASED_AT
from app.outbox import Outbox


def person(
    whom: Annotated[str, typer.Argument(help="The person's e-mail address, phone number (+49...) or `userId`.")] = "",
    by: Annotated[
        Literal["user-id", "anonymous-id", "email", "phone", "order-id"] | None,
        typer.Option(help="What it is, if it looks like something else."),
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Answer the customer who asked a shop for it: the number is in the audit log.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which it does anyway.")] = False,  # noqa: ARG001 - as everywhere
) -> None:
    """Print what is kept of a person, as one JSON file for the answer to a request of access.

    Facts with their age, links, opt-outs, answers to being tracked, deliveries with what was sent to which ad account
    and when, dropped and quarantined events, earlier erasures. Values are digests.

    Example: pinrelay person ada@example.com
    """
    if not (whom or request):
        raise typer.BadParameter("no person given: name one, or give the number of a request with --request")
    kind = by or ("email" if "@" in whom else "phone" if whom.startswith("+") else "user-id")
    several = {"email": "emails", "phone": "phones", "order-id": "order_ids"}
    name = several.get(kind, kind.replace("-", "_"))
    named = NamedPerson(**{name: (whom,) if kind in several else whom})  # type: ignore[arg-type] # as it is named
    settings = load_settings()

    async def held(outbox: Outbox) -> dict[str, Any]:
        audit = Audit(outbox, time.time)
        acts = assemble.forget_acts(settings, outbox, audit, lambda: ERASED_AT.write(outbox, time.time()))
        if request is None:
            return await acts.held(caller(), named)
        if (asked := (await acts.access_requests()).get(request)) is None:
            raise typer.BadParameter(f"no request has the number {request}: look it up in `pinrelay audit`")
        return await acts.held(caller(), asked)

    print_json(with_outbox(held))

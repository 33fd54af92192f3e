"""`pinrelay forget`: erase a person who asks for it."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import AsJson, print_json, print_line, with_outbox
from app.config import load_settings
from app.core.shared_values import ERASED_AT
from app.core.values.texts import count_of
from app.operations.forget import ForgetActs, Forgotten
from app.outbox import Outbox


def forget(
    user_id: Annotated[str | None, typer.Option(help="The person's `userId`.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="The person's `anonymousId`.")] = None,
    email: Annotated[str | None, typer.Option(help="The person's e-mail address.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Erase a person's remembered facts, waiting deliveries and stored events.

    With a `userId`, also those of every browser linked to it. Opt-outs from tracking are kept. Prints the number of
    erased ids. Exits with 1 if records stay that may be the person's, and names them. Safe to repeat.

    Example: pinrelay forget --user-id 4711 --email ada@example.com
    """
    if not user_id and not anonymous_id and not email:
        raise typer.BadParameter("no person given: use --user-id, --anonymous-id or --email")
    settings = load_settings()

    async def erase(outbox: Outbox) -> Forgotten:
        acts = ForgetActs(
            assemble.forgetting(settings, outbox),
            Audit(outbox, time.time),
            empty_tails=lambda: ERASED_AT.write(outbox, time.time()),
        )
        return await acts.forget(caller(), user_id=user_id, anonymous_id=anonymous_id, email=email)

    forgotten = with_outbox(erase)
    if as_json:
        print_json(asdict(forgotten))
    else:
        kept = count_of(forgotten.messages, "message")
        print_line(f"Erased: {count_of(forgotten.ids, 'id')}, and the stored data of {kept}.")
    if forgotten.stays:
        print_line(forgotten.stays, err=True)
        raise typer.Exit(1)

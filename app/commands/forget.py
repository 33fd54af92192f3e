"""`pinrelay forget`: erase a person who asks for it."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import AsJson, print_json, say, with_outbox
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
    """Erase what is remembered of a person, and what waits to be sent or is kept under these ids.

    With a `userId` that is every browser linked to it, too. What was said against tracking stays. Prints what was
    erased. Exits with 1 where something stays that may be the person's, and names it. Safe to repeat.

    Example: pinrelay forget --user-id 4711 --email ada@example.com
    """
    if not user_id and not anonymous_id and not email:
        raise typer.BadParameter("name a person: --user-id, --anonymous-id or --email")
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
        say(f"{count_of(forgotten.ids, 'id')} forgotten, and what was kept of {kept}.")
    if forgotten.stays:
        say(forgotten.stays, err=True)
        raise typer.Exit(1)

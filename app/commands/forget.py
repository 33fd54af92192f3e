"""`pinrelay forget` and `person`: erase a person on request, or print the stored data."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from app import assemble
from app.commands.terminal import AsJson, add_row, caller, print_json, print_line, print_table, time_text, with_outbox
from app.config import load_settings
from app.core.people import NamedPerson
from app.core.values.texts import count_of, visible
from app.operations.forget import ForgetActs, Forgotten, person_text
from app.outbox import Outbox


def forget(  # noqa: PLR0913 - options are arguments
    user_id: Annotated[str | None, typer.Option(help="The person's `userId`.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="The person's `anonymousId`.")] = None,
    email: Annotated[str | None, typer.Option(help="The person's e-mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="The person's phone number.")] = None,
    order_id: Annotated[str | None, typer.Option(help="Id of one of the person's orders.")] = None,
    reference: Annotated[str, typer.Option(help="Reference of the ticket, for certificate and audit log.")] = "",
    *,
    suppress: Annotated[bool, typer.Option("--suppress", help="Withhold the person's later events.")] = False,
    cancel: Annotated[
        str | None, typer.Option(help="Take back what Pinterest was asked by this certificate, within 72 hours.")
    ] = None,
    as_list: Annotated[bool, typer.Option("--list", help="Show the certificates of all erasures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person's waiting deliveries, stored events, quarantined events and remembered facts.

    From one name Pinrelay finds the person's other ids, browsers and addresses. Opt-outs from tracking are kept. Prints
    what was erased, and what is kept for good. Exits with 1 if nothing is stored for this person, and if records stay
    that may be the person's.

    Example: pinrelay forget --user-id 4711 --email ada@example.com
    """
    named = NamedPerson(
        user_id=user_id,
        anonymous_id=anonymous_id,
        emails=(email,) if email else (),
        phones=(phone,) if phone else (),
        order_ids=(order_id,) if order_id else (),
    )
    if cancel is not None:
        _cancel(cancel)
        return
    if as_list:
        _list(as_json=as_json)
        return
    if not named.kinds:
        raise typer.BadParameter("no person given: use --user-id, --anonymous-id, --email, --phone or --order-id")
    forgotten = with_outbox(
        lambda outbox: _acts(outbox).forget(caller(), named, reference=reference, suppress=suppress)
    )
    if as_json:
        print_json(asdict(forgotten))
    elif forgotten.certificate:
        _print(forgotten)
    if forgotten.failure:
        print_line(forgotten.failure, err=True)
        raise typer.Exit(1)


def _acts(outbox: Outbox) -> ForgetActs:
    return assemble.forget_acts(load_settings(), outbox)


def _cancel(number: str) -> None:
    if count := with_outbox(lambda outbox: _acts(outbox).cancel_deletion(caller(), number)):
        print_line(f"{count_of(count, 'request')} to Pinterest will be taken back. See `pinrelay forget --list`.")
        return
    print_line(f"Nothing to take back: no request of certificate {number} is pending.", err=True)
    raise typer.Exit(1)


def _print(forgotten: Forgotten) -> None:
    kept = count_of(forgotten.messages, "message")
    print_line(f"Erased: {count_of(forgotten.ids, 'id')}, and the stored data of {kept}.")
    for kind, count in forgotten.erased.items():
        print_line(f"  {kind}: {count}")
    for text in forgotten.kept:
        print_line(f"Kept: {text}")
    print_line(f"Certificate {forgotten.certificate}: `pinrelay forget --list`, or People in the console.")


def _list(*, as_json: bool) -> None:
    found = with_outbox(lambda outbox: _acts(outbox).certificates())
    if as_json:
        for number, each in found:
            print_json({"certificate": number, **each.shown})
        return
    table = Table("certificate", "when (UTC)", "who", "reference", "named by", "erased", "Pinterest")
    for number, each in found:
        erased = ", ".join(f"{count} {kind}" for kind, count in each.erased.items()) or "nothing"
        named = ", ".join(each.named_by)
        add_row(table, number, time_text(each.at), each.who, each.reference, named, erased, ", ".join(each.pinterest))
    print_table(table)


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
    as_text: Annotated[bool, typer.Option("--text", help="Print a readable text in place of JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which it does anyway.")] = False,  # noqa: ARG001 - as everywhere
) -> None:
    """Print the data stored about a person, as JSON or text for the answer to a request of access.

    Facts with their age, links, opt-outs, answers to being tracked, deliveries with what was sent to which ad account
    and when, dropped and quarantined events, earlier erasures. Values are digests, times are in UTC.

    Example: pinrelay person ada@example.com
    """
    if not (whom or request):
        raise typer.BadParameter("no person given: name one, or give the number of a request with --request")
    kind = by or ("email" if "@" in whom else "phone" if whom.startswith("+") else "user-id")
    several = {"email": "emails", "phone": "phones", "order-id": "order_ids"}
    name = several.get(kind, kind.replace("-", "_"))
    named = NamedPerson(**{name: (whom,) if kind in several else whom})  # type: ignore[arg-type] # as it is named

    async def held(outbox: Outbox) -> dict[str, Any]:
        acts = _acts(outbox)
        if request is None:
            return await acts.held(caller(), named)
        if (asked := (await acts.access_requests()).get(request)) is None:
            raise typer.BadParameter(f"no request has the number {request}: look it up in `pinrelay audit`")
        return await acts.held(caller(), asked)

    found = with_outbox(held)
    if as_text:
        typer.echo(visible(person_text(found), lines=True), nl=False)
    else:
        print_json(found)
    if not any(value for name, value in found.items() if name not in {"at", "named_by"}):
        print_line(f"Nothing is stored for this person, by {', '.join(found['named_by'])}.", err=True)

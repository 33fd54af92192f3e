"""People: stored data of a person, and its erasure.

Typed ids arrive by POST, so that they are in no address, history or log, and they are never shown again. From then on
the key of an id identifies the person.
"""

import re
from collections.abc import Sequence
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import Form, PageGroup, given_number, go, person_of, read_form
from app.core.people import NamedPerson
from app.core.values.texts import visible
from app.operations.forget import person_text
from app.pipeline.search import KnownPerson, PeopleSearch

#: The ids for a look-up of a person, with the labels of the form.
LOOKED_UP_BY: Final = {"user_id": "userId", "anonymous_id": "anonymousId", "contact": "e-mail or phone"}
#: The ids for an erasure: members of `NamedPerson`.
ERASED_BY: Final = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "emails": "e-mail",
    "phones": "phone",
    "order_ids": "order id",
}
MAX_CERTIFICATES: Final = 50
#: The key of an id: HMAC-SHA-256 in hex.
_KEY: Final = re.compile(r"[0-9a-f]{64}")


class PeoplePages(PageGroup):
    """The page that shows the data of a person in memory, and erases it."""

    async def show(self, request: Request) -> Response:
        """Show the form, and the result of an erasure."""
        given = request.query_params
        ids, messages = given_number(given.get("ids")), given_number(given.get("messages"))
        return await self._render(
            request, "user_id", erased=None if ids is None or messages is None else (ids, messages)
        )

    async def erase(self, request: Request) -> Response:
        """Erase a person, with or without memory, and redirect to the certificate."""
        form = await read_form(request)
        by, text = form.get("by", ""), form.get("whom", "").strip()
        if by not in ERASED_BY or not text or "confirmed" not in form:
            told = "Name the person, and confirm that all that is kept of them is to be erased."
            return self._pages.problem(request, 400, "Nothing is erased", told)
        whom = NamedPerson(**{by: text if by in LOOKED_UP_BY else (text,)})  # type: ignore[arg-type] # as it is named
        reference = form.get("reference", "").strip()
        done = await self._services.acts.people.forget(person_of(request), whom, reference=reference)
        if not done.certificate:
            return self._pages.problem(request, 404, "Nothing is erased", done.failure)
        return go(request, "people/erasure", {"number": done.certificate})

    async def held(self, request: Request) -> Response:
        """Send the data stored about a person as a single file, JSON or text."""
        form = await read_form(request)
        acts, by, text = self._services.acts.people, form.get("by", ""), form.get("whom", "").strip()
        asked = (await acts.access_requests()).get(form.get("request", ""))
        if asked is None and (by not in ERASED_BY or not text):
            return self._pages.problem(request, 400, "No person is named", "Type an id, address, number or order id.")
        whom = asked or NamedPerson(**{by: text if by in LOOKED_UP_BY else (text,)})  # type: ignore[arg-type] # as it is named
        found = await acts.held(person_of(request), whom)
        if form.get("as") == "text":
            headers = {"Content-Disposition": 'attachment; filename="person.txt"'}
            return Response(visible(person_text(found), lines=True), media_type="text/plain", headers=headers)
        headers = {"Content-Disposition": 'attachment; filename="person.json"'}
        body = orjson.dumps(found, option=orjson.OPT_INDENT_2)
        return Response(body, media_type="application/json", headers=headers)

    async def erasure(self, request: Request) -> Response:
        """Show the certificate of an erasure, formatted for printing on a single sheet."""
        number = request.query_params.get("number", "")
        found = dict(await self._services.acts.people.certificates()).get(number)
        if found is None:
            text = "Certificates are kept as long as the audit log (RETENTION_DAYS (audit)). See the list under People."
            return self._pages.problem(request, 404, "No certificate has this number", text)
        if request.query_params.get("as") == "json":
            return Response(orjson.dumps({"certificate": number, **found.shown}), media_type="application/json")
        return self._pages.render(request, "erasure.html", nav="people", number=number, each=found)

    async def look(self, request: Request) -> Response:
        """Show the persons of an id: none, one, or several with a common address or number."""
        form = await read_form(request)
        by = form.get("by", "")
        by = by if by in LOOKED_UP_BY else "user_id"
        text, search = form.get("whom", "").strip(), self._services.people
        people = await self._found(search, by, text) if search and text else None
        return await self._render(request, by, people=people)

    async def forget(self, request: Request) -> Response:
        """Ask for confirmation, then erase a person, or the data of a single id."""
        form = await read_form(request)
        key, search = form.get("key", ""), self._services.people
        if search is None or not _KEY.fullmatch(key):
            return self._missing(request)
        if "confirmed" not in form:
            return await self._ask(request, form, search)
        done = await self._services.acts.people.forget_known(person_of(request), key, alone="alone" in form)
        return go(request, "people", {"ids": done.ids, "messages": done.messages})

    async def _ask(self, request: Request, form: Form, search: PeopleSearch) -> Response:
        person = await search.by_key(form["key"], now=self._services.clock())
        if person is None:
            return self._missing(request)
        alone = "alone" in form
        return self._pages.render(request, "forget.html", nav="people", known=person, alone=alone)

    async def _found(self, search: PeopleSearch, by: str, text: str) -> Sequence[KnownPerson]:
        now = self._services.clock()
        if by == "contact":
            return await search.by_contact(text, now=now)
        key = search.key_of(**{by: text})
        person = await search.by_key(key, now=now) if key else None
        return [person] if person else []

    def _missing(self, request: Request) -> Response:
        text = "Nothing is remembered under this id any more, or it was never there. Look the person up again."
        return self._pages.problem(request, 404, "No person has this id", text)

    async def _render(
        self,
        request: Request,
        by: str,
        *,
        people: Sequence[KnownPerson] | None = None,
        erased: Sequence[int] | None = None,
    ) -> Response:
        return self._pages.render(
            request,
            "people.html",
            nav="people",
            by=by,
            ways=LOOKED_UP_BY,
            people=people,
            erased=erased,
            can_look=self._services.people is not None,
            erased_by=ERASED_BY,
            requests=await self._services.acts.people.access_requests(),
            certificates=(await self._services.acts.people.certificates())[:MAX_CERTIFICATES],
        )

"""The event tester: what would happen to this event. It shows what was pasted and keeps nothing of it."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.access.users import Person
from app.catalog import Preset
from app.console.examples import fresh
from app.console.forms import MAX_FORM_BYTES, Form, given_number, read_form
from app.console.inventory_page import key_of
from app.console.labels import pretty
from app.console.pages import PageGroup, person_of
from app.console.pasted import Arriving, NoEvent, Pasted, arriving
from app.core.events import DEFAULT_SOURCE, EventKey
from app.core.pages import AuditAction
from app.destination.client import Failure
from app.errors import CatalogError, Fault, UnknownName
from app.insights.inventory.drafts import draft_preset
from app.pipeline.explain import EventReport

#: A file that does not run, as drafts for a kind of event name theirs.
_NEW_FILE: Final = re.compile(r".{1,400}\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One file's text as somebody is trying it: it stands for the file of that name and is never written."""

    #: As the running catalog names it, e.g. `presets/checkout.yaml`.
    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestReply:
    """What came of a test event that was sent."""

    #: The HTTP status; None where no answer came.
    status: int | None
    #: What Pinterest said, or why no answer came. Holds no token.
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The form as it is shown (again), and what came of it."""

    #: What arrives, as it was pasted.
    pasted: Pasted
    #: The file that is tried in another form; None where none is.
    draft: Draft | None = None
    #: Why the text is no event; "" where it is one.
    fault: str = ""
    #: What is wrong with the draft; then nothing is explained.
    draft_faults: tuple[Fault, ...] = ()
    #: What it is about; None where there is a fault.
    arriving: Arriving | None = None
    explanation: EventReport | None = None
    #: Pinterest's answers by the report's title, where the event was sent.
    replies: dict[str, PinterestReply] = field(default_factory=dict)


class TesterPages(PageGroup):
    """One page: a form and its result. The buttons that sent the form say what is to be done."""

    async def show(self, request: Request) -> Response:
        """Show the form with the first example, the `?example=` of a preset, or the draft for a kind of event."""
        if request.query_params.get("type"):
            return self._render(request, await self._try_new(key_of(request.query_params)))
        wanted = request.query_params.get("example")
        pasted = Pasted(text=self._example_text(wanted), source=self._source_of(request.query_params))
        return self._render(request, await self._try(pasted, None), is_fresh=not request.query_params)

    async def run(self, request: Request) -> Response:
        """Do what the button says: load an example or a file, send a test event, or just look."""
        form = await read_form(request)
        if "example" in form:
            form = {**form, "event": self._example_text(form["example"])}
        pasted = Pasted(
            text=form.get("event", ""),
            source=self._source_of(form),
            headers=form.get("headers", ""),
            query=form.get("query", ""),
            number=given_number(form.get("number") or form.get("chosen")) or 1,
        )
        trial = await self._try(pasted, self._draft(form))
        if title := form.get("send"):
            person = person_of(request)
            if not person.may_operate:
                return self._pages.only_operators(request)
            trial.replies.update(await self._send(trial.explanation, title, person))
        return self._render(request, trial, is_again="again" in form)

    async def open(self, request: Request, text: str, source: str) -> Response:
        """Show the form with an event that arrived; what a source made of a request is tried as a plain event."""
        known = self._services.sources()
        file = known.get(source)
        is_plain = source in known and (file is None or file.reshape is None)
        pasted = Pasted(text=text, source=source if is_plain else DEFAULT_SOURCE)
        return self._render(request, await self._try(pasted, None), is_opened=True)

    async def _try_new(self, key: EventKey) -> Trial:
        """Try the draft of a preset for a kind of event, by an example of the shape that was met."""
        properties = await self._services.inventory.properties(key)
        made = draft_preset(key, properties, self._services.running.catalog)
        source = key.source if key.source in self._services.sources() else DEFAULT_SOURCE
        pasted = Pasted(text=pretty(fresh(made.event, self._services.clock())), source=source)
        return await self._try(pasted, Draft(file=made.file, text=made.text))

    def _source_of(self, values: Mapping[str, str]) -> str:
        """Return the source that is asked for; the default one where there is none of that name."""
        asked = values.get("source", "")
        return asked if asked in self._services.sources() else DEFAULT_SOURCE

    async def _try(self, pasted: Pasted, draft: Draft | None) -> Trial:
        running, now = self._services.running, self._services.clock()
        try:
            found = arriving(pasted, self._services.sources().get(pasted.source), now)
            catalog = running.catalog
            if draft:  # others are answered meanwhile
                catalog = await asyncio.to_thread(running.with_draft, draft.file, draft.text)
        except NoEvent as exc:
            return Trial(pasted=pasted, draft=draft, fault=str(exc))
        except CatalogError as exc:
            return Trial(pasted=pasted, draft=draft, draft_faults=exc.faults)
        explanation = await self._services.explainer.explain(found.event, catalog, now=now, source=pasted.source)
        return Trial(pasted=pasted, draft=draft, arriving=found, explanation=explanation)

    def _draft(self, form: Form) -> Draft | None:
        """Take the draft from the form; a newly chosen file begins as it runs, one that is new goes on."""
        texts = self._services.running.texts
        chosen = form.get("draft_file", "")
        begun = form.get("draft_of") == chosen and "reset" not in form
        if chosen not in texts:
            return (
                Draft(file=chosen, text=form.get("draft_text", "")) if begun and _NEW_FILE.fullmatch(chosen) else None
            )
        return Draft(file=chosen, text=form.get("draft_text", "") if begun else texts[chosen])

    async def _send(self, explanation: EventReport | None, title: str, person: Person) -> dict[str, PinterestReply]:
        """Send what a preset made of the event with `?test=true`, if it made something. Raises UnknownName.

        `title` is that of its report, which says for which destination.
        """
        made = {each.title: each for each in (explanation.presets if explanation else ())}
        if explanation and title not in made:
            raise UnknownName("preset", title, made)
        if title not in made or not (payload := made[title].payload):
            return {}
        accounts = {each.name: each.ad_account_id for each in self._services.destination.accounts}
        client = self._services.clients[accounts[made[title].destination]]
        answer = await client.send([payload], test=True)
        told = "no answer" if isinstance(answer, Failure) else f"answer {answer.status}"
        await self._services.audit.note(person, AuditAction.TEST_SENT, target=f"preset {title}", after=told)
        if isinstance(answer, Failure):
            return {title: PinterestReply(status=None, body=answer.reason)}
        return {title: PinterestReply(status=answer.status, body=orjson.dumps(answer.body).decode())}

    def _example_text(self, wanted: str | None) -> str:
        """Return a preset's example; the first there is where the preset has none, "" where there are none.

        Raises UnknownName.
        """
        presets = {each.name: each for each in self._services.running.catalog.presets}
        if wanted and wanted not in presets:
            raise UnknownName("preset", wanted, presets)
        examples = {each.name: each.example for each in _with_example(presets.values())}
        event = examples.get(wanted or "") or next(iter(examples.values()), None)
        return pretty(fresh(event, self._services.clock())) if event else ""

    def _render(
        self,
        request: Request,
        trial: Trial,
        *,
        is_fresh: bool = False,
        is_again: bool = False,
        is_opened: bool = False,
    ) -> Response:
        """Show the form; where it is `fresh` a script may bring back what was typed before, and then it is `again`.

        What was `opened` the script keeps like what is typed.
        """
        running, sources = self._services.running, self._services.sources()
        chosen = sources.get(trial.pasted.source)
        return self._pages.render(
            request,
            "tester.html",
            sources=list(sources),
            is_mapped=chosen is not None and chosen.reshape is not None,
            nav="tester",
            trial=trial,
            is_fresh=is_fresh,
            is_again=is_again,
            is_opened=is_opened,
            max_form_bytes=MAX_FORM_BYTES,
            examples=[preset.name for preset in _with_example(running.catalog.presets)],
            files=list(running.texts),
            is_new=trial.draft is not None and trial.draft.file not in running.texts,
            why_not=self._services.changes.publisher.why_not(trial.draft.file) if trial.draft else "",
        )


def _with_example(presets: Iterable[Preset]) -> list[Preset]:
    return [preset for preset in presets if preset.example]

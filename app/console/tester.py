"""The event tester: what would happen to this event. It shows what was pasted and keeps nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.console.examples import fresh
from app.console.forms import Form, read_form
from app.console.labels import pretty
from app.console.pages import Pages
from app.console.services import ConsoleServices, PresetView
from app.errors import UnknownPreset
from app.receiving.reports import Draft, EventReport, PinterestReply
from app.types import Event


class NoEvent(Exception):
    """The pasted text holds no event; the message says why and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The form as it is shown (again), and what came of it."""

    #: The event as pasted.
    text: str = ""
    #: The file that is tried in another form; None where none is.
    draft: Draft | None = None
    #: Why the text is no event; "" where it is one.
    fault: str = ""
    #: What else there is to say of the text.
    remark: str = ""
    report: EventReport | None = None
    #: Pinterest's answers by preset, where the event was sent.
    answers: dict[str, PinterestReply] = field(default_factory=dict)


class TesterPages:
    """One page: a form and its result. The buttons that sent the form say what is to be done."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """Show the form with the first example, or with the `?example=` of a preset, and its result."""
        wanted = request.query_params.get("example")
        return self._render(request, self._try(self._example_text(wanted), None))

    async def run(self, request: Request) -> Response:
        """Do what the button says: load an example or a file, send a test event, or just look."""
        form = await read_form(request)
        if "example" in form:
            form = {**form, "event": self._example_text(form["example"])}
        trial = self._try(form.get("event", ""), self._draft(form))
        if preset := form.get("send"):
            trial.answers.update(await self._send(trial.report, preset))
        return self._render(request, trial)

    def _try(self, text: str, draft: Draft | None) -> Trial:
        try:
            event, remark = read_event(text)
        except NoEvent as exc:
            return Trial(text=text, draft=draft, fault=str(exc))
        report = self._services.tester.test_event(event, draft, self._services.clock())
        return Trial(text=text, draft=draft, remark=remark, report=report)

    def _draft(self, form: Form) -> Draft | None:
        """Take the draft from the form; a newly chosen file begins as it runs."""
        texts = {file.file: file.text for file in self._services.catalog.files()}
        chosen = form.get("draft_file", "")
        if chosen not in texts:
            return None
        begun = form.get("draft_of") == chosen and "reset" not in form
        return Draft(file=chosen, text=form.get("draft_text", "") if begun else texts[chosen])

    async def _send(self, report: EventReport | None, preset: str) -> dict[str, PinterestReply]:
        """Send what the preset made of the event, if it made something."""
        made = {each.preset: each.payload for each in (report.presets if report else ())}
        payload = made.get(preset)
        return {preset: await self._services.tester.send_test(payload)} if payload else {}

    def _example_text(self, preset: str | None) -> str:
        """Return a preset's example; the first there is where the preset has none, "" where there are none.

        Raises UnknownPreset.
        """
        presets = {each.name: each for each in self._services.catalog.presets()}
        if preset and preset not in presets:
            raise UnknownPreset(preset, presets)
        examples = {each.name: each.example for each in _with_example(list(presets.values()))}
        event = examples.get(preset or "") or next(iter(examples.values()), None)
        return pretty(fresh(event, self._services.clock())) if event else ""

    def _render(self, request: Request, trial: Trial) -> Response:
        presets = self._services.catalog.presets()
        return self._pages.render(
            request,
            "tester.html",
            nav="tester",
            trial=trial,
            examples=[preset.name for preset in _with_example(presets)],
            files=[file.file for file in self._services.catalog.files()],
        )


def read_event(text: str) -> tuple[Event, str]:
    """Read one event, or the first of an array, and say so. Raises NoEvent."""
    if not text.strip():
        raise NoEvent("There is nothing here yet: paste an event as JSON, or pick an example.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise NoEvent(f"This is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}.") from None
    remark = ""
    if isinstance(value, list) and value:
        remark = f"The first of {len(value)} events is shown." if len(value) > 1 else ""
        value = value[0]
    if not isinstance(value, dict):
        raise NoEvent("A Segment event is a JSON object: it begins with { and ends with }.")
    return value, remark


def _with_example(presets: Sequence[PresetView]) -> list[PresetView]:
    return [preset for preset in presets if preset.example]

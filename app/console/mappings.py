"""Mappings: which presets run, what each sends, their switches, and the files they came from."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.forms import read_form
from app.console.pages import Pages, base_of
from app.console.services import ConsoleServices
from app.console.switches import Switches, switch

#: What was just done -> what the page says of it. Nothing else from the address is shown.
DONE = {
    "reloaded": "The files were read again and are in use. Other processes follow within 2 seconds.",
    "kept": "The files have faults, so nothing was changed: the catalog that was running runs on.",
    "on": "Switched on. Every process takes it up within 2 seconds.",
    "off": "Switched off. Every process takes it up within 2 seconds.",
}


class MappingPages:
    """The list of presets, the switches, the reload button."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """Show all presets and which process runs which catalog."""
        catalog = self._services.catalog
        return self._pages.render(
            request,
            "mappings.html",
            nav="mappings",
            presets=catalog.presets(),
            max_presets=self._services.max_presets,
            faults=catalog.faults(),
            generation=catalog.generation(),
            processes=await catalog.processes(),
            switches=await Switches.read(self._services.outbox),
            done=request.query_params.get("done", ""),
            said=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def switch(self, request: Request) -> Response:
        """Switch one preset, or the destination where the form names none."""
        form = await read_form(request)
        preset, on = form.get("preset") or None, form.get("on") == "yes"
        if preset and preset not in {each.name for each in self._services.catalog.presets()}:
            return self._pages.problem(request, 404, "No such preset", "It may have been removed by a reload.")
        await switch(self._services.outbox, preset, on=on)
        return self._back(request, "on" if on else "off")

    async def reload(self, request: Request) -> Response:
        """Read the files again, all or nothing."""
        faults = await self._services.catalog.reload()
        return self._back(request, "kept" if faults else "reloaded")

    def _back(self, request: Request, done: str) -> Response:
        return RedirectResponse(f"{base_of(request)}/mappings?{urlencode({'done': done})}", status_code=303)

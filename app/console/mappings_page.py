"""Mappings: which presets run, what each sends, their switches, and the files they came from."""

from starlette.requests import Request
from starlette.responses import Response

from app.catalog import MAX_ENABLED_PRESETS
from app.console.catalog_view import default_sources, preset_views
from app.console.forms import read_form
from app.console.pages import PageGroup, go, person_of
from app.core.coordination import Switches

#: What was just done -> what the page says of it. Nothing else from the address is shown.
DONE = {
    "reloaded": "The files were read again and are in use. Other processes follow within 2 seconds.",
    "kept": "The files have faults, so nothing was changed: the catalog that was running runs on.",
    "on": "Switched on. Every process takes it up within 2 seconds.",
    "off": "Switched off. Every process takes it up within 2 seconds.",
}


class MappingPages(PageGroup):
    """The list of presets, the switches, the reload button."""

    async def show(self, request: Request) -> Response:
        """Show all presets and which process runs which catalog."""
        services, coordination = self._services, self._services.coordination
        return self._pages.render(
            request,
            "mappings.html",
            nav="mappings",
            presets=preset_views(services.running.catalog),
            defaults=default_sources(services.running.catalog),
            max_presets=MAX_ENABLED_PRESETS,
            faults=coordination.faults,
            generation=coordination.generation,
            processes=await coordination.processes(now=services.clock()),
            switches=await Switches.read(services.outbox),
            done=request.query_params.get("done", ""),
            said=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def switch(self, request: Request) -> Response:
        """Switch one preset, one ad account, or all sending where the form names neither."""
        form = await read_form(request)
        preset, account, on = form.get("preset"), form.get("ad_account_id"), form.get("on") == "yes"
        await self._services.changes.switch(person_of(request), preset, on=on, ad_account_id=account)
        return go(request, "mappings", {"done": "on" if on else "off"})

    async def reload(self, request: Request) -> Response:
        """Read the files again, all or nothing."""
        is_taken_up = await self._services.changes.reload(person_of(request))
        return go(request, "mappings", {"done": "reloaded" if is_taken_up else "kept"})

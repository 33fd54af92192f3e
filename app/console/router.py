"""All routes of the console."""

from collections.abc import Iterator
from functools import partial
from typing import TypeAlias

from fastapi import APIRouter

from app.console.activity_page import ActivityPages
from app.console.compare_page import MAX_UPLOAD_BYTES, TOO_LARGE_HELP, ComparePages
from app.console.deliveries_page import DeadLetterPages, DeliveryPages
from app.console.guard import Guard, LoginPages, PageHandler
from app.console.inventory_page import InventoryPages, QuarantinePages
from app.console.order_page import OrderPages
from app.console.overview_page import OverviewPages
from app.console.pages import Pages
from app.console.people_page import PeoplePages
from app.console.pinterest_page import PinterestPages, TagCheckPages
from app.console.pixel_page import PixelPages
from app.console.preset_page import PresetPages
from app.console.publish_page import MappingPages, PublishPages
from app.console.quality_page import QualityPages
from app.console.revenue_page import RevenuePages
from app.console.services import ConsoleServices
from app.console.tester_page import TailPages, TesterPages

#: The method, the path below /console, and the guarded page.
_Route: TypeAlias = tuple[str, str, PageHandler]


def create_console(services: ConsoleServices) -> APIRouter:
    """Build the console: everything under `/console`, guarded, without the OpenAPI description."""
    pages, router = Pages(services), APIRouter()
    guard = Guard(services, pages)
    for routes in (_of_visitors, _of_events, _of_figures, _of_mappings):
        for method, path, page in routes(services, pages, guard):
            router.add_route(f"/console{path}", page, methods=[method], include_in_schema=False)
    router.add_route("/console/{rest:path}", guard(pages.unknown), methods=["GET"], include_in_schema=False)
    return router


def _of_visitors(services: ConsoleServices, pages: Pages, guard: Guard) -> Iterator[_Route]:
    login, activity = LoginPages(services, pages), ActivityPages(services, pages)
    for_anybody = partial(guard, public=True)
    yield "GET", "/login", for_anybody(login.show)
    yield "POST", "/login", for_anybody(login.log_in)
    yield "GET", "/static/{name}", for_anybody(pages.file)
    yield "POST", "/logout", guard(login.log_out)
    yield "GET", "/activity", guard(activity.show)
    yield "GET", "/activity.csv", guard(activity.export)
    yield "POST", "/activity/test-alert", guard(activity.test_alert, changes=True)


def _of_events(services: ConsoleServices, pages: Pages, guard: Guard) -> Iterator[_Route]:
    deliveries, dead_letters = DeliveryPages(services, pages), DeadLetterPages(services, pages)
    tester, tail = TesterPages(services, pages), TailPages(services, pages)
    quarantine, people = QuarantinePages(services, pages), PeoplePages(services, pages)
    for_operators = partial(guard, changes=True)
    yield "GET", "/deliveries", guard(deliveries.search)
    yield "GET", "/deliveries.csv", guard(deliveries.export)
    yield "GET", "/find", guard(deliveries.offers)
    yield "POST", "/find", guard(deliveries.look_up)
    yield "GET", "/delivery", guard(deliveries.delivery)
    yield "GET", "/message", guard(deliveries.message)
    yield "GET", "/order/{order_id:path}", guard(OrderPages(services, pages).show)
    yield "GET", "/deliveries/redrive", guard(dead_letters.confirm_redrive)
    yield "POST", "/deliveries/redrive", for_operators(dead_letters.redrive)
    yield "GET", "/deliveries/dismiss", guard(dead_letters.confirm_dismissal)
    yield "POST", "/deliveries/dismiss", for_operators(dead_letters.dismiss)
    yield "GET", "/tester", guard(tester.show)
    yield "POST", "/tester", guard(tester.run)
    yield "GET", "/tail", for_operators(tail.show)
    yield "POST", "/tail", for_operators(tail.switch)
    yield "POST", "/tail/open", for_operators(tail.open)
    yield "GET", "/quarantine", guard(quarantine.show)
    yield "GET", "/quarantine/preview", guard(quarantine.preview)
    yield "POST", "/quarantine/replay", for_operators(quarantine.replay)
    yield "POST", "/quarantine/discard", for_operators(quarantine.discard)
    yield "GET", "/people", guard(people.show)
    yield "POST", "/people", guard(people.look)
    yield "POST", "/people/forget", for_operators(people.forget)
    yield "POST", "/people/erase", for_operators(people.erase)
    yield "GET", "/people/erasure", for_operators(people.erasure)
    yield "POST", "/people/held", for_operators(people.held)


def _of_figures(services: ConsoleServices, pages: Pages, guard: Guard) -> Iterator[_Route]:
    inventory, compared = InventoryPages(services, pages), ComparePages(services, pages)
    uploaded = guard(compared.run, changes=True, max_bytes=MAX_UPLOAD_BYTES, remedy=TOO_LARGE_HELP)
    yield "GET", "", guard(OverviewPages(services, pages).show)
    yield "GET", "/inventory", guard(inventory.show)
    yield "GET", "/inventory/name", guard(inventory.name)
    yield "GET", "/pixel", guard(PixelPages(services, pages).show)
    yield "GET", "/quality", guard(QualityPages(services, pages).show)
    yield "GET", "/pinterest", guard(PinterestPages(services, pages).show)
    yield "GET", "/tag-check", guard(TagCheckPages(services, pages).show)
    yield "GET", "/revenue", guard(RevenuePages(services, pages).show)
    yield "GET", "/revenue/compare", guard(compared.show)
    yield "POST", "/revenue/compare", uploaded


def _of_mappings(services: ConsoleServices, pages: Pages, guard: Guard) -> Iterator[_Route]:
    mappings, publishing = MappingPages(services, pages), PublishPages(services, pages)
    for_operators = partial(guard, changes=True)
    yield "GET", "/mappings", guard(mappings.show)
    yield "POST", "/mappings/switch", for_operators(mappings.switch)
    yield "POST", "/mappings/reload", for_operators(mappings.reload)
    presets = PresetPages(services, pages)
    yield "GET", "/preset", guard(presets.show)
    yield "GET", "/preset/edit", for_operators(presets.edit)
    yield "POST", "/preset/edit", for_operators(presets.change)
    yield "GET", "/versions", guard(publishing.versions)
    yield "POST", "/publish", for_operators(publishing.confirm)
    yield "POST", "/publish/now", for_operators(publishing.publish)

"""All addresses of the console, at a glance."""

from fastapi import APIRouter

from app.console.activity import ActivityPages
from app.console.arriving import InventoryPages
from app.console.compare_page import MAX_UPLOAD_BYTES, TOO_LARGE_HELP, ComparePages
from app.console.dead_letters_page import DeadLetterPages
from app.console.deliveries import DeliveryPages
from app.console.guard import Guard
from app.console.login import LoginPages
from app.console.mappings import MappingPages
from app.console.overview import OverviewPages
from app.console.pages import Pages
from app.console.pinterest_page import PinterestPages
from app.console.published import PublishPages
from app.console.quarantined import QuarantinePages
from app.console.remembered import PeoplePages
from app.console.revenue_page import RevenuePages
from app.console.services import ConsoleServices
from app.console.tailing import TailPages
from app.console.tester import TesterPages


def create_console(services: ConsoleServices) -> APIRouter:
    """Build the console: everything under `/console`, guarded, out of the OpenAPI description."""
    pages = Pages(services)
    overview, tester = OverviewPages(services, pages), TesterPages(services, pages)
    deliveries, mappings = DeliveryPages(services, pages), MappingPages(services, pages)
    activity, login = ActivityPages(services, pages), LoginPages(services, pages)
    dead_letters = DeadLetterPages(services, pages)
    guard = Guard(services, pages)
    router = APIRouter()
    for method, path, page in (
        ("GET", "/console", overview.show),
        ("GET", "/console/tester", tester.show),
        ("POST", "/console/tester", tester.run),
        ("GET", "/console/deliveries", deliveries.search),
        ("POST", "/console/find", deliveries.look_up),
        ("GET", "/console/delivery", deliveries.delivery),
        ("GET", "/console/message", deliveries.message),
        ("GET", "/console/redrive", dead_letters.confirm_redrive),
        ("GET", "/console/dismiss", dead_letters.confirm_dismissal),
        ("GET", "/console/mappings", mappings.show),
        ("GET", "/console/activity", activity.show),
        ("POST", "/console/logout", login.log_out),
    ):
        router.add_route(path, guard(page), methods=[method], include_in_schema=False)
    for path, page in (
        ("/console/redrive", dead_letters.redrive),
        ("/console/dismiss", dead_letters.dismiss),
        ("/console/activity/test-alert", activity.test_alert),
        ("/console/mappings/switch", mappings.switch),
        ("/console/mappings/reload", mappings.reload),
    ):
        router.add_route(path, guard(page, changes=True), methods=["POST"], include_in_schema=False)
    _add_public(router, guard, login, pages)
    _add_people(router, guard, PeoplePages(services, pages))
    _add_figures(router, guard, services, pages)
    _add_publishing(router, guard, PublishPages(services, pages))
    _add_quarantine(router, guard, QuarantinePages(services, pages))
    _add_tail(router, guard, TailPages(services, pages, tester))
    router.add_route("/console/{rest:path}", guard(pages.unknown), methods=["GET"], include_in_schema=False)
    return router


def _add_public(router: APIRouter, guard: Guard, login: LoginPages, pages: Pages) -> None:
    for method, path, page in (
        ("GET", "/console/login", login.show),
        ("POST", "/console/login", login.log_in),
        ("GET", "/console/static/{name}", pages.file),
    ):
        router.add_route(path, guard(page, public=True), methods=[method], include_in_schema=False)


def _add_people(router: APIRouter, guard: Guard, people: PeoplePages) -> None:
    for method, page in (("GET", people.show), ("POST", people.look)):
        router.add_route("/console/people", guard(page), methods=[method], include_in_schema=False)
    forget = guard(people.forget, changes=True)
    router.add_route("/console/people/forget", forget, methods=["POST"], include_in_schema=False)


def _add_figures(router: APIRouter, guard: Guard, services: ConsoleServices, pages: Pages) -> None:
    inventory = InventoryPages(services, pages)
    for path, page in (
        ("inventory", inventory.show),
        ("inventory/name", inventory.name),
        ("revenue", RevenuePages(services, pages).show),
        ("pinterest", PinterestPages(services, pages).show),
    ):
        router.add_route(f"/console/{path}", guard(page), methods=["GET"], include_in_schema=False)
    compared, address = ComparePages(services, pages), "/console/revenue/compare"
    router.add_route(address, guard(compared.show), methods=["GET"], include_in_schema=False)
    uploading = guard(compared.run, changes=True, max_bytes=MAX_UPLOAD_BYTES, remedy=TOO_LARGE_HELP)
    router.add_route(address, uploading, methods=["POST"], include_in_schema=False)


def _add_quarantine(router: APIRouter, guard: Guard, quarantine: QuarantinePages) -> None:
    for path, page in (("", quarantine.show), ("/preview", quarantine.preview)):
        router.add_route(f"/console/quarantine{path}", guard(page), methods=["GET"], include_in_schema=False)
    for path, page in (("/replay", quarantine.replay), ("/discard", quarantine.discard)):
        guarded = guard(page, changes=True)
        router.add_route(f"/console/quarantine{path}", guarded, methods=["POST"], include_in_schema=False)


def _add_tail(router: APIRouter, guard: Guard, tail: TailPages) -> None:
    for method, path, page in (("GET", "", tail.show), ("POST", "", tail.switch), ("POST", "/open", tail.open)):
        guarded = guard(page, changes=True)
        router.add_route(f"/console/tail{path}", guarded, methods=[method], include_in_schema=False)


def _add_publishing(router: APIRouter, guard: Guard, publishing: PublishPages) -> None:
    router.add_route("/console/versions", guard(publishing.versions), methods=["GET"], include_in_schema=False)
    for path, page in (("", publishing.confirm), ("/now", publishing.publish)):
        guarded = guard(page, changes=True)
        router.add_route(f"/console/publish{path}", guarded, methods=["POST"], include_in_schema=False)

"""The services of the console: it has no other access to Pinrelay.

`main` creates a `ConsoleServices`; tests create it over their own store (`tests/console/world.py`). Personal data only
appears in `EventReport`, created from pasted text and never stored.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.access.admission import Access
from app.catalog.catalog import RunningCatalog
from app.config import Settings
from app.core.coordination import Coordination
from app.core.pages import AccountView
from app.core.trust import SourceTraits
from app.destination.client import PinterestClient
from app.insights.alerts.overall import Alert
from app.insights.inventory.view import InventoryView
from app.operations.acts import Acts
from app.operations.declaration import Services
from app.outbox import Outbox
from app.pipeline.explain import Explainer
from app.pipeline.search import Finder, PeopleSearch
from app.source import NamedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    """The services of the console."""

    outbox: Outbox
    running: RunningCatalog
    #: Switches, reloads, and the list of processes.
    coordination: Coordination
    #: Finds events.
    finder: Finder
    #: Previews the results of an event.
    explainer: Explainer
    #: Returns the explainer under the settings of a test.
    explainer_of_test: Callable[[Mapping[str, Any]], Explainer]
    #: Returns all sources by name, with their file or `None`.
    sources: Callable[[], Mapping[str, NamedSource | None]]
    #: Returns the traits of a source by name.
    traits_of: Callable[[str], SourceTraits]
    #: Send test events, by ad account.
    clients: Mapping[str, PinterestClient]
    access: Access
    #: Executes and records actions of operators.
    acts: Acts
    #: Used by the operations of all surfaces.
    shared: Services
    #: Received events by name.
    inventory: InventoryView
    #: At least one ad account.
    accounts: tuple[AccountView, ...]
    settings: Settings
    #: Returns the current problems except those of delivery. May raise OutboxUnavailable.
    alerts: Callable[[], Awaitable[list[Alert]]]
    #: Returns why a restart is needed; "" if none is needed.
    restart_notice: Callable[[], str] = str
    #: Looks up the data of people in memory; `None` without a secret.
    people: PeopleSearch | None
    #: Unix seconds.
    clock: Callable[[], float]

    @property
    def live(self) -> bool:
        """Return whether any ad account sends to Pinterest; otherwise all use the built-in sandbox."""
        return any(account.live for account in self.accounts)

    @property
    def settings_set(self) -> frozenset[str]:
        """Return the names of set settings that recommendations mention."""
        known = {
            "REMEMBER_DAYS": self.settings.remember_days,
            "DEFAULT_COUNTRY": self.settings.default_country,
            "DEFAULT_CURRENCY": self.settings.default_currency,
            "ACTION_SOURCE_BY_CONTEXT": self.settings.action_source_by_context,
            "ORDER_SCOPE": self.settings.orders_by_source,
        }
        return frozenset(name for name, value in known.items() if value)

    def name_of(self, ad_account_id: str | None) -> str:
        """Return the name of an ad account; "" if it has none or is unknown."""
        return next((each.name for each in self.accounts if each.ad_account_id == ad_account_id), "")

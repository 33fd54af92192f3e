"""All acts of a process that serves, for the console, the interface and SIGHUP."""

from dataclasses import dataclass

from app.operations.dead_letters import DeadLetterActs
from app.operations.forget import ForgetActs
from app.operations.publish import CatalogActs
from app.operations.quarantine import QuarantineActs
from app.operations.reconcile import OrderActs
from app.operations.send_test import SendTestActs
from app.operations.switch import SwitchActs
from app.operations.watch import TailActs


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """Whatever an operator can do, by subject. Commands make what they need alone."""

    catalog: CatalogActs
    dead_letters: DeadLetterActs
    orders: OrderActs
    people: ForgetActs
    quarantine: QuarantineActs
    sending: SwitchActs
    tail: TailActs
    tests: SendTestActs

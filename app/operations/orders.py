"""Operations on orders: revenue. Amounts are texts, which are exact."""

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from app.access.users import UserRole
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.insights.orders.revenue import read_revenue
from app.operations.declaration import Call, member, operation
from app.operations.events import PartParams


class Worth(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """Number and value of some orders."""

    orders: int
    without_amount: int
    amount: str
    average: str | None


_BEFORE: Final = "The same for as many days before; of a day: the day before."


class RevenueLine(BaseModel, from_attributes=True):
    """The orders of a day, preset, source, order channel or ad account."""

    received: Worth
    before: Worth = Field(description=_BEFORE)
    week_before: Worth
    became: dict[str, Worth]
    name: str = Field(description="Of a day: its number since 1970.")


class OddOrder(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """An order with an unusually large amount."""

    amount: str
    delivery_id: str
    times: int = Field(description="Its amount, in medians.")


class OrderTrust(BaseModel, from_attributes=True):
    """How far the sent orders are trusted."""

    orders: int
    public: int = Field(description="Orders that anyone could have sent.")
    unconfirmed: int = Field(description="Orders that the shop did not confirm.")


class CurrencyRevenue(BaseModel, from_attributes=True):
    """Revenue in a currency."""

    received: Worth = member("whole", "received")
    before: Worth = member("whole", "before", description=_BEFORE)
    week_before: Worth = member("whole", "week_before")
    became: dict[str, Worth] = member("whole", "became")
    currency: Annotated[str | None, BeforeValidator(lambda code: code or None)] = Field(
        description="ISO 4217; null if the orders named none."
    )
    unmatched: Worth = Field(description="Orders that no preset takes.")
    by: dict[str, list[RevenueLine]] = member(
        "lines", description="By `day`, `preset`, `source`, `channel`, `ad_account_id`."
    )
    odd: list[OddOrder]
    trust: OrderTrust


class RevenueByCurrency(BaseModel):
    """Revenue by currency."""

    first_day: int = Field(description="The day's number since 1970.")
    last_day: int
    currencies: list[CurrencyRevenue]


class RevenueParams(PartParams):
    """Which orders."""

    days: int = Field(default=7, ge=1, le=366, description="Number of days (UTC), up to today.")


@operation("orders revenue", role=UserRole.VIEWER, rows="currencies", example={"days": 1})
async def show_revenue(call: Call, params: RevenueParams) -> RevenueByCurrency:
    """Show the amounts of the last days' orders by currency, and how many of them were sent."""
    part = params.model_dump(exclude={"days"})
    await call.services.finder.check(Query(**part))
    today = int(call.services.audit.clock() // DAY_S)
    days = {"first_day": today - params.days + 1, "last_day": today}
    found = await read_revenue(call.services.outbox, part, **days)
    return RevenueByCurrency.model_validate({**days, "currencies": found})

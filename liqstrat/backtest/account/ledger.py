"""What the account did in a run, as plain records. Money is in USDT, quantities in base asset, times in nanoseconds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from liqstrat.backtest.ticket import Refusal
from liqstrat.liquidation.clusters import Cluster

Role = Literal["entry", "stop", "target", "exit", "liquidation"]


@dataclass(frozen=True)
class LevelKnown:
    """What a strategy could know of its level when it entered, besides the cluster itself.

    distance: of its densest price from the entry's, a signed fraction. touched: how many times price had been at it
    since its contracts were opened on average, see `known.times_touched`. seeded: the share of the whole map that was
    open when history began, whose place is a guess.
    """

    distance: float
    touched: int
    seeded: float


@dataclass(frozen=True)
class Entry:
    """Why an entry was sent: the level it trades, if any, what else was known of it, and words."""

    order_id: str
    level: Cluster | None
    reason: str
    known: LevelKnown | None = None


@dataclass(frozen=True)
class OrderRecord:
    """One order.

    quantity: as it was asked for. submitted_ns: when the strategy sent it. reference: the price that its fills'
    slippage is measured against. reason: why it ended without a fill, "" where it did not. first_trigger: that of a
    stop when it was sent, which may have been moved since.
    """

    order_id: str
    strategy: str
    symbol: str
    side: Literal["buy", "sell"]
    type: str
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    status: str
    filled: Decimal
    average_price: float | None
    reduce_only: bool
    role: Role
    submitted_ns: int | None
    closed_ns: int | None
    reference: Decimal | None
    reason: str = ""
    first_trigger: Decimal | None = None


@dataclass(frozen=True)
class Fill:
    """One fill, at the price that was paid.

    number: the exchange's count, which orders fills of one moment.
    slippage: what that price cost (negative: gained) against the last price when an order was sent, the trigger of a
    stop, the limit of a target, or the last price before a liquidation.
    """

    time_ns: int
    number: int
    order_id: str
    strategy: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    fee: Decimal
    maker: bool
    role: Role
    slippage: Decimal

    @property
    def signed(self) -> Decimal:
        """Contracts bought, negative when sold."""
        return self.quantity if self.side == "buy" else -self.quantity


@dataclass(frozen=True)
class Funding:
    """One funding payment of one position, USDT, negative when paid."""

    time_ns: int
    strategy: str
    symbol: str
    amount: Decimal


@dataclass(frozen=True)
class RoundTrip:
    """One position from flat to flat; `closed_ns`, `exit_price` and `exit_role` are None while it is open.

    quantity: the most it held. pnl: realized so far, net of fees and funding.
    """

    position_id: str
    strategy: str
    symbol: str
    side: Literal["long", "short"]
    opened_ns: int
    closed_ns: int | None
    quantity: Decimal
    entry_price: float
    exit_price: float | None
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    exit_role: Role | None
    entry: Entry | None

    @property
    def result(self) -> float:
        """Net profit as a share of the notional at entry."""
        return float(self.pnl) / (float(self.quantity) * self.entry_price)


@dataclass(frozen=True)
class Ledger:
    """All of a run, each list in order of time.

    refusals: entries that were never sent. beyond: by strategy, of each order of its own that was larger than the
    exchange's brackets allow at the account's leverage, what they left (USDT).
    """

    orders: list[OrderRecord]
    fills: list[Fill]
    funding: list[Funding]
    trips: list[RoundTrip]
    refusals: list[Refusal] = field(default_factory=list)
    beyond: dict[str, list[float]] = field(default_factory=dict)

    def of(self, strategy: str) -> "Ledger":
        """What one strategy did."""
        return Ledger(
            [order for order in self.orders if order.strategy == strategy],
            [fill for fill in self.fills if fill.strategy == strategy],
            [payment for payment in self.funding if payment.strategy == strategy],
            [trip for trip in self.trips if trip.strategy == strategy],
            [refusal for refusal in self.refusals if refusal.strategy == strategy],
        )


@dataclass(frozen=True)
class Held:
    """A position: contracts (negative when short), their average price, and the profit realized so far, less fees."""

    contracts: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)

    def after(self, fill: Fill) -> "Held":
        """What enlarges a position moves its average price, what reduces it realizes profit."""
        reduces = self.contracts * fill.signed < 0
        closing = min(fill.quantity, abs(self.contracts)) if reduces else Decimal(0)
        direction = 1 if self.contracts > 0 else -1
        realized = self.realized + closing * direction * (fill.price - self.average) - fill.fee
        average, opening = self.average, fill.quantity - closing
        if opening:
            kept = abs(self.contracts) - closing
            average = (kept * average + opening * fill.price) / (kept + opening)
        return Held(self.contracts + fill.signed, average, realized)


def follow(fills: Iterable[Fill]) -> list[Held]:
    """The position before the first and after each of a strategy's fills in one symbol."""
    states = [Held()]
    for fill in fills:
        states.append(states[-1].after(fill))
    return states

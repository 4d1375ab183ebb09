"""The calculator: where a position opened at a price is liquidated."""

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from liqstrat.liquidation.brackets import DEFAULT_SYMBOL, BracketTable, bracket_table, brackets_for
from liqstrat.liquidation.calculator import position_risks
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.params import Leverages, Model, Moment, Nothing, Side, Symbol, Timeframe, Weights, leverages
from liqstrat.serve.refusals import RefusedError

_CALCULATOR = ("entry_price", "leverage_levels", "maintenance_margin_rate", "notional")
_MAP = ("data", "symbol", "model", "timeframe", "at", "side", "leverage", "leverage_weights", "min_notional", "band")
_LEVERAGES = "5,10,25,50,100,125"
_NOTIONAL = 10_000.0


class LevelsQuery(Nothing):
    entry_price: Annotated[float | None, Field(ge=1e-12, le=1e12, description="USDT; asks for the calculator.")] = None
    leverage_levels: Annotated[Leverages | None, Field(description=f"Of the calculator; by default {_LEVERAGES}.")] = (
        None
    )
    maintenance_margin_rate: Annotated[
        float | None, Field(gt=0, lt=1, description="Of the calculator; by default that of BTCUSDT's brackets.")
    ] = None
    notional: Annotated[
        float | None, Field(ge=0.01, le=1e12, description=f"Of the calculator, USDT; by default {_NOTIONAL:,.0f}.")
    ] = None
    symbol: Annotated[Symbol | None, Field(description="Asks for the estimated map.")] = None
    data: Annotated[str | None, Field(max_length=200)] = None
    model: Model | None = None
    timeframe: Timeframe | None = None
    at: Moment | None = None
    side: Side | None = None
    leverage: Leverages | None = None
    leverage_weights: Weights | None = None
    min_notional: Annotated[float | None, Field(ge=0, le=1e15)] = None
    band: bool | None = None

    def mixed(self) -> str | None:
        """What is wrong where it asks for both the calculator and a map, or for neither."""
        of_map = [name for name in _MAP if name in self.model_fields_set]
        of_calculator = [name for name in _CALCULATOR if name in self.model_fields_set]
        if of_map and of_calculator:
            return f"{of_calculator[0]} is for the calculator and {of_map[0]} for the map, expected one of both"
        if self.entry_price is None and self.symbol is None:
            return "expected entry_price, for the calculator, or symbol, for the estimated map"
        return None


def calculated(asked: LevelsQuery) -> Given:
    """Both sides of every leverage."""
    assert asked.entry_price is not None
    notional = asked.notional or _NOTIONAL
    brackets, told = _brackets(asked.maintenance_margin_rate)
    try:
        risks = position_risks(asked.entry_price, leverages(asked.leverage_levels or _LEVERAGES), brackets, notional)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    rows = [asdict(one) for one in risks]
    sides = {f"{side}_liquidations": [row for row in rows if row["side"] == side] for side in ("long", "short")}
    about = {"entry_price": asked.entry_price, "notional": notional, "brackets": told}
    return Given(Answer(about, pa.Table.from_pylist(rows), shown=sides))


def _brackets(rate: float | None) -> tuple[BracketTable, str]:
    now = datetime.now(UTC)
    if rate is None:
        table = brackets_for("BTCUSDT", now)
        return table, f"BTCUSDT as of {table.as_of}"
    one = [(Decimal(0), Decimal("Infinity"), Decimal(repr(rate)), 150)]
    return bracket_table(DEFAULT_SYMBOL, now.date(), one), f"one bracket of {rate:.4%} without an amount"

"""metrics: open interest and long/short ratios every five minutes, each known at its `create_time`."""

from liqstrat.market.archive.layout import (
    SYMBOL,
    Layout,
    column,
    epoch,
    epoch_check,
    not_negative,
    time_check,
)

_VOLUME = "DECIMAL(28,8)"
_OPEN_INTEREST = {
    # A recorded zero ("0E-8" occurs) is a value that the exchange did not have.
    "open_interest_value": "nullif(sum_open_interest_value, 0)",
    "open_interest_contracts": "nullif(sum_open_interest, 0)",
}
_RATIOS = (
    "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio",
    "count_long_short_ratio",
    "sum_taker_long_short_vol_ratio",
)
_VALUES = (
    column("sum_open_interest", _VOLUME, optional=True),
    column("sum_open_interest_value", _VOLUME, optional=True),
)

ARCHIVE = Layout(
    name="metrics",
    kind="open_interest",
    columns=(
        column("create_time", "TIMESTAMP"),
        column("symbol", "VARCHAR", SYMBOL),
        *_VALUES,
        *(column(name, "DOUBLE", optional=True) for name in _RATIOS),
    ),
    rows={"timestamp": "create_time", **_OPEN_INTEREST, **{name: name for name in _RATIOS}},
    checks=(time_check("create_time"), *not_negative("sum_open_interest", "sum_open_interest_value")),
    key=("timestamp",),
    prefer="open_interest_contracts",
    symbol_column="symbol",
)

HISTORY = Layout(
    name="openInterestHist",
    kind="open_interest",
    columns=(column("timestamp", "BIGINT"), column("symbol", "VARCHAR", SYMBOL), *_VALUES),
    rows={"timestamp": epoch("timestamp"), **_OPEN_INTEREST},
    checks=(epoch_check("timestamp"), *not_negative("sum_open_interest", "sum_open_interest_value")),
    key=("timestamp",),
    prefer="open_interest_contracts",
    needs_header=True,
    symbol_column="symbol",
)

LAYOUTS = (ARCHIVE, HISTORY)

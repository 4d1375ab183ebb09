"""metrics: open interest and long/short ratios every five minutes, each known at its `create_time`."""

from liqstrat.market.archive.layout import (
    SYMBOL,
    Check,
    Layout,
    column,
    epoch,
    epoch_check,
    time_check,
    volume,
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
_SUMS = ("sum_open_interest", "sum_open_interest_value")
_VALUES = tuple(column(name, _VOLUME, optional=True) for name in _SUMS)
_LARGEST_RATIO = 10**9
# One of two rows may lack what the other has; what both have must be the same.
_CONFLICT = "count(distinct open_interest_contracts) > 1 or count(distinct open_interest_value) > 1"


def _ratios() -> tuple[Check, ...]:
    expected = f"a ratio from 0 to {_LARGEST_RATIO:,}"
    return tuple(Check(f"not {name} between 0 and {_LARGEST_RATIO}", name, expected) for name in _RATIOS)


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
    checks=(time_check("create_time"), *volume(*_SUMS), *_ratios()),
    key=("timestamp",),
    prefer="open_interest_contracts",
    conflict=_CONFLICT,
    labels=True,
    symbol_column="symbol",
)

HISTORY = Layout(
    name="openInterestHist",
    kind="open_interest",
    columns=(column("timestamp", "BIGINT"), column("symbol", "VARCHAR", SYMBOL), *_VALUES),
    rows={"timestamp": epoch("timestamp"), **_OPEN_INTEREST},
    checks=(epoch_check("timestamp"), *volume(*_SUMS)),
    key=("timestamp",),
    prefer="open_interest_contracts",
    conflict=_CONFLICT,
    needs_header=True,
    symbol_column="symbol",
)

LAYOUTS = (ARCHIVE, HISTORY)

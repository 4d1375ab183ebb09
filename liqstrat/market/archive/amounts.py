"""Liquidated amounts by side and interval, without prices: as vendors aggregate them, one row an interval."""

from liqstrat.market.archive.layout import SYMBOL, Check, Layout, column, epoch, epoch_check, volume

_VOLUME = "DECIMAL(28,8)"
_AMOUNTS = ("long_contracts", "short_contracts", "long_value", "short_value")
#: Lengths of intervals, in seconds.
SHORTEST, LONGEST = 60, 86_400

LAYOUT = Layout(
    name="liquidation amounts",
    kind="liquidation_amounts",
    columns=(
        column("time", "BIGINT"),
        column("symbol", "VARCHAR", SYMBOL),
        column("seconds", "INTEGER"),
        *(column(name, _VOLUME, optional=True) for name in _AMOUNTS),
        column("venues", "VARCHAR", r"[a-z0-9_]+(\+[a-z0-9_]+)*"),
        column("record", "VARCHAR", "complete|thinned|unknown"),
    ),
    rows={
        "timestamp": epoch("time"),
        "seconds": "seconds",
        **{name: name for name in _AMOUNTS},
        "venues": "venues",
        "record": "nullif(record, 'unknown')",
    },
    checks=(
        epoch_check("time"),
        Check(
            f"seconds not between {SHORTEST} and {LONGEST} or {LONGEST} % seconds != 0",
            "seconds",
            "a length of a minute to a day that divides one",
        ),
        *volume(*_AMOUNTS),
        Check("long_contracts is null and long_value is null", "long_contracts", "an amount in contracts or in USD"),
        Check("short_contracts is null and short_value is null", "short_contracts", "an amount in contracts or in USD"),
        Check("time % (seconds * 1000) != 0", "time", "the start of an interval of that length"),
    ),
    key=("timestamp", "seconds", "venues"),
    symbol_column="symbol",
    needs_header=True,
)

LAYOUTS = (LAYOUT,)

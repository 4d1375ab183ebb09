"""fundingRate: the rate of each settlement, at the time when it was calculated (some milliseconds late)."""

from liqstrat.market.archive.layout import SYMBOL, Check, Layout, column, epoch, epoch_check

_RATE = "DECIMAL(18,8)"
_LONGEST_HOURS = 24


def _checks(time: str, rate: str) -> tuple[Check, ...]:
    return (epoch_check(time), Check(f"abs({rate}) > 1", rate, "a rate between -1 and 1"))


ARCHIVE = Layout(
    name="fundingRate",
    kind="funding",
    columns=(
        column("calc_time", "BIGINT"),
        column("funding_interval_hours", "INTEGER"),
        column("last_funding_rate", _RATE),
    ),
    rows={
        "timestamp": epoch("calc_time"),
        "funding_rate": "last_funding_rate",
        "funding_interval_hours": "funding_interval_hours",
    },
    checks=(
        *_checks("calc_time", "last_funding_rate"),
        Check(f"not funding_interval_hours between 0 and {_LONGEST_HOURS}", "funding_interval_hours", "hours up to 24"),
    ),
    key=("timestamp",),
)

HISTORY = Layout(
    name="fundingRate",
    kind="funding",
    columns=(
        column("timestamp", "BIGINT"),
        column("symbol", "VARCHAR", SYMBOL),
        column("funding_rate", _RATE),
    ),
    rows={"timestamp": epoch("timestamp"), "funding_rate": "funding_rate"},
    checks=_checks("timestamp", "funding_rate"),
    key=("timestamp",),
    needs_header=True,
    symbol_column="symbol",
)

LAYOUTS = (ARCHIVE, HISTORY)

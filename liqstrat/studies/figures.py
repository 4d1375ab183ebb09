"""The single figures that every run has, and which of them are better when they are smaller."""

from datetime import timedelta
from decimal import Decimal
from functools import cache

import numpy as np

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.account.metrics import as_json, metrics_of
from liqstrat.backtest.account.returns import LEAST_DAYS_OF_A_YEAR, LEAST_SAMPLES
from liqstrat.backtest.account.tearsheet import tearsheet
from liqstrat.study_settings import SMALLER


@cache
def figure_names() -> tuple[str, ...]:
    """The figures of `metrics.json` that are single numbers."""
    nothing, none = Ledger([], [], [], []), np.zeros(2)
    curve = EquityCurve(np.array([0, 60_000_000_000]), none + 1, none, none)
    found = {**as_json(metrics_of(nothing, curve, Decimal(1))), **tearsheet(nothing, [], curve, {})}
    single = [name for name, value in found.items() if not isinstance(value, dict | list | str)]
    return (*single, "account_liquidations", "insurance")


def least_time(name: str) -> timedelta:
    """How long a run must be for the figure to be defined."""
    if name in ("cagr", "calmar"):
        return timedelta(days=LEAST_DAYS_OF_A_YEAR)
    return timedelta(hours=LEAST_SAMPLES if name in ("sharpe", "sortino", "psr") else 0)


def better(name: str, one: float, other: float) -> bool:
    """Whether `one` is the better value of the figure."""
    return one < other if name in SMALLER else one > other

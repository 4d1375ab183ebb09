"""The liquidation book over years of five-minute steps."""

from dataclasses import replace
from itertools import cycle, islice

import numpy as np

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import log_step
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, best_of
from tests.benchmarks.tape import SYMBOL

_YEAR = 365 * 288
_FOUR_YEARS = 4 * 365.25 * 288
_REACH_US = 140.0
#: Of price, in natural logarithm, as far as BTCUSDT went from 2022 to 2025.
_TRAVEL = 2.0
_STEP_NS = 300_000_000_000


def measure(place: Place) -> list[Row]:
    """A year of steps through flows of the generated history, whose price is made to travel as far as in four years."""
    settings = ModelSettings()
    steps = _steps(place, settings)

    def walk() -> None:
        book = LiquidationBook(settings, SYMBOL)
        for flow, contracts in steps:
            book.step(flow, contracts)

    micros = best_of({"ours": walk}, place.repeats)["ours"] / len(steps) * 1e6
    groups = np.mean([len(flow.bins) for flow, _ in steps])
    return [
        Row(
            "book, 5-minute steps",
            "–",
            f"≤ {_REACH_US:.0f} µs a step: four years in under a minute",
            f"{micros:.0f} µs a step of {groups:.0f} groups: four years in {micros * _FOUR_YEARS / 1e6:.0f} s",
            micros <= _REACH_US,
        )
    ]


def _steps(place: Place, settings: ModelSettings) -> list[tuple[Flow, float]]:
    with open_store(place.database) as store:
        known = list(flows(store, SYMBOL, None, None, settings))
    traded = [item for item in known if item[0].volume > 0]
    first = traded[0][0]
    way = _TRAVEL * np.sin(np.linspace(0, 2 * np.pi, _YEAR)) / 2
    shifts = np.rint(way / log_step(settings.fine_width)).astype(np.int64)
    return [
        (_moved(flow, int(shift), first.end_ns + i * _STEP_NS, settings.fine_width), contracts)
        for i, (shift, (flow, contracts)) in enumerate(zip(shifts, islice(cycle(traded), _YEAR), strict=True))
    ]


def _moved(flow: Flow, bins: int, end_ns: int, width: float) -> Flow:
    factor = float(np.exp(bins * log_step(width)))
    return replace(
        flow,
        start_ns=end_ns - _STEP_NS,
        end_ns=end_ns,
        bins=flow.bins + bins,
        low=flow.low * factor,
        high=flow.high * factor,
        close=flow.close * factor,
    )

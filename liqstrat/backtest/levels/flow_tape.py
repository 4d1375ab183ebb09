"""The flow of every interval as counted beforehand from single trades, beside minute bars for what is between two."""

from collections.abc import Iterable

from liqstrat.backtest.levels.minute_tape import MinuteTape
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.large import LargeRule


class FlowTape(MinuteTape):
    """Of a run of bars whose single trades are known: its maps are those of a run by trades.

    Lows and highs since the last map are the bars' as far as they have closed. `flows` must be counted as the book's
    settings ask; each is used when the interval that ends with it does.
    """

    def __init__(self, minutes: MinuteBars, stepped_ns: int, flows: Iterable[Flow]) -> None:
        self._flows = {flow.end_ns: flow for flow in flows}
        super().__init__(minutes, stepped_ns)

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of `[start_ns, end_ns)` by trades, or by bars where there is none."""
        counted = self._flows.pop(end_ns, None)
        if counted is None:
            return super().close(start_ns, end_ns, width=width, brackets=brackets, large=large)
        self._ended(end_ns)
        return counted

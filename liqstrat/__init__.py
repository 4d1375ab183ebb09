"""Backtest strategies around the liquidation levels of Binance USDⓈ-M perpetuals.

What is here is the public interface; everything else may change. Importing it costs nothing: what a name needs is
imported when the name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from liqstrat.api.compare import Comparison, compare
    from liqstrat.api.events import Events
    from liqstrat.api.history import Heatmap, History, Levels
    from liqstrat.api.runs import Run, load, results, run
    from liqstrat.api.studies import Study, holdout, sweep, walk_forward
    from liqstrat.backtest.bars import Bars
    from liqstrat.backtest.params import StrategyParams
    from liqstrat.backtest.strategy import LevelStrategy
    from liqstrat.backtest.ticket import Ticket
    from liqstrat.backtest.trade import Trade
    from liqstrat.config import RunFile
    from liqstrat.errors import LiqstratError
    from liqstrat.liquidation.clusters import Cluster
    from liqstrat.liquidation.settings import ModelSettings
    from liqstrat.liquidation.signals import Signal, SignalRules

__all__ = [
    "Bars",
    "Cluster",
    "Comparison",
    "Events",
    "Heatmap",
    "History",
    "LevelStrategy",
    "Levels",
    "LiqstratError",
    "ModelSettings",
    "Run",
    "RunFile",
    "Signal",
    "SignalRules",
    "StrategyParams",
    "Study",
    "Ticket",
    "Trade",
    "compare",
    "holdout",
    "load",
    "results",
    "run",
    "sweep",
    "walk_forward",
]

_HOMES = {
    "liqstrat.api.compare": ("Comparison", "compare"),
    "liqstrat.api.events": ("Events",),
    "liqstrat.api.history": ("Heatmap", "History", "Levels"),
    "liqstrat.api.runs": ("Run", "load", "results", "run"),
    "liqstrat.api.studies": ("Study", "holdout", "sweep", "walk_forward"),
    "liqstrat.backtest.bars": ("Bars",),
    "liqstrat.backtest.params": ("StrategyParams",),
    "liqstrat.backtest.strategy": ("LevelStrategy",),
    "liqstrat.backtest.ticket": ("Ticket",),
    "liqstrat.backtest.trade": ("Trade",),
    "liqstrat.config": ("RunFile",),
    "liqstrat.errors": ("LiqstratError",),
    "liqstrat.liquidation.clusters": ("Cluster",),
    "liqstrat.liquidation.settings": ("ModelSettings",),
    "liqstrat.liquidation.signals": ("Signal", "SignalRules"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f'module "liqstrat" has no attribute "{name}"')


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

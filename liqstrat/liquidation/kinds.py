"""The models there are, by name."""

from collections.abc import Sequence
from dataclasses import replace

from liqstrat.liquidation.baselines import CandleModel, LargeTradeModel
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.ensemble import Ensemble
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.settings import ModelSettings


def new_model(settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> LiquidationModel:
    """An empty model of `settings.kind`; `loaded` are brackets of the symbol besides those shipped."""
    match settings.kind:
        case "large_trades":
            return LargeTradeModel(settings, symbol, loaded)
        case "oi_candle":
            return CandleModel(settings, symbol, loaded)
        case "ensemble":
            weights = {kind: weight for kind, weight in settings.ensemble.items() if weight > 0}
            return Ensemble(
                settings,
                [(weight, new_model(replace(settings, kind=kind), symbol, loaded)) for kind, weight in weights.items()],
            )
        case _:
            return LiquidationBook(settings, symbol, loaded)

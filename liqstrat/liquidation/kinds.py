"""The models there are, by name."""

from dataclasses import replace

from liqstrat.liquidation.baselines import CandleModel, LargeTradeModel
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.ensemble import Ensemble
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.settings import ModelSettings


def new_model(settings: ModelSettings, symbol: str) -> LiquidationModel:
    """An empty model of `settings.kind`."""
    match settings.kind:
        case "large_trades":
            return LargeTradeModel(settings, symbol)
        case "oi_candle":
            return CandleModel(settings, symbol)
        case "ensemble":
            weights = {kind: weight for kind, weight in settings.ensemble.items() if weight > 0}
            return Ensemble(
                settings,
                [(weight, new_model(replace(settings, kind=kind), symbol)) for kind, weight in weights.items()],
            )
        case _:
            return LiquidationBook(settings, symbol)

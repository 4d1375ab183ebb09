"""What is wrong with a history: gaps, values that stand still, prices that cannot be, and where it is whole."""

from liqstrat.market.quality.examine import KindQuality, Quality, examine
from liqstrat.market.quality.ranges import Gap, Range, largest
from liqstrat.market.quality.trades import missing_trades

__all__ = ["Gap", "KindQuality", "Quality", "Range", "examine", "largest", "missing_trades"]

"""The page of a score: what was found, with the figures, and the heatmap with what was really liquidated on it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import PICTURE_SPAN, candle_length, maps_at, marks, picture_rows
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.history import Scored

#: Maps on the picture; more are not seen.
_MOST_MAPS = 1500


def require_page(out: Path) -> None:
    """Raise `LiqstratError` unless `out` is named as a page."""
    if out.suffix != ".html":
        raise LiqstratError(f'{out}: the file\'s ending is "{out.suffix}", expected .html')


def save_score_page(
    store: Store,
    scored: Scored,
    models: Mapping[str, ModelSettings],
    warmup: timedelta,
    every: timedelta,
    out: Path,
    progress: Progress = SILENT,
) -> Path:
    """Write the page of a score; the heatmap is that of the first model. The file appears when it is whole."""
    from liqstrat.report.score_page import write_score_page

    require_page(out)
    start, end = scored.score.start, scored.score.end
    minutes = max(every / timedelta(minutes=1), (end - start) / timedelta(minutes=1) / _MOST_MAPS)
    moments = marks(start, end, int(-(-minutes // (every / timedelta(minutes=1))) * (every / timedelta(minutes=1))))
    settings = next(iter(models.values()))
    levels = picture_rows(maps_at(store, scored.symbol, moments, settings, warmup, progress, PICTURE_SPAN))
    candles = store.klines(scored.symbol, start, end, interval=candle_length(moments))
    out.parent.mkdir(parents=True, exist_ok=True)
    return write_score_page(scored, levels, candles, out)

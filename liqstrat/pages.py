"""Pages and files of maps, made out of a database: the heatmap, and the score with what was really liquidated on it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file, require_writable
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import PICTURE_SPAN, candle_length, maps_at, marks, picture_rows, write_rows
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress
from liqstrat.report.heatmap import write_heatmap_page
from liqstrat.report.score_page import write_score_page
from liqstrat.scoring.history import Scored

#: Maps on a score's picture; more are not seen.
_MOST_MAPS = 1500


def save_heatmap(
    store: Store,
    symbol: str,
    moments: list[datetime],
    settings: ModelSettings,
    warmup: timedelta,
    out: Path,
    progress: Progress = SILENT,
    *,
    banded: bool = False,
) -> int:
    """Write the maps at `moments` to `out`: rows for `.parquet` (`LEVELS_SCHEMA`), the picture for `.html`.

    banded: with `low` and `high`, or a picture that can show the least and the most. The file appears when it is whole.
    Returns the number of rows.
    """
    if out.suffix not in (".parquet", ".html"):
        raise LiqstratError(f'{out}: the file\'s ending is "{out.suffix}", expected .parquet or .html')
    require_writable(out)
    if out.suffix == ".parquet":
        with partial_file(out) as partial:
            maps = maps_at(store, symbol, moments, settings, warmup, progress, banded=banded)
            return write_rows(maps, partial, banded=banded)
    levels = picture_rows(maps_at(store, symbol, moments, settings, warmup, progress, PICTURE_SPAN, banded=banded))
    candles = store.klines(symbol, moments[0], moments[-1], interval=candle_length(moments))
    title = f"{symbol} liquidation heatmap {moments[0]:%Y-%m-%d} – {moments[-1]:%Y-%m-%d}"
    write_heatmap_page(
        levels, candles, title=title, simulated=store.simulated(symbol), out=out, contract=store.contract(symbol)
    )
    return len(levels)


def require_page(out: Path) -> None:
    """Raise `LiqstratError` unless `out` is named as a page and can be written."""
    if out.suffix != ".html":
        raise LiqstratError(f'{out}: the file\'s ending is "{out.suffix}", expected .html')
    require_writable(out)


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
    require_page(out)
    start, end = scored.score.start, scored.score.end
    minutes = max(every / timedelta(minutes=1), (end - start) / timedelta(minutes=1) / _MOST_MAPS)
    moments = marks(start, end, int(-(-minutes // (every / timedelta(minutes=1))) * (every / timedelta(minutes=1))))
    settings = next(iter(models.values()))
    levels = picture_rows(maps_at(store, scored.symbol, moments, settings, warmup, progress, PICTURE_SPAN))
    candles = store.klines(scored.symbol, start, end, interval=candle_length(moments))
    return write_score_page(scored, levels, candles, out, store.contract(scored.symbol))

"""Maps over time as a picture: an even grid of time and price with one byte a cell.

Plotly draws an even grid many times faster than an uneven one, and a byte a cell keeps a month of maps at two
megabytes of the page. `ColourScale` says which amount a byte stands for.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.report.numbers import doubles, milliseconds

Floats = npt.NDArray[np.float64]
Grid = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Cells of a picture that a page carries easily.
MOST_CELLS = 1_600_000
_TOP_PERCENTILE = 98.5
_MEDIAN_BRIGHTNESS, _LEAST_EXPONENT = 0.25, 0.4
_LONE_MAP_MINUTES = 15
#: Edges that are the same to this part of their logarithm are one.
_EQUAL = 1e8


@dataclass(frozen=True)
class ColourScale:
    """Amounts to bytes, from 1 for nothing to 255 for `highest` and above; 0 is left for what is not recorded.

    Bytes grow with the amount to the power of `exponent`: 1 where amounts are alike, less where few dwarf the rest.
    """

    highest: float
    exponent: float

    def encode(self, amounts: npt.ArrayLike) -> Bytes:
        share = np.asarray(amounts, dtype=np.float64) / self.highest
        return np.clip(np.round(1 + 254 * share**self.exponent), 1, 255).astype(np.uint8)

    def decode(self) -> Floats:
        """The amount that each of the 256 bytes stands for."""
        shares = np.clip(np.arange(256) - 1, 0, None) / 254
        return np.asarray(self.highest * shares ** (1 / self.exponent))

    def ticks(self) -> list[float]:
        """Round amounts for a colour bar, from zero to `highest` at most."""
        power = 10.0 ** np.floor(np.log10(self.highest))
        step = float(next(power * part for part in (0.1, 0.2, 0.5, 1, 2) if self.highest / (power * part) <= 5))
        return [step * i for i in range(int(self.highest / step) + 1)]


def colour_scale(amounts: Floats) -> ColourScale:
    """A scale for `amounts` (all above zero): the few highest share its end, and the median is a quarter bright."""
    highest = float(np.percentile(amounts, _TOP_PERCENTILE))
    median = float(np.median(amounts))
    exponent = np.log(_MEDIAN_BRIGHTNESS) / np.log(median / highest) if 0 < median < highest else 1.0
    return ColourScale(highest, float(np.clip(exponent, _LEAST_EXPONENT, 1.0)))


@dataclass(frozen=True, eq=False)
class Raster:
    """`codes[row, column]`: row 0 is the lowest price, column `i` shows the map known at `start_ms + i * step_ms`.

    bounds: of maps with a band, codes of the least and of the most, the latter with a scale of its own: `high_scale`.
    low, row_height: prices. bin_width: relative width of a price bin, which is what a cell's amount is counted over.
    """

    codes: Bytes
    scale: ColourScale
    start_ms: float
    step_ms: float
    low: float
    row_height: float
    bin_width: float
    bounds: tuple[Bytes, Bytes] | None = None
    high_scale: ColourScale | None = None

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.step_ms * len(self.codes[0])

    @property
    def high(self) -> float:
        return self.low + self.row_height * len(self.codes)


def rasterise(
    levels: pa.Table,
    view: tuple[float, float] | None = None,
    most_cells: int = MOST_CELLS,
    contract: Contract = LINEAR,
) -> Raster | None:
    """The maps of `levels` (`time`, `price_low`, `price_high`, `contracts`), all leverages and both sides together.

    A cell holds what the contracts of the price bin around its middle are worth at the liquidation price. What lies
    beyond a map's lowest and highest row is not recorded. Colours are chosen for the prices of `view` (low, high),
    which are seen first. Maps are left out evenly until there are `most_cells` or fewer. Returns None where nothing is.
    """
    contracts = doubles(levels["contracts"])
    if not len(contracts) or not np.nanmax(contracts) > 0:
        return None
    columns, start_ms, step_ms = _columns(levels["time"])
    lows, highs = doubles(levels["price_low"]), doubles(levels["price_high"])
    bins, bin_lows, bin_highs = _bins(levels["price_low"], lows, highs)
    row_height = float(np.min(bin_highs - bin_lows))
    rows, maps = int(np.ceil((bin_highs[-1] - bin_lows[0]) / row_height)), int(columns.max()) + 1
    thin = _thinning(rows, maps, most_cells)
    # First of all what is not shown goes: most of a long run's rows.
    shown = np.flatnonzero((columns >= 0) & (columns % thin == 0))
    price = contract.worth(np.sqrt(lows[shown] * highs[shown]))
    shape = (len(bin_lows), -(-maps // thin))
    cells = np.ravel_multi_index((bins[shown], columns[shown] // thin), shape)

    def summed(of: Floats) -> Grid:
        return np.bincount(cells, weights=of[shown] * price, minlength=shape[0] * shape[1]).reshape(shape)

    amounts = summed(contracts)
    low, high = view or (bin_lows[0], bin_highs[-1])
    seen = amounts[(bin_highs > low) & (bin_lows < high)]
    scale = colour_scale(seen[seen > 0] if (seen > 0).any() else amounts[amounts > 0])
    middles = bin_lows[0] + row_height * (np.arange(rows) + 0.5)
    source = np.clip(np.searchsorted(bin_lows, middles, side="right") - 1, 0, None)
    inside = (middles < bin_highs[source])[:, np.newaxis]
    unknown = ~_between((amounts > 0)[source] & inside)

    def coded(of: Grid, by: ColourScale) -> Bytes:
        codes = np.where(inside, by.encode(of)[source], 1)
        codes[unknown] = 0
        return codes

    bounds, high_scale = None, None
    if "low" in levels.column_names:
        least, most = summed(doubles(levels["low"])), summed(doubles(levels["high"]))
        high_scale = colour_scale(most[most > 0])
        bounds = coded(least, scale), coded(most, high_scale)
    return Raster(
        codes=coded(amounts, scale),
        scale=scale,
        start_ms=start_ms,
        step_ms=step_ms * thin,
        low=float(bin_lows[0]),
        row_height=row_height,
        bin_width=float(np.median(bin_highs / bin_lows - 1)),
        bounds=bounds,
        high_scale=high_scale,
    )


def shown_of(moments: pa.ChunkedArray, price_low: pa.ChunkedArray, most_cells: int = MOST_CELLS) -> pa.ChunkedArray:
    """Of the moments of maps, ascending, those that `rasterise` would draw: who reads maps needs no others.

    price_low: the different lower edges of their bins.
    """
    if not len(moments):
        return moments
    columns, _ = _places(milliseconds(moments))
    edges = np.sort(np.log(doubles(price_low)))
    apart = np.diff(edges)
    width = float(apart[apart > 1 / _EQUAL].min(initial=1.0))
    rows = int(np.ceil(np.expm1(edges[-1] + width - edges[0]) / np.expm1(width)))
    thin = _thinning(rows, int(columns.max()) + 1, most_cells)
    return moments.filter(pa.array((columns >= 0) & (columns % thin == 0)))


def _thinning(rows: int, maps: int, most_cells: int) -> int:
    """Every how manyth map is drawn, that there be `most_cells` at most."""
    return -(-maps // max(most_cells // rows, 1))


def _columns(time: pa.ChunkedArray) -> tuple[Ints, float, float]:
    """Each row's column, the first column's time (ms) and the usual distance between maps."""
    which, moments = _distinct(time)
    times, of_moment = np.unique(milliseconds(moments), return_inverse=True)
    columns, step = _places(times)
    return columns[of_moment][which], float(times[0]), step


def _places(times: Floats) -> tuple[Ints, float]:
    """The columns of maps at ascending times (ms), and the usual distance between them.

    Of maps closer together than that the last one of a column counts; the others get column -1.
    """
    minutes, counts = np.unique(np.round(np.diff(times) / 60_000), return_counts=True)
    usual = minutes[minutes > 0][counts[minutes > 0].argmax()] if (minutes > 0).any() else _LONE_MAP_MINUTES
    step = float(usual) * 60_000
    columns = np.round((times - times[0]) / step).astype(np.int64)
    columns[:-1][columns[:-1] == columns[1:]] = -1
    return columns, step


def _bins(price_low: pa.ChunkedArray, lows: Floats, highs: Floats) -> tuple[Ints, Floats, Floats]:
    """Each row's price bin, and the edges of the bins that occur."""
    which, distinct = _distinct(price_low)
    edges = np.round(np.log(doubles(distinct)) * _EQUAL)
    _, first, of_distinct = np.unique(edges, return_index=True, return_inverse=True)
    row = np.empty(len(distinct), dtype=np.int64)
    row[which[::-1]] = np.arange(len(which))[::-1]
    return of_distinct.astype(np.int64)[which], lows[row[first]], highs[row[first]]


def _distinct(column: pa.ChunkedArray) -> tuple[Ints, pa.ChunkedArray]:
    """For each row which of the distinct values it has, and these, in the order in which they come.

    A record of a year has ten million rows but few moments and prices: to hash them is far quicker than to sort.
    """
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices, dtype=np.int64), pa.chunked_array([encoded.dictionary])


def _between(there: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Cells from each column's lowest true one up to its highest."""
    from_below = np.logical_or.accumulate(there, axis=0)
    from_above = np.logical_or.accumulate(there[::-1], axis=0)[::-1]
    return np.asarray(from_below & from_above)

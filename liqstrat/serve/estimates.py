"""Maps for the pages and the API: made once of data and model, kept on the shelf, cut to what is asked for."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.contract import Contract
from liqstrat.liquidation.grid import Floats, Ints, bin_at, log_step, low_edge
from liqstrat.liquidation.lumps import Band
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import band_words, levels_rows, maps_at
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.progress import SILENT, Progress
from liqstrat.serve.shelf import Shelf

_ABOUT = b"liqstrat"


@dataclass(frozen=True, eq=False)
class Estimates:
    """Maps of one symbol and model at some moments.

    rows: as `liqstrat.maps.LEVELS_SCHEMA`. moments: of all maps, also of those without rows. prices, open_interest
    (contracts), seeded, unplaced: one entry a map. width: relative width of a price bin. clusters: of a single map, as
    `liqstrat.liquidation.clusters.Cluster`, all leverages together. remarks: what a reader must know of
    the history that was used. band: of a single map with one, what it says of itself, see `_band`.
    """

    rows: pa.Table
    moments: list[datetime]
    prices: Floats
    open_interest: Floats
    seeded: Floats
    unplaced: Floats
    width: float
    clusters: list[dict[str, Any]]
    contract: Contract
    remarks: list[str]
    band: dict[str, Any] | None = None

    def wanted(self, side: str, tiers: Sequence[int] | None) -> pa.Table:
        """The rows of one side or of both, and of some leverages or all."""
        rows = self.rows
        if side != "both":
            rows = rows.filter(pc.equal(rows["side"], side))
        if tiers is not None:
            rows = rows.filter(pc.is_in(rows["leverage"], pa.array(tiers, pa.int32())))
        return rows


def make_estimates(
    store: Store,
    shelf: Shelf,
    symbol: str,
    moments: list[datetime],
    settings: ModelSettings,
    warmup: timedelta,
    span: float | None,
    progress: Progress = SILENT,
    *,
    banded: bool = False,
) -> Estimates:
    """Maps at `moments` (ascending), from the shelf or made now; `span` and `banded`: see `liqstrat.maps.maps_at`."""
    settings = with_bin_width(store, symbol, settings, moments[0])
    contract = store.contract(symbol)
    key = shelf.key(
        {
            "data": store.fingerprint(symbol, moments[0] - warmup, moments[-1]),
            "symbol": symbol,
            "model": asdict(settings),
            "moments": [moment.isoformat() for moment in moments],
            "warmup": warmup,
            "span": span,
            **({"banded": "notional"} if banded else {}),
            **({"contract": contract.size} if contract.inverse else {}),
        }
    )
    kept = shelf.get(key)
    if kept is not None:
        # A file that holds something else is made anew.
        with suppress(KeyError, TypeError, ValueError):
            return _read(kept, moments, contract)
    maps = list(maps_at(store, symbol, moments, settings, warmup, progress, span, banded=banded))
    table = _table(maps, store.remarks)
    shelf.put(key, table)
    return _read(table, moments, contract)


@dataclass(frozen=True, eq=False)
class Matrix:
    """`notional[bin, map]`: amounts at the liquidation prices, by price bin; `edges` has one entry more than bins."""

    edges: Floats
    notional: Floats


def matrix_of(estimates: Estimates, rows: pa.Table, bin_size: float | None = None) -> Matrix:
    """Rows of maps as a matrix; `bin_size` (of price) makes even bins in place of the model's, in which what a bin
    holds is spread evenly."""
    if not len(rows):
        return Matrix(np.empty(0), np.empty((0, len(estimates.moments))))
    columns = columns_of(estimates.moments, rows["time"])
    lows, highs = (np.asarray(rows[name], dtype=np.float64) for name in ("price_low", "price_high"))
    notional = np.asarray(rows["contracts"], dtype=np.float64) * estimates.contract.worth(np.sqrt(lows * highs))
    if bin_size is None:
        bins = np.rint(np.log(lows) / log_step(estimates.width)).astype(np.int64)
        first, count = int(bins.min()), int(bins.max() - bins.min()) + 1
        edges = low_edge(first + np.arange(count + 1), estimates.width)
        return Matrix(edges, _summed(bins - first, columns, notional, count, len(estimates.moments)))
    first, last = int(lows.min() // bin_size), int(-(-highs.max() // bin_size))
    edges = bin_size * np.arange(first, last + 1, dtype=np.float64)
    sums = np.zeros((last - first, len(estimates.moments)))
    start = np.floor(lows / bin_size).astype(np.int64)
    # Bins are no wider than even ones, so that each lies in two of these at most.
    border = (start + 1) * bin_size
    below = np.clip((border - lows) / (highs - lows), 0, 1)
    sums += _summed(start - first, columns, notional * below, *sums.shape)
    above = below < 1
    sums += _summed((start + 1 - first)[above], columns[above], (notional * (1 - below))[above], *sums.shape)
    return Matrix(edges, sums)


def columns_of(moments: list[datetime], times: pa.ChunkedArray) -> Ints:
    """Which of `moments` each time is."""
    known = np.array([round(moment.timestamp() * 1e6) for moment in moments], dtype=np.int64)
    return np.asarray(np.searchsorted(known, np.asarray(times.cast(pa.int64()))))


def widest_bin(estimates: Estimates, rows: pa.Table) -> float:
    """How wide, in the quote currency, the widest price bin of the rows is."""
    return float(pc.max(pc.subtract(rows["price_high"], rows["price_low"])).as_py() or 0.0)


def _summed(bins: Ints, columns: Ints, notional: Floats, count: int, maps: int) -> Floats:
    flat = np.bincount(bins * maps + columns, weights=notional, minlength=count * maps)
    return np.asarray(flat.reshape(count, maps))


def _table(maps: list[LiquidationMap], remarks: list[str]) -> pa.Table:
    told = {
        "width": maps[0].width,
        "remarks": remarks,
        "clusters": [asdict(one) for one in find_clusters(maps[0])] if len(maps) == 1 else [],
        "band": _band(maps[0], maps[0].band) if len(maps) == 1 and maps[0].band is not None else None,
        **{name: [getattr(one, name) for one in maps] for name in ("price", "open_interest", "seeded_share")},
        "unplaced": [float(one.long_unplaced.sum() + one.short_unplaced.sum()) for one in maps],
    }
    rows = pa.concat_tables([levels_rows(one) for one in maps])
    rows = rows.set_column(rows.column_names.index("side"), "side", rows["side"].dictionary_encode())
    return rows.replace_schema_metadata({_ABOUT: json.dumps(told, default=float).encode()})


def _band(levels: LiquidationMap, band: Band) -> dict[str, Any]:
    """Words on a band, and the least and the most of the sums from price outwards, by the edge they reach to."""
    worth = band.expected * levels.contract.worth(levels.middles) / levels.contract.worth(levels.price)
    at = bin_at(levels.price, levels.width) - levels.first_bin
    sums, one = [], float(levels.contract.worth(levels.price))
    for side, name in enumerate(("long", "short")):
        outwards = slice(at, None, -1) if name == "long" else slice(at, None)
        edges = levels.low_edges[outwards] if name == "long" else levels.high_edges[outwards]
        low, high = band.bounds(np.cumsum(worth[:, side, outwards], axis=1))
        sums += [
            {"side": name, "price": price, "notional_low": least * one, "notional_high": most * one}
            for price, least, most in zip(edges.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
    return {"words": band_words(band), "sums": sums}


def _read(table: pa.Table, moments: list[datetime], contract: Contract) -> Estimates:
    told = json.loads(table.schema.metadata[_ABOUT])
    arrays: dict[str, npt.NDArray[np.float64]] = {
        name: np.array(told[name], dtype=np.float64) for name in ("price", "open_interest", "seeded_share", "unplaced")
    }
    return Estimates(
        rows=table.replace_schema_metadata(None),
        moments=[moment.astimezone(UTC) for moment in moments],
        prices=arrays["price"],
        open_interest=arrays["open_interest"],
        seeded=arrays["seeded_share"],
        unplaced=arrays["unplaced"],
        width=float(told["width"]),
        clusters=told["clusters"],
        contract=contract,
        remarks=told["remarks"],
        band=told["band"],
    )

"""What an archive never tells: the positions themselves."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.market.simulator.market import DayLog, joined
from liqstrat.market.simulator.positions import POSITION, Exit, Ints
from liqstrat.market.simulator.settings import Listing

_TIME = pa.timestamp("us", tz="UTC")


def open_positions(held: Sequence[tuple[int, npt.NDArray[np.void]]], listing: Listing) -> pa.Table:
    """Every open position at each time of `held`: `time`, then the columns of a position."""
    times = np.repeat([time for time, _ in held], [len(records) for _, records in held])
    records = joined((records for _, records in held), POSITION)
    return pa.table({"time": _times(times), **_columns(records, listing)})


def closed_positions(log: DayLog, listing: Listing) -> pa.Table:
    """Every position that closed: its columns, and when (`closed`), at which price, and why (`reason`)."""
    gone, ends = log.all_closed()
    order = np.argsort(ends["time"], kind="stable")
    gone, ends = gone[order], ends[order]
    names = pa.array([reason.name.lower() for reason in Exit])
    return pa.table(
        {
            **_columns(gone, listing),
            "closed": _times(ends["time"]),
            "close_price": _price(ends["price"], listing),
            "reason": pa.DictionaryArray.from_arrays(ends["reason"], names),
        }
    )


def _columns(records: npt.NDArray[np.void], listing: Listing) -> dict[str, pa.Array]:
    """`notional` is that at entry, entry × contracts in USDT, the one whose bracket caps the leverage."""
    units = 10**listing.quantity_decimals
    value_units = 10 ** (listing.price_decimals + listing.quantity_decimals)
    names = pa.array(["short", "long"])
    return {
        "position_id": pa.array(records["id"]),
        "side": pa.DictionaryArray.from_arrays((records["side"] > 0).astype(np.int8), names),
        "entry": _price(records["entry"], listing),
        "leverage": pa.array(records["leverage"]),
        "contracts": pa.array(records["lots"] / units),
        "notional": pa.array(records["entry"] * records["lots"] / value_units),
        "liquidation_price": pa.array(records["liquidation"]),
        "opened": _times(records["opened"]),
    }


def _price(ticks: Ints, listing: Listing) -> pa.Array:
    return pa.array(ticks / 10**listing.price_decimals)


def _times(milliseconds: Ints) -> pa.Array:
    return pa.array(milliseconds * 1000).cast(_TIME)

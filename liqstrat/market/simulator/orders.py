"""What agents' openings and closings looked like to others: orders that took, and orders that rested and were hit."""

import numpy as np
import numpy.typing as npt

from liqstrat.market.simulator.market import DayLog
from liqstrat.market.simulator.positions import Exit, Floats, Ints
from liqstrat.market.simulator.settings import SimulationSettings

#: An order that took: the step and time (ms) of it, price in ticks, and the id of the position it liquidated, else 0.
ORDER = np.dtype(
    [
        ("step", np.int64),
        ("time", np.int64),
        ("price", np.int64),
        ("lots", np.int64),
        ("buy", np.bool_),
        ("liquidates", np.int64),
    ]
)


def agents_orders(
    log: DayLog, settings: SimulationSettings, rng: np.random.Generator
) -> tuple[npt.NDArray[np.void], Ints, Ints]:
    """The day's orders of agents that took; and by step, the lots that others must have bought and sold beyond them,
    for agents' resting orders to be filled."""
    orders, chance = _all_orders(log, settings)
    takes = rng.random(len(orders)) < chance

    def lots_by_step(chosen: npt.NDArray[np.bool_]) -> Ints:
        step, lots = orders["step"][chosen], orders["lots"][chosen]
        return np.bincount(step, weights=lots, minlength=len(log.moves)).astype(np.int64)

    buys = orders["buy"]
    bought = np.maximum(lots_by_step(~takes & ~buys) - lots_by_step(takes & buys), 0)
    sold = np.maximum(lots_by_step(~takes & buys) - lots_by_step(takes & ~buys), 0)
    return orders[takes], bought, sold


def _all_orders(log: DayLog, settings: SimulationSettings) -> tuple[npt.NDArray[np.void], Floats]:
    """Every order of agents, closings first, and the probability that it takes."""
    coming, (gone, ends) = log.all_opened(), log.all_closed()
    orders = np.empty(len(gone) + len(coming), dtype=ORDER)
    orders["time"] = np.concatenate((ends["time"], coming["opened"]))
    orders["step"] = (orders["time"] - log.moves[0].start_ms) // log.moves[0].length_ms
    orders["price"] = np.concatenate((ends["price"], coming["entry"]))
    orders["lots"] = np.concatenate((gone["lots"], coming["lots"]))
    orders["buy"] = np.concatenate((gone["side"] < 0, coming["side"] > 0))
    orders["liquidates"] = 0
    orders["liquidates"][: len(gone)] = np.where(ends["reason"] == Exit.LIQUIDATED, gone["id"], 0)
    # Liquidations and stops take always; targets and those who absorb a surplus rest in the book.
    closing = {Exit.LIQUIDATED: 1.0, Exit.STOPPED: 1.0, Exit.EXPIRED: settings.closer_takes}
    by_reason = np.array([closing.get(reason, 0.0) for reason in Exit])
    return orders, np.concatenate((by_reason[ends["reason"]], np.full(len(coming), settings.opener_takes)))

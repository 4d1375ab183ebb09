"""Steps between values of open interest that are far apart: the last one is carried on, as nobody knows a newer one.

Who opened since then is seen by what traded meanwhile. Whether a value is carried on to a moment depends on what was
known then and nothing later, so a map of that moment is the same whenever it is made.
"""

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import MINUTE_US, microseconds_in

#: A value is carried on to full five minutes from the time when it is this old, until it is that old.
STEP_US = 5 * MINUTE_US
_OLD_US = 2 * STEP_US
OLDEST = timedelta(hours=4)


def carried(times: Ints, contracts: Floats, until_us: int) -> tuple[Ints, Floats, npt.NDArray[np.bool_]]:
    """Values of open interest (microseconds since 1970, ascending, and contracts) with those carried on, up to
    `until_us`, in order of time; and which are values of their time."""
    nexts = np.append(times[1:], until_us + 1)
    first = -(-(times + _OLD_US) // STEP_US)
    last = np.minimum(nexts - 1, times + microseconds_in(OLDEST)) // STEP_US
    counts = np.maximum(last - first + 1, 0)
    number = np.repeat(np.arange(len(times)), counts + 1)
    place = np.arange(len(number)) - np.repeat(np.cumsum(counts + 1) - counts - 1, counts + 1)
    at = np.where(place > 0, (first[number] + place - 1) * STEP_US, times[number])
    return at, contracts[number], place == 0

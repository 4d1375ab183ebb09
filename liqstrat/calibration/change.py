"""How much a fit changes the map."""

from collections.abc import Sequence

import numpy as np

from liqstrat.calibration.evidence import History
from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import Profile
from liqstrat.liquidation.settings import ModelSettings

#: Maps are compared within this share of price.
_SPAN = 0.2


def change(
    history: History,
    symbol: str,
    loaded: Sequence[BracketTable],
    default: ModelSettings,
    fitted: ModelSettings,
    every_ns: int,
    since_ns: int,
) -> float:
    """1 less the linear correlation of the two maps, by side, on average over maps of every `every_ns` since
    `since_ns`: 0 where they are the same, NaN where one has nothing."""
    models = [new_model(one, symbol, loaded) for one in (default, fitted)]
    alike = []
    for flow, open_interest in history:
        for model in models:
            model.step(flow, open_interest)
        due = flow.end_ns // every_ns > flow.start_ns // every_ns and flow.end_ns > since_ns
        if due and models[0].price > 0:
            alike += _alike(*(model.profile(_SPAN) for model in models))
    some = np.array(alike)
    some = some[np.isfinite(some)]
    return 1 - float(some.mean()) if len(some) else float("nan")


def _alike(one: Profile, other: Profile) -> list[float]:
    first = max(one.first_bin, other.first_bin)
    stop = min(profile.first_bin + len(profile.longs) for profile in (one, other))
    sides = (
        [getattr(profile, side)[first - profile.first_bin : stop - profile.first_bin] for profile in (one, other)]
        for side in ("longs", "shorts")
    )
    return [agreement(*both).linear for both in sides]

"""An event study from Python."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from liqstrat.events.figures import Beside
from liqstrat.events.paths import HORIZONS
from liqstrat.events.saved import save
from liqstrat.events.study import WAITED, EventStudy


class Events:
    """What happened when price reached levels of one symbol, beside placebos equally far; see `liqstrat.events`.

    study: all of it as arrays, with means and intervals of any rows of one's own choosing. simulated: whether the
    history was.
    """

    def __init__(self, study: EventStudy) -> None:
        self.study = study
        self.simulated = study.simulated

    @cached_property
    def arrow(self) -> pa.Table:
        """The touches, placebos too, see `touches`."""
        return self.study.rows()

    @cached_property
    def touches(self) -> pd.DataFrame:
        """A row a touch, placebos too (`placebo`): when and where, the level's size and distance, and how price went,
        `back_60` an hour later, `mfe_60` and `mae_60` the farthest back and on until then (fractions of price)."""
        return self.arrow.to_pandas()

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Means with 95 % intervals: a row a figure, of levels, of placebos (`placebo`), and their difference."""
        study = self.study
        found = {f"reached_in_{hours}h": study.reached(hours) for hours in WAITED}
        if (held := study.liquidations()) is not None:
            found["liquidated"] = held
        found |= {f"back_{minutes}": study.back(minutes) for minutes in HORIZONS}
        return pd.DataFrame.from_dict({name: _row(one) for name, one in found.items()}, orient="index")

    def by_group(self, minutes: int = 60) -> pd.DataFrame:
        """How much farther price came back from levels than from placebos, by side, size and regime."""
        groups = {name: self.study.back(minutes, rows) for name, rows in self.study.groups.items()}
        return pd.DataFrame.from_dict({name: _row(one) for name, one in groups.items()}, orient="index")

    @property
    def json(self) -> dict[str, Any]:
        """All figures, as the command line's `--json`."""
        return self.study.to_json()

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`, needs no network), the touches (`.parquet`), or both with all figures into a
        folder of their own in the folder `path`, as `results`, where `liqstrat serve` shows them; returns its path."""
        return save(self.study, Path(path))

    def __repr__(self) -> str:
        study, mark = self.study, " SIMULATED" if self.simulated else ""
        return f"<Events {study.symbol}{mark} {study.start:%Y-%m-%d} – {study.end:%Y-%m-%d}, {study.touches} touches>"


def _row(found: Beside) -> dict[str, float | int | None]:
    return {
        "touches": found.count,
        "value": found.levels.value,
        "placebo": found.placebos.value,
        "difference": found.difference.value,
        "low": found.difference.low,
        "high": found.difference.high,
    }

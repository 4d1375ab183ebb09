"""The files of a simulated market, as tables."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from liqstrat.market.simulator import SimulationReport

START = date(2024, 3, 1)


@dataclass(frozen=True)
class SimulatedFolder:
    """What a test looks at: the folder, and what was reported if that matters."""

    folder: Path
    report: SimulationReport

    def archive(self, kind: str, label: str | None = None, day: date = START) -> pd.DataFrame:
        return pd.read_csv(self.folder / kind / f"BTCUSDT-{label or kind}-{day}.zip")

    def truth(self, label: str, day: date = START) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "truth" / f"BTCUSDT-{label}-{day}.parquet")

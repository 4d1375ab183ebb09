"""Which signals stand, and of which it is open what became: kept in a file, so that a restart tells none twice."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.inputs import read_json
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.signals import Signal, Swept
from liqstrat.live.confidence import Confidence
from liqstrat.live.outcomes import Names, Outcomes, Told

#: In the folder of recordings, out of the way of what is loaded.
STATE = ".watch"


class Memory:
    """A file for each symbol beside the recordings in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, symbol: str, names: Names, outcomes: Outcomes) -> None:
        """Write down how things stand."""
        content = {
            "standing": [{"told": asdict(told), "seen": seen} for told, seen in names.standing],
            "open": [asdict(told) for told in outcomes.open],
        }
        with partial_file(self._path(symbol)) as partial:
            partial.write_text(json.dumps(content), encoding="utf-8")

    def recall(self, symbol: str, names: Names, outcomes: Outcomes, confidence: Confidence) -> None:
        """Go on from what was written down, if anything was."""
        path = self._path(symbol)
        if not path.exists():
            return
        content = read_json(path)
        try:
            standing = [(_told(one["told"]), int(one["seen"])) for one in content["standing"]]
            still_open = [_told(one) for one in content["open"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise LiqstratError(
                f"{path}: is not of this version; without the file, signals that stand are told again"
            ) from None
        names.keep(standing)
        for told in still_open:
            outcomes.add(told)
            confidence.expect(told)

    def _path(self, symbol: str) -> Path:
        return self._folder / STATE / f"{symbol}.json"


def _told(values: dict[str, Any]) -> Told:
    signal = values["signal"]
    swept = signal["swept"]
    made = Signal(
        **{
            **signal,
            "level": _cluster(signal["level"]),
            "swept": Swept(**{**swept, "cluster": _cluster(swept["cluster"])}) if swept else None,
        }
    )
    return Told(**{**values, "signal": made})


def _cluster(values: dict[str, Any]) -> Cluster:
    return Cluster(**{**values, "leverage": {int(tier): share for tier, share in values["leverage"].items()}})

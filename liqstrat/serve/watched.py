"""Markets that are watched as they run by the program that serves the pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from liqstrat.liquidation.settings import ModelSettings


@dataclass(frozen=True)
class Watched:
    """What answers websockets below /ws, as `liqstrat.live.broadcast.Broadcaster.app`; which symbols it has, whose
    history is in which database, and the model of their maps."""

    app: ASGIApp
    symbols: Sequence[str]
    database: Path
    model: ModelSettings

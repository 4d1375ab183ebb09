"""A watch with all that belongs to it: history to begin with, the recorder it listens to, and who is told."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.alert_settings import AlertSettings
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.live.alerts import Alerts
from liqstrat.live.begin import Begun, begin
from liqstrat.live.broadcast import Broadcaster
from liqstrat.live.files import recording_alone
from liqstrat.live.memory import STATE, Memory
from liqstrat.live.recorder import Recorder, Settings
from liqstrat.live.redis_sink import OUTBOX, RedisSink
from liqstrat.live.sink import Sink
from liqstrat.live.watch import Watch
from liqstrat.market.files import SIMULATED_MARK
from liqstrat.market.ingest import ingest
from liqstrat.market.store import Store, open_store
from liqstrat.progress import SILENT, Progress


@dataclass(frozen=True)
class Wanted:
    """What to watch, by which model and rules, and whom to tell.

    recording: whose database has the history. redis: an address, or None. pages: serves pages, and what is broadcast,
    for ever.
    """

    recording: Settings
    model: ModelSettings
    rules: SignalRules
    warmup: timedelta
    alerts: Sequence[AlertSettings] = ()
    redis: str | None = None
    pages: Callable[[Broadcaster], Coroutine[Any, Any, None]] | None = None


class Watching:
    """Watches until it is stopped. Raises `LiqstratError` where there is no history to begin with."""

    def __init__(self, wanted: Wanted, say: Callable[[str], None], progress: Progress = SILENT) -> None:
        self._wanted = wanted
        folder = wanted.recording.folder
        self.alerts = Alerts(wanted.alerts, folder, say)
        self.redis = RedisSink(wanted.redis, folder / STATE / OUTBOX, say) if wanted.redis else None
        self.broadcaster = Broadcaster()
        sinks: list[Sink] = [self.broadcaster, self.alerts, *([self.redis] if self.redis else [])]
        begun = from_history(wanted.recording, wanted.model, wanted.rules, wanted.warmup, say, progress)
        self.watch = Watch(begun, wanted.rules, sinks, Memory(folder))
        for symbol, one in self.watch.watched.items():
            self.broadcaster.offer("map", symbol, one.maps.snapshot)
            self.broadcaster.offer("heatmap", symbol, one.heat.snapshot)
        besides: list[Callable[[], Coroutine[Any, Any, None]]] = [sink.run for sink in sinks]
        if wanted.pages is not None:
            besides.append(partial(wanted.pages, self.broadcaster))
        after = {one.levels.symbol: one.after for one in begun}
        self.recorder = Recorder(wanted.recording, say, self.watch, after, besides)
        self.watch.recorder = self.recorder

    def run(self, show: Callable[[Recorder], None]) -> None:
        """See `Recorder.run`."""
        self.recorder.run(show)

    def said(self) -> str:
        """How it goes, in a line."""
        connection = self.recorder.connection
        parts = [f"{connection.cuts:,} cuts", f"{self.recorder.gaps.count:,} gaps"]
        if self.redis:
            parts.append(f"{self.redis.sent:,} sent to Redis")
        if self._wanted.alerts:
            parts.append(f"{self.alerts.sent:,} alerts")
        if self._wanted.pages is not None:
            parts.append(f"{self.broadcaster.clients:,} pages listen, {self.broadcaster.cut:,} were too slow")
        if len(self.watch.latencies):
            half, most = np.percentile(np.array(self.watch.latencies), [50, 99]) * 1000
            parts.append(f"message to map {half:.1f} ms, 99 % within {most:.1f} ms")
        return ", ".join(parts) + ("" if connection.alive else "; NOT CONNECTED")


def from_history(
    recording: Settings,
    model: ModelSettings,
    rules: SignalRules,
    warmup: timedelta,
    say: Callable[[str], None],
    progress: Progress,
) -> list[Begun]:
    """The levels of all symbols at the end of the history; what has been recorded is loaded into it first."""
    assert recording.database is not None, "there is a default"
    with recording_alone(recording.folder, recording.symbols):
        load_recordings(recording.folder, recording.database, recording.symbols, say)
    with open_store(recording.database) as store:
        require_same_kind(store, recording)
        return [begin(store, symbol, model, warmup, rules, progress) for symbol in recording.symbols]


def require_same_kind(store: Store, recording: Settings) -> None:
    """Raise `LiqstratError` where the history is of a simulated market and what is recorded is not."""
    for symbol in recording.symbols:
        if store.simulated(symbol) and not (recording.folder / symbol / SIMULATED_MARK).exists():
            raise LiqstratError(
                f"{store.path}: holds SIMULATED history of {symbol}, what comes from the exchange is real; expected a "
                "database with history of the exchange"
            )


def load_recordings(folder: Path, database: Path, symbols: Sequence[str], say: Callable[[str], None]) -> None:
    """Load what has been recorded into the database, as far as nobody else is writing it."""
    there = [folder / symbol for symbol in symbols if (folder / symbol).is_dir()]
    if not there:
        return
    try:
        ingest(there, database)
    except LiqstratError as error:
        say(f"the recordings are not in the database, levels begin where that ends: {error}")

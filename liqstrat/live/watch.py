"""Markets as they run: levels that go on from history, told to whoever wants to know."""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from liqstrat.liquidation.signals import SignalRules
from liqstrat.live.begin import Begun
from liqstrat.live.heat_feed import HeatFeed
from liqstrat.live.levels import LiveLevels
from liqstrat.live.listener import Listener
from liqstrat.live.map_feed import SPAN, MapFeed, Message
from liqstrat.live.memory import Memory
from liqstrat.live.messages import liquidated
from liqstrat.live.outcomes import Names, Outcome, Outcomes, Told
from liqstrat.live.recorder import Recorder
from liqstrat.live.sink import Sink
from liqstrat.moments import MILLISECOND_NS, SECOND_NS, at_ns

#: Prices alone are told no more often than this, seconds; what they take out of a map is told at once.
_PRICE_EVERY = 0.25
_ALIVE_EVERY = 1.0
_LATENCIES = 100_000
#: What levels say of a price that is so old is no signal.
_LATE_NS = 60 * SECOND_NS
SOURCE = "liqstrat"


class Watched:
    """One symbol: its levels, and what was made of them last."""

    def __init__(self, begun: Begun, rules: SignalRules) -> None:
        self.live = LiveLevels(begun)
        self.maps = MapFeed(self.live)
        self.heat = HeatFeed(self.live.symbol, begun.maps, begun.candle, simulated=begun.simulated)
        self.names, self.outcomes, self.confidence = Names(self.live.symbol), Outcomes(rules), begun.confidence
        self.told_at = self.candle_at = self.alive_at = 0.0
        self.signals = 0


class Watch(Listener):
    """Listens to a recorder, which is to be set as `recorder`, and tells the `sinks`.

    memory: where it is kept which signals stand. latencies: of the last map messages, seconds from a trade's message
    being here to the map's being handed over.
    """

    recorder: Recorder

    def __init__(self, begun: Iterable[Begun], rules: SignalRules, sinks: Sequence[Sink], memory: Memory) -> None:
        self._rules, self._sinks, self._memory = rules, sinks, memory
        self.watched: Mapping[str, Watched] = {one.levels.symbol: Watched(one, rules) for one in begun}
        self.latencies: deque[float] = deque(maxlen=_LATENCIES)
        for symbol, one in self.watched.items():
            memory.recall(symbol, one.names, one.outcomes, one.confidence)
            self._whole(symbol, one)

    # -- what comes ----------------------------------------------------------------------------------------------------

    def trades(self, symbol: str, trades: Sequence[dict[str, Any]]) -> None:
        """Take what price ran through out of the map, and tell."""
        came = time.perf_counter()
        one = self.watched[symbol]
        one.live.take_trades(trades)
        one.heat.candles.take(trades)
        if not self._step(symbol, one):
            self._change(symbol, one, came)
        self._candle(symbol, one)
        self._follow(symbol, one, trades)

    def open_interest(self, symbol: str, entries: Sequence[dict[str, Any]]) -> None:
        """Step the book where all trades of before are here."""
        one = self.watched[symbol]
        one.live.take_open_interest(entries)
        self._step(symbol, one)

    def liquidation(self, symbol: str, frame: dict[str, Any]) -> None:
        """Tell of it."""
        notional, side, price, time_ms = liquidated(frame)
        message = self.watched[symbol].heat.liquidation(notional, side, price, time_ms)
        for sink in self._sinks:
            sink.liquidation(symbol, notional, side, time_ms)
            sink.heat_message(symbol, message)

    def clock(self, symbol: str, clock_ms: int) -> None:
        """Look whether an interval is complete, and what the levels say."""
        one = self.watched[symbol]
        before, one.live.clock_ms = one.live.clock_ms, clock_ms
        if clock_ms // 1000 > before // 1000:
            if not self._step(symbol, one):
                # A price that came too soon after another is told now at the latest.
                self._change(symbol, one, time.perf_counter())
                self._signals(symbol, one)
            self._candle(symbol, one)
        self._alive(symbol, one)

    # -- what is told --------------------------------------------------------------------------------------------------

    def _step(self, symbol: str, one: Watched) -> bool:
        if not one.live.step(complete=self.recorder.markets[symbol].is_complete):
            return False
        self._whole(symbol, one)
        self._signals(symbol, one)
        self._memory.keep(symbol, one.names, one.outcomes)
        return True

    def _whole(self, symbol: str, one: Watched) -> None:
        if (message := one.maps.whole()) is not None:
            self._tell_map(symbol, one, message)

    def _change(self, symbol: str, one: Watched, came: float) -> None:
        if not one.live.levels.initialized:
            return
        now = time.monotonic()
        if not one.maps.reaches_on and now - one.told_at < _PRICE_EVERY:
            return
        if (message := one.maps.change()) is None:
            return
        one.told_at = now
        if message["type"] == "gone":
            self._tell_map(symbol, one, message)
            self.latencies.append(time.perf_counter() - came)
            self._signals(symbol, one)
        else:
            for sink in self._sinks:
                sink.map_message(symbol, message)

    def _candle(self, symbol: str, one: Watched) -> None:
        now = time.monotonic()
        if not one.live.levels.initialized or now - one.candle_at < _PRICE_EVERY:
            return
        message = one.heat.candle(one.live.now_ns, one.live.arrived.trade_id, one.live.levels.price)
        if message is None:
            return
        one.candle_at = now
        for sink in self._sinks:
            sink.heat_message(symbol, message)

    def _alive(self, symbol: str, one: Watched) -> None:
        now = time.monotonic()
        if not one.live.levels.initialized or now - one.alive_at < _ALIVE_EVERY:
            return
        one.alive_at = now
        message = alive_message(symbol, one.live, is_behind=self._is_behind(symbol, one))
        for sink in self._sinks:
            sink.alive(symbol, message)

    def _tell_map(self, symbol: str, one: Watched, message: Message) -> None:
        for sink in self._sinks:
            sink.map_message(symbol, message)
        heat = one.heat.column(one.live.levels.known_at, one.live.map(SPAN))
        for sink in self._sinks:
            sink.heat_message(symbol, heat)

    def _signals(self, symbol: str, one: Watched) -> None:
        if not one.live.levels.initialized or self._is_behind(symbol, one):
            return
        now, price = one.live.now_ns, one.live.levels.price
        for sink in self._sinks:
            sink.levels(symbol, price, one.live.levels.clusters(), now)
        new = one.names.new(one.live.levels.signals(self._rules, now), now, price)
        for told in new:
            one.outcomes.add(told)
            one.confidence.expect(told)
            one.signals += 1
            message = signal_message(told, one.confidence.of(told.signal))
            for sink in self._sinks:
                sink.signal(symbol, message)
        if new:
            self._memory.keep(symbol, one.names, one.outcomes)

    def _is_behind(self, symbol: str, one: Watched) -> bool:
        """Whether what is known is of before: at first, and after a cut, until the trades of since are here."""
        late_ns = one.live.clock_ms * MILLISECOND_NS - one.live.now_ns
        return not self.recorder.markets[symbol].is_complete or late_ns > _LATE_NS

    def _follow(self, symbol: str, one: Watched, trades: Sequence[dict[str, Any]]) -> None:
        """What became of signals, trade by trade where there are any."""
        prices = [float(trade["p"]) for trade in trades]
        if not one.outcomes.touched(int(trades[-1]["T"]) * MILLISECOND_NS, min(prices), max(prices)):
            return
        for trade in trades:
            price = float(trade["p"])
            for outcome in one.outcomes.look(int(trade["T"]) * MILLISECOND_NS, price, price):
                one.confidence.add(outcome)
                for sink in self._sinks:
                    sink.feedback(symbol, feedback_message(outcome, price))
        self._memory.keep(symbol, one.names, one.outcomes)


def signal_message(told: Told, confidence: float | None) -> dict[str, Any]:
    """A signal as it is sent; without `confidence` where nobody knows it."""
    signal = told.signal
    message = {
        "symbol": told.symbol,
        "price": told.price,
        "side": signal.way,
        "timestamp": at_ns(told.time_ns).isoformat(),
        "source": SOURCE,
        "signal_id": told.signal_id,
        "kind": signal.kind,
        "strength": round(signal.strength, 4),
        "reason": signal.reason,
        "level": {name: value for name, value in asdict(signal.level).items() if name != "leverage"},
    }
    return message if confidence is None else {**message, "confidence": confidence}


def alive_message(symbol: str, live: LiveLevels, *, is_behind: bool) -> dict[str, Any]:
    """That the exchange is heard, and of when what is known is; without a number, for it changes nothing."""
    return {
        "type": "alive",
        "symbol": symbol,
        "clock": at_ns(live.clock_ms * MILLISECOND_NS).isoformat(),
        "time": at_ns(live.now_ns).isoformat(),
        "known_at": at_ns(live.levels.known_at).isoformat(),
        "behind": is_behind,
    }


def feedback_message(outcome: Outcome, price: float) -> dict[str, Any]:
    """What became of a signal, as it is sent."""
    told = outcome.told
    return {
        "symbol": told.symbol,
        "signal_id": told.signal_id,
        "kind": told.signal.kind,
        "side": told.signal.way,
        "happened": outcome.happened,
        "price": price,
        "timestamp": at_ns(outcome.time_ns).isoformat(),
        "source": SOURCE,
    }

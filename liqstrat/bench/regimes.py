"""The markets that models are judged on: they differ in how price moves, who trades, and with how much leverage."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from liqstrat.market.simulator.settings import DEFAULT_LEVERAGE, Holders, SimulationSettings

Mix = tuple[tuple[int, float], ...]

_LOW: Mix = ((2, 0.15), (3, 0.2), (5, 0.3), (10, 0.2), (20, 0.1), (50, 0.05))
_HIGH: Mix = ((5, 0.05), (10, 0.15), (20, 0.2), (25, 0.1), (50, 0.25), (75, 0.05), (100, 0.15), (125, 0.05))
_IMPATIENT = (Holders("scalper", 0.5, 3), Holders("swing", 0.4, 18), Holders("holder", 0.1, 120))


def _with(leverage: int, share: float) -> Mix:
    """The usual mix, with `share` of all openings at `leverage` besides."""
    return tuple(sorted(((leverage, share), *((tier, part * (1 - share)) for tier, part in DEFAULT_LEVERAGE))))


@dataclass(frozen=True)
class Regime:
    """A kind of simulated market. `settings` are those of the simulator; `ends_with` is the leverage mix towards which
    the one of `settings` drifts until the last day, None where it does not."""

    name: str
    what: str
    symbol: str = "BTCUSDT"
    settings: SimulationSettings = field(default_factory=SimulationSettings)
    ends_with: Mix | None = None


_ALL = (
    Regime("usual", "as the simulator's defaults"),
    Regime("calm", "half the volatility", settings=SimulationSettings(volatility=0.011, shocks=0.5, trend=0.02)),
    Regime(
        "trending",
        "trends of days",
        settings=SimulationSettings(trend=0.07, trend_share=0.9, mood_hours=30.0, home_pull=0.02),
    ),
    Regime(
        "crash",
        "large sudden news and strong impact: cascades",
        settings=SimulationSettings(shocks=1.0, shock_size=0.03, impact=0.12, rebound=0.3, volatility=0.025),
    ),
    Regime(
        "churn",
        "short-lived positions, volume ten times open interest",
        settings=SimulationSettings(churn=6.0, openings=0.9, holders=_IMPATIENT),
    ),
    Regime(
        "thin",
        "an altcoin with few, large positions",
        symbol="XYZUSDT",
        settings=SimulationSettings(
            positions=1500, volatility=0.045, shock_size=0.015, churn=1.5, trades=60_000, largest=0.02
        ),
    ),
    Regime("hedged", "a third holds at 1x", settings=SimulationSettings(leverage=_with(1, 0.33))),
    Regime("careful", "leverage mostly up to 5x", settings=SimulationSettings(leverage=_LOW)),
    Regime("daring", "leverage mostly from 20x", settings=SimulationSettings(leverage=_HIGH)),
    Regime(
        "drifting",
        "from careful to daring within the time",
        settings=SimulationSettings(leverage=_LOW),
        ends_with=_HIGH,
    ),
)

REGIMES: Mapping[str, Regime] = {regime.name: regime for regime in _ALL}

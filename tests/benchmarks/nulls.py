"""What verdicts and intervals make of markets whose law is known: `uv run python -m tests.benchmarks.nulls --help`.

SIMULATED: paths of the simulator's price, on which a conserving book is stepped; liquidations are drawn in the bands
that price reached, by laws in which the book's map has no part, half a part, or all.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import mean
from typing import Annotated

import numpy as np
import typer

from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import Flow, flow_from_bars
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.simulator.price import Price
from liqstrat.market.simulator.settings import SimulationSettings, listing_of
from liqstrat.scoring.figures import ratio_of_sums
from liqstrat.scoring.intervals import days_left_out, estimate
from liqstrat.scoring.reached import Reached, gather
from liqstrat.scoring.score import score
from tests.scoring.drawn import HALF_TRUE, MILD, NULLS, TRUE, WILD, drawn

SYMBOL, START = "BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC)
_STEP_SECONDS, _WARMUP_DAYS, _DAY_MS = 300, 14, 86_400_000
_OPEN_INTEREST, _TURNOVER = 20_000.0, 8.0


def path(seed: int, days: int, width: float) -> Iterator[tuple[Flow, float]]:
    """Flow and open interest of every five minutes, two weeks before `START` and `days` after it."""
    rng, listing = np.random.default_rng([seed, 1]), listing_of(SYMBOL)
    start_ms = round(START.timestamp()) * 1000 - _WARMUP_DAYS * _DAY_MS
    price = Price(listing, SimulationSettings(), rng, start_ms)
    brackets, interest = brackets_for(SYMBOL, START), _OPEN_INTEREST
    steps = (days + _WARMUP_DAYS) * _DAY_MS // (_STEP_SECONDS * 1000)
    for _ in range(steps):
        move = price.move(_STEP_SECONDS)
        interest *= np.exp(0.004 * rng.standard_normal() - 0.001 * np.log(interest / _OPEN_INTEREST))
        volume = _OPEN_INTEREST * _TURNOVER * _STEP_SECONDS / 86_400 * move.activity * np.exp(rng.normal(0, 0.5))
        bar = (np.array([ticks * listing.tick]) for ticks in (move.high, move.low, move.close))
        begin, end = move.start_ms * 10**6, move.end_ms * 10**6
        yield flow_from_bars(begin, end, *bar, np.array([volume]), width=width, brackets=brackets), interest


def market(seed: int, days: int) -> Reached:
    """The bands that a path reached, with the maps of a conserving book."""
    model = new_model(ModelSettings(bin_width=0.001), SYMBOL)
    flows = path(seed, days, model.settings.fine_width)
    return gather(flows, {"conserving": model}, 3_600 * 10**9, round(START.timestamp()) * 10**9)


def main(
    markets: Annotated[int, typer.Option(min=1, help="Paths.")] = 100,
    days: Annotated[int, typer.Option(min=8, help="Days of each.")] = 28,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    trials: Annotated[int, typer.Option(min=100, help="Intervals of each kind.")] = 2_000,
) -> None:
    """How often a map is praised on markets of a known law, and how often intervals miss a known mean.

    Example: python -m tests.benchmarks.nulls --markets 20 --trials 500
    """
    print(praised(markets, days, first), flush=True)
    print()
    print(missed(trials))


def praised(markets: int, days: int, first: int = 0) -> str:
    """A table of the share of `markets` in which the map is praised, and of the bits it was said to add."""
    laws = {**NULLS, **HALF_TRUE, **TRUE}
    found: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for seed in range(first, first + markets):
        bands = market(seed, days)
        for law, density in laws.items():
            for name, clumps in (("mild", MILD), ("wild", WILD)):
                result = score(bands, drawn(bands, density, seed, clumps), whole=False)
                gain = result.added["conserving"].to_both.value or 0.0
                found.setdefault((law, name), []).append((result.overall.better, gain))
    lines = [
        f"| liquidated by ({markets} markets, {days} days) | mild: praised | bits | wild: praised | bits |",
        "|---|---|---|---|---|",
    ]
    for law in laws:
        cells = [
            f"{mean(better for better, _ in found[law, name]):.0%} | {mean(gain for _, gain in found[law, name]):+.3f}"
            for name in ("mild", "wild")
        ]
        lines.append(f"| {law} | {' | '.join(cells)} |")
    return "\n".join(lines)


def missed(trials: int) -> str:
    """A table of how often a 95 % interval of a mean over days that is zero lies wholly above it, and below."""
    lines = ["| days, their weights and means | 10: above | below | 20: above | below |", "|---|---|---|---|---|"]
    for weights in ("equal", "lognormal", "Pareto(1.1)"):
        for law in ("normal", "skewed down", "skewed up", "lognormal down"):
            cells = []
            for days in (10, 20):
                above, below = _missed(weights, law, days, trials)
                cells.append(f"{above:.3f} | {below:.3f}")
            lines.append(f"| {weights}, {law} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _missed(weights: str, law: str, days: int, trials: int) -> tuple[float, float]:
    rng = np.random.default_rng(days)
    above = below = 0
    for _ in range(trials):
        amounts = {
            "equal": np.ones(days),
            "lognormal": np.exp(rng.standard_normal(days)),
            "Pareto(1.1)": 1 + rng.pareto(1.1, days),
        }[weights]
        means = {
            "normal": rng.standard_normal(days),
            "skewed down": 1 - rng.exponential(1, days),
            "skewed up": rng.exponential(1, days) - 1,
            "lognormal down": np.exp(0.125) - np.exp(rng.normal(0, 0.5, days)),
        }[law]
        found = estimate(ratio_of_sums(days_left_out(days), means * amounts, amounts, np.arange(days)), amounts)
        above += found.above_zero
        below += found.high is not None and found.high < 0
    return above / trials, below / trials


if __name__ == "__main__":
    typer.run(main)

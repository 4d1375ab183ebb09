"""A small market of `liqstrat.bench`, of which the truth is known."""

from dataclasses import replace

from liqstrat.bench.regimes import REGIMES, Regime


def small_regime(step_seconds: int) -> Regime:
    """The usual one with few positions and trades and a short past, simulated in steps of that length."""
    few = replace(REGIMES["usual"].settings, positions=600, trades=6_000, warmup_days=3, warmup_step_seconds=300)
    return replace(REGIMES["usual"], settings=replace(few, step_seconds=step_seconds))

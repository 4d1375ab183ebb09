"""A simulated market with known positions, written as the exchange's archive would have it."""

from liqstrat.market.simulator.settings import DEFAULT_LEVERAGE, Holders, SimulationSettings
from liqstrat.market.simulator.simulate import SimulationReport, simulate

__all__ = ["DEFAULT_LEVERAGE", "Holders", "SimulationReport", "SimulationSettings", "simulate"]

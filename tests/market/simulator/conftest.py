"""A small simulated market that tests read, made once."""

import pytest

from liqstrat.market.simulator import SimulationSettings, simulate
from tests.market.simulator.simulated_folder import START, SimulatedFolder

SMALL = SimulationSettings(
    positions=600, trades=15_000, step_seconds=30, warmup_days=4, warmup_step_seconds=300, stop_share=0.4
)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFolder:
    folder = tmp_path_factory.mktemp("simulated") / "market"
    return SimulatedFolder(folder, simulate(folder, days=1, seed=3, start=START, settings=SMALL))

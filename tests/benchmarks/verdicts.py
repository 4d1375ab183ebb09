"""What verdicts say by the engine, of noise and of a planted edge: `uv run python -m tests.benchmarks.verdicts --help`.

SIMULATED: markets with the simulator's own positions. Noise is a sweep on placebo levels of a market into which nothing
was planted; the edge is a rebound after cascades. Every study has a ledger of its own, so that its configurations are
all that it is held against. What studies of planted edges announce, each by itself and their days put together, is held
against the share that said "edge", also between halves: what some announce against what others said.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from liqstrat.research.drawn import Observed
from liqstrat.research.edge import LEAST_TRADES, Verdict
from liqstrat.studies.checks import outcomes
from liqstrat.studies.judge import Judged, judge, observed
from liqstrat.studies.rounds import run_study
from liqstrat.studies.study import open_study
from liqstrat.studies.workers import OwnWorkers
from liqstrat.study_settings import SweepSettings, Values
from tests.benchmarks.announcements import table
from tests.holders import OF_HOLDERS

START, SYMBOL = date(2024, 3, 1), "BTCUSDT"
#: Days before a study, which fill the book.
_FILLING = 5
#: As small as markets can be in which the strategy still finds a trade every other day: restless, and much is opened.
_SMALL: dict[str, Any] = {
    "positions": 3000,
    "trades": 2000,
    "openings": 1.0,
    "volatility": 0.05,
    "step_seconds": 300,
    "warmup_days": 5,
    "warmup_step_seconds": 300,
}
_TURNS, _REWARDS = (0.001, 0.002), (1.0, 2.0, 3.0)


def market(folder: Path, seed: int, days: int, planted: float) -> DataSettings:
    """A market with so much planted into it, and no files of it but the database."""
    settings = SimulationSettings(**_SMALL, planted=planted)
    simulate(folder / "archive", SYMBOL, days=days + _FILLING, seed=seed, start=START, settings=settings)
    ingest([folder / "archive"], folder / "market.duckdb")
    rmtree(folder / "archive")
    return DataSettings(db=folder / "market.duckdb", catalog=folder / "nautilus", warmup_days=_FILLING)


def study(data: DataSettings, days: int, controls: int, placebo: int | None, out: Path) -> Verdict:
    """The verdict on a grid of six settings of `LevelFade`; placebo: the seed of the levels shown, None for true ones.

    Controls are run only where luck alone would allow an edge: elsewhere they change nothing in what is said.
    """
    by_luck, _ = looked_at(data, days, 0, placebo, out)
    if not by_luck.is_edge or not controls:
        return by_luck
    return looked_at(data, days, controls, placebo, out)[0]


def looked_at(
    data: DataSettings, days: int, controls: int, placebo: int | None, out: Path
) -> tuple[Verdict, Observed | None]:
    """As `study`, with controls in any case; and the days that it is of, if there is a best trial."""
    begin = datetime.combine(START, time(), UTC) + timedelta(days=_FILLING)
    mix = dict(SimulationSettings().leverage)
    run = RunFile(
        name="verdicts",
        symbols=[SYMBOL],
        start=begin,
        end=begin + timedelta(days=days),
        resolution="5m",
        data=data,
        model=ModelSettings(bin_width=0.001, leverage=mix, **OF_HOLDERS),
        strategies=[StrategySettings(use="LevelFade", params={"min_strength": 0.003})],
        control=None if placebo is None else "placebo",
        control_seed=placebo or 1,
    )
    over = {"strategies.0.params.turn": Values(_TURNS), "strategies.0.params.max_reward": Values(_REWARDS)}
    sweep = SweepSettings(method="grid", constraint=f"trades >= {LEAST_TRADES}", controls=controls, over=over)
    asked, hands = open_study(run.model_copy(update={"sweep": sweep}), out), OwnWorkers(1)
    tried = run_study(asked, hands)
    found: Judged = judge(asked, tried, hands)
    best = next(iter(asked.best(tried)), None)
    if best is None:
        return found.verdict, None
    made = outcomes(asked, best, found.checks)
    return found.verdict, observed(tried, best, made, len(tried), sweep.objective[0])


def noise(folder: Path, markets: int, seeds: int, days: int, controls: int) -> Iterator[dict[str, Any]]:
    """What studies of placebo levels say, of each market as many as `seeds`, and last one of its true levels."""
    for number in range(1, markets + 1):
        made: list[DataSettings] = []

        def make(seed: int = number) -> DataSettings:
            return market(folder / "m", seed, days, 0.0)

        for placebo in [*range(1, seeds + 1), None]:
            kind = "noise" if placebo else "true levels"

            def judged(data: DataSettings, shown: int | None = placebo) -> tuple[Verdict, None]:
                return study(data, days, controls, shown, folder / "results"), None

            yield from _told(folder, f"{kind} {number} {placebo}", kind, make, made, judged)
        rmtree(folder / "m", ignore_errors=True)


def edge(folder: Path, markets: int, days: int, controls: int, planted: float, first: int) -> Iterator[dict[str, Any]]:
    """What studies of markets with a planted rebound say and announce, of each market one."""
    for seed in range(first, first + markets):

        def make(seed: int = seed) -> DataSettings:
            return market(folder / "m", seed, days, planted)

        def judged(data: DataSettings) -> tuple[Verdict, Observed | None]:
            return looked_at(data, days, controls, None, folder / "results")

        yield from _told(folder, f"planted {planted} {seed}", "planted", make, [], judged)
        rmtree(folder / "m", ignore_errors=True)


def _told(
    folder: Path,
    name: str,
    kind: str,
    make: Callable[[], DataSettings],
    made: list[DataSettings],
    judged: Callable[[DataSettings], tuple[Verdict, Observed | None]],
) -> Iterator[dict[str, Any]]:
    """A study's verdict, from the file of those that are known or else by running it; its market is made once."""
    known = folder / "verdicts.jsonl"
    for line in known.read_text(encoding="utf-8").splitlines() if known.exists() else ():
        if (found := json.loads(line))["name"] == name:
            yield found
            return
    if not made:
        made.append(make())
    verdict, seen = judged(made[0])
    rmtree(folder / "results", ignore_errors=True)
    told = {"name": name, "kind": kind, **line(verdict, seen)}
    with known.open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    yield told


def line(verdict: Verdict, seen: Observed | None) -> dict[str, Any]:
    """What is kept of a study."""
    power = None if verdict.power is None else verdict.power.to_json()
    told = {"words": verdict.words, "evidence": asdict(verdict.evidence), "power": power}
    if seen is not None:
        days = {"returns": seen.returns, **seen.controls}
        told["days"] = {name: np.round(found, 9).tolist() for name, found in days.items()}
    return told


def main(
    markets: Annotated[int, typer.Option(min=0, help="Markets of noise.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Placebos shown in each.")] = 10,
    planted: Annotated[int, typer.Option(min=0, help="Markets with an edge.")] = 10,
    rebound: Annotated[float, typer.Option(min=0.0, help="What is planted, 0.01: price comes back by 1 %.")] = 0.005,
    days: Annotated[int, typer.Option(min=30, help="Days of a study of noise.")] = 45,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first market with an edge.")] = 1001,
    planted_days: Annotated[int, typer.Option(min=30, help="Days of a study of what is planted.")] = 90,
    controls: Annotated[int, typer.Option(min=0, help="Of each kind.")] = 19,
    folder: Annotated[Path | None, typer.Option(help="Keep verdicts here, and go on with those there.")] = None,
) -> None:
    """Count verdicts on noise and on a planted edge; stopped, the same command goes on where it was.

    Example: python -m tests.benchmarks.verdicts --markets 2 --seeds 5 --planted 2 --folder /tmp/verdicts
    """
    with TemporaryDirectory(prefix="liqstrat-verdicts-") as aside:
        place = folder or Path(aside)
        place.mkdir(parents=True, exist_ok=True)
        for left in ("m", "results"):
            rmtree(place / left, ignore_errors=True)
        found = list(noise(place, markets, seeds, days, controls))
        found += edge(place, planted, planted_days, controls, rebound, first)
        print(table(found, planted_days))


if __name__ == "__main__":
    typer.run(main)

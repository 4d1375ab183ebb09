"""One stage of the way in a process of its own, which then prints how much memory it had: see `bench_memory`."""

import sys
from pathlib import Path

from liqstrat.app import prepare_symbol, resolve_traders
from liqstrat.backtest.replay import replay
from liqstrat.catalog.build import build_catalog
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.benchmarks.bench_replay import tick_run
from tests.benchmarks.measure import Place, own_peak_memory
from tests.benchmarks.tape import SYMBOL


def run_ingest(place: Place) -> None:
    """The archive's files into a new database."""
    report = ingest([place.archive()], place.scratch("ingest.duckdb"))
    if refused := [file for file in report.files if file.state == "refused"]:
        raise RuntimeError(f"{refused[0].path}: {refused[0].reason}")


def run_catalog(place: Place) -> None:
    """The database into a new catalog."""
    with open_store(place.database) as store:
        build_catalog(store, SYMBOL, place.scratch("catalog"))


def run_flow(place: Place) -> None:
    """The flow of all intervals."""
    with open_store(place.database) as store:
        for _ in flows(store, SYMBOL, None, None, ModelSettings()):
            pass


def run_replay(place: Place) -> None:
    """The tick replay, with levels and a strategy."""
    run = tick_run(place)
    with open_store(run.data.db) as store:
        data = {SYMBOL: prepare_symbol(store, SYMBOL, run)}
    replay(run, resolve_traders(run), data, lambda levels: None)


STAGES = {"ingest": run_ingest, "catalog": run_catalog, "flow": run_flow, "tick replay": run_replay}

if __name__ == "__main__":
    name, folder, trades = sys.argv[1:]
    STAGES[name](Place(Path(folder), int(trades)))
    print(own_peak_memory())

"""A served market: the simulated database and a real run, in folders as they lie after a demo."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from liqstrat.serve.app import create_app
from tests.inverse_market import inverse_database
from tests.usdc_market import usdc_database

HERE = "http://localhost"


@pytest.fixture(scope="package")
def folders(
    simulated_database: Path, demo_results: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A catalog folder and a results folder, of this package's tests alone."""
    root = tmp_path_factory.mktemp("served")
    (root / "catalog" / "demo").mkdir(parents=True)
    shutil.copy(simulated_database, root / "catalog" / "demo" / "market.duckdb")
    shutil.copytree(demo_results, root / "results" / demo_results.name)
    return root / "catalog", root / "results"


@pytest.fixture(scope="package")
def other_markets(simulated_database: Path, simulated_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog folder with a market in USDC and one in inverse contracts."""
    catalog = tmp_path_factory.mktemp("others")
    for name, database in (
        ("usdc", usdc_database(simulated_database, tmp_path_factory)),
        ("coin", inverse_database(simulated_archive, tmp_path_factory)),
    ):
        (catalog / name).mkdir()
        shutil.copy(database, catalog / name / "market.duckdb")
    return catalog


@pytest.fixture(scope="package")
def client(folders: tuple[Path, Path]) -> Iterator[TestClient]:
    """Asks the app as a program on this machine does."""
    with TestClient(create_app(*folders), base_url=HERE) as client:
        yield client

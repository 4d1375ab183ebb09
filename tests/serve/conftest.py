"""A served market: the simulated database and a real run, in folders as they lie after a demo."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from liqstrat.serve.app import create_app

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
def client(folders: tuple[Path, Path]) -> Iterator[TestClient]:
    """Asks the app as a program on this machine does."""
    with TestClient(create_app(*folders), base_url=HERE) as client:
        yield client

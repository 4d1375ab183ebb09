"""Where tests of the history write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.market.archive_files import ArchiveWriter
from tests.market.served import Server, serve


@pytest.fixture
def write_archive(tmp_path: Path) -> ArchiveWriter:
    return ArchiveWriter(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "market.duckdb"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path / "served") as server:
        yield server

"""Where tests of the history write."""

from pathlib import Path

import pytest

from tests.market.archive_files import ArchiveWriter


@pytest.fixture
def write_archive(tmp_path: Path) -> ArchiveWriter:
    return ArchiveWriter(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "market.duckdb"

"""Where tests of the history write."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.market import existing_files
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


@pytest.fixture(scope="session")
def old_files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the folder of files that a version of DuckDB wrote, in every shape; skips where it cannot be had."""
    made: dict[str, Path] = {}
    uv = os.environ.get("UV") or shutil.which("uv")

    def make(version: str) -> Path:
        if uv is None:
            pytest.skip("no uv to get an older DuckDB with")
        if version not in made:
            wheel, folder = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("files")
            install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", str(wheel)]
            got = subprocess.run([*install, f"duckdb=={version}"], capture_output=True, text=True)
            if got.returncode:
                pytest.skip(f"DuckDB {version} cannot be had: {got.stderr.strip().splitlines()[-1:]}")
            script = [sys.executable, existing_files.__file__, str(folder)]
            subprocess.run(script, check=True, env={**os.environ, "PYTHONPATH": str(wheel)})
            made[version] = folder
        return made[version]

    return make

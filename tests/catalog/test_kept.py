"""What is kept about a history file is found again as it was, for as long as nothing that it comes from has changed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from liqstrat.catalog.kept import Answer, Kept, code_hash
from liqstrat.market.store import open_store
from tests.history import open_interest_every, random_trades, write_history

AN_HOUR_AGO = time.time() - 3600
ABOUT = {"symbol": "BTCUSDT", "width": 0.001}


@pytest.fixture(scope="module")
def one_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "market.duckdb"
    return write_history(path, random_trades(1), open_interest_every(5, 1))


@pytest.fixture
def history(one_hour: Path, tmp_path: Path) -> Path:
    return settled(Path(shutil.copy(one_hour, tmp_path / "market.duckdb")))


def settled(path: Path) -> Path:
    """As if nobody had written to the file for an hour."""
    os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))
    return path


class Asked:
    """Asks for the sum of all prices, and counts how often it had to be made."""

    def __init__(self, history: Path) -> None:
        self.history, self.folder, self.made = history, history.parent / "kept", 0

    def __call__(self, about: dict[str, Any] = ABOUT, code: str | None = None) -> tuple[float, list[str]]:
        with open_store(self.history, files=[self.history.parent]) as store:

            def make() -> Answer:
                self.made += 1
                prices = store.trades("BTCUSDT").read_all()["price"].cast("float64").to_numpy()
                store.say("this is worth a remark")
                return {"prices": prices, "sum": float(prices.sum()), "nothing": None}

            answer = Kept(self.folder, store, code).ask("prices", about, make)
            assert answer["nothing"] is None
            assert float(answer["prices"].sum()) == answer["sum"]
            return answer["sum"], list(store.remarks)


def test_is_found_again_with_what_was_remarked(history: Path) -> None:
    asked = Asked(history)
    assert asked() == asked()
    assert asked()[1] == ["this is worth a remark"]
    assert asked.made == 1


def _change_a_row(history: Path) -> None:
    with duckdb.connect(str(history)) as connection:
        connection.execute("update aggtrades_history set price = price + 1 where agg_trade_id = 7")


def _leave_a_log(history: Path) -> None:
    """A writer that was killed before what it wrote went into the file."""
    script = f"""
import duckdb, os
connection = duckdb.connect({str(history)!r})
connection.execute("set wal_autocheckpoint = '1GB'")
connection.execute("update aggtrades_history set price = price + 1 where agg_trade_id = 7")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    log = history.with_name(f"{history.name}.wal")
    assert log.exists()
    settled(log)


def _put_another_in_its_place(history: Path) -> None:
    other = Path(shutil.copy(history, history.with_name("other.duckdb")))
    _change_a_row(other)
    settled(other).replace(history)


@pytest.mark.parametrize("change", [_change_a_row, _leave_a_log, _put_another_in_its_place])
def test_history_that_changed_is_asked_again(history: Path, change: Callable[[Path], None]) -> None:
    asked = Asked(history)
    before, _ = asked()
    change(history)
    settled(history)
    assert asked()[0] == pytest.approx(before + 1, abs=1e-6)
    assert asked.made == 2


def test_a_file_that_changed_this_moment_is_not_trusted(history: Path) -> None:
    asked = Asked(history)
    os.utime(history)
    asked(), asked()
    assert asked.made == 2
    assert not asked.folder.exists()


def test_views_of_other_files_are_not_trusted(history: Path) -> None:
    with duckdb.connect(str(history)) as connection:
        parquet = history.with_suffix(".parquet")
        connection.execute(f"copy aggtrades_history to '{parquet}'")
        connection.execute("drop table aggtrades_history")
        connection.execute(f"create view aggtrades_history as select * from '{parquet}'")
    settled(history)
    asked = Asked(history)
    asked(), asked()
    assert asked.made == 2


def test_every_word_of_the_question_counts_and_so_does_the_code(history: Path) -> None:
    asked = Asked(history)
    asked(), asked({**ABOUT, "width": 0.002}), asked(ABOUT, "other code")
    assert asked.made == 3
    asked(), asked({**ABOUT, "width": 0.002}), asked(ABOUT, "other code")
    assert asked.made == 3


def test_the_code_is_every_file_of_the_package(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "room" / "__pycache__").mkdir(parents=True)
    module, table = package / "room" / "module.py", package / "table.csv"
    seen = set()
    for text in ("a", "b"):
        module.write_text(text)
        for rows in ("1", "2"):
            table.write_text(rows)
            code_hash.cache_clear()
            seen.add(code_hash(package))
    assert len(seen) == 4
    (package / "room" / "__pycache__" / "module.pyc").write_text("compiled")
    code_hash.cache_clear()
    assert code_hash(package) in seen
    assert code_hash() not in seen


@pytest.mark.parametrize("damage", ["cut short", "changed", "empty", "something else"])
def test_what_is_damaged_is_made_anew(history: Path, damage: str) -> None:
    asked = Asked(history)
    before = asked()
    (file,) = asked.folder.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    content = {
        "cut short": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"",
        "something else": b"PK\3\4 and what else there may be",
    }
    file.write_bytes(content[damage])
    assert asked() == before
    assert asked() == before
    assert asked.made == 2


def test_where_nothing_can_be_written_nothing_is_kept(history: Path) -> None:
    asked = Asked(history)
    asked.folder.write_text("a file where the folder should be")
    assert asked() == asked()
    assert asked.made == 2
    assert asked.folder.read_text() == "a file where the folder should be"


def test_any_number_may_ask_at_once(history: Path) -> None:
    script = f"""
from pathlib import Path
from tests.catalog.test_kept import Asked
asked = Asked(Path({str(history)!r}))
print(asked(), asked())
"""
    asking = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0] for process in asking}
    assert len(said) == 1
    assert "worth a remark" in said.pop()
    assert [path.suffix for path in (history.parent / "kept").iterdir()] == [".npz"]


def test_what_nobody_asks_for_goes_first(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liqstrat.catalog.kept._MOST", 2)
    asked = Asked(history)
    first, second, third = ({"number": number} for number in range(3))
    for at, about in enumerate((first, second)):
        asked(about)
        for file in asked.folder.iterdir():
            if file.stat().st_mtime > AN_HOUR_AGO + 60:
                os.utime(file, (at, at))
    asked(first), asked(third)
    assert len(list(asked.folder.iterdir())) == 2
    asked(first)
    assert asked.made == 3
    asked(second)
    assert asked.made == 4


def test_arrays_come_back_as_they_were(history: Path) -> None:
    values = {"odd": np.array([np.nan, np.inf, -0.0, 1e-320]), "none": np.zeros((3, 0)), "yes": np.array(True)}
    with open_store(history) as store:
        made = Kept(history.parent / "kept", store).ask("arrays", {}, lambda: dict(values))
        found = Kept(history.parent / "kept", store).ask("arrays", {}, dict)
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == made[name].tobytes() == value.tobytes()
        assert found[name].shape == value.shape

"""A file that brings SQL of its own: nothing of it is run, but what somebody asked for."""

import json
from pathlib import Path

import duckdb
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.connection import connect
from liqstrat.market.store import Store, open_store
from tests.market import existing_files
from tests.shell import Shell

MACROS = {
    "lower": "(x) as 'sell'",
    "trim": "(x, y) as 'sell'",
    "epoch_us": "(x) as 7",
    "sum": "(x) as 42",
    "min": "(x) as 42",
    "max": "(x) as 42",
    "isfinite": "(x) as false",
    "timezone": "(x, y) as timestamp '2001-01-01'",
    "time_bucket": "(x, y) as timestamp '2001-01-01'",
    "arg_max": "(x, y) as 42",
    "hash": "(a, b, c, d, e) as 42",
    "duckdb_functions": "() as table select 'nothing' as function_name, true as internal",
}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "mine.duckdb"
    existing_files.write(str(path), "rough")
    return path


def answers(path: Path) -> list[object]:
    with open_store(path) as store:
        return [
            store.trades("BTCUSDT").read_all(),
            store.open_interest("BTCUSDT"),
            store.klines("BTCUSDT"),
            store.fingerprint("BTCUSDT"),
            store.span("BTCUSDT", "trades"),
        ]


def test_macros_do_not_stand_in_for_functions(plain: Path) -> None:
    right = answers(plain)
    with duckdb.connect(str(plain)) as connection:
        for name, macro in MACROS.items():
            connection.execute(f"create macro {name}{macro}")
    assert answers(plain) == right


def test_a_writer_refuses_macros_by_name(plain: Path) -> None:
    with duckdb.connect(str(plain)) as connection:
        connection.execute("create macro lower(x) as 'sell'")
        connection.execute("create macro mine(x) as 7")
    with pytest.raises(LiqstratError, match=r"has macros in the place of DuckDB's own lower; drop them"):
        connect(plain, read_only=False)


@pytest.mark.parametrize(
    "view",
    [
        "select 1 as agg_trade_id, now()::timestamp as timestamp, content as symbol, 1 as price, 1 as quantity, "
        "'buy' as side from read_text('{secret}')",
        "select 1 as agg_trade_id, now()::timestamp as timestamp, column0 as symbol, 1 as price, 1 as quantity, "
        "'buy' as side from read_csv('{secret}', header = false)",
    ],
)
def test_a_view_reads_no_other_file_unless_allowed(tmp_path: Path, liqstrat: Shell, view: str) -> None:
    secret, path = tmp_path / "kept" / "secret.csv", tmp_path / "mine.duckdb"
    secret.parent.mkdir()
    secret.write_text("sesame")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create view aggtrades_history as {view.format(secret=secret)}")
    for command in (["inspect"], ["levels", "sesame"], ["catalog", "sesame"]):
        done = liqstrat(*command, "--db", str(path))
        assert done.code == 1
        assert f"aggtrades_history is a view that reads {secret}; where that is wanted, allow" in done.err
        assert "sesame" not in done.out + done.err.replace("levels sesame", "")


def test_a_view_on_parquet_beside_it_works_where_it_is_allowed(tmp_path: Path, plain: Path, liqstrat: Shell) -> None:
    right = json.loads(liqstrat("inspect", "--json", "--db", str(plain)).out)
    beside = tmp_path / "beside"
    beside.mkdir()
    with duckdb.connect(str(plain)) as connection:
        connection.execute(f"copy aggtrades_history to '{beside / 'trades.parquet'}' (format parquet)")
        connection.execute("drop table aggtrades_history")
        connection.execute(f"create view aggtrades_history as select * from read_parquet('{beside}/*.parquet')")
    assert liqstrat("inspect", "--db", str(plain)).code == 1
    done = liqstrat("--allow-files", str(beside), "inspect", "--json", "--db", str(plain))
    assert (done.code, json.loads(done.out)) == (0, right)


def test_readers_can_change_no_setting_and_write_no_file(tmp_path: Path, plain: Path) -> None:
    with open_store(plain) as store:
        for sql in (
            "set enable_external_access = true",
            "set lock_configuration = false",
            "set allowed_directories = ['/']",
            f"copy (select 1) to '{tmp_path / 'out.csv'}'",
            f"attach '{tmp_path / 'other.duckdb'}'",
            "load httpfs",
        ):
            with pytest.raises(duckdb.Error):
                store.connection.execute(sql)
        with pytest.raises(duckdb.Error):
            store.connection.execute("delete from history.aggtrades_history")


def test_odd_names_of_files_are_names(tmp_path: Path, plain: Path) -> None:
    for name in ("it's.duckdb", "sqlite:x.duckdb", "a b;c.duckdb", "memory", "history.duckdb", "ä.duckdb"):
        path = tmp_path / name
        path.write_bytes(plain.read_bytes())
        with open_store(path) as store:
            assert isinstance(store, Store)
            assert store.symbols() == ["BTCUSDT"]


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_told_in_one_line(plain: Path, liqstrat: Shell, kept: float) -> None:
    whole = plain.read_bytes()
    plain.write_bytes(whole[: int(len(whole) * kept)])
    for command in (["inspect"], ["inspect", "BTCUSDT"], ["levels", "BTCUSDT"], ["catalog", "BTCUSDT"]):
        done = liqstrat(*command, "--db", str(plain))
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert done.err.startswith(f"error: {plain}: ")

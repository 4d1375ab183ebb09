from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from liqstrat.config import ReportSettings, RunFile
from liqstrat.errors import LiqstratError
from liqstrat.run_file import load_run_file

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.toml"))

RUN = """\
name = "fade"
symbols = ["BTCUSDT"]
from = 2024-03-03
to = 2024-03-08T06:00:00+02:00
resolution = "5m"

[model]
turnover = 0.2
leverage = { 10 = 0.5, 50 = 0.5 }

[venue]
balance = 5000
taker_fee = 0.00045

[[strategies]]
use = "LevelFade"
params = { risk = 0.01 }

[[strategies]]
use = "my.module:Own"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_run_files_we_ship_are_valid(path: Path) -> None:
    assert load_run_file(path).name == path.stem


def test_a_run_file_becomes_typed_values_in_utc(tmp_path: Path) -> None:
    run = load_run_file(write(tmp_path, RUN))
    assert run.start == datetime(2024, 3, 3, tzinfo=UTC)
    assert run.end == datetime(2024, 3, 8, 4, tzinfo=UTC)
    assert run.bar_minutes == 5
    assert run.model.turnover == 0.2
    assert dict(run.model.leverage) == {10: 0.5, 50: 0.5}
    assert run.venue.taker_fee == Decimal("0.00045")
    assert [s.use for s in run.strategies] == ["LevelFade", "my.module:Own"]
    assert isinstance(run, RunFile)


@pytest.mark.parametrize(
    ("found", "written", "line", "said"),
    [
        ("turnover = 0.2", "turnver = 0.2", 8, 'unknown key "model.turnver" (did you mean "turnover"?)'),
        ("turnover = 0.2", "turnover = 9", 8, "expected 0 to 5"),
        ("balance = 5000", 'balance = "lots"', 12, "venue.balance is 'lots'"),
        ("balance = 5000", "balance = -1", 12, "greater than 0"),
        (
            'resolution = "5m"',
            'resolution = "5m"\ndata.db = "s3://mine/market.duckdb"',
            6,
            "is an address, expected a path",
        ),
        ('resolution = "5m"', 'resolution = "3m"', 5, "'tick', '1m', '5m', '15m' or '1h'"),
        ("from = 2024-03-03", "from = 2024-03-09", 1, "expected a time after from"),
        ("from = 2024-03-03", "form = 2024-03-03", 3, '(did you mean "from"?)'),
        ('use = "my.module:Own"', "", 19, '"strategies.1.use" is missing'),
        ("params = {", "parms = {", 17, '(did you mean "params"?)'),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(
    tmp_path: Path, found: str, written: str, line: int, said: str
) -> None:
    path = write(tmp_path, RUN.replace(found, written))
    with pytest.raises(LiqstratError) as error:
        load_run_file(path)
    assert said in str(error.value)
    assert f"{path}:{line}:" in str(error.value) or line == 1


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match=r"rum\.toml: cannot be read.*did you mean \"run\.toml\""):
        load_run_file(write(tmp_path, RUN).with_name("rum.toml"))
    with pytest.raises(LiqstratError, match=r"run\.toml: is not valid TOML.*line 1"):
        load_run_file(write(tmp_path, "name = = 3"))


def test_maps_of_a_long_run_are_recorded_less_often_unless_it_says_how_often(tmp_path: Path) -> None:
    week = load_run_file(write(tmp_path, RUN))
    year = week.model_copy(update={"end": week.start + timedelta(days=365)})
    assert (week.levels_minutes, year.levels_minutes) == (15, 60)
    asked = year.model_copy(update={"report": ReportSettings(levels_every="5m")})
    assert asked.levels_minutes == 5

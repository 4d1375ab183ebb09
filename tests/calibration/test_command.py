"""`liqstrat calibrate` as a user types it."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.shell import Shell

pytestmark = pytest.mark.slow

RUN = """
name = "x"
symbols = ["BTCUSDT"]
from = 2024-03-01
to = 2024-03-02
[[strategies]]
use = "LevelFade"
"""
RANGE = ("--from", "2024-03-01", "--to", "2024-03-03")


def test_it_prints_shares_verdict_and_a_block_and_writes_the_block(
    liqstrat: Shell, tmp_path: Path, simulated_database: Path
) -> None:
    done = liqstrat("calibrate", "BTCUSDT", *RANGE, "--db", str(simulated_database), "--out", "deep/model.toml")
    assert done.code == 0
    assert "SIMULATED" in done.out
    assert "95 % interval" in done.out
    assert "not enough days to judge the fit on days it has not seen" in done.out
    written = (tmp_path / "deep" / "model.toml").read_text()
    assert written in done.out
    assert sum(tomllib.loads(written)["model"]["leverage"].values()) == pytest.approx(1, abs=1e-3)


def test_the_maps_bins_may_be_wide_and_the_fit_hardly_changes(
    liqstrat: Shell, tmp_path: Path, simulated_database: Path
) -> None:
    found = []
    for width in (0.001, 0.004):
        run = tmp_path / "run.toml"
        run.write_text(f"{RUN}[model]\nbin_width = {width}\n")
        written = ("--config", str(run), "--out", "model.toml", "--json")
        found.append(
            json.loads(liqstrat("calibrate", "BTCUSDT", *RANGE, "--db", str(simulated_database), *written).out)
        )
        assert tomllib.loads((tmp_path / "model.toml").read_text())["model"]["bin_width"] == width
    narrow, wide = ([one["share"] for one in each["shares"]] for each in found)
    assert wide == pytest.approx(narrow, abs=0.05)


def test_json_holds_everything_and_open_interest_can_be_asked_for(liqstrat: Shell, simulated_database: Path) -> None:
    done = liqstrat("calibrate", "BTCUSDT", *RANGE, "--db", str(simulated_database), "--by", "open-interest", "--json")
    found = json.loads(done.out)
    assert found["source"] == "open interest"
    assert "weaker" in found["model"]
    assert {"shares", "together", "held_out", "verdict", "better"} <= found.keys()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("BTCUSDT", "--from", "2025-01-01", "--to", "2025-02-01"), 1, "open interest of BTCUSDT reaches from 2024-03"),
        (("BTCUSDT", "--from", "2024-03-02", "--to", "2024-03-01"), 1, "expected a time after --from"),
        (("BTCUSD", *RANGE), 1, "did you mean"),
        (("BTCUSDT", *RANGE, "--recorded", "al"), 2, "all"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    liqstrat: Shell, tmp_path: Path, simulated_database: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = liqstrat("calibrate", *arguments, "--db", str(simulated_database), "--out", "model.toml")
    assert done.code == code
    assert said in done.err
    assert list(tmp_path.iterdir()) == []

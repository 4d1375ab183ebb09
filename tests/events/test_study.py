"""An event study knows nothing of the future, holds like against like, and says what it has found."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import liqstrat as lq
from liqstrat.api.events import Events
from tests.shell import Shell

MODEL = lq.ModelSettings(bin_width=0.001)


@pytest.fixture(scope="module")
def found(simulated_database: Path) -> Events:
    return lq.History(simulated_database).events("BTCUSDT", model=MODEL, progress=False)


def test_levels_are_clusters_of_the_maps_that_were_known(found: Events, simulated_database: Path) -> None:
    study = found.study
    assert len(study.levels) > 50
    history = lq.History(simulated_database)
    for number in np.unique(study.levels.moment)[::60]:
        moment = datetime.fromtimestamp(study.moments.time_ns[number] / 1e9, UTC)
        known = history.levels("BTCUSDT", moment, model=MODEL, progress=False)
        there = {(one.price_low, one.price_high, one.side == "long"): one for one in known.clusters}
        own = study.levels.at(study.levels.moment == number)
        assert len(own)
        for low, high, long, notional in zip(own.low, own.high, own.long, own.notional, strict=True):
            assert there[low, high, bool(long)].notional == pytest.approx(notional)


def test_placebos_are_as_far_on_the_same_side_and_clear_of_clusters(found: Events, simulated_database: Path) -> None:
    study, other, of = found.study, found.study.placebos, found.study.placebos.of
    own, time = study.levels.at(of), study.moments.time_ns
    assert len(other) > len(study.levels)
    assert (own.long == other.long).all()
    assert (own.moment != other.moment).all()
    for one in (own, other):
        assert one.distance == pytest.approx(one.price / study.moments.price[one.moment] - 1)
    assert other.high / other.low == pytest.approx(own.high / own.low)
    assert np.bincount(of).min() >= 1, "a level without placebo is left out"
    assert study.weight[len(study.levels) :].sum() == pytest.approx(len(study.levels))
    history = lq.History(simulated_database)
    for row in range(0, len(other), len(other) // 12):
        moment = datetime.fromtimestamp(time[other.moment[row]] / 1e9, UTC)
        for one in history.levels("BTCUSDT", moment, model=MODEL, progress=False).clusters:
            if (one.side == "long") == other.long[row]:
                assert one.price_low >= other.high[row] or one.price_high <= other.low[row]


def test_what_came_later_changes_no_level(found: Events, simulated_database: Path) -> None:
    cut = datetime(2024, 3, 2, 6, tzinfo=UTC)
    early = lq.History(simulated_database).events("BTCUSDT", end=cut, model=MODEL, progress=False).study
    whole, count = found.study, len(early.moments.time_ns)
    assert (early.moments.time_ns == whole.moments.time_ns[:count]).all()
    for name in ("volatility", "unrest"):
        before, after = getattr(early.moments, name), getattr(whole.moments, name)[:count]
        np.testing.assert_array_equal(before, after)
    # A level that has no placebo among fewer maps is left out of the shorter study.
    wide = {(n, p): row for row, (n, p) in enumerate(zip(whole.levels.moment, whole.levels.price, strict=True))}
    rows = [wide[n, p] for n, p in zip(early.levels.moment, early.levels.price, strict=True)]
    for name in ("low", "high", "distance", "notional", "away"):
        np.testing.assert_array_equal(getattr(early.levels, name), getattr(whole.levels, name)[rows])


def test_the_seed_breaks_ties_and_the_same_one_finds_the_same(found: Events, simulated_database: Path) -> None:
    again = lq.History(simulated_database).events("BTCUSDT", model=MODEL, progress=False)
    assert again.json == found.json


def test_the_command_says_and_writes_what_the_library_says(
    found: Events, simulated_database: Path, tmp_path: Path, liqstrat: Shell
) -> None:
    (tmp_path / "model.toml").write_text("[model]\nbin_width = 0.001\n")
    typed = ("events", "BTCUSDT", "--db", str(simulated_database), "--config", "model.toml")
    printed = json.loads(liqstrat(*typed, "--json", "--out", "touches.parquet").out)
    assert printed == json.loads(json.dumps(found.json))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "touches.parquet"), found.touches)
    shown = liqstrat(*typed, "--out", "page.html")
    assert shown.code == 0
    assert "SIMULATED" in shown.out
    assert f"{found.study.touches:,} touches" in shown.out
    assert (tmp_path / "page.html").read_text().count("SIMULATED") > 2
    wrong = liqstrat(*typed, "--out", "page.pdf")
    assert wrong.code == 1
    assert (
        wrong.err.strip()
        == 'error: page.pdf: the file\'s ending is ".pdf", expected .html, .parquet, or the name of a folder'
    )
    for _ in range(2):
        kept = liqstrat(*typed, "--out", "results").out.splitlines()[-1].removeprefix("study: ")
    (folder,) = (tmp_path / "results").iterdir()
    assert Path(kept).name == folder.name == found.save(tmp_path / "results").name
    assert sorted(path.name for path in folder.iterdir()) == ["events.html", "events.json", "touches.parquet"]
    facts = json.loads((folder / "events.json").read_text("utf-8"))
    assert {key: facts[key] for key in printed} == printed
    nothing = liqstrat("events", "ETHUSDT", "--db", str(simulated_database))
    assert nothing.code == 1
    assert "ETHUSDT" in nothing.err


def test_tables_are_of_touches(found: Events) -> None:
    table, figures = found.touches, found.figures
    own = table.query("not placebo")
    assert len(own) == found.study.touches > 2
    assert figures.loc["back_60", "value"] == pytest.approx(own["back_60"].mean())
    assert pd.isna(figures.loc["back_60", "low"]), "two days are no seven"
    assert ((own["time"] - own["known_at"]).dt.total_seconds().between(0, 15 * 60 - 1)).all()
    assert (own["liquidated"] > 0).mean() == pytest.approx(figures.loc["liquidated", "value"])
    assert (own["mae_60"] <= own["back_60"] + 1e-12).all()
    assert (own["mfe_60"] >= own["back_60"] - 1e-12).all()
    assert found.by_group().loc[["long", "short"], "touches"].sum() == figures.loc["back_60", "touches"]

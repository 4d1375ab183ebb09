"""The API: what it answers is what the package says, and what it cannot answer it says in a sentence."""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

import liqstrat as lq
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.market.store import open_store
from liqstrat.serve.answers import ARROW
from liqstrat.serve.app import create_app
from liqstrat.sweeps import standing_at

MAP = "/liquidations/map?symbol=BTCUSDT"
HEAT = "/liquidations/heatmap?symbol=BTCUSDT&window=24h&interval=1h"


def get(client: TestClient, path: str, status: int = 200, **headers: str) -> Any:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def arrow(client: TestClient, path: str) -> pa.Table:
    answer = client.get(path, headers={"Accept": ARROW})
    assert answer.headers["content-type"] == ARROW
    return pa.ipc.open_stream(answer.content).read_all()


@pytest.fixture(scope="module")
def history(folders: tuple[Path, Path]) -> lq.History:
    return lq.History(folders[0] / "demo" / "market.duckdb")


def test_finds_what_lies_in_the_catalog(client: TestClient) -> None:
    assert get(client, "/health")["databases"] == ["demo"]
    (found,) = get(client, "/symbols")["databases"]
    market = {"symbol": "BTCUSDT", "simulated": True, "quote": "USDT", "contract_size": None}
    assert found == {"data": "demo", "symbols": [market]}


def test_the_map_is_that_of_the_package(client: TestClient, history: lq.History) -> None:
    levels = history.levels("BTCUSDT", "2024-03-02 12:00", progress=False)
    answer = get(client, f"{MAP}&at=2024-03-02T12:00")
    table = levels.bins
    assert answer["price"] == levels.price
    assert answer["origin"] == "SIMULATED"
    assert answer["verdict"]["words"]
    assert len(answer["levels"]) == len(table)
    assert [row["contracts"] for row in answer["levels"]] == pytest.approx(table["contracts"].tolist())
    assert answer["clusters"][0]["price"] == pytest.approx(levels.clusters[0].price)
    assert arrow(client, f"{MAP}&at=2024-03-02T12:00").num_rows == len(table)


def test_every_parameter_of_a_map_has_an_effect(client: TestClient) -> None:
    whole = get(client, MAP)
    longs = get(client, f"{MAP}&side=long")
    assert {row["side"] for row in longs["levels"]} == {"long"}
    assert {row["leverage"] for row in get(client, f"{MAP}&leverage=10,26x")["levels"]} == {10}
    large = get(client, f"{MAP}&min_notional=1e6")["levels"]
    assert 0 < len(large) < len(whole["levels"])
    by_bin: dict[tuple[str, float], float] = {}
    for row in large:
        by_bin[row["side"], row["price_low"]] = by_bin.get((row["side"], row["price_low"]), 0) + row["notional"]
    assert min(by_bin.values()) >= 1e6
    mixed = get(client, f"{MAP}&leverage_weights=7:50,33:50")
    assert {row["leverage"] for row in mixed["levels"]} == {7, 33}
    for other in ("model=oi_candle", "timeframe=12h", "at=2024-03-02"):
        assert get(client, f"{MAP}&{other}")["levels"] != whole["levels"], other


def test_it_is_said_where_a_timeframe_reaches_beyond_history(client: TestClient) -> None:
    series = "/liquidations/heatmap-timeseries?symbol=BTCUSDT&interval=4h&price_bin_size=500&time_window="
    for question in (f"{HEAT}&end_time=2024-03-02T12:00", f"{series}24h&end_time=2024-03-02T12:00"):
        short, long = (get(client, f"{question}&timeframe={one}") for one in ("2h", "10d"))
        assert not [one for one in short["remarks"] if "History begins" in one]
        assert (
            "History begins 11 h 55 min before the first map: there is no more of it to fill the book with."
            in long["remarks"]
        )
    none, other = (get(client, f"{series}30d&timeframe={one}") for one in ("12h", "5d"))
    assert none["rows"] == other["rows"]
    assert "to fill the book with" in none["remarks"][-1]


def test_a_map_knows_nothing_of_what_came_after(client: TestClient) -> None:
    """The column of a heatmap that ends at a moment is the one of a heatmap that goes on."""
    early = get(client, f"{HEAT}&end_time=2024-03-02T06:00")
    late = get(client, f"{HEAT}&end_time=2024-03-02T12:00")
    assert early["times"][-1] == "2024-03-02T06:00:00Z"
    assert max(late["times"]) == "2024-03-02T12:00:00Z"
    assert _column(early, "2024-03-02T06:00:00Z") == _column(late, "2024-03-02T06:00:00Z")


def _column(heat: dict[str, Any], time: str) -> dict[float, float]:
    at = heat["times"].index(time)
    return {edge: row[at] for edge, row in zip(heat["price_edges"], heat["notional"], strict=False) if row[at]}


def test_the_heatmap_sums_the_map(client: TestClient) -> None:
    """Both within a fifth of price, but for a bin at each end."""
    heat = get(client, HEAT)
    known = arrow(client, f"{MAP}&at={heat['times'][-1]}").to_pandas()
    edges, price = np.array(heat["price_edges"]), heat["prices"][-1]
    near = np.abs(np.sqrt(edges[1:] * edges[:-1]) / price - 1) < 0.2
    drawn = np.array(heat["notional"])[near, -1].sum()
    assert drawn == pytest.approx(known[known.distance.abs() < 0.2].notional.sum(), rel=0.02)
    assert len(heat["notional"]) == len(heat["price_edges"]) - 1
    rows = arrow(client, HEAT).to_pandas()
    assert rows.notional.sum() == pytest.approx(np.sum(heat["notional"]))


def test_a_map_tells_between_which_bounds_it_lies_where_it_is_asked(client: TestClient, history: lq.History) -> None:
    at = "2024-03-02T12:00"
    plain, told = (get(client, f"{MAP}&at={at}{more}") for more in ("", "&band=true"))
    assert plain["band"] is None
    assert {"low", "high"}.isdisjoint(plain["levels"][0])
    levels = history.levels("BTCUSDT", at=at, band=True, progress=False)
    assert levels.band is not None
    bins = pd.DataFrame(told["levels"]).groupby(["side", "price_low", "price_high"])
    for (side, low, high), rows in bins:
        expected = levels.band.between(side, low, high)
        assert (rows.low.iloc[0], rows.high.iloc[0]) == pytest.approx(expected, rel=1e-3, abs=1e-9)
        assert rows.low.nunique() == rows.high.nunique() == 1
    assert [{**one, "band": None} for one in told["clusters"]] == plain["clusters"]
    assert [one["band"] for one in told["clusters"]] == [pytest.approx(one.band) for one in levels.clusters]
    sums = pd.DataFrame(told["band"]["sums"]).query("side == 'short'").reset_index(drop=True)
    assert sums.price.is_monotonic_increasing
    assert (np.diff(sums.notional_low) >= -1e-3 * sums.notional_low.iloc[1:]).all()
    far = sums.iloc[-1]
    shorts = pd.DataFrame(told["levels"]).query("side == 'short'").notional.sum()
    assert far.notional_low < shorts < far.notional_high
    together = get(client, f"/liquidations/levels?symbol=BTCUSDT&at={at}&band=true")["long_liquidations"]
    assert all(0 <= row["low"] <= row["high"] for row in together)
    assert arrow(client, f"{MAP}&at={at}&band=true").column_names[-2:] == ["low", "high"]
    longs = get(client, f"{MAP}&at={at}&band=true&side=long&min_notional=1e6")["levels"]
    assert longs
    assert all(row["high"] > 0 for row in longs)


def test_even_bins_keep_the_sum(client: TestClient) -> None:
    path = "/liquidations/heatmap-timeseries?symbol=BTCUSDT&time_window=12h&interval=4h"
    plain, even = (arrow(client, path + more).to_pandas() for more in ("", "&price_bin_size=500"))
    assert even.notional.sum() == pytest.approx(plain.notional.sum())
    assert set(np.round(even.price_high - even.price_low, 6)) == {500.0}
    assert (even.price_low % 500 == 0).all()
    refused = get(client, f"{path}&price_bin_size=1", 422)["detail"]
    assert "expected at least" in refused


def test_the_calculator_follows_the_formula(client: TestClient) -> None:
    answer = get(client, "/liquidations/levels?entry_price=60000&leverage_levels=10,50&notional=250000")
    brackets = brackets_for("BTCUSDT", datetime.now(UTC))
    for side in ("long", "short"):
        for row in answer[f"{side}_liquidations"]:
            expected = liquidation_price(60_000, row["leverage"], 250_000 / 60_000, side, brackets)
            assert row["liquidation_price"] == pytest.approx(float(expected))
    # One bracket, no amount: 60000 * (1 - 1/10) / (1 - 0.01).
    simple = get(client, "/liquidations/levels?entry_price=60000&leverage_levels=10&maintenance_margin_rate=0.01")
    assert simple["long_liquidations"][0]["liquidation_price"] == pytest.approx(60_000 * 0.9 / 0.99)
    estimated = get(client, "/liquidations/levels?symbol=BTCUSDT&timeframe=1")
    assert all(row["distance"] < 0 for row in estimated["long_liquidations"] if row["notional"] > 1)


def test_candles_are_as_asked(client: TestClient, history: lq.History) -> None:
    rows = get(client, "/prices/klines?symbol=BTCUSDT&interval=4h&limit=5")["klines"]
    assert len(rows) == 5
    expected = history.candles("BTCUSDT", interval="4h").iloc[-5:]
    assert [row["close"] for row in rows] == [float(value) for value in expected["close"]]
    part = get(client, "/prices/klines?symbol=BTCUSDT&start_time=2024-03-01T10:00&end_time=2024-03-01T12:00")["klines"]
    assert [row["time"] for row in part] == ["2024-03-01T10:00:00Z", "2024-03-01T11:00:00Z"]


REFUSED = {
    f"{MAP}&modle=ensemble": (422, 'there is no parameter "modle" (did you mean "model"?)'),
    f"{MAP}&model=ensembl": (422, 'did you mean "ensemble"?'),
    f"{MAP}&at=yesterday": (422, '"yesterday" is not a time'),
    f"{MAP}&at=2020-01-01": (404, "open interest of BTCUSDT starts at"),
    f"{MAP}&timeframe=9999": (422, "is not from 1h to 365d"),
    f"{MAP}&leverage=5;10": (422, "is not a leverage from 1 to 150"),
    f"{MAP}&leverage_weights=5:nan": (422, "expected finite numbers"),
    f"{MAP}&leverage_weights=5:0": (422, "not all zero"),
    f"{MAP}&band=maybe": (422, "band"),
    f"{MAP}&band=true&model=oi_candle": (422, "only the model conserving has one, not oi_candle"),
    f"{MAP}&band=true&leverage=10": (422, "a band is of all leverages together"),
    f"{HEAT}&band=true": (422, 'there is no parameter "band"'),
    "/liquidations/levels?entry_price=1&band=true": (422, "expected one of both"),
    f"{MAP}&min_notional=-1": (422, "greater than or equal to 0"),
    f"{MAP}&min_notional=inf": (422, "min_notional"),
    f"{MAP}&data=../../etc/passwd": (404, "there is no data"),
    "/liquidations/map?symbol=BTCUSD": (404, 'did you mean "BTCUSDT"?'),
    "/liquidations/map?symbol=';%20drop%20table": (422, "symbol"),
    "/liquidations/map?symbol=..%2F..%2Fetc": (422, "symbol"),
    "/liquidations/map?symbol=BTCUSD_PERP": (404, "BTCUSD_PERP"),
    "/liquidations/map": (422, '"symbol" is missing'),
    "/liquidations/levels": (422, "expected entry_price, for the calculator, or symbol"),
    "/liquidations/levels?entry_price=1&symbol=BTCUSDT": (422, "expected one of both"),
    "/liquidations/levels?entry_price=5e-324": (422, "entry_price"),
    "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time=1999-01-01&end_time=1999-02-01": (404, "reaches from"),
    "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time=2024-03-02&end_time=2024-03-01": (422, "before"),
    "/prices/klines?symbol=BTCUSDT&limit=1000000": (422, "20000"),
    "/data/funding?symbol=BTCUSDT&start_time=1990-01-01&end_time=2100-01-01": (422, "expected at most 400"),
    "/health?x=1": (422, 'there is no parameter "x"'),
    "/static/../../pyproject.toml": (404, "Not Found"),
    "/static/%2e%2e/%2e%2e/app.py": (404, "Not Found"),
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_cannot_be_served_is_refused_in_a_sentence(client: TestClient, path: str) -> None:
    status, sentence = REFUSED[path]
    assert sentence in get(client, path, status)["detail"]


def test_a_known_answer_is_not_sent_again(client: TestClient) -> None:
    first = client.get(MAP)
    again = client.get(MAP, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(MAP, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert first.headers["content-encoding"] == "gzip"
    assert plain.json() == first.json()
    assert client.get(MAP, headers={"Accept": "text/html"}).status_code == 406


def test_data_that_change_are_answered_anew(folders: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(folders[0], tmp_path / "catalog")
    database = tmp_path / "catalog" / "demo" / "market.duckdb"
    client = TestClient(create_app(tmp_path / "catalog", tmp_path / "results"), base_url="http://localhost")
    question = "/data/funding?symbol=BTCUSDT"
    before = client.get(question)
    with duckdb.connect(str(database)) as writer:
        writer.execute("delete from funding_rate_history where timestamp >= '2024-03-02'")
    after = client.get(question)
    assert len(after.json()["funding"]) < len(before.json()["funding"])
    assert after.headers["etag"] != before.headers["etag"]


def test_sentences_while_another_process_writes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(folders[0], tmp_path / "catalog")
    database = tmp_path / "catalog" / "demo" / "market.duckdb"
    client = TestClient(create_app(tmp_path / "catalog", tmp_path / "results"), base_url="http://localhost")
    known, unknown = "/data/funding?symbol=BTCUSDT", "/data/open-interest?symbol=BTCUSDT"
    before = client.get(known)
    script = (
        f"import duckdb; c = duckdb.connect({str(database)!r}); c.execute('create table one (a int)'); "
        "c.execute('checkpoint'); print('open', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        during, refused = client.get(known), client.get(unknown)
        writer.communicate("\n")
    assert during.json() == before.json()
    assert "is in use by process" in during.headers["liqstrat-stale"]
    assert refused.status_code == 503
    assert "is in use by process" in refused.json()["detail"]
    assert refused.headers["retry-after"]
    assert client.get(unknown).status_code == 200


def test_the_server_lets_a_writer_in_between_questions(client: TestClient, folders: tuple[Path, Path]) -> None:
    get(client, f"{MAP}&at=2024-03-02T00:07")
    script = f"import duckdb; duckdb.connect({str(folders[0] / 'demo' / 'market.duckdb')!r}).close()"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_liquidations_are_those_on_record(client: TestClient, folders: tuple[Path, Path]) -> None:
    rows = get(client, "/liquidations/history?symbol=BTCUSDT&limit=50000")
    with open_store(folders[0] / "demo" / "market.duckdb") as store:
        expected = store.liquidations("BTCUSDT").to_pandas()
    assert rows["recorded"] == len(rows["liquidations"]) == len(expected)
    total = (expected.price * expected.contracts).sum()
    assert sum(row["notional"] for row in rows["liquidations"]) == pytest.approx(total)
    sums = get(client, "/liquidations/history?symbol=BTCUSDT&aggregate=1h")["liquidations"]
    assert sum(row["notional"] for row in sums) == pytest.approx(total)
    assert sum(row["count"] for row in sums) == len(expected)
    assert all(row["time"].endswith(":00:00Z") for row in sums)
    longs = get(client, "/liquidations/history?symbol=BTCUSDT&side=long&limit=3")
    assert len(longs["liquidations"]) == 3
    assert longs["left_out"] == (expected.side == "long").sum() - 3
    assert get(client, "/liquidations/history?symbol=BTCUSDT&start_time=2030-01-01")["liquidations"] == []


def test_models_are_held_against_the_first(client: TestClient) -> None:
    told = get(client, "/liquidations/compare-models?symbol=BTCUSDT&models=conserving,oi_candle")
    one, other = told["models"]
    assert one["agreement"] == pytest.approx({"rank": 1, "linear": 1, "overlap": 1})
    assert 0 < other["agreement"]["overlap"] < 1
    assert other["levels"] == [
        {key: row[key] for key in other["levels"][0]}
        for row in sorted(_by_bin(client), key=lambda row: (row["side"], row["price_low"]))
    ]


def _by_bin(client: TestClient) -> list[dict[str, Any]]:
    told = get(client, "/liquidations/levels?symbol=BTCUSDT&model=oi_candle")
    return [*told["long_liquidations"], *told["short_liquidations"]]


def test_signals_are_those_of_the_command(client: TestClient, folders: tuple[Path, Path]) -> None:
    told = get(client, "/signals?symbol=BTCUSDT&at=2024-03-02T12:00&watch=0.05")
    with open_store(folders[0] / "demo" / "market.duckdb") as store:
        moment = datetime(2024, 3, 2, 12, tzinfo=UTC)
        standing = standing_at(store, "BTCUSDT", moment, ModelSettings(), timedelta(days=14))
    expected = standing.signals(SignalRules.of({"watch": 0.05}))
    assert [(one["kind"], one["reason"]) for one in told["signals"]] == [(one.kind, one.reason) for one in expected]
    assert told["rules"]["watch"] == 0.05


def test_who_waits_is_told_how_far_long_work_is(folders: tuple[Path, Path]) -> None:
    """Each step of making maps is told to whoever asks meanwhile; when it is done there is nothing under way."""
    with TestClient(create_app(*folders), base_url="http://localhost") as fresh:
        under_way = fresh.app.state.served.under_way  # type: ignore[attr-defined]
        heard: list[dict[str, Any]] = []
        with under_way.named("maps of BTCUSDT").task("flow", 576, "intervals") as step:
            heard += fresh.get("/under-way").json()["tasks"]
            step(288)
            heard += fresh.get("/under-way").json()["tasks"]
        expected = {"task": "maps of BTCUSDT", "total": 576, "unit": "intervals"}
        assert heard == [{**expected, "done": 0}, {**expected, "done": 288}]
        begun = under_way.count
        assert fresh.get("/liquidations/map?symbol=BTCUSDT&at=2024-03-02T03:07&timeframe=13h").status_code == 200
        assert under_way.count > begun
        assert fresh.get("/under-way").json() == {"tasks": []}


def test_the_description_admits_what_it_gives_as_examples(client: TestClient) -> None:
    told = client.get("/openapi.json").json()["paths"]["/liquidations/map"]["get"]["parameters"]
    kinds = {one["name"]: one["schema"].get("anyOf", [one["schema"]])[0] for one in told}
    for name, text in (
        ("at", "2024-03-31T12:00"),
        ("at", "2024-03-01"),
        ("timeframe", "7"),
        ("timeframe", "12h"),
        ("leverage_weights", "5:15,10:30"),
    ):
        assert re.search(kinds[name]["pattern"], text), (name, text)

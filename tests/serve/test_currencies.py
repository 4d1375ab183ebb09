"""Markets that are not quoted in USDT: amounts are in their own currency, and say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import liqstrat as lq
from liqstrat.serve.app import create_app
from tests.serve.conftest import HERE

AT = "2024-03-02T12:00"


@pytest.fixture(scope="module")
def others(other_markets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(create_app(other_markets, tmp_path_factory.mktemp("results")), base_url=HERE) as client:
        yield client


def get(client: TestClient, path: str, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


COIN = {"symbol": "BTCUSD_PERP", "data": "coin"}
USDC = {"symbol": "BTCUSDC", "data": "usdc"}


def test_markets_say_what_they_are_in(others: TestClient) -> None:
    found = {one["data"]: one["symbols"] for one in get(others, "/symbols")["databases"]}
    assert [(one["quote"], one["contract_size"]) for one in found["coin"]] == [("USD", 100)]
    assert [(one["quote"], one["contract_size"]) for one in found["usdc"]] == [("USDC", None)]
    for path in ("map", "heatmap", "heatmap-timeseries", "history", "compare-models", "levels"):
        assert get(others, f"/liquidations/{path}", **COIN)["quote"] == "USD", path
    for path in ("map", "history"):
        assert get(others, f"/liquidations/{path}", **USDC)["quote"] == "USDC", path
    assert get(others, "/signals", **COIN)["quote"] == "USD"


def test_an_inverse_contract_is_worth_its_size_at_any_price(others: TestClient, other_markets: Path) -> None:
    told = get(others, "/liquidations/map", **COIN, at=AT, band="true")
    rows = told["levels"]
    assert [row["notional"] for row in rows] == pytest.approx([100 * row["contracts"] for row in rows])
    levels = lq.History(other_markets / "coin" / "market.duckdb").levels("BTCUSD_PERP", at=AT, progress=False)
    assert sum(row["contracts"] for row in rows) == pytest.approx(levels.bins["contracts"].sum())
    clusters = told["clusters"]
    assert [one["notional"] for one in clusters] == pytest.approx([100 * one["contracts"] for one in clusters])
    for side in ("long", "short"):
        expected = sum(row["notional"] for row in rows if row["side"] == side)
        far = [one for one in told["band"]["sums"] if one["side"] == side][-1]
        assert far["notional_low"] < expected < far["notional_high"]
    heat = get(others, "/liquidations/heatmap", **COIN, end_time=AT, window="12h", interval="1h")
    drawn = np.array(heat["notional"])[:, -1].sum()
    near = sum(row["notional"] for row in rows if abs(row["distance"]) < 0.25)
    assert drawn == pytest.approx(near, rel=0.02)
    each = get(others, "/liquidations/history", **COIN)["liquidations"]
    assert [one["notional"] for one in each] == pytest.approx([100 * one["contracts"] for one in each])


def test_what_is_left_out_goes_by_the_markets_own_currency(others: TestClient) -> None:
    found = get(others, "/liquidations/levels", **COIN, at=AT, min_notional=1e6)
    assert found["long_liquidations"]
    assert all(one["notional"] >= 1e6 for one in found["long_liquidations"] + found["short_liquidations"])

"""Who may ask, and what a page may do."""

import socket
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from liqstrat.errors import LiqstratError
from liqstrat.serve.app import create_app
from liqstrat.serve.start import serve

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def guarded(folders: tuple[Path, Path]) -> TestClient:
    return TestClient(create_app(*folders, token=TOKEN), base_url="http://10.0.0.7:8000", follow_redirects=False)


def test_a_name_that_somebody_points_here_is_refused(client: TestClient) -> None:
    answer = client.get("/health", headers={"Host": "evil.example:8000"})
    assert answer.status_code == 421
    assert client.get("/health", headers={"Host": "[::1]:8000"}).status_code == 200


def test_another_address_needs_the_token(guarded: TestClient) -> None:
    assert guarded.get("/health").status_code == 401
    assert guarded.get("/map").status_code == 401
    assert guarded.get("/health", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert guarded.get("/health", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get(f"/map?token={TOKEN[:-1]}").status_code == 401
    entered = guarded.get(f"/map?symbol=BTCUSDT&token={TOKEN}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/map?symbol=BTCUSDT")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "SameSite=strict" in entered.headers["set-cookie"]
    assert guarded.get("/map?symbol=BTCUSDT").status_code == 200


def test_the_redirect_stays_here(guarded: TestClient) -> None:
    entered = guarded.get(f"http://10.0.0.7:8000//evil.example/?token={TOKEN}")
    assert entered.headers["location"].startswith("/evil.example")


@pytest.mark.parametrize("path", ["/map", "/health", "/static/style.css", "/nowhere", "/health?x=1"])
def test_pages_are_bound_to_this_server(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_other_sites_read_only_where_named(folders: tuple[Path, Path]) -> None:
    named = TestClient(create_app(*folders, origins=("https://a.example",)), base_url="http://localhost")
    allowed = named.get("/health", headers={"Origin": "https://a.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-origin" not in named.get("/health", headers={"Origin": "https://b.example"}).headers


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIQSTRAT_TOKEN", "short")
    with pytest.raises(LiqstratError, match="LIQSTRAT_TOKEN has 5 letters, expected at least 16"):
        serve((tmp_path, tmp_path, tmp_path), "0.0.0.0", 0, (), print)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LiqstratError, match=f"cannot listen on 127.0.0.1:{port}.*try another --port"):
            serve((tmp_path, tmp_path, tmp_path), "127.0.0.1", port, (), print)


def test_an_empty_house_says_what_to_do(tmp_path: Path) -> None:
    empty = TestClient(create_app(tmp_path / "catalog", tmp_path / "results"), base_url="http://localhost")
    assert empty.get("/symbols").json() == {"databases": []}
    answer = empty.get("/liquidations/map?symbol=BTCUSDT")
    assert answer.status_code == 404
    assert "liqstrat demo" in answer.json()["detail"]

"""Alerts: once for each event, also after a restart, and to where the rule says."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from sys import executable
from typing import Any

import pytest
from aiohttp import web

from liqstrat.alert_settings import AlertSettings
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.clusters import Cluster
from liqstrat.live.alerts import Alerts
from liqstrat.moments import MINUTE_NS, nanoseconds
from liqstrat.run_file import load_alerts
from tests.live.loopback import answering

SYMBOL = "BTCUSDT"
NOON = nanoseconds(datetime(2024, 3, 2, 12, tzinfo=UTC))


def cluster(price: float, usdt: float = 5e7, side: Any = "long") -> Cluster:
    return Cluster(side, price * 0.999, price * 1.001, price, usdt / price, usdt, {10: 1.0}, 1.0, 0.0, 0.1)


def signal(name: str, kind: str = "REVERSAL") -> dict[str, Any]:
    return {
        "kind": kind, "side": "long", "strength": 0.6, "signal_id": name, "price": 60_000.0, "reason": "swept",
        "timestamp": "2024-03-02T12:00:00+00:00",
    }  # fmt: skip


def written(folder: Path) -> list[dict[str, Any]]:
    path = folder / ".watch/alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def called(folder: Path) -> list[str]:
    return [entry["text"] for entry in written(folder) if entry.get("sent")]


def fall(alerts: Alerts, folder: Path, second: int, usdt: float) -> None:
    """A long is liquidated, so long after noon: it is recorded, and told."""
    time_ms = NOON // 1_000_000 + second * 1000
    order = {"s": SYMBOL, "S": "SELL", "q": f"{usdt / 1000:.3f}", "p": "1000", "ap": "1000", "X": "FILLED"}
    (folder / SYMBOL).mkdir(exist_ok=True)
    with (folder / SYMBOL / f"{SYMBOL}-forceOrder-2024-03-02.jsonl").open("a") as file:
        file.write(json.dumps({"e": "forceOrder", "E": time_ms, "o": {**order, "T": time_ms}}) + "\n")
    alerts.liquidation(SYMBOL, usdt, "long", time_ms)


def delivered(alerts: Alerts, count: int) -> None:
    async def send() -> None:
        work = asyncio.create_task(alerts.run())
        async with asyncio.timeout(120):
            while alerts.sent < count:
                await asyncio.sleep(0.01)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(send())


NEAR = AlertSettings(when="near", distance=0.01, notional=1e7, cooldown="10m", command=["true"])


def test_price_that_stays_near_a_cluster_is_one_event(tmp_path: Path) -> None:
    alerts = Alerts([NEAR], tmp_path, print)
    for minute, price in enumerate([62_000, 60_500, 60_100, 60_700, 60_300]):
        alerts.levels(SYMBOL, price, [cluster(60_000), cluster(60_050, 1e6)], NOON + minute * MINUTE_NS)
    assert len(called(tmp_path)) == 1
    # It goes away and comes back, within the cooldown and after it.
    for minute, price in ((5, 62_000), (6, 60_200), (7, 62_000), (20, 60_200)):
        alerts.levels(SYMBOL, price, [cluster(60_000)], NOON + minute * MINUTE_NS)
    assert len(called(tmp_path)) == 2
    # Another one further down is another event; small ones are none.
    alerts.levels(SYMBOL, 58_100, [cluster(58_000)], NOON + 40 * MINUTE_NS)
    alerts.levels(SYMBOL, 55_100, [cluster(55_000, 1e6)], NOON + 60 * MINUTE_NS)
    assert len(called(tmp_path)) == 3
    assert called(tmp_path)[0] == "BTCUSDT at 60500 is 0.83% from longs of 50,000,000 USDT at 59940 to 60060"


def test_price_between_two_clusters_calls_once_for_each(tmp_path: Path) -> None:
    rule = NEAR.model_copy(update={"cooldown": "1s"})
    for start in range(2):
        alerts = Alerts([rule], tmp_path, print)
        for minute in range(12):
            # Now the one is nearer, now the other, and both go up bin by bin.
            bins = 1 + 0.0005 * (12 * start + minute)
            levels = [cluster(60_000 * bins), cluster(60_300 * bins)]
            at = NOON + (12 * start + minute) * MINUTE_NS
            alerts.levels(SYMBOL, (60_080 if minute % 2 else 60_220) * bins, levels, at)
    assert len(called(tmp_path)) == 2
    assert ["at 60239.7 to 60360.3" in text for text in called(tmp_path)] == [True, False]


def test_of_two_events_of_one_moment_one_may_end(tmp_path: Path) -> None:
    rule = NEAR.model_copy(update={"cooldown": "1s"})
    alerts = Alerts([rule], tmp_path, print)
    one, other = cluster(60_000), cluster(60_300)
    for price in (60_080, 60_220):
        alerts.levels(SYMBOL, price, [one, other], NOON)
    alerts.levels(SYMBOL, 60_220, [other], NOON + MINUTE_NS)
    for again in (alerts, Alerts([rule], tmp_path, print)):
        again.levels(SYMBOL, 60_220, [other], NOON + 2 * MINUTE_NS)
    assert len(called(tmp_path)) == 1, "the other one came within the cooldown, and goes on"


def test_the_same_rule_may_call_two_places(tmp_path: Path) -> None:
    other = NEAR.model_copy(update={"command": ["false"]})
    for _ in range(2):
        alerts = Alerts([NEAR, other], tmp_path, print)
        alerts.levels(SYMBOL, 60_100, [cluster(60_000)], NOON)
    assert len(called(tmp_path)) == 2


def test_a_restart_calls_for_nothing_twice(tmp_path: Path) -> None:
    rules = [
        NEAR,
        AlertSettings(when="signal", command=["true"], cooldown="1s"),
        AlertSettings(when="cascade", notional=1e6, command=["true"], cooldown="1s"),
    ]
    for start in range(3):
        alerts = Alerts(rules, tmp_path, print)
        alerts.levels(SYMBOL, 60_100, [cluster(60_000)], NOON + start * 30 * MINUTE_NS)
        alerts.signal(SYMBOL, signal("one"))
        fall(alerts, tmp_path, start, 2e6)
        # Killed while it was writing the next.
        with (tmp_path / ".watch/alerts.jsonl").open("a") as file:
            file.write('{"rule": "x", "sy')
    assert len(called_lines(tmp_path)) == 3


def called_lines(folder: Path) -> list[str]:
    """Whole lines only."""
    text = (folder / ".watch/alerts.jsonl").read_text()
    return [line for line in text.rpartition("\n")[0].splitlines() if json.loads(line).get("sent")]


def test_a_cascade_is_what_was_really_liquidated_within_the_window(tmp_path: Path) -> None:
    rule = AlertSettings(when="cascade", notional=1e6, window="1m", side="long", command=["true"], cooldown="1m")
    alerts = Alerts([rule], tmp_path, print)
    begin = NOON // 1_000_000
    for second, side, usdt in ((0, "long", 6e5), (70, "long", 6e5), (80, "short", 9e6), (90, "long", 5e5)):
        alerts.liquidation(SYMBOL, usdt, side, begin + second * 1000)
    assert called(tmp_path) == ["BTCUSDT cascade: longs of 1,100,000 USDT liquidated within 1m"]
    alerts.liquidation(SYMBOL, 5e5, "long", begin + 95_000)
    alerts.liquidation(SYMBOL, 1e5, "long", begin + 300_000)
    alerts.liquidation(SYMBOL, 2e6, "long", begin + 301_000)
    assert len(called(tmp_path)) == 2


def test_a_cascade_is_over_when_nothing_falls_for_a_window_and_not_because_of_a_restart(tmp_path: Path) -> None:
    rule = AlertSettings(when="cascade", notional=1e6, window="1m", command=["true"], cooldown="1s")
    alerts = Alerts([rule], tmp_path, print)
    for second, usdt in ((0, 2e6), (50, 8e5), (100, 8e5)):
        fall(alerts, tmp_path, second, usdt)
    # It goes on for longer than a window, and over a restart.
    alerts = Alerts([rule], tmp_path, print)
    fall(alerts, tmp_path, 140, 8e5)
    assert len(called(tmp_path)) == 1
    fall(alerts, tmp_path, 7200, 2e6)
    assert len(called(tmp_path)) == 2, "the next one, hours later, is another one"
    # Half of one before a restart and half after it is one.
    fall(alerts, tmp_path, 10_000, 6e5)
    fall(Alerts([rule], tmp_path, print), tmp_path, 10_030, 6e5)
    assert len(called(tmp_path)) == 3


def test_what_was_kept_and_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / ".watch/alerts.jsonl"
    path.parent.mkdir()
    for text, said in (("nonsense\n", '1: "nonsense" is no JSON object'), ('{"rule": "x"}\n', "1: is no line of an")):
        path.write_text(text)
        with pytest.raises(LiqstratError, match=said):
            Alerts([NEAR], tmp_path, print)


def test_an_address_that_is_slow_or_away_keeps_no_other_waiting_and_ends_at_once(tmp_path: Path) -> None:
    said: list[str] = []

    async def test() -> float:
        refuse = iter([429, 429, 200])

        async def take(request: web.Request) -> web.Response:
            return web.Response(status=next(refuse), headers={"Retry-After": "0"})

        async with answering("POST", take) as at:
            places: list[dict[str, Any]] = [
                {"webhook": "http://127.0.0.1:9/away"},
                {"command": ["sleep", "0.3"]},
                {"webhook": f"http://{at}/"},
            ]
            alerts = Alerts(
                [AlertSettings(when="signal", cooldown="1s", **one) for one in places], tmp_path, said.append
            )
            for number in range(3):
                alerts.signal(SYMBOL, {**signal(str(number)), "timestamp": f"2024-03-02T12:0{number}:00+00:00"})
            work = asyncio.create_task(alerts.run())
            async with asyncio.timeout(120):
                # Refused for now twice, then taken; the others are under way still.
                while alerts.sent < 1:
                    await asyncio.sleep(0.01)
                began = asyncio.get_running_loop().time()
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(test()) < 8
    assert len([text for text in said if "Connect call failed" in text]) == 3


def test_a_webhook_gets_json_and_telegram_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT", "123:abc")
    got: list[tuple[str, dict[str, Any]]] = []
    said: list[str] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.path, await request.json()))
        return web.Response(status=500 if request.path == "/broken" else 200)

    async def test() -> None:
        async with answering("POST", take) as at:
            rules = [
                AlertSettings(when="signal", webhook=f"http://{at}/plain"),
                AlertSettings(when="signal", webhook=f"http://{at}/bot${{BOT}}/sendMessage", chat="42", strength=0.5),
                AlertSettings(when="signal", webhook=f"http://{at}/broken", kinds=["REVERSAL"]),
                AlertSettings(when="signal", webhook=f"http://{at}/plain", kinds=["WITH"]),
            ]
            alerts = Alerts(rules, tmp_path, said.append)
            work = asyncio.create_task(alerts.run())
            alerts.signal(SYMBOL, signal("one"))
            async with asyncio.timeout(120):
                while len(got) < 3 or not said:
                    await asyncio.sleep(0.01)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    asyncio.run(test())
    text = "BTCUSDT REVERSAL long at 60000: swept"
    assert dict(got) | {"/broken": {}} == {
        "/plain": {
            "when": "signal", "symbol": SYMBOL, "side": "long", "time": "2024-03-02T12:00:00+00:00", "text": text,
        },
        "/bot123:abc/sendMessage": {"chat_id": "42", "text": text},
        "/broken": {},
    }  # fmt: skip
    assert said == [f"an alert was not delivered: the address answers with status 500: {text}"]


def test_a_command_gets_json_as_its_input(tmp_path: Path) -> None:
    target = tmp_path / "got.json"
    program = f"import sys, pathlib; pathlib.Path({str(target)!r}).write_text(sys.stdin.read())"
    alerts = Alerts([AlertSettings(when="signal", command=[executable, "-c", program])], tmp_path, print)
    alerts.signal(SYMBOL, signal("one"))
    delivered(alerts, 1)
    assert json.loads(target.read_text())["symbol"] == SYMBOL


def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\n[[alerts]]\nwhen = "near"\nnotional = 1e7\nwebhok = "https://x.example"\n')
    with pytest.raises(LiqstratError, match=r'run.toml:5: unknown key "alerts.0.webhok" \(did you mean "webhook"\?\)'):
        load_alerts(path)
    path.write_text('[model]\n[[alerts]]\nwhen = "near"\ncommand = ["true"]\n')
    with pytest.raises(LiqstratError, match=r"run.toml:\d: alerts.0: notional is missing"):
        load_alerts(path)
    for wrong, said in (
        ('symbols = ["btcusdt"]', r'"btcusdt" is no symbol \(did you mean "BTCUSDT"\?\)'),
        ('webhook = "https://"', 'webhook is "https://", expected an address as https://example.org/hook'),
        (f'webhook = "https://{"a" * 70}.example"', "expected an address"),
        ('command = ["a\\u0000b"]', "has a character that no command takes"),
        ('command = [""]', "command begins with nothing"),
    ):
        path.write_text(f'[model]\n[[alerts]]\nwhen = "signal"\n{wrong}\n')
        with pytest.raises(LiqstratError, match=said):
            load_alerts(path)
    monkeypatch.setenv("BROKEN", "a b")
    with pytest.raises(LiqstratError, match=r'webhook is "https://\$\{BROKEN\}/x", which is no address with what'):
        Alerts([AlertSettings(when="signal", webhook="https://${BROKEN}/x")], tmp_path, print)
    with pytest.raises(LiqstratError, match='"NOT_THERE" of the webhook is not set in the environment'):
        Alerts([AlertSettings(when="signal", webhook="https://x.example/${NOT_THERE}")], tmp_path, print)

"""A watch that is killed goes on, and tells nothing twice."""

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import SYMBOL, Start, exchanges
from tests.live.redis_server import Server
from tests.live.watcher import Watcher, entries

pytestmark = pytest.mark.slow

CUT = datetime(2024, 3, 2, 9, 57, tzinfo=UTC)


@pytest.fixture
def played(simulated_archive: Path) -> Iterator[Start]:
    """Starts exchanges that play the market of the archive."""
    yield from exchanges(simulated_archive)


def test_a_watch_that_is_killed_goes_on_and_tells_no_signal_and_no_alert_twice(
    played: Start, simulated_database: Path, tmp_path: Path, server: Server
) -> None:
    addresses = played("--speed", "120", "--start", CUT.isoformat())
    watcher = Watcher(tmp_path, simulated_database, addresses, CUT, server)
    listener = server.client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"liquidation:signals:{SYMBOL}")
    assert listener.get_message(timeout=60) is None, "it is subscribed"
    first = watcher.start()
    latest = time.monotonic() + 240
    while not entries(server, "signals") or not watcher.alerts() or len(entries(server, "maps")) < 4:
        assert time.monotonic() < latest, "nothing is told"
        time.sleep(0.1)
    first.kill()
    first.communicate()
    before, alerts = entries(server, "signals"), watcher.alerts()
    maps = len(entries(server, "maps"))
    second = watcher.start()
    while len(entries(server, "maps")) < maps + 3:
        assert second.poll() is None, second.communicate()
        assert time.monotonic() < latest, "nothing is told after it"
        time.sleep(0.1)
    second.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=120)
    assert second.returncode == 130, err
    told = entries(server, "signals")
    assert told[: len(before)] == before
    for one in told:
        assert one.keys() - {"confidence"} == {
            "symbol", "price", "side", "timestamp", "source", "signal_id", "kind", "strength", "reason", "level",
        }  # fmt: skip
        assert (one["symbol"], one["source"]) == (SYMBOL, "liqstrat")
        assert 0 < one.get("confidence", 0.5) < 1
    heard = []
    while (message := listener.get_message(timeout=1)) is not None:
        heard.append(json.loads(message["data"]))
    listener.close()
    # Who listens hears the same; what was told in the moment of the kill stands in the stream alone.
    assert heard == [one for one in told if one in heard]
    assert len(heard) >= max(len(told) - 1, 1)
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in told:
        for other in seen.setdefault((one["kind"], one["side"]), []):
            # The same may come up again when it has been gone for a while.
            away = datetime.fromisoformat(one["timestamp"]) - datetime.fromisoformat(other["timestamp"])
            low, high = (other["level"][key] for key in ("price_low", "price_high"))
            assert away > timedelta(minutes=15) or not low <= one["level"]["price"] <= high, told
        seen[one["kind"], one["side"]].append(one)
    after = watcher.alerts()
    assert after[: len(alerts)] == alerts
    events = [text.partition(" is ")[2].partition(" from ")[2] for text in after]
    assert len(events) == len(set(events)), "an alert was called again for the same level"

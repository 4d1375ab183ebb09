"""Mutated run files: refused in words that name the file, or of values with which a run can be."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.run_file import load_run_file
from tests.fuzz.mutations import TEXTS

_RUN = """\
name = "fade"
symbols = ["BTCUSDT"]
from = 2024-03-03
to = "2024-03-04T12:00"
resolution = "tick"

[data]
db = "market.duckdb"
warmup_days = 14

[model]
kind = "conserving"
bin_width = 0.001
turnover = 0.1
leverage = { 5 = 0.3, 10 = 0.7 }
ensemble = { conserving = 0.9, large_trades = 0.1 }

[venue]
balance = 100000
leverage = 10
taker_fee = 0.0005
depth_share = 0.1

[[strategies]]
use = "LevelFade"
params = { risk = 0.01 }
"""
_WORDS = (
    "nan", "inf", "-inf", "1e400", "0", "-1", "1e-400", '"x"', "true", "[]", "{}", "9" * 5000, "[" * 3000,
    '"9999-12-31T23:59:59-10:00"', "0001-01-01", "9999-12-31", '"../../X"', '["btcusdt"]', '["BTCUSD_PERP"]',
    '"a\\u0000b"', '"\\u001b[2J"',
    "{ 10 = nan }", "{ 10 = 1e308, 20 = 1e308 }", "{ 0 = 1 }", "2024-13-01", "0x10", "1_000", "''", '""',
)  # fmt: skip


def run_files(seed: int, count: int) -> list[str]:
    """What is wrong among `count` mutated run files."""
    wrong = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.toml"
        for number in range(count):
            rng = random.Random(f"run {seed} {number}")
            text = _mutated(rng)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")
            try:
                run = load_run_file(path)
                begin = run.start - timedelta(days=run.data.warmup_days)
                bad = [
                    name
                    for name, value in _values(run.model_dump() | {"model": asdict(run.model)})
                    if not _is_fine(value)
                ]
                if bad or begin >= run.end:
                    wrong.append(f"seed {seed}, run file {number}: takes {bad}")
            except LiqstratError as error:
                if path.name not in str(error):
                    wrong.append(f"seed {seed}, run file {number}: {error}")
            except Exception as fault:
                wrong.append(f"seed {seed}, run file {number}: {type(fault).__name__}: {str(fault)[:200]}")
    return wrong


def _mutated(rng: random.Random) -> str:
    text = _RUN
    for _ in range(rng.choice((1, 1, 2))):
        if rng.random() < 0.7:
            lines = text.split("\n")
            at = rng.randrange(len(lines))
            key, equals, _ = lines[at].partition("=")
            if equals:
                lines[at] = f"{key}= {rng.choice(_WORDS)}"
            text = "\n".join(lines)
        else:
            text = rng.choice(TEXTS)(rng, text)
    return text


def _values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner, name)
    else:
        yield name, value


def _is_fine(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, Path) or str(value).isprintable()

"""What can become of a file: cells, lines, letters and bytes that are not as they should be."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

from tests.fuzz.samples import DAY_MS, Sample

CELLS = (
    "", " ", "0", "0.0", "-0", "-1", "+1", "1e5", "1e-5", "1e-9", "1e400", "1E3", "1e", "e5", ".5", "5.", "nan",
    "NaN", "-inf", "Infinity", "null", "None", "0x10", "0b1", "1_000", "1.6", "1.5.5", '"5"', '"', '""', "'5'",
    "true", "TRUE", "True", "t", "y", "no", "1", "false ", "BUY", "buy", "sell", "HOLD", "\uff15", "\u0665",
    "9" * 19, "9" * 40, "9" * 400, "12052330040", "99999999999999", "0.30000000000000004", "1.123456789",
    "5.000000000", "1.0000000000000000000001", str(DAY_MS), f"{DAY_MS}000", f"{DAY_MS}000000", "1709251200",
    "1677628933729", "4102444800000", "2024-03-01", "2024-03-01 00:05", "2024-03-01 00:05:00.1234567",
    "2024-03-01 24:00:00", "2024-02-30 00:00:00", "infinity", "epoch", "2024-03-01T00:05:00+02:00",
    "2024-03-01 00:10:00", "x", "\u00e9", "\x00", "\x1b[2J", "\ufeff", "\u2028", "\\", "#", ";", "a b", "NULL",
    "../../X", "BTCUSD_PERP", "1,2", "1\n2", "x" * 3000, "\u5e01USDT",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    *CELLS, None, True, False, 0, -1, 1.5, 1e300, float("nan"), float("inf"), 10**30, [], {}, [1], {"a": 1}, [[]],
    "\ud800", 5, DAY_MS, [None],
)  # fmt: skip

Texts = Callable[[random.Random, str], str]


def _lines(change: Callable[[random.Random, list[str]], None]) -> Texts:
    def mutate(rng: random.Random, text: str) -> str:
        lines = text.split("\n")
        change(rng, lines)
        return "\n".join(lines)

    return mutate


def _cells(change: Callable[[random.Random, list[str]], None]) -> Texts:
    def of_a_line(rng: random.Random, lines: list[str]) -> None:
        at = rng.randrange(len(lines))
        cells = lines[at].split(",")
        change(rng, cells)
        lines[at] = ",".join(cells)

    return _lines(of_a_line)


def _replace(rng: random.Random, parts: list[str]) -> None:
    parts[rng.randrange(len(parts))] = rng.choice(CELLS)


def _insert(rng: random.Random, parts: list[str]) -> None:
    parts.insert(rng.randrange(len(parts) + 1), rng.choice(CELLS))


def _drop(rng: random.Random, parts: list[str]) -> None:
    parts.pop(rng.randrange(len(parts)))


def _double(rng: random.Random, parts: list[str]) -> None:
    parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))


def _swap(rng: random.Random, parts: list[str]) -> None:
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[i], parts[j] = parts[j], parts[i]


def _append(rng: random.Random, parts: list[str]) -> None:
    at = rng.randrange(len(parts))
    parts[at] = rng.choice((parts[at] + rng.choice(CELLS), rng.choice(CELLS) + parts[at]))


def _column(rng: random.Random, lines: list[str]) -> None:
    """One column of every line."""
    value = rng.choice(CELLS)
    at = rng.randrange(max(len(lines[0].split(",")), 1))
    for number, line in enumerate(lines):
        cells = line.split(",")
        if at < len(cells) and line:
            cells[at] = value
            lines[number] = ",".join(cells)


def _swap_columns(rng: random.Random, lines: list[str]) -> None:
    i, j = (rng.randrange(max(len(lines[0].split(",")), 1)) for _ in range(2))
    for number, line in enumerate(lines):
        cells = line.split(",")
        if max(i, j) < len(cells):
            cells[i], cells[j] = cells[j], cells[i]
            lines[number] = ",".join(cells)


def _letter(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return (
        text[:at]
        + rng.choice(("", '"', ",", "\n", "\r", " ", "\t", "-", ".", "e", "_", "0", "9", "{", "]", "\ufeff"))
        + (text[at + rng.randrange(3) :])
    )


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _another_day(rng: random.Random, text: str) -> str:
    shift = rng.choice((86_400_000, -86_400_000, 300_000, 60_000))
    for old in sorted(set(text.replace(":", ",").replace("\n", ",").replace(" ", ",").split(","))):
        if old.isdigit() and len(old) == 13:
            text = text.replace(old, str(int(old) + shift))
    return text.replace("2024-03-01 ", rng.choice(("2024-03-02 ", "2023-03-01 ", "2024-03-01 ")))


TEXTS: tuple[Texts, ...] = (
    _cells(_replace), _cells(_replace), _cells(_replace), _cells(_append), _cells(_insert), _cells(_drop),
    _cells(_double), _cells(_swap), _lines(_replace), _lines(_insert), _lines(_drop), _lines(_double), _lines(_swap),
    _lines(_column), _lines(_swap_columns), _letter, _letter, _cut, _another_day,
    lambda rng, text: text.replace("\n", rng.choice(("\r\n", "\r", "\n\n", "\r\n\n"))),
    lambda rng, text: text.replace("\n", "\r\n", 1),
    lambda rng, text: rng.choice(("\ufeff", "\n", "\n\n", " ", "#x\n", "\ufeff\ufeff")) + text,
    lambda rng, text: text.rstrip("\n") + rng.choice(("", "\n\n\n", "\r", ",", " ", "\n" * 70_000, "\x1a", "\x00")),
    lambda rng, text: text + text,
    lambda rng, text: "\n".join(reversed(text.strip().split("\n"))) + "\n",
    lambda rng, text: text.replace(",", rng.choice((";", "\t", ", ", " ,"))),
    lambda rng, text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.split("\n")),
    lambda rng, text: text.upper(),
    lambda rng, text: "",
)  # fmt: skip


def _mutated_json(rng: random.Random, text: str) -> str:
    """A value somewhere in the document, or in one of its lines, replaced."""
    lines = text.split("\n") if "\n{" in text else [text]
    at = rng.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except ValueError:
        return text
    place: Any = document
    for _ in range(rng.randrange(1, 6)):
        inner = [key for key in _keys(place) if isinstance(place[key], dict | list)]
        if not inner or rng.random() < 0.3:
            break
        place = place[rng.choice(inner)]
    keys = _keys(place)
    if keys and rng.random() < 0.15:
        del place[rng.choice(keys)]
    elif keys:
        place[rng.choice(keys)] = rng.choice(VALUES)
    lines[at] = json.dumps(document)
    return "\n".join(lines)


def _keys(place: Any) -> list[Any]:
    return list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []


def _encoded(rng: random.Random, text: str) -> bytes:
    encoding = rng.choices(("utf-8", "utf-16", "latin-1", "utf-8-sig"), (90, 2, 4, 4))[0]
    return text.encode(encoding, errors="surrogatepass" if encoding.startswith("utf-8") else "replace")


def _bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 10, 13, 34, 44, 255, rng.randrange(256)))
    return bytes(changed)


def mutated(rng: random.Random, one: Sample) -> tuple[str, bytes]:
    """A name and the bytes of a file that was made from a sample."""
    text = one.text
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3))):
        change = _mutated_json if one.is_json and rng.random() < 0.75 else rng.choice(TEXTS)
        text = change(rng, text)
    data = _encoded(rng, text)
    if rng.random() < 0.06:
        data = _bytes(rng, data)
    if one.is_json or rng.random() < 0.75:
        return one.name, data
    if one.kind in ("bybitTrades", "bybitMinutes"):
        packed = gzip.compress(data)
        if rng.random() < 0.4:
            packed = _bytes(rng, packed) if rng.random() < 0.7 else packed[: rng.randrange(len(packed) + 1)]
        return f"{one.name}.gz", packed
    packed = _packed(rng, one.name, data)
    if rng.random() < 0.4:
        packed = _bytes(rng, packed) if rng.random() < 0.7 else packed[: rng.randrange(len(packed) + 1)]
    return one.name.replace(".csv", ".zip"), packed


def _packed(rng: random.Random, name: str, data: bytes) -> bytes:
    packing = rng.choice(
        (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", packing) as archive:
        archive.writestr(rng.choice((name, name, name, "x.csv", f"a/{name}", "ETHUSDT-x.csv", "x.txt")), data)
        if rng.random() < 0.05:
            archive.writestr("more.csv", data)
    return target.getvalue()

"""The house: what may import what."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import liqstrat

ROOT = Path(liqstrat.__file__).parent

#: From the top down: a room imports rooms below it, and of its own floor those that do not import it.
FLOORS = [
    ["cli", "__main__"],
    ["demo", "__init__"],
    ["serve", "live"],
    ["api"],
    ["studies"],
    ["app", "pages"],
    ["research", "events"],
    ["report"],
    ["strategies"],
    ["backtest"],
    ["bench", "scoring", "calibration"],
    ["catalog"],
    ["sweeps"],
    ["maps"],
    ["market"],
    ["config", "run_file", "study_settings", "alert_settings"],
    ["liquidation"],
    ["inputs", "progress", "sections"],
    ["ending"],
    ["held"],
    ["errors", "moments", "remarks"],
]


def floor(module: str) -> int:
    parts = module.split(".")
    room = parts[1] if len(parts) > 1 else "__init__"
    (found,) = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("liqstrat", *path.relative_to(ROOT).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts), path


@cache
def imported(path: Path) -> list[tuple[int, str]]:
    """Modules of the package that a file imports anywhere: within functions and for types alone too."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [node.module or ""]
            if node.module == "liqstrat":
                names = [f"liqstrat.{alias.name}" for alias in node.names if (ROOT / alias.name).exists()]
        else:
            continue
        found += [(node.lineno, name) for name in names if name.split(".")[0] == "liqstrat"]
    return found


def test_imports_point_down() -> None:
    wrong = [
        f"{module}:{line} imports {other}"
        for module, path in modules()
        for line, other in imported(path)
        if floor(other) < floor(module)
    ]
    assert wrong == []


@pytest.mark.parametrize("rooms", FLOORS, ids=lambda rooms: rooms[0])
def test_no_floor_is_a_circle(rooms: list[str]) -> None:
    """Rooms of one floor may use each other one way only."""
    uses = {
        (module.split(".")[1], other.split(".")[1])
        for module, path in modules()
        for _, other in imported(path)
        if module.count(".") and other.count(".")
    }
    both = [(one, other) for one in rooms for other in rooms if one < other and {(one, other), (other, one)} <= uses]
    assert both == []

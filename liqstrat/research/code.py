"""The code of a user's strategy: told apart by its hash, and kept."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from liqstrat.held import partial_file


@dataclass(frozen=True)
class Code:
    """A module of a user's: its name, the SHA-256 of its file, and what is in it."""

    module: str
    sha256: str
    source: bytes


def code_of(strategy: type) -> list[Code]:
    """The module of a strategy, and those of the same folder that it imports, by name; none for one of the package.

    What has no file, as a strategy typed into a notebook, has none either.
    """
    name = strategy.__module__
    module = sys.modules.get(name)
    path = _file(module)
    if module is None or path is None or _is_ours(name):
        return []
    root = path.parents[name.count(".") + (path.name == "__init__.py")]
    found: dict[str, Code] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop()
        path = None if name in found or _is_ours(name) else _file(sys.modules.get(name))
        if path is None or not path.is_relative_to(root) or "site-packages" in path.parts:
            continue
        source = path.read_bytes()
        found[name] = Code(name, hashlib.sha256(source).hexdigest(), source)
        waiting += _imported(source, name)
    return [found[name] for name in sorted(found)]


def keep_code(folder: Path, codes: list[Code]) -> None:
    """Put code into `folder`, a file a version, named by its hash."""
    for code in codes:
        path = folder / f"{code.sha256}.py"
        if not path.exists():
            with partial_file(path) as partial:
                partial.write_bytes(code.source)


def _is_ours(name: str) -> bool:
    """Whether a module is of the package, whose version tells its code."""
    return name.split(".")[0] == "liqstrat"


def _file(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    path = Path(file).resolve() if file else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _imported(source: bytes, name: str) -> Iterator[str]:
    """The names of all that a source imports anywhere, also where only a part of them is a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))

"""Run files: TOML in, typed and checked objects out.

A wrong key or value is answered with the file, the line where it stands, what was expected and the nearest right name.
Single values may be set over those of the file by their keys with dots between, as `strategies.0.params.turn`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from liqstrat.alert_settings import AlertSettings
from liqstrat.config import ModelFile, RunFile
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.settings import ModelSettings

_LONGEST = 1_000_000


@dataclass(frozen=True)
class _Source:
    """Where values are from: a file with its text, or none, and what was set over them."""

    name: str
    text: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def place(self, loc: tuple[str | int, ...]) -> str:
        """What to look at for the value at `loc`."""
        keys = [str(key) for key in loc]
        for name in self.overrides:
            path = name.split(".")
            if keys and path[: len(keys)] == keys[: len(path)]:
                return f"set {name}"
        return f"{self.name}:{_line_of(self.text, loc)}" if keys and self.text is not None else self.name


def load_run_file(path: Path, overrides: Mapping[str, Any] | None = None) -> RunFile:
    """Read and check a run file, with values set over its own by their keys, as `{"model.turnover": 0.2}`.

    Raises `LiqstratError` naming the file, the line and what was expected.
    """
    text = _read(path)
    return _checked(RunFile, _parse(path, text), _Source(str(path), text, overrides or {}))


def run_of_text(text: str, name: str) -> RunFile:
    """The run of a run file's text; raises `LiqstratError` as `load_run_file` does, by `name` in place of a path."""
    if len(text) > _LONGEST:
        raise LiqstratError(f"{name}: is longer than {_LONGEST:,} letters, expected a run file")
    return _checked(RunFile, _parse(Path(name), text), _Source(name, text))


def place_in(path: Path | None, *keys: str) -> str:
    """Where a value stands, for an error: the file and its line; raises `LiqstratError` where it cannot be read."""
    return "the run" if path is None else f"{path}:{_line_of(_read(path), keys)}"


def run_from(values: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> RunFile:
    """The run of a dictionary that has what a run file has; raises `LiqstratError` as `load_run_file` does."""
    return _checked(RunFile, values, _Source("the run", None, overrides or {}))


def load_model(path: Path) -> ModelSettings:
    """The model of a run file, or of a file that has nothing but a `[model]`; raises `LiqstratError`."""
    return _run_or_model(path).model


def load_alerts(path: Path) -> Sequence[AlertSettings]:
    """The alerts of a run file, or of one with a `[model]`; raises `LiqstratError`."""
    return _run_or_model(path).alerts


def _run_or_model(path: Path) -> RunFile | ModelFile:
    text = _read(path)
    raw = _parse(path, text)
    is_run = {"name", "symbols", "strategies"} & set(raw)
    source = _Source(str(path), text)
    return _checked(RunFile, raw, source) if is_run else _checked(ModelFile, raw, source)


def model_from(values: Mapping[str, Any]) -> ModelSettings:
    """The model of a dictionary that has what a `[model]` has; raises `LiqstratError` as `load_model` does."""
    return _checked(ModelFile, {"model": values}, _Source("the model")).model


def parse_override(text: str) -> tuple[str, Any]:
    """`key=value` with a value of TOML, where a plain word is a text; raises `ValueError`."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or not all(key.split(".")):
        raise ValueError(f'"{text}" is not a setting, expected key=value, as model.turnover=0.2')
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError) as error:
        if not re.fullmatch(r"[\w./:+-]+", value):
            raise ValueError(f'"{value}" is not a value of TOML, as 0.2, "text" or [1, 2]: {error}') from None
        return key, value
    if list(parsed) != ["value"]:
        raise ValueError(f'"{text}" is more than one setting, expected key=value')
    return key, parsed["value"]


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise LiqstratError(f"{path}: is no file, expected a run file")
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise LiqstratError(f"{path}: is longer than {_LONGEST:,} letters, expected a run file")
        return text
    except OSError as error:
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.toml")])
        raise LiqstratError(f"{path}: cannot be read: {error.strerror}{near}") from None
    except UnicodeDecodeError as error:
        raise LiqstratError(f"{path}: is not UTF-8 text (byte {error.start})") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in lists without end
        raise LiqstratError(f"{path}: is not valid TOML: {error}") from None


def _checked[T: BaseModel](root: type[T], values: Mapping[str, Any], source: _Source) -> T:
    raw = deepcopy(dict(values))
    for key, value in source.overrides.items():
        _put(raw, key, value)
    try:
        return root.model_validate(raw)
    except ValidationError as error:
        wrong = error.errors()
    for found in wrong:
        # Pydantic keeps the errors of our checks; their tracebacks would keep all frames alive until the exit.
        if cause := found.get("ctx", {}).get("error"):
            cause.__traceback__ = None
    raise LiqstratError("\n".join(_explain(root, source, found) for found in wrong))


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by its dotted key; tables that are not there are made, entries of lists are not."""
    here: Any = raw
    parts = key.split(".")
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        step: str | int = part
        if isinstance(here, list):
            if not (part.isdecimal() and int(part) < len(here)):
                have = f"0 to {len(here) - 1}" if len(here) > 1 else "0" if here else "none, it is empty"
                raise LiqstratError(
                    f'set {key}: "{part}" is no entry of "{".".join(parts[:depth])}", expected its number: {have}'
                )
            step = int(part)
        elif not isinstance(here, dict):
            raise LiqstratError(f'set {key}: "{".".join(parts[:depth])}" is {here!r}, which has nothing in it to set')
        elif not last:
            here.setdefault(part, {})
        if last:
            here[step] = value
        else:
            here = here[step]


def _explain(root: type[BaseModel], source: _Source, found: Any) -> str:
    loc = found["loc"]
    keys = [str(key) for key in loc]
    where, name = source.place(loc), ".".join(keys)
    if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(root, loc)
        near = did_you_mean(keys[-1], known)
        return f'{where}: unknown key "{name}"{near}; expected one of {", ".join(known)}'
    if found["type"] in ("missing", "missing_argument"):
        return f'{where}: "{name}" is missing'
    reason = found["msg"].removeprefix("Value error, ")
    if found["type"] == "value_error":
        # Checks of a whole section begin with the key that is wrong.
        blamed = reason.split(" ", 1)[0]
        if keys and blamed in _known_keys(root, (*loc, blamed)):
            where = source.place((*loc, blamed))
        return f"{where}: {name + ': ' if name else ''}{reason}"
    return f"{where}: {name} is {found['input']!r}: {reason[:1].lower()}{reason[1:]}"


def _known_keys(root: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that are allowed where the last key of `loc` stands."""
    section: Any = root
    for key in loc[:-1]:
        if isinstance(key, int):
            continue
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return []
        field = {f.alias or n: f for n, f in section.model_fields.items()}[str(key)]
        section = _section_of(field.annotation)
    if section is ModelSettings:
        return list(ModelSettings.__dataclass_fields__)
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return []
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_of(annotation: Any) -> Any:
    """The section of one that may be left out, or of a list of them."""
    optional = type(None) in get_args(annotation)
    return get_args(annotation)[0] if optional or get_origin(annotation) in (list, tuple) else annotation


def _line_of(text: str, loc: tuple[str | int, ...]) -> int:
    """The line on which the key path stands, as near as plain reading of TOML's tables gets."""
    table: list[str] = []
    seen: dict[str, int] = {}
    best, depth = 1, 0
    wanted = [part for key in loc for part in str(key).split(".")]
    for number, line in enumerate(text.splitlines(), 1):
        here: list[str]
        if header := re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line):
            table = [part.strip().strip("\"'") for part in header[2].split(".")]
            if header[1] == "[[":
                index = seen.get(header[2], -1) + 1
                seen[header[2]] = index
                table.append(str(index))
            here = table
        elif key := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
            here = table + [part.strip("\"'") for part in key[1].split(".")]
        else:
            continue
        common = 0
        while common < min(len(here), len(wanted)) and here[common] == wanted[common]:
            common += 1
        if common > depth and common == len(here):
            best, depth = number, common
    return best

"""Both themes: one palette, legible on every ground, and no colour beside it."""

import re
from itertools import product
from pathlib import Path

import pytest

import liqstrat
from liqstrat.report import theme

_HEX = re.compile(r"#[0-9a-f]{6}\b|#[0-9a-f]{3}\b", re.IGNORECASE)
_SOURCES = ("*.py", "*.css", "*.js", "*.html")
_GROUNDS = (theme.PAGE, theme.PANEL, theme.RAISED, theme.PLOT)
_INKS = (theme.TEXT, theme.MUTED, theme.LONG, theme.SHORT, theme.GAIN, theme.LOSS, theme.WARNING, theme.ACCENT)


def luminance(colour: str) -> float:
    """As WCAG 2 has it."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_page_can_change_its_theme_and_back() -> None:
    assert len(set(theme.LIGHT.values())) == len(theme.LIGHT)
    assert not set(theme.LIGHT) & set(theme.LIGHT.values())


@pytest.mark.parametrize(("ink", "ground"), list(product(_INKS, _GROUNDS)))
def test_texts_are_legible_in_both_themes(ink: str, ground: str) -> None:
    assert contrast(ink, ground) >= 4.5
    assert contrast(theme.LIGHT[ink], theme.LIGHT[ground]) >= 4.5


@pytest.mark.parametrize("line", theme.LINES)
def test_lines_are_seen_in_both_themes(line: str) -> None:
    assert contrast(line, theme.PLOT) >= 3
    assert contrast(theme.LIGHT[line], theme.LIGHT[theme.PLOT]) >= 3


def test_heat_is_read_as_more_or_less_in_both_themes() -> None:
    dark, light = ([luminance(one) for one in heat] for heat in (theme.HEAT, [theme.LIGHT[one] for one in theme.HEAT]))
    assert dark == sorted(dark)
    assert light == sorted(light, reverse=True)


def test_no_colour_stands_elsewhere() -> None:
    root = Path(liqstrat.__file__).parent
    files = {path for kind in _SOURCES for path in root.rglob(kind)} - {Path(theme.__file__)}
    assert {path.name: found for path in files if (found := set(_HEX.findall(path.read_text("utf-8"))))} == {}

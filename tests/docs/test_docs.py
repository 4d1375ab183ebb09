"""What the documentation says is so: scripts run, commands and their options are there, links lead somewhere."""

import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import liqstrat as lq
from liqstrat.cli.program import app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
STRATEGIES = sorted((DOCS / "examples" / "strategies").glob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@pytest.fixture
def folder(tmp_path: Path, simulated_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a reader of the gallery has it: history, the run file that is shipped, on the days there are, a strategy."""
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "market.duckdb").symlink_to(simulated_database)
    (tmp_path / "configs").mkdir()
    text = (ROOT / "configs" / "fade.toml").read_text()
    assert "from = 2024-03-03 " in text
    text = text.replace("from = 2024-03-03 ", "from = 2024-03-02 ").replace("to = 2024-03-08 ", "to = 2024-03-03 ")
    (tmp_path / "configs" / "fade.toml").write_text(text)
    for strategy in STRATEGIES:
        shutil.copy(strategy, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_script_of_the_gallery_runs(example: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda path: path.stem)
def test_a_strategy_of_the_documentation_trades(strategy: Path, folder: Path) -> None:
    assert len(strategy.read_text().splitlines()) <= 40
    name = strategy.stem.title().replace("_", "")
    banded = {"band": True} if "band = true" in strategy.read_text() else {}
    strategies = [{"use": f"{strategy.stem}:{name}"}]
    run = lq.run("configs/fade.toml", {"strategies": strategies, "resolution": "1m", **banded}, report=False)
    assert len(run.trades) > 0, run.orders[["status", "reason"]].value_counts()
    assert f'examples/strategies/{strategy.name}"' in (DOCS / "own-strategy.md").read_text()


def test_the_gallery_shows_every_script() -> None:
    shown = re.findall(r'--8<-- "examples/([a-z_]+\.py)"', (DOCS / "gallery.md").read_text())
    assert sorted(shown) == [example.name for example in EXAMPLES]


def commands_of(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Command lines of this program in a page's shell blocks, and within its text."""
    text = page.read_text()
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines()] + re.findall(
        r"`(liqstrat [a-z][^`]*)`", text
    )
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[2:] if words[:2] == ["uv", "run"] else words
        if len(words) > 1 and words[0] == "liqstrat" and words[1] != "COMMAND":
            yield line, words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_in_a_page_are_there_with_their_options(page: Path) -> None:
    known: Any = get_command(app)
    for line, (name, *arguments) in commands_of(page):
        if name.startswith("--"):
            continue
        assert name.rstrip(",") in known.commands, line
        options = {option for one in known.commands[name].params for option in [*one.opts, *one.secondary_opts]}
        typed = {word.split("=")[0] for word in arguments if word.startswith("--")}
        assert typed <= options | {"--help"}, line


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_readme_fits_on_three_screens_and_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "uv run liqstrat demo" in text
    assert "uv run pytest" in text
    assert len(text.splitlines()) <= 120

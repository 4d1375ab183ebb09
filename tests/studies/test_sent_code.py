"""Modules of a user's strategies as a worker of a cluster imports them."""

import hashlib
import importlib
import inspect
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.research.code import Code
from liqstrat.studies.sent_code import learn


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    modules, finders = set(sys.modules), list(sys.meta_path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.meta_path[:] = finders


def _code(module: str, source: str) -> Code:
    return Code(module, hashlib.sha256(source.encode()).hexdigest(), source.encode())


def test_what_was_sent_goes_before_what_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sent_one.py").write_text("RATE = 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    learn([_code("sent_one", "from sent_folder.sent_two import RATE\n"), _code("sent_folder.sent_two", "RATE = 3\n")])
    assert importlib.import_module("sent_one").RATE == 3
    learn([_code("sent_one", "from sent_folder.sent_two import RATE\n"), _code("sent_folder.sent_two", "RATE = 4\n")])
    assert importlib.import_module("sent_one").RATE == 4
    learn([_code("sent_package", "from .sent_three import RATE\n"), _code("sent_package.sent_three", "RATE = 5\n")])
    assert importlib.import_module("sent_package").RATE == 5


def test_an_error_in_it_quotes_its_line() -> None:
    learn([_code("sent_bad", "def rate():\n    return 1 / 0  # here\n")])
    bad = importlib.import_module("sent_bad")
    assert "# here" in inspect.getsource(bad.rate)
    with pytest.raises(ZeroDivisionError) as caught:
        bad.rate()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.line) == ("sent_bad.py (as sent)", "return 1 / 0  # here")


def test_what_cannot_be_imported_is_a_sentence_each_time() -> None:
    codes = [_code("sent_needy", "import no_such_library\n")]
    for _ in range(2):
        with pytest.raises(LiqstratError, match="cannot import sent_needy, which was sent: ModuleNotFoundError"):
            learn(codes)
    learn([_code("sent_needy", "RATE = 1\n")])
    assert importlib.import_module("sent_needy").RATE == 1


def test_a_worker_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from liqstrat.research.code import Code\n"
        "from liqstrat.studies.sent_code import learn\n"
        "learn([Code('sent_last', 'x', b'RATE = 1')])\n"
        "import sent_last\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env={"TMPDIR": str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == -9
    assert not list(tmp_path.iterdir())

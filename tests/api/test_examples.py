"""The examples of the public interface run, and every public name has one or says what it is."""

import doctest
import inspect
from pathlib import Path

import pytest

import liqstrat as lq

pytestmark = pytest.mark.slow


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: dict[str, doctest.DocTest] = {}
    for name in lq.__all__:
        thing = getattr(lq, name)
        for test in finder.find(thing, name, globs={}):
            if test.examples:
                found[test.name] = test
    return list(found.values())


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_an_example_does_what_it_says(test: doctest.DocTest, at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test.globs = {"lq": lq, "folder": at_home}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", lq.__all__)
def test_public_names_are_there_and_say_what_they_are(name: str) -> None:
    thing = getattr(lq, name)
    assert inspect.getdoc(thing)
    assert name in dir(lq)
    if inspect.isclass(thing) and thing.__module__.startswith("liqstrat.api"):
        silent = [
            n for n, m in vars(thing).items() if not n.startswith("_") and not isinstance(m, str) and not m.__doc__
        ]
        assert silent == []

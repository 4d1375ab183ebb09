"""Modules of a user's strategies, imported as they were sent, out of memory: no file is left behind by a worker that is
killed."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from liqstrat.errors import LiqstratError
from liqstrat.research.code import Code


def learn(modules: Sequence[Code]) -> None:
    """Have these modules in place of others of their names, also of those in the folder of the process.

    Raises `LiqstratError` where one cannot be imported here, as one that needs what is not installed.
    """
    new = {one.module: one for one in modules}
    if all(_sent.knows(one) for one in new.values()):
        return
    if _sent not in sys.meta_path:
        sys.meta_path.insert(0, _sent)
    with _sent.taking(new):
        for name in new:
            sys.modules.pop(name, None)
        # Now, so that what a strategy needs is missed before its trial begins.
        for name in new:
            try:
                importlib.import_module(name)
            except Exception as error:
                raise LiqstratError(f"cannot import {name}, which was sent: {type(error).__name__}: {error}") from None


class _Sent(MetaPathFinder, InspectLoader):
    """Finds and loads what was sent before anything of that name is looked for elsewhere."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}

    def knows(self, code: Code) -> bool:
        """Whether a module was sent as it is."""
        found = self._codes.get(code.module)
        return found is not None and found.sha256 == code.sha256

    @contextmanager
    def taking(self, new: dict[str, Code]) -> Iterator[None]:
        """Have these, too; after an error in the block they are as good as not sent, and tried again the next time."""
        self._codes |= new
        try:
            yield
        except BaseException:
            self._codes = {name: code for name, code in self._codes.items() if name not in new}
            raise

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of a module that was sent, or of a folder with some that has no `__init__.py`."""
        package = self.is_package(fullname)
        if fullname in self._codes:
            spec = ModuleSpec(fullname, self, origin=_file(fullname), is_package=package)
            spec.has_location = True
            return spec
        return ModuleSpec(fullname, None, is_package=True) if package else None

    def is_package(self, fullname: str) -> bool:
        """Whether others that were sent lie in it."""
        return any(name.startswith(f"{fullname}.") for name in self._codes)

    def get_source(self, fullname: str) -> str:
        """Its text, which errors quote."""
        return importlib.util.decode_source(self._codes[fullname].source)

    def get_code(self, fullname: str) -> CodeType:
        """What is run on import."""
        return self.source_to_code(self._codes[fullname].source, _file(fullname))


def _file(module: str) -> str:
    """What errors call its file, which no other file is called."""
    return f"{module.replace('.', '/')}.py (as sent)"


_sent = _Sent()

"""What is being made, held by a lock that the system takes away when its process ends, however it ends.

It lies hidden beside its place until it is whole. Whoever finds such a thing unheld may remove it: its process is dead.
"""

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from stat import S_ISDIR

from liqstrat.errors import LiqstratError

_OURS, _PARTIAL = ".liqstrat-", ".partial"
_LOOK_EVERY_SECONDS = 0.05
_PATIENCE_SECONDS = 1.0
_UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
}


def why(error: OSError) -> str:
    """What the system says, without what a library makes of it."""
    return os.strerror(error.errno) if error.errno else str(error).splitlines()[0]


@contextmanager
def written(place: Path) -> Iterator[None]:
    """An error in writing to `place`, or into that folder, as a `LiqstratError` that names it."""
    try:
        yield
    except OSError as error:
        elsewhere = isinstance(error.filename, str) and not Path(error.filename).is_relative_to(place.parent)
        if error.errno not in _UNWRITABLE or elsewhere:
            raise
        raise LiqstratError(f"{place}: cannot be written: {why(error)}") from error


def require_writable(target: Path) -> None:
    """Raise `LiqstratError` where there can be no such file, or no room for a page of it; nothing is left behind."""
    new = [folder for folder in target.parents if not folder.exists()]
    try:
        with suppress(_NotYetError), partial_file(target) as partial:
            partial.write_bytes(bytes(4096))
            raise _NotYetError
    finally:
        for folder in new:
            with suppress(OSError):
                folder.rmdir()


class _NotYetError(Exception):
    """The file is not to be put into its place."""


@contextmanager
def partial_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to be written, which is renamed to it at the end and is gone where there was an error.

    Raises `LiqstratError`, before anything else is done, where there can be no such file.
    """
    with written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_dead(target.parent, f"{_OURS}*{_PARTIAL}")
        if target.is_dir():
            raise LiqstratError(f"{target}: is a folder, expected the name of a file")
        # Also that the name is not too long.
        target.exists()
        partial = target.with_name(f"{_OURS}{os.urandom(6).hex()}{_PARTIAL}")
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            with _held(partial):
                yield partial
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def partial_folder(wanted: Path) -> Iterator[tuple[Path, Path]]:
    """As `partial_file`: a folder to be filled, and what it will be renamed to at the end.

    That is `wanted`, with a number to it where there is one already. What the dead have left beside it is removed.
    """
    with written(wanted):
        wanted.parent.mkdir(parents=True, exist_ok=True)
        remove_dead(wanted.parent, f".*{_PARTIAL}")
        partial, target = _claimed(wanted)
        try:
            with _held(partial):
                yield partial, target
                partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _claimed(wanted: Path) -> tuple[Path, Path]:
    """A new folder, and the name that is free for it: who makes the folder has the name."""
    for number in count(1):
        target = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        partial = wanted.with_name(f".{target.name}{_PARTIAL}")
        if target.exists():
            continue
        with suppress(FileExistsError):
            partial.mkdir()
            if not target.exists():
                return partial, target
            partial.rmdir()
    raise AssertionError


@contextmanager
def alone(path: Path, waiting: Callable[[str], object]) -> Iterator[None]:
    """Be the only one here with the lock at `path`, a file that is made and stays; `waiting` hears whose turn it is.

    Raises `OSError` where it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        since, told = time.monotonic(), False
        while not hold(handle):
            if not told and time.monotonic() - since > _PATIENCE_SECONDS:
                waiting(os.pread(handle, 20, 0).decode(errors="replace").strip())
                told = True
            time.sleep(_LOOK_EVERY_SECONDS)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def hold(handle: int) -> bool:
    """Take the lock of an open file or folder until it is closed; False where another has it.

    Where the file system knows no locks, everybody has it.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def remove_dead(folder: Path, pattern: str) -> None:
    """Remove the hidden files and folders of such names that nobody holds."""
    if sys.platform == "win32":
        return
    import fcntl

    for path in folder.glob(pattern):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                # Not `hold`: where there are no locks, nobody is known to be dead.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.fstat(handle)
                is_folder = S_ISDIR(found.st_mode)
                is_empty = not any(path.iterdir()) if is_folder else not found.st_size
                if is_empty and time.time() - found.st_mtime < _PATIENCE_SECONDS:
                    # Made this moment, it may not be held yet.
                    continue
                shutil.rmtree(path, ignore_errors=True) if is_folder else path.unlink(missing_ok=True)
            finally:
                os.close(handle)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        hold(handle)
        yield
    finally:
        os.close(handle)


def tidy(folder: Path, names: str, most: int, most_bytes: int) -> list[Path]:
    """Remove the files of a pattern that nobody has asked for the longest, where there are more than `most` of them, or
    than so many bytes; returns the removed ones. To ask for one is to touch it."""
    found = []
    for path in folder.glob(names):
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size, path))
    found.sort(reverse=True)
    size, removed = 0, []
    for number, (_, bytes_, path) in enumerate(found):
        size += bytes_
        if number >= most or size > most_bytes:
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed

"""Fuzz the readers for a time, or for a number of files: `python -m tests.fuzz --seconds 3600 --seed 7`."""

import faulthandler
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tests.fuzz.batch import run_batch
from tests.fuzz.run_files import run_files

_HANGS_AFTER = 300


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60,
    files: Annotated[int, typer.Option(min=0, help="Stop after so many files; 0: only time counts.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same files.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Files that are loaded at once.")] = 100,
    keep: Annotated[Path | None, typer.Option(help="Keep what was found wrong in this folder.")] = None,
) -> None:
    """Mutate files, load them, and hold what is found against plain Python; exit 1 where anything is wrong."""
    begin, done, states = time.monotonic(), 0, Counter[str]()
    wrong: list[str] = []
    number = 0
    while time.monotonic() - begin < seconds and not (files and done >= files):
        # A hang ends the program with the place where it hangs.
        faulthandler.dump_traceback_later(_HANGS_AFTER, exit=True)
        folder = Path(tempfile.mkdtemp(prefix="liqstrat-fuzz-"))
        counts, found = run_batch(seed * 1_000_000 + number, batch, folder)
        found += run_files(seed * 1_000_000 + number, batch)
        states += counts
        done += batch
        number += 1
        for text in found:
            print(text, flush=True)
        wrong += found
        if found and keep:
            shutil.copytree(folder, keep / folder.name, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    faulthandler.cancel_dump_traceback_later()
    print(f"{done:,} files in {time.monotonic() - begin:.0f} s: {dict(states)}; {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    typer.run(main)

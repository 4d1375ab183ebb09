"""Loops compiled by Numba, kept for the next start where there is a place to keep them."""

from collections.abc import Callable
from typing import Any

from numba import njit

from liqstrat.remarks import remark

_told = False


def compiled(function: Callable[..., Any]) -> Any:
    """The function, compiled at its first use, or taken from where it was kept the last time.

    Numba keeps it beside the module, else in the user's cache folder (`NUMBA_CACHE_DIR` says another). Where it can
    write to none, every start compiles anew, which is said once.
    """
    global _told
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
    if not _told:
        _told = True
        remark(
            "compiled code cannot be kept, so that every start takes some seconds to compile: neither the program's "
            "folder nor the user's cache can be written; NUMBA_CACHE_DIR may name another folder"
        )
    return njit(nogil=True)(function)

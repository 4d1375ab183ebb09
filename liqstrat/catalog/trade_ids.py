"""Numbers of trades as the text that Nautilus keeps them in."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_TAIL = 10_000
_TAIL_DIGITS = 4
_TAILS = np.array([f"{number:04d}" for number in range(_TAIL)], dtype="S4").view(np.uint32)


def as_text(ids: npt.NDArray[np.int64]) -> pa.Array:
    """The numbers in decimal digits, as a string array.

    Ids of trades that follow each other differ in their last four digits only, ten thousand at a time: those are looked
    up, the digits before them repeated, which takes less than half the time of writing each number out.
    """
    if not len(ids):
        return pa.array([], pa.string())
    lowest, highest = int(ids.min()), int(ids.max())
    digits = len(str(highest))
    if lowest < _TAIL or len(str(lowest)) != digits:
        return pc.cast(pa.array(ids), pa.string())
    heads = ids // _TAIL
    first = np.concatenate(([0], np.flatnonzero(heads[1:] != heads[:-1]) + 1))
    # Memory of Arrow's, which keeps what was freed at hand; NumPy gets it from the system, page by page.
    text, ends = pa.allocate_buffer(len(ids) * digits), pa.allocate_buffer(4 * len(ids) + 4)
    head = f"S{digits - _TAIL_DIGITS}"
    rows = np.frombuffer(text, dtype=[("head", head), ("tail", np.uint32)])
    rows["head"] = np.repeat(heads[first].astype(head), np.diff(first, append=len(ids)))
    rows["tail"] = _TAILS[ids - heads * _TAIL]
    np.frombuffer(ends, dtype=np.int32)[:] = np.arange(0, (len(ids) + 1) * digits, digits, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), ends, text)

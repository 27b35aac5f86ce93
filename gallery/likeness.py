"""Near-duplicates: pictures of one content and one style that hardly differ, of which one is enough to look at. No streamlit import.

In a given order the first picture stands for those that are close to it, then the next that is left, and so on ("leaders"). So what is
shown is the best of its kind by the order that was asked for, and no two shown pictures of a pair are close to each other. Chains do not
grow: who is close to a member, but not to the leader, is shown.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.transfer.signatures import LENGTH, VERSION

THRESHOLD = 5.0
"""Root of the mean squared difference of two signatures up to which they are near-duplicates (docs/design.md, section 6)."""
_BLOCKS = (32, 512)
"""How many are looked at together, at first and at most: most of those behind the first few have a leader by then."""
_DIRECTIONS = 32
"""Directions in which two pictures are compared first: along some of them only they are never further apart than along all."""
_AT_ONCE = 20_000
_SLACK = 1e-3
"""Share of the largest norm by which single precision may be wrong."""

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def unpacked(found: Sequence[bytes | None]) -> tuple[Bytes, Mask]:
    """(signatures, which of them are known): what is missing, or was made by another version, is not."""
    known = np.array([one is not None and len(one) == LENGTH and one[0] == VERSION for one in found], dtype=np.bool_)
    signatures = np.zeros((len(found), LENGTH - 1), dtype=np.uint8)
    if known.any():
        together = b"".join(one for one, is_known in zip(found, known.tolist(), strict=True) if is_known and one is not None)
        signatures[known] = np.frombuffer(together, dtype=np.uint8).reshape(-1, LENGTH)[:, 1:]
    return signatures, known


def collapse(order: Ints, pair: Ints, signatures: Bytes, known: Mask) -> tuple[Ints, Ints]:
    """(those of the order that are shown, how many each of them stands for, itself included).

    order: places of runs. pair, signatures (n, d) and known are of all runs, by their place; a run without a known signature stands for
    itself alone.
    """
    leader = np.arange(len(order))
    for members in _by_pair(pair[order], known[order]):
        leader[members] = members[leaders(signatures[order[members]])]
    counts = np.bincount(leader, minlength=len(order))
    shown = np.flatnonzero(counts)
    return order[shown], counts[shown]


def _by_pair(pair: Ints, known: Mask) -> Iterator[Ints]:
    """Places in the order, for each pair with several known ones, in the order."""
    places = np.flatnonzero(known)
    places = places[np.argsort(pair[places], kind="stable")]
    ends = np.flatnonzero(np.diff(pair[places])) + 1
    yield from (members for members in np.split(places, ends) if len(members) > 1)


def leaders(signatures: Bytes, threshold: float = THRESHOLD) -> Ints:
    """For each signature the place of the first leader that it is close to; its own where it is a leader.

    Exact, but for the time that it takes: all are compared along few directions first, a block with all leaders before it at once, and
    only those that are close there are compared in full.
    """
    most = int(threshold**2 * signatures.shape[1])
    flat = _projected(signatures)
    norms = np.einsum("ij,ij->i", flat, flat)
    reach = most + _SLACK * float(norms.max(initial=0.0)) + 1.0
    found = np.arange(len(signatures))
    ahead = np.empty(0, dtype=np.int64)
    for block in _blocks(len(signatures)):
        near = _distances(flat, norms, block, ahead) <= reach
        found[block] = _first_close(signatures, (block, ahead), near, most)
        left = block[found[block] == block]
        close = _close(signatures, left, _distances(flat, norms, left, left) <= reach, most)
        found[left] = left[_led(close)]
        ahead = np.concatenate([ahead, left[found[left] == left]])
    return found


def _blocks(amount: int) -> Iterator[Ints]:
    begin, size = 0, _BLOCKS[0]
    while begin < amount:
        yield np.arange(begin, min(begin + size, amount))
        begin, size = begin + size, min(2 * size, _BLOCKS[1])


def _projected(signatures: Bytes) -> NDArray[np.float32]:
    """Along orthonormal directions that the pictures themselves differ in."""
    centred = signatures.astype(np.float32)
    centred -= centred.mean(axis=0)
    if signatures.shape[1] <= _DIRECTIONS or len(signatures) <= _DIRECTIONS:
        return centred
    directions = np.zeros((_DIRECTIONS, signatures.shape[1]), dtype=np.float32)
    for number, place in enumerate(np.linspace(0, len(centred) - 1, _DIRECTIONS).astype(np.int64).tolist()):
        direction = centred[place]
        for _ in range(2):  # Gram and Schmidt's way, twice, as once is not enough in single precision
            direction = direction - (directions[:number] @ direction) @ directions[:number]
        length = float(np.linalg.norm(direction))
        if length > 1:  # the rest is noise of the rounding, and what has no direction
            directions[number] = direction / length
    return centred @ directions.T


def _distances(flat: NDArray[np.float32], norms: NDArray[np.float32], rows: Ints, columns: Ints) -> NDArray[np.float32]:
    """Squared, of every row with every column."""
    squared = flat[rows] @ (-2 * flat[columns].T)
    squared += norms[rows, None]
    squared += norms[columns]
    return squared


def _exact(signatures: Bytes, rows: Ints, columns: Ints) -> NDArray[np.int64]:
    """Squared distances of row by row, in whole numbers."""
    found = np.empty(len(rows), dtype=np.int64)
    for begin in range(0, len(rows), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        apart = signatures[rows[part]].astype(np.int32) - signatures[columns[part]]
        found[part] = np.einsum("ij,ij->i", apart, apart)
    return found


def _first_close(signatures: Bytes, of: tuple[Ints, Ints], near: Mask, most: int) -> Ints:
    """For each place of the block the first leader that is close, its own place where none is. of: the block, the leaders."""
    block, ahead = of
    found = block.copy()
    if not len(ahead):
        return found
    first = near.argmax(axis=1)
    hopeful = np.flatnonzero(near[np.arange(len(block)), first])
    right = _exact(signatures, block[hopeful], ahead[first[hopeful]]) <= most
    found[hopeful[right]] = ahead[first[hopeful[right]]]
    open_rows = hopeful[~right]
    rows, columns = np.nonzero(near[open_rows])
    close = _exact(signatures, block[open_rows[rows]], ahead[columns]) <= most
    rows, columns = rows[close], columns[close]
    rows, where = np.unique(rows, return_index=True)
    found[block[open_rows[rows]] - block[0]] = ahead[columns[where]]
    return found


def _close(signatures: Bytes, places: Ints, near: Mask, most: int) -> Mask:
    """Which of these are close to which later one."""
    close = np.triu(near, 1)
    rows, columns = np.nonzero(close)
    close[rows, columns] = _exact(signatures, places[rows], places[columns]) <= most
    return close


def _led(close: Mask) -> Ints:
    """For each its leader's place here, by who is close to whom; one after the other, as who is led leads nobody."""
    found = np.full(len(close), -1, dtype=np.int64)
    for place in range(len(close)):
        if found[place] < 0:
            found[place] = place
            followers = close[place]
            found[followers & (found < 0)] = place
    return found

"""Which runs are on the Pareto front between content kept and style gained. No streamlit import."""

import numpy as np
from sqlalchemy import Connection

from gallery.look import Floats, Ints, Look, Mask
from gallery.stretches import changes, start


def pareto_front(kept: Floats, gained: Floats, group: Ints) -> Mask:
    """The points that no other of their group beats: none is at least as good in both and better in one. Points with a NaN are on none."""
    found = np.zeros(len(kept), dtype=np.bool_)
    known = np.flatnonzero(~(np.isnan(kept) | np.isnan(gained)))
    order = known[np.lexsort([-gained[known], -kept[known], group[known]])]
    if not len(order):
        return found
    new_group = changes(group[order])
    new_kept = start(new_group | changes(kept[order]))
    # Each group's ranks lie above those of all groups before it, so that one running maximum serves them all.
    rank = np.unique(gained[order], return_inverse=True)[1] + (np.cumsum(new_group) - 1) * len(order)
    highest = np.maximum.accumulate(rank)
    before = np.where(new_kept > 0, highest[new_kept - 1], -1)  # the most that was gained where more was kept
    found[order] = (rank > before) & (rank == rank[new_kept])  # of equal content_kept, the first has gained the most
    return found


def front_of(connection: Connection, look: Look) -> Mask:
    """The runs of a look on the front of their content-style pair and protocol, whatever the filters hide."""
    group = np.unique(np.stack([look.pair, look.protocol]), axis=1, return_inverse=True)[1].reshape(-1) if len(look.pair) else look.pair
    return pareto_front(look.yardstick(connection, "content_kept"), look.yardstick(connection, "style_gained"), group)

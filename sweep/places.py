"""What a task asks of a node, and what room there is: the words between the driver and a back end. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What one task asks of a node. gpus is a number: whether a GPU is there has been looked up. memory: bytes, 0 for no wish."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where tasks of one kind can work. slots: how many at once, now. why: what there is instead, as a sentence, where that is none.

    may_grow: whether nodes may come, because an autoscaler starts them or a person does. most: how many at once when all nodes have come
    that an autoscaler is known to start.
    """

    slots: int
    most: int = 0
    why: str = ""
    may_grow: bool = False

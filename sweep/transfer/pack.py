"""A pack of runs: pictures of one size that go through the network together, each with its own weights, targets, state and end."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.checkpoint import Optimizer, encoded, optimizer_at
from sweep.transfer.companion import Companion, State, View, Wish
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized_to
from sweep.transfer.lbfgs import PackLBFGS
from sweep.transfer.member import Chunk, Ended, Member
from sweep.transfer.objective import PackObjective
from sweep.transfer.optimizers import PackAdam
from sweep.transfer.problem import Problem
from sweep.transfer.start import first_picture, resampled
from sweep.transfer.targets import Targets, as_image


@dataclass(frozen=True)
class Shot:
    """A snapshot: the picture after a step of the run, (H, W, 3) uint8 sRGB, at the size of its scale."""

    step: int
    pixels: np.ndarray


News = list[LossPoint] | Shot | View | State | Ended
Points = Mapping[int, list[LossPoint]]


def pack_key(problem: Problem) -> Hashable:
    """Problems of equal key can be optimised together: the same scales, recipe, optimiser's numbers and way through the network."""
    recipe = problem.recipe
    sizes = tuple((height, width) for height, width, _ in recipe.scales(*problem.content.pixels.shape[:2]))
    numbers = recipe.pyramid if recipe.name == "pyramid" else recipe.gatys
    return recipe.name, sizes, numbers, problem.pooling, problem.padding, problem.dtype


class Pack:
    """The runs of a pack, from where they are to the end. All problems are prepared and of one pack_key.

    Either all begin, or all go on (Member.go_on) at one scale. `companion` is asked before every step.
    """

    def __init__(self, targets: Targets, members: Sequence[Member], companion: Companion | None = None) -> None:
        self._targets, self._device = targets, targets.device
        self._members = members
        self._companion = companion

    def run(self) -> Iterator[tuple[int, News]]:
        """(place, news) of each: pieces of its loss curve (also empty ones, as a sign of life), Shots, last one Ended.

        Where the companion wishes for them also Views and States; a run that is asked to stop ends with its State instead.
        """
        first = self._members[0]
        for number in range(first.scale, len(first.plan)):
            members = [member for member in self._members if not member.gone]
            if not members:
                return
            goes_on = members[0].state is not None and members[0].scale == number
            optimizer = None if goes_on else self._enter(members, number)
            yield from self._scale([member for member in members if not member.done], optimizer)

    def _scale(self, members: list[Member], optimizer: Optimizer | None) -> Iterator[tuple[int, News]]:
        """The present scale to its end; from where the members are, if there is no optimiser yet."""
        while members:
            if optimizer is None:
                optimizer = _joined([member.state for member in members if member.state is not None])
            yield from self._steps(members, optimizer)
            parts: Sequence[Optimizer] = optimizer.parts()
            for row, member in enumerate(members):
                member.state = parts[row]
            for member in members:
                if member.ended:
                    member.gone = True
                    yield member.place, member.ending()
            members, optimizer = [member for member in members if not member.done], None

    def _steps(self, members: Sequence[Member], optimizer: Optimizer) -> Iterator[tuple[int, News]]:
        """Steps of the present scale until one of the members is done with it, or has left."""
        size = members[0].plan[members[0].scale][:2]
        objective = PackObjective([member.problem for member in members], self._targets, size)
        chunk = Chunk()
        while not any(member.done for member in members):
            wishes = self._wishes()
            if wishes:
                yield from _told(members, chunk.read(max(size)))
                yield from _granted(wishes, dict(zip([member.place for member in members], optimizer.parts(), strict=True)))
                if any(member.done for member in members):
                    return
            losses, ended = optimizer.advance(objective)
            chunk.add(losses, ended, members)
            yield from _shots([(row, members[row]) for row in ended if members[row].steps in members[row].snapshots], optimizer)
            due = [row for row in ended if members[row].due]
            if due or chunk.late():
                points = chunk.read(max(size))
                if due:
                    _look(members, due, optimizer.picture(), points)
                yield from _told(members, points)

    def _wishes(self) -> list[tuple[Member, Wish]]:
        """What the companion wishes of those at work, and of those that wait for the next scale."""
        if self._companion is None:
            return []
        asked = [(member, self._companion.wish(member.place, member.steps, member.share)) for member in self._members if not member.gone]
        return [(member, wish) for member, wish in asked if wish]

    def _enter(self, members: Sequence[Member], number: int) -> Optimizer:
        """Set the optimiser up for a scale, and the members."""
        size = members[0].plan[number][:2]
        states = [member.state for member in members if isinstance(member.state, PackAdam)]
        if states:
            starts = [self._enlarged(member.problem, state.picture(), *size) for member, state in zip(members, states, strict=True)]
            adam = PackAdam.joined(states)
            adam.move_to(torch.cat(starts))
            optimizer: Optimizer = adam
        else:
            images = torch.cat([first_picture(member.problem, *size, self._device) for member in members])
            optimizer = optimizer_at(images, members[0].problem.recipe)
        picture = optimizer.picture()
        for row, member in enumerate(members):
            member.enter(number, picture[row : row + 1])
        return optimizer

    def _enlarged(self, problem: Problem, picture: Tensor, height: int, width: int) -> Tensor:
        """The picture at the next scale. From content, only what was changed is enlarged, so that the photograph stays sharp."""
        if problem.recipe.init != "content":
            return resampled(picture, height, width).clamp(0, 1)
        photograph, larger = (
            as_image(resized_to(problem.content.pixels, *at), self._device) for at in (picture.shape[-2:], (height, width))
        )
        return (larger + resampled(picture - photograph, height, width)).clamp(0, 1)


def _look(members: Sequence[Member], due: Sequence[int], picture: Tensor, points: dict[int, list[LossPoint]]) -> None:
    """Keep the pictures that are due, and see who is done with the scale; one that stops early has its last step on the curve."""
    finite = torch.isfinite(picture).flatten(1).all(1).tolist()
    for row in due:
        member = members[row]
        if not member.diverged and not finite[row]:
            member.diverged = True
        if not member.diverged:
            member.finite = picture[row : row + 1]
            stopped = member.number < member.last and member.plateau()
            member.done = stopped or member.number == member.last
            if stopped and member.number - 1 not in member.kept:
                points.setdefault(member.place, []).append(LossPoint(member.steps, max(picture.shape[-2:]), *member.seen[-1]))


def _told(members: Sequence[Member], points: Points) -> Iterator[tuple[int, News]]:
    """The pieces of the curves; who has diverged is done."""
    for member in members:
        member.done = member.done or member.diverged
        yield member.place, points.get(member.place, [])


def _granted(wishes: Sequence[tuple[Member, Wish]], parts: Mapping[int, Optimizer]) -> Iterator[tuple[int, News]]:
    """What was wished for. A picture that is no longer finite is neither shown nor kept: such a run is about to end by itself.

    `parts`: the optimisers of those at work, by place; who waits for the next scale holds its own.
    """
    for member, wish in wishes:
        optimizer = parts.get(member.place, member.state)
        assert optimizer is not None
        picture = optimizer.picture()
        if member.diverged or not bool(torch.isfinite(picture).all()):
            continue
        if Wish.VIEW in wish:
            yield member.place, View(member.steps, member.finished(picture))
        if Wish.STATE in wish or Wish.STOP in wish:
            data = encoded(member.saved(optimizer), member.identity) if member.steps else None
            if Wish.STOP in wish:
                member.gone = member.done = True
            yield member.place, State(member.steps, data, member.gone)


def _shots(wanted: Sequence[tuple[int, Member]], optimizer: Optimizer) -> Iterator[tuple[int, News]]:
    """Snapshots, unless there is nothing to be seen: of pictures that are no longer finite."""
    if wanted:
        picture = optimizer.picture()
        for row, member in wanted:
            if bool(torch.isfinite(picture[row]).all()):
                yield member.place, Shot(member.steps, member.finished(picture[row : row + 1]))


def _joined(states: Sequence[Optimizer]) -> Optimizer:
    adams = [state for state in states if isinstance(state, PackAdam)]
    return PackAdam.joined(adams) if adams else PackLBFGS.joined([state for state in states if isinstance(state, PackLBFGS)])

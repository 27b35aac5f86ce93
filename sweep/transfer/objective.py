"""The objective of one scale for a pack of runs: what alpha, beta and tv weigh, with its constant targets.

Three losses share it; with F, P the features of picture and photograph, N channels, M positions, and G, A Gram matrices divided
by M (so that the style may have another size; where it has the same they are the papers' divided by M):

- `relative` (docs/design.md, section 4): mean over content layers of |F - P|^2 / |P|^2, and weighted mean over style layers of
  a relative distance (style_losses.relative_distance).
- `gatys` (Gatys et al. 2016, equations 1, 4 and 5): |F - P|^2 / 2, and the weighted mean of |G - A|^2 / (4 N^2).
- `johnson` (J. Johnson's neural-style and the script of his fast-neural-style; Johnson et al. 2016 without the mean over the
  N^2 entries): sum over layers of |F - P|^2 / (N M), and of |G - A|^2 / N^4. Layer weights are taken as 1 on average.

The published ones are in the units of their time: features of a network whose input runs from 0 to 255. Those of a network
with a normalised input (vgg19) are multiplied by the ratio of the units, about 58: a VGG's features grow nearly in proportion
to its input, and alpha and beta of the papers then mean what they meant there. Their tv is ours, not theirs.

The pictures of a pack go through the network together; contents, styles, weights, layer sets, regions and losses may differ. No
term mixes two pictures, so each picture's gradient is that of its own objective, whatever becomes of the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from sweep.transfer.controls import StyleLoss
from sweep.transfer.losses import content_bound, relative_content_loss, tv_loss
from sweep.transfer.presets import network_info
from sweep.transfer.problem import Problem, Region, Styles
from sweep.transfer.style_losses import Distance, GramDistance, blended, guide_of, relative_distance, stacked, together
from sweep.transfer.targets import Targets

_WHOLE: Final = 1.0
Layers = Mapping[str, float]


def caffe_units(network: str) -> float:
    """What features of a network are multiplied by to be those of an input from 0 to 255: 1 for both vgg16, 57.6 for vgg19."""
    info = network_info(network)
    return 255 * sum(info.std) / len(info.std) / info.scale


@dataclass(frozen=True, eq=False)
class _Term:
    """One layer's part of the content or of the style loss, for those pictures of the pack that have it.

    `rows`: which (None: all, in order); `weights` (R,). Where the loss counts for nothing in the objective (its alpha or beta
    is 0) it is only looked at: it costs no backward pass, and its NaN stays its own.
    """

    layer: str
    rows: Tensor | None
    weights: Tensor
    distance: Callable[[Tensor], Tensor]
    counts: bool

    def add_to(self, losses: Tensor, taps: Mapping[str, Tensor]) -> Tensor:
        features = taps[self.layer]
        if self.rows is not None:
            features = features.index_select(0, self.rows)
        if not self.counts:
            with torch.no_grad():
                value = self.weights * self.distance(features.detach())
        else:
            value = self.weights * self.distance(features)
        return losses + value if self.rows is None else losses.index_add(0, self.rows, value)


class PackObjective:
    """Called with pictures (B, 3, H, W), one for each problem: what each minimises (B,), and its unweighted losses (B, 3).

    The losses are content, style and tv, without a graph. `size` is (H, W).
    """

    def __init__(self, problems: Sequence[Problem], targets: Targets, size: tuple[int, int]) -> None:
        self._features, self._problems, self._targets, self.size = targets.network, problems, targets, size
        self._layers = {layer for problem in problems for layer in (*problem.content_layers, *problem.style_layers)}
        self._units = caffe_units(targets.network.network)
        self._made: dict[tuple[object, ...], Distance] = {}
        self._content = self._content_terms()
        self._style = self._style_terms()
        like = self._content[0].weights
        weights = like.new_tensor([_weights(problem) for problem in problems])
        # Times the number of pixels: the gradient of a mean over positions falls as 1/pixels, and L-BFGS would stand still.
        # The paper's content loss is a sum: its gradient does not fall.
        factors = [1 if problem.loss == "gatys" else size[0] * size[1] for problem in problems]
        self._weights = weights * like.new_tensor(factors)[:, None]
        self._smooths = any(problem.tv for problem in problems)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        taps = self._features(images, self._layers)
        content = style = images.new_zeros(len(self._problems))
        for term in self._content:
            content = term.add_to(content, taps)
        for term in self._style:
            style = term.add_to(style, taps)
        losses = torch.stack([content, style, tv_loss(images if self._smooths else images.detach())], dim=1)
        # Left out rather than multiplied by 0, for the same reason as a term that does not count.
        totals = torch.where(self._weights > 0, self._weights * losses, 0).sum(1)
        return totals, losses.detach()

    def _content_terms(self) -> list[_Term]:
        found: dict[tuple[str, bool], list[tuple[int, float, Tensor, Tensor]]] = {}
        for row, problem in enumerate(self._problems):
            targets = self._targets.features(problem.content, self.size, problem.content_layers)
            for layer, share in shares(problem.content_layers).items():
                bound = self._content_bound(problem, targets[layer])
                found.setdefault((layer, problem.alpha > 0), []).append((row, share, targets[layer], bound))
        terms = []
        for (layer, counts), parts in sorted(found.items()):
            target, bound = together([part[2] for part in parts]), together([part[3] for part in parts])
            rows, weights = self._rows(parts, like=target)
            terms.append(_Term(layer, rows, weights, _distance_to(target, bound), counts))
        return terms

    def _style_terms(self) -> list[_Term]:
        # A run's regions are in terms of their own, so that no term has a picture twice: adding up would have no fixed order.
        found: dict[tuple[str, bool, int, StyleLoss, bool], list[tuple[int, float, Distance, Tensor | None]]] = {}
        for row, problem in enumerate(self._problems):
            regions = problem.regions or (None,)
            for number, region in enumerate(regions):
                part = None if region is None or region.whole else region
                distances, guides = self._distances(problem, part, problem.styles if region is None else region.styles)
                area = _WHOLE if part is None else part.area
                for layer, share in shares(problem.style_layers).items():
                    key = (layer, problem.beta > 0, number, problem.style_loss, part is not None)
                    found.setdefault(key, []).append((row, share * area, distances[layer], guides[layer]))
        terms = []
        for (layer, counts, _, _, guided), parts in sorted(found.items()):
            distance = stacked([part[2] for part in parts])
            guide = together([part[3] for part in parts if part[3] is not None]) if guided else None
            rows, weights = self._rows(parts, like=next(iter(vars(distance).values())))
            terms.append(_Term(layer, rows, weights, _guided(distance, guide), counts))
        return terms

    def _rows(self, parts: Sequence[tuple[int, float, object, object]], like: Tensor) -> tuple[Tensor | None, Tensor]:
        rows = [part[0] for part in parts]
        weights = like.new_tensor([part[1] for part in parts])
        return None if rows == list(range(len(self._problems))) else torch.tensor(rows, device=like.device), weights

    def _content_bound(self, problem: Problem, target: Tensor) -> Tensor:
        """(1,): |P|^2, or what a published loss divides by, in the engine's units."""
        if problem.loss == "relative":
            return content_bound(target)
        divisor = 2.0 if problem.loss == "gatys" else target.numel() / len(problem.content_layers)
        return target.new_tensor([divisor / self._units**2])

    def _distances(self, problem: Problem, region: Region | None, styles: Styles) -> tuple[dict[str, Distance], dict[str, Tensor | None]]:
        """By layer: how far the picture, or a region of it, is from its style; and the region's guide."""
        mask = None if region is None else region.place
        own: tuple[object, ...] = (
            problem.loss,
            problem.style_loss,
            problem.style_scale,
            tuple((source.key, weight) for source, weight in styles),
        )
        # What the distance rests on besides: of the published losses, the number of layers; of ours, the photograph and its region.
        relative = problem.loss == "relative"
        own += (problem.content.key, mask and mask.key) if relative else (len(problem.style_layers),)
        names = {layer: (*own, layer) for layer in sorted(problem.style_layers)}
        missing = [layer for layer, name in names.items() if name not in self._made]
        if missing:
            target = style_target(problem, self._targets, max(self.size), styles)
            # The photograph's own statistics are part of the relative losses' bound only.
            start = self._targets.statistics(problem.content, self.size, missing, problem.style_loss, mask) if relative else target
            for layer in missing:
                self._made[names[layer]] = self._distance(problem, target[layer], start[layer])
        if mask is None:
            return {layer: self._made[name] for layer, name in names.items()}, dict.fromkeys(names)
        weights = mask.at(self.size, self._targets.device)
        guides = {layer: guide_of(weights, *size) for layer, size in self._features.sizes(self.size, names).items()}
        return {layer: self._made[name] for layer, name in names.items()}, dict(guides)

    def _distance(self, problem: Problem, target: Tensor, start: Tensor) -> Distance:
        if problem.loss == "relative":
            return relative_distance(problem.style_loss, target, start)
        channels = target.shape[-1]
        divisor = 4.0 * channels**2 if problem.loss == "gatys" else float(channels**4) / len(problem.style_layers)
        return GramDistance(target, target.new_tensor([divisor / self._units**4]))


def value_of(problem: Problem, losses: Sequence[float]) -> float:
    """What a problem minimises, but for a constant factor, from its three unweighted losses."""
    return sum(weight * loss for weight, loss in zip(_weights(problem), losses, strict=True) if weight)


def style_target(problem: Problem, targets: Targets, long_side: int, styles: Styles) -> dict[str, Tensor]:
    """The styles' statistics, blended: each style at its size beside a picture of that long side, its aspect its own."""
    each = [
        (targets.statistics(source, problem.style_size(source, long_side), problem.style_layers, problem.style_loss), weight)
        for source, weight in styles
        if weight
    ]
    kind = problem.style_loss
    return {layer: blended(kind, [(found[layer], weight) for found, weight in each]) for layer in problem.style_layers}


def shares(layers: Layers) -> dict[str, float]:
    """Layer weights scaled to sum 1, sorted: sums of floats depend on their order, and equal layers give the bit-equal picture."""
    total = float(sum(layers.values()))
    return {layer: layers[layer] / total for layer in sorted(layers)}


def _weights(problem: Problem) -> tuple[float, float, float]:
    return problem.alpha, problem.beta, problem.tv


def _distance_to(target: Tensor, bound: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda features: relative_content_loss(features, target, bound)


def _guided(distance: Distance, guide: Tensor | None) -> Callable[[Tensor], Tensor]:
    return lambda features: distance(features, guide)

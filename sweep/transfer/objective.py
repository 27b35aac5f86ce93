"""The objective of one scale: what alpha, beta and tv weigh, with its constant targets.

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
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from sweep.transfer.controls import Loss
from sweep.transfer.losses import content_bound, energy, gram_matrix, relative_content_loss, tv_loss, weighted_mean
from sweep.transfer.presets import network_info
from sweep.transfer.problem import Problem, Region, Styles
from sweep.transfer.style_losses import Distance, blended, guide_of, relative_distance
from sweep.transfer.targets import Targets

_WHOLE: Final = 1.0


def caffe_units(network: str) -> float:
    """What features of a network are multiplied by to be those of an input from 0 to 255: 1 for both vgg16, 57.6 for vgg19."""
    info = network_info(network)
    return 255 * sum(info.std) / len(info.std) / info.scale


@dataclass(frozen=True, kw_only=True)
class _StyleTerm:
    """The style of the picture or of a region, by layer; `share` is the area."""

    share: float
    guides: Mapping[str, Tensor | None]
    distances: Mapping[str, Distance]

    def value(self, taps: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
        parts = [self.distances[layer](taps[layer], self.guides[layer]) for layer in weights]
        return weighted_mean(parts, list(weights.values())) * self.share


class PictureObjective:
    """Called with a picture (1, 3, H, W): the value to minimise, and the three unweighted losses (content, style, tv)."""

    def __init__(self, problem: Problem, targets: Targets, size: tuple[int, int]) -> None:
        self._features, self._problem, self._targets, self.size = targets.network, problem, targets, size
        # In one order, whatever that of the problem: sums of floats depend on it, and equal layers give the bit-equal picture.
        self._content_layers = dict(sorted(problem.content_layers.items()))
        self._style_layers = dict(sorted(problem.style_layers.items()))
        self._layers = {*problem.content_layers, *problem.style_layers}
        self._units = caffe_units(targets.network.network)
        # Times the number of pixels: the gradient of a mean over positions falls as 1/pixels, and L-BFGS would stand still.
        # The paper's content loss is a sum: its gradient does not fall.
        self._factor = 1 if problem.loss == "gatys" else size[0] * size[1]
        self._content = targets.features(problem.content, size, problem.content_layers)
        self._bounds = {layer: self._content_bound(target) for layer, target in self._content.items()}
        regions = [None if region.whole else region for region in problem.regions] or [None]
        styles = [region.styles for region in problem.regions] or [problem.styles]
        self._terms = [self._term(region, own) for region, own in zip(regions, styles, strict=True)]

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        taps = self._features(image, self._layers)
        content = weighted_mean(
            [relative_content_loss(taps[layer], self._content[layer], self._bounds[layer]) for layer in self._content_layers],
            list(self._content_layers.values()),
        )
        style = self._terms[0].value(taps, self._style_layers)
        for term in self._terms[1:]:
            style = style + term.value(taps, self._style_layers)
        losses = (content, style, tv_loss(image))
        # A term of weight 0 is left out rather than multiplied by 0: it costs no backward pass and its NaN stays its own.
        total = torch.stack([weight * loss for weight, loss in zip(self._weights, losses, strict=True) if weight]).sum()
        return total * self._factor, torch.stack(losses).detach()

    @property
    def _weights(self) -> tuple[float, float, float]:
        return self._problem.alpha, self._problem.beta, self._problem.tv

    def value_of(self, losses: list[float]) -> float:
        """The objective, but for a constant factor, from the three unweighted losses."""
        return sum(weight * loss for weight, loss in zip(self._weights, losses, strict=True) if weight)

    def _content_bound(self, target: Tensor) -> Tensor:
        if self._problem.loss == "relative":
            return content_bound(target)
        layers = len(self._problem.content_layers)
        divisor = 2.0 if self._problem.loss == "gatys" else target.numel() / layers
        return torch.tensor(divisor / self._units**2, dtype=target.dtype, device=target.device)

    def _term(self, region: Region | None, styles: Styles) -> _StyleTerm:
        problem, mask = self._problem, None if region is None else region.place
        target = style_target(problem, self._targets, max(self.size), styles)
        distances: dict[str, Distance]
        if problem.loss == "relative":
            start = self._targets.statistics(problem.content, self.size, problem.style_layers, problem.style_loss, mask)
            distances = {layer: relative_distance(problem.style_loss, target[layer], start[layer]) for layer in problem.style_layers}
        else:
            divisor = len(problem.style_layers)
            distances = {layer: _published(problem.loss, gram, self._units, divisor) for layer, gram in target.items()}
        if region is None or mask is None:
            return _StyleTerm(share=_WHOLE, guides=dict.fromkeys(problem.style_layers), distances=distances)
        weights = mask.at(self.size, self._targets.device)
        guides = {layer: guide_of(weights, *size) for layer, size in self._features.sizes(self.size, problem.style_layers).items()}
        return _StyleTerm(share=region.area, guides=guides, distances=distances)


def style_target(problem: Problem, targets: Targets, long_side: int, styles: Styles) -> dict[str, Tensor]:
    """The styles' statistics, blended: each style at its size beside a picture of that long side, its aspect its own."""
    each = [
        (targets.statistics(source, problem.style_size(source, long_side), problem.style_layers, problem.style_loss), weight)
        for source, weight in styles
        if weight
    ]
    kind = problem.style_loss
    return {layer: blended(kind, [(found[layer], weight) for found, weight in each]) for layer in problem.style_layers}


def _published(loss: Loss, target: Tensor, units: float, layers: int) -> Distance:
    channels = target.shape[-1]
    divisor = 4.0 * channels**2 if loss == "gatys" else float(channels**4) / layers
    factor = units**4 / divisor

    def distance(features: Tensor, guide: Tensor | None) -> Tensor:
        return energy(gram_matrix(features, guide) - target) * factor

    return distance

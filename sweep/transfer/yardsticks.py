"""Yardsticks of a finished picture (docs/design.md, section 4): the same whatever the run's settings were.

Protocol y1 is what pictures are ordered by. The others beside it say what y1 does not see: each has a protocol of its own.
Protocol y2 orders as y1 does, but by three content layers, of which the usual losses optimise one, and by the style's moments:
an optimised picture keeps relu4_2 while it loses lines and gains grain, and its Gram matrices agree before its textures do.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sweep.transfer import measures, measures_pixels
from sweep.transfer.measures import distance
from sweep.transfer.measures_reader import Question, Reader, Want, asked, shape
from sweep.transfer.networks import Features
from sweep.transfer.targets import TargetCache
from sweep.transfer.yardstick_names import ALL_NAMES, LAYERS, MAIN_PROTOCOL, NAMES, NETWORK, PROTOCOLS

__all__ = ["ALL_NAMES", "NAMES", "NETWORK", "PROTOCOL", "PROTOCOLS", "YardstickMeter", "distance"]

PROTOCOL: Final = MAIN_PROTOCOL
LONG_SIDE: Final = 256
CONTENT_LAYER: Final = "relu4_2"
STYLE_LAYERS: Final = LAYERS
DETAIL_LAYERS: Final = ("relu2_2", "relu3_3", "relu4_2")
STRUCTURE_LAYER: Final = "relu4_1"
SMALLEST_ANCHOR: Final = 1e-6
SMALLEST_PALETTE_ANCHOR: Final = 1.0  # CIELAB units: a difference in colour that nobody sees cannot be gained
Values = dict[str, float | None]
_GRAMS: Final = tuple(Want("gram", layer) for layer in STYLE_LAYERS)
_MEANS: Final = tuple(Want("mean", layer) for layer in STYLE_LAYERS)
_SPREADS: Final = tuple(Want("covariance", layer) for layer in STYLE_LAYERS)
_CONTENT: Final = Want("features", CONTENT_LAYER)
_DETAILS: Final = tuple(Want("features", layer) for layer in DETAIL_LAYERS)
_STRUCTURE: Final = Want("similarities", STRUCTURE_LAYER)
_PALETTE: Final = Want("palette")


class YardstickMeter:
    """Measures pictures with the features of vgg16-hed (up to relu5_1 at least).

    What is the same from run to run (photographs, styles) is read once while it stays in the cache: about 25 MB for a pair.
    """

    def __init__(self, features: Features, cache: TargetCache | None = None, device: str = "cpu") -> None:
        assert features.network == NETWORK, "protocol y1 is defined by vgg16-hed"
        place = torch.device(device)
        self._inputs = Reader(features.to(place), TargetCache(128 * 2**20) if cache is None else cache, place)
        self._once = Reader(features, None, place)  # a measured picture is not seen again

    def measure_all(self, picture: np.ndarray, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]]) -> Values:
        """All yardsticks of a saved picture, by ALL_NAMES, from one pass through the network.

        All pixels (H, W, 3) uint8, style weights of any sum. A value is None where its anchor distance is under 1e-6 (nothing to be
        gained or lost), and all but those of pixels are where a picture is so thin that nothing is left of it at relu5_1.

        Beside y1: d_style_1 to d_style_5, the terms of d_style from shallow to deep; d_moments, from 0 (the style's mean
        and covariance at each layer) to 1 (nothing shared); d_structure, how differently places resemble each other, and
        d_colour, the distance of the palettes in CIELAB units; moments_gained, structure_kept and colour_gained, anchored
        as in y1; content_kept_y2, as in y1 but the mean over relu2_2, relu3_3 and relu4_2, and balance_y2, of that and
        moments_gained; sharpness, relative to the photograph's; clipped, a share.
        """
        question = asked(picture, content, styles, LONG_SIDE)
        values: Values = dict.fromkeys(ALL_NAMES)
        values |= {"sharpness": measures_pixels.sharpness(picture, content), "clipped": measures_pixels.clipped(picture)}
        found = self._once.read(question.picture, question.size, [_PALETTE])
        values |= self._colour(question, found)
        if not question.thin:
            found = self._once.read(question.picture, question.size, (*_DETAILS, _STRUCTURE, *_GRAMS, *_MEANS, *_SPREADS))
            self._inputs.read(question.photograph, question.size, (*_DETAILS, _STRUCTURE, *_GRAMS))  # in one pass what follows asks for
            values |= self._y1(question, found) | self._moments(question, found) | self._structure(question, found)
            kept = self._details_kept(question, found)
            values |= {"content_kept_y2": kept, "balance_y2": _balance(kept, values["moments_gained"])}
        return values

    def _y1(self, question: Question, found: dict[Want, Tensor]) -> Values:
        photograph = self._inputs.read(question.photograph, question.size, (_CONTENT, _STRUCTURE, *_GRAMS))
        content_anchor = sum(
            share * distance(self._inputs.read(style, question.size, (_CONTENT, _STRUCTURE))[_CONTENT], photograph[_CONTENT])
            for style, share in question.pasted
        )
        style: dict[Want, Tensor] = {}
        for source, share in question.own:
            for want, gram in self._inputs.read(source, shape(source), _GRAMS).items():
                style[want] = style[want] + share * gram if want in style else share * gram
        d_layers = [distance(found[want], style[want]) for want in _GRAMS]
        d_content, d_style = distance(found[_CONTENT], photograph[_CONTENT]), sum(d_layers) / len(d_layers)
        style_anchor = self._kept_number(
            question, "style", lambda: sum(distance(photograph[want], style[want]) for want in _GRAMS) / len(_GRAMS)
        )
        kept, gained = _anchored(d_content, content_anchor), _anchored(d_style, style_anchor)
        by_layer = {f"d_style_{number}": value for number, value in enumerate(d_layers, start=1)}
        return dict(zip(NAMES, (_balance(kept, gained), kept, gained, d_content, d_style), strict=True)) | by_layer

    def _moments(self, question: Question, found: dict[Want, Tensor]) -> Values:
        style = self._style_moments(question)

        def compared(seen: dict[Want, Tensor]) -> float:
            parts = [
                measures.gaussian_distance(seen[mean], seen[spread], *style[mean.layer])
                for mean, spread in zip(_MEANS, _SPREADS, strict=True)
            ]
            return sum(parts) / len(parts)

        anchor = self._kept_number(
            question, "moments", lambda: compared(self._once.read(question.photograph, question.size, (*_MEANS, *_SPREADS)))
        )
        value = compared(found)
        return {"d_moments": value, "moments_gained": _anchored(value, anchor)}

    def _style_moments(self, question: Question) -> dict[str, tuple[Tensor, Tensor]]:
        """By layer, the mean of the blend and the root of its covariance."""
        name, size = question.style_key, question.size
        made: dict[str, tuple[Tensor, Tensor]] = {}
        for layer in STYLE_LAYERS:
            mean_held, root_held = (self._inputs.recall(name, size, kind, layer) for kind in ("mean", "root"))
            if mean_held is not None and root_held is not None:
                made[layer] = mean_held, root_held
        if len(made) < len(STYLE_LAYERS):
            seen = [(self._inputs.read(style, shape(style), (*_MEANS, *_SPREADS)), share) for style, share in question.own]
            for mean, spread in zip(_MEANS, _SPREADS, strict=True):
                middle, mixed = measures.mixture([(one[mean], one[spread], share) for one, share in seen])
                made[mean.layer] = middle, measures.root(mixed)
                self._inputs.remember(name, size, ("mean", mean.layer), middle)
                self._inputs.remember(name, size, ("root", mean.layer), made[mean.layer][1])
        return made

    def _details_kept(self, question: Question, found: dict[Want, Tensor]) -> float | None:
        photograph = self._inputs.read(question.photograph, question.size, _DETAILS)
        kept = []
        for want in _DETAILS:

            def pasted(want: Want = want) -> float:
                seen = [(self._once.read(style, question.size, [want])[want], share) for style, share in question.pasted]
                return sum(share * distance(one, photograph[want]) for one, share in seen)

            anchor = self._kept_number(question, f"features {want.layer}", pasted)
            kept.append(_anchored(distance(found[want], photograph[want]), anchor))
        return None if None in kept else sum(value for value in kept if value is not None) / len(kept)

    def _structure(self, question: Question, found: dict[Want, Tensor]) -> Values:
        photograph = self._inputs.read(question.photograph, question.size, [_STRUCTURE])[_STRUCTURE]

        def pasted() -> float:
            seen = [(self._inputs.read(style, question.size, [_STRUCTURE])[_STRUCTURE], share) for style, share in question.pasted]
            return sum(share * measures.structure_distance(one, photograph) for one, share in seen)

        value = measures.structure_distance(found[_STRUCTURE], photograph)
        return {"d_structure": value, "structure_kept": _anchored(value, self._kept_number(question, "structure", pasted))}

    def _colour(self, question: Question, found: dict[Want, Tensor]) -> Values:
        parts = [(self._inputs.read(style, shape(style), [_PALETTE])[_PALETTE].numpy(), share) for style, share in question.own]
        style = measures_pixels.mixed_palette(parts)
        photograph = self._inputs.read(question.photograph, question.size, [_PALETTE])[_PALETTE].numpy()
        value, anchor = (measures_pixels.palette_distance(one, style) for one in (found[_PALETTE].numpy(), photograph))
        return {"d_colour": value, "colour_gained": _anchored(value, anchor, SMALLEST_PALETTE_ANCHOR)}

    def _kept_number(self, question: Question, kind: str, computed: Callable[[], float]) -> float:
        """A number that belongs to the photograph and the blend, computed once."""
        name = f"{question.photograph.key}|{question.style_key}"
        held = self._inputs.recall(name, question.size, kind)
        if held is None:
            held = torch.tensor(computed(), dtype=torch.float64)
            self._inputs.remember(name, question.size, (kind, ""), held)
        return float(held)


def _balance(kept: float | None, gained: float | None) -> float | None:
    """What is kept and what is gained in one number (exponents from SRQE): a heuristic."""
    return None if kept is None or gained is None else max(0.0, kept) ** 0.4 * max(0.0, gained) ** 0.6


def _anchored(value: float, anchor: float, smallest: float = SMALLEST_ANCHOR) -> float | None:
    """1 for a distance of 0, 0 for that of the anchor; None where there is nothing to be gained or lost."""
    return None if anchor < smallest else 1 - value / anchor

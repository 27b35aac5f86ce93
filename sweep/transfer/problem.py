"""What one run minimises, and how: pictures, weights and every control."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sweep.errors import InputError
from sweep.transfer.colours import recoloured
from sweep.transfer.controls import STYLE_SCALES, Colors, Dtype, Loss, Padding, Pooling, StyleLoss, check_choice, check_number
from sweep.transfer.images import one_shape, resized_to
from sweep.transfer.recipe import SMALLEST_SIDE, Recipe, fitted
from sweep.transfer.targets import Mask, Source

Styles = tuple[tuple[Source, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A part of the picture with styles of its own.

    `mask` (H, W): uint8 (255: inside), bool, or floats from 0 to 1; of the photograph's aspect, any size; soft edges blend.
    `styles` as in Problem. Raises InputError for another mask, an empty one, and for no style.
    """

    mask: np.ndarray
    styles: Styles
    place: Mask = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mask = self.mask
        if mask.ndim != 2 or not (mask.dtype in (np.uint8, np.bool_) or np.issubdtype(mask.dtype, np.floating)):
            raise InputError(
                f"A mask must be a grey picture of 8 bits, or numbers from 0 to 1, in rows and columns; "
                f"this one is {mask.dtype} of shape {mask.shape}. Save it as grey."
            )
        weights = mask.astype(np.float32) / (255 if mask.dtype == np.uint8 else 1)
        if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() <= 1):
            raise InputError("A mask of floating-point numbers must lie between 0 and 1 everywhere; divide it by its largest value.")
        if not weights.any():
            raise InputError("A mask is black everywhere, so its style would go nowhere; paint its region white or leave the region out.")
        if not self.styles:
            raise InputError("A region has no style; give one or leave the region out.")
        key = hashlib.sha256(repr(weights.shape).encode() + weights.tobytes()).hexdigest()
        object.__setattr__(self, "place", Mask(key, weights))

    @property
    def area(self) -> float:
        """Share of the picture, 0 to 1."""
        return float(self.place.weights.mean(dtype=np.float64))

    @property
    def whole(self) -> bool:
        """Whether every pixel belongs to it fully: then it is a run without masks."""
        return bool((self.place.weights == 1).all())


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What one run minimises: alpha * E_content + beta * E_style + tv * E_tv, and how.

    `styles` are (source, weight) with weights that sum to 1; several are blended by the weighted mean of their statistics.
    `alpha` or `beta` may be 0. Of the layers' weights only the proportions matter.

    style_scale: long side of a style, as a factor of the picture's, at every scale; a style is never enlarged.
    pooling, padding, dtype: see Features.variant. colors: 'style'; 'content' gives the finished picture hue and chroma of the
    photograph; 'matched' recolours the styles to the photograph before (see colours). style_loss: see
    style_losses.relative_distance. loss: 'relative' or a published one (see objective); these know Gram matrices only.
    regions: styles confined to masks; `styles` is then (). What no mask covers is the photograph (see outside). Each
    region counts by its area, so that beta does to a pixel inside what it does without masks.

    Raises InputError for values outside these.
    """

    content: Source
    styles: Styles
    alpha: float
    beta: float
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    recipe: Recipe
    tv: float = 0.0
    style_scale: float = 1.0
    pooling: Pooling = "max"
    padding: Padding = "zero"
    colors: Colors = "style"
    style_loss: StyleLoss = "gram"
    loss: Loss = "relative"
    dtype: Dtype = "float32"
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        check_number(self.style_scale, "style_scale", *STYLE_SCALES)
        check_choice(self.pooling, Pooling, "There is no pooling {}")
        check_choice(self.padding, Padding, "There is no padding {}")
        check_choice(self.colors, Colors, "A picture cannot have colors {}")
        check_choice(self.style_loss, StyleLoss, "There is no style_loss {}")
        check_choice(self.loss, Loss, "There is no loss {}")
        check_choice(self.dtype, Dtype, "A network cannot compute in {}")
        if self.loss != "relative" and self.style_loss != "gram":
            raise InputError(
                f"The published loss {self.loss} is one of Gram matrices, so style_loss {self.style_loss} cannot go with it; "
                "take loss relative, or style_loss gram."
            )
        if bool(self.styles) == bool(self.regions):
            both = "both styles and regions" if self.styles else "neither a style nor regions"
            raise InputError(f"A run was given {both}; give styles for the whole picture, or regions with styles of their own.")
        for region in self.regions:
            self._check_mask(region.mask)

    def _check_mask(self, mask: np.ndarray) -> None:
        height, width = self.content.pixels.shape[:2]
        if not one_shape(mask.shape, (height, width)):
            raise InputError(
                f"A mask of {mask.shape[1]} x {mask.shape[0]} pixels has another shape than the photograph of {width} x {height}; "
                "make it from the photograph, whole and upright."
            )

    @property
    def all_styles(self) -> Styles:
        """Every style with its share of the whole picture, weights summing to 1: that of a region counts by its area."""
        if not self.regions:
            return self.styles
        total = sum(region.area for region in self.regions)
        return tuple((source, weight * region.area / total) for region in self.regions for source, weight in region.styles)

    def style_size(self, source: Source, long_side: int) -> tuple[int, int]:
        """(height, width) of a style where the picture has that long side: style_scale times it, its own aspect.

        Not over its own size; nor, where that is larger, so small that under 16 pixels of a side are left, too few for relu5_1.
        """
        height, width = source.pixels.shape[:2]
        if self.style_scale == 1:
            return fitted(height, width, long_side)
        least = -(-SMALLEST_SIDE * max(height, width) // min(height, width))
        return fitted(height, width, max(round(long_side * self.style_scale), least))

    def prepared(self) -> "Problem":
        """The problem with its styles recoloured, where `colors` asks for that."""
        if self.colors != "matched":
            return self
        regions = tuple(replace(region, styles=self._recoloured(region.styles, region)) for region in self.regions)
        return replace(self, styles=self._recoloured(self.styles, None), regions=regions)

    def _recoloured(self, styles: Styles, region: Region | None) -> Styles:
        """To the photograph's colours; to those of the region's part of it, where there is one."""
        photograph, weights, part = self.content.pixels, None, ""
        if region is not None:
            weights = _resized_mask(region.place.weights, photograph.shape[0], photograph.shape[1])
            weights = weights if weights.any() else None
            part = f"/{region.place.key}"
        return tuple(
            (Source(f"{source.key}/coloured as {self.content.key}{part}", recoloured(source.pixels, photograph, weights)), weight)
            for source, weight in styles
        )


def _resized_mask(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    levels = np.repeat(np.rint(weights * 255).astype(np.uint8)[..., None], 3, axis=2)
    return resized_to(levels, height, width)[..., 0]

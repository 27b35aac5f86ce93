"""What no mask covers is the photograph, in the finished picture too."""

import numpy as np
import torch

from sweep.transfer.images import resized_to
from sweep.transfer.problem import Problem

_WHOLE = 0.99  # of a place's cover: masks that complete each other do so up to a level or two of 8 bits


def with_photograph_outside(pixels: np.ndarray, problem: Problem) -> np.ndarray:
    """The finished picture (H, W, 3) uint8, laid over the photograph by how far the masks together cover a place.

    Optimising alone does not keep the rest: deep features see past a mask's edge, and Adam makes full steps of the smallest
    gradients, which left the surroundings 10 to 30 levels from the photograph. Without regions, and where they cover everything,
    the picture is returned as it is.
    """
    if not problem.regions:
        return pixels
    height, width = pixels.shape[:2]
    covers = [region.place.at((height, width), torch.device("cpu")) for region in problem.regions]
    cover = torch.stack(covers).sum(dim=0).clamp(max=1).numpy()[..., None]
    cover = np.where(cover > _WHOLE, np.float32(1), cover)
    if (cover == 1).all():
        return pixels
    photograph = resized_to(problem.content.pixels, height, width).astype(np.float32)
    laid: np.ndarray = np.rint(photograph + cover * (pixels - photograph))
    return laid.astype(np.uint8)

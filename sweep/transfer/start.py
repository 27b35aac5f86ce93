"""Where an optimisation starts, and how a picture gets from one scale to the next."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sweep.transfer.images import resized_to
from sweep.transfer.problem import Problem
from sweep.transfer.targets import as_image

NOISE = 0.02  # standard deviation of the start `noise`, of [0, 1]
BLOT = 4  # pixels across a blot of the start `style_noise`


def first_picture(problem: Problem, height: int, width: int, device: torch.device) -> Tensor:
    """Where the optimisation starts: the photograph, noise in the styles' colours, or noise.

    Noise is drawn on the CPU, so that a seed means the same on every device.
    """
    if problem.recipe.init == "content":
        return as_image(resized_to(problem.content.pixels, height, width), device)
    generator = torch.Generator().manual_seed(problem.recipe.seed)
    if problem.recipe.init == "noise":
        # Faint, as in neural-style: the losses hardly see single pixels, so strong noise would stay in the picture as grain.
        return (0.5 + NOISE * torch.randn((1, 3, height, width), generator=generator)).to(device)
    mean, spread = _colours(problem)
    # Blots of a few pixels, for the same reason.
    blots = torch.randn((1, 3, -(-height // BLOT), -(-width // BLOT)), generator=generator)
    flat = resampled(blots, height, width).reshape(3, -1).T
    flat = (flat - flat.mean(0)) / flat.std(0, correction=0).clamp(min=1e-6)
    noise = flat @ spread.T + mean
    return noise.clamp_(0, 1).T.reshape(1, 3, height, width).contiguous().to(device)


def _colours(problem: Problem) -> tuple[Tensor, Tensor]:
    """Mean colour of the styles' mixture, and a square root of its covariance."""
    weights = [weight for _, weight in problem.all_styles]
    colours = [torch.from_numpy(source.pixels.reshape(-1, 3) / 255.0) for source, _ in problem.all_styles]
    mean = sum((w * c.mean(0) for w, c in zip(weights, colours, strict=True)), torch.zeros(3, dtype=torch.float64))
    square = sum((w * (c.T @ c) / len(c) for w, c in zip(weights, colours, strict=True)), torch.zeros((3, 3), dtype=torch.float64))
    values, vectors = torch.linalg.eigh(square - torch.outer(mean, mean))
    return mean.float(), (vectors * values.clamp(min=0).sqrt()).float()


def resampled(image: Tensor, height: int, width: int) -> Tensor:
    """A picture (1, 3, H, W) at another size, bicubic."""
    return interpolate(image, (height, width), mode="bicubic", align_corners=False)

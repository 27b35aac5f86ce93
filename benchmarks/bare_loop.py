"""Style transfer as one would write it in a page of PyTorch: what the engine's steps are measured against.

The same losses, optimiser, clamping and averaging as the recipe `pyramid` at one scale, channels_last, frozen and truncated;
no events, no loss curve, no checks. It gives the engine's own picture (tests/test_benchmarks.py), so it does the same work.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sweep.transfer.presets import layer_names, network_info
from sweep.transfer.weights import Weights

LEARNING_RATE, LEVELS, BETAS, AVERAGING = 0.03, 4, (0.9, 0.99), 0.9
EPSILON = 1e-12


class BareLoop:
    """One picture, optimised in place; pictures are (H, W, 3) uint8 of one size."""

    def __init__(
        self, weights: Weights, layers: tuple[Mapping[str, float], Mapping[str, float]], ratio: float, device: str = "cpu"
    ) -> None:
        self._network = _network(weights, {*layers[0], *layers[1]}).to(device, memory_format=torch.channels_last)
        info = network_info(weights.network)
        self._mean, self._std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (info.mean, info.std))
        self._bgr, self._scale, self._device = info.bgr, info.scale, device
        self._ratio = ratio
        self._content_weights, self._style_weights = ({k: v / sum(one.values()) for k, v in one.items()} for one in layers)

    def begin(self, content: np.ndarray, style: np.ndarray) -> None:
        """Compute the targets and set up the optimiser."""
        photograph, painting = self._image(content), self._image(style)
        with torch.no_grad():
            taps, painted = self._features(photograph), self._features(painting)
            self._content = {layer: taps[layer].clone() for layer in self._content_weights}
            self._content_energy = {layer: tap.square().sum() + EPSILON for layer, tap in self._content.items()}
            self._style = {layer: _gram(painted[layer]) for layer in self._style_weights}
            self._style_energy = {
                layer: gram.square().sum() + _gram(taps[layer]).square().sum() + EPSILON for layer, gram in self._style.items()
            }
        self.image = photograph.requires_grad_()
        self.average = torch.zeros_like(photograph)
        self._steps = 0
        height, width = photograph.shape[-2:]
        # What is added to the picture, by resolution, fine to coarse; emptied after every step.
        self._changes = [photograph.new_zeros((1, 3, -(-height // 2**level), -(-width // 2**level))) for level in range(LEVELS)]
        self._adam = torch.optim.Adam(self._changes, lr=LEARNING_RATE / LEVELS, betas=BETAS)

    def step(self) -> None:
        """One step of Adam, a clamp, and the averaged iterate."""
        taps = self._features(self.image)
        content = sum(
            share * (taps[layer] - self._content[layer]).square().sum() / self._content_energy[layer]
            for layer, share in self._content_weights.items()
        )
        style = sum(
            share * (_gram(taps[layer]) - self._style[layer]).square().sum() / self._style_energy[layer]
            for layer, share in self._style_weights.items()
        )
        loss = (content + self._ratio * style) * (self.image.shape[-1] * self.image.shape[-2])
        (gradient,) = torch.autograd.grad(loss, self.image)
        for change in self._changes:
            if change.shape != gradient.shape:
                gradient = interpolate(gradient, change.shape[-2:], mode="bilinear", antialias=True)
            change.grad = gradient
            change.zero_()
        self._adam.step()
        with torch.no_grad():
            for change in self._changes:
                self.image.add_(change if change.shape == self.image.shape else interpolate(change, self.image.shape[-2:], mode="bicubic"))
            self.image.clamp_(0, 1)
            self.average.lerp_(self.image, 1 - AVERAGING)
        self._steps += 1

    def picture(self) -> np.ndarray:
        """The averaged iterate, (H, W, 3) uint8."""
        image = (self.average / (1 - AVERAGING**self._steps)).clamp(0, 1).mul(255).round().to(torch.uint8)
        return image[0].permute(1, 2, 0).cpu().numpy()

    def _features(self, image: Tensor) -> dict[str, Tensor]:
        hidden = ((image.flip(1) if self._bgr else image) * self._scale - self._mean) / self._std
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        taps = {}
        for name, layer in self._network.items():
            hidden = layer(hidden)
            if name in self._content_weights or name in self._style_weights:
                taps[name] = hidden
        return taps

    def _image(self, pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(pixels.copy()).to(self._device).permute(2, 0, 1)[None].float().div_(255).contiguous()


def _gram(features: Tensor) -> Tensor:
    flat = features.permute(0, 2, 3, 1).flatten(0, 2) / (features.shape[-1] * features.shape[-2]) ** 0.5
    return flat.T @ flat


def _network(weights: Weights, wanted: set[str]) -> nn.ModuleDict:
    """conv, relu and pool by name, up to the deepest wanted layer."""
    names = layer_names(weights.network)
    modules: dict[str, nn.Module] = {}
    for name in names[: max(map(names.index, wanted)) + 1]:
        if name.startswith("conv"):
            kernel, bias = (torch.from_numpy(weights.arrays[f"{name}.{part}"].copy()) for part in ("weight", "bias"))
            modules[name] = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, device="meta")
            modules[name].weight, modules[name].bias = nn.Parameter(kernel), nn.Parameter(bias)
        else:
            modules[name] = nn.ReLU(inplace=True) if name.startswith("relu") else nn.MaxPool2d(2)
    return nn.ModuleDict(modules).requires_grad_(False)

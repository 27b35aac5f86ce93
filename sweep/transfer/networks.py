"""VGG as a frozen feature extractor."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from sweep.errors import InputError
from sweep.transfer.presets import check_layers, layer_names, network_info
from sweep.transfer.weights import Weights


class Features(nn.Module):
    """The layers of a VGG network up to `deepest`, frozen, in channels_last memory.

    `network` and `content_hash` say whose features these are. Raises InputError for a layer that the network lacks.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, weights: Weights, deepest: str) -> None:
        super().__init__()
        check_layers(weights.network, {deepest})
        info = network_info(weights.network)
        names = layer_names(weights.network)
        self.network = weights.network
        self.content_hash = weights.content_hash
        self.names = names[: names.index(deepest) + 1]
        self._bgr = info.bgr
        self._scale = info.scale
        self.register_buffer("_mean", torch.tensor(info.mean).view(1, 3, 1, 1))
        self.register_buffer("_std", torch.tensor(info.std).view(1, 3, 1, 1))
        self.convs = nn.ModuleDict({name: _conv(weights, name) for name in self.names if name.startswith("conv")})
        self.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The asked layers of pictures (B, 3, H, W) with values in [0, 1]; nothing is computed past the deepest of them.

        Raises InputError for a layer that is unknown or past this network's end, and for a picture too small for a pool.
        """
        wanted = set(layers)
        self._check(wanted, image)
        last = max(wanted, key=self.names.index)
        taps: dict[str, Tensor] = {}
        hidden = self._normalised(image)
        for name in self.names:
            hidden = self._layer(name, hidden, keep_input=f"conv{name[4:]}" in wanted)
            if name in wanted:
                taps[name] = hidden
            if name == last:
                break
        return taps

    def _layer(self, name: str, hidden: Tensor, keep_input: bool) -> Tensor:
        if name.startswith("conv"):
            return self.convs[name](hidden)  # type: ignore[no-any-return]
        if name.startswith("relu"):
            # In place would turn a tapped conv layer into its relu.
            return torch.relu(hidden) if keep_input else torch.relu_(hidden)
        return torch.max_pool2d(hidden, 2)

    def _normalised(self, image: Tensor) -> Tensor:
        image = image.flip(1) if self._bgr else image
        normal = (image * self._scale - self._mean) / self._std
        return normal.contiguous(memory_format=torch.channels_last)

    def _check(self, wanted: set[str], image: Tensor) -> None:
        allowed = [name for name in self.names if not name.startswith("pool")]
        unknown = sorted(wanted.difference(allowed))
        if unknown or not wanted:
            asked = ", ".join(unknown) or "none"
            raise InputError(f"Layer {asked} of {self.network} was asked for; available are {', '.join(allowed)}.")
        last = max(wanted, key=self.names.index)
        pools = sum(name.startswith("pool") for name in self.names[: self.names.index(last)])
        height, width = image.shape[-2:]
        if min(height, width) < 2**pools:
            raise InputError(
                f"A picture of {width} x {height} pixels is too small for layer {last}: "
                f"its shorter side needs at least {2**pools} pixels. Take a larger size or shallower layers."
            )


def _conv(weights: Weights, name: str) -> nn.Conv2d:
    weight, bias = (torch.from_numpy(weights.arrays[f"{name}.{part}"].copy()) for part in ("weight", "bias"))
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device="meta")
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv

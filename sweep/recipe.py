"""The recipe of a picture: what a file carries inside it, so that it can be made again. Standard library and our own words only."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from db.store import ClaimedRun
from sweep import __version__
from sweep.combination import RunSettings, Settings, Weights

SCHEMA = "stylesweep-run/1"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a picture comes from, in the user's words. names: SHA-256 of an input picture -> its base name."""

    run_key: str
    sweep: str
    names: Mapping[str, str]
    alpha: float
    beta: float
    layers: str


def recipe(settings: RunSettings, origin: Origin) -> dict[str, Any]:
    """Plain JSON values, in the words of a sweep's file."""
    names, alpha, beta = origin.names, origin.alpha, origin.beta

    def shared(shares: Weights) -> list[dict[str, Any]]:
        return [{"name": names[sha256], "sha256": sha256, "share": share} for sha256, share in shares]

    regions = [{"mask": {"name": names[mask], "sha256": mask}, "style": shared(shares)} for mask, shares in settings.regions]
    return {
        "schema": SCHEMA,
        "run_key": origin.run_key,
        "sweep": origin.sweep,
        "content": {"name": names[settings.content], "sha256": settings.content},
        "style": shared(settings.style),
        **({"regions": regions} if regions else {}),
        "alpha": alpha,
        "beta": beta,
        "layers": {"name": origin.layers, "content": dict(settings.content_layers), "style": dict(settings.style_layers)},
        # tv as the user wrote it: the run's own is divided by alpha + beta.
        "settings": _plain(settings.settings) | {"tv": settings.tv * (alpha + beta)},
        "tool": f"stylesweep {__version__}",
    }


@functools.lru_cache(maxsize=256)
def _plain(settings: Settings) -> dict[str, Any]:
    """Runs of a sweep share few of them. Not to be changed."""
    return asdict(settings)


def run_recipe(claimed: ClaimedRun) -> dict[str, Any]:
    """The recipe a worker writes into a picture when it makes it; an export puts its own combination's in its place."""
    words = ("run_key", "sweep", "names", "alpha", "beta", "layers")
    return recipe(claimed.settings, Origin(**{word: getattr(claimed, word) for word in words}))

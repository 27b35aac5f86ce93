"""What no value of a sweep's file shows alone: parameters that do not go together."""

import itertools
from collections.abc import Mapping

from sweep.axes import Axis
from sweep.combination import normalised_ratio, normalised_tv
from sweep.errors import InputError, SpecError
from sweep.transfer.presets import check_layers
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import YamlFile

Axes = Mapping[str, Axis]


def check_together(file: YamlFile, axes: Axes) -> None:
    """Both weights zero, a layer that one of the networks lacks, a number of another recipe, losses that exclude each other.

    Raises:
        SpecError: names the file, the line, the key, the values and what to do.
    """
    _check_losses(file, axes)
    _check_numbers(file, axes)
    for alpha, beta in itertools.product(axes["alpha"].values, axes["beta"].values):
        try:
            normalised_ratio(alpha, beta)
        except ValueError as error:
            raise SpecError(f"{file.where(axes['beta'].key)}: {error}.") from error
    for alpha, beta, tv in itertools.product(*(_extremes(axes[name].values) for name in ("alpha", "beta", "tv"))):
        try:
            normalised_tv(tv, alpha, beta)
        except ValueError as error:
            raise SpecError(f"{file.where(axes['tv'].key)}: {error}.") from error
    for network, layers in itertools.product(axes["network"].values, axes["layers"].values):
        try:
            check_layers(network, set(layers.layers()))
        except InputError as error:
            raise SpecError(f"{file.where(axes['layers'].key)}: {error}") from error


def _check_losses(file: YamlFile, axes: Axes) -> None:
    for loss, style_loss in itertools.product(axes["loss"].values, axes["style_loss"].values):
        if loss != "relative" and style_loss != "gram":
            raise SpecError(
                f"{file.where(axes['loss'].key)}: the published loss {loss!r} is one of Gram matrices, so style_loss {style_loss!r} "
                "cannot go with it; take loss relative, or style_loss gram."
            )


def _check_numbers(file: YamlFile, axes: Axes) -> None:
    """A number that a recipe does not have would be said of its runs without being true of them."""
    recipes = axes["recipe"].values
    for name, number in NUMBERS.items():
        given = [value for value in axes[name].values if value is not None]
        others = [recipe for recipe in recipes if recipe != number.recipe]
        if given and others:
            also = "" if others == list(recipes) else f", or give the runs with recipe {others[0]} a file of their own"
            raise SpecError(
                f"{file.where(axes[name].key)}: {given[0]} is not allowed: {name} belongs to the recipe {number.recipe}, and the recipe "
                f"{others[0]} has none; leave it out, take recipe {number.recipe} alone{also}."
            )


def _extremes(values: tuple[float, ...]) -> set[float]:
    """The values between which all others are possible too: the ends, and the end of those above zero."""
    return {min(values), max(values), *sorted(value for value in values if value > 0)[:1]}

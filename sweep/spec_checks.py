"""What no value of a sweep's file shows alone: parameters that do not go together."""

import itertools
from typing import Any

from sweep.combination import normalised_ratio, normalised_tv
from sweep.conditions import AT
from sweep.errors import InputError, SpecError
from sweep.space import Space
from sweep.transfer.presets import check_layers
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import YamlFile


def check_together(file: YamlFile, space: Space) -> None:
    """Both weights zero, a layer that one of the networks lacks, a number of another recipe, losses that exclude each other.

    What never meets (`zip`, `when`, `exclude`) is not compared; of what is drawn, that which was drawn is.

    Raises:
        SpecError: names the file, the line, the key, the values and what to do.
    """
    _check_losses(file, space)
    _check_numbers(file, space)
    _check_weights(file, space)
    for network, layers in space.facts("network", "layers"):
        try:
            check_layers(network, set(layers.layers()))
        except InputError as error:
            raise SpecError(f"{_where(file, space, 'layers', layers)}: {error}") from error


def _where(file: YamlFile, space: Space, name: str, value: Any) -> str:
    """Where the value of a parameter stands: under `when` if there alone."""
    axes = [space.axes[name], *(rule.axes[AT[name]] for rule in space.rules if AT[name] in rule.axes)]
    return file.where(next((axis.key for axis in axes if axis.span is not None or value in axis.values), axes[0].key))


def _check_weights(file: YamlFile, space: Space) -> None:
    """Alpha, beta and tv that meet; of a product their extremes alone, as the rest lies between them."""
    met = space.facts("alpha", "beta", "tv")
    if space.plain:
        met = itertools.product(*(_extremes(space.axes[name].values) for name in ("alpha", "beta", "tv")))
    for alpha, beta, tv in met:
        try:
            normalised_ratio(alpha, beta)
        except ValueError as error:
            raise SpecError(f"{_where(file, space, 'beta', beta)}: {error}.") from error
        try:
            normalised_tv(tv, alpha, beta)
        except ValueError as error:
            raise SpecError(f"{_where(file, space, 'tv', tv)}: {error}.") from error


def _check_losses(file: YamlFile, space: Space) -> None:
    for loss, style_loss in space.facts("loss", "style_loss"):
        if loss != "relative" and style_loss != "gram":
            raise SpecError(
                f"{_where(file, space, 'loss', loss)}: the published loss {loss!r} is one of Gram matrices, so style_loss {style_loss!r} "
                "cannot go with it; take loss relative, or style_loss gram."
            )


def _check_numbers(file: YamlFile, space: Space) -> None:
    """A number that a recipe does not have would be said of its runs without being true of them."""
    for name, number in NUMBERS.items():
        met = list(space.facts("recipe", name))
        given, other = next(((value, recipe) for recipe, value in met if value is not None and recipe != number.recipe), (None, None))
        if given is not None:
            also = ""
            if any(recipe == number.recipe for recipe, _ in met):
                also = f", or move it to `when: [{{if: {{recipe: {number.recipe}}}, then: {{{name}: ...}}}}]`"
            raise SpecError(
                f"{_where(file, space, name, given)}: {given} is not allowed: {name} belongs to the recipe {number.recipe}, and the recipe "
                f"{other} has none; leave it out, take recipe {number.recipe} alone{also}."
            )


def _extremes(values: tuple[float, ...]) -> set[float]:
    """The values between which all others are possible too: the ends, and the end of those above zero."""
    return {min(values), max(values), *sorted(value for value in values if value > 0)[:1]}

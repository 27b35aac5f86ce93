"""Pictures made before a control existed stay what they were, bit by bit, while the control is at its neutral value."""

import hashlib
import platform
from collections.abc import Callable

import pytest
import torch

from sweep.transfer.networks import Features
from sweep.transfer.presets import LAYER_SETS
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Source, stylize

pytestmark = pytest.mark.weights

# Floating-point sums depend on the processor and on torch, so the pins hold where they were computed.
PINNED_ON = ("2.13.0+cpu", "AVX512", "x86_64")
PINS = {
    "pyramid": "c3c0ff7aac86c71e52934171d4f1d2ff8ddee4e0793cf0e3c25d1882f1141d1d",
    "gatys": "78debc39184672babf9415c23d9ee77dbf2ecda4590b4f0fab07268e9390d54f",
}


def digest(features: Features, problem: Problem) -> str:
    *pieces, outcome = stylize(features, problem)
    assert isinstance(outcome, Outcome)
    curve = repr([point for piece in pieces for point in piece])
    return hashlib.sha256(outcome.pixels.tobytes() + curve.encode()).hexdigest()


@pytest.mark.parametrize("name", list(PINS))
def test_a_small_real_run_gives_the_bits_that_it_gave_before_the_controls(
    name: str, hed_features: Features, source: Callable[..., Source]
) -> None:
    here = (str(torch.__version__), torch.backends.cpu.get_cpu_capability(), platform.machine())
    if here != PINNED_ON:
        pytest.skip(f"pinned on {PINNED_ON}, this is {here}")
    content_layers, style_layers = LAYER_SETS["painterly"]
    problem = Problem(
        content=source(1, 120, 160),
        styles=((source(2, 100, 90), 0.75), (source(3, 60, 80), 0.25)),
        alpha=1 / 21,
        beta=20 / 21,
        tv=0.01,
        content_layers=content_layers,
        style_layers=style_layers,
        recipe=Recipe(name=name, size=144 if name == "pyramid" else 80, steps=6),
    )
    assert digest(hed_features, problem) == PINS[name]

"""Losses `gatys` and `johnson` against transcriptions of the published formulas that share no code with the engine.

The transcriptions take the picture in the units of their time (0 to 255, mean subtracted) through the same convolutions.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import objective_of
from torch.nn import functional

from sweep.errors import InputError
from sweep.transfer.networks import Features
from sweep.transfer.objective import caffe_units
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Source, TargetCache, stylize
from sweep.transfer.targets import Targets
from sweep.transfer.weights import Weights

STYLE = {"relu1_1": 1.0, "relu1_2": 1.0, "relu2_1": 1.0}


def taps_of(weights: Weights, image: torch.Tensor, times: float) -> dict[str, torch.Tensor]:
    """Layers up to relu2_2 of a picture in [0, 1]; the features multiplied by `times`."""
    if weights.network == "vgg19":
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        hidden = (image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    else:
        hidden = image.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    found = {}
    for name in ("1_1", "1_2", "2_1", "2_2"):
        if name == "2_1":
            hidden = functional.max_pool2d(hidden, 2, 2)
        kernel, bias = (torch.from_numpy(weights.arrays[f"conv{name}.{part}"]) for part in ("weight", "bias"))
        hidden = functional.conv2d(hidden, kernel, bias, padding=1).clamp(min=0)
        found[f"relu{name}"] = hidden * times
    return found


def gatys_2016(found: dict, photograph: dict, style: dict, alpha: float, beta: float) -> torch.Tensor:
    """Equations 1, 3, 4, 5 and 7: raw Gram matrices of pictures of one size, w_l one over the number of layers."""
    total = alpha * 0.5 * ((found["relu2_2"] - photograph["relu2_2"]) ** 2).sum()
    for layer in STYLE:
        f, a = (taps[layer][0].flatten(1) for taps in (found, style))
        n, m = f.shape
        total = total + beta / len(STYLE) * ((f @ f.T - a @ a.T) ** 2).sum() / (4 * n**2 * m**2)
    return total


def neural_style(found: dict, photograph: dict, style: dict, content_weight: float, style_weight: float) -> torch.Tensor:
    """neural_style.lua: nn.MSECriterion (a mean) of features, and of Gram matrices divided by the number of features."""
    total = content_weight * functional.mse_loss(found["relu2_2"], photograph["relu2_2"])
    for layer in STYLE:
        grams = []
        for taps in (found, style):
            flat = taps[layer].reshape(taps[layer].shape[1], -1)
            grams.append(torch.mm(flat, flat.t()).div(taps[layer].nelement()))
        total = total + style_weight * functional.mse_loss(grams[0], grams[1])
    return total


def both_gradients(weights: Weights, loss: str, ratio: tuple[float, float], source: Callable[..., Source]) -> tuple[np.ndarray, np.ndarray]:
    """The engine's gradient at a picture, with weights that sum to 1, and the transcription's with the published ones."""
    photograph, style = source(1, 32, 40), source(2, 32, 40)
    alpha, beta = ratio
    problem = Problem(
        content=photograph,
        styles=((style, 1.0),),
        alpha=alpha / (alpha + beta),
        beta=beta / (alpha + beta),
        content_layers={"relu2_2": 1.0},
        style_layers=STYLE,
        recipe=Recipe(size=40),
        loss=loss,  # type: ignore[arg-type]
    )
    targets = Targets(Features(weights, "relu2_2"), TargetCache(), torch.device("cpu"))
    image = torch.from_numpy(source(3, 32, 40).pixels / 255).permute(2, 0, 1)[None].float().requires_grad_()
    (ours,) = torch.autograd.grad(objective_of(problem, targets, (32, 40))(image)[0], image)

    def layers(pixels: np.ndarray) -> dict[str, torch.Tensor]:
        return taps_of(weights, torch.from_numpy(pixels / 255).permute(2, 0, 1)[None].float(), times)

    # What a normalised input has been divided by: 255 times the mean of its three deviations.
    times = 255 * (0.229 + 0.224 + 0.225) / 3 if weights.network == "vgg19" else 1.0
    formula = gatys_2016 if loss == "gatys" else neural_style
    total = formula(taps_of(weights, image, times), layers(photograph.pixels), layers(style.pixels), alpha, beta)
    (theirs,) = torch.autograd.grad(total, image)
    return ours.double().numpy().ravel(), theirs.double().numpy().ravel()


@pytest.mark.parametrize("network", ["vgg16-hed", "vgg19"])
@pytest.mark.parametrize(
    ("loss", "ratio"), [("gatys", (1.0, 1e3)), ("gatys", (8e-4, 1.0)), ("johnson", (5.0, 100.0)), ("johnson", (1.0, 5.0))], ids=str
)
def test_the_gradient_is_the_published_one_but_for_one_positive_factor(
    loss: str, ratio: tuple[float, float], network: str, random_weights: Callable[..., Weights], source: Callable[..., Source]
) -> None:
    ours, theirs = both_gradients(random_weights(network), loss, ratio, source)
    factor = (ours @ theirs) / (theirs @ theirs)
    assert factor > 0
    np.testing.assert_allclose(ours, factor * theirs, rtol=0, atol=2e-4 * np.abs(ours).max())


def test_both_terms_of_the_published_losses_are_felt_in_that_comparison(
    random_weights: Callable[..., Weights], source: Callable[..., Source]
) -> None:
    # Were one term a thousandth of the other, a wrong weight of it could hide in the tolerance.
    for loss, ratio in (("gatys", (1.0, 1e3)), ("johnson", (5.0, 100.0))):
        both = both_gradients(random_weights(), loss, ratio, source)[1]
        style = both_gradients(random_weights(), loss, (0.0, ratio[1]), source)[1]
        share = np.linalg.norm(style) / np.linalg.norm(both)
        assert np.linalg.norm(both - style) / np.linalg.norm(both) > 0.005 and share > 0.005


def test_features_are_in_units_of_an_input_from_0_to_255() -> None:
    assert caffe_units("vgg16") == caffe_units("vgg16-hed") == 1
    assert caffe_units("vgg19") == pytest.approx(57.6, rel=0.01)


@pytest.mark.parametrize("loss", ["gatys", "johnson"])
@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_a_published_loss_falls_in_a_run(loss: str, name: str, random_features: Features, source: Callable[..., Source]) -> None:
    beta = 1e3 if loss == "gatys" else 20.0
    problem = Problem(
        content=source(1),
        styles=((source(2, 40, 90), 1.0),),
        alpha=1 / (1 + beta),
        beta=beta / (1 + beta),
        content_layers={"relu2_1": 1.0},
        style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
        recipe=Recipe(name=name, size=64, steps=25),
        loss=loss,  # type: ignore[arg-type]
    )
    *pieces, outcome = stylize(random_features, problem)
    assert isinstance(outcome, Outcome) and outcome.moved and not outcome.diverged
    points = [point for piece in pieces if isinstance(piece, list) for point in piece]
    totals = [problem.alpha * point.content_loss + problem.beta * point.style_loss for point in points]
    assert totals[-1] < 0.7 * totals[0]


def test_a_published_loss_takes_gram_matrices_only(source: Callable[..., Source]) -> None:
    with pytest.raises(InputError, match=r"Gram matrices.*style_loss wasserstein"):
        Problem(
            content=source(1),
            styles=((source(2), 1.0),),
            alpha=0.5,
            beta=0.5,
            content_layers={"relu2_1": 1.0},
            style_layers={"relu1_1": 1.0},
            recipe=Recipe(),
            loss="gatys",
            style_loss="wasserstein",
        )

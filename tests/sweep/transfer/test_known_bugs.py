"""Bugs that other implementations have had, each as a test that would catch it here. Named after the bug."""

from collections.abc import Callable

import numpy as np
import problems
import pytest
import torch
from problems import Sources, problem_of

from sweep.errors import InputError
from sweep.transfer import member, pack
from sweep.transfer.networks import Features
from sweep.transfer.presets import layer_names
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Source, Stop, TargetCache, stylize
from sweep.transfer.targets import Targets, as_image, as_pixels
from sweep.transfer.weights import Weights

CPU = torch.device("cpu")


def objective_at(features: Features, problem: Problem) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    return problems.objective_of(problem, Targets(features, TargetCache(), CPU), (48, 64))


def gradient_of(features: Features, problem: Problem, seed: int = 0) -> torch.Tensor:
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(seed)).requires_grad_()
    return torch.autograd.grad(objective_at(features, problem)(image)[0], image)[0]


def outcome_of(features: Features, problem: Problem) -> Outcome:
    *_, outcome = stylize(features, problem)
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("loss", ["relative", "gatys", "johnson"])
def test_a_weight_that_multiplies_its_gradient_twice(loss: str, random_features: Features, source: Sources) -> None:
    # neural-style-pt's normalize_gradients: a style weight of 100 acted as 10,000.
    one, hundred = (gradient_of(random_features, problem_of(source, alpha=0.0, beta=beta, loss=loss)) for beta in (1.0, 100.0))
    torch.testing.assert_close(hundred, 100 * one, rtol=1e-4, atol=1e-6 * hundred.abs().max().item())


@pytest.mark.parametrize("style_loss", ["gram", "wasserstein", "moments"])
def test_a_normalised_gradient_that_still_depends_on_the_features_scale(
    style_loss: str, random_weights: Callable[..., Weights], source: Sources
) -> None:
    weights = random_weights()
    larger = {name: array * (9 if name.startswith("conv1_1") else 1) for name, array in weights.arrays.items()}
    layers = {"content_layers": {"relu1_1": 1.0}, "style_layers": {"relu1_1": 1.0}}
    problem = problem_of(source, style_loss=style_loss, **layers)
    pair = [gradient_of(Features(Weights(weights.network, a, str(id(a))), "relu1_1"), problem) for a in (weights.arrays, larger)]
    torch.testing.assert_close(pair[0], pair[1], rtol=1e-2, atol=1e-3 * pair[0].abs().max().item())


def test_a_conv_target_that_the_relu_in_place_rectifies(random_features: Features, source: Sources) -> None:
    # neural-style-pt: the photograph's own loss is not 0, and backward fails.
    problem = problem_of(source, content_layers={"conv1_2": 1.0, "conv2_1": 1.0}, style_layers={"conv1_1": 1.0, "conv1_2": 1.0})
    objective = objective_at(random_features, problem)
    image = as_image(problem.content.pixels, CPU).requires_grad_()
    total, losses = objective(image)
    assert losses[0].item() == 0 and losses[1].item() > 0
    assert torch.autograd.grad(total, image)[0].abs().max() > 0
    targets = Targets(random_features, TargetCache(), CPU)
    assert targets.features(problem.content, (48, 64), ["conv2_1"])["conv2_1"].min() < 0


def test_a_network_that_is_not_truncated_after_a_conv_layer(random_features: Features, source: Sources) -> None:
    computed: list[str] = []
    handles = [conv.register_forward_hook(lambda *_, name=name: computed.append(name)) for name, conv in random_features.convs.items()]
    objective = objective_at(random_features, problem_of(source, content_layers={"conv1_2": 1.0}, style_layers={"conv1_1": 1.0}))
    computed.clear()
    objective(torch.rand((1, 3, 48, 64)))
    for handle in handles:
        handle.remove()
    assert computed == ["conv1_1", "conv1_2"]


def test_a_conv_name_that_means_the_relu_behind_it(random_features: Features, source: Sources) -> None:
    # gordicaleksa's conv4_2 is relu4_2.
    pair = [gradient_of(random_features, problem_of(source, content_layers={layer: 1.0}, beta=0.0)) for layer in ("conv2_1", "relu2_1")]
    assert not torch.allclose(pair[0], pair[1], rtol=0.05)


def test_layers_that_are_counted_instead_of_named() -> None:
    # The PyTorch tutorial's conv_4 is the paper's conv2_2.
    convs = [name for name in layer_names("vgg19") if name.startswith("conv")]
    assert (convs[3], convs.index("conv4_2")) == ("conv2_2", 9)


def test_a_picture_that_is_clamped_inside_the_closure_of_lbfgs(random_features: Features, source: Sources) -> None:
    # The PyTorch tutorial: the line search then works on another function than it is told.
    seen: list[torch.Tensor] = []
    bright = Source("bright", np.full((48, 64, 3), 250, np.uint8))
    problem = problem_of(source, content=bright, alpha=0.0, beta=1.0, recipe=Recipe(name="gatys", size=64, steps=10))

    class Watched(pack.PackObjective):
        def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.append(image.detach().clone())
            return super().__call__(image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "PackObjective", Watched)
        outcome = outcome_of(random_features, problem)
    assert max(image.max().item() for image in seen) > 1 or min(image.min().item() for image in seen) < 0
    assert outcome.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_a_run_that_ends_before_its_last_step_and_saves_nothing(name: str, random_features: Features, source: Sources) -> None:
    # gordicaleksa saves only when its counter reaches 999.
    recipe = Recipe(name=name, size=64, steps=1000, stop=Stop(below=0.3, per=5))
    outcome = outcome_of(random_features, problem_of(source, recipe=recipe))
    assert outcome.steps < 1000 and outcome.moved
    assert np.abs(outcome.pixels.astype(int) - source(1).pixels).mean() > 1


def test_a_tv_term_that_is_in_the_gradient_but_not_in_the_loss(random_features: Features, source: Sources) -> None:
    # neural_style.lua: L-BFGS then sees a value and a gradient of two functions.
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    without, with_tv = (objective_at(random_features, problem_of(source, tv=tv))(image) for tv in (0.0, 5.0))
    assert (with_tv[0] - without[0]).item() == pytest.approx(48 * 64 * 5 * with_tv[1][2].item(), rel=1e-3)
    difference = gradient_of(random_features, problem_of(source, tv=5.0)) - gradient_of(random_features, problem_of(source))
    inner = difference[..., 1:-1, 1:-1]
    x = image[..., 1:-1, 1:-1]
    down = (2 * x - image[..., :-2, 1:-1] - image[..., 2:, 1:-1]) * 2 / (3 * 47 * 64)
    across = (2 * x - image[..., 1:-1, :-2] - image[..., 1:-1, 2:]) * 2 / (3 * 48 * 63)
    torch.testing.assert_close(inner, 48 * 64 * 5 * (down + across), rtol=1e-2, atol=2e-2)


def test_layers_out_of_network_order_that_are_dropped(random_features: Features, source: Sources) -> None:
    # neural_style.lua reads its list in network order only.
    ordered, not_ordered = ({name: 1.0 for name in names} for names in (("relu1_1", "relu2_1"), ("relu2_1", "relu1_1")))
    pair = [gradient_of(random_features, problem_of(source, alpha=0.0, style_layers=layers)) for layers in (ordered, not_ordered)]
    assert torch.equal(pair[0], pair[1])
    one = gradient_of(random_features, problem_of(source, alpha=0.0, style_layers={"relu2_1": 1.0}))
    assert not torch.allclose(pair[0], one, rtol=0.05)
    with pytest.raises(InputError, match="relu2_9"):
        next(stylize(random_features, problem_of(source, style_layers={"relu1_1": 1.0, "relu2_9": 1.0})))


def test_pixels_that_are_scaled_by_256() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    image = as_image(levels, CPU)
    assert image.max() == 1 and image.min() == 0
    np.testing.assert_array_equal(as_pixels(image), levels)


def test_a_style_strength_that_is_divided_by_the_number_of_layers_twice(random_features: Features, source: Sources) -> None:
    # cysmith: adding a layer weakened the style. The mean over layers of one value is that value.
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(0))
    each = {}
    for layer in ("relu1_1", "relu1_2", "relu2_1"):
        each[layer] = objective_at(random_features, problem_of(source, style_layers={layer: 3.0}))(image)[1][1].item()
    together = objective_at(random_features, problem_of(source, style_layers=dict.fromkeys(each, 3.0)))(image)[1][1].item()
    assert together == pytest.approx(sum(each.values()) / 3, rel=1e-5)


def test_a_style_that_is_squashed_to_the_photograph_s_shape(random_features: Features, source: Sources) -> None:
    asked: list[tuple[int, int]] = []

    class Watched(Targets):
        def statistics(self, source: Source, size: tuple[int, int], *rest: object) -> dict[str, torch.Tensor]:
            asked.append(size)
            return super().statistics(source, size, *rest)  # type: ignore[arg-type]

    tall = source(2, 90, 30)
    problems.objective_of(problem_of(source, styles=((tall, 1.0),)), Watched(random_features, TargetCache(), CPU), (48, 64))
    assert sorted(asked) == [(48, 64), (64, 21)]


def test_noise_without_a_seed(random_features: Features, source: Sources) -> None:
    for init in ("noise", "style_noise"):
        problem = problem_of(source, recipe=Recipe(size=32, steps=2, init=init, seed=7))  # type: ignore[arg-type]
        torch.manual_seed(1)
        first = outcome_of(random_features, problem).pixels
        torch.manual_seed(2)
        np.testing.assert_array_equal(first, outcome_of(random_features, problem).pixels)


def test_a_picture_that_depends_on_how_often_somebody_looks(
    random_features: Features, source: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # anishathalye returns the best of the pictures at checkpoints.
    problem = problem_of(source, recipe=Recipe(size=64, steps=30))
    expected = outcome_of(random_features, problem).pixels
    *_, watched = stylize(random_features, problem, snapshots=frozenset(range(1, 31)))
    assert isinstance(watched, Outcome)
    np.testing.assert_array_equal(expected, watched.pixels)
    monkeypatch.setattr(member, "CHUNK_STEPS", 7)
    np.testing.assert_array_equal(expected, outcome_of(random_features, problem).pixels)


def test_a_saved_picture_that_is_stretched_to_black_and_white(random_features: Features, source: Sources) -> None:
    # boromir674 stretches every picture to 0 to 255, so that colours of two runs cannot be compared.
    faint = Source("faint", (100 + source(1).pixels // 8).astype(np.uint8))
    found = outcome_of(random_features, problem_of(source, content=faint, alpha=1.0, beta=0.0)).pixels
    assert np.abs(found.astype(int) - faint.pixels).max() <= 1


@pytest.mark.parametrize("network", ["vgg19", "vgg16", "vgg16-hed"])
def test_a_network_that_is_fed_pictures_it_was_not_trained_on(network: str, random_weights: Callable[..., Weights]) -> None:
    # STROTSS did not normalise its inputs until May 2020. The mean colour of ImageNet is 0 to every network.
    mean = torch.tensor([123.68, 116.779, 103.939]) / 255
    features = Features(random_weights(network), "conv1_1")
    seen = features._normalised(mean.view(1, 3, 1, 1).expand(1, 3, 4, 4))
    spread = features._normalised(torch.ones((1, 3, 4, 4))) - features._normalised(torch.zeros((1, 3, 4, 4)))
    assert (seen.abs().amax() / spread.abs().amin()).item() < 0.01
    # Red comes last for the network that was trained on blue, green, red.
    red = features._normalised(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4))[0, :, 0, 0]
    assert int(red.argmax()) == (2 if network == "vgg16-hed" else 0)

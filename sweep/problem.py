"""What a run minimises: the problem that a request means, with its pictures at hand."""

from sweep.combination import Weights, normalised_weights
from sweep.request import Inputs, RunRequest, picture_side, style_side
from sweep.transfer.images import resized_to
from sweep.transfer.problem import Problem, Region, Styles
from sweep.transfer.recipe import Recipe
from sweep.transfer.targets import Source


def style_shares(request: RunRequest, problem: Problem) -> Weights:
    """Each style with its share of the picture, which for a region is one of its area."""
    if not problem.regions:
        return request.settings.style
    weighed: dict[str, float] = {}
    for (_, styles), region in zip(request.settings.regions, problem.regions, strict=True):
        for sha256, share in styles:
            weighed[sha256] = weighed.get(sha256, 0.0) + share * region.area
    return normalised_weights(weighed)


_CONTROLS = ("style_scale", "pooling", "padding", "colors", "style_loss", "loss", "dtype")


def problem_of(request: RunRequest, inputs: Inputs) -> Problem:
    """What a run minimises, with its pictures at hand. Raises InputError, or what the inputs raise."""
    run_settings, settings = request.settings, request.settings.settings
    side = picture_side(request)

    def source(sha256: str, long_side: int) -> Source:
        # Shrunk twice a picture is not quite the same as shrunk once, so targets are kept apart by what they were made from.
        pixels = inputs.pixels(sha256, long_side)
        return Source(key=f"{sha256} {pixels.shape[0]}x{pixels.shape[1]}", pixels=pixels)

    def sources(shares: Weights) -> Styles:
        return tuple((source(sha256, style_side(request)), share) for sha256, share in shares)

    content = source(run_settings.content, side)
    # To the photograph's shape: two pictures of nearly one aspect may differ by more than the engine allows once they are tiny.
    masks = [resized_to(inputs.mask(sha256, side), *content.pixels.shape[:2]) for sha256, _ in run_settings.regions]
    regions = zip(masks, (shares for _, shares in run_settings.regions), strict=True)
    return Problem(
        content=content,
        styles=() if run_settings.regions else sources(run_settings.style),
        regions=tuple(Region(mask=mask, styles=sources(shares)) for mask, shares in regions),
        **{name: getattr(settings, name) for name in _CONTROLS},
        alpha=run_settings.alpha,
        beta=run_settings.beta,
        tv=run_settings.tv,
        content_layers=dict(run_settings.content_layers),
        style_layers=dict(run_settings.style_layers),
        # By area too the side is fixed here: the photograph that is at hand was shrunk, and its rounded shape would give another.
        recipe=Recipe.of({**vars(settings), "size": side, "size_by": "long_side"}),
    )

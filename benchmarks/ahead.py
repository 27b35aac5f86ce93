"""Is the default recipe ahead of the others at equal work? Style distance at equal content distance, three methods, some pairs.

    .venv/bin/python benchmarks/ahead.py [--quick] [--size N] [--work 0.5,1,2] [--out DIR] [--json]
    .venv/bin/python benchmarks/ahead.py --content photograph.jpg --style painting.jpg

The methods: the recipe `pyramid` with the default layer set, as a user gets it; the recipe `gatys` (L-BFGS at one scale) with the
losses of neural-style; and a pyramid with the losses, weights and numbers of style-transfer-pytorch. Each makes pictures of several
strengths from the photograph at the same work (network passes x pixels; 1 is that of the default recipe). The curves are then
compared at content distances (y1) that all have reached. Nothing is random: it prints the same again on the same machine.
Needs the samples (`pip install -e '.[samples]'`) unless it is given pictures, and the weights of vgg16-hed.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from ahead_curves import Reached, at_content, common_range, spread
from ahead_methods import GATYS, NETWORK, OURS, WASSERSTEIN, Methods, Pair, work_of
from PIL import Image, ImageDraw

from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import open_picture, resized
from sweep.transfer.networks import Features
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Source
from sweep.transfer.weights import load_weights
from sweep.transfer.yardsticks import YardstickMeter

SAMPLES: Final = (("cat", "mosaic"), ("coffee", "impasto"), ("rocket", "woodcut"))
# beta / alpha of ours and of neural-style (whose own is 20), and 1 / the content weight of style-transfer-pytorch (67).
STRENGTHS: Final = {OURS: (10.0, 30.0, 100.0, 300.0), GATYS: (200.0, 2e3, 2e4), WASSERSTEIN: (10.0, 30.0, 90.0)}
QUICK_STRENGTHS: Final = {OURS: (10.0, 30.0, 100.0), GATYS: (200.0, 2e3), WASSERSTEIN: (10.0, 67.0)}
SHOWN: Final = ("d_style", "d_moments", "d_colour", "content_kept_y2", "balance_y2")
LOWER_IS_BETTER: Final = ("d_style", "d_moments", "d_colour")


@dataclass(frozen=True)
class Compared:
    """The methods at one content distance: each yardstick by method, and whether ours has the least style distance."""

    pair: str
    work: float  # in units of the default recipe's
    content: float
    values: dict[str, dict[str, float]]
    ahead: bool


def pairs(options: argparse.Namespace) -> list[Pair]:
    """The pair that was asked for, or those of the samples."""
    if options.content:
        files = (options.content, options.style)
        found = [(path.stem, open_picture(path.read_bytes(), path.name).pixels) for path in files]
        return [_pair(found[0], found[1], options.size)]
    names = SAMPLES[:1] if options.quick else SAMPLES
    return [
        _pair((photograph, sample_photograph(photograph)), (style, drawn_style(style, 512)), options.size) for photograph, style in names
    ]


def _pair(content: tuple[str, np.ndarray], style: tuple[str, np.ndarray], size: int) -> Pair:
    photograph, painting = Source(content[0], resized(content[1], size)), Source(style[0], resized(style[1], size))
    return Pair(f"{content[0]} + {style[0]}", photograph, painting)


class Trials:
    """Runs the methods on a pair and measures what they made."""

    def __init__(self, out: Path | None) -> None:
        weights = load_weights(NETWORK)
        self._methods, self._meter, self._out = Methods(weights), YardstickMeter(Features(weights, "relu5_1")), out

    def reached(self, pair: Pair, strengths: dict[str, tuple[float, ...]], shares: list[float]) -> Iterator[tuple[float, Reached]]:
        """Every picture, with its share of the default recipe's work."""
        height, width = pair.content.pixels.shape[:2]
        whole = work_of(Recipe(size=max(height, width)).scales(height, width))
        for method, make in self._methods.all.items():
            for strength in strengths[method]:
                for share, made in zip(sorted(shares), make(pair, strength, [whole * part for part in sorted(shares)]), strict=True):
                    values = self._meter.measure_all(made.pixels, pair.content.pixels, [(pair.style.pixels, 1.0)])
                    point = Reached(method, strength, made.work, {name: value for name, value in values.items() if value is not None})
                    if self._out:
                        self._keep(made.pixels, pair, share, point)
                    yield share, point

    def _keep(self, pixels: np.ndarray, pair: Pair, share: float, point: Reached) -> None:
        assert self._out is not None
        self._out.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + 12), "white")
        picture.paste(Image.fromarray(pixels), (0, 12))
        text = f"{point.strength:g}  content {point.values['d_content']:.3f} style {point.values['d_style']:.3f}"
        ImageDraw.Draw(picture).text((2, 0), text, fill="black")
        name = f"{pair.name}, work {share:g}, {point.method}, {point.strength:g}.png"
        picture.save(self._out / name.replace("'", "").replace(" ", "_"))


def compared(pair: str, share: float, points: list[Reached], count: int) -> list[Compared]:
    """The methods side by side at content distances that all have reached."""
    curves = {method: [point for point in points if point.method == method] for method in STRENGTHS}
    reach = common_range(list(curves.values()))
    rows = []
    for content in [] if reach is None else spread(*reach, count):
        values = {name: {method: at_content(curve, content, name) for method, curve in curves.items()} for name in SHOWN}
        least = min(values["d_style"], key=lambda method: values["d_style"][method])
        rows.append(Compared(pair, share, content, values, least == OURS))
    return rows


def as_lines(row: Compared) -> Iterator[str]:
    """A line per method."""
    for method in STRENGTHS:
        figures = "".join(f"{row.values[name][method]:18.4f}" for name in SHOWN)
        verdict = ("ahead" if row.ahead else "NOT AHEAD") if method == OURS else ""
        yield f"{row.pair:22} {row.work:4g} {row.content:8.3f}  {method:40}{figures}  {verdict}".rstrip()


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, help="a photograph of your own, instead of the samples")
    parser.add_argument("--style", type=Path, help="a painting of your own")
    parser.add_argument("--size", type=int, help="long side in pixels (192, or 128 with --quick)")
    parser.add_argument("--work", default="1", help="shares of the default recipe's work, with commas between")
    parser.add_argument("--at", type=int, default=3, help="at how many content distances the methods are compared")
    parser.add_argument("--quick", action="store_true", help="one pair, fewer strengths, 128 pixels, a quarter of the work")
    parser.add_argument("--out", type=Path, help="keep every picture here")
    parser.add_argument("--json", action="store_true", help="an object for machines instead of the table")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if (options.content is None) != (options.style is None):
        parser.error("--content and --style go together: give both, or neither for the samples.")
    torch.set_num_threads(options.threads)
    options.size = options.size or (128 if options.quick else 192)
    shares = [0.25] if options.quick else [float(part) for part in options.work.split(",")]
    trials, rows, made = Trials(options.out), [], []
    if not options.json:
        print(f"{'pair':22} work {'content':>8}  {'method':40}" + "".join(f"{name:>18}" for name in SHOWN))
    for pair in pairs(options):
        points = list(trials.reached(pair, QUICK_STRENGTHS if options.quick else STRENGTHS, shares))
        made += [{"pair": pair.name, "share": share, **asdict(point)} for share, point in points]
        for share in sorted(shares):
            found = compared(pair.name, share, [point for part, point in points if part == share], options.at)
            rows += found
            if not options.json:
                print("\n".join(line for row in found for line in as_lines(row)) or f"{pair.name}: no common content distance", flush=True)
    if options.json:
        print(json.dumps({"compared": [asdict(row) for row in rows], "pictures": made}, indent=1))


if __name__ == "__main__":
    main()

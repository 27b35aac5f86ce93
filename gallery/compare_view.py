"""What is compared: the runs that the URL names, their pictures beside content and style. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from db import queries
from db.models import Run
from db.queries import PARAMETERS, Result
from gallery.crops import LARGEST_WHOLE, Crop
from gallery.routes import original_url
from gallery.run_pictures import NO_PICTURE
from gallery.wording import alternative, caption, label, number
from sweep.combination import RunSettings

MODES = ("side", "slider", "flicker", "difference")
MOST_RUNS = 4
INPUTS = ("content", "style", "style2", "style3", "style4")
"""The content, and the pictures of the style, of a blend those of the greatest shares, the greatest first."""
MOST_STYLES = len(INPUTS) - 1
LETTERS = "ABCDEFGHI"
"""One for each of `MOST_RUNS` and `INPUTS`."""
_SHORT = len("r1-") + 12
_MOST_NAMED = 20
_SMALLEST_STYLE = 16


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the URL asks for: run keys or beginnings of them, and words of `INPUTS`; how it is shown; the places of the pair."""

    ids: tuple[str, ...] = ()
    mode: str = MODES[0]
    pair: tuple[int, int] = (0, 1)


def read_request(params: Mapping[str, Sequence[str]]) -> Request:
    """From query parameters; anything that makes no sense is passed over."""
    words = [word.strip()[:64] for text in params.get("ids", ()) for word in text[:2000].split(",")]
    mode = next((mode for mode in params.get("mode", ()) if mode in MODES), MODES[0])
    pair = next((text for text in params.get("pair", ()) if len(text) == 2 and text[0] != text[1] and set(text) <= set(LETTERS)), "AB")
    return Request(
        ids=tuple(word for word in words if word)[:_MOST_NAMED], mode=mode, pair=(LETTERS.index(pair[0]), LETTERS.index(pair[1]))
    )


def shown_params(mode: str, pair: Sequence[int]) -> dict[str, str]:
    """How it is shown as query parameters; what goes without saying stands in no URL."""
    params = {"mode": mode} if mode != MODES[0] else {}
    letters = "".join(LETTERS[place] for place in pair)
    return params | ({"pair": letters} if letters != "AB" else {})


@dataclass(frozen=True, kw_only=True)
class Pane:
    """One picture on the stage. scale: pixels of the frame (the largest picture's) for one of its own; none: why there is no picture."""

    token: str
    letter: str
    name: str
    note: str
    alt: str = ""
    src: str | None = None
    none: str = ""
    w: int = 3
    h: int = 2
    scale: float = 1.0
    colour: str | None = None
    original: str | None = None
    run: str | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The runs by first mention, and all panes in the order of the URL. remarks: what the URL asked for in vain."""

    runs: tuple[Result, ...]
    panes: tuple[Pane, ...]
    remarks: tuple[str, ...]

    @property
    def inputs_of(self) -> Result | None:
        """The run whose content and style are on the stage: the first with a picture."""
        return next((run for run in self.runs if run.width), next(iter(self.runs), None))

    @property
    def letters(self) -> tuple[str, ...]:
        """Of the runs."""
        of = {pane.run: pane.letter for pane in self.panes}
        return tuple(of[run.run_key] for run in self.runs)

    @property
    def differing(self) -> tuple[str, ...]:
        """The parameters in which the runs differ, in the order people read them."""
        return differing(self.runs)


def style_parts(run: Result) -> list[tuple[str, float]]:
    """(SHA-256, share) of the pictures of a run's style, the greatest share first."""
    return sorted(RunSettings.from_canonical(run.settings).style, key=lambda part: -part[1])


def style_tokens(run: Result) -> tuple[str, ...]:
    """The words of `INPUTS` for all that can be shown of a run's style."""
    return INPUTS[1 : 1 + len(style_parts(run))]


def differing(runs: Sequence[Result]) -> tuple[str, ...]:
    """The parameters that are not the same for all."""
    return tuple(name for name in PARAMETERS if len({run.parameters[name] for run in runs}) > 1)


def read_compared(connection: Connection, request: Request, sweeps: Sequence[str]) -> Compared:
    """Read what is compared. Of a run that several combinations share, the one from these sweeps if there is one."""
    remarks: list[str] = []
    runs: dict[str, Result] = {}
    order: list[str] = []
    for word in request.ids:
        if word in INPUTS:
            order += [word] if word not in order else []
            continue
        key, remark = run_named(connection, word)
        if key in runs:
            remark = f"The run {word} is named twice; it is shown once."
        elif key and len(runs) == MOST_RUNS:
            remark = f"At most {MOST_RUNS} runs are compared at once; {word} is left out."
        elif key:
            runs[key] = _combination(connection, key, sweeps)
            order.append(key)
        if remark:
            remarks.append(remark)
    found = Compared(runs=tuple(runs.values()), panes=(), remarks=tuple(remarks))
    return replace(found, panes=_panes(connection, order, found))


def run_named(connection: Connection, text: str) -> tuple[str | None, str]:
    """(the run key that begins so, '') or (None, why not); 'r1-' may be left out."""
    beginning = text if text.startswith("r1-") else f"r1-{text}"
    within = (Run.run_key >= beginning, Run.run_key < f"{beginning}~")
    keys = connection.execute(select(Run.run_key).where(*within).order_by(Run.run_key).limit(2)).scalars().all()
    if len(keys) == 1 or beginning in keys:
        return keys[0], ""
    if keys:
        return None, f"Several runs begin with {text}; give more of the key."
    return None, f"There is no run {text} in this workspace."


def shortened(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Beginnings that name just these runs, for URLs; words of `INPUTS` stay as they are."""
    short = []
    for key in keys:
        found, _ = run_named(connection, key[:_SHORT]) if key not in INPUTS else (None, "")
        short.append(key[:_SHORT] if found == key else key)
    return short


def _combination(connection: Connection, run_key: str, sweeps: Sequence[str]) -> Result:
    shared = queries.results(connection, Run.run_key == run_key, limit=200)
    return next((one for one in shared if one.sweep in sweeps), shared[0])


# --- panes ------------------------------------------------------------------------------------------------------------


def _panes(connection: Connection, order: Sequence[str], found: Compared) -> tuple[Pane, ...]:
    runs, first = {run.run_key: run for run in found.runs}, found.inputs_of
    if first is None:
        return ()
    names = differing(found.runs) or ("content", "style", "beta")
    there = {*runs, "content", *style_tokens(first)}
    panes = []
    for letter, token in zip(LETTERS, (token for token in order if token in there), strict=False):
        pane = _run_pane(connection, runs[token], names) if token in runs else _input_pane(connection, token, first)
        panes.append(replace(pane, letter=letter))
    return tuple(_framed(panes))


def _framed(panes: Sequence[Pane]) -> list[Pane]:
    """All at the size of the largest run; content and style at what is one pixel of their own run to it."""
    sides = {pane.token: max(pane.w, pane.h) for pane in panes if pane.run and pane.src}
    largest = max(sides.values(), default=1)
    first = next(iter(sides.values()), largest)
    framed = []
    for pane in panes:
        scale = largest / (sides.get(pane.token, first) if pane.src else largest)
        note = f"{pane.note} · enlarged {number(scale, 3)} times" if scale > 1 else pane.note
        framed.append(replace(pane, scale=scale, note=note))
    return framed


def _run_pane(connection: Connection, run: Result, names: Sequence[str]) -> Pane:
    pane = Pane(
        token=run.run_key, letter="", name=caption(run.parameters, names), note=NO_PICTURE[run.state], none=NO_PICTURE[run.state],
        alt=alternative(run.parameters), run=run.run_key,
    )  # fmt: skip
    if run.state == "done" and run.image and run.width and run.height:
        url = original_url(run.image, run.image_format)
        note = f"{run.width} x {run.height} px"
        return replace(pane, src=url, original=url, note=note, none="", w=run.width, h=run.height, colour=run.mean_colour)
    if run.state == "diverged" and (kept := queries.snapshots(connection, run.run_key)):
        step, sha256, _ = kept[-1]
        if (row := queries.image(connection, sha256)) is not None:
            url = original_url(sha256, row["format"])
            note = f"Diverged: the last picture kept, at step {step:,}"
            return replace(pane, src=url, original=url, note=note, none="", w=row["width"], h=row["height"], colour=row["mean_colour"])
    return pane


def _input_pane(connection: Connection, token: str, run: Result) -> Pane:
    """The content, or one picture of the style, at the size at which the run saw it."""
    which = "style" if token in INPUTS[1:] else "content"
    sha256, share, title = run.content_sha256, 1.0, label(which)
    if which == "style":
        parts = style_parts(run)
        sha256, share = parts[INPUTS.index(token) - 1]
        title = f"{title} {share:.0%}" if len(parts) > 1 else title
    row = queries.image(connection, sha256)
    name = run.parameters[which] if title == label(which) else str((row or {}).get("original_name") or sha256[:12])
    part = f", {share:.0%} of the style" if title != label(which) else ""
    pane = Pane(
        token=token, letter="", name=f"{title}: {name}", note="", alt=f"{label(which)} image {name}{part}", none="Not in this workspace"
    )
    if row is None:
        return pane
    w, h = seen_size(run, which, (row["width"], row["height"]))
    smaller = f", drawn from {LARGEST_WHOLE} px" if max(w, h) > LARGEST_WHOLE else ""
    return replace(
        pane, src=Crop(sha256, min(max(w, h), LARGEST_WHOLE)).url(), original=original_url(sha256, row["format"]), none="",
        w=w, h=h, colour=row["mean_colour"], note=f"{w} x {h} px, as the run saw it{smaller}",
    )  # fmt: skip


def seen_size(run: Result, which: str, own: tuple[int, int]) -> tuple[int, int]:
    """(width, height) at which a run saw its content or style. own: the file's."""
    settings = RunSettings.from_canonical(run.settings).settings
    side = max(run.width, run.height) if run.width and run.height else settings.size
    if which == "style" and settings.style_scale != 1:
        least = -(-_SMALLEST_STYLE * max(own) // min(own))
        side = max(round(side * settings.style_scale), least)
    longest = max(own)
    if longest <= side:
        return own
    return max(1, round(own[0] * side / longest)), max(1, round(own[1] * side / longest))

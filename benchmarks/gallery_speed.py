"""The parts of benchmarks/gallery.py that click, press and wait: times at three sizes, and what is counted."""

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from gallery_browser import BLANK, BLANK_PAGE, GALLERY, Served, Sockets, ask, chromium, loaded, served, shown_error, visitor
from gallery_workspace import SWEEP, made_up
from playwright.sync_api import Browser, Page
from sweep_parts import Row

NEXT, PREVIOUS = (f"deep('[data-testid=stPagination{way}]')[0].click()" for way in ("Next", "Prev"))
NEW_THUMB = "named() !== before && painted(1)"
STYLES = ("mosaic", "impasto", "pointillism")
# What each should be at most, in milliseconds at the 95th percentile, by runs; and at 100,000 runs as a multiple of that at 1,000.
LIMITS = {
    "page flip": {1_000: 700, 10_000: 800, 100_000: 1_000},
    "filter change": {1_000: 700, 10_000: 800, 100_000: 1_000},
    "open a run": {1_000: 500, 10_000: 500, 100_000: 500},
    "key to screen": {1_000: 50, 10_000: 50, 100_000: 50},
    "key to database": {1_000: 500, 10_000: 500, 100_000: 500},
    "next picture in Cull": {1_000: 100, 10_000: 100, 100_000: 100},
    "cold load": {1_000: 3_000, 10_000: 3_000, 100_000: 3_200},
}
GROWTH = 1.5
ELEMENTS, MEMORY_MB, PAGE_BYTES = 60, 20.0, 40_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. warm: flips before memory is looked at first."""

    sizes: tuple[int, ...]
    turns: int
    loads: int
    warm: int
    flips: int
    keys: int
    soak_seconds: float


class Benches:
    """What all parts share: a folder for workspaces, chromium, and the blank page."""

    def __init__(self, folder: Path, browser: Browser, blank: Served) -> None:
        self.folder, self.browser, self.blank = folder, browser, blank

    def workspace(self, runs: int) -> Path:
        """One of so many runs, made when it is first asked for."""
        made_up(self.folder / str(runs), runs)
        return self.folder / str(runs)


def benches(stack: ExitStack, folder: Path) -> Benches:
    """Start what is needed by every part."""
    (folder / "blank.py").write_text(BLANK_PAGE)
    blank = stack.enter_context(served(BLANK, folder / "blank.py", folder))
    return Benches(folder, stack.enter_context(chromium()), blank)


def grid_url(gallery: Served, more: str = "") -> str:
    return f"{gallery.url}/gallery?sweep={SWEEP}{more}"


def speed(plan: Plan, at: Benches) -> Iterator[Row]:
    """Times at every size, each in turn with the blank page's."""
    for runs in plan.sizes:
        with served(GALLERY, at.workspace(runs), at.folder) as gallery:
            yield from _first(at, gallery, runs)
            told = _times(plan, at, gallery)
        for what, (values, blanks) in told.items():
            p50, p95 = points_of(values)
            yield Row(f"{what}, p50", f"{runs:,} runs, {len(values)} times", p50, "ms")
            yield Row(f"{what}, p95", f"{runs:,} runs, {len(values)} times", p95, "ms", most=LIMITS[what].get(runs))
            if blanks:
                yield Row(f"{what}, over the blank page's", f"{runs:,} runs, p50", p50 / statistics.median(blanks))


def points_of(values: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def growth(plan: Plan, at: Benches) -> Iterator[Row]:
    """The largest size beside the smallest, in turn, so that both meet the same load."""
    few, many = min(plan.sizes), max(plan.sizes)
    ours: dict[str, list[list[float]]] = {"page flip": [[], []], "filter change": [[], []]}
    with ExitStack() as stack:
        pages = []
        for runs in (few, many):
            gallery = stack.enter_context(served(GALLERY, at.workspace(runs), at.folder))
            pages.append(stack.enter_context(visitor(at.browser)))
            loaded(pages[-1], grid_url(gallery), "painted(18)")
        for turn in range(plan.turns):
            for side, page in enumerate(pages):
                ours["page flip"][side].append(ask(page, NEXT if turn % 20 < 10 else PREVIOUS, NEW_THUMB))
        for turn in range(plan.turns + plan.turns % 2):
            for side, page in enumerate(pages):
                ours["filter change"][side].append(_filter(page, STYLES[turn // 2 % len(STYLES)]))
    for what, (small, large) in ours.items():
        ratio = statistics.median(large) / statistics.median(small)
        yield Row(f"{what}, over that at {few:,} runs", f"{many:,} runs, {len(large)} in turn", ratio, most=GROWTH)


def _first(at: Benches, gallery: Served, runs: int) -> Iterator[Row]:
    """The first visit after the start, when nothing of the sweep is in memory: by the clock, and the server's own processor time."""
    before = gallery.processor_seconds()
    with visitor(at.browser) as page:
        spent = loaded(page, grid_url(gallery), "painted(18)")
    yield Row("first visit after the start", f"{runs:,} runs, once", spent, "ms")
    yield Row("first visit after the start, CPU of the server", f"{runs:,} runs, once", 1e3 * (gallery.processor_seconds() - before), "ms")


Times = dict[str, tuple[list[float], list[float]]]


def _times(plan: Plan, at: Benches, gallery: Served) -> Times:
    """What -> (our times, those of the blank page)."""
    told: Times = {what: ([], []) for what in LIMITS}
    ours, blanks = ({what: told[what][side] for what in LIMITS} for side in (0, 1))
    for _ in range(plan.loads):
        with visitor(at.browser) as page:
            ours["cold load"].append(loaded(page, grid_url(gallery), "painted(18)"))
        with visitor(at.browser) as page:
            blanks["cold load"].append(loaded(page, at.blank.url, BLANK_READY))
    with visitor(at.browser) as page, visitor(at.browser) as blank:
        loaded(page, grid_url(gallery), "painted(18)")
        loaded(blank, at.blank.url, BLANK_READY)
        page.wait_for_timeout(1500)
        for turn in range(plan.turns):
            ours["page flip"].append(ask(page, NEXT if turn % 20 < 10 else PREVIOUS, NEW_THUMB))
            blanks["page flip"].append(_blank_turn(blank))
        for turn in range(plan.turns + plan.turns % 2):
            ours["filter change"].append(_filter(page, STYLES[turn // 2 % len(STYLES)]))
            blanks["filter change"].append(_blank_turn(blank))
        for turn in range(max(3, plan.turns // 3)):
            ours["open a run"].append(_open(page, turn))
            blanks["open a run"].append(_blank_turn(blank))
        _pressed(plan, page, gallery, ours)
        if said := shown_error(page):
            raise SystemExit(f"the page says {said}")
    return told


BLANK_READY = "document.body.innerText.includes('turn 0')"


def _pressed(plan: Plan, page: Page, gallery: Served, ours: dict[str, list[float]]) -> None:
    """Keys in the grid, and in Cull."""
    for turn in range(plan.turns):
        ours["key to screen"].append(_key_to_screen(page, turn % 12))
        ours["key to database"].append(_key_to_database(page, gallery, turn % 12))
    _through(page, gallery)
    for _ in range(plan.turns):
        step = f"window.place = {PLACE}; {press('ArrowRight')}"
        ours["next picture in Cull"].append(ask(page, step, f"{PLACE} !== place && {PAINTED}"))
        page.wait_for_timeout(150)


PLACE = "(deep('.caption .faint')[0] || {}).textContent"
PAINTED = "deep('.stage img').some((one) => one.complete && one.naturalWidth > 0)"


def _through(page: Page, gallery: Served) -> None:
    """To Cull, with every picture of the sweep."""
    page.goto(f"{gallery.url}/cull?sweep={SWEEP}&mode=all")
    page.wait_for_function(f"() => window.until && {PAINTED}", timeout=60_000)
    page.wait_for_timeout(1500)


def press(key: str) -> str:
    """A key, on what has the focus, as an expression."""
    event = f"new KeyboardEvent('keydown', {{key: '{key}', bubbles: true, composed: true}})"
    return f"(document.activeElement || document.body).dispatchEvent({event})"


def _blank_turn(blank: Page) -> float:
    button = "[...document.querySelectorAll('button')].find((one) => one.innerText.includes('again')).click()"
    return ask(blank, f"window.said = document.body.innerText; {button}", "document.body.innerText !== said")


def _filter(page: Page, style: str) -> float:
    """Click the pill of a style: on, and the next time off."""
    pill = f"deep('button').find((one) => one.innerText.trim().startsWith('{style}')).click()"
    return ask(page, pill, NEW_THUMB)


def _key_to_screen(page: Page, place: int) -> float:
    """One star more than a tile has, after five the first again."""
    tile = f"tiles()[{place}]"
    mark = f"(({tile}.querySelector('.review-marks') || {{getAttribute: () => ''}}).getAttribute('aria-label') || '')"
    page.evaluate(f"() => {{ {tile}.querySelector('a.tile').focus(); window.mark = {mark} }}")
    key = "String(1 + Number((mark.match(/([1-5]) star/) || [0, 0])[1]) % 5)"
    event = f"new KeyboardEvent('keydown', {{key: {key}, bubbles: true, composed: true}})"
    return ask(page, f"{tile}.querySelector('a.tile').dispatchEvent({event})", f"{mark} !== window.mark")


def _key_to_database(page: Page, gallery: Served, place: int) -> float:
    """From before a key is pressed until a reader sees its row."""
    run = page.evaluate(f"() => {{ const one = tiles()[{place}]; one.querySelector('a.tile').focus(); return one.dataset.id }}")
    page.wait_for_function("() => window.stylesweepReviews.pending === 0")
    newest = "SELECT stars FROM review WHERE run_key = ? ORDER BY stars_at DESC LIMIT 1"
    with closing(sqlite3.connect(gallery.what / "sweeps.db", timeout=30)) as connection:
        (before,) = connection.execute(newest, (run,)).fetchone()
        wanted = 1 + (before or 0) % 5
        began = time.monotonic()
        page.keyboard.press(str(wanted))
        while connection.execute(newest, (run,)).fetchone() != (wanted,):
            if time.monotonic() - began > 60:
                raise SystemExit(f"key {wanted} on {run} did not reach the database within a minute")
            time.sleep(0.002)
        return 1e3 * (time.monotonic() - began)


def _open(page: Page, turn: int) -> float:
    """A click on a tile, until the run's picture is there; then back."""
    ready = (
        "location.pathname.endsWith('/run') && deep('img').some((one) => one.src.includes('/f/') && one.complete && one.naturalWidth > 0)"
    )
    spent = ask(page, f"tiles()[{turn % 12}].querySelector('a.tile').click()", ready)
    page.go_back()
    page.wait_for_function("() => location.pathname.endsWith('/gallery') && painted(1)", timeout=60_000)
    page.wait_for_timeout(500)
    return spent


def counts(plan: Plan, at: Benches) -> Iterator[Row]:
    """What grows, or must not: elements and bytes of a rerun, memory after many flips, Streamlit's store of pictures."""
    runs = plan.sizes[min(1, len(plan.sizes) - 1)]
    with served(GALLERY, at.workspace(runs), at.folder) as gallery, visitor(at.browser) as page:
        sockets = Sockets(page)
        loaded(page, grid_url(gallery), "painted(18)")
        page.wait_for_timeout(1500)
        for turn in range(plan.warm):
            ask(page, NEXT if turn % 20 < 10 else PREVIOUS, NEW_THUMB)
        before, first = gallery.memory(), len(sockets.whole())
        for turn in range(plan.flips):
            ask(page, NEXT if turn % 20 < 10 else PREVIOUS, NEW_THUMB)
        reruns = sockets.whole()[first:]
        at_flips = f"{runs:,} runs, {plan.flips} flips"
        yield Row(f"memory of the server, over that after {plan.warm} flips", at_flips, gallery.memory() - before, "MB", most=MEMORY_MB)
        yield Row("memory of the server", at_flips, gallery.memory(), "MB")
        yield Row("Streamlit's store of pictures", at_flips, gallery.media_bytes(), "bytes", most=0)
        yield Row("elements of a rerun, at most", at_flips, max(one["elements"] for one in reruns), most=ELEMENTS)
        yield Row("data of a page of 48, at most", at_flips, max(one["data"] for one in reruns), "bytes", most=PAGE_BYTES)
        yield Row("bytes of a rerun, at most", at_flips, max(one["bytes"] for one in reruns), "bytes")


def keys(plan: Plan, at: Benches) -> Iterator[Row]:
    """Keys at ten a second, stars and arrows in turn: what the database has of them in the end."""
    runs = plan.sizes[min(1, len(plan.sizes) - 1)]
    workspace = at.workspace(runs)
    with served(GALLERY, workspace, at.folder) as gallery, visitor(at.browser) as page:
        loaded(page, grid_url(gallery, "&n=96"), "painted(18)")
        page.wait_for_timeout(1500)
        named = page.evaluate("() => named()").split(",")
        page.evaluate("() => tiles()[0].querySelector('a.tile').focus()")
        expected, where, began = {}, 0, time.monotonic()
        for number in range(plan.keys):
            page.wait_for_timeout(max(0, 1e3 * (began + number / 10 - time.monotonic())))
            if number % 2:
                step = 1 if number < plan.keys // 2 else -1
                where += step
                page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
            else:
                stars = 1 + number // 2 % 5
                expected[named[where]] = stars
                page.keyboard.press(str(stars))
        spent = time.monotonic() - began
        lost = _missing(workspace, expected)
        yield Row("keys that were lost, stars and arrows in the grid", f"{plan.keys} keys in {spent:.0f} s", lost, most=0)
        yield _keys_in_cull(plan, page, gallery, workspace)


def _keys_in_cull(plan: Plan, page: Page, gallery: Served, workspace: Path) -> Row:
    """Stars, after each of which the next picture comes by itself: so many keys, so many runs."""
    _through(page, gallery)
    newer = "SELECT count(*) FROM review WHERE stars_at > ? AND stars > 0"
    with closing(sqlite3.connect(workspace / "sweeps.db", timeout=30)) as connection:
        (newest,) = connection.execute("SELECT max(stars_at) FROM review").fetchone()
        began = time.monotonic()
        for number in range(plan.keys):
            page.wait_for_timeout(max(0, 1e3 * (began + number / 10 - time.monotonic())))
            page.keyboard.press(str(1 + number % 5))
        spent, found = time.monotonic() - began, 0
        while found < plan.keys and time.monotonic() < began + spent + 10:
            time.sleep(0.2)
            (found,) = connection.execute(newer, (newest or 0.0,)).fetchone()
    return Row("keys that were lost, stars in Cull", f"{plan.keys} keys in {spent:.0f} s", plan.keys - found, most=0)


def _missing(workspace: Path, expected: dict[str, int]) -> int:
    """How many runs have not the stars that were given last; waits ten seconds for the slow ones."""
    deadline = time.monotonic() + 10
    newest = "SELECT stars FROM review WHERE run_key = ? ORDER BY stars_at DESC LIMIT 1"
    with closing(sqlite3.connect(workspace / "sweeps.db", timeout=30)) as connection:
        while True:
            found = {run: connection.execute(newest, (run,)).fetchone() for run in expected}
            lost = sum(row is None or row[0] != expected[run] for run, row in found.items())
            if not lost or time.monotonic() > deadline:
                return lost
            time.sleep(0.2)


Part = Callable[[Plan, Benches], Iterator[Row]]

"""The queue of reviews (gallery/components/reviews.js) against a server that is played here: slow, broken, refusing, gone."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

COMPONENTS = Path(__file__).parents[2] / "gallery" / "components"
SCRIPT = "".join((COMPONENTS / f"{name}.js").read_text() for name in ("shared", "reviews", "review_marks"))
ORIGIN = "http://127.0.0.1:1"

pytestmark = pytest.mark.browser


class Played:
    """A server: `say` decides on the answer to a request; everything that came is kept."""

    def __init__(self) -> None:
        self.say: Callable[[dict[str, Any]], tuple[int, Any]] | None = self.take_all
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @staticmethod
    def take_all(asked: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"now": time.time(), "acks": [{"id": op["id"], "ok": True, "newer": False} for op in asked["ops"]]}

    def __call__(self, route: Route) -> None:
        asked = json.loads(route.request.post_data or "")
        self.asked.append(asked)
        self.headers.append(route.request.headers)
        if self.say is None:
            return route.abort()
        status, answer = self.say(asked)
        route.fulfill(status=status, body=answer if isinstance(answer, str) else json.dumps(answer), content_type="application/json")
        return None

    @property
    def taken(self) -> list[tuple[str, Any]]:
        return [(op["run"], op["value"]) for asked in self.asked for op in asked["ops"]]


@pytest.fixture
def played(browser: Browser) -> Iterator[tuple[Page, Played]]:
    context = browser.new_context()
    page = context.new_page()
    server = Played()
    page.route(f"{ORIGIN}/", lambda route: route.fulfill(body=f"<script>{SCRIPT}</script>", content_type="text/html"))
    page.route("**/app/static/review", server)
    page.goto(f"{ORIGIN}/")
    page.evaluate("window.states = []; window.queue = reviewQueue(); queue.listen((state) => states.push(state)); 0")
    yield page, server
    context.close()


def say(page: Page, run: str, value: Any = "pick", field: str = "flag", **more: Any) -> None:
    page.evaluate("(said) => queue.enqueue(said)", {"person": "ann", "run": run, "field": field, "value": value, **more})


def settled(page: Page) -> None:
    page.wait_for_function("queue.pending === 0", timeout=15_000)


def test_what_is_said_is_sent_at_once_with_all_that_the_route_wants(played: tuple[Page, Played]) -> None:
    page, server = played
    say(page, "r1", "pick")
    settled(page)
    (asked,) = server.asked
    assert asked["person"] == "ann" and abs(asked["now"] - time.time()) < 30
    (op,) = asked["ops"]
    assert op.keys() == {"id", "run", "field", "value", "at"} and abs(op["at"] - time.time()) < 30
    assert server.headers[0]["x-stylesweep"] == "1" and server.headers[0]["content-type"] == "application/json"
    assert page.evaluate("states[states.length - 1]") == {"pending": 0, "trouble": None, "refused": [], "changed": []}
    assert page.evaluate("sessionStorage.length") == 0


def test_200_words_arrive_in_order_each_with_a_name_and_a_later_date(played: tuple[Page, Played]) -> None:
    page, server = played
    page.evaluate("for (let n = 0; n < 200; n++) queue.enqueue({ person: 'ann', run: `r${n % 7}`, field: 'stars', value: n % 6 })")
    settled(page)
    ops = [op for asked in server.asked for op in asked["ops"]]
    assert [op["value"] for op in ops] == [n % 6 for n in range(200)]
    assert len({op["id"] for op in ops}) == 200
    assert all(one["at"] < two["at"] for one, two in itertools.pairwise(ops))
    assert max(len(asked["ops"]) for asked in server.asked) <= 100


@pytest.mark.parametrize("answer", [None, (503, {"reason": "busy", "acks": []}), (502, "<html>"), (200, "{}"), (404, {"reason": "gone"})])
def test_what_is_not_taken_is_kept_and_sent_again(played: tuple[Page, Played], answer: Any) -> None:
    page, server = played
    server.say = None if answer is None else lambda _: answer
    say(page, "r1")
    page.wait_for_function("queue.trouble")
    say(page, "r2")
    assert str(page.evaluate("queue.trouble")).startswith("2 changes wait for the server")
    assert len(json.loads(page.evaluate("sessionStorage.getItem('stylesweep-reviews')"))) == 2
    server.say = server.take_all
    server.asked.clear()
    settled(page)
    assert server.taken == [("r1", "pick"), ("r2", "pick")]
    assert page.evaluate("queue.trouble") is None
    assert page.evaluate("sessionStorage.length") == 0


def test_a_reloaded_page_sends_what_was_left_under_its_old_name(played: tuple[Page, Played]) -> None:
    page, server = played
    server.say = None
    say(page, "r1")
    page.wait_for_function("queue.trouble")
    name = server.asked[0]["ops"][0]
    server.asked.clear()
    server.say = server.take_all
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.evaluate("window.queue = reviewQueue()")
    settled(page)
    assert server.asked[-1]["ops"] == [name]
    say(page, "r2")
    settled(page)
    assert server.asked[-1]["ops"][0]["id"].split("-")[0] != name["id"].split("-")[0]


def test_a_refused_word_is_taken_back_and_said_so(played: tuple[Page, Played]) -> None:
    page, server = played
    refusal = {"ok": False, "reason": "this workspace has no run r1"}
    server.say = lambda asked: (409, {"now": time.time(), "acks": [{"id": op["id"], **refusal} for op in asked["ops"]]})
    page.evaluate("document.body.append(queueNotice(queue))")
    said = "queue.enqueue({ person: 'ann', run: 'r1', field: 'flag', value: 'pick' })"
    assert page.evaluate(f"() => {{ {said}; return queue.overlay('ann', 'r1', null, 0).flag }}") == "pick"  # before any answer
    settled(page)
    page.get_by_text("Not kept: this workspace has no run r1").wait_for()
    assert page.evaluate("queue.overlay('ann', 'r1', { flag: 'reject' }, 0).flag") == "reject"
    assert page.evaluate("queue.refusal('r1')") == "this workspace has no run r1"
    server.say = server.take_all
    say(page, "r1", "reject")
    assert page.evaluate("queue.refusal('r1')") is None


def test_one_that_cannot_be_read_does_not_hold_up_the_others(played: tuple[Page, Played]) -> None:
    page, server = played

    def picky(asked: dict[str, Any]) -> tuple[int, Any]:
        bad = any(op["run"] == "bad" for op in asked["ops"])
        return (400, {"reason": "this is no JSON", "acks": []}) if bad else server.take_all(asked)

    server.say = picky
    page.evaluate("for (const run of ['r1', 'bad', 'r2']) queue.enqueue({ person: 'ann', run, field: 'flag', value: 'pick' })")
    settled(page)
    assert page.evaluate("queue.refusal('bad')") == "this is no JSON"
    assert {run for run, _ in server.taken} == {"r1", "bad", "r2"}


def test_what_was_said_since_lies_over_what_was_read(played: tuple[Page, Played]) -> None:
    page, _server = played
    began = time.time() - 1
    say(page, "r1", "pick")
    say(page, "r1", 3, field="stars")
    say(page, "r1", "sky", field="tag")
    say(page, "r1", "old", field="tag", present=False)
    read = {"flag": "reject", "stars": 1, "note": "n", "tags": ["old", "zoo"]}
    overlaid = {"flag": "pick", "stars": 3, "note": "n", "tags": ["sky", "zoo"]}
    overlay = "([person, read, at]) => queue.overlay(person, 'r1', read, at)"
    assert page.evaluate(overlay, ["ann", read, began]) == overlaid
    assert page.evaluate(overlay, ["bob", read, began]) == read
    settled(page)
    assert page.evaluate(overlay, ["ann", read, began]) == overlaid  # read before it was taken
    assert page.evaluate(overlay, ["ann", read, time.time() + 60]) == read


def test_a_later_word_from_elsewhere_is_shown(played: tuple[Page, Played]) -> None:
    page, server = played
    newer = {"ok": True, "newer": True, "stands": "reject"}
    server.say = lambda asked: (200, {"now": time.time(), "acks": [{"id": op["id"], **newer} for op in asked["ops"]]})
    say(page, "r1", "pick")
    settled(page)
    assert page.evaluate("states[states.length - 1].changed") == ["r1"]
    assert page.evaluate("queue.overlay('ann', 'r1', null, 0).flag") == "reject"


def test_a_clock_that_is_wrong_is_set_by_the_servers(played: tuple[Page, Played]) -> None:
    page, server = played
    server.say = lambda asked: (200, server.take_all(asked)[1] | {"now": time.time() + 3600})
    say(page, "r1")
    settled(page)
    say(page, "r2")
    settled(page)
    first, second = (asked["ops"][0]["at"] for asked in server.asked)
    assert 3590 < second - first < 3640


def test_people_are_not_mixed_in_one_request(played: tuple[Page, Played]) -> None:
    page, server = played
    page.evaluate(
        "for (const person of ['ann', 'ann', 'bob', 'ann']) queue.enqueue({ person, run: 'r', field: 'note', value: 'x'.repeat(3000) })"
    )
    settled(page)
    assert [asked["person"] for asked in server.asked[-3:]] == ["ann", "bob", "ann"]


def test_marks_are_described(played: tuple[Page, Played]) -> None:
    page, _server = played
    text = "reviewMarks({ flag: 'pick', stars: 2, tags: ['<b>'], note: '' }).getAttribute('aria-label')"
    assert page.evaluate(text) == "picked, 2 stars, tagged <b>"
    assert page.evaluate("reviewMarks({ flag: null, stars: 0, tags: [], note: '' }).childElementCount") == 0

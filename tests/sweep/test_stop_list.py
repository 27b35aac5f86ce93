"""Who is to stop, as the actor beside the driver says it; without Ray."""

import asyncio

import pytest

from sweep import cluster_task
from sweep.cluster_task import StopList

A, B, C = (("a", 1), ("b", 1), ("c", 1))


def test_a_question_waits_until_one_of_its_runs_is_to_stop() -> None:
    async def scene() -> list[frozenset[tuple[str, int]]]:
        stop_list = StopList()
        questions = [asyncio.ensure_future(stop_list.asked(frozenset(keys))) for keys in ([A], [A, B], [C])]
        await asyncio.sleep(0)
        assert not any(question.done() for question in questions)
        await stop_list.replace(frozenset([B]))
        second = await questions[1]
        assert not questions[0].done() and not questions[2].done()
        await stop_list.replace(frozenset([A, C]))
        return [second, await questions[0], await questions[2], await stop_list.asked(frozenset([B, C]))]

    assert asyncio.run(scene()) == [{B}, {A}, {C}, {C}]


def test_a_question_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_task, "PATIENCE_SECONDS", 0.01)
    assert asyncio.run(StopList().asked(frozenset([A]))) == frozenset()

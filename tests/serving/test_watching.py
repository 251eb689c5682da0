"""Watching: each change of a model is told once, when its writing is over."""

import asyncio
import contextlib

from limbeck.serving.watching import signs_of, watch_folder

EVERY_S = 0.01


def told_while(folder, steps):
    """Watch while steps are done, and return how often a change was told after each."""
    counts = []

    async def live():
        calls = 0

        async def changed():
            nonlocal calls
            calls += 1

        task = asyncio.create_task(watch_folder(folder, changed, every_s=EVERY_S))
        for step in steps:
            step()
            await asyncio.sleep(EVERY_S * 12)
            counts.append(calls)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(live())
    return counts


def test_each_change_is_told_once(tmp_path):
    """Nothing at first; once for another file, once for one that is put in its place; none for what is no model."""
    (tmp_path / "bundle").mkdir()
    model = tmp_path / "bundle" / "limbeck.json"
    model.write_text("1")

    def replaced():
        (tmp_path / "new").write_text("3")
        (tmp_path / "new").rename(model)

    steps = [lambda: None, lambda: model.write_text("22"), replaced, lambda: (tmp_path / "notes.txt").write_text("x")]
    assert told_while(tmp_path, steps) == [0, 1, 2, 2]


def test_a_model_that_is_away_is_waited_for(tmp_path):
    """While a folder is replaced there is nothing in it: that is no model."""
    model = tmp_path / "config.json"
    model.write_text("1")
    assert told_while(tmp_path, [model.unlink, lambda: model.write_text("2")]) == [0, 1]


def test_signs_of_nothing(tmp_path):
    """A folder that is not there has none."""
    assert signs_of(tmp_path / "none") == ()

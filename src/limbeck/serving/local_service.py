"""Local service: answers texts with engines on this machine.

In: the texts of requests. Out: what `limbeck.load(RUN).predict` says of them, or one error. This process imports
no torch: it counts and cuts texts, and an engine's own process computes. It does not know HTTP.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.data.texts import as_texts
from limbeck.display.views import listed
from limbeck.errors import DataError, FaultLog, LimbeckError, ModelError, NotReadyError, OverloadedError, TooLargeError
from limbeck.inference.answers import AnsweredRows, predictions_of
from limbeck.model.facts import parse_facts
from limbeck.serving.canaries import canary_places, plain_canaries, recorded_answers, require_recorded
from limbeck.serving.engine_start import ENGINE_PROGRAM, StartedEngine, wish_of
from limbeck.serving.model_lane import ModelLane
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Answered, Asked, Condition, ServedModel
from limbeck.settings import FeatureSettings
from limbeck.tokens import ReadTexts, Tokenizer, Window

_INLINE_CHARACTERS = 4_000
_TOKEN_CHARACTERS = 4
_CANARY_S = 60.0
_CANARY_CLIENT = "canary"


class _Served:
    """A model that answers, and who uses it: one that was exchanged answers them, and then ends."""

    def __init__(self, lane: ModelLane, model: ServedModel) -> None:
        self.lane, self.model = lane, model
        self._users = 0
        self._left: asyncio.Future[None] | None = None

    def __enter__(self) -> None:
        self._users += 1

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users and self._left is not None and not self._left.done():
            self._left.set_result(None)

    async def left(self) -> None:
        """Return when nobody uses it any more."""
        if self._users:
            self._left = self._left or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._left)


class LocalService:
    """Answers texts with a model on this machine; see `Service`.

    Args:
        folder: a run folder, a bundle, or whatever `limbeck.load` opens.
        settings: limits.
        computing: device and engine.
        say: is told what a person should know: that kernels are compiled, that an engine was replaced.
        program: what an engine's process runs.
        ahead: the first engine, where it was started already with this folder and computing.
    """

    def __init__(
        self,
        folder: str,
        settings: ServeSettings | None = None,
        *,
        computing: FeatureSettings | None = None,
        say: Callable[[str], None] = lambda line: None,
        program: Sequence[str] = ENGINE_PROGRAM,
        ahead: StartedEngine | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings or ServeSettings()
        self._computing = computing or FeatureSettings()
        self._say, self._program, self._ahead = say, program, ahead
        self._served: _Served | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._restarts_before = 0
        self._swaps = {"ok": 0, "refused": 0}
        self._is_swapping = self._is_ending = False
        self._tokenizing = ThreadPoolExecutor(1, "limbeck-tokens")

    @property
    def model(self) -> ServedModel:
        """The model that answers now."""
        return self._now().model

    @property
    def condition(self) -> Condition:
        """How the service stands now."""
        served, restarts = self._served, self._restarts_before
        if served is None:
            return Condition(
                is_ready=False,
                why="the model is being loaded",
                waiting_tokens=0,
                waiting_texts=0,
                tokens_per_s=0.0,
                predicted_wait_s=0.0,
                engine_restarts=restarts,
                swaps=dict(self._swaps),
            )
        lane = served.lane
        why = "the service is ending" if self._is_ending else lane.why_not_ready
        return Condition(
            is_ready=not why,
            why=why,
            waiting_tokens=lane.waiting_tokens,
            waiting_texts=lane.waiting_texts,
            tokens_per_s=lane.rate.tokens_per_s,
            predicted_wait_s=lane.wait_s("", lane.rate.batch_tokens) + lane.keeper.ready_in_s(),
            engine_restarts=restarts + lane.keeper.restarts,
            swaps=dict(self._swaps),
        )

    async def start(self) -> None:
        """Load the model and warm it; returns when the first text can be answered.

        Raises:
            ModelError: the model cannot be served.
            EngineError: no engine stays alive.
        """
        self._served = await self._opened(self._folder)

    @property
    def is_crowded(self) -> bool:
        """Whether a request that comes now may be refused because too much waits."""
        return self._served is not None and self._served.lane.is_crowded

    def refusal(self, asked: Asked) -> OverloadedError | None:
        """Return what `answer` would raise now because too much waits; see `Service.refusal`."""
        served, texts = self._served, asked.texts
        if served is None or self._is_ending or not texts:
            return None
        about = _about_tokens(texts, served.model.window)
        return served.lane.refusal(asked.client, about, asked.timeout_s)

    async def answer(self, asked: Asked) -> Answered:
        """Answer the texts of one request; see `Service.answer`."""
        if self._is_ending:
            raise NotReadyError("the service is ending: send the request to another one")
        deadline_s = asyncio.get_running_loop().time() + asked.timeout_s
        self._require_size(asked.texts)
        served = self._now()
        with served:
            return await self._answered(served, asked, deadline_s)

    async def swap(self, folder: str) -> ServedModel:
        """Answer with another model from now on, after it was checked and warmed; else keep this one.

        Requests that were taken before are answered by the model that took them.

        Raises:
            ModelError: it is broken, has other labels, or answers otherwise than its record says.
        """
        old = self._now()
        if self._is_swapping or self._is_ending:
            raise ModelError("the model is not exchanged: the service is ending, or exchanges it already")
        self._is_swapping = True
        try:
            new = await self._checked(folder, old.model)
        except LimbeckError as error:
            self._swaps["refused"] += 1
            raise ModelError(f"{folder} does not serve, and {old.model.name} goes on: {error}") from error
        finally:
            self._is_swapping = False
        self._folder, self._served = folder, new
        self._swaps["ok"] += 1
        self._restarts_before += old.lane.keeper.restarts
        task = asyncio.get_running_loop().create_task(self._retire(old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return new.model

    async def stop(self) -> None:
        """Answer what was taken, take nothing more, and end the engines."""
        self._is_ending = True
        if self._served is not None:
            await self._retire(self._served)
        if self._retiring:
            await asyncio.wait(self._retiring)
        self._tokenizing.shutdown(wait=False, cancel_futures=True)

    def _now(self) -> _Served:
        if self._served is None:
            raise NotReadyError("the model is being loaded: come back in a few seconds")
        return self._served

    async def _opened(self, folder: str) -> _Served:
        ahead, self._ahead = self._ahead, None
        wish = wish_of(folder, self._computing)
        lane = ModelLane(wish, self._settings, say=self._say, program=self._program, ahead=ahead)
        try:
            await lane.start()
            served = _Served(lane, _model_of(folder, lane.keeper.about, self._settings.name))
            # The first answer imports what answers are made of: nobody else's should wait for that.
            await self._canaries(served, _plain_texts(served)[-1:])
            return served
        except BaseException:
            await lane.end()
            raise

    async def _checked(self, folder: str, before: ServedModel) -> _Served:
        """Open another model and see whether it can stand in the place of one."""
        new = await self._opened(folder)
        try:
            _require_alike(before, new.model)
            record = recorded_answers(Path(folder))
            if record is None or not record.texts:
                await self._canaries(new, _plain_texts(new))
            else:
                places = canary_places(record)
                found = await self._canaries(new, [record.texts[place] for place in places])
                require_recorded(found.predictions, record, places)
        except BaseException:
            await new.lane.end()
            raise
        return new

    async def _canaries(self, served: _Served, texts: Sequence[str]) -> Answered:
        """Ask a model that does not serve yet."""
        asked = Asked(texts=texts, client=_CANARY_CLIENT, timeout_s=_CANARY_S)
        return await self._answered(served, asked, asyncio.get_running_loop().time() + _CANARY_S)

    async def _retire(self, served: _Served) -> None:
        """Let a model answer what it took, and end it."""
        try:
            async with asyncio.timeout(self._settings.grace_s):
                await served.left()
        except TimeoutError:
            self._say(f"not all requests were answered within {self._settings.grace_s:g} s")
        await served.lane.end()

    async def _answered(self, served: _Served, asked: Asked, deadline_s: float) -> Answered:
        model, lane = served.model, served.lane
        texts = model.facts.as_read(as_texts(asked.texts, where="a request"))
        about = _about_tokens(texts, model.window)
        lane.check(asked.client, about, asked.timeout_s)
        read = await self._read(served, texts, about)
        self._require_lengths(read, model.window, truncate=asked.truncate)
        found = await lane.answer(read, client=asked.client, deadline_s=deadline_s, with_vectors=asked.vectors)
        rows = AnsweredRows(
            row_ids=tuple(map(str, range(1, len(texts) + 1))),
            true_labels=None,
            tokens=read.lengths + read.cut_tokens,
            truncated=read.truncated,
            texts=tuple(texts),
            unknown=read.count(model.tokenizer.special_ids["[UNK]"]),
        )
        return Answered(
            predictions=predictions_of(model.facts, found.answers_NC, rows),
            cut_tokens=read.cut_tokens,
            vectors=found.vectors_NW,
            model_digest=model.digest,
            queue_s=found.queue_s,
            engine_s=found.engine_s,
        )

    async def _read(self, served: _Served, texts: list[str], about: int) -> ReadTexts:
        """Turn texts into tokens: a few at once; many beside the loop, which answers others meanwhile."""
        model = served.model
        if sum(map(len, texts)) <= _INLINE_CHARACTERS:
            return model.tokenizer.read(texts, model.window)
        served.lane.come(about)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._tokenizing, model.tokenizer.read, texts, model.window)
        finally:
            served.lane.come(-about)

    def _require_size(self, texts: Sequence[str]) -> None:
        most, longest = self._settings.max_texts, self._settings.max_characters
        if not texts:
            raise DataError("the request has no text: give at least one")
        if len(texts) > most:
            raise TooLargeError(
                f"the request has {len(texts):,} texts, and the limit is {most:,} (max_texts): send them in several "
                "requests, or start the service with a higher --max-texts"
            )
        for place, text in enumerate(texts):
            if isinstance(text, str) and len(text) > longest:
                raise TooLargeError(
                    f"text {place} has {len(text):,} characters, and the limit is {longest:,} (max_characters): "
                    "shorten it, or start the service with a higher --max-characters"
                )

    def _require_lengths(self, read: ReadTexts, window: Window, *, truncate: bool) -> None:
        tokens_N, most = read.lengths + read.cut_tokens, self._settings.max_text_tokens
        if most is not None and (longer := np.flatnonzero(tokens_N > most)).size:
            raise TooLargeError(
                f"text {longer[0]} has {tokens_N[longer[0]]:,} tokens, and the limit is {most:,} (max_text_tokens): "
                "shorten it, or start the service with a higher --max-text-tokens"
            )
        if not truncate and read.truncated.any():
            faults = FaultLog()
            faults.extend(f"text {place} has {tokens_N[place]:,} tokens" for place in np.flatnonzero(read.truncated))
            faults.raise_as(
                DataError,
                what=f"texts are longer than the {window.max_tokens:,} tokens that the model reads",
                todo="shorten them, or let them be cut (truncate)",
            )


def _model_of(folder: str, about: Mapping[str, Any], name: str | None) -> ServedModel:
    """Return what an engine said of its model, as the front has it.

    Args:
        folder: of the model.
        about: what was said.
        name: under which clients ask for it; that of the folder where it is None.
    """
    facts, stated = parse_facts(about["facts"], where=folder), about["tokenizer"]
    tokenizer = Tokenizer(
        json.loads(stated["definition"]),
        max_tokens=stated["max_tokens"],
        where=folder,
        truncation_side=stated["truncation_side"],
    )
    # Opened now, not by the first request.
    tokenizer.native()
    place = Path(folder)
    return ServedModel(
        name=name or (place.parent.name if place.name == "bundle" else place.name),
        digest=about["digest"],
        facts=facts,
        tokenizer=tokenizer,
        window=Window(name=facts.window or tokenizer.own_window, max_tokens=facts.max_tokens),
        numerics=about["numerics"],
        vector_width=about["vector_width"],
        vector_pooling=about["vector_pooling"],
    )


def _about_tokens(texts: Sequence[str], window: Window) -> int:
    """Return about how many tokens are read of texts, without reading them."""
    about = 2 * len(texts) + sum(map(len, texts)) // _TOKEN_CHARACTERS
    return about if window.name == "all" else min(about, len(texts) * window.max_tokens)


def _plain_texts(served: _Served) -> list[str]:
    return plain_canaries(pairs=served.model.facts.pair is not None)


def _require_alike(before: ServedModel, after: ServedModel) -> None:
    """Refuse a model whose answers clients would not understand."""
    old, new = before.facts, after.facts
    if new.task != old.task:
        raise ModelError(f"it answers with {new.shape.words}, and clients expect {old.shape.words}")
    if new.label_names != old.label_names:
        raise ModelError(
            f"its labels are {listed(new.label_names)}, and clients expect {listed(old.label_names)}, in this order"
        )
    if (new.pair is None) != (old.pair is None):
        raise ModelError("one of the two models reads pairs of texts, and the other one text per row")

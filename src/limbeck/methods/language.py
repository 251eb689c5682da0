"""What it costs a language model to miss masked tokens, and a student to differ from its teacher meanwhile.

In: rows of a `TokenStore`, an encoder with a language head, perhaps a teacher. Out: one loss a row; and how well
validation rows are guessed. It does not know updates or optimizers.

A row's loss is the sum over its tokens divided by the mean number of such tokens a row: so every token counts the same,
in long rows and short. The soft cross-entropy over the vocabulary is computed at masked places only, where the hard one
is too: the other 85 of 100 places would cost six times as much.

Shapes: T packed tokens, M of them masked, D width, V vocabulary, B rows.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import TrainingError
from limbeck.methods.distil_losses import (
    TripleWeights,
    cosine_distance,
    triple_loss,
)
from limbeck.methods.masking import MASKED_SHARE, Masked, MaskingVocabulary, mask_tokens
from limbeck.methods.token_store import TokenStore
from limbeck.methods.vocabulary_losses import vocabulary_costs
from limbeck.model.encoder import Encoder
from limbeck.model.language_head import LanguageHead
from limbeck.progress import SILENT, Progress
from limbeck.tokens import TokenBatch, Tokenizer
from limbeck.training.batches import pack_rows
from limbeck.training.examples import TOKEN_STEP, Int64, Rows, filled_up
from limbeck.training.journal import EpochLine
from limbeck.training.judge import EVALUATION_TOKENS
from limbeck.training.native_step import NativeStep

CONTINUES = "##"


class LanguageModel(nn.Module):
    """An encoder that guesses masked tokens.

    Args:
        encoder: makes hidden states.
        head: makes logits of them, with the encoder's word embeddings.
        native: computes the encoder in torch's place; made with tied words.
        teacher_width: of the states to compare with, where these are wider or narrower; None otherwise.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: LanguageHead,
        *,
        native: NativeStep | None = None,
        teacher_width: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.native = native
        self.projection: nn.Module = nn.Identity()
        if teacher_width is not None and teacher_width != encoder.config.dim:
            self.projection = nn.Linear(encoder.config.dim, teacher_width, bias=False)

    def hidden(self, batch: TokenBatch) -> Tensor:
        """Return the last hidden state of each token, (T, D)."""
        if self.native is not None:
            return self.native.last_states(batch)
        config = self.encoder.config
        # The text of padding must not be longer than the encoder can read.
        filled = filled_up(batch, min(TOKEN_STEP, config.max_position_embeddings), config.pad_token_id)
        hidden_TD: Tensor = self.encoder(filled)
        return hidden_TD[: len(batch.ids)]

    def logits(self, hidden_TD: Tensor, places_M: Tensor) -> Tensor:
        """Return logits_MV of the places to guess at."""
        logits_MV: Tensor = self.head(hidden_TD[places_M], self.encoder.embeddings.word_embeddings.weight)
        return logits_MV


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How rows are read.

    Attributes:
        vocabulary: what masking knows of it.
        share: of the tokens that is masked.
        whole_words: mask words instead of tokens.
        use_bf16: compute in bfloat16; weights stay as they are.
    """

    vocabulary: MaskingVocabulary
    share: float = MASKED_SHARE
    whole_words: bool = False
    use_bf16: bool = False

    def arithmetic(self, device: torch.device) -> AbstractContextManager[object]:
        """Compute in this precision meanwhile."""
        return torch.autocast(device.type, dtype=torch.bfloat16) if self.use_bf16 else nullcontext()


@dataclass(frozen=True, kw_only=True, eq=False)
class Triple:
    """Whom a student learns from.

    Attributes:
        teacher: in evaluation mode, no gradients.
        weights: of the three losses.
        temperature: at which both are compared.
    """

    teacher: LanguageModel
    weights: TripleWeights
    temperature: float


class LanguageLosses:
    """What guesses of rows cost.

    Args:
        model: is trained.
        store: rows.
        rows: numbers of those that are learnt from.
        reading: how.
        triple: the teacher; masked language modelling alone when not given.
    """

    def __init__(
        self, model: LanguageModel, store: TokenStore, rows: Int64, reading: Reading, triple: Triple | None = None
    ) -> None:
        self.facts = rows_of(store, rows)
        self._model = model
        self._store = store
        self._rows = rows
        self._reading = reading
        self._triple = triple
        self._tokens_a_row = float(self.facts.tokens_N.mean())
        self._masked_a_row = reading.share * max(1.0, self._tokens_a_row - 2)

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row."""
        # The loop seeds torch for each micro-batch; masks follow it, so that a resumed run draws the same.
        seed = int(torch.randint(2**62, ()).item())
        shown = mask_rows(self._store, self._rows[rows], self._reading, np.random.default_rng(seed))
        own = guess(self._model, shown, self._reading)
        device = own.logits_MV.device
        row_T = torch.from_numpy(shown.row_T).to(device)
        row_M = row_T[torch.from_numpy(shown.masked.places_M).to(device)]
        targets_M = torch.from_numpy(shown.masked.targets_M).to(device)
        if self._triple is None:
            masked_M, _ = vocabulary_costs(own.logits_MV, targets_M)
            return _row_sums(masked_M, row_M, len(rows)) / self._masked_a_row
        weights, temperature = self._triple.weights, self._triple.temperature
        with torch.no_grad():
            taught = guess(self._triple.teacher, shown, self._reading)
        taught_MV = taught.logits_MV if weights.soft else None
        masked_M, soft_M = vocabulary_costs(own.logits_MV, targets_M, taught_MV, temperature=temperature)
        masked_B = _row_sums(masked_M, row_M, len(rows)) / self._masked_a_row
        soft_B = _row_sums(soft_M, row_M, len(rows)) / self._masked_a_row
        cosine_B = torch.zeros_like(masked_B)
        if weights.cosine:
            cosine_T = cosine_distance(self._model.projection(own.hidden_TD), taught.hidden_TD)
            cosine_B = _row_sums(cosine_T, row_T, len(rows)) / self._tokens_a_row
        return triple_loss(soft_B, masked_B, cosine_B, weights)


@dataclass(frozen=True, kw_only=True)
class Perplexity(EpochLine):
    """One line of the table of a language model; its validation loss is the cross-entropy of masked tokens.

    Attributes:
        perplexity: the exponential of the validation loss: among how many tokens the model is torn, as it were.
        accuracy: share of masked tokens that were guessed, 0 to 1.
    """

    perplexity: float
    accuracy: float

    head: ClassVar[tuple[str, ...]] = (*EpochLine.head, "Perplexity", "Guessed")

    def cells(self) -> list[str]:
        """Return the line's cells, under `head`."""
        return [*super().cells(), f"{self.perplexity:.3f}", f"{self.accuracy:.4f}"]


class LanguageJudge:
    """How well masked tokens of validation rows are guessed; the masks are the same in every epoch.

    Args:
        model: is judged; set to evaluation meanwhile.
        store: rows.
        rows: numbers of those to judge by.
        reading: how.
        seed: of the masks.
    """

    line_type: type[EpochLine] = Perplexity

    def __init__(self, model: LanguageModel, store: TokenStore, rows: Int64, reading: Reading, *, seed: int) -> None:
        self._model = model
        self._store = store
        self._rows = rows
        self._reading = reading
        self._seed = seed

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> Perplexity:
        """Return an epoch's line.

        Raises:
            TrainingError: the guesses are not finite.
        """
        was_training = self._model.training
        self._model.eval()
        random = np.random.default_rng(self._seed)
        tokens_N = self._store.lengths[self._rows]
        order = np.argsort(tokens_N, kind="stable")
        loss_sum, right, count = 0.0, 0, 0
        with (
            torch.inference_mode(),
            progress.track(f"evaluating {epoch}", total=int(tokens_N.sum()), unit="tokens") as advance,
        ):
            for places in pack_rows(order, tokens_N, EVALUATION_TOKENS):
                check()
                shown = mask_rows(self._store, self._rows[places], self._reading, random)
                logits_MV = guess(self._model, shown, self._reading).logits_MV
                targets_M = torch.from_numpy(shown.masked.targets_M).to(logits_MV.device)
                masked_M, _ = vocabulary_costs(logits_MV, targets_M)
                loss_sum += float(masked_M.double().sum())
                right += int((logits_MV.argmax(dim=1) == targets_M).sum())
                count += len(targets_M)
                advance(int(tokens_N[places].sum()))
        self._model.train(was_training)
        if not count:
            raise TrainingError("no token of the validation rows was masked: give more texts")
        loss = loss_sum / count
        if not math.isfinite(loss):
            raise TrainingError(f"the model's guesses after {epoch} are not finite: lower the learning rate")
        return Perplexity(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=loss,
            perplexity=math.exp(min(loss, 700.0)),
            accuracy=right / count,
            seconds=0.0,
        )

    def figure(self, line: EpochLine) -> float:
        """Return the validation loss, turned round."""
        return -line.validation_loss


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Rows as a model sees them.

    Attributes:
        batch: with masked ids.
        masked: what is masked.
        row_T: place in the batch of the row that each token is of.
    """

    batch: TokenBatch
    masked: Masked
    row_T: Int64


@dataclass(frozen=True, kw_only=True, eq=False)
class Guess:
    """What a model makes of rows.

    Attributes:
        hidden_TD: its last hidden state.
        logits_MV: its logits at the places that are masked, in the precision of the reading.
    """

    hidden_TD: Tensor
    logits_MV: Tensor


def mask_rows(store: TokenStore, rows: Int64, reading: Reading, random: np.random.Generator) -> Shown:
    """Pack rows of a store and mask them."""
    batch = store.take(rows)
    masked = mask_tokens(batch.ids, reading.vocabulary, random, share=reading.share, whole_words=reading.whole_words)
    row_T = np.repeat(np.arange(len(rows)), batch.lengths)
    return Shown(batch=replace(batch, ids=masked.ids_T), masked=masked, row_T=row_T)


def guess(model: LanguageModel, shown: Shown, reading: Reading) -> Guess:
    """Let a model guess."""
    device = model.encoder.embeddings.word_embeddings.weight.device
    with reading.arithmetic(device):
        hidden_TD = model.hidden(shown.batch)
        logits_MV = model.logits(hidden_TD, torch.from_numpy(shown.masked.places_M).to(device))
    return Guess(hidden_TD=hidden_TD.float(), logits_MV=logits_MV)


def rows_of(store: TokenStore, rows: Int64) -> Rows:
    """Return what the loop knows about rows of a store."""
    return Rows(tokens_N=store.lengths[rows], row_ids=[f"row {row + 1}" for row in rows.tolist()])


def masking_vocabulary(tokenizer: Tokenizer) -> MaskingVocabulary:
    """Say what masking has to know of a tokenizer."""
    words = tokenizer.vocabulary()
    special = sorted(set(tokenizer.special_ids.values()))
    continues_V = np.zeros(tokenizer.highest_id + 1, bool)
    continues_V[[token_id for token, token_id in words.items() if token.startswith(CONTINUES)]] = True
    drawable = [
        token_id for token, token_id in words.items() if token_id not in special and not token.startswith("[unused")
    ]
    return MaskingVocabulary(
        mask_id=tokenizer.special_ids["[MASK]"],
        special_ids=np.array(special, np.int64),
        drawable_ids=np.array(sorted(drawable), np.int64),
        continues_V=continues_V,
    )


def _row_sums(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """Add up values by row, (B,)."""
    return values.new_zeros(count).index_add(0, rows, values)

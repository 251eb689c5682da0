"""The peers of `train.py`: each fine-tunes DistilBERT with a classification head on labelled texts.

In: a model folder in DistilBERT's layout. Out: calls that train one epoch on texts and labels, 64 a batch, and return
the seconds of training, tokenizing left out; one returns how good it became. Texts come in batches of similar lengths:
who groups by length takes them in this order, as its own grouping of a whole epoch has it; the others shuffle them.
It does not know what is measured.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    DataCollatorWithPadding,
    DistilBertForSequenceClassification,
    Trainer,
    TrainingArguments,
    get_linear_schedule_with_warmup,
)

from limbeck.runtime import has_bf16

Train = Callable[[Sequence[str], np.ndarray], float]
BATCH_ROWS = 64
RATE = 1e-4
MAX_TOKENS = 512


class _Rows(torch.utils.data.Dataset):
    """Tokenised rows, as the Trainer wants them."""

    def __init__(self, encoded: dict[str, list[list[int]]], labels: np.ndarray) -> None:
        self.encoded = encoded
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: values[row] for name, values in self.encoded.items()} | {"labels": int(self.labels[row])}


def padded_trainer(
    folder: Path,
    scratch: Path,
    *,
    bf16: bool = False,
    grouped: bool = False,
    padded: bool = False,
    device: str = "cpu",
) -> Train:
    """`transformers.Trainer`: padded a batch, grouped by length or not, or padded a thousand rows at a time.

    Of so few rows its own grouping would sort 256 at a time, not 3,200 as of an epoch: it is given that order instead.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def train(texts: Sequence[str], labels: np.ndarray) -> float:
        model = DistilBertForSequenceClassification.from_pretrained(folder, num_labels=6)
        if padded:
            # Shorter than the map's batch of 1,000, the slice is padded as that would be: to the longest of its kind.
            encoded = tokenizer(list(texts), truncation=True, padding="max_length", max_length=_longest(tokenizer))
        else:
            encoded = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)
        arguments = _arguments(scratch, bf16=bf16, sampling="sequential" if grouped else "random", device=device)
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=_Rows(dict(encoded), labels),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        return float(trainer.train().metrics["train_runtime"])

    return train


def _arguments(scratch: Path, *, bf16: bool, sampling: str, seed: int = 42, device: str = "cpu") -> TrainingArguments:
    """One epoch, nothing saved or logged."""
    return TrainingArguments(
        output_dir=str(scratch / "trainer"),
        per_device_train_batch_size=BATCH_ROWS,
        num_train_epochs=1,
        learning_rate=RATE,
        seed=seed,
        bf16=bf16,
        use_cpu=device == "cpu",
        train_sampling_strategy=sampling,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def scored_trainer(
    folder: Path,
    scratch: Path,
    train: tuple[Sequence[str], np.ndarray],
    validation: tuple[Sequence[str], np.ndarray],
    *,
    seed: int,
) -> dict[str, float]:
    """Train `transformers.Trainer` for an epoch at its best CPU settings; return validation accuracy and log loss."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    model = DistilBertForSequenceClassification.from_pretrained(folder, num_labels=6)
    train_rows, validation_rows = (
        _Rows(dict(tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)), labels)
        for texts, labels in (train, validation)
    )
    arguments = _arguments(scratch, bf16=has_bf16("cpu"), sampling="group_by_length", seed=seed)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=train_rows, data_collator=DataCollatorWithPadding(tokenizer)
    )
    trainer.train()
    # Grouping by length groups these rows too: the labels come back in the order of the answers, not of the rows.
    found = trainer.predict(validation_rows)
    logits_NC, labels_N = torch.from_numpy(found.predictions).float(), torch.from_numpy(found.label_ids).long()
    return {
        "accuracy": float((logits_NC.argmax(1) == labels_N).float().mean()),
        "log_loss": float(torch.nn.functional.cross_entropy(logits_NC, labels_N)),
    }


def plain_loop(folder: Path, *, bf16: bool, bucketed: bool) -> Train:
    """A careful user's own loop: fused AdamW, padded a batch, bf16 by autocast or not, batches as given or shuffled."""
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def train(texts: Sequence[str], labels: np.ndarray) -> float:
        model = DistilBertForSequenceClassification.from_pretrained(folder, num_labels=6).train()
        encoded = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        started = time.perf_counter()
        order = np.arange(len(texts)) if bucketed else np.random.default_rng(0).permutation(len(texts))
        batches = [order[start : start + BATCH_ROWS] for start in range(0, len(order), BATCH_ROWS)]
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
        schedule = get_linear_schedule_with_warmup(optimizer, 0, len(batches))
        for rows in batches:
            batch = tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                found = model(**batch, labels=torch.from_numpy(labels[rows]))
            found.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        return time.perf_counter() - started

    return train


def _longest(tokenizer: Any) -> int:
    """Return the mean, over runs of a thousand training tweets, of the longest tweet's tokens."""
    from measure import SHARED_DATA

    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
    lengths = [len(ids) for ids in tokenizer([line.rpartition(";")[0] for line in lines])["input_ids"]]
    return round(float(np.mean([max(lengths[start : start + 1000]) for start in range(0, len(lengths), 1000)])))

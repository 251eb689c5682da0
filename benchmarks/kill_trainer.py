"""The baseline of `kill.py`: can `transformers.Trainer` be killed at any moment and go on to the same bits?

The same small job: two epochs over 48 rows, a checkpoint after every step, 50 kills with SIGKILL at random moments.
What is left is taken up as Trainer's documentation says, `train(resume_from_checkpoint=True)`, or from the start where
it has written no checkpoint yet. Counts how often that ran to its end without hand work, and how often the weights
equal those of an undisturbed run bit for bit. Writes benchmarks/results/kill_trainer.json.

    python benchmarks/kill_trainer.py [--kills N]
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from kill import KILLED, ended, in_child, make_world
from measure import write_result
from safetensors.torch import load_file
from transformers import (
    DataCollatorWithPadding,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging as transformers_logging


class Rows(torch.utils.data.Dataset):
    """The rows of the small job, tokenised."""

    def __init__(self, place: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        lines = (place / "data" / "train.txt").read_text("utf-8").splitlines()
        pairs = [line.rpartition(";")[::2] for line in lines]
        self.rows = [
            {"input_ids": tokenizer(text)["input_ids"], "labels": int(name == "sadness")} for text, name in pairs
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.rows[row]


def train(place: Path, out: Path) -> None:
    """Train, or go on with what is in `out`, and save the model."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(place / "encoder" / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
    torch.manual_seed(7)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=16
    )
    arguments = TrainingArguments(
        output_dir=str(out),
        num_train_epochs=2,
        per_device_train_batch_size=8,
        save_steps=1,
        save_total_limit=2,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    trainer = Trainer(
        model=DistilBertForSequenceClassification(config),
        args=arguments,
        train_dataset=Rows(place, tokenizer),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train(resume_from_checkpoint=bool(out.is_dir() and get_last_checkpoint(str(out))) or None)
    trainer.save_model(str(out / "final"))


def weights(out: Path) -> dict[str, bytes]:
    """Return the final weights, as bytes."""
    return {name: values.numpy().tobytes() for name, values in load_file(out / "final" / "model.safetensors").items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers_logging.set_verbosity_error()
    drawing = random.Random(0)  # noqa: S311
    killed = ran_on = equal = 0
    with tempfile.TemporaryDirectory() as folder:
        place = make_world(Path(folder), every_step=True).place
        began_s = time.monotonic()
        if ended(in_child(lambda: train(place, place / "WHOLE"))):
            raise SystemExit("the undisturbed run failed")
        whole_s = time.monotonic() - began_s
        expected = weights(place / "WHOLE")
        for trial in range(given.kills):
            out = place / f"RUN-{trial}"
            child = in_child(lambda out=out: train(place, out))
            time.sleep(drawing.uniform(0, whole_s))
            os.kill(child, signal.SIGKILL)
            killed += ended(child) == KILLED
            if (out / "final" / "model.safetensors").exists() or ended(
                in_child(lambda out=out: train(place, out))
            ) == 0:
                ran_on += 1
                equal += weights(out) == expected
    result = {"trials": given.kills, "killed": killed, "resumed": ran_on, "bit_equal": equal, "steps": 12}
    print(f"written to {write_result('kill_trainer', result, packages=('torch', 'transformers', 'accelerate'))}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

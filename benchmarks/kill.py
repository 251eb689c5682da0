"""Can a training be killed at any moment and go on to the same bits?

    python benchmarks/kill.py --kills 50       kill -9 at 50 random moments of a small fine-tuning
    python benchmarks/kill.py --calls          kill -9 at every write, fsync and rename of a run with its checkpoints
    … --native                                 by the compiled kernels, in the arithmetic that suits the machine
    … --what pretrain, --what distil           the same for a general distillation, or one of a fine-tuned teacher

Each trial: a child process trains and is killed with SIGKILL; another is started on what it left, with `--resume` as a
person would, and goes on to the end; its weights are compared, bit for bit, with those of a run that nobody disturbed.
Prints one line of JSON, and ends with status 1 when a trial failed.

Children are forked from this process after torch is loaded, and compute with one thread: a trial then takes a second.
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, pre_tokenizers, processors

from limbeck import read, storage
from limbeck.catalog.presets import load_encoder_folder
from limbeck.errors import BundleError
from limbeck.features.cache import FeatureCache
from limbeck.methods.distil import Curriculum, distil
from limbeck.methods.distil_settings import Distillation, DistillationSettings
from limbeck.methods.finetune import finetune
from limbeck.methods.pretrain import pretrain
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.methods.trainings import Finetuning
from limbeck.model.bundle import load_bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.reading.text_stream import open_stream
from limbeck.settings import FeatureSettings, FinetuneSettings, Precision
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer
from limbeck.training import checkpoint

WORDS = ("so", "it", "is", "fine", "sun", "sad", "rain", "today")
KILLED = -signal.SIGKILL


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the trials came to."""

    mode: str
    trials: int
    killed: int
    resumed: int
    bit_equal: int
    steps: int
    save_interval_steps: int
    numerics: str


@dataclass(frozen=True)
class World:
    """A small encoder, a small data set, and the settings of a run on them."""

    place: Path
    settings: Finetuning

    @property
    def precision(self) -> Precision:
        """Of every training here."""
        return self.settings.finetune.precision

    def train(self, out: Path) -> None:
        finetune(read(self.place / "data"), out, self.settings, start="resume")

    def weights(self, out: Path) -> dict[str, bytes]:
        state = load_bundle(out / "bundle").network().hugging_face_state()
        return {name: values.numpy().tobytes() for name, values in state.items()}


@dataclass(frozen=True)
class PretrainWorld(World):
    """A general distillation on the same texts; the teacher's language head is trained first."""

    def train(self, out: Path) -> None:
        settings = PretrainingSettings(
            teacher=str(self.place / "encoder"), layers=1, steps=6, epochs=2, head_steps=3, batch_rows=8, max_tokens=8,
            precision=self.precision, device="cpu", checkpoint_every_s=self.settings.finetune.checkpoint_every_s,
        )  # fmt: skip
        pretrain(open_stream(self.place / "data" / "train.txt"), out, settings, start="resume")

    def weights(self, out: Path) -> dict[str, bytes]:
        state = load_encoder_folder(out / "encoder").encoder.state_dict()
        return {name: values.numpy().tobytes() for name, values in state.items()}


@dataclass(frozen=True)
class DistilWorld(World):
    """A distillation of a teacher that was fine-tuned on the same data."""

    def train(self, out: Path) -> None:
        teacher = self.place / "TEACHER"
        if not teacher.exists():
            finetune(read(self.place / "data"), teacher, self.settings)
        settings = Distillation(
            distil=DistillationSettings(
                layers=1, epochs=2, batch_rows=8, prune_vocabulary=True, precision=self.precision, device="cpu",
                checkpoint_every_s=self.settings.finetune.checkpoint_every_s,
            )
        )  # fmt: skip
        curriculum = Curriculum(teachers=[teacher], dataset=read(self.place / "data"))
        distil(curriculum, out, settings, cache=FeatureCache(self.place / "cache"), start="resume")


WORLDS = {"finetune": World, "pretrain": PretrainWorld, "distil": DistilWorld}


def make_world(what: str, place: Path, *, every_step: bool, native: bool) -> World:
    """Write an encoder and data; `every_step` saves after each, so that half of the time is spent saving."""
    words = {word: number for number, word in enumerate((*SPECIAL_TOKENS, *WORDS))}
    raw = RawTokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, words[name]) for name in ("[CLS]", "[SEP]")]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=len(words), dim=64 if native else 16, n_layers=2, n_heads=2, hidden_dim=64,
        max_position_embeddings=16,
    )  # fmt: skip
    (place / "encoder").mkdir()
    tokenizer = Tokenizer(json.loads(raw.to_str()), max_tokens=16, where="the tokenizer of the kill test")
    write_encoder(Encoder(sizes), tokenizer, place / "encoder")
    (place / "data").mkdir()
    drawing = random.Random(3)  # noqa: S311
    for split, rows in {"train": 48, "val": 12}.items():
        lines = []
        for number in range(rows):
            label = ("joy", "sadness")[number % 2]
            said = [drawing.choice(WORDS[:3]), drawing.choice(WORDS[3:5] if label == "joy" else WORDS[5:7])]
            lines.append(f"{' '.join([*said, *drawing.choices(WORDS, k=drawing.randint(0, 5))])};{label}\n")
        (place / "data" / f"{split}.txt").write_text("".join(lines), "utf-8")
    precision: Precision = "auto" if native else "float32"
    settings = Finetuning(
        features=FeatureSettings(encoder=str(place / "encoder"), pooling="cls", device="cpu", precision="float32"),
        finetune=FinetuneSettings(
            epochs=2, batch_rows=8, precision=precision, checkpoint_every_s=0.0 if every_step else 120.0
        ),
    )
    return WORLDS[what](place, settings)


def in_child(work: Callable[[], None]) -> int:
    """Start `work` in a forked process; return its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001  # the child must not go on as its parent, whatever happens
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """Wait for a child; return its status, negative when a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killing_at(number: int, work: Callable[[], None]) -> Callable[[], None]:
    """Return `work` with this process killed at the `number`-th write, fsync or rename."""
    calls = 0

    def counted(honest: Callable[..., object]) -> Callable[..., object]:
        def call(*values: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(*values, **options)

        return call

    def run() -> None:
        os.fsync = counted(os.fsync)
        os.replace = counted(os.replace)
        checkpoint.write_tensors = counted(checkpoint.write_tensors)
        storage.write_bytes = counted(storage.write_bytes)
        work()

    return run


def run_trials(what: str, mode: str, kills: int, seed: int, *, native: bool) -> Counts:
    """Kill, resume and compare."""
    torch.set_num_threads(1)
    for name in ("pandas", "torch._dynamo"):
        importlib.import_module(
            name
        )  # else each child loads them anew: longer than it trains, and no moment to be killed
    drawing = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(what, Path(folder), every_step=mode == "moments", native=native)
        began_s = time.monotonic()
        if ended(in_child(lambda: world.train(world.place / "WHOLE"))):
            raise SystemExit("the undisturbed run failed")
        whole_s = time.monotonic() - began_s
        expected = world.weights(world.place / "WHOLE")
        steps = json.loads((world.place / "WHOLE" / "metrics.json").read_text("utf-8"))["steps"]
        numerics = json.loads((world.place / "WHOLE" / "run.json").read_text("utf-8"))["encoder"]["numerics"]
        trials = killed = resumed = equal = 0
        while trials < kills:
            trials += 1
            out = world.place / f"RUN-{trials}"

            def train(out: Path = out) -> None:
                world.train(out)

            if mode == "moments":
                child = in_child(train)
                time.sleep(drawing.uniform(0, whole_s))
                os.kill(child, signal.SIGKILL)
                status = ended(child)
            else:
                status = ended(in_child(killing_at(trials, train)))
            if status not in (0, KILLED):
                raise SystemExit(f"trial {trials}: the training ended by itself, with status {status}")
            if status != KILLED and mode == "calls":
                trials -= 1  # there are no more calls: this one ended by itself
                break
            killed += status == KILLED
            finished = (out / "metrics.json").exists()
            resumed += finished or ended(in_child(train)) == 0
            try:
                equal += world.weights(out) == expected
            except BundleError as error:
                sys.stderr.write(f"trial {trials}: {error}\n")
    interval = 1 if mode == "moments" else steps // 2
    return Counts(
        mode=mode, trials=trials, killed=killed, resumed=resumed, bit_equal=equal, steps=steps,
        save_interval_steps=interval, numerics=numerics,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="random moments")
    parser.add_argument("--calls", action="store_true", help="at every write, fsync and rename instead")
    parser.add_argument("--first", type=int, default=10_000, help="with --calls: stop after this many of them")
    parser.add_argument("--what", choices=list(WORLDS), default="finetune")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--native", action="store_true", help="by the compiled kernels, where there are some")
    given = parser.parse_args()
    mode, kills = ("calls", given.first) if given.calls else ("moments", given.kills)
    counts = run_trials(given.what, mode, kills, given.seed, native=given.native)
    print(json.dumps(asdict(counts)))
    if not counts.trials == counts.resumed == counts.bit_equal:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

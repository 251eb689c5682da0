"""A student: a smaller encoder made of a larger one, before anything is learnt.

In: a teacher and a `StudentShape`. Out: a `LoadedEncoder` of fewer layers, of less width, of fewer tokens, or all of
these; and what it will cost to run, by counting. It does not know losses or data.

Layers and vocabulary are cut without changing what is left: a student of all layers whose vocabulary is pruned gives
the very hidden states of its teacher on the texts that it was pruned for. Width is cut by magnitude, see `narrowing`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from limbeck.errors import FaultLog, SettingsError
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.narrowing import narrow_encoder
from limbeck.model.weights import fingerprint_of
from limbeck.settings import StudentStart
from limbeck.tokens.pruning import PrunedVocabulary


@dataclass(frozen=True, kw_only=True)
class StudentShape:
    """How a student differs from its teacher.

    Attributes:
        layers: how many it has; as many as the teacher, or as `take` names, when not given.
        take: the teacher's layers that it begins with, from 0, rising; spread evenly when not given.
        width: of its hidden states; the teacher's when not given. A multiple of the width of a head.
        start: "teacher" to begin with the teacher's weights, "nothing" to draw all of them.
    """

    layers: int | None = None
    take: tuple[int, ...] | None = None
    width: int | None = None
    start: StudentStart = "teacher"


@dataclass(frozen=True, kw_only=True)
class Costing:
    """What an encoder costs to run, by counting.

    Attributes:
        parameters: numbers in its weights.
        embedding_parameters: of these, in the word embeddings, which cost memory and no arithmetic.
        multiplications_per_token: in the layers, for texts of the length that was asked about.
    """

    parameters: int
    embedding_parameters: int
    multiplications_per_token: int


def spread_layers(n_teacher: int, n_student: int) -> tuple[int, ...]:
    """Choose which of a teacher's layers a student begins with: evenly, the first and the last among them.

    Layer i of k is the teacher's i (n - 1) / (k - 1), rounded to the nearest, halves down; a single one is the first.
    For twelve and six this is the choice of DistilBERT's code.

    Raises:
        SettingsError: the student has no layer, or more than the teacher.

    Example:
        >>> spread_layers(12, 6), spread_layers(6, 3), spread_layers(6, 1)
        ((0, 2, 4, 7, 9, 11), (0, 2, 5), (0,))
    """
    if not 1 <= n_student <= n_teacher:
        raise SettingsError(
            f"layers = {n_student} is not possible: give 1 to {n_teacher}, as many as the teacher has at most"
        )
    if n_student == 1:
        return (0,)
    # ceil(x - 1/2) in whole numbers.
    return tuple(-(-(2 * i * (n_teacher - 1) - (n_student - 1)) // (2 * (n_student - 1))) for i in range(n_student))


def make_student(
    teacher: LoadedEncoder, shape: StudentShape, *, pruned: PrunedVocabulary | None = None, seed: int = 0
) -> LoadedEncoder:
    """Make a student of a teacher; the teacher is left as it is.

    Args:
        teacher: its encoder and tokenizer.
        shape: what to keep.
        pruned: the vocabulary to keep; all of it when not given.
        seed: of the weights that are drawn.

    Raises:
        SettingsError: the shape does not fit the teacher; gathers every fault.
    """
    config = student_config(teacher.config, shape, vocab_size=None if pruned is None else len(pruned))
    tokenizer = teacher.tokenizer if pruned is None else pruned.tokenizer
    config = replace(config, pad_token_id=tokenizer.pad_id)
    if shape.start == "nothing":
        generator = torch.random.get_rng_state()
        torch.manual_seed(seed)
        encoder = Encoder(config)
        torch.random.set_rng_state(generator)
    else:
        encoder = _cut(teacher.encoder, taken_layers(teacher.config, shape), pruned)
        encoder = narrow_encoder(encoder, config.dim) if config.dim != teacher.config.dim else encoder
        encoder.config = config
    return LoadedEncoder(
        name=f"a student of {teacher.name}",
        tokenizer=tokenizer,
        encoder=encoder.eval(),
        fingerprint=fingerprint_of(encoder),
    )


def taken_layers(config: EncoderConfig, shape: StudentShape) -> tuple[int, ...]:
    """Return the teacher's layers that a student of this shape begins with."""
    if shape.take is not None:
        return shape.take
    return spread_layers(config.n_layers, config.n_layers if shape.layers is None else shape.layers)


def student_config(teacher: EncoderConfig, shape: StudentShape, *, vocab_size: int | None = None) -> EncoderConfig:
    """Return a student's sizes.

    Raises:
        SettingsError: the shape does not fit the teacher; gathers every fault.
    """
    faults = FaultLog()
    if shape.take is not None:
        faults.extend(_take_faults(teacher, shape))
    head_width = teacher.dim // teacher.n_heads
    width = teacher.dim if shape.width is None else shape.width
    if not head_width <= width <= teacher.dim or width % head_width:
        faults.add(
            f"width = {width} is not possible: give a multiple of {head_width}, the width of an attention head, up to "
            f"the teacher's {teacher.dim}"
        )
    faults.raise_as(SettingsError, what="the student does not fit its teacher", todo="correct its shape")
    return replace(
        teacher,
        vocab_size=teacher.vocab_size if vocab_size is None else vocab_size,
        n_layers=len(taken_layers(teacher, shape)),
        dim=width,
        n_heads=width // head_width,
        hidden_dim=teacher.hidden_dim * width // teacher.dim,
    )


def count_costs(config: EncoderConfig, *, tokens: float) -> Costing:
    """Count what an encoder costs, for texts of a mean length in tokens.

    A layer multiplies 4 D² + 2 D F numbers a token in its maps, F the width of the feed-forward net, and 2 L D in its
    attention over L tokens.

    Example:
        >>> count_costs(EncoderConfig(), tokens=128).parameters  # distilbert-base-uncased without a head
        66362880
    """
    with torch.device("meta"):
        encoder = Encoder(config)
    per_layer = 4 * config.dim**2 + 2 * config.dim * config.hidden_dim + 2 * tokens * config.dim
    return Costing(
        parameters=sum(weight.numel() for weight in encoder.parameters()),
        embedding_parameters=config.vocab_size * config.dim,
        multiplications_per_token=round(config.n_layers * per_layer),
    )


def _take_faults(teacher: EncoderConfig, shape: StudentShape) -> Sequence[str]:
    taken = shape.take or ()
    faults = []
    if not taken or list(taken) != sorted(set(taken)) or not 0 <= min(taken) <= max(taken) < teacher.n_layers:
        faults.append(
            f"take = {', '.join(map(str, taken)) or 'nothing'} is not possible: name layers from 0 to "
            f"{teacher.n_layers - 1}, rising, each once"
        )
    if shape.layers is not None and shape.layers != len(taken):
        faults.append(f"layers = {shape.layers}, but take names {len(taken)}: give one of them")
    return faults


@torch.no_grad()
def _cut(teacher: Encoder, taken: Sequence[int], pruned: PrunedVocabulary | None) -> Encoder:
    """Copy the layers and the rows of the word embeddings that are kept."""
    vocab_size = teacher.config.vocab_size if pruned is None else len(pruned)
    with torch.device("meta"):
        encoder = Encoder(replace(teacher.config, n_layers=len(taken), vocab_size=vocab_size))
    state = {name: weight.clone() for name, weight in teacher.embeddings.state_dict(prefix="embeddings.").items()}
    if pruned is not None:
        name = "embeddings.word_embeddings.weight"
        state[name] = state[name][torch.from_numpy(pruned.kept_ids)]
    for place, number in enumerate(taken):
        layer = copy.deepcopy(teacher.transformer.layer[number].state_dict(prefix=f"transformer.layer.{place}."))
        state |= layer
    encoder.load_state_dict(state, assign=True)
    return encoder

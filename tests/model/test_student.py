"""Students: which layers, which columns, which tokens, and what that costs."""

import copy

import numpy as np
import pytest
import torch

from limbeck.errors import SettingsError
from limbeck.model.config import EncoderConfig
from limbeck.model.narrowing import narrow_encoder
from limbeck.model.student import StudentShape, count_costs, make_student, spread_layers
from limbeck.tokens.pruning import prune_vocabulary

TEXTS = ["i feel fine", "so sad today .", "it is rainy"]


def states_of(loaded, texts=TEXTS, **limits):
    tokenized = loaded.tokenizer.encode(texts)
    with torch.inference_mode():
        return loaded.encoder.hidden_states(tokenized.take(np.arange(len(texts))), **limits)


def test_layers_are_spread_as_distilbert_has_them():
    """Twelve to six is the paper's choice; the first layer is always there, the last from two on."""
    assert spread_layers(12, 6) == (0, 2, 4, 7, 9, 11)
    assert spread_layers(12, 4) == (0, 4, 7, 11)
    assert spread_layers(6, 3) == (0, 2, 5)
    assert spread_layers(6, 2) == (0, 5)
    assert spread_layers(6, 1) == (0,)
    for teacher in range(1, 25):
        assert spread_layers(teacher, teacher) == tuple(range(teacher))
        for student in range(2, teacher + 1):
            chosen = spread_layers(teacher, student)
            assert len(set(chosen)) == student
            assert list(chosen) == sorted(chosen)
            assert (chosen[0], chosen[-1]) == (0, teacher - 1)


def test_a_teacher_on_another_device_is_narrowed_there(tiny_loaded):
    """No tensor is made on the CPU beside those of the teacher: "meta" stands for any other device."""
    elsewhere = copy.deepcopy(tiny_loaded.encoder).to("meta")
    narrow = narrow_encoder(elsewhere, 8)
    assert {weight.device.type for weight in narrow.parameters()} == {"meta"}


def test_a_student_computes_what_its_layers_did(tiny_loaded):
    """One layer of two: its output is the teacher's after that layer, to the last bit; the teacher stays whole."""
    student = make_student(tiny_loaded, StudentShape(layers=1))
    assert student.config.n_layers == 1
    assert torch.equal(states_of(student)[-1], states_of(tiny_loaded)[1])
    with torch.no_grad():
        student.encoder.embeddings.word_embeddings.weight.zero_()
    assert tiny_loaded.encoder.embeddings.word_embeddings.weight.abs().sum() > 0


def test_chosen_layers_are_taken(tiny_loaded):
    """The second alone: it sees the embeddings."""
    student = make_student(tiny_loaded, StudentShape(take=(1,)))
    for name, weight in tiny_loaded.encoder.transformer.layer[1].state_dict().items():
        assert torch.equal(student.encoder.transformer.layer[0].state_dict()[name], weight)


def test_a_pruned_vocabulary_changes_no_bit(tiny_loaded):
    """All layers, fewer tokens: the hidden states of the corpus are the teacher's, bit for bit."""
    pruned = prune_vocabulary(tiny_loaded.tokenizer, TEXTS)
    student = make_student(tiny_loaded, StudentShape(), pruned=pruned)
    assert student.config.vocab_size == len(pruned) < tiny_loaded.config.vocab_size
    for found, expected in zip(states_of(student), states_of(tiny_loaded), strict=True):
        assert torch.equal(found, expected)


def test_a_narrower_student_keeps_the_largest(tiny_loaded):
    """Columns by the norm of the word embeddings, whole heads, and neurons in proportion."""
    words_VD = tiny_loaded.encoder.embeddings.word_embeddings.weight
    student = make_student(tiny_loaded, StudentShape(width=8))
    config = student.config
    assert (config.dim, config.n_heads, config.hidden_dim) == (8, 2, 16)
    columns = words_VD.norm(dim=0).topk(8).indices.sort().values
    assert torch.equal(student.encoder.embeddings.word_embeddings.weight, words_VD[:, columns])
    assert states_of(student)[-1].shape[1] == 8
    assert all(state.isfinite().all() for state in states_of(student))


def test_the_full_width_cuts_nothing(tiny_loaded):
    """Narrowing to the width that it has is no change."""
    from limbeck.model.narrowing import narrow_encoder

    same = narrow_encoder(tiny_loaded.encoder, 16)
    for name, weight in tiny_loaded.encoder.state_dict().items():
        assert torch.equal(same.state_dict()[name], weight)


def test_from_nothing_is_drawn_by_the_seed_alone(tiny_loaded):
    """Same seed, same weights, whatever was drawn before; nothing is the teacher's."""
    shape = StudentShape(layers=1, start="nothing")
    one = make_student(tiny_loaded, shape, seed=4)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    same, other = make_student(tiny_loaded, shape, seed=4), make_student(tiny_loaded, shape, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert not torch.equal(
        one.encoder.transformer.layer[0].ffn.lin1.weight, other.encoder.transformer.layer[0].ffn.lin1.weight
    )


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (StudentShape(layers=3), "give 1 to 2"),
        (StudentShape(layers=0, take=None), "give 1 to 2"),
        (StudentShape(take=(0, 2)), "from 0 to 1"),
        (StudentShape(take=(1, 0)), "rising"),
        (StudentShape(take=()), "nothing"),
        (StudentShape(layers=2, take=(0,)), "give one of them"),
        (StudentShape(width=6), "multiple of 4"),
        (StudentShape(width=20), "up to the teacher's 16"),
    ],
)
def test_impossible_shapes_are_refused(tiny_loaded, shape, says):
    """With what would be possible."""
    with pytest.raises(SettingsError, match=says):
        make_student(tiny_loaded, shape)


def test_base_sizes_are_those_of_the_paper():
    """BERT-base without a pooler has 109 M parameters (110 M with it), DistilBERT 66 M: 40 % fewer, half the work."""
    teacher = count_costs(EncoderConfig(n_layers=12), tokens=128)
    student = count_costs(EncoderConfig(n_layers=6), tokens=128)
    # BERT has two token types more, and its pooler 768 x 768 + 768.
    assert teacher.parameters + 2 * 768 + 768 * 768 + 768 == 109_482_240
    assert student.parameters == 66_362_880
    assert teacher.multiplications_per_token == 2 * student.multiplications_per_token
    assert 1 - student.parameters / 109_482_240 == pytest.approx(0.394, abs=0.001)

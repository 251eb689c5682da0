"""A DistilBERT classifier of transformers opens in limbeck and says the same; what is none is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers  # its parts are loaded when a test asks for them
from safetensors.torch import load_file, save_file

import limbeck
from limbeck.errors import BundleError, TokenizerError, WeightsError
from limbeck.methods.teachers import load_teachers
from limbeck.model.bundle import load_bundle, save_bundle
from limbeck.storage import sha256_of
from limbeck.tokens import Tokenizer

TEXTS = ["i feel fine", "so very sad today . it is rain", "sunny !", "", "unheard-of word", "it is so " * 9]
NAMES = ("joy", "sadness", "슬픔")


def their_tokenizer(
    tokenizer: Tokenizer, folder: Path, *, max_tokens: int = 24
) -> transformers.PreTrainedTokenizerFast:
    """Make the tokenizer as a user of transformers has it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.content, "utf-8")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        model_max_length=max_tokens,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name.strip('[]').lower()}_token": name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")},
    )


def small_config(**values: object) -> transformers.DistilBertConfig:
    sizes = {"vocab_size": 20, "dim": 16, "n_heads": 4, "n_layers": 2, "hidden_dim": 24, "max_position_embeddings": 24}
    return transformers.DistilBertConfig(**{**sizes, "initializer_range": 0.5, **values})


@pytest.fixture
def folder(tiny_tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A classifier of three classes, saved by transformers."""
    torch.manual_seed(5)
    made = tmp_path / "theirs"
    names = dict(enumerate(NAMES))
    config = small_config(id2label=names, label2id={name: label for label, name in names.items()})
    transformers.DistilBertForSequenceClassification(config).save_pretrained(made)
    their_tokenizer(tiny_tokenizer, tmp_path / "raw").save_pretrained(made)
    return made


def edit_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text("utf-8")), **values}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}), "utf-8")


def pipeline_probabilities(folder: Path, names: tuple[str, ...]) -> np.ndarray:
    answers = transformers.pipeline("text-classification", model=str(folder), device="cpu")(
        TEXTS, top_k=None, truncation=True
    )
    return np.array([[{item["label"]: item["score"] for item in one}[name] for name in names] for one in answers])


def test_a_saved_classifier_opens(folder: Path) -> None:
    """Label names and probabilities are those of transformers' pipeline, within 1e-5; long texts are cut alike."""
    predictor = limbeck.load(folder)
    assert predictor.label_names == NAMES
    found = predictor.predict(TEXTS)
    np.testing.assert_allclose(found.probabilities, pipeline_probabilities(folder, NAMES), atol=1e-5)
    assert found.truncated.tolist() == [False, False, False, False, False, True]
    assert found.probabilities.max() > 0.5


@pytest.mark.slow
def test_what_trainer_saves_opens(tiny_tokenizer: Tokenizer, tmp_path: Path) -> None:
    """The folder of save_model and a checkpoint beside its optimizer open alike; the folder above names them."""
    torch.manual_seed(6)
    tokenizer = their_tokenizer(tiny_tokenizer, tmp_path / "raw")
    rows = [{**tokenizer(text, truncation=True), "labels": place % 3} for place, text in enumerate(TEXTS)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), num_train_epochs=1, use_cpu=True, report_to=[], disable_tqdm=True,
        learning_rate=1e-2, save_strategy="epoch", logging_strategy="no",
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=transformers.DistilBertForSequenceClassification(small_config(num_labels=3)),
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "saved"))
    checkpoint = next((tmp_path / "out").glob("checkpoint-*"))
    assert (checkpoint / "training_args.bin").exists()
    names = ("LABEL_0", "LABEL_1", "LABEL_2")
    for place in (tmp_path / "saved", checkpoint):
        predictor = limbeck.load(place)
        assert predictor.label_names == names
        found = predictor.predict(TEXTS).probabilities
        np.testing.assert_allclose(found, pipeline_probabilities(place, names), atol=1e-5)
    with pytest.raises(BundleError, match=f"holds checkpoints of transformers.Trainer \\({checkpoint.name}\\)"):
        limbeck.load(tmp_path / "out")


def test_it_can_be_saved_as_a_bundle(folder: Path, tmp_path: Path) -> None:
    """What was opened becomes a folder of limbeck's own, with a manifest, that opens on both sides."""
    predictor = limbeck.load(folder)
    save_bundle(predictor.bundle, tmp_path / "ours", card="")
    again = limbeck.load(tmp_path / "ours")
    assert load_bundle(tmp_path / "ours").facts.provenance["made_by"] == "transformers"
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, predictor.predict(TEXTS).probabilities)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours")
    assert tuple(theirs.config.id2label.values()) == NAMES


def test_scoring_it_says_what_the_baseline_is(folder: Path) -> None:
    """It does not tell the majority of its training rows, so the largest class of the scored rows is the baseline."""
    import pyarrow as pa

    from limbeck.inference.scoring import score

    said = []

    class Listener(type(limbeck.progress.SILENT)):
        def say(self, message: str) -> None:
            said.append(message)

    labels = ["joy", "joy", "sadness", "슬픔", "joy"]
    rows = limbeck.from_arrow(pa.table({"text": [text or "so" for text in TEXTS[:5]], "label": labels}))
    scored = score(limbeck.load(folder), rows, progress=Listener())
    assert scored.evaluation.baseline.label == "joy"
    assert any("largest class of the rows that are scored" in message for message in said)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"architectures": ["DistilBertForTokenClassification"]},
            "'DistilBertForSequenceClassification'] was expected",
        ),
        ({"architectures": ["DistilBertModel"]}, "an encoder alone is opened with load_encoder"),
        ({"problem_type": "question_answering"}, "one of 'single_label_classification'"),
        ({"problem_type": ["regression"]}, "one of 'single_label_classification'"),
        ({"problem_type": "regression"}, "'regression' with 3 logits"),
        ({"id2label": {"0": "joy", "1": "sadness"}}, "does not name the 3 logits"),
        ({"id2label": {"0": "joy", "1": "sadness", "3": "슬픔"}}, "does not name the 3 logits"),
        ({"id2label": {"0": "joy", "1": "joy", "2": "슬픔"}}, "names a class twice"),
        ({"id2label": {"0": "", "1": "joy", "2": "슬픔"}}, "not a list of names"),
        ({"id2label": ["joy", "sadness", "슬픔"]}, "does not name the 3 logits"),
    ],
)
def test_another_model_is_refused(folder: Path, values: dict[str, object], message: str) -> None:
    """The message says which key of config.json does not fit, and what would."""
    edit_config(folder, **values)
    with pytest.raises(BundleError, match=message):
        limbeck.load(folder)


def test_names_that_are_not_given_are_those_of_transformers(folder: Path) -> None:
    """Without id2label the classes are LABEL_0, LABEL_1, …, as the pipeline says."""
    edit_config(folder, id2label=None, label2id=None)
    assert limbeck.load(folder).label_names == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize(
    "values",
    [
        {"architectures": None},
        {"dim": None, "hidden_size": 16, "n_heads": None, "num_attention_heads": 4},
        {"n_layers": None, "num_hidden_layers": 2},
        {"id2label": {"0": 7, "1": 2.5, "2": "슬픔"}},
    ],
    ids=["no architectures", "aliases", "one alias", "names that are numbers"],
)  # fmt: skip
def test_a_config_in_other_words_opens(folder: Path, values: dict[str, object]) -> None:
    """What transformers opens of a config.json that others wrote opens here, with the same probabilities."""
    before = limbeck.load(folder).predict(TEXTS).probabilities
    edit_config(folder, **values)
    predictor = limbeck.load(folder)
    assert (predictor.predict(TEXTS).probabilities == before).all()
    assert all(isinstance(name, str) for name in predictor.label_names)


def test_no_architectures_and_no_classifier_is_an_encoder(folder: Path) -> None:
    """Without architectures the weights tell: no classifier among them is said, with the line to write."""
    edit_config(folder, architectures=None)
    rewrite(folder, lambda name: name if name.startswith("distilbert.") else None)
    with pytest.raises(BundleError, match=r'opened with load_encoder; or write "architectures": \["DistilBertFor'):
        limbeck.load(folder)


def rewrite(folder: Path, rename: Callable[[str], str | None]) -> None:
    """Save the weights under other names; None leaves a tensor out."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file({new: tensor for name, tensor in tensors.items() if (new := rename(name))}, path)


def modern_to_old(name: str) -> str:
    norm = "norm" in name.lower()
    return name.replace(".weight", ".gamma").replace(".bias", ".beta") if norm else name


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"_orig_mod.module.{name}",
        lambda name: f"model.{name}",
        modern_to_old,
    ],
    ids=["DataParallel", "torch.compile", "both", "Lightning", "gamma and beta"],
)
def test_names_that_wrappers_gave_are_understood(folder: Path, rename: Callable[[str], str]) -> None:
    """Weights saved out of a wrapper, or under the first BERT's names, are the same weights, to the bit."""
    before = limbeck.load(folder).predict(TEXTS).probabilities
    rewrite(folder, rename)
    assert (limbeck.load(folder).predict(TEXTS).probabilities == before).all()


def test_an_adapter_among_the_weights_is_named(folder: Path) -> None:
    """A LoRA that was never merged is no list of missing weights: the way to merge it is shown."""
    rewrite(folder, lambda name: f"base_model.model.{name}")
    with pytest.raises(WeightsError, match=r"it is an adapter .*merge_and_unload\(\)"):
        limbeck.load(folder)


def test_weights_in_several_files_open(folder: Path) -> None:
    """What save_pretrained spread over several files is one model, to the bit."""
    before = limbeck.load(folder).predict(TEXTS).probabilities
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="6KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert (limbeck.load(folder).predict(TEXTS).probabilities == before).all()


CASED = ["So very SAD", "so very sad", "Café ! RAINY", "rain 日本 sunny", "I FEEL fine"]
CLASSES = ["DistilBertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", None]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("written", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"do_lower_case": True},
        {"do_lower_case": False},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
    ],
)
def test_letters_are_those_that_transformers_sees(
    folder: Path, kind: str | None, written: bool, stated: dict[str, object]
) -> None:
    """Where tokenizer.json and tokenizer_config.json disagree on letters, the ids are those of AutoTokenizer."""
    definition = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    definition["normalizer"]["lowercase"] = written
    (folder / "tokenizer.json").write_text(json.dumps(definition), "utf-8")
    said = {"model_max_length": 24, **({} if kind is None else {"tokenizer_class": kind}), **stated}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)(CASED)["input_ids"]
    ours = Tokenizer.from_folder(folder).encode(CASED)
    assert [one.tolist() for one in np.split(ours.ids, ours.offsets[1:-1])] == theirs


def test_capitals_that_nobody_speaks_of_are_asked_for(folder: Path) -> None:
    """A tokenizer.json alone that keeps capitals, which transformers would not, is refused with the line to write."""
    definition = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    definition["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(definition), "utf-8")
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(TokenizerError, match=r'tokenizer\.json keeps capitals.*write \{"do_lower_case": false\}'):
        limbeck.load(folder)


@pytest.mark.parametrize("place", ["tokenizer_config.json", "tokenizer.json"])
def test_texts_are_cut_on_the_side_that_the_folder_names(folder: Path, tmp_path: Path, place: str) -> None:
    """Cut on the left as on the right, answers are the pipeline's; a bundle made of it cuts there too."""
    if place == "tokenizer.json":
        definition = json.loads((folder / place).read_text("utf-8"))
        definition["truncation"] = {"direction": "Left", "max_length": 24, "strategy": "LongestFirst", "stride": 0}
        (folder / place).write_text(json.dumps(definition), "utf-8")
    said = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    said.pop("truncation_side", None)
    said |= {"truncation_side": "left"} if place == "tokenizer_config.json" else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
    predictor = limbeck.load(folder)
    texts = [*TEXTS, "so very sad " * 20 + "i feel fine !"]
    found = predictor.predict(texts).probabilities
    answers = transformers.pipeline("text-classification", model=str(folder), device="cpu")(
        texts, top_k=None, truncation=True
    )
    theirs = [[{item["label"]: item["score"] for item in one}[name] for name in NAMES] for one in answers]
    np.testing.assert_allclose(found, theirs, atol=1e-5)
    assert predictor.bundle.loaded.tokenizer.encode([texts[-1]]).ids[-3:].tolist() == [7, 19, 3]
    save_bundle(predictor.bundle, tmp_path / "ours", card="# A model\n")
    assert (limbeck.load(tmp_path / "ours").predict(texts).probabilities == found).all()


def test_a_bert_classifier_is_refused_and_its_encoder_opens(tiny_tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Its pooler is no part of DistilBERT; the way to its encoder is shown."""
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=16, num_attention_heads=4, num_hidden_layers=1, intermediate_size=24
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    their_tokenizer(tiny_tokenizer, tmp_path / "raw").save_pretrained(tmp_path / "bert")
    with pytest.raises(BundleError, match=r"(?s)BertForSequenceClassification.*load_encoder"):
        limbeck.load(tmp_path / "bert")
    assert limbeck.load_encoder(tmp_path / "bert").encode(["i feel fine"]).shape == (1, 16)


def test_pickled_weights_and_old_tokenizers_are_refused(folder: Path, tmp_path: Path) -> None:
    """A .bin file is not opened and a vocab.txt is not guessed from; both say how to save anew."""
    old = shutil.copytree(folder, tmp_path / "old")
    (old / "tokenizer.json").rename(old / "vocab.txt")
    with pytest.raises(TokenizerError, match=r"vocab.txt, the older form.*save_pretrained"):
        limbeck.load(old)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="can run code"):
        limbeck.load(folder)


def test_missing_weights_are_named(folder: Path) -> None:
    """A head that config.json promises and the file lacks is an error, not a new head."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if "pre_classifier" not in name}, folder / "model.safetensors"
    )
    with pytest.raises(WeightsError, match=r"pre_classifier.weight is missing; shape \(16, 16\)"):
        limbeck.load(folder)


def test_it_teaches_and_is_known_again(folder: Path) -> None:
    """What transformers saved can be a teacher, whole or in several files; its digest is that of its weights."""
    teacher = load_teachers([folder])[0]
    assert teacher.bundle.facts.label_names == NAMES
    assert teacher.digest == sha256_of(folder / "model.safetensors")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="6KB")
    again = load_teachers([folder])[0]
    assert again.bundle.loaded.fingerprint == teacher.bundle.loaded.fingerprint
    assert again.digest == load_teachers([folder])[0].digest


def test_label_sets_are_answered_as_the_pipeline_answers_them(folder: Path) -> None:
    """`problem_type` says that each logit is a yes or no of its own: so are the pipeline's probabilities."""
    edit_config(folder, problem_type="multi_label_classification")
    predictor = limbeck.load(folder)
    found = predictor.predict(TEXTS)
    assert predictor.bundle.task.name == "multi"
    expected_NC = pipeline_probabilities(folder, NAMES)
    np.testing.assert_allclose(found.probabilities, expected_NC, atol=1e-5)
    assert not np.allclose(expected_NC.sum(axis=1), 1)
    np.testing.assert_array_equal(found.decided_NC, expected_NC >= 0.5)
    save_bundle(predictor.bundle, folder.parent / "again", card="")
    assert load_bundle(folder.parent / "again").facts.task == "multi"
    theirs = transformers.AutoConfig.from_pretrained(folder.parent / "again")
    assert theirs.problem_type == "multi_label_classification"


@pytest.mark.parametrize("stated", ["regression", "multi_label_classification"])
def test_one_logit_is_what_its_problem_type_says(tiny_tokenizer: Tokenizer, tmp_path: Path, stated: str) -> None:
    """A number is the logit itself; one label is its logistic function."""
    torch.manual_seed(3)
    folder = tmp_path / "one"
    model = transformers.DistilBertForSequenceClassification(small_config(num_labels=1, problem_type=stated)).eval()
    model.save_pretrained(folder)
    tokenizer = their_tokenizer(tiny_tokenizer, tmp_path / "raw")
    tokenizer.save_pretrained(folder)
    bundle = limbeck.load(folder).bundle
    texts = [text for text in TEXTS if text]
    batch = bundle.loaded.tokenizer.encode(texts).take(np.arange(len(texts)))
    with torch.inference_mode():
        logits_N1 = model(**tokenizer(texts, return_tensors="pt", padding=True, truncation=True)).logits
        features_NF = bundle.network().features(batch).numpy()
    expected_N1 = (logits_N1 if stated == "regression" else logits_N1.sigmoid()).numpy()
    np.testing.assert_allclose(bundle.answers(features_NF), expected_N1, atol=1e-5)
    assert bundle.facts.label_names == (() if stated == "regression" else ("LABEL_0",))


def test_one_logit_of_which_nothing_is_said_is_refused(tiny_tokenizer: Tokenizer, tmp_path: Path) -> None:
    """It may be a number or a yes: the message says what to write."""
    folder = tmp_path / "one"
    transformers.DistilBertForSequenceClassification(small_config(num_labels=1)).save_pretrained(folder)
    their_tokenizer(tiny_tokenizer, tmp_path / "raw").save_pretrained(folder)
    edit_config(folder, problem_type=None)
    with pytest.raises(BundleError, match='"problem_type": "regression"'):
        limbeck.load(folder)

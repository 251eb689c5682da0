"""The probe: scikit-learn's optimum, an honest cross-validation, and one linear layer on raw features."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from limbeck.errors import DataError, SettingsError, StorageError, TrainingError
from limbeck.linear import fit as probe
from limbeck.linear import search as penalty_search
from limbeck.linear import trials
from limbeck.linear.balance import balance_rows
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.methods import probe as probe_training
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import ProbeTraining
from limbeck.reading.in_memory import from_pandas
from limbeck.settings import ProbeSettings

NAMES = ("joy", "fear", "love", "anger", "grief")


def make_data(classes=3, *, rows=240, features=12, seed=0):
    """Make rows of unequal classes, whose columns have means and scales far apart."""
    random = np.random.default_rng(seed)
    labels_N = random.choice(classes, size=rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    centre_CF = random.normal(size=(classes, features))
    rows_NF = centre_CF[labels_N] + random.normal(size=(rows, features))
    raw_NF = rows_NF * random.uniform(0.01, 10, size=features) + random.uniform(-20, 20, size=features)
    return raw_NF.astype(np.float32), labels_N


def fit(features_NF, labels_N, *, candidates=None, **settings):
    classes = int(labels_N.max()) + 1
    settings = ProbeSettings(**{"penalties": (0.003, 0.03, 0.3), **settings})
    return fit_probe(
        features_NF,
        ProbeRows(labels_N=labels_N, label_names=NAMES[:classes]),
        settings=settings,
        candidates=candidates,
    )


def predict(fitted, features_NF):
    logits_NC = features_NF.astype(np.float64) @ fitted.weight_CF.T.astype(np.float64) + fitted.bias_C
    return torch.softmax(torch.from_numpy(logits_NC), 1).numpy()


def scikit(features_NF, labels_N, penalty, weight_N=None):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000))
    return pipeline.fit(features_NF.astype(np.float64), labels_N, logisticregression__sample_weight=weight_N)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_head_is_scikit_learns_on_raw_features(classes):
    """The returned layer, applied to raw features, gives the probabilities of StandardScaler + LogisticRegression."""
    features_NF, labels_N = make_data(classes)
    fitted = fit(features_NF, labels_N)
    pipeline = scikit(features_NF, labels_N, fitted.penalty)
    np.testing.assert_allclose(predict(fitted, features_NF), pipeline.predict_proba(features_NF), atol=1e-4)
    assert fitted.gap <= 1e-6


@pytest.mark.parametrize("balance", ["none", "weights", "oversample"])
def test_out_of_fold_probabilities_are_those_of_a_model_that_never_saw_the_row(balance):
    """Each fold's are scikit-learn's, scaler and balance from the other folds alone."""
    features_NF, labels_N = make_data()
    fitted = fit(features_NF, labels_N, balance=balance)
    for fold in range(5):
        seen = fitted.fold_N != fold
        weight_M = balance_rows(labels_N[seen], balance=balance, seed=0).weight_M
        # scikit-learn's scaler is unweighted here, as ours is: rows are balanced after they are standardised.
        pipeline = scikit(features_NF[seen], labels_N[seen], fitted.penalty, weight_M)
        expected = pipeline.predict_proba(features_NF[~seen])
        np.testing.assert_allclose(fitted.out_of_fold_NC[~seen], expected, atol=1e-4)


def test_oversampling_is_explicit_duplication():
    """The weights of oversampling give the fit on rows written out several times."""
    features_NF, labels_N = make_data()
    fitted = fit(features_NF, labels_N, balance="oversample")
    times_N = balance_rows(labels_N, balance="oversample", seed=0).weight_M.astype(int)
    scaler = StandardScaler().fit(features_NF.astype(np.float64))
    standard_NF = scaler.transform(features_NF.astype(np.float64))
    model = LogisticRegression(C=fitted.penalty, tol=1e-10, max_iter=10_000)
    model.fit(np.repeat(standard_NF, times_N, axis=0), np.repeat(labels_N, times_N))
    np.testing.assert_allclose(predict(fitted, features_NF), model.predict_proba(standard_NF), atol=1e-4)


def test_smote_is_the_fit_on_imbalanced_learns_rows():
    """The implicit mixtures give the fit on the rows that imbalanced-learn writes out."""
    from imblearn.over_sampling import SMOTE

    features_NF, labels_N = make_data()
    fitted = fit(features_NF, labels_N, balance="smote", seed=3)
    standard_NF = StandardScaler().fit_transform(features_NF.astype(np.float64))
    mixed_NF, mixed_N = SMOTE(random_state=3).fit_resample(standard_NF, labels_N)
    model = LogisticRegression(C=fitted.penalty, tol=1e-10, max_iter=10_000).fit(mixed_NF, mixed_N)
    np.testing.assert_allclose(predict(fitted, features_NF), model.predict_proba(standard_NF), atol=2e-4)


@pytest.mark.parametrize("balance", ["weights", "oversample", "smote"])
def test_balancing_never_sees_held_out_rows(monkeypatch, balance):
    """In each fold, balance_rows is handed exactly the rows outside the fold, and no mixture touches a held-out row."""
    features_NF, labels_N = make_data()
    calls = []
    stated = []
    real_balance, real_problems = trials.balance_rows, trials.Problems

    def spy(labels_M, **arguments):
        calls.append(len(labels_M))
        return real_balance(labels_M, **arguments)

    def keep(**arguments):
        stated.append(real_problems(**arguments))
        return stated[-1]

    monkeypatch.setattr(trials, "balance_rows", spy)
    monkeypatch.setattr(trials, "Problems", keep)
    fitted = fit(features_NF, labels_N, balance=balance)
    assert [int((fitted.fold_N != fold).sum()) for fold in range(5)] == calls[:5]
    for problems in stated:
        for fold in range(5):
            held_out = fitted.fold_N == fold
            assert not problems.weight_PN[fold][torch.from_numpy(held_out)].any()
            mixtures = problems.mixtures_P[fold]
            if mixtures:
                assert not held_out[mixtures.base_S].any()
                assert not held_out[mixtures.neighbour_S].any()


@pytest.mark.parametrize("balance", ["none", "weights", "oversample", "smote"])
def test_a_row_cannot_teach_its_own_out_of_fold_probabilities(balance):
    """Labels that have nothing to do with the features are predicted out of fold no better than by chance."""
    random = np.random.default_rng(5)
    features_NF = random.normal(size=(400, 200)).astype(np.float32)
    labels_N = np.arange(400) % 2
    labels_N[:80] = 0
    fitted = fit(features_NF, labels_N, balance=balance, penalties=(1.0,))
    recalls = [(fitted.out_of_fold_NC.argmax(1) == labels_N)[labels_N == label].mean() for label in (0, 1)]
    in_sample = (predict(fitted, features_NF).argmax(1) == labels_N).mean()
    assert in_sample > 0.8
    assert np.mean(recalls) == pytest.approx(0.5, abs=0.08)


@pytest.mark.slow
def test_changing_a_held_out_row_changes_nothing_but_its_own_prediction():
    """Features of fold 0 can be replaced: the out-of-fold probabilities of fold 0's model on other rows stay."""
    features_NF, labels_N = make_data()
    before = fit(features_NF, labels_N, penalties=(0.1,))
    row = int(np.flatnonzero(before.fold_N == 0)[0])
    changed_NF = features_NF.copy()
    changed_NF[row] += 1000 * features_NF.std(0)
    after = fit(changed_NF, labels_N, penalties=(0.1,))
    mates = (before.fold_N == 0) & (np.arange(len(labels_N)) != row)
    np.testing.assert_allclose(before.out_of_fold_NC[mates], after.out_of_fold_NC[mates], atol=2e-4)
    others = before.fold_N != 0
    assert np.abs(before.out_of_fold_NC[others] - after.out_of_fold_NC[others]).max() > 0.01


def test_constant_columns_have_weight_zero():
    """A constant column, even a large one, has weight 0; a column constant outside one fold is 0 in that fold's fit."""
    features_NF, labels_N = make_data()
    features_NF[:, 3] = 1234.567
    fold_N = fit(features_NF, labels_N).fold_N
    features_NF[:, 5] = np.where(fold_N == 2, features_NF[:, 5], 7.0)
    fitted = fit(features_NF, labels_N)
    assert not fitted.weight_CF[:, 3].any()
    assert fitted.weight_CF[:, 5].any()
    seen = fold_N != 2
    pipeline = scikit(features_NF[seen], labels_N[seen], fitted.penalty)
    np.testing.assert_allclose(fitted.out_of_fold_NC[~seen], pipeline.predict_proba(features_NF[~seen]), atol=1e-4)


def test_the_penalty_with_the_lowest_log_loss_is_chosen():
    """The table holds what was tried, and the choice is its best; a search that rises twice says that it stopped."""
    features_NF, labels_N = make_data(rows=100, features=60)
    features_NF += (3 * features_NF.std(0) * np.random.default_rng(1).normal(size=features_NF.shape)).astype(np.float32)
    fitted = fit(features_NF, labels_N, penalties=(1000.0, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0))
    best = min(fitted.scores, key=lambda score: score.log_loss)
    assert fitted.penalty == best.penalty
    tried = [score.penalty for score in fitted.scores]
    assert tried == sorted(tried)
    assert len(tried) < 8
    assert any("were not tried" in note for note in fitted.notes)
    for score in fitted.scores:
        if score.penalty == fitted.penalty:
            loss = -np.log(fitted.out_of_fold_NC[np.arange(100), labels_N]).mean()
            assert score.log_loss == pytest.approx(loss, abs=0.02)


def test_the_end_of_the_range_is_said():
    """When the best penalty is the last one tried, a note says so."""
    features_NF, labels_N = make_data()
    assert any("at the end of those tried" in note for note in fit(features_NF, labels_N, penalties=(1e-6, 1e-5)).notes)


@pytest.mark.slow
def test_the_better_columns_are_chosen():
    """Among sets of columns the one with signal wins, in any order, and the layer is that of its columns alone."""
    features_NF, labels_N = make_data()
    noise_NF = np.random.default_rng(1).normal(size=features_NF.shape).astype(np.float32)
    both_NF = np.concatenate([noise_NF, features_NF], axis=1)
    sets = {"noise": np.arange(12), "signal": np.arange(12, 24)}
    alone = fit(features_NF, labels_N)
    for names in itertools.permutations(sets):
        fitted = fit(both_NF, labels_N, candidates={name: sets[name] for name in names})
        assert fitted.candidate == "signal"
        assert np.array_equal(fitted.weight_CF, alone.weight_CF)
        assert {score.candidate for score in fitted.scores} == {"noise", "signal"}


def test_the_same_seed_gives_the_same_bits():
    """Twice the same call is bit for bit the same fit, and the features are left as they were."""
    features_NF, labels_N = make_data()
    copy_NF = features_NF.copy()
    features_NF.flags.writeable = False
    first, second = (fit(features_NF, labels_N, balance="smote") for _ in range(2))
    assert np.array_equal(features_NF, copy_NF)
    for name in ("weight_CF", "bias_C", "out_of_fold_NC", "fold_N"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_weights_are_class_weight_balanced():
    """Balance "weights" is the fit with scikit-learn's balanced class weights."""
    features_NF, labels_N = make_data()
    fitted = fit(features_NF, labels_N, balance="weights")
    pipeline = scikit(features_NF, labels_N, fitted.penalty, compute_sample_weight("balanced", labels_N))
    np.testing.assert_allclose(predict(fitted, features_NF), pipeline.predict_proba(features_NF), atol=1e-4)


def test_small_classes_reduce_the_folds_aloud():
    """A class with three rows allows three folds, and the fit says so."""
    features_NF, labels_N = make_data(2)
    labels_N[:] = 0
    labels_N[[4, 50, 90]] = 1
    fitted = fit(features_NF, labels_N)
    assert fitted.fold_N.max() == 2
    assert fitted.notes[0] == "3 folds instead of 5: fear has 3 training rows"


def _absent(features_NF, labels_N):
    return features_NF, np.where(labels_N == 1, 0, labels_N)


def _single(features_NF, labels_N):
    labels_N = np.where(labels_N == 1, 0, labels_N)
    labels_N[7] = 1
    return features_NF, labels_N


def _constant(features_NF, labels_N):
    return np.full_like(features_NF, 0.5), labels_N


def _nan(features_NF, labels_N):
    features_NF[17, 3] = np.nan
    return features_NF, labels_N


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (_absent, TrainingError, "no training row of fear"),
        (_single, TrainingError, "fear: one training row"),
        (_constant, TrainingError, "every column is constant"),
        (_nan, DataError, "features of 1 rows are not finite numbers; the first is row 17"),
        (lambda x, y: (x, y + 1), DataError, "labels lie outside 0 to 2; the first is 3 in row"),
        (lambda x, y: (x[:-1], y), DataError, r"shape \(239, 12\) do not go with 240 labels"),
    ],
)
def test_impossible_rows_are_refused(spoil, kind, message):
    """Rows that no probe can be fitted on are an error that says which."""
    features_NF, labels_N = spoil(*make_data())
    with pytest.raises(kind, match=message):
        fit_probe(features_NF, ProbeRows(labels_N=labels_N, label_names=NAMES[:3]), settings=ProbeSettings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalties": (0.0, float("nan"))}, "C = 0 is not possible(.|\n)*C = nan is not possible"),
        ({"penalties": ()}, "nothing to choose from"),
        ({"folds": 1}, "folds = 1 is not possible"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    """Settings that make no sense are an error that lists all of them, when a training is described, and in a fit."""
    with pytest.raises(SettingsError, match=message):
        fit(*make_data(), **settings)
    with pytest.raises(SettingsError, match=message):
        ProbeTraining(probe=ProbeSettings(**settings))


def test_a_path_is_no_dataset(tmp_path):
    """A path where a Dataset belongs is an error that says how to read it, and leaves no folder."""
    with pytest.raises(SettingsError, match=r"a str instead of a Dataset: .*limbeck\.read\(path\)"):
        train_probe("emotion", tmp_path / "RUN")
    assert not (tmp_path / "RUN").exists()


def test_an_unwritable_folder_is_found_before_anything_is_computed(tmp_path, monkeypatch):
    """A run folder that cannot be made is told before an encoder is loaded."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(probe_training, "load_encoder_folder", lambda name: pytest.fail("loaded an encoder"))
    rows = from_pandas(pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]}))
    with pytest.raises(StorageError, match="file"):
        train_probe(rows, tmp_path / "file" / "RUN")


@pytest.mark.slow
def test_the_coarse_search_chooses_as_the_close_one(monkeypatch):
    """Fitting only the contenders closely chooses the penalty, and the fit, that fitting every penalty closely does."""
    for seed in range(3):
        features_NF, labels_N = make_data(rows=200, features=80, seed=seed)
        features_NF = (
            features_NF + 3 * features_NF.std(0) * np.random.default_rng(seed).normal(size=(200, 80))
        ).astype(np.float32)
        penalties = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
        quick = fit(features_NF, labels_N, penalties=penalties)
        with monkeypatch.context() as patched:
            patched.setattr(penalty_search, "COARSE_GAP", penalty_search.SEARCH_GAP)
            close = fit(features_NF, labels_N, penalties=penalties)
        assert quick.penalty == close.penalty
        np.testing.assert_allclose(quick.out_of_fold_NC, close.out_of_fold_NC, atol=1e-3)


def test_a_fit_that_ends_far_from_its_minimum_is_an_error(monkeypatch):
    """No head is returned from a fit whose bound says nothing."""
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 0)
    monkeypatch.setattr(penalty_search, "MAX_ITERATIONS", 0)
    with pytest.raises(TrainingError, match=r"did not converge at C = 0\.3"):
        fit(*make_data(), penalties=(0.3,))


def test_a_fit_that_rounding_ends_early_tells_its_bound(monkeypatch):
    """A fit that is good but not within the strict bound is kept, and a note says how far it may be."""
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 1)
    monkeypatch.setattr(probe, "ACCEPTED_GAP", 0.0)
    fitted = fit(*make_data(), penalties=(0.3,))
    assert 0 < fitted.gap <= 1e-3
    assert any(f"may be {fitted.gap:.1e} of the objective" in note for note in fitted.notes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["copies", "far"])
def test_few_rows_that_are_easily_told_apart_converge(kind):
    """A dozen rows and more columns than rows, at every default penalty: a fit, not an error."""
    random = np.random.default_rng(0)
    labels_N = np.arange(12) % 2
    spread = {"copies": 1e-3, "far": 0.2}[kind]
    features_NF = random.normal(size=(2, 384))[labels_N] + spread * random.normal(size=(12, 384))
    for penalty in (ProbeSettings().penalties, (1.0,), (100.0,)):
        assert fit(features_NF.astype(np.float32), labels_N, penalties=penalty).gap <= 1e-6

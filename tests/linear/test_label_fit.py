"""The probe of labels: scikit-learn's optimum for each label alone, an honest cross-validation, one linear layer."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.linear import label_fit
from limbeck.linear.label_fit import LabelRows, fit_label_probe
from limbeck.linear.scaling import Passes
from limbeck.settings import ProbeSettings

NAMES = ("rare", "usual", "often", "mostly")


def make_data(*, rows=240, features=12, seed=0):
    """Make rows with labels of 5 % to 80 % of them, and columns whose means and scales are far apart."""
    random = np.random.default_rng(seed)
    rows_NF = random.normal(size=(rows, features))
    logits_NL = rows_NF @ random.normal(size=(features, len(NAMES))) + random.logistic(size=(rows, len(NAMES)))
    cuts_L = [np.quantile(logits_NL[:, label], share) for label, share in enumerate((0.95, 0.8, 0.5, 0.2))]
    raw_NF = rows_NF * random.uniform(0.01, 10, size=features) + random.uniform(-20, 20, size=features)
    return raw_NF.astype(np.float32), logits_NL > cuts_L


def fit(features_NF, targets_NL, *, candidates=None, group_N=None, **settings):
    settings = ProbeSettings(**{"penalties": (0.003, 0.03, 0.3), **settings})
    rows = LabelRows(targets_NL=targets_NL, label_names=NAMES[: targets_NL.shape[1]], group_N=group_N)
    return fit_label_probe(features_NF, rows, settings=settings, candidates=candidates)


def scikit(features_NF, has_N, penalty, weight_N=None):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000))
    return pipeline.fit(features_NF.astype(np.float64), has_N, logisticregression__sample_weight=weight_N)


def shares_of(fitted, features_NF):
    logits_NL = features_NF.astype(np.float64) @ fitted.weight_LF.T.astype(np.float64) + fitted.bias_L
    return 1 / (1 + np.exp(-logits_NL))


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_the_head_is_scikit_learns_of_each_label(balance):
    """The returned layer, on raw features, gives the probabilities of scikit-learn, label by label."""
    features_NF, targets_NL = make_data()
    fitted = fit(features_NF, targets_NL, balance=balance)
    assert fitted.gap <= 1e-6
    for label, has_N in enumerate(targets_NL.T):
        weight_N = compute_sample_weight("balanced", has_N) if balance == "weights" else None
        pipeline = scikit(features_NF, has_N, fitted.penalty_L[label], weight_N)
        expected_N = pipeline.predict_proba(features_NF)[:, 1]
        np.testing.assert_allclose(shares_of(fitted, features_NF)[:, label], expected_N, atol=1e-4)


def test_beyond_the_strongest_penalty_of_a_label_stronger_ones_are_tried():
    """A label that columns say nothing of wants one; one that they tell keeps its own, and both are scikit-learn's."""
    random = np.random.default_rng(4)
    features_NF, targets_NL = make_data(rows=300, features=200)
    targets_NL = np.column_stack([random.random(300) < 0.4, features_NF[:, 0] > np.median(features_NF[:, 0])])
    fitted = fit(features_NF, targets_NL, penalties=ProbeSettings().penalties)
    strongest = min(ProbeSettings().penalties)
    assert fitted.penalty_L[0] < strongest < fitted.penalty_L[1]
    for label, has_N in enumerate(targets_NL.T):
        expected_N = scikit(features_NF, has_N, fitted.penalty_L[label]).predict_proba(features_NF)[:, 1]
        np.testing.assert_allclose(shares_of(fitted, features_NF)[:, label], expected_N, atol=1e-3)
    named = fit(features_NF, targets_NL, penalties=(0.0003, 0.001, 0.003))
    assert named.penalty_L[0] == 0.0003


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_out_of_fold_probabilities_are_those_of_a_model_that_never_saw_the_row(balance):
    """Each fold's are scikit-learn's, scaler and weights from the other folds alone."""
    features_NF, targets_NL = make_data()
    fitted = fit(features_NF, targets_NL, balance=balance, folds=3)
    for fold in range(3):
        seen = fitted.fold_N != fold
        for label, has_N in enumerate(targets_NL.T):
            weight_M = compute_sample_weight("balanced", has_N[seen]) if balance == "weights" else None
            pipeline = scikit(features_NF[seen], has_N[seen], fitted.penalty_L[label], weight_M)
            expected = pipeline.predict_proba(features_NF[~seen])[:, 1]
            np.testing.assert_allclose(fitted.out_of_fold_NL[~seen, label], expected, atol=1e-4)


@pytest.mark.slow
def test_each_label_has_the_penalty_of_its_lowest_held_out_loss():
    """Fitted with one penalty at a time, the losses of held-out rows say which was to be chosen."""
    features_NF, targets_NL = make_data(rows=160, features=40)
    penalties = (0.001, 0.01, 0.1, 1.0)
    fitted = fit(features_NF, targets_NL, penalties=penalties)
    losses_PL = []
    for penalty in penalties:
        shares_NL = fit(features_NF, targets_NL, penalties=(penalty,)).out_of_fold_NL.astype(np.float64)
        losses_PL.append(-np.log(np.where(targets_NL, shares_NL, 1 - shares_NL)).mean(axis=0))
    np.testing.assert_array_equal(fitted.penalty_L, np.array(penalties)[np.argmin(losses_PL, axis=0)])
    np.testing.assert_allclose(fitted.log_loss_L, np.min(losses_PL, axis=0), rtol=0.02)
    assert len(set(fitted.penalty_L.tolist())) > 1


def test_labels_do_not_know_of_each_other(monkeypatch):
    """A label is fitted as it would be alone, and in blocks of whatever size, to the rounding of a pass."""
    features_NF, targets_NL = make_data()
    group_N = np.arange(len(targets_NL))
    together = fit(features_NF, targets_NL, group_N=group_N)
    monkeypatch.setattr(label_fit, "BLOCK_PROBLEMS", 1)
    apart = fit(features_NF, targets_NL, group_N=group_N)
    np.testing.assert_array_equal(apart.penalty_L, together.penalty_L)
    np.testing.assert_allclose(apart.out_of_fold_NL, together.out_of_fold_NL, atol=1e-4)
    np.testing.assert_allclose(shares_of(apart, features_NF), shares_of(together, features_NF), atol=1e-4)


def test_steps_in_bfloat16_reach_the_same_optimum(monkeypatch):
    """Where the processor multiplies bfloat16, only changes go through it."""
    features_NF, targets_NL = make_data()
    exact = fit(features_NF, targets_NL, penalties=(0.03,))
    monkeypatch.setattr(label_fit, "fast_type", lambda: torch.bfloat16)
    fast = fit(features_NF, targets_NL, penalties=(0.03,))
    assert fast.gap <= 1e-6
    np.testing.assert_allclose(fast.out_of_fold_NL, exact.out_of_fold_NL, atol=1e-4)


def test_the_same_data_give_the_same_bits():
    """Twice the same fit, twice the same numbers."""
    features_NF, targets_NL = make_data()
    one, other = (fit(features_NF, targets_NL) for _ in range(2))
    assert one.weight_LF.tobytes() == other.weight_LF.tobytes()
    assert one.out_of_fold_NL.tobytes() == other.out_of_fold_NL.tobytes()


def test_the_better_columns_are_chosen():
    """Of noise and what the labels were made of, cross-validation takes the latter, for all labels."""
    features_NF, targets_NL = make_data()
    noise_NF = np.random.default_rng(1).normal(size=features_NF.shape).astype(np.float32)
    columns = {"noise": np.arange(12), "signal": np.arange(12, 24)}
    fitted = fit(np.hstack([noise_NF, features_NF]), targets_NL, candidates=columns)
    assert fitted.candidate == "signal"
    assert fitted.candidates["signal"] < fitted.candidates["noise"]
    assert fitted.weight_LF.shape == (4, 12)


def test_constant_columns_get_no_weight_and_are_said():
    """A column that never changes has weight 0, and a note tells."""
    features_NF, targets_NL = make_data()
    features_NF[:, 3] = 7.0
    fitted = fit(features_NF, targets_NL)
    assert (fitted.weight_LF[:, 3] == 0).all()
    assert any("constant" in note for note in fitted.notes)


@pytest.mark.parametrize("rows_with", [0, 1, 239, 240])
def test_labels_that_cannot_be_held_out_are_named(rows_with):
    """A label that fewer than two rows have, or lack, cannot be cross-validated."""
    features_NF, targets_NL = make_data()
    targets_NL[:, 1] = np.arange(240) < rows_with
    with pytest.raises(TrainingError, match=r"^usual: fewer than 2 training rows with"):
        fit(features_NF, targets_NL)


@pytest.mark.parametrize("balance", ["oversample", "smote"])
def test_rows_are_not_copied_for_one_label(balance):
    """Copying a row says something of all its labels: it is refused, with what to do."""
    features_NF, targets_NL = make_data()
    with pytest.raises(SettingsError, match="--balance weights"):
        fit(features_NF, targets_NL, balance=balance)


def test_numbers_that_are_not_finite_are_named():
    """The row is said."""
    features_NF, targets_NL = make_data()
    features_NF[17, 2] = np.nan
    with pytest.raises(DataError, match="row 17"):
        fit(features_NF, targets_NL)


def test_the_solver_is_given_rows_outside_the_fold_alone(monkeypatch):
    """In every fit, held-out rows weigh 0; the last fit sees all."""
    features_NF, targets_NL = make_data()
    seen = []
    real = label_fit.solve

    def spy(passes: Passes, problems, **more):
        seen.append(problems.weight_PN.numpy().reshape(-1, 4, 240))
        return real(passes, problems, **more)

    monkeypatch.setattr(label_fit, "solve", spy)
    fitted = fit(features_NF, targets_NL, penalties=(0.03,))
    for weight_KLN in seen:
        for held_out in range(5):
            assert ((weight_KLN[held_out] == 0) == (fitted.fold_N == held_out)).all()
        assert (weight_KLN[5] == 1).all()

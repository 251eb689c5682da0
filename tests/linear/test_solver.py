"""The solver finds scikit-learn's optimum."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from limbeck.linear.curvature import Slopes, find_basis
from limbeck.linear.objective import Problems
from limbeck.linear.scaling import InMemory, Passes
from limbeck.linear.solver import StoppingRule, solve


def passes(features_NF, fast_type=torch.float32):
    exact = InMemory(features_NF)
    fast = InMemory(features_NF.to(fast_type), features_NF.T.contiguous().to(fast_type))
    return Passes(fast=exact if fast_type == torch.float32 else fast, exact=exact)


def make_data(classes, *, rows=300, features=20, seed=0, noise=1.0):
    random = np.random.default_rng(seed)
    rows_NF = random.normal(size=(rows, features)).astype(np.float32)
    logits_NC = rows_NF @ random.normal(size=(features, classes)) + noise * random.gumbel(size=(rows, classes))
    labels_N = logits_NC.argmax(1)
    labels_N[:classes] = np.arange(classes)
    return rows_NF, labels_N


def solve_one(rows_NF, labels_N, weight_N, penalty, *, rank=384, classes=None, fast_type=torch.float32):
    classes = classes or int(labels_N.max()) + 1
    features_NF = torch.from_numpy(rows_NF)
    ridge = (2.0 if classes == 2 else 1.0) / penalty
    problems = Problems(
        labels_N=torch.from_numpy(labels_N),
        classes=classes,
        weight_PN=torch.from_numpy(weight_N.astype(np.float32))[None],
        ridge_PF=torch.full((1, rows_NF.shape[1]), ridge),
        mixtures_P=(None,),
    )
    return solve(
        passes(features_NF, fast_type),
        problems,
        basis=find_basis(features_NF, seed=0, rank=rank),
        start=Slopes(torch.zeros(1, classes, rows_NF.shape[1]), torch.zeros(1, classes)),
        goal=StoppingRule(gap=1e-8, steps=500),
    )


def reference(rows_NF, labels_N, weight_N, penalty):
    model = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000)
    return model.fit(rows_NF.astype(np.float64), labels_N, sample_weight=weight_N)


def objective(probability_NC, labels_N, weight_N, coefficients, penalty):
    loss = -np.log(probability_NC[np.arange(len(labels_N)), labels_N])
    return penalty * (weight_N * loss).sum() + 0.5 * (coefficients**2).sum()


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("penalty", [0.1, *(pytest.param(value, marks=pytest.mark.slow) for value in (0.001, 10.0))])
@pytest.mark.parametrize("rank", [4, 384])
@pytest.mark.parametrize("fast_type", [torch.float32, torch.bfloat16])
def test_the_optimum_is_that_of_scikit_learn(classes, penalty, rank, fast_type):
    """Objective within 1e-6 relative, probabilities within 1e-4, with sample weights, however good the curvature is.

    Steps in bfloat16 reach the same optimum: only what changes between two exact points goes through it.
    """
    rows_NF, labels_N = make_data(classes)
    weight_N = np.random.default_rng(1).uniform(0, 3, size=len(rows_NF))
    solution = solve_one(rows_NF, labels_N, weight_N, penalty, rank=rank, fast_type=fast_type)
    model = reference(rows_NF, labels_N, weight_N, penalty)
    probability_NC = torch.softmax(solution.logits_PCN[0], 0).T.double().numpy()
    weight_CF = solution.point.weight_PCF[0].double().numpy()
    # Two classes: scikit-learn has one vector, the difference of our two.
    coefficients = weight_CF[1] - weight_CF[0] if classes == 2 else weight_CF
    ours = objective(probability_NC, labels_N, weight_N, coefficients, penalty)
    theirs = objective(model.predict_proba(rows_NF), labels_N, weight_N, model.coef_, penalty)
    assert ours == pytest.approx(theirs, rel=1e-6)
    np.testing.assert_allclose(probability_NC, model.predict_proba(rows_NF), atol=1e-4)
    assert float(solution.objective_P[0]) * penalty == pytest.approx(ours, rel=1e-5)


def test_the_gradient_is_zero_at_the_solution():
    """The gradient, written out by hand in float64, vanishes, and the intercept is not penalised."""
    rows_NF, labels_N = make_data(3)
    solution = solve_one(rows_NF, labels_N, np.ones(300), 0.1)
    weight_CF = solution.point.weight_PCF[0].double().numpy()
    logits_NC = rows_NF.astype(float) @ weight_CF.T + solution.point.intercept_PC[0].double().numpy()
    probability_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(1, keepdims=True)
    residual_NC = probability_NC - np.eye(3)[labels_N]
    assert np.abs(residual_NC.T @ rows_NF + weight_CF / 0.1).max() < 1e-2
    assert np.abs(residual_NC.sum(0)).max() < 1e-2


def test_the_gap_bounds_the_distance_from_the_minimum():
    """A fit stopped early is never further from the minimum than its gap says."""
    rows_NF, labels_N = make_data(4)
    features_NF = torch.from_numpy(rows_NF)
    problems = Problems(
        labels_N=torch.from_numpy(labels_N),
        classes=4,
        weight_PN=torch.ones(1, 300),
        ridge_PF=torch.full((1, 20), 10.0),
        mixtures_P=(None,),
    )
    minimum = float(solve_one(rows_NF, labels_N, np.ones(300), 0.1).objective_P[0])
    for stop in range(1, 6):
        early = solve(
            passes(features_NF),
            problems,
            basis=find_basis(features_NF, seed=0, rank=3),
            start=Slopes(torch.zeros(1, 4, 20), torch.zeros(1, 4)),
            goal=StoppingRule(gap=0.0, steps=stop),
        )
        found = float(early.objective_P[0])
        assert (found - minimum) / found <= float(early.gap_P[0]) + 1e-6


def test_separable_classes_have_a_finite_optimum():
    """Where classes can be separated without error, the penalty keeps the weights finite."""
    rows_NF = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    labels_N = (rows_NF[:, 0] > 0).astype(np.int64)
    solution = solve_one(rows_NF, labels_N, np.ones(40), 100.0)
    model = reference(rows_NF, labels_N, np.ones(40), 100.0)
    difference = solution.point.weight_PCF[0, 1, 0] - solution.point.weight_PCF[0, 0, 0]
    assert float(difference) == pytest.approx(model.coef_[0, 0], rel=1e-3)


def test_problems_side_by_side_do_not_touch():
    """Several problems at once give what each gives alone; a row of weight 0 counts for nothing."""
    rows_NF, labels_N = make_data(3)
    features_NF = torch.from_numpy(rows_NF)
    weight_PN = (np.random.default_rng(0).random((3, 300)) < 0.7).astype(np.float32)
    together = solve(
        passes(features_NF),
        Problems(
            labels_N=torch.from_numpy(labels_N),
            classes=3,
            weight_PN=torch.from_numpy(weight_PN),
            ridge_PF=torch.full((3, 20), 5.0),
            mixtures_P=(None, None, None),
        ),
        basis=find_basis(features_NF, seed=0),
        start=Slopes(torch.zeros(3, 3, 20), torch.zeros(3, 3)),
        goal=StoppingRule(gap=1e-8, steps=500),
    )
    for p in range(3):
        kept = weight_PN[p] > 0
        alone = solve_one(rows_NF[kept], labels_N[kept], np.ones(kept.sum()), 0.2)
        torch.testing.assert_close(together.point.weight_PCF[p], alone.point.weight_PCF[0], atol=1e-4, rtol=1e-3)


def test_an_infinite_ridge_holds_weights_at_zero():
    """A feature that may not be used has weight exactly 0."""
    rows_NF, labels_N = make_data(3)
    features_NF = torch.from_numpy(rows_NF)
    ridge_PF = torch.full((1, 20), 5.0)
    ridge_PF[0, 4] = torch.inf
    solution = solve(
        passes(features_NF),
        Problems(
            labels_N=torch.from_numpy(labels_N),
            classes=3,
            weight_PN=torch.ones(1, 300),
            ridge_PF=ridge_PF,
            mixtures_P=(None,),
        ),
        basis=find_basis(features_NF, seed=0),
        start=Slopes(torch.zeros(1, 3, 20), torch.zeros(1, 3)),
        goal=StoppingRule(gap=1e-8, steps=500),
    )
    assert not solution.point.weight_PCF[0, :, 4].any()
    rows_NF[:, 4] = 0
    without = solve_one(rows_NF, labels_N, np.ones(300), 0.2)
    torch.testing.assert_close(solution.point.weight_PCF, without.point.weight_PCF, atol=1e-4, rtol=1e-3)


def test_a_fit_goes_on_from_the_state_of_another_penalty():
    """The state of one penalty is a start for the next, and leads to the same optimum as a start from nothing."""
    rows_NF, labels_N = make_data(3)
    features_NF = torch.from_numpy(rows_NF)
    start = Slopes(torch.zeros(1, 3, 20), torch.zeros(1, 3))
    for ridge in (100.0, 10.0):
        problems = Problems(
            labels_N=torch.from_numpy(labels_N),
            classes=3,
            weight_PN=torch.ones(1, 300),
            ridge_PF=torch.full((1, 20), ridge),
            mixtures_P=(None,),
        )
        solution = solve(
            passes(features_NF),
            problems,
            basis=find_basis(features_NF, seed=0, rank=4),
            start=start,
            goal=StoppingRule(gap=1e-8, steps=500),
        )
        start = solution.state
    alone = solve_one(rows_NF, labels_N, np.ones(300), 0.1)
    torch.testing.assert_close(solution.point.weight_PCF, alone.point.weight_PCF, atol=1e-4, rtol=1e-3)

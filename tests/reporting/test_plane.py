"""Planes and maps: the same as scikit-learn's, deterministic, and drawn in both languages."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from limbeck.errors import DataError
from limbeck.reporting.maps import Mapped, class_density, feature_map
from limbeck.reporting.picture import Look
from limbeck.reporting.plane import principal_plane, sample_rows
from limbeck.reporting.words import KOREAN


@pytest.mark.parametrize(("rows", "columns"), [(300, 100), (90, 400), (50, 3), (10, 40)])
def test_the_plane_is_that_of_scikit_learn(rows: int, columns: int) -> None:
    """Places but for the sign of an axis, and shares of the variance."""
    generator = np.random.default_rng(rows)
    features_NF = generator.normal(size=(rows, columns)) @ np.diag(np.linspace(3, 0.2, columns))
    features_NF[:, 0] += 4 * features_NF[:, -1] + 2 * features_NF[:, 1]
    found = principal_plane(features_NF)
    peer = PCA(2, svd_solver="full").fit(StandardScaler().fit_transform(features_NF))
    placed = peer.transform(StandardScaler().fit_transform(features_NF))
    signs = np.sign((placed * found.points_N2).sum(axis=0))
    np.testing.assert_allclose(found.points_N2, placed * signs, atol=2e-3)
    np.testing.assert_allclose(found.shares, peer.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_array_equal(found.points_N2, principal_plane(features_NF).points_N2)


def test_features_that_make_no_plane_are_refused() -> None:
    """Too few rows, all the same, not finite."""
    for features_NF in (np.ones((2, 4)), np.ones((9, 4)), np.full((9, 4), np.nan)):
        with pytest.raises(DataError):
            principal_plane(features_NF)


def test_a_sample_is_the_same_every_time() -> None:
    """All rows while they are few; ascending rows, each once, when they are many."""
    assert sample_rows(5, most=10).tolist() == [0, 1, 2, 3, 4]
    taken = sample_rows(1000, most=10)
    assert len(set(taken.tolist())) == 10
    assert taken.tolist() == sorted(taken.tolist()) == sample_rows(1000, most=10).tolist()


@pytest.mark.slow
def test_maps_tell_of_classes_and_errors() -> None:
    """Rows right and wrong are counted; centres and nearest classes are those of the points; Hangul is drawn."""
    plane = principal_plane(np.array([[0.0, 0], [0, 1], [5, 0], [5, 1], [9, 9]]))
    mapped = Mapped(
        plane=plane, labels_N=np.array([0, 0, 1, 1, 3]), said_N=np.array([0, 1, 1, 1, 3]),
        label_names=("기쁨", "$b_1$", "none", "c"), of=50,
    )  # fmt: skip
    picture = feature_map(mapped, look=Look(words=KOREAN))
    assert "정답 (4)" in picture.description
    assert "오답 (1)" in picture.description
    assert "전체 50행 중 5행" in picture.description
    np.testing.assert_allclose(mapped.centres[0], plane.points_N2[:2].mean(axis=0))
    assert np.isnan(mapped.centres[2]).all()
    assert mapped.nearest(0) == 1
    assert "기쁨 (2)" in class_density(mapped).description


def test_labels_that_are_not_one_a_row_are_refused() -> None:
    """A map of wrong colours would be believed."""
    plane = principal_plane(np.eye(4))
    with pytest.raises(DataError, match="3 labels"):
        Mapped(plane=plane, labels_N=np.arange(3), said_N=np.arange(4), label_names=tuple("abcd"), of=4)

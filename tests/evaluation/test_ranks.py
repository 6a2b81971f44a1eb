"""NESum, LiDAR and the halves of CLID against their formulas as loops."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.cluster import KMeans

from bench.evaluation.arrays import normalise
from bench.evaluation.evaluators import clid, lidar, nesum


def test_nesum_is_the_sum_of_eigenvalues_over_the_largest():
    x = (np.random.default_rng(0).normal(size=(300, 12)) * np.arange(1, 13) + 5).astype(np.float32)
    eigenvalues = np.linalg.eigvalsh(np.cov(x.astype(float).T))
    assert nesum.nesum(x) == pytest.approx(sum(value / eigenvalues[-1] for value in eigenvalues), rel=1e-6)
    assert nesum.nesum(np.full((20, 4), 0.3, dtype=np.float32)) is None
    assert nesum.nesum(np.outer(np.arange(20), [1, 2, 3]).astype(np.float32)) == pytest.approx(1)


@pytest.mark.parametrize(("images", "views", "width"), [(40, 5, 6), (200, 2, 9), (5, 3, 12)])
def test_lidar_is_the_papers_formula(images, views, width):
    random = np.random.default_rng(1)
    clean = random.normal(size=(images, 1, width)) * np.arange(1, width + 1)
    x = (clean + 0.3 * random.normal(size=(images, views, width))).astype(np.float32)
    means = [sum(x[i, v].astype(float) for v in range(views)) / views for i in range(images)]
    middle = sum(means) / images
    between, within = np.zeros((width, width)), 1e-4 * np.eye(width)
    for i in range(images):
        between += np.outer(means[i] - middle, means[i] - middle) / (images - 1)
        for v in range(views):
            within += np.outer(x[i, v] - means[i], x[i, v] - means[i]) / (images * (views - 1))
    root = np.linalg.inv(scipy.linalg.sqrtm(within).real)
    eigenvalues = np.linalg.eigvalsh(root @ between @ root)
    p = eigenvalues / eigenvalues.sum() + 1e-8
    expected = np.exp(-sum(share * np.log(max(share, 1e-12)) for share in p))
    assert lidar.lidar(x) == pytest.approx(expected, rel=1e-5)


def test_lidar_counts_the_directions_that_views_agree_in():
    random = np.random.default_rng(2)
    told, noise = random.normal(size=(500, 1, 3)), random.normal(size=(500, 4, 7))
    both = np.concatenate([np.repeat(told, 4, axis=1) + 0.01 * random.normal(size=(500, 4, 3)), noise], axis=2)
    assert 2.8 < lidar.lidar(both) < 3.3, "seven directions in which views of an image differ as images do count for little"
    assert lidar.lidar(np.full((10, 2, 4), 0.5)) is None


def test_a_cluster_is_learnt_where_the_nearest_other_image_lies_in_it():
    x = normalise(np.random.default_rng(4).normal(size=(300, 3)))
    nearest = clid.neighbours(x)
    others = [sorted((j for j in range(300) if j != i), key=lambda j, i=i: -x[i] @ x[j])[:2] for i in range(300)]
    assert nearest.tolist() == others
    labels = KMeans(17, n_init=1, random_state=0).fit_predict(x)
    right = sum(labels[i] == labels[near] for i, (near, _) in enumerate(others))
    assert clid.cluster_learnability(x, nearest) == pytest.approx(100 * right / 300)
    alone = normalise(np.repeat(np.eye(9), 9, axis=0) + 1e-3 * np.random.default_rng(5).normal(size=(81, 9)))
    assert clid.cluster_learnability(alone, clid.neighbours(alone)) == 100, "nine clusters far from each other"
    assert clid.cluster_learnability(np.ones((20, 1)), clid.neighbours(np.ones((20, 1)))) is None


def test_the_intrinsic_dimension_is_twonns():
    random = np.random.default_rng(8)
    x = normalise(random.normal(size=(400, 4)) @ random.normal(size=(4, 12)))
    distances = [sorted(float(np.sqrt(sum((one - other) ** 2))) for other in x)[1:3] for one in x]
    mu = sorted(second / first for first, second in distances)[:360]
    slope = sum(-np.log(1 - i / 400) * np.log(m) for i, m in enumerate(mu, 1)) / sum(np.log(m) ** 2 for m in mu)
    assert dimension(x) == pytest.approx(slope, rel=1e-9) and 2.4 < slope < 3.6, "of directions of four numbers, three"
    assert dimension(np.concatenate([x, x[:7]])) == pytest.approx(dimension(x[7:]), rel=0.1), "images that others equal are left out"
    assert dimension(np.ones((20, 1))) is None


def dimension(x):
    return clid.intrinsic_dimension(x, clid.neighbours(x))


class Subject:
    dataset = "digits"

    def __init__(self, x, crops):
        self.x, self.crops = x, crops

    def split(self, split, dataset=None):
        assert split == "train"
        return self.x, np.zeros(len(self.x), dtype=np.int64)

    def two_crops(self):
        return self.crops


def test_what_is_recorded():
    x = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
    subject = Subject(x, (x, x + 0.1))
    (rank,), (total,) = lidar.evaluate(subject), nesum.evaluate(subject)
    assert (rank.evaluator, rank.metric, rank.split, rank.n, rank.value) == (
        "lidar",
        "lidar",
        "train",
        50,
        lidar.lidar(np.stack([x, x + 0.1], 1)),
    )
    assert (total.evaluator, total.metric, total.split, total.n, total.value) == ("nesum", "nesum", "train", 50, nesum.nesum(x))
    halves, unit = clid.evaluate(subject), normalise(x)
    assert [(each.evaluator, each.metric, each.split, each.n) for each in halves] == [
        ("clid", metric, "train", 50) for metric in ("cluster_learnability", "intrinsic_dimension")
    ]
    assert [each.value for each in halves] == [clid.cluster_learnability(unit, clid.neighbours(unit)), dimension(unit)]
    with pytest.raises(ValueError, match="lidar on digits: 50 of 50 rows of the second crop hold NaN"):
        lidar.evaluate(Subject(x, (x, x * np.nan)))
    with pytest.raises(ValueError, match="nesum on digits: 50 of 50 rows of train_x hold NaN"):
        nesum.evaluate(Subject(x * np.nan, None))
    with pytest.raises(ValueError, match="clid on digits: 50 of 50 rows of train_x hold NaN"):
        clid.evaluate(Subject(x * np.nan, None))

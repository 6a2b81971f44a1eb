"""Few shots: five classes of another data set, one or five images of each, 600 times; by the nearest centroid and by logistic regression.

few_shot:cub     metrics centroid_5way1shot, centroid_5way5shot, logistic_5way1shot, logistic_5way5shot, percent

The mean accuracy over episodes; each metric's _half_width is half of the 95 % interval of that mean over episodes. In an episode five
classes are drawn, and 20 images of each: the first one or five are labelled, and the last 15 are to be told, so that both numbers of shots
are asked the same. The episodes follow from the protocol and the data set: they are the same for every method, seed and encoder, and the
interval says how far 600 others may be off, not whether two methods differ.

Images are of test. Nothing is chosen, so val has nothing to do, and the encoder has seen no image of test whichever set it was trained on;
ssl-transfer (few_shot.py at commit 416913f: 5 ways, 15 queries, 600 episodes, the nearest mean by Euclidean distance) draws from all of a
set's images, train too. It leaves BatchNorm in training mode, by its own batches; here the encoder is frozen.

The logistic regression is that of Tian et al. 2020 (arXiv:2003.11539; rfs, eval/meta_eval.py at commit f8c837b): scikit-learn's with C = 1
on L2-normalised features. Both classifiers are fixed by the protocol.
N images, D features, W ways, S shots.
"""

import numpy as np
from scipy.stats import sem, t
from sklearn.linear_model import LogisticRegression

from bench.evaluation.arrays import check_finite, normalise
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = "a data set"
READS_TEST: bool = True
TAKES: tuple[str, ...] = ()
PAPERS: tuple[str, ...] = ("arXiv:2003.11539",)
SPLITS: tuple[str, ...] = ("test",)
FEWEST_CLASSES: int = 5
FEWEST_TEST_IMAGES: int = 20

WAYS, SHOTS, QUERIES, EPISODES = 5, (1, 5), 15, 600


def episode(members: list[np.ndarray], number: int) -> np.ndarray:
    """Positions int64 [5, 20] of the images of an episode, from those of each class. ValueError where it cannot be drawn."""
    fewest = min((len(rows) for rows in members), default=0)
    if len(members) < WAYS or fewest < max(SHOTS) + QUERIES:
        needed = f"{WAYS} classes of {max(SHOTS) + QUERIES} images or more"
        raise ValueError(f"an episode needs {needed}, and of {len(members)} classes one has {fewest}")
    # A bit generator's own numbers, which NumPy keeps the same in every version, unlike what a Generator makes of them.
    bits = np.random.PCG64(number)
    classes = np.argsort(bits.random_raw(len(members)), kind="stable")[:WAYS]
    drawn = (members[label][np.argsort(bits.random_raw(len(members[label])), kind="stable")] for label in classes)
    return np.stack([rows[: max(SHOTS) + QUERIES] for rows in drawn])


def centroid(support: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The class int64 [Q], in [0, W), whose mean of support [W, S, D] is nearest to each of queries [Q, D]."""
    means = support.mean(axis=1, dtype=np.float64)
    # Squared distances, but for the query's own norm, which is the same for every class.
    return (np.square(means).sum(axis=1) - 2 * queries @ means.T).argmin(axis=1)


def logistic(support: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The same of logistic regression."""
    ways, shots, features = support.shape
    model = LogisticRegression(C=1.0, max_iter=1000)
    return model.fit(support.reshape(-1, features), np.repeat(np.arange(ways), shots)).predict(queries)


def accuracies(x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Metric -> the accuracy of every episode, float64 [600] in percent; from features [N, D] and labels int64 [N]."""
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    classifiers = {"centroid": (centroid, x), "logistic": (logistic, normalise(x))}
    truth = np.repeat(np.arange(WAYS), QUERIES)
    found = {f"{name}_{WAYS}way{shots}shot": np.empty(EPISODES) for name in classifiers for shots in SHOTS}
    for number in range(EPISODES):
        rows = episode(members, number)
        for name, (classify, features) in classifiers.items():
            queries = features[rows[:, -QUERIES:].ravel()]
            for shots in SHOTS:
                right = classify(features[rows[:, :shots]], queries) == truth
                found[f"{name}_{WAYS}way{shots}shot"][number] = 100 * right.mean()
    return found


def measure(dataset: str, x: np.ndarray, labels: np.ndarray) -> list[Result]:
    """Every metric and its half width, percent; from test features [N, D] and labels int64 [N]."""
    facts, results = {"evaluator": "few_shot", "dataset": dataset, "split": "test", "n": len(x)}, []
    for metric, values in accuracies(x, labels).items():
        half_width = float(sem(values) * t.ppf(0.975, EPISODES - 1))
        results.append(Result(**facts, metric=metric, value=float(values.mean())))
        results.append(Result(**facts, metric=f"{metric}_half_width", value=half_width))
    return results


def evaluate(features: Features, argument: str) -> list[Result]:
    """`measure` on the data set named `argument`. ValueError where a feature is not finite."""
    x, labels = features.split("test", argument)
    check_finite(f"few_shot:{argument}", argument, "test_x", x)
    return measure(argument, x, labels)

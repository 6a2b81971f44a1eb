"""Evaluation: kNN search, and the grid of the linear probe, against what people use for them.

Features are drawn around class means, so that accuracy is neither chance nor perfect; the peers get the same arrays and as many threads.
"""

import numpy as np
import torch

from bench.evaluation import logistic
from bench.evaluation.evaluators import knn
from bench.evaluation.search import nearest
from bench.machine import hardware
from benchmarks.measure import alternate, rate, ratio, spread, table

STRENGTHS = tuple(float(strength) for strength in np.logspace(-5, 1, 20))
NEIGHBOURS = 200


def features(images: int, dim: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """float32 [N, D] and int64 [N]: classes that overlap, axes of falling variance as a network's features have."""
    random = np.random.default_rng(seed)
    means = np.random.default_rng(0).normal(size=(classes, dim))
    labels = random.integers(classes, size=images)
    scale = 1 / np.sqrt(1 + np.arange(dim) / 8)
    return ((0.35 * means[labels] + random.normal(size=(images, dim))) * scale).astype(np.float32), labels


def neighbours(quick: bool) -> dict:
    """200 nearest of 50,000 x 512 for 10,000 queries, and their vote: queries a second."""
    from lightly.utils.benchmarking import knn_predict
    from sklearn.neighbors import KNeighborsClassifier

    bank_size, count, dim, classes = (2_000, 200, 64, 10) if quick else (50_000, 10_000, 512, 10)
    bank, bank_y = features(bank_size, dim, classes, 1)
    queries, _ = features(count, dim, classes, 2)
    tensors = [torch.nn.functional.normalize(torch.from_numpy(x), dim=1) for x in (bank, queries)]
    targets, predicted = torch.from_numpy(bank_y), {}

    def ours():
        similarity, index = nearest(bank, queries, NEIGHBOURS)
        predicted["ours"] = knn.vote(similarity, bank_y[index], classes, (NEIGHBOURS,), 0.1)[0]

    def torch_alone():
        similarity, index = (tensors[1] @ tensors[0].T).topk(NEIGHBOURS)
        votes = torch.zeros(count, classes).scatter_add_(1, targets[index], (similarity / 0.1).exp())
        predicted["torch"] = votes.argmax(1).numpy()

    def lightly():
        parts = [knn_predict(part, tensors[0].T, targets, classes, NEIGHBOURS, 0.1)[:, 0] for part in tensors[1].split(256)]
        predicted["lightly"] = torch.cat(parts).numpy()

    def sklearn():
        # Its queries are fewer, since it takes long; cosine is brute force there too.
        some = queries[: max(1, count // 10)]
        model = KNeighborsClassifier(NEIGHBOURS, metric="cosine", algorithm="brute", n_jobs=-1, weights=lambda d: np.exp((1 - d) / 0.1))
        predicted["scikit-learn"] = model.fit(bank, bank_y).predict(some)

    seconds = alternate({"ours": ours, "torch": torch_alone, "lightly": lightly, "scikit-learn": sklearn}, 1 if quick else 3)
    seconds["scikit-learn"] = [10 * taken for taken in seconds["scikit-learn"]]
    agreement = min(float((predicted[name] == predicted["ours"][: len(predicted[name])]).mean()) for name in predicted)
    what = f"kNN, {NEIGHBOURS} of {bank_size:,} x {dim}, {count:,} queries"
    row = {"measure": "evaluation", "what": what, "unit": "queries/s", "agreement": agreement}
    row |= {name: rate(taken, count) for name, taken in seconds.items()}
    return row | {f"over_{name}": ratio(seconds["ours"], taken) for name, taken in seconds.items() if name != "ours"}


def linear_grid(quick: bool) -> dict:
    """Twenty L2 strengths of a linear probe: grids an hour, and the difference of the best accuracy on val in points."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    count, dim, classes = (400, 16, 5) if quick else (10_000, 128, 10)
    x, y = features(count, dim, classes, 1)
    val_x, val_y = features(count // 5, dim, classes, 2)
    best = {}

    def ours():
        probe = logistic.fit(x, y, STRENGTHS)
        assert probe.converged.all()
        best["ours"] = (logistic.predict(probe, val_x) == val_y).mean(axis=1).max()

    def sklearn():
        scaler = StandardScaler().fit(x)
        train, val = scaler.transform(x.astype(np.float64)), scaler.transform(val_x.astype(np.float64))
        models = [LogisticRegression(C=1 / (strength * count), max_iter=10_000).fit(train, y) for strength in STRENGTHS]
        best["scikit-learn"] = max(model.score(val, val_y) for model in models)

    seconds = alternate({"ours": ours, "scikit-learn": sklearn}, 1 if quick else 3)
    points = 100 * abs(best["ours"] - best["scikit-learn"])
    assert points <= 0.1, f"the best accuracies differ by {points} points"
    what = f"linear probe, {len(STRENGTHS)} strengths, {count:,} x {dim}, {classes} classes"
    row = {"measure": "evaluation", "what": what, "unit": "grids/h", "points_apart": points}
    row |= {name: rate(taken, 3600) for name, taken in seconds.items()}
    return row | {"over_scikit-learn": ratio(seconds["ours"], seconds["scikit-learn"])}


def rows(quick: bool = False) -> list[dict]:
    """Both comparisons."""
    torch.set_num_threads(hardware.cores())
    found = []
    for compare in (neighbours, linear_grid):
        found.append(compare(quick))
        print(f"evaluation {found[-1]['what']}: {spread(found[-1]['ours'])} {found[-1]['unit']}", flush=True)
    return found


def markdown(found: list[dict]) -> str:
    """The rows as a table: what each manages, and how many times faster ours is."""
    peers = ("torch", "lightly", "scikit-learn")

    def cell(row, peer):
        return f"{spread(row[peer])}: {row[f'over_{peer}'][0]:.2g}x" if peer in row else "–"

    header = ("what", "unit", "here", *(f"{peer}: here over it" for peer in peers))
    return table(header, [[row["what"], row["unit"], spread(row["ours"]), *(cell(row, peer) for peer in peers)] for row in found])


if __name__ == "__main__":
    print(markdown(rows()))

"""Our skip_gram and cbow beside gensim's word2vec: likeness of words and words a second, at equal text, epochs and size.

python -m benchmarks.word_vectors                          newsgroups20, five epochs, three seeds of each, gensim at three learning rates
python -m benchmarks.word_vectors --method cbow --lr 0.02  one of them, at another learning rate of ours
python -m benchmarks.word_vectors --quick                  a tenth of an epoch of sst2: that it runs at all

Both see the same windows of train, in which unknown words are left out, with the same vocabulary, radius, negatives and threshold. gensim
has one worker, ours the recipe's learning rate; both are measured as by the evaluator word_similarity. A word is one of the text that is
passed over, kept or thinned out; reading, counting and measuring are not timed. Of each of gensim's learning rates: ours less gensim's,
with the middle 95 % of that difference where seeds and what is asked (the pairs and questions that both know) are drawn with replacement.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from bench.data.catalogue import DataSets
from bench.data.source import load_source
from bench.data.text import SPECIAL
from bench.errors import UserError
from bench.evaluation.evaluators import word_similarity
from bench.plan.complete import complete
from bench.run.build import build_method, make_trainer
from bench.spec import Budget, RunSpec
from reports.pages.markdown import grid

METRICS: dict[str, Callable[[np.ndarray], float]] = {
    "WordSim-353": lambda pairs: word_similarity.correlation(pairs) or 0.0,
    "SimLex-999": lambda pairs: word_similarity.correlation(pairs) or 0.0,
    "analogies": lambda right: 100 * float(right.mean()),
}
"""How what is known of its pairs [N, 2] or questions [N] makes up each number."""

DRAWS = 1000


@dataclass(frozen=True)
class Trained:
    """What one seed came to."""

    speed: float
    """Words a second."""
    words: tuple[str, ...]
    vectors: np.ndarray
    asked: dict[str, Mapping[int, object]] = field(init=False)
    """Of each metric, by place in its list, what is known of a pair or a question."""

    def __post_init__(self):
        places, unit = word_similarity.vectors_of_words(self.words, self.vectors)
        likenesses = (word_similarity.likenesses(places, unit, name) for name in ("wordsim353.tsv", "simlex999.txt"))
        object.__setattr__(self, "asked", dict(zip(METRICS, (*likenesses, word_similarity.answers(places, unit)), strict=True)))

    def of(self, metric: str, places: list[int]) -> np.ndarray:
        return np.array([self.asked[metric][place] for place in places])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.word_vectors", description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="newsgroups20", help="a set of text")
    parser.add_argument("--method", choices=("skip_gram", "cbow"), help="one of them alone")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, help="of ours, in place of the recipe's")
    parser.add_argument("--batch-size", type=int, help="of ours, in place of the recipe's")
    parser.add_argument("--gensim-lr", type=float, nargs="*", default=[0.025, 0.05, 0.1], help="of gensim, whose default is the first")
    parser.add_argument("--quick", action="store_true", help="few steps of sst2")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows, apart = [], []
    try:
        for method in [given.method] if given.method else ["skip_gram", "cbow"]:
            spec = spec_of(method, given)
            ours = [of_ours(spec.replace(seed=seed)) for seed in range(given.seeds)]
            rows.append(row(method, f"ours, {complete(spec).recipe.lr:g}", ours))
            for rate in given.gensim_lr:
                theirs = [of_gensim(spec, 1 if given.quick else given.epochs, seed, rate) for seed in range(given.seeds)]
                rows.append(row(method, f"gensim, {rate:g}", theirs))
                apart.append([method, f"{rate:g}", *(difference(metric, ours, theirs) for metric in METRICS)])
    except UserError as error:
        parser.error(str(error))
    print(grid(["method", "by, learning rate", *METRICS, "words a second"], rows, ("method", "by, learning rate")), end="\n\n")
    print(grid(["method", "ours less gensim's at", *METRICS], apart, ("method",)), flush=True)


def spec_of(method: str, given: argparse.Namespace) -> RunSpec:
    """A complete run of ours."""
    budget = Budget("steps", 10) if given.quick else Budget("epochs", given.epochs)
    changes = {"lr": given.lr, "batch_size": given.batch_size}
    asked = RunSpec(method=method, dataset="sst2" if given.quick else given.dataset, budget=budget, precision="float32")
    return complete(asked.replace(recipe_changes={name: value for name, value in changes.items() if value is not None}))


def of_ours(spec: RunSpec) -> Trained:
    """Trained by the harness's own loop."""
    data = DataSets().require(spec.dataset)
    source, classes = load_source(spec, data)
    method = build_method(spec, source, classes)
    trainer = make_trainer(method, source, spec, None)
    trainer.run()
    text = source.images[torch.arange(len(source.images))]
    words = int((text >= len(SPECIAL)).sum()) * trainer.meter.images / len(text)
    vectors = method.encoder.word_vectors().detach().numpy()  # pyright: ignore[reportCallIssue]
    return Trained(words / trainer.meter.seconds, source.modality.vocabulary(), vectors)


def of_gensim(spec: RunSpec, epochs: int, seed: int, rate: float) -> Trained:
    """The same text and settings."""
    from gensim.models import Word2Vec

    source, _ = load_source(spec, DataSets().require(spec.dataset))
    vocabulary = source.modality.vocabulary()
    text = source.images[torch.arange(len(source.images))]
    sentences = [[vocabulary[token] for token in tokens if token >= len(SPECIAL)] for tokens in text.tolist()]
    settings = spec.hyper_parameters
    options = {
        "window": settings["window"],
        "negative": settings["negatives"],
        "sample": settings["threshold"],
        "sg": spec.method == "skip_gram",
    }
    model = Word2Vec(vector_size=128, min_count=1, workers=1, seed=seed, alpha=rate, **options)
    model.build_vocab(sentences)
    begun = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = time.perf_counter() - begun
    return Trained(epochs * sum(map(len, sentences)) / seconds, tuple(model.wv.index_to_key), model.wv.vectors)


def row(method: str, by: str, seeds: list[Trained]) -> list[str]:
    """Means over seeds, with the least and the most, of all that each knows."""
    cells = []
    for metric, number in METRICS.items():
        values = [number(seed.of(metric, [*seed.asked[metric]])) for seed in seeds]
        cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) of {len(seeds[0].asked[metric]):,}")
    return [method, by, *cells, f"{np.mean([seed.speed for seed in seeds]):,.0f}"]


def difference(metric: str, ours: list[Trained], theirs: list[Trained]) -> str:
    """'0.037 (-0.05 to 0.12)'"""
    common = sorted(set(ours[0].asked[metric]) & set(theirs[0].asked[metric]))
    if not common:
        return "none is known"
    sides = [[seed.of(metric, common) for seed in side] for side in (ours, theirs)]
    draws = np.random.default_rng(0)

    def apart(places: np.ndarray, seeds: tuple[np.ndarray, np.ndarray]) -> float:
        first, second = (np.mean([METRICS[metric](side[seed][places]) for seed in of]) for side, of in zip(sides, seeds, strict=True))
        return float(first - second)

    all_seeds = np.arange(len(ours)), np.arange(len(theirs))
    drawn = [
        apart(draws.choice(len(common), len(common)), (draws.choice(all_seeds[0], len(ours)), draws.choice(all_seeds[1], len(theirs))))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{apart(np.arange(len(common)), all_seeds):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()

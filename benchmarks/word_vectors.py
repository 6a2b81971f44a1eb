"""Our skip_gram and cbow beside gensim's word2vec: likeness of words and words a second, at equal text, epochs and size.

python -m benchmarks.word_vectors                          newsgroups20, five epochs, three seeds of each, some minutes of one core
python -m benchmarks.word_vectors --method cbow --lr 0.02  one of them, at another learning rate of ours
python -m benchmarks.word_vectors --quick                  a tenth of an epoch of sst2: that it runs at all

Both see the same windows of train, in which unknown words are left out, with the same vocabulary, radius, negatives and threshold. gensim
has one worker and its own learning rate, ours is the recipe's; both are measured by the evaluator word_similarity. A word is one of the
text that is passed over, kept or thinned out; reading, counting and measuring are not timed.
"""

import argparse
import statistics
import time

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

METRICS = ("spearman_wordsim353", "spearman_simlex999", "analogies")
Found = tuple[float, dict[str, tuple[float, int]]]
"""Words a second; of each metric its value and what it is of."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.word_vectors", description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="newsgroups20", help="a set of text")
    parser.add_argument("--method", choices=("skip_gram", "cbow"), help="one of them alone")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, help="of ours, in place of the recipe's")
    parser.add_argument("--batch-size", type=int, help="of ours, in place of the recipe's")
    parser.add_argument("--ours", action="store_true", help="without gensim")
    parser.add_argument("--quick", action="store_true", help="few steps of sst2")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    try:
        for method in [given.method] if given.method else ["skip_gram", "cbow"]:
            ours = spec_of(method, given)
            rows.append(row(method, "ours", [of_ours(ours.replace(seed=seed)) for seed in range(given.seeds)]))
            if not given.ours:
                rows.append(
                    row(method, "gensim", [of_gensim(ours, 1 if given.quick else given.epochs, seed) for seed in range(given.seeds)])
                )
    except UserError as error:
        parser.error(str(error))
    head = ["method", "by", *METRICS, "words a second"]
    print(grid(head, rows, ("method", "by")), flush=True)


def spec_of(method: str, given: argparse.Namespace) -> RunSpec:
    """A complete run of ours."""
    budget = Budget("steps", 10) if given.quick else Budget("epochs", given.epochs)
    changes = {"lr": given.lr, "batch_size": given.batch_size}
    asked = RunSpec(method=method, dataset="sst2" if given.quick else given.dataset, budget=budget, precision="float32")
    return complete(asked.replace(recipe_changes={name: value for name, value in changes.items() if value is not None}))


def of_ours(spec: RunSpec) -> Found:
    """Trained by the harness's own loop."""
    data = DataSets().require(spec.dataset)
    source, classes = load_source(spec, data)
    method = build_method(spec, source, classes)
    trainer = make_trainer(method, source, spec, None)
    trainer.run()
    text = source.images[torch.arange(len(source.images))]
    words = int((text >= len(SPECIAL)).sum()) * trainer.meter.images / len(text)
    vectors = method.encoder.word_vectors().detach().numpy()  # pyright: ignore[reportCallIssue]
    return words / trainer.meter.seconds, measured(spec, source.modality.vocabulary(), vectors)


def of_gensim(spec: RunSpec, epochs: int, seed: int) -> Found:
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
    model = Word2Vec(vector_size=128, min_count=1, workers=1, seed=seed, **options)
    model.build_vocab(sentences)
    begun = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = time.perf_counter() - begun
    return epochs * sum(map(len, sentences)) / seconds, measured(spec, tuple(model.wv.index_to_key), model.wv.vectors)


def measured(spec: RunSpec, words: tuple[str, ...], vectors) -> dict[str, tuple[float, int]]:
    return {result.metric: (result.value or 0.0, result.n) for result in word_similarity.measure(spec.dataset, words, vectors)}


def row(method: str, by: str, found: list[Found]) -> list[str]:
    """Means over seeds, with the least and the most."""
    cells = []
    for metric in METRICS:
        values = [of[metric][0] for _, of in found]
        cells.append(f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) of {found[0][1][metric][1]:,}")
    return [method, by, *cells, f"{statistics.mean(speed for speed, _ in found):,.0f}"]


if __name__ == "__main__":
    main()

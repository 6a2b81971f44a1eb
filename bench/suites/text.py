"""Do word vectors beat BERT at a minute of two cores? Sentences of SST-2 at 3 TFLOP, three seeds: an hour of two cores.

Word vectors (skip_gram, cbow) with embedding_bag, whose features are their mean; BERT, SimCSE and training with labels with a small
transformer; untrained encoders of both kinds; and TF-IDF, of which nothing is drawn, so one seed says it all.

Every method has its own recipe: learning rates are those of their files, which say where each is from, or that it is our own, and were not
searched (`tune text` does that). The budget is reckoned: skip_gram made 142 GFLOP in 5.5 s of one core, 26 GFLOP/s, so that 3 TFLOP are two
minutes of it and 64 epochs; BERT, with about 110 MFLOP a sentence, has four epochs of them. A table has one encoder: set the two beside
each other.
"""

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

BUDGET = Budget("flops", 3e12)

METHODS = {
    "embedding_bag": ("random", "skip_gram", "cbow"),
    "text_transformer_nano": ("random", "supervised_text", "bert", "simcse"),
}
"""Encoder -> who is trained with it; the floor first, which is evaluated while others train."""


def run(method: str, encoder: str, seed: int) -> RunSpec:
    """A run of the suite, in float32: the same on every processor."""
    return RunSpec(method=method, dataset="sst2", encoder=encoder, budget=BUDGET, seed=seed, precision="float32")


def suite() -> Suite:
    """Seed by seed: a suite that is stopped has all of its methods."""
    runs = [run(method, encoder, seed) for seed in SEEDS for encoder, methods in METHODS.items() for method in methods]
    evals = ("knn", "linear", "label_free", "few_labels:20", "word_similarity")
    return Suite((*runs, run("tfidf", "embedding_bag", SEEDS[0])), evals, "results/text")

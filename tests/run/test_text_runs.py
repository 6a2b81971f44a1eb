"""Text through the whole program: runs on real sentences, measured by what is for features and for words; what does not fit, refused."""

import json

import pytest

from bench.data import catalogue

pytestmark = pytest.mark.data

REFUSED = {
    "a method of images": ({"--method": "simclr"}, "simclr takes images, and sst2 has text; expected one of"),
    "an encoder of images": ({"--encoder": "resnet8"}, "resnet8 takes images, and sst2 has text; expected one of embedding_bag"),
    "an evaluator of images": ({"--evals": "robustness"}, "the evaluator 'robustness' takes images, and sst2 has text; expected one of"),
    "images to transfer to": (
        {"--evals": "transfer:digits"},
        "'transfer:digits': digits has images, and sst2, which is trained on, has text",
    ),
    "a method of text": ({"--dataset": "digits"}, "skip_gram takes text, and digits has images; expected one of"),
    "a window": ({"--image-size": "4"}, "a window of 4 tokens is too small; expected 8 to 1024"),
}
"""What is asked for, and what the one line says."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_by_name(what, bench, real_set):
    real_set("sst2")
    other, says = REFUSED[what]
    asked = {"--method": "skip_gram", "--dataset": "sst2", "--budget": "10steps", "--evals": "knn"} | other
    code, _, error = bench("plan", *(word for option in asked.items() for word in option))
    assert code == 2 and says in error and len(error.splitlines()) == 1
    if what == "a method of images":
        assert {"cbow", "random", "skip_gram", "tfidf"} <= set(error.replace(",", "").split())


def test_weights_are_kept_beside_no_record_of_text(bench, tmp_path, real_set):
    """Its encoders have no name elsewhere: said before anything is trained."""
    real_set("sst2")
    places = ("--results", tmp_path / "results", "--scratch", tmp_path / "scratch")
    described = ("--method", "skip_gram", "--dataset", "sst2", "--budget", "10steps", "--evals", "knn")
    code, _, error = bench("run", *described, *places, "--keep-weights", "encoder")
    assert (
        code == 2 and "encoders of text, which sst2 has, are not exported" in error.splitlines()[-1] and not (tmp_path / "results").exists()
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*and are cut")
def test_words_are_trained_evaluated_and_reported(bench, tmp_path, real_set):
    real_set("sst2"), real_set("trec")
    evaluators = "knn,label_free,transfer:trec,word_similarity"
    described = ("--method", "skip_gram,random", "--dataset", "sst2", "--image-size", "16", "--budget", "20steps", "--seeds", "0")
    places = ("--results", tmp_path / "results", "--scratch", tmp_path / "scratch", "--launcher", "debug")
    for chosen in (described, ("--method", "tfidf", "--set", "words=50", *described[2:])):
        code, out, error = bench("run", *chosen, "--evals", evaluators, *places)
        assert code == 0, out + error
    records = {
        record["spec"]["method"]: record for record in map(json.loads, (path.read_text() for path in tmp_path.rglob("results/**/*.json")))
    }
    assert set(records) == {"skip_gram", "random", "tfidf"}
    for method, record in records.items():
        found = {(result["evaluator"], result["metric"]): result for result in record["results"]}
        assert record["status"] == "done" and record["spec"]["data_revision"] == catalogue.entry("sst2").revision
        assert found["knn", "top1"]["value"] > 50 and found["transfer", "linear_top1"]["dataset"] == "trec"
        assert ("label_free", "rankme") in found and ("label_free", "alignment") not in found, "a text has no crops"
        assert (("word_similarity", "analogies") in found) == (method != "tfidf"), "counts have no vectors"
    assert records["skip_gram"]["cost"]["flops"] > 0 and records["skip_gram"]["loss_curve"]
    code, _, error = bench("report", "--results", tmp_path / "results", "--output", tmp_path / "pages")
    assert code == 0, error
    board = (tmp_path / "pages/leaderboard.md").read_text()
    assert "sst2 · embedding_bag · 16 tokens · budget 20 steps" in board and "WordSim-353" in board

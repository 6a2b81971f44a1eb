"""A pretraining split of a few images of every class: which they are, who is refused, and a run on them from plan to record."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.data import catalogue
from bench.data.images import channel_stats
from bench.data.load import load
from bench.data.source import load_source
from bench.data.splits import DRAWS, draw_of, drawn, parse
from bench.errors import UserError
from bench.plan.complete import complete
from bench.spec import Budget, RunSpec


def asked(seed: int = 0, **changes) -> RunSpec:
    """Two epochs of supervised training on 20 images of every class of the digits."""
    asked_for = {"pretrain_split": "train/20", "image_size": 8, "recipe_changes": {"batch_size": 50}} | changes
    return RunSpec(method="supervised", dataset="digits", budget=Budget("epochs", 2), seed=seed, **asked_for)


@pytest.mark.parametrize("seed", [1, 8])
def test_a_run_sees_exactly_the_images_of_its_seeds_draw(seed):
    data = catalogue.require("digits", None)
    train, (source, classes) = load(data, "train", 8), load_source(complete(asked(seed), data=data), data)
    rows = drawn(train.labels.numpy(), 20, {1: 2, 8: 4}[seed])
    # By their place in the part that train and val are taken from.
    of_draw = {int(train.images.rows[row]): label for label, of_class in enumerate(rows) for row in of_class}
    assert dict(zip(source.images.rows.tolist(), source.labels.tolist(), strict=True)) == of_draw and len(of_draw) == 200 and classes == 10
    assert torch.equal(source.images[torch.arange(200)], train.images.images[source.images.rows])
    # In an order that tells nothing, with the statistics of these images alone.
    assert source.labels.tolist() != sorted(source.labels.tolist()) and source.info.num_images == 200
    mean, std = channel_stats(train.images.reordered(torch.from_numpy(rows.ravel())))
    assert torch.allclose(source.mean, mean.float()) and torch.allclose(source.std, std.float())


def test_five_seeds_in_a_row_take_a_draw_each():
    assert [draw_of(seed) for seed in range(DRAWS + 1)] == [1, 2, 3, 4, 5, 1]
    assert [parse(split) for split in ("train/20", "train", "train+val")] == [("train", 20), ("train", 0), ("train+val", 0)]


def test_a_plan_counts_the_few_images():
    data = catalogue.require("digits", None)
    spec = complete(asked(), data=data)
    assert spec.budget == Budget("images", 400) and spec.id != complete(asked(pretrain_split="train/21"), data=data).id
    with pytest.raises(UserError, match="a batch of 256 is larger than the data: the train/20 split of digits has 200 images"):
        complete(asked(recipe_changes={}), data=data)


def test_who_has_no_classes_or_fewer_images_is_refused():
    data = catalogue.require("digits", None)
    none = replace(data, entry=replace(data.entry, one_class=False))
    with pytest.raises(UserError, match="not one class of each image, which the pretraining split 'train/20' needs; expected one of train"):
        none.require_pretraining("train/20")
    none.require_pretraining("train")
    data.require_pretraining("train/125")
    with pytest.raises(UserError, match="the pretraining split 'train/126' takes 126 of each class; expected 125 or fewer"):
        data.require_pretraining("train/126")
    with pytest.raises(UserError, match="unknown pretraining split of digits 'unlabelled'"):
        data.require_pretraining("unlabelled")


def test_from_plan_to_record(bench, here):
    run = ["--method", "supervised", "--dataset", "digits", "--image-size", "16", "--batch-size", "50", "--budget", "4epochs"]
    code, out, _ = bench("plan", *run, "--pretrain-split", "train/20", "--seeds", "3")
    assert code == 0 and "supervised seed 3        train/20, sgd, batch 50" in out
    code, out, said = bench("run", *run, "--pretrain-split", "train/20", "--seeds", "3", "--evals", "few_labels:20", "--launcher", "debug")
    assert code == 0, out + said
    (path,) = here.glob("results/**/*.json")
    record = json.loads(path.read_text())
    assert record["spec"]["pretrain_split"] == "train/20" and record["spec"]["budget"] == {"unit": "images", "amount": 800}
    values = {result["metric"]: result["value"] for result in record["results"]}
    assert np.mean([values[f"top1_n20_draw{draw}"] for draw in range(1, DRAWS + 1)]) == pytest.approx(values["top1_n20"])
    code, out, said = bench("report", "--results", "results")
    assert code == 0 and "pretrained on train/20" in next(here.glob("**/leaderboard.md")).read_text()

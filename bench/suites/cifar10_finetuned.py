"""Eight methods, supervised training and untrained features of `cifar10_new_seeds` with resnet8, by probes and with weights that move:
fine-tuning on CIFAR-10 and VOC, segmentation and detection on a part of VOC: thirteen hours of one core.

The runs are those of `cifar10_new_seeds` by their ids, in a folder of their own, as cifar10_frozen.py says. Raw pixels have no weights to
move.

Hours of one core, as there: training 0.8; evaluation 12, detection alone 6.7 (reckoned: 27 TFLOP a run), fine-tuning 3.3,
segmentation 1.3. The first five methods with the references are 24 of the 33 runs. `plan` says what it is here.
"""

from bench.suites import Suite, cifar10_new_seeds

ENCODER = "resnet8"

FIRST = ("simclr", "byol", "vicreg", "split_brain", "rotation")
"""Contrastive, with a teacher, by statistics, and two pretext tasks; from the top to the middle of what `cifar10`'s linear probe says."""

THEN = ("moco", "deepcluster", "jigsaw")
"""Eight methods are the fewest of which agreement.md says whether the linear probe foretells fine-tuning."""

REFERENCES = ("random", "random_rescaled", "supervised")
"""What `random` has after fine-tuning is what training from scratch gives; the evaluator `scratch` would say it in every run again."""

EVALS = (
    *("knn", "linear", "multilabel:voc2012_part"),
    *("finetune", "finetune:voc2012_part", "segmentation:voc2012_part", "detection:voc2012_part"),
)


def suite() -> Suite:
    """At the settings that were chosen for `cifar10`, at seeds that chose none: five methods and the references first, in all seeds."""
    there = [run for run in cifar10_new_seeds.suite().runs if run.encoder == ENCODER]
    runs = tuple(run for group in (FIRST + REFERENCES, THEN) for run in there if run.method in group)
    return Suite(runs, EVALS, "results/cifar10_finetuned")

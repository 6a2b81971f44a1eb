"""What else the frozen encoders of `cifar10_new_seeds` with resnet8 are good for: few labels, corruptions, shift, calibration, retrieval,
images that are not CIFAR-10's, five transfer sets, and every number without labels: six hours of one core.

The runs are those of `cifar10_new_seeds` by their ids, at seeds that chose no learning rate: all but pixels, whose probes of 3,072 numbers
take longer than all others together. Records go to a folder of their own: a store asks that all parts of a run's record are of the same
weights, bit for bit, and no weights are kept with those of `cifar10_new_seeds`, so that runs are trained anew, and on another processor end
with other bits. Where the checkpoints of `cifar10_new_seeds` still lie in scratch they are evaluated as they are, whatever the folder of
results; and with `run --keep-weights encoder` this suite keeps every encoder beside its record.

Hours of one core, by the seconds of docs/performance.md: training 0.8; evaluation two minutes a run, 4.7 together, of which robustness 1.9;
and of emp_ssl, whose features are of 16 patches of every image, half an hour more. `plan` says what it is here.
"""

from bench.suites import Suite, cifar10_new_seeds

ENCODER = "resnet8"

EVALS = (
    *("knn", "linear", "calibration", "robustness", "shift:cifar10_shift", "retrieval", "ood:dtd10"),
    *("few_labels:10", "few_labels:1%"),
    *("transfer:tiny_imagenet50", "transfer:dtd10", "transfer:flowers102_64", "transfer:caltech101_64", "transfer:gtsrb_part"),
    *("label_free", "nesum", "lidar", "clid"),
)


def suite() -> Suite:
    """At the settings and seeds of `cifar10_new_seeds`, in its order; PCA, of which nothing is drawn, once."""
    there = [run for run in cifar10_new_seeds.suite().runs if run.encoder == ENCODER and run.method != "pixels"]
    runs = tuple(run for run in there if run.method != "pca" or run.seed <= min(cifar10_new_seeds.SEEDS))
    return Suite(runs, EVALS, "results/cifar10_frozen")

"""What else the frozen encoders of `cifar10` with resnet8 are good for: few labels, corruptions, shift, calibration, retrieval, images
that are not CIFAR-10's, five transfer sets, and every number without labels: ten hours of one core.

The runs are those of `cifar10` by their ids, all but pixels, whose probes of 3,072 numbers take longer than all others together; newer
methods, whose learning rate no search has seen, are in neither. Records go to a folder of their own: a store asks that all parts of a
run's record are of the same weights, bit for bit, and no weights are kept with those of `cifar10`, so that runs are trained anew, and on
another processor end with other bits. Where the checkpoints of `cifar10` still lie in scratch they are evaluated as they are, whatever
the folder of results; and with `run --keep-weights encoder` this suite keeps every encoder beside its record.

Hours of one core, by records made beside other work on an AMD EPYC: training 1.9; evaluation five minutes a run, 7.8 together, of which
robustness 3.5, extracting features 1.8, transfer 1.1, few labels 0.6. `plan` says what it is here.
"""

from bench.suites import Suite, cifar10

ENCODER = "resnet8"

EVALS = (
    *("knn", "linear", "calibration", "robustness", "shift:cifar10_shift", "retrieval", "ood:dtd10"),
    *("few_labels:10", "few_labels:1%"),
    *("transfer:tiny_imagenet50", "transfer:dtd10", "transfer:flowers102_64", "transfer:caltech101_64", "transfer:gtsrb_part"),
    *("label_free", "nesum", "lidar", "clid"),
)


def suite() -> Suite:
    """At the settings that were chosen for `cifar10`, in its order: seed by seed."""
    runs = tuple(run for run in cifar10.suite().runs if run.encoder == ENCODER and run.method != "pixels")
    return Suite(runs, EVALS, "results/cifar10_frozen")

"""What the options of a command may say and what they say by default: known before anything heavy is imported."""

PRECISIONS = ("bf16", "float32")
"""bf16: autocast to bfloat16 in training, weights and optimizer in float32. float32: no autocast."""

PRETRAIN_SPLITS = ("train", "train+val", "unlabelled")

RECIPES = ("small", "imagenet")
"""small: a method's own numbers, for small images. imagenet: those of its paper there (methods/imagenet.toml)."""

LAUNCHERS = ("debug", "local", "slurm")
"""debug: in this process, one run after the other. local: a process per GPU, or per so many CPU cores. slurm: a job per run."""

DEFAULT_DATASET, DEFAULT_SEEDS, DEFAULT_EVALS = "mnist5k", "0,1,2", "knn,linear,label_free"

"""What all searches of learning rates start from: the methods' own rates, and what these are multiplied by."""

LR_FACTORS = (1.0, 3.0, 10.0, 30.0)
"""On the learning rate of the method's own recipe."""

BASE_LR = {
    "all4one": 1.0,
    "autoencoder": 1e-3,
    "barlow_twins": 0.2,
    "byol": 0.45,
    "colorization": 1e-3,
    "context_encoder": 2e-3,
    "counting": 1e-4,
    "cpc": 2e-4,
    "data2vec": 2e-3,
    "dcl": 1.0,
    "deepcluster": 0.05,
    "deepcluster_v2": 0.3,
    "denoising_ae": 1e-3,
    "dino": 5e-4,
    "dinov2": 2e-3,
    "emp_ssl": 0.3,
    "essl": 0.06,
    "exemplar": 0.1,
    "fastsiam": 0.03,
    "frossl": 0.3,
    "ibot": 5e-4,
    "ijepa": 1e-3,
    "jigsaw": 0.1,
    "lejepa": 2e-3,
    "mae": 1.5e-4,
    "mmcr": 1e-3,
    "moco": 0.03,
    "moco_v1": 0.03,
    "moco_v3": 0.6,
    "msn": 1e-3,
    "multi_task": 0.1,
    "nnclr": 0.3,
    "npid": 0.03,
    "pcl": 0.03,
    "pirl": 0.03,
    "relative_patch": 0.1,
    "resa": 0.3,
    "ressl": 0.06,
    "rotation": 0.1,
    "simclr": 1.0,
    "simdino": 5e-4,
    "simmim": 1e-4,
    "simsiam": 0.03,
    "split_brain": 1e-3,
    "supcon": 0.5,
    "supervised": 0.1,
    "swav": 0.6,
    "tico": 0.2,
    "vibcreg": 0.3,
    "vicreg": 0.5,
    "visreg": 1e-3,
    "w_mse": 3e-3,
}
"""The learning rate of each method's own recipe; a test holds it against the methods."""

ADAPTIVE = (
    "autoencoder",
    "colorization",
    "context_encoder",
    "counting",
    "cpc",
    "data2vec",
    "denoising_ae",
    "dino",
    "dinov2",
    "ibot",
    "ijepa",
    "lejepa",
    "mae",
    "mmcr",
    "msn",
    "simdino",
    "simmim",
    "split_brain",
    "visreg",
    "w_mse",
)
"""Methods whose own recipe is of Adam or AdamW; a test holds it against the methods."""


def times(factor: float, lr: float) -> float:
    """A learning rate of a search as people write it: 0.3 and not 0.30000000000000004."""
    return round(factor * lr, 10)

"""What methods share: heads, teachers, queues, memories, clusters and the losses that more than one paper uses.

A user's own method imports from here; what each name is stands in the file that defines it.
"""

from bench.compute.collectives import gather, mean_of_batch, shard
from bench.compute.flops import add_flops
from bench.compute.precision import upcast
from bench.parts.budgets import Needed, images_seen
from bench.parts.channels import OneChannel
from bench.parts.clusters import kmeans, sinkhorn
from bench.parts.distillation import (
    HiddenPatches,
    MultiCrop,
    PrototypeHead,
    SelfDistillation,
    centred_targets,
    cosines,
    distillation_mlp,
    hidden_patch_loss,
    large_and_small_crops,
    phases_from,
    warmed_up,
)
from bench.parts.dropout import dropout
from bench.parts.heads import encode_crops, encode_segments, mlp, reverse_gradient, scale_norm, whole_patches
from bench.parts.losses import classify, cross_view_loss, find_first, find_own, full_precision, info_nce, nt_xent
from bench.parts.memories import Memory, Queue
from bench.parts.sketches import SketchedCrops, distance_to_centre
from bench.parts.statistics import taking_statistics
from bench.parts.teachers import (
    MomentumContrast,
    StudentAndTeacher,
    Teacher,
    WithTeacher,
    along_cosine,
    along_line,
    permuted_keys,
)
from bench.parts.tokens import among, block_mask, choose, grid_positions, mean_where, patch_mean, patchify, show_patches

__all__ = [
    "HiddenPatches",
    "Memory",
    "MomentumContrast",
    "MultiCrop",
    "Needed",
    "OneChannel",
    "PrototypeHead",
    "Queue",
    "SelfDistillation",
    "SketchedCrops",
    "StudentAndTeacher",
    "Teacher",
    "WithTeacher",
    "add_flops",
    "along_cosine",
    "along_line",
    "among",
    "block_mask",
    "centred_targets",
    "choose",
    "classify",
    "cosines",
    "cross_view_loss",
    "distance_to_centre",
    "distillation_mlp",
    "dropout",
    "encode_crops",
    "encode_segments",
    "find_first",
    "find_own",
    "full_precision",
    "gather",
    "grid_positions",
    "hidden_patch_loss",
    "images_seen",
    "info_nce",
    "kmeans",
    "large_and_small_crops",
    "mean_of_batch",
    "mean_where",
    "mlp",
    "nt_xent",
    "patch_mean",
    "patchify",
    "permuted_keys",
    "phases_from",
    "reverse_gradient",
    "scale_norm",
    "shard",
    "show_patches",
    "sinkhorn",
    "taking_statistics",
    "upcast",
    "warmed_up",
    "whole_patches",
]

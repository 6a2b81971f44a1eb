"""The house rules on names, as tests on the source: the core names no method, what an image is only some rooms know, what is a file's own
is used nowhere else.

A rule that has to give way is changed here, in view of whoever reviews the change.
"""

import ast
import re
from collections import Counter

import pytest

import methods
from places import ROOT
from source_code import BENCH, CORE, MODULES, REPORTS, methods_named, name_of, others_own, parsed, room_of, scales_levels, words

OF_IMAGES = {"data", "views", "parts", "encoders", "methods", "conformance"}
"""Rooms that know that an image is [B, 3, H, W], of 256 levels. To all others it is a tensor, of rows that belong together."""

NAMES_MIRRORS = {
    "bench/spec.py": "what a method is told of its images",
    "bench/evaluation/frozen_encoder.py": "tells evaluators that train which images may be flipped",
}
"""Of the other rooms the only files that name channels, or say which images may be mirrored, each with the reason."""

NAMES_FORMATS = {
    "bench/encoders/formats.py": "weights are written as their authors' code does, and a format has its repository's name",
    "bench/data/images.py": "the size of an image is a number of pixels",
}
"""Files of the core that may name what is a method's name too, each with the reason."""

NAMES_THE_SIZE = {
    "bench/spec.py": "what a run is, and what a method is told of its images",
    "bench/plan/evaluation_cost.py": "what an evaluator's time depends on",
    "bench/records/frame.py": "a column",
    "bench/run/build.py": "hands it from a spec to its encoder",
    "bench/run/export.py": "what other programs must be told of a network",
    "bench/commands/card.py": "what an exported encoder is fed with",
    "bench/commands/evaluate.py": "an argument",
    "bench/commands/export.py": "what other programs must be told of a network",
    "bench/run/crash.py": "what to lower where memory ran out",
    "bench/evaluation/frozen_encoder.py": "other data sets are read in the size of the pretraining",
    "bench/evaluation/read_ahead.py": "the same",
    "bench/evaluation/tuning/trainable.py": "what a copy of an encoder is tried with",
    "bench/suites/tiny_imagenet50.py": "a setting of its runs",
    "bench/suites/_shrunk.py": "a setting of its runs, left to their data set",
    "bench/plan/complete.py": "fills it in, and says how small and large it may be",
    "bench/plan/estimate.py": "what takes as long as what",
    "bench/plan/memory.py": "how much memory images take",
    "bench/plan/recipes.py": "what a paper trained with",
    "bench/pages/methods.py": "what methods are built with, to be described",
    "bench/pages/recipes.py": "what a paper trained with",
    "bench/commands/data.py": "an argument",
    "bench/commands/request.py": "an argument",
    "bench/commands/tuning_pages.py": "a setting of the run to type next",
    "bench/commands/view_pictures.py": "in which test images are read, to be shown",
    "bench/commands/views.py": "an argument",
    "reports/claims/figure.py": "a setting of its runs",
    "reports/papers/_rates.py": "a setting of its runs",
    "reports/papers/jigsaw_shortcut.py": "a setting of its runs",
    "reports/papers/pretext_layers.py": "a setting of its runs",
    "reports/tables/table.py": "one table for each size",
    "reports/pages/met.py": "up to which our ResNets have the stem of theirs",
    "reports/tables/lines.py": "in a table's title",
    "reports/tables/file_names.py": "in a file's name",
    "reports/site/command.py": "an argument",
}
"""Files outside those rooms that know the height and width of images as a setting of a run, like its encoder; and what for."""

SCALES_LEVELS = {"bench/data/levels.py", "bench/data/images.py", "bench/parts/reconstruction.py", "bench/evaluation/corruptions/parts.py"}
"""Files that divide by the highest level: the one that makes images ready for a network, two that list all levels there are, and one for
corruptions, which are defined on shares of it."""

OF_LIBRARIES = {
    # No public name, though other code is meant to build on it: the base of every BatchNorm, and of these and every InstanceNorm, what
    # tells a buffer that is not saved, the step of averaged weights.
    "bench/encoders/batch_norm.py": {"_BatchNorm"},
    "bench/encoders/wrapped.py": {"_BatchNorm"},
    "bench/training/optim.py": {"_NormBase"},
    "bench/conformance/calls.py": {"_BatchNorm"},
    "bench/parts/statistics.py": {"_BatchNorm"},
    "bench/conformance/state.py": {"_non_persistent_buffers_set"},
    # Which tensors share their memory: where there is none, an address does not tell.
    "bench/plan/step.py": {"_cdata"},
    "bench/parts/teachers.py": {"_foreach_lerp_"},
    # What torch.linalg.eigh and others are where torch counts, and what its counter asks a formula.
    "bench/compute/flops.py": {
        *("_linalg_eigh", "_linalg_svd", "_euclidean_dist", "_cdist_forward", "_cdist_backward"),
        *("_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_get_raw"),
    },
    # torch compiles a module in place, and has nothing to undo it.
    "bench/encoders/compiled.py": {"_compiled_call_impl"},
    # torch says of a GPU what it computes in, and of a processor only to itself.
    "bench/machine/hardware.py": {"_is_avx512_bf16_supported", "_is_amx_tile_supported"},
    # torchvision lists files and labels of a set without decoding them here alone.
    "bench/data/readers/torchvision_loaders.py": {"_image_files", "_images", "_labels"},
    # submitit forwards no signal to a job on this machine, and shows no submission before it is made.
    "bench/launch/local.py": {"_process"},
    "bench/launch/submit.py": {"_make_submission_file_text", "_submitit_command_str"},
}
"""Names with an underscore that belong to a library, where nothing public does what is needed."""

NAMED_ALONE = {
    **dict.fromkeys(("heartbeat.json", "given-back.json", "weights.safetensors", "rank-", ".done", "meeting"), "bench/run/folder.py"),
    "step-": "bench/training/checkpoint.py",
    "lease-": "bench/machine/lease.py",
}
"""How names begin, or are, of what lies in a run's folder, and the one file that spells each."""


@pytest.mark.parametrize("name", NAMED_ALONE)
def test_a_name_in_a_runs_folder_is_spelt_in_one_file(name):
    spelling = set()
    for path in BENCH:
        texts = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str))
        if any(text.startswith(name) and len(text.split()) == 1 for text in texts):
            spelling.add(path.relative_to(ROOT).as_posix())
    assert spelling == {NAMED_ALONE[name]}


OWN_PLACE = {"bench/defaults.py", "bench/registry.py"}
"""Files that may ask where they lie; all others take ROOT."""


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_ground_floor_asks_where_it_lies(path):
    asked = {node.lineno for node in ast.walk(parsed(path)) if isinstance(node, ast.Name) and node.id == "__file__"}
    assert not asked or path.relative_to(ROOT).as_posix() in OWN_PLACE


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_knows_no_methods_name(path):
    named = methods_named(parsed(path), set(methods.names()))
    assert not named or path.relative_to(ROOT).as_posix() in NAMES_FORMATS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_some_rooms_know_what_an_image_is(path):
    name, tree = path.relative_to(ROOT).as_posix(), parsed(path)
    assert not scales_levels(tree) or name in SCALES_LEVELS, "bench.data.levels.prepare makes images ready for a network"
    if room_of(name_of(path)) in OF_IMAGES:
        return
    assert not words(tree) & {"channels_last"}
    assert name in NAMES_MIRRORS or not words(tree) & {"channels", "mirror_safe"}
    assert name in NAMES_THE_SIZE or "image_size" not in words(tree)


def compares_modalities(tree: ast.AST) -> bool:
    """Whether the code asks if a modality is a certain one: sets one against a quoted name, or against an object of one that there is."""
    sides = [(node.left, *node.comparators) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    of_one = [both for both in sides if any(re.search(r"\b(modality|takes)\b", ast.unparse(side)) for side in both)]
    return any(isinstance(side, ast.Constant) or re.fullmatch(r"[\w.]*[A-Z]{3,}", ast.unparse(side)) for both in of_one for side in both)


def test_the_core_asks_of_no_modality_by_its_name():
    for code in ("data.entry.modality.name == 'texts'", "modality is IMAGES", "'images' in method.takes"):
        assert compares_modalities(ast.parse(code)), code
    assert not compares_modalities(ast.parse("takes != there and there in entry.modality.takes and unit == 'images'"))
    asking = {name_of(path) for path in (*CORE, *REPORTS) if compares_modalities(parsed(path))}
    assert not asking, "a modality is data: bench/data/modality.py, and what is declared of it"


@pytest.mark.parametrize("name", NAMES_THE_SIZE)
def test_what_may_name_the_size_of_images_does(name):
    assert "image_size" in words(parsed(ROOT / name)), "take it off the list"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_a_files_own_is_used_nowhere_else(path):
    assert others_own(parsed(path)) == OF_LIBRARIES.get(path.relative_to(ROOT).as_posix(), set())


ASKS_TORCH = {"bench/commands/doctor.py", "bench/conformance/processes.py"}
"""Who reads how many threads torch has: one to say it, one to put it back. Everybody else is handed the number."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_number_of_threads_is_handed_on(path):
    asked = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute) and node.attr == "get_num_threads"]
    assert bool(asked) == (path.relative_to(ROOT).as_posix() in ASKS_TORCH)


def test_no_two_test_files_have_one_name():
    """pytest imports each by its name alone, and refuses the second of one name where both are collected."""
    counts = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in counts.items() if count > 1]

"""A packed data set is the same data set: pixels, order and what is trained on it; a damaged pack is never taken for a whole one."""

import hashlib
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.data import catalogue, packed, packing
from bench.data import load as load_module
from bench.data.check import check
from bench.data.images import channel_stats
from bench.data.load import load_split
from bench.data.packed import PackedImages, Shards
from bench.data.rows import RowsInMemory
from bench.data.source import load_source
from bench.errors import UserError
from bench.machine.signals import Interrupted
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.build import build_method, make_trainer
from bench.run.execute import execute
from bench.run.place import Place
from bench.run.weights import sha256
from bench.spec import Budget, RunSpec
from bench.training.batches import Ahead
from bench.training.controls import Controls

SIZE = 16
IN_A_SHARD = 10


def write_images(folder: Path, counts: dict[str, int]) -> None:
    """Three classes of photograph-like noise, no two images of one size, as JPEG (colour and grey) and PNG."""
    draw = np.random.default_rng(0)
    for part, count in counts.items():
        for label in "abc":
            for index in range(count):
                path = folder / part / label / f"{index:02}.{'png' if index % 3 == 2 else 'jpg'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                coarse = Image.fromarray(draw.integers(0, 256, (6, 7, 3), dtype=np.uint8))
                whole = coarse.resize((20 + index, 33 - index), Image.Resampling.BICUBIC)
                (whole.convert("L") if index % 5 == 4 else whole).save(path)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with small shards, and nothing kept of earlier loads."""
    monkeypatch.setattr(packing, "SHARD_BYTES", IN_A_SHARD * 3 * SIZE * SIZE)
    load_module.read_split.cache_clear()
    yield tmp_path / "data"
    load_module.read_split.cache_clear()


@pytest.fixture
def name(tmp_path):
    """12 train and 3 test images of each class: five shards, of which one holds the end of train and the start of test."""
    write_images(tmp_path / "set", {"train": 12, "test": 3})
    return f"folder:{tmp_path / 'set'}"


@pytest.fixture
def run_command(bench, monkeypatch, tmp_path):
    """`bench`, in an empty folder of its own: -> (exit code, standard output, standard error)."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("SSLBENCH_DATA", raising=False)
    return bench


def load(name, split, root, size=SIZE):
    load_module.read_split.cache_clear()
    return load_split(name, split, size, root)


def shards(pack) -> dict[str, tuple[bytes, int]]:
    """What each shard holds, and which file it is."""
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in sorted(pack.folder.glob("*.uint8"))}


def whole(images):
    return images[torch.arange(len(images))]


# The same data set


@pytest.mark.parametrize("own_val", [False, True])
def test_every_split_is_the_same_bit_for_bit(name, root, tmp_path, own_val):
    if own_val:
        write_images(tmp_path / "set", {"val": 4})
    facts = catalogue.require(name, root).info("train", SIZE), catalogue.require(name, root).revision
    splits = ("train", "val", "train+val", "test")
    before = {split: load(name, split, root) for split in splits}
    pack = packing.pack(name, SIZE, root)
    assert len(shards(pack)) == len(pack.digests) == (6 if own_val else 5) and pack.complete
    for split in splits:
        expected, found = before[split], load(name, split, root)
        assert isinstance(expected.images, torch.Tensor) and isinstance(found.images, PackedImages)
        assert found.images.shape == expected.images.shape and found.images.dtype == torch.uint8
        assert torch.equal(whole(found.images), expected.images) and torch.equal(found.labels, expected.labels)
        assert found.classes == expected.classes
        for ours, theirs in zip(channel_stats(found.images), channel_stats(expected.images), strict=True):
            assert torch.equal(ours, theirs)
    assert (catalogue.require(name, root).info("train", SIZE), catalogue.require(name, root).revision) == facts
    assert isinstance(load(name, "train", root, SIZE + 1).images, torch.Tensor), "another size is not packed"


@pytest.mark.data
def test_a_known_set_of_files_is_packed(root, real_root):
    root.mkdir()
    (root / "dtd").symlink_to(real_root / "dtd")
    before = load("dtd10", "val", root)
    packing.pack("dtd10", SIZE, root)
    assert isinstance(load("dtd10", "val", root).images, PackedImages)
    assert torch.equal(whole(load("dtd10", "val", root).images), before.images)


def test_an_order_is_kept_and_nothing_read_for_it(name, root, monkeypatch):
    resident = load(name, "train+val", root).images
    packing.pack(name, SIZE, root)
    split = load(name, "train+val", root)
    orders = [torch.randperm(36, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    read = PackedImages.read
    monkeypatch.setattr(PackedImages, "read", None)
    reordered = split.reordered(orders[0]).reordered(orders[1])
    permuted = reordered.images[3:30].to("cpu")
    pieces = permuted.split(10)
    monkeypatch.setattr(PackedImages, "read", read)
    expected = resident[orders[0]][orders[1]][3:30]
    assert torch.equal(whole(permuted), expected) and len(permuted) == 27
    assert torch.equal(reordered.labels, split.labels[orders[0]][orders[1]])
    for ours, theirs in zip(pieces, expected.split(10), strict=True):
        assert torch.equal(ours, theirs)
    assert len(pieces) == 3 and torch.equal(pieces[1:][-1], expected[20:])
    index = torch.tensor([5, 0, 5, -1])
    assert torch.equal(permuted[index], expected[index]) and torch.equal(permuted[index.numpy()], expected[index])
    assert torch.equal(permuted[4], expected[4]) and torch.equal(torch.stack(list(permuted)), expected)
    assert permuted[index[:0]].shape == (0, 3, SIZE, SIZE)
    with pytest.raises(IndexError):
        permuted[torch.tensor([27])]


def test_what_is_read_can_be_written_to_and_the_shard_stays(name, root):
    pack = packing.pack(name, SIZE, root)
    before = shards(pack)
    images = load(name, "test", root).images
    images[torch.arange(9)].zero_()
    images.shards.arrays[0][:] = 0
    assert shards(pack) == before


def outcome(name, root, folder, processes=1):
    """The record of a run of five and a half epochs with its evaluations, whose crops and probes read other splits."""
    load_module.read_split.cache_clear()
    spec = RunSpec(method="moco", dataset=name, budget=Budget("steps", 22), image_size=SIZE, recipe_changes={"batch_size": 8})
    spec = complete(spec.replace(precision="float32"), root)
    execute(spec, ("knn", "label_free"), Place(folder / "results", folder / "scratch", root, processes=processes))
    (record,) = ResultStore(folder / "results").records()
    return record.status, record.id, record.weights_sha256, record.loss_curve, record.results, record.cost.flops


@pytest.mark.slow
def test_a_run_on_a_pack_is_the_same_run(name, root, tmp_path):
    unpacked = outcome(name, root, tmp_path / "unpacked")
    packing.pack(name, SIZE, root)
    assert unpacked[0] == "done" and outcome(name, root, tmp_path / "packed") == unpacked


def test_a_run_decodes_nothing_where_there_is_a_pack(name, root, monkeypatch):
    packing.pack(name, SIZE, root)
    load_module.read_split.cache_clear()
    monkeypatch.setattr("bench.data.images.decode_files", None)
    spec = complete(
        RunSpec(method="rotation", dataset=name, budget=Budget("steps", 1), image_size=SIZE, recipe_changes={"batch_size": 8}), root
    )
    source, classes = load_source(spec, catalogue.require(spec.dataset, root))
    assert isinstance(source.images, PackedImages) and source.device.type == "cpu" and classes == 3


@pytest.mark.slow
def test_two_processes_share_a_run_on_a_pack(name, root, tmp_path):
    unpacked = outcome(name, root, tmp_path / "unpacked", processes=2)
    packing.pack(name, SIZE, root)
    assert unpacked[0] == "done" and outcome(name, root, tmp_path / "packed", processes=2) == unpacked


# Reading ahead


class Watched(PackedImages):
    """Notes what was read, and by which thread."""

    def __init__(self):
        super().__init__(Shards([np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)]), torch.arange(40))
        self.log = []

    def __getitem__(self, index):
        self.log.append((index.tolist(), threading.current_thread().name.startswith("read-ahead")))
        return super().__getitem__(index)


def test_the_next_batch_is_read_while_this_one_is_used():
    images = Watched()
    ahead, batches = Ahead(images), list(torch.arange(40).split(8))
    for step in range(4):
        assert ahead.take(batches[step], lambda step=step: batches[step + 1]).flatten().tolist() == batches[step].tolist()
    ahead.thread.shutdown()
    assert images.log == [(batches[step].tolist(), step > 0) for step in range(5)]


def test_another_batch_than_the_expected_one_is_read_at_once():
    images = Watched()
    ahead, index = Ahead(images), torch.tensor([3, 1, 2])
    ahead.take(index, lambda: torch.tensor([4, 5, 6]))
    for other in (torch.tensor([4, 5]), torch.tensor([4, 5, 7]), index):
        assert ahead.take(other, lambda: torch.tensor([4, 5, 6])).flatten().tolist() == other.tolist()


def test_resident_images_have_no_thread():
    images = torch.arange(10)
    assert Ahead(images).thread is None and Ahead(images).take(torch.tensor([3]), None).tolist() == [3]


@pytest.mark.parametrize("stop", [6, 7])
def test_a_run_that_was_stopped_on_a_pack_goes_on_as_one_that_was_not_packed(name, root, stop):
    """Stopped within an epoch of four batches, and before its last one, after which the next batch is of another order."""
    spec = RunSpec(method="moco", dataset=name, budget=Budget("steps", 13), image_size=SIZE, recipe_changes={"batch_size": 8})
    spec = complete(spec, root)

    def trainer(state=None, controls=None):
        load_module.read_split.cache_clear()
        source, classes = load_source(spec, catalogue.require(spec.dataset, root))
        return make_trainer(build_method(spec, source, classes), source, spec, state, controls)

    undisturbed = trainer()
    undisturbed.run()
    packing.pack(name, SIZE, root)
    stopped = trainer(controls=Controls(stop=lambda: stopped.meter.steps == stop))
    with pytest.raises(Interrupted):
        stopped.run()
    again = trainer(stopped.state_dict())
    again.run()
    assert isinstance(again.source.images, PackedImages) and isinstance(undisturbed.source.images, RowsInMemory)
    assert sha256(again.method) == sha256(undisturbed.method) and again.curve == undisturbed.curve


# Interrupted and damaged


def stop_after(images: int):
    def advance(done, total):
        if done > images:
            raise KeyboardInterrupt

    return advance


def test_an_interrupted_pack_goes_on_at_the_first_missing_shard(name, root, monkeypatch):
    resident = load(name, "train", root).images
    with pytest.raises(KeyboardInterrupt):
        packing.pack(name, SIZE, root, advance=stop_after(2 * IN_A_SHARD + 3))
    (folder,) = (root / "packed").iterdir()
    begun = packed.read(folder)
    first = shards(begun)
    assert list(first) == ["00000.uint8", "00001.uint8"] and [bool(digest) for digest in begun.digests] == [True, True, False, False, False]
    with pytest.warns(UserWarning, match=r"is not finished and not used; `run_bench.py data pack folder:.*set --image-size 16` goes on"):
        assert torch.equal(load(name, "train", root).images, resident)
    assert any("2 of 5 shards" in line and "unfinished" in line for line in check(name, root))
    seen = []
    pack = packing.pack(name, SIZE, root, advance=lambda done, total: seen.append((done, total)))
    assert seen[:3] == [(10, 45), (20, 45), (21, 45)] and seen[-1] == (45, 45)
    assert {file: held for file, held in shards(pack).items() if file in first} == first
    assert torch.equal(whole(load(name, "train", root).images), resident)


def test_killed_between_a_shard_and_the_manifest(name, root, monkeypatch):
    """The shard that nobody noted is made again, and what was half written goes."""

    def killed(path, content):
        if path.name == packed.MANIFEST and (path.parent / "00001.uint8").exists():
            (path.parent / ".0123.tmp").write_bytes(b"half")
            raise SystemExit
        write(path, content)

    write = packing.write
    monkeypatch.setattr(packing, "write", killed)
    with pytest.raises(SystemExit):
        packing.pack(name, SIZE, root)
    monkeypatch.setattr(packing, "write", write)
    (folder,) = (root / "packed").iterdir()
    assert [bool(digest) for digest in packed.read(folder).digests] == [True, False, False, False, False]
    (folder / "00001.uint8").write_bytes(b"anything")
    pack = packing.pack(name, SIZE, root)
    assert pack.complete and not list(folder.glob(".*")) and not any(map(pack.problem_of, range(5)))


def test_two_do_not_pack_at_once(name, root):
    def meanwhile(done, total):
        with pytest.raises(UserError, match=r"another process is packing folder:.*set at 16 pixels"):
            packing.pack(name, SIZE, root)

    assert packing.pack(name, SIZE, root, advance=meanwhile).complete


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_shard_of_another_size_is_named_when_it_is_loaded(name, root, damage):
    pack = packing.pack(name, SIZE, root)
    path = pack.shard(1)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    says = {"truncated": "has 7,679 bytes, expected 7,680", "missing": "is missing"}[damage]
    with pytest.raises(UserError, match=rf"00001.uint8' {says}: `run_bench.py data pack folder:.* --image-size 16 --rebuild`"):
        load(name, "train", root)


def test_a_damaged_shard_is_named_and_made_anew_only_if_asked(name, root):
    pack = packing.pack(name, SIZE, root)
    before = shards(pack)
    content = bytearray(before["00002.uint8"][0])
    content[100] ^= 1
    pack.shard(2).write_bytes(content)
    lines = []
    with pytest.raises(UserError, match=r"1 shard of folder:.* damaged"):
        for line in check(name, root):
            lines.append(line)
    (bad,) = (line for line in lines if line.startswith("BAD"))
    assert bad.startswith(f"BAD   the shard '{pack.shard(2)}' is damaged: SHA-256") and "--rebuild" in bad
    with pytest.raises(UserError, match=r"00002.uint8' is damaged.*--rebuild"):
        packing.pack(name, SIZE, root)
    assert pack.shard(2).read_bytes() == content
    after = shards(packing.pack(name, SIZE, root, rebuild=True))
    assert {file: held for file, (held, _) in after.items()} == {file: held for file, (held, _) in before.items()}
    for file in set(before) - {"00002.uint8"}:
        assert after[file][1] == before[file][1], "a sound shard was made again"
    assert any("5 of 5 shards have their SHA-256" in line for line in check(name, root))


def test_a_damaged_manifest_and_another_decoder_are_named(name, root):
    pack = packing.pack(name, SIZE, root)
    manifest, before = pack.folder / packed.MANIFEST, shards(pack)
    facts = json.loads(manifest.read_text())
    assert facts["digests"] == [hashlib.sha256(held).hexdigest() for held, _ in before.values()]
    for content, says in ((json.dumps({**facts, "decoder": "pillow 1"}), "with decoder pillow 1, not pillow"), ("{", "is damaged")):
        manifest.write_text(content)
        with pytest.raises(UserError, match=rf"{says}.*--rebuild"):
            packing.pack(name, SIZE, root)
        assert packing.pack(name, SIZE, root, rebuild=True).complete
        assert json.loads(manifest.read_text()) == facts


def test_an_image_that_cannot_be_read_is_named_and_skipped_only_if_asked(name, root, tmp_path):
    path = tmp_path / "set/train/b/02.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"b/02.png' cannot be read as an image.*\(1 of 10 images cannot; `run_bench.py data check"):
        packing.pack(name, SIZE, root)
    (folder,) = (root / "packed").iterdir()
    assert not packed.read(folder).complete
    skipping = f"{name}?skip=unreadable"
    with pytest.warns(UserWarning, match="1 of 45 images .* left out"):
        resident = load(skipping, "train+val", root).images
        packing.pack(skipping, SIZE, root)
        images = load(skipping, "train+val", root).images
    assert len(images) == 35 and isinstance(images, PackedImages) and torch.equal(whole(images), resident)


def test_nothing_is_left_where_nothing_was_packed(name, root, tmp_path):
    path = tmp_path / "set/train/a/02.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"a/02.png' cannot be read"):
        packing.pack(name, SIZE, root)
    assert not list((root / "packed").iterdir())


def test_another_listing_does_not_use_the_pack(name, root, tmp_path):
    packing.pack(name, SIZE, root)
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "set/train/a/00.jpg")
    found = load(name, "train+val", root).images
    assert isinstance(found, torch.Tensor) and found[0, 0].min() > 250
    assert any("of another listing of files: not used, and may be deleted" in line for line in check(name, root))
    assert torch.equal(whole(packing.pack(name, SIZE, root).images(np.arange(36))), found)


def test_folders_of_one_name_have_packs_of_their_own(name, root, tmp_path):
    write_images(tmp_path / "other/set", {"train": 12, "test": 3})
    packing.pack(name, SIZE, root)
    other = f"folder:{tmp_path / 'other/set'}"
    assert catalogue.require(other).revision == catalogue.require(name).revision
    assert isinstance(load(other, "test", root).images, torch.Tensor)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["folder:nowhere"], "there is no folder 'nowhere'"),
        (["digits"], "digits has no image files to pack"),
        (["mnist5"], "unknown data set 'mnist5'. Did you mean 'mnist5k'"),
        (["NAME", "--image-size", "0"], "an image size is a number of pixels from 1 up, not 0"),
        (["NAME", "--data-root", "nowhere"], "the data folder 'nowhere' (--data-root) is not there"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(run_command, name, tmp_path, arguments, says):
    there = sorted(tmp_path.rglob("*"))
    code, _, error = run_command("data", "pack", *(name if word == "NAME" else word for word in arguments))
    assert code == 2 and says in error and error.count("\n") == 1 and error.startswith("error: ")
    assert sorted(tmp_path.rglob("*")) == there


def test_a_disk_that_is_full_or_cannot_be_written_is_one_line(run_command, name, root, monkeypatch):
    root.mkdir()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    code, _, error = run_command("data", "pack", name, "--image-size", SIZE, "--data-root", root)
    assert code == 1 and "the pack needs 3.46e-05 GB, and 1e-06 GB are free" in error and error.count("\n") == 1
    assert not list(root.rglob("*.*"))
    (root / "packed").rmdir()
    (root / "packed").write_text("in the way")
    code, _, error = run_command("data", "pack", name, "--image-size", SIZE, "--data-root", root)
    assert code == 1 and f"{root}/packed" in error and error.count("\n") == 1


def test_the_command_says_what_it_made(run_command, name, root):
    root.mkdir()
    code, output, _ = run_command("data", "pack", name, "--image-size", SIZE, "--data-root", root)
    assert code == 0 and "45 images at 16 pixels in 5 shards: " in output and "100%" in output

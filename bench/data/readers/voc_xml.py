"""An image's objects from a file of PASCAL VOC's XML: `boxes("VOCdevkit/VOC2012/Annotations/2007_000027.xml")`.

K classes, M objects of an image, H height, W width.
"""

import math
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from bench.data.annotations import Boxes, ClassSet
from bench.errors import UserError, unknown

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike"),
    *("person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""In the order of the devkit, whose masks number them from 1."""

PAST_THE_EDGE = 1
"""Pixels that a box may reach past its image's edge, where it is cut off: loaders that many use accept so much of the original
(0 <= xmin - 1 and xmax - 1 <= width)."""


def class_set(path: str) -> ClassSet:
    """`Annotation.read` of 'classes'."""
    return boxes(path).class_set(len(CLASSES))


def boxes(path: str) -> Boxes:
    """`Annotation.read` of 'boxes', from a file of VOC's XML: its pixels are counted from 1 and the last one is in the box, so 1 is taken
    from left and top. Raises UserError."""
    root = _parsed(path)
    size = tuple(int(_number(path, root, f"size/{side}")) for side in ("height", "width"))
    found = [_box(path, thing, size) for thing in root.findall("object")]
    corners = np.array([box for box, _, _ in found], dtype=np.float32).reshape(-1, 4)
    return Boxes(corners, np.array([k for _, k, _ in found], np.int64), np.array([hard for _, _, hard in found], bool), (size[0], size[1]))


def _box(path: str, thing: Element, size: tuple[int, ...]) -> tuple[list[float], int, bool]:
    """Corners, class and whether it is difficult, of one object."""
    label = (thing.findtext("name") or "").strip()
    if label not in CLASSES:
        raise UserError(f"'{path}': {unknown('class', label, CLASSES)}")
    left, top, right, bottom = (_number(path, thing, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax"))
    height, width = size
    shown = f"the box of a {label}, {left:g} {top:g} {right:g} {bottom:g},"
    if not (left <= right and top <= bottom):
        raise UserError(f"'{path}': {shown} is empty; expected xmin <= xmax and ymin <= ymax")
    if min(left, top) < 1 or right > width + PAST_THE_EDGE or bottom > height + PAST_THE_EDGE:
        raise UserError(f"'{path}': {shown} lies outside its image; expected 1 to {width} across and 1 to {height} down")
    corners = [left - 1, top - 1, min(right, width), min(bottom, height)]
    if not (corners[0] < corners[2] and corners[1] < corners[3]):
        raise UserError(f"'{path}': {shown} lies outside its image; expected 1 to {width} across and 1 to {height} down")
    return corners, CLASSES.index(label), (thing.findtext("difficult") or "0").strip() == "1"


def _number(path: str, node: Element, name: str) -> float:
    text = (node.findtext(name) or "").strip()
    try:
        number = float(text)
        assert math.isfinite(number)
    except (ValueError, AssertionError):
        raise UserError(f"'{path}' is no annotation of VOC: {node.tag}/{name} is '{text}', expected a number") from None
    return number


def _parsed(path: str) -> Element:
    """The root of an XML file. One that declares anything, as entities that expand without end or that read files, is refused unread."""
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = builder.start, builder.end, builder.data

    def refuse(*_):
        raise UserError(f"'{path}' is refused: it declares a document type, which VOC's annotations do not need; nothing of it was read")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(Path(path).read_bytes(), True)
        root = builder.close()
    except (OSError, expat.ExpatError, AssertionError) as error:
        raise UserError(f"'{path}' is no annotation of VOC: {error}") from error
    if root.tag != "annotation":
        raise UserError(f"'{path}' is no annotation of VOC: its root is '{root.tag}', expected 'annotation'")
    return root

"""AP, AP50 and AP75 of boxes as COCO defines them, by pycocotools.

M boxes of an image.
"""

import contextlib
import io
from collections.abc import Iterable
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(found: Iterable[tuple[dict, dict]], classes: int) -> dict[str, float]:
    """AP (the mean over overlaps from 0.50 to 0.95), AP50 and AP75 in percent, over classes that some image shows; a ValueError where
    none does.

    found: of every image its target (bench.data.annotated) and what was detected (bench.evaluation.tuning.detector). A difficult object is
    COCO's crowd: to miss it costs nothing, and neither does what is found in it."""
    images, boxes, detections = [], [], []
    for number, (target, seen) in enumerate(found, start=1):
        images.append({"id": number})
        for box, label, difficult in zip(*(target[key].tolist() for key in ("boxes", "labels", "difficult")), strict=True):
            facts = {"id": len(boxes) + 1, "iscrowd": int(difficult), "area": (box[2] - box[0]) * (box[3] - box[1])}
            boxes.append({"image_id": number, "category_id": label + 1, "bbox": sized(box)} | facts)
        for box, label, score in zip(*(seen[key].tolist() for key in ("boxes", "labels", "scores")), strict=True):
            detections.append({"image_id": number, "category_id": label + 1, "bbox": sized(box), "score": score})
    if all(box["iscrowd"] for box in boxes):
        raise ValueError("no image shows an object that counts: expected one or more, without which there is no average precision")
    if not detections:
        return dict.fromkeys(("AP", "AP50", "AP75"), 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        truth: Any = COCO()  # what it takes is more than its types say
        truth.dataset = {"images": images, "annotations": boxes, "categories": [{"id": number + 1} for number in range(classes)]}
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(detections), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: 100 * float(value) for name, value in zip(("AP", "AP50", "AP75"), judge.stats, strict=False)}


def sized(box: list[float]) -> list[float]:
    """Left, top, right, bottom -> left, top, width, height."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

"""What every method says of the images that its `encode` shows its encoder is so; and who cuts them up is refused by the plan where maps of
whole images are needed."""

import pytest
import torch

import methods
from bench.encoders import factory
from bench.encoders.stage_features import stage_outputs
from bench.errors import UserError
from bench.method import build, on_paper
from bench.plan.plan import make_plan
from bench.records.store import ResultStore
from bench.spec import Budget, DatasetInfo, RunSpec

IMAGES = 2
OF_IMAGES = [name for name in methods.takers("images") if methods.load(name).trained]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_method_encodes_whole_images_where_it_says_so(name):
    encoder = "resnet8" if methods.can_use(name, "resnet8") else "vit_nano"
    with on_paper():
        method = build(methods.load(name), factory.factory(encoder, 32), DatasetInfo(num_images=64, image_size=32), 10, {}).eval()
        _, found = stage_outputs(method, method.encode, torch.zeros(IMAGES, 3, 32, 32, device="meta"))
    whole = found.calls == 1 and all(len(output) == IMAGES for outputs in found.outputs for output in outputs)
    assert whole == method.encodes_whole_images == methods.load(name).encodes_whole_images


@pytest.mark.data
@pytest.mark.parametrize("name", ["cpc", "emp_ssl"])
@pytest.mark.parametrize("evaluator", ["detection", "segmentation"])
def test_patches_have_no_map_to_detect_or_segment_with(name, evaluator, tmp_path):
    spec = RunSpec(method=name, dataset="digits", budget=Budget("steps", 1))
    says = rf"^{name} is evaluated on patches of an image, and the evaluator '{evaluator}:voc2012_part' needs maps of the whole; expected"
    with pytest.raises(UserError, match=says):
        make_plan([spec.replace(method="simclr"), spec], ("knn", f"{evaluator}:voc2012_part"), ResultStore(tmp_path))

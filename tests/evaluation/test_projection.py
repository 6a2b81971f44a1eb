"""What a method's projector makes, as the evaluators see it: which methods give it, by which weights, and who is refused."""

import pytest
import torch

import methods
from bench.data.catalogue import DataSets
from bench.data.source import load_source
from bench.encoders import factory
from bench.errors import UserError
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.method import build, projection_of
from bench.plan.complete import complete
from bench.plan.plan import make_plan
from bench.records.store import ResultStore
from bench.run.build import build_method
from bench.spec import Budget, DatasetInfo, RunSpec

GIVE_NONE = {"jigsaw": "of a patch, nine of which make an answer", "multi_task": "a space for each task"}
"""Methods with a projector that have no projection of an image, and why."""

GIVE = [name for name in methods.takers("images") if projection_of(methods.load(name))]


def make(method):
    torch.manual_seed(0)
    encoder = "resnet8" if methods.can_use(method, "resnet8") else "vit_nano"
    info = DatasetInfo(num_images=64, image_size=32)
    return build(methods.load(method), factory.factory(encoder, 32), info, 10, {}).eval()


def spec(method, **facts):
    return RunSpec(method=method, dataset="digits", budget=Budget("steps", 1), seed=0, precision="float32", **facts)


@pytest.mark.parametrize("method", sorted(set(methods.takers("images")) - set(GIVE)))
def test_a_method_that_has_a_projector_gives_its_projection(method):
    heads = [name for name, _ in make(method).named_modules() if name.split(".")[-1] in ("projector", "expander")]
    assert not heads or method in GIVE_NONE


@pytest.mark.parametrize("method", GIVE)
@torch.no_grad()
def test_a_projection_is_a_function_of_one_image_alone(method):
    made, images = make(method), torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    together = made.project(images)
    assert together.ndim == 2 and len(together) == 3 and together.isfinite().all()
    torch.testing.assert_close(made.project(images[:1]), together[:1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_it_is_by_the_weights_that_are_evaluated():
    made, images = make("dino"), torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = made.project(images)
    for parameter in made.student.parameters():
        parameter.mul_(1.5)
    assert torch.equal(made.project(images), before) and before.shape == (3, 256), "the teacher's, before the prototypes"


def test_a_frozen_encoder_hands_out_projections_of_the_same_images():
    asked = complete(spec("simclr", hyper_parameters={"projection": 5}))
    source, _ = load_source(asked, DataSets().require("digits"), 1)
    method = build_method(asked, source, 0)
    features = FrozenEncoder(method, method.encode, asked, source, DataSets())
    projected = features.projected()
    own, arrays = features.arrays(), projected.arrays()
    assert arrays.train_x.shape == (len(own.train_y), 5) and own.train_x.shape[1] == 64
    assert (arrays.test_y == own.test_y).all() and all(crop.shape[1] == 5 for crop in projected.two_crops())
    with torch.no_grad():
        head = method.eval().projector(torch.from_numpy(own.val_x))
    torch.testing.assert_close(torch.from_numpy(arrays.val_x), head, rtol=1e-4, atol=1e-4)


def test_who_has_none_is_refused_and_a_floor_may_stand_beside(tmp_path):
    store = ResultStore(tmp_path)
    plan = make_plan([spec("simclr"), spec("random")], ("projection",), store)
    assert [run.method for run in plan.todo] == ["simclr", "random"]
    with pytest.raises(
        UserError, match=r"rotation has no projector, .* expected one of all4one, barlow_twins, byol, .*, deepcluster_v2, dino, "
    ):
        make_plan([spec("simclr"), spec("rotation")], ("knn", "projection"), store)
    random = complete(spec("random"))
    source, _ = load_source(random, DataSets().require("digits"), 1)
    made = build_method(random, source, 0)
    assert FrozenEncoder(made, made.encode, random, source, DataSets()).projected() is None


def test_a_module_of_that_name_is_no_projection():
    """A user's own file may call a layer so."""

    class Named(methods.load("rotation")):
        def __init__(self, *given):
            super().__init__(*given)
            self.project = torch.nn.Linear(3, 2)

    made = Named(factory.factory("resnet8", 32), DatasetInfo(num_images=64, image_size=32))
    assert projection_of(made) is projection_of(Named) is None and made.project(torch.zeros(1, 3)).shape == (1, 2)

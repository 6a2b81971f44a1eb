"""BatchNorm's statistics of whole images after a training on parts of them: whose, of which images, once, and paid for."""

import copy

import pytest
import torch
from torch import nn

from bench.compute.flops import count_flops
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.method import Method
from bench.parts import Teacher
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from bench.training import hook
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.trainer import Trainer
from bench.views import View, prepare

pytestmark = pytest.mark.usefixtures("fixed_weights")

IMAGES = 30


class Corners(Method):
    """Sees the top left quarter of each image, twice as bright; a teacher sees it too."""

    paper = "none"
    sees_whole_images = False

    def __init__(self, make_encoder, data):
        super().__init__()
        self.views = (View(()),)
        self.recipe = Recipe("sgd", lr=0.05, batch_size=10, lr_per_batch=None)
        self.encoder = make_encoder(width=0.25)
        self.teacher = Teacher(self.encoder)

    def loss(self, batch, progress):
        corner = 2 * batch.views[0][:, :, :8, :8]
        return (self.encoder(corner) - self.teacher(corner) - 1).square().mean()

    def encode_also(self):
        return {"teacher": self.teacher.network, "again": self.encoder}


class Whole(Corners):
    sees_whole_images = True


@pytest.fixture
def source():
    images = torch.randint(0, 256, (IMAGES, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Source(images, None, DatasetInfo(IMAGES, 16), torch.full((3,), 0.4), torch.full((3,), 0.2))


def trained(source, cls=Corners, encoder="resnet8", controls=None) -> Trainer:
    method = cls(factory(encoder, 16), source.info)
    facts = {"method": "corners", "dataset": "none", "encoder": encoder, "budget": Budget("steps", 4), "precision": "float32"}
    trainer = Trainer(method, source, RunSpec(recipe=method.recipe, **facts), controls)
    trainer.run()
    return trainer


def test_statistics_are_of_the_first_whole_images(source, monkeypatch):
    monkeypatch.setattr(hook, "STATISTICS_IMAGES", 20)
    trainer = trained(source)
    images = prepare(source.images[:20], source.mean, source.std)
    encoders = trainer.method.encoder, trainer.method.teacher.network
    twins = [copy.deepcopy(encoder).train() for encoder in encoders]
    before, flops, seconds = copy.deepcopy(trainer.method.state_dict()), trainer.meter.flops, trainer.meter.seconds
    trainer.retake_statistics()
    assert trainer.method.training and trainer.meter.seconds > seconds
    with torch.no_grad():
        for encoder, twin in zip(encoders, twins, strict=True):
            torch.testing.assert_close(encoder.eval()(images), twin(images), rtol=1e-3, atol=1e-4)
        # The encoder, its teacher, and the encoder again, whose statistics stay those of the first time.
        assert trainer.meter.flops - flops == 3 * count_flops(lambda: encoders[0](images)) > 0
    changed = {name.rpartition(".")[2] for name, value in trainer.method.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"running_mean", "running_var"}


@pytest.mark.parametrize(("cls", "encoder"), [(Whole, "resnet8"), (Corners, "vit_micro")])
def test_nothing_happens_where_nothing_is_to_be_done(source, cls, encoder):
    """An encoder that saw whole images, and one without BatchNorm."""
    if encoder == "vit_micro":
        source = Source(source.images.repeat(1, 1, 2, 2), None, DatasetInfo(IMAGES, 32), source.mean, source.std)
    method = cls(factory(encoder, source.info.image_size), source.info)
    facts = {"method": "corners", "dataset": "none", "encoder": encoder, "budget": Budget("steps", 1), "precision": "float32"}
    trainer = Trainer(method, source, RunSpec(recipe=method.recipe, **facts))
    before = copy.deepcopy(method.state_dict())
    trainer.retake_statistics()
    assert trainer.meter.flops == 0 and all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_a_run_that_goes_on_takes_them_once(source, tmp_path):
    """Killed before them it takes the same ones, killed after them it has them and has paid for them."""
    controls = [Controls(Checkpoints(tmp_path, "run"), every=1e9) for _ in range(3)]
    first = trained(source, controls=controls[0])
    before = controls[0].checkpoints.load()
    assert before["retaken"] is False
    first.retake_statistics()
    after = controls[1].checkpoints.load()
    assert after["retaken"] is True and after["meter"]["flops"] == first.meter.flops > before["meter"]["flops"]
    for state in (before, after):
        again = Trainer(Corners(factory("resnet8", 16), source.info), source, first.spec, controls[2])
        again.load_state_dict(state)
        again.run()
        again.retake_statistics()
        again.retake_statistics()
        assert again.meter.flops == first.meter.flops
        state = again.method.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in first.method.state_dict().items())


def test_every_norm_of_a_method_that_sees_parts_has_them(source):
    """Also those that are not of an encoder: whatever `encode` uses."""

    class Headed(Corners):
        def __init__(self, make_encoder, data):
            super().__init__(make_encoder, data)
            self.head = nn.BatchNorm1d(self.encoder.dim)
            self.unused = nn.BatchNorm1d(3)

        def encode(self, images):
            return self.head(self.encoder(images))

    trainer = trained(source, cls=Headed)
    trainer.retake_statistics()
    assert trainer.method.head.running_mean.any() and not trainer.method.unused.running_mean.any()

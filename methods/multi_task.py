"""Multi-task self-supervision (Doersch & Zisserman 2017, arXiv:1708.07860): several pretext tasks, each with its head, on one trunk.

The tasks are methods of this folder, with their default hyper-parameters; each sees its own views of the same images.

Differs from the paper:
- Three of the paper's four tasks: the other is motion segmentation, of videos. Of grey images there is no colour to predict: two.
- Colorization gives the trunk lightness in each of its three channels; nothing harmonises that with what other tasks give it.
- The paper's naive network: every head is on the trunk's last layer; no lasso that chooses layers for each task.
- Exemplar tells nothing of a class in its first epoch (methods/exemplar.py); its loss at chance is several times relative position's ln 8.
- One optimizer and one step for all, with the first task's recipe; the paper trains each task on machines of its own.
B images in the global batch, D features.
"""

import dataclasses
import operator

from torch import nn

import methods
from bench.domains import Names, Numbers
from bench.method import Method
from bench.parts import OneChannel

TASKS = "relative_patch,exemplar,colorization"  # the paper's, of images


def numbers(text: str, count: int) -> tuple[float, ...]:
    """'1,0.5' -> (1.0, 0.5); '3' -> (3.0, 1.0), as many as there are tasks; '' -> ones."""
    try:
        found = tuple(float(part) for part in (text.strip() or "1").split(","))
    except ValueError:
        found = ()
    found += (1.0,) * (count - 1) * (len(found) == 1)
    if len(found) != count or not all(0 < number < float("inf") for number in found):
        raise ValueError(f"weights must be one number above 0 for each of the {count} tasks, or for the first, as '1,0.5', not '{text}'")
    return found


def task_class(name: str):
    """The class of a method that can be a task; a UserError with the nearest name where there is none."""
    if methods.is_path(name):
        raise ValueError(f"the task {name} is a file of your own, whose text a run's id could not tell; copy it into methods/")
    cls = methods.load(name)
    if cls.uses_labels or not cls.trained:
        raise ValueError(f"{name} cannot be a task: it {'is given labels' if cls.uses_labels else 'is not trained'}")
    if issubclass(cls, MultiTask):
        raise ValueError(f"{name} cannot be a task of itself")
    return cls


def names_of(tasks: str) -> list[str]:
    """'rotation,npid' -> ['rotation', 'npid']"""
    return [name.strip() for name in tasks.split(",") if name.strip()]


class MultiTask(Method):
    paper = "arXiv:1708.07860"
    source = "google-deepmind/multiself@7032e0c"
    family = "pretext"
    needs = "feature_map"  # the most that every encoder offers, whatever the tasks need of it
    search = {"weights": ("choice", "0.1", "0.3", "", "3", "10")}

    def __init__(self, make_encoder, data, *, tasks: Names = "", weights: Numbers = ""):
        """tasks: names of methods, with commas; where empty TASKS, without colorization where images are grey. The first one's recipe is
        used for all. weights: of their losses, in the same order; one number is the first task's, and the others have 1."""
        super().__init__()
        names = [name for name in names_of(tasks or TASKS) if tasks or data.channels > 1 or name != "colorization"]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"tasks must be names of different methods, as 'rotation,npid', not '{tasks}'")
        self.task_weights, self.encoder = numbers(weights, len(names)), make_encoder()
        self.tasks = nn.ModuleList(self.build(*task, data) for task in zip(names, map(task_class, names), strict=True))
        self.views = tuple(view for task in self.tasks for view in task.views)
        self.smallest_batch = max(task.smallest_batch for task in self.tasks)
        self.phases = tuple(sorted({phase for task in self.tasks for phase in task.phases}))
        grey = any(isinstance(module, OneChannel) for module in self.modules())  # BatchNorms follow what every task shows them
        self.sees_whole_images = all(task.sees_whole_images for task in self.tasks) and not grey
        # Every number is the first task's, with the source that its file names: one optimizer moves the trunk. What a task says of
        # some of its own parameters, relative to that, stays.
        groups = [
            dataclasses.replace(group, prefix=prefix)
            for number, task in enumerate(self.tasks)
            for group in task.recipe.groups
            for prefix in self.names_here(number, group.prefix)
        ]
        self.recipe = dataclasses.replace(self.tasks[0].recipe, groups=tuple(groups))

    @classmethod
    def full_version(cls, hyper_parameters):
        """'1+npid1+rotation1': a task whose numbers may move makes another run."""
        told = (f"{name}{methods.version(name, task_class(name), {})}" for name in sorted(names_of(hyper_parameters["tasks"] or TASKS)))
        return "+".join([str(cls.version), *told])

    def build(self, name, cls, data):
        """A task whose encoder is the shared one; its teachers are copies of that."""
        if cls.needs == "tokens" and "tokens" not in self.encoder.offers:
            raise ValueError(f"the task {name} needs the tokens of a ViT, which this encoder does not offer; take a ViT or leave it out")
        handed = []

        def the_shared_one(in_channels=3, width=1.0, bn_groups=1):
            if handed or (in_channels, width, bn_groups) not in ((3, 1.0, 1), (1, 1.0, 1)):
                asked = "a second one" if handed else f"in_channels={in_channels}, width={width}, bn_groups={bn_groups}"
                raise ValueError(f"{name} cannot be a task: it asks for {asked}, and all tasks share one encoder")
            handed.append(name)
            return OneChannel(self.encoder) if in_channels == 1 else self.encoder

        return cls(the_shared_one, data)

    def trunk_names(self, module):
        """Its names inside a module."""
        return [path for path, child in module.named_modules(remove_duplicate=False) if child is self.encoder]

    def state_dict(self, *args, **kwargs):
        """The trunk under one name, `encoder`, and not once more in every task."""
        state = super().state_dict(*args, **kwargs)
        others = tuple(f"tasks.{path}." for path in self.trunk_names(self.tasks))
        for name in [name for name in state if name.startswith(others)]:
            del state[name]
        return state

    def load_state_dict(self, state_dict, *args, **kwargs):
        """The inverse of `state_dict`."""
        trunk = {name.removeprefix("encoder."): value for name, value in state_dict.items() if name.startswith("encoder.")}
        again = {f"tasks.{path}.{name}": value for path in self.trunk_names(self.tasks) for name, value in trunk.items()}
        return super().load_state_dict({**state_dict, **again}, *args, **kwargs)

    def names_here(self, number, prefix):
        """What a prefix of a task's parameters is here: those of the trunk have one name for all tasks."""
        trunks, inside = self.trunk_names(self.tasks[number]), self.tasks[number].named_modules()
        for trunk in (*trunks, *(path for path, child in inside if isinstance(child, OneChannel))):
            if f"{prefix}.".startswith(f"{trunk}."):
                return (f"encoder{prefix.removeprefix(trunk)}",)
        covers_trunk = any(trunk.startswith(prefix) for trunk in trunks)
        return (f"tasks.{number}.{prefix}", *(["encoder"] if covers_trunk else []))

    def chance_loss(self, batch_size):
        chances = [task.chance_loss(batch_size) for task in self.tasks]
        return None if None in chances else sum(map(operator.mul, self.task_weights, chances))

    def needed(self, batch_size):
        return tuple(each for task in self.tasks for each in task.needed(batch_size))

    def loss(self, batch, progress):
        views, total = list(batch.views), 0
        for task, weight in zip(self.tasks, self.task_weights, strict=True):
            count = sum(view.count for view in task.views)
            own, views = views[:count], views[count:]
            # The batch of each task goes on with the same stream of draws, so no two tasks draw the same numbers.
            total = total + weight * task.loss(dataclasses.replace(batch, views=tuple(own)), progress)
        return total

    def after_step(self, progress):
        for task in self.tasks:
            task.after_step(progress)

    def before_epoch(self, extract, generator):
        cleared = []
        for number, task in enumerate(self.tasks):
            for prefix in task.before_epoch(extract, generator):
                cleared += self.names_here(number, prefix)
        return tuple(cleared)

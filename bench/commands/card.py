"""A model card: what an exported encoder is, what it cost, what was measured of it, and how it is loaded."""

from dataclasses import dataclass

from bench.folder_name import shown
from reports.pages.markdown import escape, grid


@dataclass(frozen=True)
class Exported:
    """What was written, and for whom."""

    format: str
    file: str
    """Its name."""
    model: str
    """What the library calls the network; '' of safetensors."""
    options: dict
    """What else its constructor must be told."""
    mean: tuple[float, ...]
    """Of the channels in 0..1, that images are normalised by."""
    std: tuple[float, ...]
    alone: bool
    """Whether the method's features are the encoder's."""


def card(records: list, exported: Exported) -> str:
    """The page as Markdown. records: of all parts of the run."""
    first, spec = records[0], records[0].spec
    title = f"{spec['method']} seed {spec['seed']}, {spec['encoder']}, on {shown(spec['dataset'])}"
    changed = " with changes" * bool(first.environment.get("dirty"))
    notes = [f"Run {first.id}, commit {escape(str(first.environment.get('commit')))}{changed}."]
    if first.weights == "elsewhere":
        notes.append(f"Trained elsewhere, not under this budget: the weights are from {escape(first.suite)}.")
    if not exported.alone:
        notes.append("The method's features are not the encoder's alone: its own `encode` does more to images or to features.")
    images = f"Images are {spec['image_size']} pixels a side, in 0..1, then (image - mean) / std"
    loading = f"```python\n{lines(exported)}\n```\n\n{images} with mean = {exported.mean} and std = {exported.std}."
    parts = {
        "Load it": f"{loading}\n",
        "Results": grid(list(RESULT), results(records), RESULT[:4]),
        "Cost": grid(["what", "spent"], costs(first.cost), ("what",)),
        "Spec": grid(["field", "value"], fields(spec), ("field", "value")),
    }
    sections = "\n".join(f"## {name}\n\n{text}" for name, text in parts.items())
    return "\n\n".join([f"# {escape(title)}", *notes, sections])


RESULT = ("evaluator", "data set", "split", "metric", "value", "n")


def results(records: list) -> list[list[str]]:
    """A line for each number that was measured of the weights that count."""
    return [
        [one.evaluator, shown(one.dataset), one.split, one.metric, "none" if one.value is None else f"{one.value:.4g}", f"{one.n:,}"]
        for record in records
        for one in record.results
        if one.weights is None
    ]


def costs(cost) -> list[list[str]]:
    """What training spent."""
    memory = f"{cost.peak_memory_bytes / 2**20:,.0f}"
    spent = {"steps": f"{cost.steps:,}", "items": f"{cost.images:,}", "FLOPs": f"{cost.flops:.4g}", "seconds": f"{cost.seconds:,.1f}"}
    return [[name, value] for name, value in (spent | {"peak memory, MiB": memory}).items()]


def fields(spec: dict) -> list[list[str]]:
    """The spec, a line for each field, hyper-parameter and field of the recipe."""
    own = {name: value for name, value in spec.items() if value not in (None, {}) and name not in ("recipe", "hyper_parameters")}
    own["dataset"] = shown(spec["dataset"])
    nested = {"hyper-parameter": spec["hyper_parameters"], "recipe": spec["recipe"] or {}}
    rows = [*own.items(), *((f"{kind} {name}", value) for kind, values in nested.items() for name, value in values.items())]
    return [[name, str(value)] for name, value in rows]


def lines(exported: Exported) -> str:
    """The lines of Python that load the file."""
    model, file, options = exported.model, exported.file, [f"{name}={value!r}" for name, value in exported.options.items()]
    if exported.format == "timm":
        told = ", ".join([f'"{model}"', "num_classes=0", *options, f'checkpoint_path="{file}"'])
        return f"import timm\n\nencoder = timm.create_model({told}).eval()"
    if exported.format == "torchvision":
        return (
            f"import torch\nimport torchvision\n\nencoder = torchvision.models.{model}({', '.join(options)})\n"
            "head = [name for name, module in encoder.named_modules() if isinstance(module, torch.nn.Linear)][-1]\n"
            "encoder.set_submodule(head, torch.nn.Identity())\n"
            f'encoder.load_state_dict(torch.load("{file}", weights_only=True))\nencoder.eval()'
        )
    return f'import safetensors.torch\n\nstate = safetensors.torch.load_file("{file}")'

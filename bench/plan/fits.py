"""Whether data, method, encoder and evaluators are of one modality: all of them say it by its name, and here the names are compared."""

import methods
from bench.data.dataset import DataSet
from bench.encoders import table
from bench.encoders.entry import EncoderEntry
from bench.errors import UserError
from bench.evaluation import registry
from bench.folder_name import shown


def require_method(method: str, takes: tuple[str, ...], data: DataSet) -> None:
    """A UserError where a method learns from something else than the data set has. takes: of its class."""
    there = data.entry.modality.name
    if takes and there not in takes:
        raise refusal(method, takes, data, methods.takers(there))


def require_encoder(encoder: EncoderEntry, data: DataSet) -> None:
    """The same of an encoder."""
    there = data.entry.modality.name
    if encoder.takes != there:
        able = [name for name in table.names() if table.require(name).takes == there]
        raise refusal(encoder.name, (encoder.takes,), data, able)


def require_evaluator(request: str, data: DataSet, found: DataSet) -> None:
    """The same of an evaluator; and of the data set that a request names, `found`, whose items the encoder must take."""
    there, (name, _) = data.entry.modality.name, registry.parse(request)
    if (takes := registry.takes(name)) and there not in takes:
        able = [other for other in registry.names() if not registry.takes(other) or there in registry.takes(other)]
        raise refusal(f"the evaluator '{name}'", takes, data, able)
    if (other := found.entry.modality.name) not in (there, *data.entry.modality.served):
        raise UserError(f"'{request}': {shown(found.name)} has {other}, and {shown(data.name)}, which is trained on, has {there}")


def require_offer(request: str, encoder: EncoderEntry) -> None:
    """A UserError where an encoder does not offer what an evaluator needs of it."""
    name, _ = registry.parse(request)
    if (needed := registry.needs_of_encoder(name)) not in encoder.offers:
        able = ", ".join(other for other in table.names() if needed in table.require(other).offers)
        what = f"the evaluator '{name}' needs {needed} of the encoder, which {encoder.name} does not offer"
        raise UserError(f"{what}; expected one of {able}")


def require_exported(data: DataSet) -> None:
    """A UserError where no encoder of the data set's items is written for other programs."""
    if not data.entry.modality.exported:
        raise UserError(f"encoders of {data.entry.modality.name}, which {shown(data.name)} has, are not exported; expected images")


def refusal(what: str, takes: tuple[str, ...], data: DataSet, able: list[str]) -> UserError:
    """One line: what it takes, what there is, and what takes that."""
    expected = f"one of {', '.join(able)}" if able else "a file of your own that takes them"
    return UserError(f"{what} takes {' or '.join(takes)}, and {shown(data.name)} has {data.entry.modality.name}; expected {expected}")

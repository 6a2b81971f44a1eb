"""The command `cite`: BibTeX of this program, and of the papers behind what is named: methods, data sets, evaluators, suites, runs."""

import importlib.metadata
import re
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.commands.as_json import say_json
from bench.commands.completion import names_from, of_datasets, of_evaluators, of_methods, of_suites
from bench.commands.console import note, say_problems
from bench.commands.options import JSON
from bench.defaults import ROOT
from bench.errors import UserError

CITATION = "CITATION.cff"
"""How to cite this program; an installed one has it among its licences."""

KEY = "sslbench"
"""Of this program's entry."""

SHOWN = 12
"""Digits of a commit."""


@dataclass
class Used:
    """What is to be cited for, each once."""

    methods: dict[str, None] = field(default_factory=dict)
    datasets: dict[str, None] = field(default_factory=dict)
    evals: dict[str, None] = field(default_factory=dict)
    """Requests: transfer:digits."""
    commits: dict[str, None] = field(default_factory=dict)
    """That the runs named were made at, in words."""


@click.command()
@click.argument("what", nargs=-1, metavar="[SUITE | RUN ...]", shell_complete=names_from(of_suites))
@click.option(
    "--method",
    metavar="A,B",
    shell_complete=names_from(of_methods, several=True),
    help="Methods: names, paths to files of your own, all, or family:contrastive.",
)
@click.option("--dataset", metavar="A,B", shell_complete=names_from(of_datasets, several=True), help="Data sets.")
@click.option("--evals", "requests", metavar="A,B", shell_complete=names_from(of_evaluators, several=True), help="Evaluators.")
@click.option("--results", metavar="DIR", help="Folder of records of a RUN.  [default: results, and the folders of records in it]")
@JSON
def cite(what, method, dataset, requests, results, as_json):
    """Print BibTeX of this program and of the papers behind what is named. A suite or a run (its id, or the beginning of it) stands for its
    methods, data sets and evaluators."""
    from reports.bibliography import address_of, bibtex, paper

    used = named(method, dataset, requests)
    for name in what:
        if is_run(name):
            add_run(used, name, results)
        else:
            add_suite(used, name)
    found = references(used)
    papers = sorted((paper(reference) for reference in found), key=lambda one: one.key)
    for one in papers:
        if not one.title:
            note(f"title and authors of {one.paper} are not known here: {address_of(one.paper) or 'it is no arXiv:, doi: or address'}")
    own = program(list(used.commits) or here())
    if as_json:
        said = [{**vars(one), "of": found[one.paper], "bibtex": bibtex(one)} for one in papers]
        say_json(sorted([{"key": KEY, "of": ["this program"], "bibtex": own}, *said], key=lambda one: one["key"]))
        return
    click.echo("\n\n".join(text for _, text in sorted([(KEY, own), *((one.key, bibtex(one)) for one in papers)])))


def named(method: str | None, dataset: str | None, requests: str | None) -> Used:
    """What the options name; a UserError for a name that there is none of."""
    import methods
    from bench.commands.grid import comma_list, meant
    from bench.data import catalogue
    from bench.evaluation import registry
    from bench.folder_name import is_folder

    used = Used()
    for item in comma_list(method, "--method") if method is not None else ():
        if (several := meant(item)) is None:
            methods.require(item)
        used.methods |= dict.fromkeys([item] if several is None else several)
    for name in comma_list(dataset, "--dataset") if dataset is not None else ():
        if not is_folder(name):
            catalogue.entry(name)
        used.datasets[name] = None
    for request in comma_list(requests, "--evals") if requests is not None else ():
        registry.parse(request)
        used.evals[request] = None
    return used


def is_run(name: str) -> bool:
    """Whether it is the beginning of a run's id, and not a suite that is called so."""
    from bench import suites

    return bool(re.fullmatch("[0-9a-f]{1,16}", name)) and name not in suites.names()


def add_suite(used: Used, name: str) -> None:
    """All that a suite trains, trains on and measures."""
    from bench.commands import figure_together
    from bench.data.catalogue import DataSets

    suite = figure_together.load(name, DataSets())
    used.methods |= dict.fromkeys(run.method for run in suite.runs)
    used.datasets |= dict.fromkeys(run.dataset for run in suite.runs)
    used.evals |= dict.fromkeys(suite.evals)


def add_run(used: Used, beginning: str, results: str | None) -> None:
    """The same of a run, by all of its records in whichever folders, and the commits that these were made at."""
    from bench.launch.logs import the_run
    from bench.records.paths import runs_in, stores
    from bench.records.store import ResultStore

    if results is not None and not Path(results).is_dir():
        raise UserError(f"the results folder '{results}' (--results) is not there")
    ids = runs_in([Path(results)] if results else stores(Path("results")))
    run_id = the_run(beginning, set(ids), str(results or "results"))
    for store in map(ResultStore, ids[run_id]):
        for record in store.files_of([run_id]).values():
            used.methods[record.spec["method"]] = used.datasets[record.spec["dataset"]] = None
            used.evals |= dict.fromkeys(record.evals)
            if commit := record.environment.get("commit"):
                used.commits[in_words(commit, record.environment.get("dirty"))] = None
        say_problems(store)


def references(used: Used) -> dict[str, list[str]]:
    """Paper -> what it is cited for: 'method simclr'. A note names what has none."""
    import methods
    from bench.data import catalogue
    from bench.evaluation import registry
    from bench.folder_name import is_folder, shown

    found: dict[str, list[str]] = {}
    for name in used.methods:
        # A record of somebody's own method has the path that it once had.
        here = name in methods.names() or (methods.is_path(name) and Path(name).is_file())
        reference = methods.paper(name) if here else ""
        found.setdefault(reference, []).append(f"method {name}")
    targets = [target for request in used.evals if (target := registry.target(request))]
    for name in dict.fromkeys((*used.datasets, *targets)):
        own = is_folder(name) or name not in catalogue.names()
        for reference in (() if own else catalogue.entry(name).papers) or ("",):
            found.setdefault(reference, []).append(f"data set {shown(name)}")
    for name in dict.fromkeys(registry.parse(request)[0] for request in used.evals):
        for reference in registry.papers(name):  # most evaluators are of no one paper
            found.setdefault(reference, []).append(f"evaluator {name}")
    if without := found.pop("", []):
        note(f"no paper is named by {', '.join(without)}")
    return found


def program(commits: list[str]) -> str:
    """This program's entry, from CITATION.cff. commits: as `in_words` has them."""
    import yaml

    from reports.bibliography import entry, latex

    facts = yaml.safe_load(citation())
    fields = {
        "title": f"{{{latex(facts['title'])}}}",
        "author": " and ".join(map(person, facts["authors"])),
        "version": str(facts["version"]),
        "note": f"commit {', '.join(commits)}" if commits else "",
    }
    return entry(facts["type"], KEY, {name: value for name, value in fields.items() if value})


def person(author: dict[str, str]) -> str:
    """One of CITATION.cff's authors: a person's family name and given names, or what is no person's name, which is not to be split."""
    from reports.bibliography import latex

    if "name" in author:
        return f"{{{latex(author['name'])}}}"
    return latex(", ".join(author[part] for part in ("family-names", "given-names") if part in author))


def citation() -> str:
    """The text of CITATION.cff: the checkout's, or the one that was installed."""
    file = ROOT / CITATION
    if file.is_file():
        return file.read_text(encoding="utf-8")
    text = importlib.metadata.distribution("sslbench").read_text(f"licenses/{CITATION}")
    if text is None:
        raise UserError(f"{CITATION} is neither in '{ROOT}' nor installed: install the program anew")
    return text


def here() -> list[str]:
    """The commit of this checkout, as `in_words` has it; none where it is no checkout."""
    from bench.machine.checkout import state_of_code

    state = state_of_code()
    return [in_words(state.commit, state.dirty)] if state.commit else []


def in_words(commit: str, dirty: bool | None) -> str:
    """'ea892f9ca91a', and whether more was changed."""
    return commit[:SHOWN] + " with changes that were not committed" * bool(dirty)

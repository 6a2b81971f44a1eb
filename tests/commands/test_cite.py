"""`cite`: which entries it prints for what is named, this program's among them, each once and in order."""

import json
from pathlib import Path

import methods
from bench import __version__, suites
from bench.machine.checkout import state_of_code
from bench.records.paths import runs_in, stores
from bench.records.store import ResultStore
from bibtex import parsed
from places import ROOT


def cited(bench, *arguments):
    """The entries by key, in the order of the text; the command went well."""
    code, out, err = bench("cite", *arguments)
    assert code == 0 and "Traceback" not in err, err
    made = parsed(out)
    assert list(made) == sorted(made) and out.isascii()
    return made


def test_this_programs_entry_says_what_citation_cff_says(bench, here):
    (entry,) = cited(bench).values()
    said = (ROOT / "CITATION.cff").read_text()
    assert f"title: {entry['title'].strip('{}')}\n" in said and f"name: {entry['author'].strip('{}')}\n" in said
    assert (entry["kind"], entry["version"]) == ("software", __version__)
    commit = state_of_code().commit
    assert entry.get("note", "").startswith(f"commit {commit[:12]}" if commit else "")


def test_each_paper_once_whoever_names_it(bench, here):
    made = cited(bench, "--method", "swav,deepcluster_v2,npid", "--dataset", "mnist,mnist5k", "--evals", "knn,transfer:mnist")
    assert set(made) == {"caron2020unsupervised", "wu2018unsupervised", "lecun1998gradient", "sslbench"}
    both = cited(bench, "--dataset", "imagenet100")
    assert set(both) == {"russakovsky2015imagenet", "tian2019contrastive", "sslbench"}


def test_a_suite_stands_for_all_it_trains_and_measures(bench, here):
    made = cited(bench, "demo")
    assert {"chen2020simple", "lecun1998gradient", "alpaydin1998optical", "garrido2022rankme", "wu2018unsupervised"} <= set(made)
    with_more = cited(bench, "demo", "--method", "mae")
    assert set(with_more) == {*made, "he2022masked"}
    named = {run.method for run in suites.load("demo").runs} | {"mae"}
    assert len({methods.paper(name) for name in named} - {""}) <= len(with_more)


def test_all_methods_and_a_family(bench, here):
    code, out, err = bench("cite", "--method", "all")
    assert code == 0 and len(parsed(out)) == 1 + len({methods.paper(name) for name in methods.names()} - {""})
    without = ("frame_differences", "one_frame", "pca", "pixels", "random", "tfidf")
    assert f"no paper is named by {', '.join(f'method {name}' for name in without)}\n" in err
    assert {"chen2020simple", "he2019momentum"} <= set(cited(bench, "--method", "family:contrastive"))


def test_a_run_stands_for_all_its_records_at_their_commits(bench, monkeypatch):
    """Of every folder that has one: a search's run is a table's too."""
    monkeypatch.chdir(ROOT)
    places = {run: folders for run, folders in runs_in(stores(Path("results"))).items() if len(folders) > 1}
    run, folders = min(places.items())
    records = [record for folder in folders for record in ResultStore(folder).files_of([run]).values()]
    made = cited(bench, run)
    commits = {record.environment["commit"][:12] for record in records}
    assert all(commit in made["sslbench"]["note"] for commit in commits)
    evals = {name for record in records for name in record.evals}
    assert ("wu2018unsupervised" in made) == ("knn" in evals) and "krizhevsky2009learning" in made
    (folder,) = {folder for folder in folders if folder.name == "cifar10"}
    assert set(cited(bench, run[:12], "--results", folder)) <= set(made)


def test_a_method_of_ones_own_needs_no_entry(bench, here):
    (here / "mine.py").write_text('"""Mine."""\n\n\nclass Mine:\n    paper = "arXiv:2701.00001"\n')
    code, out, err = bench("cite", "--method", "mine.py", "--dataset", "folder:birds")
    assert code == 0 and parsed(out)["arXiv-2701.00001"]["url"] == "https://arxiv.org/abs/2701.00001"
    assert "title and authors of arXiv:2701.00001 are not known here: https://arxiv.org/abs/2701.00001\n" in err
    assert "no paper is named by data set birds" in err


def test_for_a_program(bench, here):
    said = json.loads(bench("cite", "--method", "simclr,pixels", "--evals", "knn", "--json")[1])
    assert [one["key"] for one in said] == ["chen2020simple", "sslbench", "wu2018unsupervised"]
    assert said[0]["of"] == ["method simclr"] and said[2]["of"] == ["evaluator knn"] and said[0]["checked"]
    assert all(parsed(one["bibtex"]) for one in said)

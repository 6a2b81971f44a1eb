"""The papers that methods, data sets and evaluators name: all are known, agree with what a method's file says, and become BibTeX."""

import re
import tomllib
import unicodedata

import pytest

import methods
from bench.data import catalogue
from bench.evaluation import registry
from bibtex import parsed
from reports import bibliography
from reports.bibliography import Paper, address_of, bibtex, latex, paper

OF_METHODS = {name: reference for name in methods.names() if (reference := methods.paper(name))}
OF_SETS = {name: catalogue.entry(name).papers for name in catalogue.names()}
OF_EVALUATORS = {name: registry.papers(name) for name in registry.names()}


def without_accents(text: str) -> str:
    """'Krähenbühl' and 'Kraehenbuehl' -> 'krahenbuhl'"""
    return re.sub("(?<=[au])e", "", unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode().lower())


def test_all_that_is_named_is_known_and_nothing_else():
    named = {*OF_METHODS.values(), *(one for papers in (*OF_SETS.values(), *OF_EVALUATORS.values()) for one in papers)}
    assert named == set(bibliography.known())


def test_what_is_trained_names_a_paper_and_so_does_every_data_set():
    trained = {name for name in methods.names() if methods.load(name).trained}
    assert trained <= set(OF_METHODS)
    assert all(OF_SETS.values())
    assert {"knn", "ood", "retrieval", "lidar"} <= {name for name, papers in OF_EVALUATORS.items() if papers}


def test_keys_are_unique_and_sorted_and_every_entry_says_where_it_was_read():
    text = bibliography.KNOWN.read_text(encoding="utf-8")
    keys = re.findall(r"^\[(.*)\]$", text, re.M)
    assert keys == sorted(tomllib.loads(text)) and len(bibliography.known()) == len(keys), "two entries of one paper"
    for one in bibliography.known().values():
        assert one.title and one.authors and address_of(one.paper), one.key
        assert all(re.fullmatch(r"[^,{}\\]+, [^,{}\\]+", author) for author in one.authors), one.key
        assert not set("{}\\") & set(one.title + one.journal + one.booktitle)
        assert without_accents(one.key).startswith(re.sub("[^a-z]", "", without_accents(one.authors[0].split(", ")[0].split(" ")[-1]))), (
            one.key
        )
        for place in one.checked.split(", "):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{7}:\S+|https?://\S+", place), f"{one.key}: {place}"


@pytest.mark.parametrize("name", OF_METHODS)
def test_an_entry_agrees_with_what_the_methods_file_says(name):
    one, said = paper(OF_METHODS[name]), methods.METHODS.docstring(name)
    assert methods.year(name) in (None, one.year)
    (year,) = set(re.findall(rf"(\d{{4}}),? \(?{re.escape(one.paper)}\b", said)) or {None}
    assert year in (None, str(one.year)) and (year or methods.year(name))
    family = one.authors[0].split(", ")[0]
    assert without_accents(family) in without_accents(said), f"{said[:80]} is not by {family}"


def test_the_year_of_a_preprint_is_its_numbers():
    preprints = [one for one in bibliography.known().values() if one.paper.startswith("arXiv:") and not one.journal + one.booktitle]
    assert len(preprints) > 20
    for one in preprints:
        assert f"{one.year}"[2:] == one.paper.removeprefix("arXiv:")[:2], one.key


def test_what_is_known_becomes_bibtex():
    made = parsed("\n".join(map(bibtex, bibliography.known().values())))
    assert set(made) == {one.key for one in bibliography.known().values()}
    for one in bibliography.known().values():
        fields = made[one.key]
        assert len(fields["author"].split(" and ")) == len(one.authors) and fields["title"].startswith("{") and fields["url"]
        assert bibtex(one).isascii() and fields.get("eprint", one.paper.removeprefix("arXiv:")) == one.paper.removeprefix("arXiv:")
    moved = made["hinton2006reducing"]
    assert (moved["kind"], moved["journal"], moved["doi"]) == ("article", "Science", "10.1126/science.1127647")
    assert made["he2016deep"]["kind"] == "inproceedings" and made["chen2020simple"]["kind"] == "misc"
    assert made["grill2020bootstrap"]["author"].endswith(r"Munos, R{\'e}mi and Valko, Michal")


def test_of_a_paper_that_is_not_known_the_number_and_the_address():
    assert parsed(bibtex(paper("arXiv:2701.00001"))) == {
        "arXiv-2701.00001": {"kind": "misc", "eprint": "2701.00001", "archiveprefix": "arXiv", "url": "https://arxiv.org/abs/2701.00001"}
    }
    assert parsed(bibtex(paper("doi:10.1/a_b(2)")))["doi-10.1-a-b-2"]["doi"] == "10.1/a_b(2)"
    assert parsed(bibtex(paper("https://example.org/x.pdf")))["https-example.org-x.pdf"]["url"] == "https://example.org/x.pdf"


@pytest.mark.parametrize("reference", ["arXiv:1}, title={x", "in press", "arXiv:", "javascript:alert(1)", "doi:10.1/{\\", "ftp://x"])
def test_what_is_no_reference_is_a_note_and_no_link(reference):
    (fields,) = parsed(bibtex(paper(reference))).values()
    assert not address_of(reference) and set(fields) == {"kind", "note"}


def test_latex_sets_a_text_as_it_is():
    cases = {
        "Krähenbühl": r"Kr{\"a}henb{\"u}hl",
        "Soljačić": r"Solja{\v{c}}i{\'c}",
        "Ångström ø ß": r"{\r{A}}ngstr{\"o}m {\o} {\ss}",
        "50 % of R & D_1 #$": r"50 \% of R \& D\_1 \#\$",
        "Food-101 – {b \\c": r"Food-101 -- \textbraceleft{}b \textbackslash{}c",
        "e\u0301": r"{\'e}",
        "漢": "漢",
    }
    for text, made in cases.items():
        assert latex(text) == made, text
    assert bibtex(Paper("x", "arXiv:1", title="A & B", booktitle="C & D")).count(r"\&") == 2

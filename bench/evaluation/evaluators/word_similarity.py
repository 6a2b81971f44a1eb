"""Whether words are near each other that people find alike: WordSim-353, SimLex-999, and analogies of four words.

spearman_wordsim353    Spearman's correlation of the cosine of two words' vectors with people's mean score (Finkelstein et al. 2002)
spearman_simlex999     the same of scores for likeness alone, not for what goes together (Hill et al. 2015, arXiv:1408.3456)
analogies              percent of questions "a is to b as c is to ?" answered right: the word nearest to b - a + c, of unit vectors, those
                       three left out (Mikolov et al. 2013, arXiv:1301.3781, section 4.1; 19,544 questions)

As gensim's evaluate_word_pairs and evaluate_word_analogies, whose wheel has the lists. n is how many pairs or questions have all their
words in the vocabulary, and None stands where fewer than two pairs do. Upper and lower case are one. No label and no split is read. Of a
method that has no word vectors, as a floor that counts words, there are no results.
V words, D features.
"""

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np

from bench.evaluation.arrays import check_finite, normalise
from bench.evaluation.features import Features
from bench.records.record import Result

ARGUMENT: str | None = None
READS_TEST: bool = False
PAPERS: tuple[str, ...] = ("doi:10.1145/503104.503110", "arXiv:1408.3456", "arXiv:1301.3781")
TAKES: tuple[str, ...] = ("text",)
NEEDS: str = "words"
NEEDS_CLASSES: bool = False
SPLITS: tuple[str, ...] = ()

LISTS = {"wordsim353.tsv": "f92a022fc2537793", "simlex999.txt": "d5e0501971478a51", "questions-words.txt": "8c29b3332afc46f3"}
"""File of gensim's test data -> how its SHA-256 begins."""

QUESTIONS_AT_ONCE = 500


def read(name: str) -> list[str]:
    """The lines of one of LISTS, in small letters, comments and headings left out. ValueError where it is another list than it was."""
    found = importlib.util.find_spec("gensim")  # its folder, without the second that importing it takes
    assert found and found.submodule_search_locations, "gensim is installed with the package"
    path = Path(found.submodule_search_locations[0]) / "test/test_data" / name
    content = path.read_bytes()
    if not hashlib.sha256(content).hexdigest().startswith(LISTS[name]):
        raise ValueError(f"'{path}' is not the list that it was in gensim 4.4; its SHA-256 should begin with {LISTS[name]}")
    return [line for line in content.decode().lower().splitlines() if line and not line.startswith(("#", ":"))]


def likenesses(words: dict[str, int], unit: np.ndarray, name: str) -> dict[int, tuple[float, float]]:
    """Of the pairs of a list that there are vectors for, by their place in it: the cosine and people's score.

    words: row of each; unit: [V, D]."""
    pairs = enumerate(line.split("\t") for line in read(name))
    known = {place: (words[a], words[b], float(score)) for place, (a, b, score) in pairs if a in words and b in words}
    if not known:
        return {}
    first, second, scores = (np.array(column) for column in zip(*known.values(), strict=True))
    cosines = (unit[first] * unit[second]).sum(axis=1)
    return dict(zip(known, zip(cosines.tolist(), scores.tolist(), strict=True), strict=True))


def correlation(pairs: np.ndarray) -> float | None:
    """Spearman's, of [N, 2]; None of fewer than two pairs, and where cosines are all alike, as where no vector was learned."""
    from scipy.stats import spearmanr

    if len(pairs) < 2 or not np.ptp(pairs[:, 0]):
        return None
    found: Any = spearmanr(pairs[:, 0], pairs[:, 1])  # whose fields SciPy does not say
    return float(found.statistic)


def similarity(words: dict[str, int], unit: np.ndarray, name: str) -> tuple[float | None, int]:
    """Spearman's correlation for a list of pairs, and how many of them there are vectors for."""
    known = likenesses(words, unit, name)
    return correlation(np.array([*known.values()]).reshape(-1, 2)), len(known)


def answers(words: dict[str, int], unit: np.ndarray) -> dict[int, bool]:
    """Of the questions that there are vectors for, by their place in the list, whether the answer is right."""
    questions = enumerate(line.split() for line in read("questions-words.txt"))
    known = {place: [words[word] for word in four] for place, four in questions if all(word in words for word in four)}
    if not known:
        return {}
    asked, right = np.array([*known.values()]), []
    for a, b, c, expected in (part.T for part in np.array_split(asked, -(-len(asked) // QUESTIONS_AT_ONCE))):
        near = (unit[b] - unit[a] + unit[c]) @ unit.T
        for given in (a, b, c):
            near[np.arange(len(a)), given] = -np.inf
        right += (near.argmax(axis=1) == expected).tolist()
    return dict(zip(known, right, strict=True))


def analogies(words: dict[str, int], unit: np.ndarray) -> tuple[float | None, int]:
    """Percent of questions that are answered right, and how many there are vectors for."""
    right = answers(words, unit)
    return (100 * sum(right.values()) / len(right) if right else None), len(right)


def vectors_of_words(words: tuple[str, ...], vectors: np.ndarray) -> tuple[dict[str, int], np.ndarray]:
    """Row of each word, and the rows, of unit length; what is in brackets is no word."""
    rows = [row for row, word in enumerate(words) if not re.fullmatch(r"\[[A-Z]+\]", word)]
    return {words[row]: place for place, row in enumerate(rows)}, normalise(vectors[rows])


def measure(dataset: str, words: tuple[str, ...], vectors: np.ndarray) -> list[Result]:
    """All of them, from words [V] and their vectors [V, D]."""
    places, unit = vectors_of_words(words, vectors)
    found = {
        "spearman_wordsim353": similarity(places, unit, "wordsim353.tsv"),
        "spearman_simlex999": similarity(places, unit, "simlex999.txt"),
        "analogies": analogies(places, unit),
    }
    return [
        Result(evaluator="word_similarity", dataset=dataset, split="train", metric=metric, value=value, n=count)
        for metric, (value, count) in found.items()
    ]


def evaluate(features: Features, argument: None = None) -> list[Result]:
    """`measure` of the encoder's word vectors. ValueError where one is not finite."""
    found = features.words()
    if found is None:
        return []
    check_finite("word_similarity", features.dataset, "the word vectors", found[1])
    return measure(features.dataset, *found)

"""Text: sequences of words as whole numbers of a vocabulary, which is learned of a set's train split.

    Text(words=7_201, at_least=2, digest="15eea1a14ede4f32")    a word is kept that train has twice; 7,201 are, with the special tokens

Text is lower-cased and split at white space and punctuation as BERT's basic tokenizer does it (Devlin et al. 2019, arXiv:1810.04805),
by the library `tokenizers`; accents go with it. Words stand in order of how often train has
them, equals in alphabetical order, so that the same texts give the same vocabulary. An item is [CLS], words, [SEP] and then [PAD]: a text's
first window; what is behind it is cut off.
N texts, L tokens of a window, V words of the vocabulary, the special tokens included.
"""

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bench.data.modality import Modality
from bench.errors import UserError
from bench.spec import DatasetInfo

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from bench.data.dataset import DataSet
    from bench.data.entry import Entry
    from bench.data.rows import Rows

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The first words of every vocabulary."""
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL))
"""Where they stand: nothing, behind a text's end; a word that is not in the vocabulary; begin and end of a text; a word that is hidden."""


class TextInfo(DatasetInfo):
    """What a method may know of its texts: `image_size` is L, `kinds` is V."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an item, int64."""
        return (self.image_size,)


@dataclass(frozen=True)
class Text(Modality):
    """int32 [N, L] as it is stored, int64 [B, L] as a network sees it."""

    words: int
    """V."""
    at_least: int = 1
    """Of these a word is kept that train has so often; where there are more, the most frequent."""
    digest: str = ""
    """`digest_of` the vocabulary; another one is refused."""
    source: "DataSet | None" = None
    """Whose train split the vocabulary is of."""

    name, size, unit, short = "text", "a window", "tokens", "tokens"
    sizes = 8, 1024

    def __post_init__(self):
        if self.words <= len(SPECIAL):
            expected = f"expected {len(SPECIAL) + 1} or more"
            raise UserError(f"a vocabulary of {self.words} has no room for {len(SPECIAL)} special tokens and a word; {expected}")

    def learned_from(self, data: "DataSet") -> "Text":
        return replace(self, source=data)

    def info(self, count: int, size: int, entry: "Entry") -> DatasetInfo:
        return TextInfo(count, size, mirror_safe=False, kinds=self.words)

    def bytes(self, size: int, entry: "Entry") -> int:
        return 4 * size

    def stored(self, items: np.ndarray, rows: np.ndarray | None, size: int, entry: "Entry", threads: int) -> "Tensor | Rows":
        """Texts, str [N], -> int32 [N, size]; it is said how many are cut."""
        import torch

        tokens = self.tokens(items if rows is None else items[rows])
        if cut := sum(len(text) > words_of(size) for text in tokens):
            what = f"{cut:,} of {len(tokens):,} texts of {entry.name} have more words than the {words_of(size)} of a window and are cut"
            warnings.warn(f"{what} (`data check` counts those of each split)", stacklevel=2)
        return torch.from_numpy(windows(tokens, size))

    def prepare(self, items: "Tensor", mean: "Tensor", std: "Tensor") -> "Tensor":
        return items.long()

    def tokenizer(self) -> "Tokenizer":
        """That of the set's own train split."""
        assert self.source is not None, "bench.data.dataset.DataSet.modality has a set"
        return _tokenizer(self.source, self.words, self.at_least, self.digest)

    def vocabulary(self) -> tuple[str, ...]:
        """The words [V] in the order of their numbers."""
        return vocabulary_of(self.tokenizer())

    def tokens(self, texts: Iterable[str]) -> list[list[int]]:
        """Of every text its words, all of them, without special tokens."""
        return [encoding.ids for encoding in self.tokenizer().encode_batch(list(texts), add_special_tokens=False)]

    def examples(self, count: int) -> "tuple[Tensor, Tensor, DatasetInfo]":
        """Texts of 1 to 14 made-up words, of which each of two classes has its own more often."""
        import torch

        from bench.compute.randomness import generator

        draws, labels = generator("examples of text"), torch.arange(count) % 2
        size, words = 16, 45
        each = torch.randint(words - len(SPECIAL), (count, size), generator=draws)
        own = torch.rand(count, size, generator=draws) < 0.5
        each = len(SPECIAL) + torch.where(own, each // 2 * 2 + labels[:, None], each) % (words - len(SPECIAL))
        lengths = torch.randint(1, size - 1, (count,), generator=draws).tolist()
        items = torch.from_numpy(windows([text[:length].tolist() for text, length in zip(each, lengths, strict=True)], size))
        return items, labels, TextInfo(count, size, mirror_safe=False, kinds=words)

    def examined(self, items: np.ndarray, entry: "Entry") -> Iterator[tuple]:
        for text in items:
            content = text.encode()
            yield b"%d " % len(content) + content, "", ()

    def notes(self) -> Iterator[str]:
        assert self.source is not None, "bench.data.dataset.DataSet.modality has a set"
        size = self.source.entry.image_size
        for split in (split for split in self.source.entry.sizes if split != "train+val"):
            tokens = self.tokens(self.source.items(split)[0])
            lengths, unknown = np.array([len(text) for text in tokens]), sum(text.count(UNK) for text in tokens)
            cut, empty = (lengths > words_of(size)).sum(), (lengths == 0).sum()
            yield (
                f"{cut:,} of {len(tokens):,} texts of {split} have more words than the {words_of(size)} of a window and are cut; "
                f"{100 * unknown / max(lengths.sum(), 1):.1f} % of its {lengths.sum():,} words are unknown; {empty:,} texts are empty"
            )
        yield f"vocabulary {digest_of(self.vocabulary())} of {self.words:,} words, {len(SPECIAL)} special tokens among them"


def words_of(size: int) -> int:
    """How many fit into a window of so many tokens, between [CLS] and [SEP]."""
    return size - 2


def windows(tokens: Sequence[Sequence[int]], size: int) -> np.ndarray:
    """Of every text's words the first window: int32 [N, size]."""
    found = np.full((len(tokens), size), PAD, np.int32)
    for row, words in zip(found, tokens, strict=True):
        kept = words[: words_of(size)]
        row[: len(kept) + 2] = (CLS, *kept, SEP)
    return found


def train(texts: Sequence[str], words: int, at_least: int = 1) -> "Tokenizer":
    """The tokenizer whose vocabulary is the most frequent words of these texts, at most so many with the special tokens."""
    # One thread, which is what a run was given, and a fork after others would end in a warning.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    found = Tokenizer(models.WordLevel(unk_token=SPECIAL[UNK]))
    found.normalizer = normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.encode_special_tokens = True  # what a text spells "[MASK]" is a bracket and a word
    options = {"vocab_size": words, "min_frequency": at_least, "special_tokens": list(SPECIAL), "show_progress": False}
    found.train_from_iterator(texts, trainers.WordLevelTrainer(**options))
    return found


def vocabulary_of(tokenizer: "Tokenizer") -> tuple[str, ...]:
    """Its words in the order of their numbers."""
    numbers = tokenizer.get_vocab()
    return tuple(sorted(numbers, key=numbers.__getitem__))


def digest_of(vocabulary: Sequence[str]) -> str:
    """16 hexadecimal digits of the SHA-256 of its words, one a line."""
    return hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def _tokenizer(data: "DataSet", words: int, at_least: int, digest: str) -> "Tokenizer":
    """Of a set's train split, of which val is no part; a UserError where its vocabulary is another than it was."""
    texts, _, _ = data.items("train")
    found = train(texts.tolist(), words, at_least)
    if (there := digest_of(vocabulary_of(found))) != digest:
        what = f"{found.get_vocab_size():,} words with content {there}"
        raise UserError(f"the vocabulary of {data.name} is refused, {what}; expected {words:,} with content {digest}")
    return found

"""Splitting English text into the word pieces of a BERT vocabulary, lower case: what its model was trained on."""

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

MOST_LETTERS = 100


def read_vocabulary(path: Path) -> dict[str, int]:
    """Piece → number, one piece a line."""
    return {line: number for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())}


def words_of(text: str) -> Iterator[str]:
    """Words and single signs, without accents and case."""
    plain = unicodedata.normalize("NFD", text.lower())
    word = ""
    for letter in plain:
        kind = unicodedata.category(letter)
        if kind == "Mn" or (kind in {"Cc", "Cf", "Co"} and letter not in "\t\n\r"):
            continue
        is_sign = kind.startswith("P") or (letter.isascii() and letter.isprintable() and not letter.isalnum() and letter != " ")
        if letter.isspace() or is_sign or _is_ideograph(letter):
            if word:
                yield word
            word = ""
            if not letter.isspace():
                yield letter
        else:
            word += letter
    if word:
        yield word


def _is_ideograph(letter: str) -> bool:
    return 0x4E00 <= ord(letter) <= 0x9FFF or 0x3400 <= ord(letter) <= 0x4DBF or 0x20000 <= ord(letter) <= 0x2CEAF


def pieces_of(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    """The longest pieces first; a word that can't be made of pieces is unknown as a whole."""
    found: list[int] = []
    start = 0
    while start < len(word) <= MOST_LETTERS:
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else f"##{word[start:end]}"
            if piece in vocabulary:
                found.append(vocabulary[piece])
                start = end
                break
        else:
            return [vocabulary["[UNK]"]]
    return found or [vocabulary["[UNK]"]]


def tokens_of(text: str, vocabulary: Mapping[str, int], most: int) -> list[int]:
    """The text's numbers between the marks of begin and end, `most` at most."""
    pieces = [piece for word in words_of(text) for piece in pieces_of(word, vocabulary)]
    return [vocabulary["[CLS]"], *pieces[: most - 2], vocabulary["[SEP]"]]

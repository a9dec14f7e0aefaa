"""A Whisper model of two megabytes that the real decoder runs and that always says the same sentence.

Attention and feed-forward layers give zero, so the decoder's state is the embedding of the last token; the
projection then sends each token of the sentence to the next one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SENTENCE = "hello world this is a test"
SENTENCE_SECONDS = 2.0
TINY_BEAM = 2
"""With five beams a vocabulary whose other tokens are all equally unlikely loses words."""
WIDTH = 128
MELS = 80
_LANGUAGES = ("en", "de", "fr", "es")
_CERTAINTY = 12.0


def build(folder: Path) -> Path:
    """Write the model into the folder (multilingual, int8) and return it."""
    from ctranslate2.specs import whisper_spec

    folder.mkdir(parents=True)
    tokenizer, tokens = _vocabulary()
    spec = whisper_spec.WhisperSpec(1, 2, 1, 2)
    _fill(spec, tokens)
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "feature_size": MELS,
                "sampling_rate": 16000,
                "hop_length": 160,
                "chunk_length": 30,
                "n_fft": 400,
            }
        )
    )
    return folder


def _vocabulary():
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    pieces = {piece: at for at, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = []
    for word in SENTENCE.split():  # from the left, so that a blank and a word are one token
        piece = "Ġ"
        for letter in word:
            if piece + letter not in pieces:
                merges.append((piece, letter))
                pieces[piece + letter] = len(pieces)
            piece += letter
    tokenizer = Tokenizer(models.BPE(vocab=pieces, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in _LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in ("<|empty|>", *special)])
    tokens = [""] * tokenizer.get_vocab_size()
    for token, at in tokenizer.get_vocab().items():
        # CTranslate2 takes a model for multilingual when its vocabulary has an empty token.
        tokens[at] = "" if token == "<|empty|>" else token
    return tokenizer, tokens + [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


def _fill(spec, tokens: list[str]) -> None:
    place = {token: at for at, token in enumerate(tokens)}
    chance = np.random.default_rng(0)

    def small(*shape: int):
        return (chance.standard_normal(shape) * 0.02).astype(np.float32)

    def zeros(*shape: int):
        return np.zeros(shape, np.float32)

    def norm(layer) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), zeros(WIDTH)

    def linear(layer, outputs: int, inputs: int, *, silent: bool = False) -> None:
        layer.weight = zeros(outputs, inputs) if silent else small(outputs, inputs)
        layer.bias = zeros(outputs)

    def block(layer) -> None:
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * WIDTH, WIDTH)
        linear(layer.self_attention.linear[1], WIDTH, WIDTH, silent=True)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
        linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH, silent=True)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = small(WIDTH, MELS, 3), zeros(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = small(WIDTH, WIDTH, 3), zeros(WIDTH)
    encoder.position_encodings.encodings = small(1500, WIDTH)
    norm(encoder.layer_norm)
    block(encoder.layer[0])
    decoder.position_encodings.encodings = zeros(448, WIDTH)
    norm(decoder.layer_norm)
    block(decoder.layer[0])
    norm(decoder.layer[0].attention.layer_norm)
    linear(decoder.layer[0].attention.linear[0], WIDTH, WIDTH)
    linear(decoder.layer[0].attention.linear[1], 2 * WIDTH, WIDTH)
    linear(decoder.layer[0].attention.linear[2], WIDTH, WIDTH, silent=True)

    embedding = chance.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    projection = zeros(len(tokens), WIDTH)

    def follow(token: str, after: str, weight: float = 1.0) -> None:
        seen = embedding[place[after]]
        projection[place[token]] += weight * _CERTAINTY / WIDTH * (seen - seen.mean()) / seen.std()

    chain = ["<|0.00|>", *(f"Ġ{word}" for word in SENTENCE.split()), f"<|{SENTENCE_SECONDS:.2f}|>"]
    follow("<|0.00|>", "<|startoftranscript|>", 1.5)
    follow("<|0.00|>", "<|transcribe|>")
    follow("<|0.00|>", "<|translate|>")
    follow(chain[1], "<|notimestamps|>")
    for before, after in zip(chain, [*chain[1:], "<|endoftext|>"], strict=True):
        follow(after, before)
    follow("<|en|>", "<|startoftranscript|>")
    decoder.embeddings.weight, decoder.projection.weight = embedding, projection
    decoder.projection.bias = zeros(len(tokens))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [place["<|endoftext|>"]]
    spec.config.lang_ids = [place[f"<|{code}|>"] for code in _LANGUAGES]
    spec.config.alignment_heads = [[0, 0], [0, 1]]

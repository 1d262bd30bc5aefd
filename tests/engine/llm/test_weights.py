"""Weights: which file an alias runs, and how the default is prepared. No package is installed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm import weights


def write_gguf(path: Path, seed: int = 0) -> np.ndarray:
    """Write a file as the package's is, only small: a Q4_1 matrix, an F32 vector, a few fields."""
    matrix = np.random.default_rng(seed).normal(size=(4, 64)).astype(np.float32)
    kind = gguf.GGMLQuantizationType.Q4_1
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)
    writer.add_token_list(["a", "b", "ä"])
    writer.add_string("general.name", "tiny")
    writer.add_tensor("blk.0.weight", gguf.quantize(matrix, kind), raw_dtype=kind)
    writer.add_tensor("norm.weight", np.ones(64, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf.dequantize(gguf.quantize(matrix, kind), kind)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as pip would leave it, with a small file in it."""
    folder = tmp_path / "site" / weights.MODULE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('needs llama_cpp')\n")
    write_gguf(folder / weights.FILE)
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder / weights.FILE


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "source", lambda: None)


def test_requantising_keeps_everything_but_the_type(tmp_path: Path):
    values = write_gguf(tmp_path / "in.gguf")
    weights.requantise(tmp_path / "in.gguf", tmp_path / "out.gguf")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    matrix, norm = reader.tensors
    assert matrix.tensor_type.name == "Q8_0"
    stored = gguf.dequantize(matrix.data, matrix.tensor_type)
    assert np.abs(stored - values).max() <= np.abs(values).max() / 127
    assert norm.tensor_type.name == "F32"
    assert np.array_equal(norm.data, np.ones(64, np.float32))
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "b", "ä"]
    assert reader.fields["general.name"].contents() == "tiny"
    assert reader.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q8_0


def test_requantising_twice_writes_the_same_bytes(tmp_path: Path):
    write_gguf(tmp_path / "in.gguf")
    for name in ("one", "two"):
        weights.requantise(tmp_path / "in.gguf", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_default_is_prepared_once_and_the_package_is_not_imported(installed, tmp_path: Path):
    cache = tmp_path / "cache"
    path = weights.resolve(None, cache_dir=cache)
    assert path.parent == cache
    assert hashlib.sha256(installed.read_bytes()).hexdigest()[:12] in path.name
    written = path.stat().st_mtime_ns
    assert weights.resolve(None, cache_dir=cache) == path
    assert path.stat().st_mtime_ns == written
    assert [p.name for p in cache.iterdir() if p.is_file()] == [path.name]


def test_another_version_of_the_package_is_prepared_anew(installed, tmp_path: Path):
    first = weights.resolve(None, cache_dir=tmp_path / "cache")
    write_gguf(installed, seed=1)
    assert weights.resolve(None, cache_dir=tmp_path / "cache") != first


def test_what_was_prepared_serves_without_the_package(nothing_installed, tmp_path: Path):
    kept = tmp_path / f"SmolLM2-135M-Instruct.Q8_0-{weights.SHA256[:12]}.gguf"
    write_gguf(kept)
    assert weights.resolve(None, cache_dir=tmp_path) == kept
    assert weights.setup(cache_dir=tmp_path) == kept


def test_missing_weights_say_what_to_run(nothing_installed, tmp_path: Path):
    with pytest.raises(LLMError, match=r"not installed \(run `lupom setup` once\)"):
        weights.resolve(None, cache_dir=tmp_path)


def test_setup_prepares_what_is_installed_and_says_so(installed, tmp_path: Path):
    said: list[str] = []
    path = weights.setup(said.append, cache_dir=tmp_path / "cache")
    assert path.is_file()
    assert said == [f"preparing the weights in {tmp_path / 'cache'}"]
    weights.setup(said.append, cache_dir=tmp_path / "cache")
    assert said[1] == f"weights are ready: {path}"


def test_a_damaged_package_is_said_and_leaves_nothing_behind(installed, tmp_path: Path):
    installed.write_bytes(b"GGUF, but torn")
    with pytest.raises(LLMError, match="is damaged"):
        weights.resolve(None, cache_dir=tmp_path / "cache")
    assert [p for p in (tmp_path / "cache").iterdir() if p.is_file()] == []


def test_model_path_takes_any_gguf_file(tmp_path: Path):
    write_gguf(tmp_path / "own.gguf")
    assert weights.resolve(str(tmp_path / "own.gguf")) == tmp_path / "own.gguf"


def test_model_path_must_be_a_gguf_file(tmp_path: Path):
    with pytest.raises(LLMError, match="there is no file"):
        weights.resolve(str(tmp_path / "absent.gguf"))
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(LLMError, match="is not a GGUF file"):
        weights.resolve(str(tmp_path / "page.gguf"))


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path):
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_bytes(b"one")
    assert weights.digest(file, cache_dir=cache) == hashlib.sha256(b"one").hexdigest()
    (note,) = (cache / "hashes").iterdir()
    note.write_text(json.dumps({**json.loads(note.read_text()), "sha256": "remembered"}))
    assert weights.digest(file, cache_dir=cache) == "remembered"
    file.write_bytes(b"three")
    assert weights.digest(file, cache_dir=cache) == hashlib.sha256(b"three").hexdigest()


def test_a_torn_note_of_a_hash_is_no_trouble(tmp_path: Path):
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_bytes(b"one")
    weights.digest(file, cache_dir=cache)
    (note,) = (cache / "hashes").iterdir()
    note.write_text("{")
    assert weights.digest(file, cache_dir=cache) == hashlib.sha256(b"one").hexdigest()


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_folder() == tmp_path / "lupom"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert weights.cache_folder() == Path.home() / ".cache" / "lupom"

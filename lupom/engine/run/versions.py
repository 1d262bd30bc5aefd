"""The texts of prompts over time: what each LLM model asked with, from which run on.

They are kept beside the ledger, in `.lupom/prompts/`: `HASH.json` has the texts of one version (the
template and what it includes), `versions.jsonl` a line whenever a model's prompt is another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lupom.engine.run.context import Context


def keep_versions(context: Context, run_id: str, nodes: Iterable[str]) -> None:
    """Keep the prompts of LLM models of a run that are other than at the last one.

    Raises OSError when the folder cannot be written.
    """
    folder = context.files.state_folder / "prompts"
    last = {version["node"]: version["hash"] for version in versions(context)}
    lines = []
    for name in sorted(set(nodes)):
        node = context.nodes.get(name)
        if node is None or not node.materialization.needs_llm:
            continue
        prompt, digest = str(node.config["prompt"]), node.parts["prompt"]
        if last.get(name) == digest:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{digest}.json"
        if not kept.is_file():
            profile = context.files.settings.llms[str(node.config["llm"])].profile
            texts = node.wordings[profile].prompt.sources
            kept.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
        lines.append({"node": name, "prompt": prompt, "hash": digest, "run_id": run_id})
    if lines:
        with (folder / "versions.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def versions(context: Context) -> list[dict[str, Any]]:
    """Return what was kept, the oldest first: node, prompt, hash, run_id, texts.

    A line that a killed process left half written is passed over.
    """
    folder = context.files.state_folder / "prompts"
    try:
        lines = (folder / "versions.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            version = json.loads(line)
            version = {key: str(version[key]) for key in ("node", "prompt", "hash", "run_id")}
            texts = json.loads((folder / f"{version['hash']}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append({**version, "texts": texts})
    return found

"""What pyproject.toml cannot say: the wheel carries the project that ships with LUPoM.

`lupom init` copies models, prompts and settings from lupom/shipped/. The repository holds them
once, at its root, where a checkout (and an editable installation) finds them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# The same list is lupom.engine.project.shipped.PARTS; a test compares what each of them finds.
PARTS = ("lupom_project.yml", "models", "prompts", "seeds", "schemas", "analyses", "tests/data")


class BuildWithProject(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "lupom" / "shipped"
        shutil.rmtree(target, ignore_errors=True)
        for part in PARTS:
            source = ROOT / part
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
                shutil.copytree(source, target / part, ignore=ignored)
            elif source.is_file():
                shutil.copy(source, target / part)


setup(cmdclass={"build_py": BuildWithProject})

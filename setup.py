"""Puts the workflow into the wheel: what `haplorag run` needs beside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FOLDERS = ("workflow/rules", "workflow/report", "config", "envs", "profiles")


class BuildWithWorkflow(build_py):
    """Copies the workflow to `haplorag/checkout`, where the command line looks for it."""

    def run(self) -> None:
        """Build the package; an editable one finds the checkout itself."""
        super().run()
        if self.editable_mode:
            return
        checkout = Path(self.build_lib) / "haplorag/checkout"
        shutil.rmtree(checkout, ignore_errors=True)
        for folder in FOLDERS:
            ignore = shutil.ignore_patterns("*.py", "__pycache__")
            shutil.copytree(ROOT / folder, checkout / folder, ignore=ignore)
        shutil.copy(ROOT / "workflow/Snakefile", checkout / "workflow")


setup(cmdclass={"build_py": BuildWithWorkflow})

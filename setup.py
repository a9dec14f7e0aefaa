"""What pyproject.toml cannot say: a wheel takes along files that lie outside the package in a checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BUNDLED = Path("speakr", "bundled")
"""`speakr/installation.py` looks for them here."""
FOLDERS = ("config", "migrations")


class BuildWithFolders(build_py):
    """Copies FOLDERS into the package; an editable installation goes on using those of the checkout."""

    def run(self) -> None:
        """Build the modules, then add the folders."""
        super().run()
        if self.editable_mode:
            return
        # `build/` may be an old one, and a migration that no longer exists would be applied.
        shutil.rmtree(Path(self.build_lib) / BUNDLED, ignore_errors=True)
        for copy, source in self._copies().items():
            self.mkpath(str(Path(copy).parent))
            self.copy_file(source, copy, preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - setuptools' signature
        """Return all that is written."""
        added = [] if self.editable_mode else list(self._copies())
        return [*super().get_outputs(include_bytecode), *added]

    def get_output_mapping(self) -> dict[str, str]:
        """Return the source of each file that is written."""
        added = {} if self.editable_mode else self._copies()
        return {**super().get_output_mapping(), **added}

    def get_source_files(self) -> list[str]:
        """Return what a source archive needs."""
        return [*super().get_source_files(), *self._copies().values()]

    def _copies(self) -> dict[str, str]:
        return {
            str(Path(self.build_lib, BUNDLED, source)): str(source)
            for folder in FOLDERS
            for source in sorted(path.relative_to(HERE) for path in (HERE / folder).rglob("*"))
            if (HERE / source).is_file() and "__pycache__" not in source.parts
        }


setup(cmdclass={"build_py": BuildWithFolders})

"""The sources of published crates, for `.ci/peers` and `.ci/dependents`. The repository contains no copies of them."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def directories(manifest: Path, names: list[str]) -> dict[str, Path]:
    """Downloads the dependencies of `manifest`. Returns the directories of the packages with these names."""
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", manifest]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    found = {package["name"]: Path(package["manifest_path"]).parent for package in metadata["packages"]}
    return {name: found[name] for name in names}


def substitute(text: str, replacements: list[tuple[str, str]], where: str) -> str:
    """Replaces each pattern, which must match."""
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not count:
            raise SystemExit(f"{where}: nothing matches `{pattern}`")
    return text

"""Puts a script into a virtual environment that has the reference library."""
import os
import subprocess
import sys
import venv
from pathlib import Path

TOKENIZERS_VERSION = "0.23.3"
REPOSITORY = Path(__file__).resolve().parents[2]


def in_environment(arguments, packages=(f"tokenizers=={TOKENIZERS_VERSION}",)):
    """Runs the script again with the interpreter of the environment named by --environment DIR, made there if missing."""
    default = REPOSITORY / ".venv"
    index = arguments.index("--environment") if "--environment" in arguments else None
    folder = Path(arguments[index + 1]).absolute() if index is not None else default
    if index is not None:
        del arguments[index:index + 2]
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    names = [package.split("==") for package in packages]
    check = "import importlib.metadata as m, sys; sys.exit(any(m.version(n) != v for n, v in %r))" % (names,)
    if subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    os.execv(python, [str(python), *arguments, "--environment", str(folder)])

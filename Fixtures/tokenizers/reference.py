"""Puts a script into a virtual environment that has the reference library."""
import os
import subprocess
import sys
import venv
from pathlib import Path

TOKENIZERS_VERSION = "0.23.3"
REPOSITORY = Path(__file__).resolve().parents[2]


def in_environment(arguments, own=None, packages=(f"tokenizers=={TOKENIZERS_VERSION}",)):
    """Runs the script again with the interpreter of the environment named by --environment DIR, made there if missing.

    Once there the option is taken out of `own`, the part of the arguments that the script reads.
    """
    own = arguments if own is None else own
    default = REPOSITORY / ".venv"
    index = own.index("--environment") if "--environment" in own else None
    folder = Path(own[index + 1]).absolute() if index is not None else default
    if Path(sys.prefix).resolve() == folder.resolve():
        if index is not None:
            del own[index:index + 2]
        return
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    names = [package.split("==") for package in packages]
    check = "import importlib.metadata as m, sys; sys.exit(any(m.version(n) != v for n, v in %r))" % (names,)
    if subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    given = [] if index is not None else ["--environment", str(folder)]
    os.execv(python, [str(python), arguments[0], *given, *arguments[1:]])

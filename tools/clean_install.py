"""
Install a wheel into a new environment and use it there as a project of a user would: import, settings, ``check``, shipped files.

    python3 tools/clean_install.py dist/NAME.whl
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import venv

SETTINGS = """
SECRET_KEY = "one-project"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "cache_consistency"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}}
USE_TZ = True
"""
IN_SITE_PACKAGES = "import cache_consistency; assert 'site-packages' in cache_consistency.__file__"


def main(arguments: list[str]) -> int:
    wheel = Path(arguments[0]).resolve()
    missing = missing_from(wheel)
    if missing:
        venv.say(f"{wheel.name} does not hold: {', '.join(missing)}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try:
            use(wheel, folder=Path(folder))
        except venv.Unavailable as failure:
            venv.say(str(failure))
            return 1
    venv.say(f"{wheel.name} installs, loads and passes Django's checks.")
    return 0


def missing_from(wheel: Path) -> list[str]:
    """Each file of the package in the repository that is not in the wheel; scripts (`*.lua`) and `py.typed` are the ones easily lost."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    package = venv.ROOT / "cache_consistency"
    files = (file.relative_to(venv.ROOT) for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sorted(str(file) for file in files if str(file) not in shipped)


def use(wheel: Path, *, folder: Path) -> None:
    """Make an environment in ``folder`` with the wheel alone; raises `venv.Unavailable` with the output of what failed."""
    python = str(folder / "venv" / "bin" / "python")
    venv.run([sys.executable, "-m", "venv", str(folder / "venv")])
    venv.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)])
    (folder / "one_settings.py").write_text(SETTINGS)
    os.environ["DJANGO_SETTINGS_MODULE"] = "one_settings"
    # In the folder: Python looks for modules where it is started, and that must not be the repository.
    for arguments in (["-c", IN_SITE_PACKAGES], ["-m", "django", "check"], ["-m", "django", "migrate", "--verbosity=0"]):
        venv.run([python, *arguments], cwd=folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Where the database and the bell are: given by the environment, or run by `manage.py up` under the data directory."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ


def embedded_urls(data_dir: Path) -> dict[str, str]:
    """What a running (or last run) `manage.py up` wrote down for commands in other terminals."""
    try:
        lines = (data_dir / "run.env").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, PermissionError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def database(url: str) -> dict[str, Any]:
    """Django's settings for `url`; a Unix socket's directory may stand as `?host=` or, quoted, in the place of the host."""
    settings: dict[str, Any] = dict(environ.Env.db_url_config(url))
    options = dict(settings.get("OPTIONS", {}))
    settings["HOST"] = options.pop("host", "") or unquote(settings["HOST"])
    settings["OPTIONS"] = options
    return settings

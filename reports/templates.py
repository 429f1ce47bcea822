"""Templates of pages: what they print is escaped, whatever it holds."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2

from tfx_privacy.reports.names import name_of, visible
from tfx_privacy.reports.numerals import count_text


def template(name: str) -> jinja2.Template:
    """The template in a file of this folder."""
    return _environment().get_template(name)


def _shown(value: object) -> object:
    """What a template prints: text from data without control characters."""
    return visible(value) if type(value) is str else value


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["name_of"] = name_of
    environment.globals["count_text"] = count_text
    return environment

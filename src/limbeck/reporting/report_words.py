"""The words of the report: sentences, headings and cells, by language; those of charts are in `words`.

In: a language. Out: words by section and key. It does not know pages. Data (label names, texts, paths) is never
translated, but what limbeck itself says of data is: names of slices, kinds of findings.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, get_args

from limbeck.errors import SettingsError
from limbeck.evaluation.limits import SENTENCES
from limbeck.evaluation.slices import Term
from limbeck.reporting.words import ENGLISH, KOREAN, Words

Language = Literal["en", "ko"]
_FOLDER = "words_of"
_SCRIPTS = ("script", "scripts")
"""Kinds of slices whose parts are names of scripts."""


@dataclass(frozen=True, kw_only=True)
class ReportWords:
    """What a report says, in one language.

    Attributes:
        language: its code.
        charts: the words of charts.
        sections: by section and key; braces stand for values.
    """

    language: Language
    charts: Words
    sections: Mapping[str, Mapping[str, str]]

    def __getitem__(self, section: str) -> Mapping[str, str]:
        return self.sections[section]

    def grouping(self, term: Term) -> str | None:
        """Say what rows are grouped by; None where it is a column of the data."""
        return None if term.kind is None else self.sections["groupings"][term.kind]

    def slice_name(self, term: Term) -> str | None:
        """Say what the rows of a slice have in common; None where its name is data."""
        if term.kind is None:
            return None
        parts = [self.sections["scripts"][part] for part in term.parts] if term.kind in _SCRIPTS else term.parts
        return self.sections["slice_names"][term.kind].format(*parts)


def words_in(language: str) -> ReportWords:
    """Return the words of a language.

    Raises:
        SettingsError: there are none of it.
    """
    if language not in get_args(Language):
        raise SettingsError(f"--lang {language}: reports are written in {' and '.join(get_args(Language))}")
    folder = files("limbeck.reporting").joinpath(_FOLDER)
    sections: dict[str, dict[str, str]] = {}
    for name in ("report", "shapes"):
        sections |= tomllib.loads(folder.joinpath(f"{name}.{language}.toml").read_text("utf-8"))
    if language == "ko":
        return ReportWords(language="ko", charts=KOREAN, sections=sections)
    sections["limits"] |= SENTENCES
    return ReportWords(language="en", charts=ENGLISH, sections=sections)

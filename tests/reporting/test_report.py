"""The report: hostile data stay data, both languages are whole, every chart has its table."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from tests.reporting.report_runs import evidence_of, report_of, write_run

from limbeck import storage
from limbeck.auditing.characters import SCRIPT_NAMES
from limbeck.errors import SettingsError
from limbeck.evaluation.limits import SENTENCES
from limbeck.evaluation.slices import GROUPING_NAMES, SLICE_NAMES, Term, slice_term
from limbeck.experiments.ablation import ARM_KINDS, VERDICTS
from limbeck.reporting.report import PARTS, Report, make_report
from limbeck.reporting.report_words import Language, ReportWords, words_in
from limbeck.reporting.run_facts import read_run

ALLOWED = {"limbeck", "pca", "umap", "ece", "aurc", "f1", "ln", "nat", "html", "nfd", "u", "fffd", "c", "p", "g"}
"""Words that Korean texts of the field write in Latin letters."""
OF_THE_DATA = {"img", "src", "onerror", "document", "title", "owned", "joy", "style", "script", "ab"}
"""Words of hostile class names, as descriptions of charts have them: in pieces."""
DATA = ("bdi", "code", "style", "script", "svg", "option")


class Seen(HTMLParser):
    """Collects tags, and the words a person sees or hears that are not data."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in DATA:
            self._inside.append(tag)
        if not self._inside:
            self.words += [value or "" for name, value in attrs if name in ("aria-label", "title", "data-filter")]

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of hostile data with epochs and seeds."""
    return write_run(tmp_path_factory.mktemp("run") / "r", method="finetune")


@pytest.fixture(scope="module")
def english(run_folder: Path) -> Report:
    """Its report in English."""
    return report_of(run_folder)


@pytest.fixture(scope="module")
def student_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distillation of hostile data, with an ablation."""
    return write_run(tmp_path_factory.mktemp("student") / "r", rows=100, method="distil")


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
def test_a_student_stands_beside_its_teacher(student_folder: Path) -> None:
    """Sizes, figures and speeds of both, the range of single rounds, doubts about the teacher, and the ablation."""
    html = report_of(student_folder).html
    for says in (
        "keeps 98.5 % (95 % interval 96.1–100.4 %) of its teacher's accuracy with 50 % fewer parameters",
        "and is 2.25 times as fast",
        "22,600,000", "11,300,000", "between 1.50 and 2.50", "trained on other rows", "Without the teacher", "−1.25",
        "0.031", "the part helps",
    ):  # fmt: skip
        assert says in html.replace("&#39;", "'"), says
    seen = Seen()
    seen.feed(html)
    assert "img" not in [tag for tag, _ in seen.tags]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_student_of_an_older_limbeck_is_shown_with_what_it_has(student_folder: Path, tmp_path: Path) -> None:
    """No range of rounds, no engines and no kinds in its figures: the page does without, and marks English as such."""
    older = tmp_path / "older"
    shutil.copytree(student_folder, older)
    metrics = storage.read_json(older / "metrics.json")
    for name in ("lowest", "highest", "slow_engines", "fast_engine"):
        del metrics["speed"][name]
    (older / "metrics.json").unlink()
    storage.write_json(older / "metrics.json", metrics)
    table = storage.read_json(older / "ablation.json")
    for arm in table["arms"]:
        del arm["kind"], arm["verdict_kind"]
    storage.write_json(older / "ablation.json", table)
    run = read_run(older)
    html, korean = (
        make_report(run, evidence_of(run, features=False, issues=False), words_in(language)).html
        for language in ("en", "ko")
    )
    assert '<bdi lang="en">without the teacher</bdi>' in korean
    assert "is 2.25 times as fast" in html
    assert "of a single round" not in html
    assert "Computed by" not in html


@pytest.mark.slow
def test_payloads_stay_text(english: Report) -> None:
    """One script, ours, by its hash; no handler, no element of the data's making."""
    seen = Seen()
    seen.feed(english.html)
    tags = [tag for tag, _ in seen.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert "49" not in re.findall(r"joy .{0,40}", english.html)[0]
    assert "script-src &#39;sha256-" in english.html or "script-src 'sha256-" in english.html
    assert "https:" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<svg.*?</svg>', "", english.html, flags=re.DOTALL)


@pytest.mark.slow
def test_every_section_and_every_chart_has_its_table(english: Report) -> None:
    """A chart is followed by the same figures as a table before the next section begins."""
    for part in PARTS:
        assert f'<h2 id="{part}">' in english.html
    sections = {part: english.html.split(f'<h2 id="{part}">')[1].split("</section>")[0] for part in PARTS}
    for part, html in sections.items():
        assert html.count("<figure>") == 0 or "<table" in html, part


def test_both_languages_have_the_same_words() -> None:
    """The same sections, keys and braces."""
    english, korean = words_in("en").sections, words_in("ko").sections
    assert english.keys() == korean.keys()
    for section, words in english.items():
        assert words.keys() == korean[section].keys(), section
        for key, sentence in words.items():
            named = {name.partition(":")[0] for name in re.findall(r"{([^}]+)}", sentence)}
            assert named == set(re.findall(r"{(\w+)}", korean[section][key])), key
    assert SENTENCES.keys() <= korean["limits"].keys()


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("run", ["run_folder", "student_folder"])
def test_no_english_is_left_on_the_korean_page(run: str, request: pytest.FixtureRequest) -> None:
    """Outside of data and commands, no Latin word but those of the field."""
    run_folder = request.getfixturevalue(run)
    page = report_of(run_folder, "ko")
    seen = Seen()
    seen.feed(page.html)
    said = " ".join(seen.words)
    # Descriptions of charts name classes, splits and rows, which are data.
    for name in (str(run_folder), *read_run(run_folder).answers.label_names, "train", "validation"):
        said = said.replace(" ".join(name.split()), " ").replace(name, " ")
    assert {word.lower() for word in re.findall(r"[A-Za-z]{2,}|[A-Z]\d", said)} - ALLOWED - OF_THE_DATA == set()
    for drawn in page.charts.values():
        assert re.search("[가-힣]", drawn.light.title)


def test_another_language_is_refused() -> None:
    """With those there are."""
    with pytest.raises(SettingsError, match="en and ko"):
        words_in("fr")


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_report_does_without_what_nobody_found(run_folder: Path) -> None:
    """No features, no label issues, no data: the sections say how to get them."""
    run = read_run(run_folder)
    page = make_report(run, evidence_of(run, features=False, issues=False), words_in("en")).html
    assert "--cross-fit 5" in page
    assert "The data were not examined" in page
    assert "No map" in page


def test_no_finished_run_is_refused(tmp_path: Path) -> None:
    """It says what to give."""
    with pytest.raises(SettingsError, match="no finished run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (slice_term("quarter_1", "5", "13"), "1사분위 (5–13)"),
        (slice_term("scripts", "Latin", "Hangul"), "로마자·한글 혼용"),
        (slice_term("negation"), "부정 표현 있음"),
        (Term("whole"), None),
        (Term("Latin and Hangul"), None),
    ],
)
def test_slices_are_named_in_korean_but_data_are_not(term: Term, said: str | None) -> None:
    """A class or a value of a column keeps its name, even one that limbeck has a word for."""
    words: ReportWords = words_in("ko")
    assert words.slice_name(term) == said
    assert words.grouping(Term("script")) is None


@pytest.mark.parametrize("language", get_args(Language))
def test_every_word_of_limbecks_own_is_kept_by_its_kind(language: Language) -> None:
    """Each kind of slice, grouping, arm and verdict has its words; renaming one in English changes no other page.

    A kind that was added and not translated is met here, not as English on a Korean page.
    """
    sections = words_in(language).sections
    for section, kinds in (
        ("slice_names", SLICE_NAMES),
        ("groupings", GROUPING_NAMES),
        ("scripts", dict.fromkeys(SCRIPT_NAMES)),
        ("arms", dict.fromkeys(ARM_KINDS.values())),
        ("verdicts", VERDICTS),
    ):
        assert sections[section].keys() == kinds.keys(), section


def test_the_korean_page_does_not_depend_on_english_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """However English says a kind, Korean says the same."""
    before = words_in("ko").slice_name(slice_term("cut"))
    monkeypatch.setitem(SLICE_NAMES, "cut", "shortened")
    assert str(slice_term("cut")) == "shortened"
    assert words_in("ko").slice_name(slice_term("cut")) == before == "제한 길이에서 잘림"

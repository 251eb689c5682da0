"""Does the audit find what is wrong? Faults are planted into clean data, and what is found is held against the list.

The ground is 8,000 emotion tweets and 2,000 film reviews, from which everything that the audit finds by itself was
taken out first, and 500 made Korean sentences. Near-duplicates are copies with a share of their words replaced, dropped
or swapped. `found` counts planted faults that were found, `false` counts what was found and not planted; for
near-duplicates `similar` counts the copies that are still at or above the threshold by exact computation, and
`recall_of_similar` is the share of these that was found: what MinHash misses. Copies below the threshold are no
near-duplicates by our definition; `recall` counts them as missed all the same. Last, the pairs that are found among all
20,000 emotion tweets at several thresholds, against every pair computed exactly.
Writes benchmarks/results/audit_planted.json.

    python benchmarks/audit_planted.py
"""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from audit import shingle_sets, truth_of
from measure import SHARED_DATA, write_result

from limbeck.auditing.clean import clean
from limbeck.auditing.faults import fault_masks
from limbeck.auditing.grouping import distinct_within, group_equal
from limbeck.auditing.lengths import split_words
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.rows import row_columns_of
from limbeck.auditing.shingles import shingle
from limbeck.auditing.similarity import SHINGLE_CHARACTERS
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.reading.read import read_with
from limbeck.settings import NEAR_THRESHOLD, CleanSettings, ReadSettings

PLANTED = 200
EDIT_RATES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
SUBJECTS = ("나는", "친구는", "우리는", "동생은", "선생님은", "어머니는", "사람들은", "고양이는", "이웃은", "의사는")
TIMES = (
    "오늘 아침에",
    "어제 저녁에",
    "지난 주말에",
    "비가 오던 날",
    "퇴근한 뒤에",
    "겨울 방학에",
    "조용한 밤에",
    "점심을 먹고",
)
PLACES = ("공원에서", "도서관에서", "시장에서", "바닷가에서", "버스에서", "카페에서", "병원에서", "운동장에서")
DEEDS = (
    "기쁜 소식을 들었다",
    "몹시 슬퍼했다",
    "화를 크게 냈다",
    "깜짝 놀랐다",
    "사랑을 느꼈다",
    "두려움에 떨었다",
    "편지를 썼다",
)
MISTAKES = {
    "UTF-8 read as Latin-1": ("utf-8", "latin-1"),
    "UTF-8 read as Mac Roman": ("utf-8", "mac_roman"),
    "EUC-KR read as Latin-1": ("euc_kr", "latin-1"),
    "UTF-8 cut, read with U+FFFD": ("utf-8", "ascii"),
}


@dataclass
class Planting:
    """Rows under construction, and where each kind of fault was put."""

    texts: list[str]
    labels: list[int]
    splits: list[str]
    planted: dict[str, set[int]] = field(default_factory=dict)
    pairs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, kind: str, text: str, *, label: int, split: str, source: int | None = None) -> None:
        """Append a faulty row."""
        self.texts.append(text)
        self.labels.append(label)
        self.splits.append(split)
        self.planted.setdefault(kind, set()).add(len(self.texts) - 1)
        if source is not None:
            self.pairs.setdefault(kind, []).append((source, len(self.texts) - 1))


def clean_ground() -> Planting:
    """Real texts without any fault that the audit knows, every text and its near-duplicates once."""
    emotion = read_with(SHARED_DATA / "emotion", ReadSettings()).texts
    imdb = read_with(SHARED_DATA / "imdb", ReadSettings(labels="optional")).split("train").texts
    draw = np.random.default_rng(0)
    korean = [" ".join(words) for words in _korean()]
    texts = [
        *(emotion[place] for place in draw.permutation(len(emotion))[:9000]),
        *(imdb[place] for place in draw.permutation(len(imdb))[:8000]),
    ]
    dataset = _dataset(texts, [0] * len(texts), ["train"] * len(texts))
    kinds = ("empty", "one-token", "mojibake", "control-characters", "html", "exact-duplicates", "near-duplicates")
    kept = clean(dataset, CleanSettings(drop=kinds, near_threshold=0.5)).dataset.texts
    short = [text for text in kept if text.isascii() and len(text) < 400][:8000]
    long = [text for text in kept if text.isascii() and len(text) >= 400][:2000]
    # They share their parts on purpose; pairs among them are not counted as false.
    hangul = [korean[place] for place in draw.permutation(len(korean))[:500]]
    texts = [*short, *long, *hangul]
    labels = draw.integers(0, 3, len(texts)).tolist()
    splits = draw.choice(["train", "validation", "test"], len(texts), p=[0.8, 0.1, 0.1]).tolist()
    return Planting(texts=texts, labels=labels, splits=splits)


def _korean() -> list[tuple[str, str, str, str]]:
    return [(a, b, c, d) for a in SUBJECTS for b in TIMES for c in PLACES for d in DEEDS]


def _dataset(texts: list[str], labels: list[int], splits: list[str]) -> Dataset:
    table = pa.table(
        {
            "row_id": [str(place) for place in range(len(texts))],
            "split": pa.array(splits, pa.string()).dictionary_encode(),
            "text": texts,
            "label": labels,
        },
        schema=CORE_SCHEMA,
    )
    return Dataset(table=table, label_names=("a", "b", "c"), source="planted")


def edited(text: str, rate: float, pool: list[str], draw: np.random.Generator) -> str:
    """Replace, drop or swap a share of the words, one at least; the result differs from the text."""
    words = text.split(" ")
    for place in draw.choice(len(words), max(1, round(rate * len(words))), replace=False):
        way = draw.integers(3)
        if way == 0:
            words[place] = pool[draw.integers(len(pool))]
        elif way == 1:
            words[place] = ""
        elif place + 1 < len(words):
            words[place], words[place + 1] = words[place + 1], words[place]
    changed = " ".join(word for word in words if word)
    return changed if changed != text else edited(text, rate, pool, draw)


def plant(ground: Planting) -> None:
    """Put every kind of fault into the ground, each from rows of its own."""
    draw = np.random.default_rng(1)
    size = len(ground.texts)
    order = iter(draw.permutation(size - 500).tolist())
    hangul = ground.texts[-500:]
    pool = sorted({word for text in ground.texts[:8000] for word in text.split() if word.isalpha()})
    other = {"train": "test", "validation": "train", "test": "train"}
    for _ in range(PLANTED):
        row = next(order)
        ground.add(
            "exact leaks", ground.texts[row], label=ground.labels[row], split=other[ground.splits[row]], source=row
        )
        row = next(order)
        ground.add(
            "exact conflicts",
            ground.texts[row],
            label=(ground.labels[row] + 1) % 3,
            split=ground.splits[row],
            source=row,
        )
    for rate in EDIT_RATES:
        for kind, rows in (("short", (0, 8000)), ("long", (8000, size - 500))):
            for _ in range(PLANTED):
                row = int(draw.integers(*rows))
                text = edited(ground.texts[row], rate, pool, draw)
                ground.add(f"near-duplicates, {kind}, {rate:.0%} of words", text, label=ground.labels[row],
                           split=ground.splits[row], source=row)  # fmt: skip
    accented = ["the café was très agréable", "naïve people don’t say “no”", "a señor from São Paulo", "Grüße aus Köln"]
    for kind, (written, read) in MISTAKES.items():
        sources = hangul if "KR" in kind else [*accented, *hangul] if "Mac" not in kind else accented
        for number in range(PLANTED // 2):
            text = sources[number % len(sources)].replace("\n", " ")
            broken = text.encode(written).decode(read, "replace")
            ground.add(f"mojibake: {kind}", f"{broken} ({number})", label=0, split="train")
    for number, text in enumerate(hangul[: PLANTED // 2]):
        ground.add("decomposed Hangul", unicodedata.normalize("NFD", text) + f" {number}", label=0, split="train")
    for number in range(PLANTED // 4):
        ground.add("empty", "", label=0, split="train")
        ground.add("white space only", " \t\u00a0"[: 1 + number % 3] * (1 + number // 3), label=0, split="train")
        row = next(order)
        for kind, mark in (("control characters", "\x07"), ("HTML", "<br />"), ("invisible characters", "\u200b")):
            text = f"{kind} {number} " + ground.texts[row][:30] + mark + " " + str(number * 7)
            ground.add(kind, text, label=0, split="train")


def score(kind: str, planted: set[int], found: set[int], allowed: set[int]) -> dict[str, Any]:
    """Recall over what was planted; false is what was found beyond it and beyond faults planted for another reason."""
    right, false = len(planted & found), len(found - planted - allowed)
    return {
        "kind": kind,
        "planted": len(planted),
        "found": right,
        "false": false,
        "recall": round(right / len(planted), 4),
        "precision": round(right / (right + false), 4) if right + false else None,
    }


def score_repeats(ground: Planting) -> list[dict[str, Any]]:
    """Leaks and conflicts: the planted copy and its source must both be found."""
    columns = row_columns_of(_dataset(ground.texts, ground.labels, ground.splits))
    exact = group_equal(columns.text)
    blank = {place for place, text in enumerate(ground.texts) if not text.strip()}
    rows = []
    for kind, value in (("exact leaks", columns.split), ("exact conflicts", columns.label)):
        planted = {row for pair in ground.pairs[kind] for row in pair}
        found = set(np.flatnonzero(distinct_within(exact, value) > 1).tolist())
        rows.append(score(kind, planted, found, blank))
    return rows


def score_near(ground: Planting) -> list[dict[str, Any]]:
    """Near-duplicates at each edit rate; a false group is one that joins rows of different sources."""
    near = find_near_duplicates(pa.array(ground.texts, pa.large_string()))
    source = np.arange(len(ground.texts))
    for pairs in ground.pairs.values():
        for origin, copy in pairs:
            source[copy] = origin
    joined = [(int(source[a]), int(source[b])) for a, b in near.pairs.tolist()]
    rows = []
    for kind, pairs in ground.pairs.items():
        if kind.startswith("near"):
            changed = [(a, b) for a, b in pairs if ground.texts[a] != ground.texts[b]]
            hits = [bool(near.group[a] == near.group[b]) for a, b in changed]
            similar = [_jaccard(ground.texts[a], ground.texts[b]) >= NEAR_THRESHOLD for a, b in changed]
            both = sum(hit and close for hit, close in zip(hits, similar, strict=True))
            rows.append(
                {
                    "kind": kind,
                    "planted": len(changed),
                    "found": sum(hits),
                    "similar": sum(similar),
                    "recall": round(sum(hits) / len(changed), 4),
                    "recall_of_similar": round(both / sum(similar), 4) if sum(similar) else None,
                }
            )
    texts = ground.texts
    false = [(a, b) for a, b in near.pairs.tolist() if source[a] != source[b] and not _is_template(texts[a], texts[b])]
    rows.append(
        {
            "kind": "near-duplicates, all pairs found",
            "found": len(joined),
            "false": len(false),
            "precision": round(1 - len(false) / len(joined), 4),
        }
    )
    return rows


def _is_template(one: str, other: str) -> bool:
    """Tell rows that this script itself made alike while planting other faults."""
    return not one.isascii() or not other.isascii() or one[:6] == other[:6]


def _jaccard(one: str, other: str) -> float:
    shingles = shingle(pa.array([one, other], pa.large_string()), SHINGLE_CHARACTERS)
    sets = [
        set(shingles.hashes[a:b].tolist()) for a, b in zip(shingles.offsets[:-1], shingles.offsets[1:], strict=True)
    ]
    return len(sets[0] & sets[1]) / max(1, len(sets[0] | sets[1]))


def score_faults(ground: Planting) -> list[dict[str, Any]]:
    """Faults of single texts."""
    columns = row_columns_of(_dataset(ground.texts, ground.labels, ground.splits))
    masks = fault_masks(columns, split_words(columns.text).per_text)
    kinds = {
        "decomposed Hangul": "decomposed_hangul",
        "empty": "empty",
        "white space only": "white_space_only",
        "control characters": "control_characters",
        "HTML": "html",
        "invisible characters": "invisible_characters",
    }
    mojibake = {kind: rows for kind, rows in ground.planted.items() if kind.startswith("mojibake")}
    every = set().union(*mojibake.values())
    # Latin-1 shows broken bytes as control and invisible characters: found there too, and rightly.
    rows = [score(kind, planted, _where(masks["mojibake"]), every) for kind, planted in mojibake.items()]
    rows += [score(kind, ground.planted[kind], _where(masks[fault]), every) for kind, fault in kinds.items()]
    return rows


def score_thresholds() -> list[dict[str, Any]]:
    """Pairs among the emotion tweets against all pairs computed exactly."""
    texts = list(dict.fromkeys(read_with(SHARED_DATA / "emotion", ReadSettings()).texts))
    sets = shingle_sets(texts)
    rows = []
    for threshold in (0.8, 0.7, 0.6, 0.5):
        truth = truth_of(sets, threshold)
        near = find_near_duplicates(pa.array(texts, pa.large_string()), threshold=threshold)
        found = {(one, other) for one, other in near.pairs.tolist()}
        rows.append(
            {
                "kind": f"pairs at {threshold} or more among {len(texts):,} tweets",
                "planted": len(truth),
                "found": len(found & truth),
                "false": len(found - truth),
                "recall": round(len(found & truth) / len(truth), 4),
            }
        )
    return rows


def _where(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(mask).tolist())


def main() -> None:
    ground = clean_ground()
    size = len(ground.texts)
    plant(ground)
    steps: tuple[Callable[[Planting], list[dict[str, Any]]], ...] = (score_repeats, score_near, score_faults)
    table = [row for step in steps for row in step(ground)]
    table += score_thresholds()
    for row in table:
        print(row)
    result = {
        "ground_rows": size,
        "planted_rows": len(ground.texts) - size,
        "threshold": NEAR_THRESHOLD,
        "table": table,
    }
    path = write_result("audit_planted", result, packages=("limbeck", "numpy", "pyarrow"))
    print(json.dumps({"written": path.name, "kinds": len(table)}))


if __name__ == "__main__":
    main()

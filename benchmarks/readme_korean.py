"""What the README's tables say, in Korean: phrases that stand in their cells, and what stands in README.ko.md instead.

Figures stay as they are, and so do names of products and settings.
"""

import re

PHRASES = {
    "MiniLM; beside it the nearest way of equal accuracy (limbeck's speed / its)": (
        "MiniLM; 옆은 정확도가 같은 가장 가까운 다른 방법 (limbeck의 속도 ÷ 그 속도)"
    ),
    "one NVIDIA H100": "NVIDIA H100 하나",
    "tweets per second into vectors": "벡터로 만들기, 트윗/초",
    "reviews per second into vectors": "벡터로 만들기, 리뷰/초",
    "milliseconds for one tweet": "트윗 하나, 밀리초",
    "seconds per epoch of fine-tuning, 16,000 tweets": "파인튜닝 한 에포크, 트윗 16,000건, 초",
    "`limbeck demo`: 38,158 tweets, from nothing to answers": "`limbeck demo`: 트윗 38,158건, 처음부터 답까지",
    "requests per second over HTTP, a tweet each, 99 % within 50 ms": (
        "HTTP 요청/초, 요청마다 트윗 하나, 99 %가 50 ms 안에"
    ),
    "FastAPI and `pipeline`": "FastAPI와 `pipeline`",
    "one tweet per request": "요청마다 트윗 하나",
    "requests per second with p99": "초당 요청, p99",
    "the same, every tenth a review,": "같지만 열에 하나는 리뷰,",
    "answered within 1 s at": "1초 안에 답한 몫, 가장 높은 속도의",
    "times its highest rate": "배에서",
    "one text at a time, p50 / p99 ms": "텍스트 하나씩, p50 / p99 ms",
    "processor seconds per 1,000 texts": "텍스트 1,000건당 프로세서 초",
    "start, s": "시작, 초",
    ": did not start here": ": 여기서는 시작하지 않음",
    "holds none": "지키지 못함",
    "none": "없음",
    "What each server holds, and what is left of it under overload": "서버마다 지키는 속도, 요청이 몰릴 때 남는 것",
    "computed: count ÷ measured speed": "계산한 값: 텍스트 수 ÷ 잰 속도",
    "1 million texts": "텍스트 100만",
    "1,000 million": "10억",
    "100 million": "1억",
    "10 million": "1,000만",
    "MiniLM, tweets": "MiniLM, 트윗",
    "MiniLM, reviews": "MiniLM, 리뷰",
    "base, tweets": "base, 트윗",
    "base, reviews": "base, 리뷰",
    "vectors, ": "벡터, ",
    "IMDb, embedded encoder, 256 tokens": "IMDb, 함께 들어 있는 인코더, 토큰 256개",
    "test accuracy": "테스트 정확도",
    "more than `head`, points": "`head`보다 높은 만큼, 퍼센트포인트",
    "seeds": "시드 수",
    "all weights fine-tuned, one epoch": "모든 가중치 파인튜닝, 1에포크",
    "probe on every layer": "모든 층의 프로브",
    "MiniLM, drawn tweets:": "MiniLM, 무작위로 만든 트윗 수:",
    "one process": "프로세스 하나, 단위 없이",
    "units, 1 worker of 2 threads": "단위, 스레드 2개짜리 작업 프로세스 1개",
    "units, 2 workers of 1 thread": "단위, 스레드 1개짜리 작업 프로세스 2개",
    "units, 1 worker of 1 thread": "단위, 스레드 1개짜리 작업 프로세스 1개",
    "rows/s after it": "그 뒤 행/초",
    " hours": "시간",
    " days": "일",
    "not measured": "재지 않음",
    "accuracy on test rows": "테스트 행의 정확도",
    "the tweets that come with limbeck, 3 classes": "함께 들어 있는 트윗, 3클래스",
    "emotion, 6 classes": "emotion, 6클래스",
    "IMDb, 2 classes": "IMDb, 2클래스",
    "probe on the last layer (the default)": "마지막 층의 프로브 (기본 설정)",
    "probe on every layer (`--pooling layers`)": "모든 층의 프로브 (`--pooling layers`)",
    "fine-tuned (`--method finetune`)": "파인튜닝 (`--method finetune`)",
    "a student of 3 layers of the fine-tuned one": "파인튜닝한 모델의 3개 층 학생",
    "plain loop, float32, bucketed": "일반 torch 루프, float32, 길이별 묶음",
    "always the largest class": "항상 가장 큰 클래스로 답할 때",
    "plain loop, bf16 autocast, bucketed": "일반 torch 루프, bf16 autocast, 길이별 묶음",
    "Trainer bf16, grouped by length": "Trainer bf16, 길이별 묶음",
    "Trainer float32, grouped by length": "Trainer float32, 길이별 묶음",
}
"""Longer phrases are put in first, so that a phrase may hold another."""
CORES = re.compile(r"(\d+) cores of an? ([^|\n]+?) with ([\w-]+(?: [\w-]+)*)")
"""A machine, as `readme_machines.cores_of` says it."""
_IN_ORDER = sorted(PHRASES, key=len, reverse=True)


def in_korean(cell: str) -> str:
    """Return a cell with its phrases in Korean."""
    for phrase in _IN_ORDER:
        cell = cell.replace(phrase, PHRASES[phrase])
    return CORES.sub(r"\2 \1코어, \3", cell)

"""What the README's tables say, in Korean: phrases that stand in their cells, and what stands in README.ko.md instead.

Figures stay as they are, and so do names of products and settings.
"""

PHRASES = {
    "features (embedded encoder)": "특성 (내장 인코더)",
    "columns": "열 수",
    "validation accuracy": "검증 정확도",
    "test accuracy": "테스트 정확도",
    "test macro F1": "테스트 매크로 F1",
    "fit, s": "적합, 초",
    "mean, max and [CLS] of every layer": "모든 층의 mean, max, [CLS]",
    "[CLS] of the last layer": "마지막 층의 [CLS]",
    "probe on the mean of the last layer": "마지막 층 mean 위의 프로브",
    "mean of the last layer": "마지막 층의 mean",
    "max of the last layer": "마지막 층의 max",
    "every layer": "모든 층",
    "chosen by cross-validation (`auto`)": "교차 검증으로 선택 (`auto`)",
    "accuracy, mean": "정확도, mean",
    "macro F1, mean": "매크로 F1, mean",
    "accuracy, layers": "정확도, layers",
    "macro F1, layers": "매크로 F1, layers",
    "embedded encoder, 400 tokens": "내장 인코더, 400토큰",
    "encode all 50,000 once, s": "50,000건을 한 번 인코딩, 초",
    "peak memory, GiB": "최대 메모리, GiB",
    "peak memory, MiB": "최대 메모리, MiB",
    "embedded tweets": "내장 트윗",
    "always the largest class": "항상 가장 큰 클래스로 답할 때",
    "processor seconds, times ours": "프로세서 시간, limbeck의 몇 배",
    "processor seconds": "프로세서 시간, 초",
    "wall seconds, lowest": "실제 시간의 최솟값, 초",
    "texts/s (ours is × times as fast)": "텍스트/초 (limbeck이 ×배 빠름)",
    "MiniLM, tweets": "MiniLM, 트윗",
    "MiniLM, reviews": "MiniLM, 리뷰",
    "base, tweets": "base, 트윗",
    "base, reviews": "base, 리뷰",
    "GFLOP/s on real tokens": "실제 토큰의 GFLOP/s",
    "… of the bf16 product's peak in the same run": "… 같은 실행에서 bf16 곱셈 최고치에 대한 비율",
    "against float32, tweets of emotion": "float32와 비교, emotion의 트윗",
    "worst cosine distance": "가장 나쁜 코사인 거리",
    "labels that change": "바뀌는 레이블",
    "one text, p50 / p99 ms": "텍스트 하나, p50 / p99 ms",
    "near-duplicates of": "유사 중복, 리뷰",
    " reviews": "건",
    "the course: distilbert-base, 2 epochs, 2e-5": "강의: distilbert-base, 2에포크, 2e-5",
    "embedded encoder, the same settings": "내장 인코더, 같은 설정",
    "embedded encoder, defaults, the first seed": "내장 인코더, 기본 설정, 첫 시드",
    "defaults, 3 seeds, validation": "기본 설정, 시드 3개, 검증",
    "defaults, 3 seeds, test": "기본 설정, 시드 3개, 테스트",
    "fine-tuned": "파인튜닝",
    "training loss": "학습 손실",
    "validation loss": "검증 손실",
    "weighted F1": "가중 F1",
    "macro F1": "매크로 F1",
    "epoch": "에포크",
    "accuracy": "정확도",
    "best": "최고",
    "the course's way": "강의의 방식",
    ", sorted": ", 정렬",
    "2 streams": "스트림 2개",
    "recall": "재현율",
    "precision": "정밀도",
    "texts": "텍스트",
    "tokens": "토큰",
}
"""Longer phrases are put in first, so that a phrase may hold another."""
_IN_ORDER = sorted(PHRASES, key=len, reverse=True)


def in_korean(cell: str) -> str:
    """Return a cell with its phrases in Korean."""
    for phrase in _IN_ORDER:
        cell = cell.replace(phrase, PHRASES[phrase])
    return cell

"""The words that stand in charts and tables, in English and Korean.

In: nothing. Out: a `Words` a language. It does not know charts. Data, such as label names, is never translated.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """What charts and tables say, in one language; braces stand for values."""

    language: str
    class_frequency: str
    rows: str
    other_classes: str
    confusion: str
    true_label: str
    predicted_label: str
    confusion_key: str
    confusion_whole: str
    confusion_part: str
    no_rows: str
    learning_curves: str
    epoch: str
    train_loss: str
    validation_loss: str
    accuracy: str
    f1_weighted: str
    f1_macro: str
    kept_epoch: str
    rate_curve: str
    learning_rate: str
    each_update: str
    smoothed: str
    chosen_rate: str


ENGLISH = Words(
    language="en",
    class_frequency="Class frequency",
    rows="{count} rows",
    other_classes="{count} other classes",
    confusion="Confusion matrix, shares of the true label",
    true_label="True label (rows)",
    predicted_label="Predicted label",
    confusion_key="Blue: right. Orange: wrong. 0: none at all.",
    confusion_whole="Each row adds up to 1.",
    confusion_part="The {shown} of {count} classes with the most errors; shares are of all rows of the true label.",
    no_rows="–: no rows of this class",
    learning_curves="Learning curves",
    epoch="Epoch",
    train_loss="Training loss",
    validation_loss="Validation loss",
    accuracy="Accuracy",
    f1_weighted="F1 weighted",
    f1_macro="F1 macro",
    kept_epoch="Dashed: epoch {epoch}, the one that was kept.",
    rate_curve="Loss at rising learning rates",
    learning_rate="Learning rate",
    each_update="Each update",
    smoothed="Smoothed",
    chosen_rate="Dashed: {rate}, the rate that was trained with.",
)
KOREAN = Words(
    language="ko",
    class_frequency="클래스 빈도",
    rows="{count}행",
    other_classes="그 밖의 클래스 {count}개",
    confusion="혼동 행렬 (실제 라벨 기준 비율)",
    true_label="실제 라벨 (행 수)",
    predicted_label="예측 라벨",
    confusion_key="파랑: 정답. 주황: 오답. 0: 하나도 없음.",
    confusion_whole="각 행의 합은 1.",
    confusion_part="전체 {count}개 중 오답이 가장 많은 클래스 {shown}개. 비율은 실제 라벨의 모든 행 기준.",
    no_rows="–: 이 클래스의 행 없음",
    learning_curves="학습 곡선",
    epoch="에포크",
    train_loss="훈련 손실",
    validation_loss="검증 손실",
    accuracy="정확도",
    f1_weighted="F1 (가중)",
    f1_macro="F1 (매크로)",
    kept_epoch="점선: 선택된 에포크 {epoch}.",
    rate_curve="학습률을 높여 갈 때의 손실",
    learning_rate="학습률",
    each_update="업데이트마다",
    smoothed="평활값",
    chosen_rate="점선: 훈련에 쓴 학습률 {rate}.",
)

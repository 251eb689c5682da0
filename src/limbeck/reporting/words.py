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
    f1_micro: str
    quadratic_kappa: str
    pearson: str
    f1_weighted: str
    f1_macro: str
    kept_epoch: str
    rate_curve: str
    learning_rate: str
    each_update: str
    smoothed: str
    chosen_rate: str
    feature_map: str
    by_label: str
    by_error: str
    right_rows: str
    wrong_rows: str
    pca_key: str
    umap_key: str
    rows_drawn: str
    class_density: str
    density_key: str
    classes_not_drawn: str
    reliability: str
    reliability_key: str
    perfect: str
    right_share: str
    right_share_interval: str
    row_count: str
    highest_probability: str
    risk_coverage: str
    risk_key: str
    answered_share: str
    wrong_share: str
    thresholds_at: str
    share_curve: str
    share_key: str
    training_rows: str
    label_pairs: str
    label_pairs_key: str
    label_pairs_part: str
    also_has: str
    value_scatter: str
    value_scatter_key: str
    value_scatter_ends: str
    true_value: str
    predicted_value: str
    residuals: str
    residual: str
    residuals_key: str
    residuals_ends: str


ENGLISH = Words(
    language="en",
    class_frequency="Class frequency",
    rows="{count} rows",
    other_classes="{count} other classes",
    confusion="Confusion matrix, shares of the true label",
    true_label="True label (rows)",
    predicted_label="Predicted label",
    confusion_key="Blue: correct. Orange: wrong. 0: none at all.",
    confusion_whole="Each row adds up to 1.",
    confusion_part="The {shown} of {count} classes with the most errors; shares are of all rows of the true label.",
    no_rows="–: no rows of this class",
    learning_curves="Learning curves",
    epoch="Epoch",
    train_loss="Training loss",
    validation_loss="Validation loss",
    accuracy="Accuracy",
    f1_micro="F1 micro",
    quadratic_kappa="quadratic kappa",
    pearson="Pearson's correlation",
    f1_weighted="F1 weighted",
    f1_macro="F1 macro",
    kept_epoch="Dashed: epoch {epoch}, the one that was kept.",
    rate_curve="Loss at rising learning rates",
    learning_rate="Learning rate",
    each_update="Each update",
    smoothed="Smoothed",
    chosen_rate="Dashed: {rate}, the rate that training used.",
    feature_map="Map of the features ({kind})",
    by_label="By true label",
    by_error="By error",
    right_rows="correct ({count})",
    wrong_rows="wrong ({count})",
    pca_key="Principal components of standardised features: {shares} of their variance.",
    umap_key="UMAP, cosine distance: neighbours lie together; axes and far distances mean nothing.",
    rows_drawn="{drawn} of {count} rows.",
    class_density="Where each class lies ({kind})",
    density_key="The stronger a cell's colour, the more rows of the class; each panel has its own scale.",
    classes_not_drawn="{count} classes with fewer rows are not drawn.",
    reliability="Reliability diagram",
    reliability_key="Calibration error (ECE) {ece}; by chance alone it would stay below {chance} 95 times out of 100.",
    perfect="perfectly calibrated",
    right_share="Share correct",
    right_share_interval="share correct, 95 % interval",
    row_count="Rows",
    highest_probability="Highest probability",
    risk_coverage="Risk-coverage curve",
    risk_key="Area {area} (lower is better; {best} at best). Dotted: every row answered.",
    answered_share="Rows answered, the most certain first",
    wrong_share="Share of the answers that are wrong",
    thresholds_at="the model's thresholds: {share} answered",
    share_curve="Learning curve by training rows",
    share_key="A probe with the same penalty and features, fitted on part of the rows; bars: 95 % intervals.",
    training_rows="Training rows",
    label_pairs="Labels that stand together",
    label_pairs_key="Of the rows with the label on the left, the share that also have the label below. 0: none at all.",
    label_pairs_part="The {shown} of {count} labels that share the most rows with others.",
    also_has="Also has",
    value_scatter="Predicted and true numbers",
    value_scatter_key="Solid: predicted equals true.",
    value_scatter_ends="Dashed: the interval of {level}, ± {width}.",
    true_value="True number",
    predicted_value="Predicted number",
    residuals="Errors",
    residual="Predicted minus true number",
    residuals_key="Mean {mean}, standard deviation {deviation}.",
    residuals_ends="Dashed: ± {width}, the reach of the intervals.",
)
KOREAN = Words(
    language="ko",
    class_frequency="클래스 빈도",
    rows="{count}행",
    other_classes="그 밖의 클래스 {count}개",
    confusion="혼동 행렬 (실제 레이블 기준 비율)",
    true_label="실제 레이블 (행 수)",
    predicted_label="예측 레이블",
    confusion_key="파랑: 정답. 주황: 오답. 0: 하나도 없음.",
    confusion_whole="각 행의 합은 1.",
    confusion_part="전체 {count}개 중 오답이 가장 많은 클래스 {shown}개. 비율은 실제 레이블의 모든 행 기준.",
    no_rows="–: 이 클래스의 행 없음",
    learning_curves="학습 곡선",
    epoch="에포크",
    train_loss="학습 손실",
    validation_loss="검증 손실",
    accuracy="정확도",
    f1_micro="F1 (마이크로)",
    quadratic_kappa="이차 가중 카파",
    pearson="피어슨 상관",
    f1_weighted="F1 (가중)",
    f1_macro="F1 (매크로)",
    kept_epoch="점선: 선택된 에포크 {epoch}.",
    rate_curve="학습률을 높여 갈 때의 손실",
    learning_rate="학습률",
    each_update="업데이트마다",
    smoothed="평활값",
    chosen_rate="점선: 학습에 쓴 학습률 {rate}.",
    feature_map="특성 지도 ({kind})",
    by_label="실제 레이블별",
    by_error="정답 여부별",
    right_rows="정답 ({count})",
    wrong_rows="오답 ({count})",
    pca_key="표준화한 특성의 주성분: 전체 분산의 {shares}.",
    umap_key="UMAP, 코사인 거리: 가까운 행끼리 모인다. 축과 먼 거리에는 의미가 없다.",
    rows_drawn="전체 {count}행 중 {drawn}행.",
    class_density="클래스별 밀도 ({kind})",
    density_key="칸의 색이 강할수록 그 클래스의 행이 많음. 눈금은 그림마다 다름.",
    classes_not_drawn="행이 더 적은 클래스 {count}개는 그리지 않음.",
    reliability="신뢰도 다이어그램",
    reliability_key="보정 오차(ECE) {ece}. 우연만으로는 100번 중 95번 {chance} 미만.",
    perfect="완벽한 보정",
    right_share="정답 비율",
    right_share_interval="정답 비율, 95 % 구간",
    row_count="행 수",
    highest_probability="최고 확률",
    risk_coverage="위험-커버리지 곡선",
    risk_key="곡선 아래 면적 {area} (낮을수록 좋음, 최선 {best}). 점선: 모든 행에 답할 때.",
    answered_share="답한 행의 비율 (확실한 순)",
    wrong_share="답한 행 중 오답",
    thresholds_at="모델의 임곗값: {share} 답함",
    share_curve="학습 데이터 양에 따른 학습 곡선",
    share_key="같은 규제와 특성으로 일부 행만 써서 학습한 프로브. 막대: 95 % 구간.",
    training_rows="학습 행 수",
    label_pairs="함께 붙는 레이블",
    label_pairs_key="왼쪽 레이블이 붙은 행 중 아래 레이블도 붙은 행의 비율. 0: 하나도 없음.",
    label_pairs_part="전체 {count}개 중 다른 레이블과 가장 많이 함께 붙는 레이블 {shown}개.",
    also_has="함께 붙은 레이블",
    value_scatter="예측값과 실제값",
    value_scatter_key="실선: 예측값과 실제값이 같음.",
    value_scatter_ends="점선: {level} 구간, ± {width}.",
    true_value="실제값",
    predicted_value="예측값",
    residuals="오차",
    residual="예측값 − 실제값",
    residuals_key="평균 {mean}, 표준편차 {deviation}.",
    residuals_ends="점선: ± {width}, 구간의 폭.",
)

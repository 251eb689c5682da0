"""`limbeck demo`: the main job on the embedded tweets, from reading to predicting."""

import json
from pathlib import Path
from typing import Annotated

from limbeck.cli import answers_screen, evaluation_screen, options, screen

TRY_TEXTS = (
    "driverless cars will save so many lives, i can't wait",
    "my phone died again. thanks for nothing @Apple",
    "Apple opens a new store on Monday",
)


def demo(
    out: Annotated[
        Path, options.out("Run folder to make; one of an earlier demo is replaced. [default: limbeck-demo]")
    ] = Path("limbeck-demo"),
    cache_dir: options.CacheFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a sentiment classifier on 38,158 embedded tweets, score it and label three new texts, in minutes."""
    from limbeck.evaluation.evaluation import Evaluation
    from limbeck.evaluation.prediction_files import json_lines, table_of
    from limbeck.features.cache import FeatureCache
    from limbeck.inference.predictor import load
    from limbeck.inference.scoring import score
    from limbeck.methods.probe import train_probe
    from limbeck.reading.read import read_with
    from limbeck.settings import ReadSettings

    following = screen.following()
    following.say("1/4 reading the embedded tweets")
    dataset = read_with("sample", ReadSettings(), following)
    following.say(f"    {dataset!r}")
    following.say("2/4 encoding them with the embedded MiniLM encoder, and fitting a linear probe")
    run = train_probe(dataset, out, cache=FeatureCache(cache_dir), start="overwrite", progress=following)
    from limbeck.reporting.run_pictures import draw_pictures

    pictures = draw_pictures(run, following)
    following.say("3/4 scoring the test split, which nothing has looked at so far")
    predictor = load(run.folder.path)
    scored = score(predictor, dataset.split("test"), progress=following)
    following.say("4/4 labelling new texts")
    answers = predictor.predict(TRY_TEXTS)
    if as_json:
        rows = [json.loads(line) for line in json_lines(table_of(answers))]
        screen.show_json({"run": str(out), "test": scored.evaluation.to_dict(), "rows": rows})
        return
    evaluation_screen.show_evaluation(scored.evaluation, title="Test split of the embedded tweets")
    answers_screen.show_predictions(answers, top_k=len(predictor.label_names))
    found = scored.evaluation
    if isinstance(found, Evaluation):
        screen.show_line(
            f"The probe is right on {found.accuracy.value:.1%} of unseen tweets; always saying "
            f"“{found.baseline.label}” would be right on {found.baseline.accuracy:.1%}."
        )
    screen.show_run_places(run.folder, pictures)
    screen.show_next("predict", out, "your text")
    screen.show_next("report", out)
    screen.show_next("train", "YOUR_DATA", "--out", screen.free_place("RUN"))

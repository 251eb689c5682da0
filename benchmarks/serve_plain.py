"""`limbeck serve` whose engine only adds up numbers of tokens: it starts in a fraction of the time.

    python benchmarks/serve_plain.py FOLDER '{"port": 8080, …}'

In: a folder of `tests/serving/plain_engine.py`, settings. Out: the front as users have it, with all that it does when
it ends; what computes is not theirs.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.serving.engines import PLAIN_PROGRAM, plain_folder

from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.server import Listeners, run_server
from limbeck.tokens import Tokenizer


def plain_model(parent: Path, tokenizer: Tokenizer) -> Path:
    """Write the folder of a plain engine that takes a millisecond per batch and 20 µs per token."""
    return plain_folder(parent / "plain", tokenizer, start_s=1e-3, token_s=2e-5, label_names=("joy", "sadness"))


def main() -> None:
    folder, settings = sys.argv[1], ServeSettings(**json.loads(sys.argv[2]))
    run_server(LocalService(folder, settings, program=PLAIN_PROGRAM), settings, folder=folder, told=Listeners())


if __name__ == "__main__":
    main()

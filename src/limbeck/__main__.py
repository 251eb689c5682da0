"""The outermost handler: runs a command and turns an error into one message and its exit status."""

import sys

from limbeck.errors import INTERRUPTED_EXIT_STATUS, LimbeckError, status_of
from limbeck.log_lines import STANDARD_ERROR


def main() -> None:
    """Run the command line; exit with the status of the table in `limbeck.errors`."""
    from limbeck.cli.app import app
    from limbeck.cli.streams import tolerate_encodings
    from limbeck.runtime import honour_quota, tolerate_full_disk

    tolerate_encodings()
    honour_quota()
    tolerate_full_disk()
    try:
        app()
    except LimbeckError as error:
        STANDARD_ERROR.write(f"limbeck: {error}")
        sys.exit(status_of(error).exit_status)
    except SystemExit as ended:
        if ended.code == INTERRUPTED_EXIT_STATUS:
            STANDARD_ERROR.write(f"limbeck: interrupted. Nothing is half written; {_what_now(sys.argv[1:2])}.")
        raise


_ENCODED = "run the same command again: texts that were encoded so far need not be encoded anew"
_WHAT_NOW = {
    "predict": "run the same command to go on: rows of --input that were answered are kept, in pieces of 2,000 or as "
    "parts",
    "sweep": "run the same command with --resume to go on",
    "labels": "run the same command again: folds of --cross-fit that were finished are kept",
    "train": f"{_ENCODED}; give --resume too where steps were trained (--method head or finetune)",
    **dict.fromkeys(("distil", "pretrain"), "run the same command with --resume to go on"),
    **dict.fromkeys(("demo", "features", "report"), _ENCODED),
}
"""What an interrupted command has kept. A training by steps that can be resumed says so itself."""


def _what_now(command: list[str]) -> str:
    return _WHAT_NOW.get("".join(command), "run the same command to begin again")


if __name__ == "__main__":
    main()

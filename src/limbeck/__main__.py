"""The outermost handler: runs a command and turns an error into one message and its exit status."""

import sys

from limbeck.errors import INTERRUPTED_EXIT_STATUS, LimbeckError, status_of


def main() -> None:
    """Run the command line; exit with the status of the table in `limbeck.errors`."""
    from limbeck.cli.app import app
    from limbeck.cli.streams import tolerate_encodings

    tolerate_encodings()
    try:
        app()
    except LimbeckError as error:
        sys.stderr.write(f"limbeck: {error}\n")
        sys.exit(status_of(error).exit_status)
    except SystemExit as ended:
        if ended.code == INTERRUPTED_EXIT_STATUS:
            sys.stderr.write("limbeck: interrupted. Nothing is half written; run the same command to go on.\n")
        raise


if __name__ == "__main__":
    main()

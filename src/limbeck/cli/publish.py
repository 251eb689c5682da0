"""`limbeck publish`: put a trained model on the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`, or a bundle.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository on the hub; made where it is absent.")],
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="Make a repository that only its owner sees; an existing public one is refused."
        ),
    ] = False,
    revision: Annotated[str | None, typer.Option(help="Branch to commit to. [default: main]")] = None,
    license_id: Annotated[
        str | None,
        typer.Option("--license", help="Licence to state, by its id on the hub: apache-2.0, mit, cc-by-4.0, …"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be uploaded, without contacting the hub.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Upload RUN's model and its card to OWNER/NAME on the hub, as one commit.

    Log in with `hf auth login`, or put a token in HF_TOKEN. Folders of this machine and excerpts of data are left out.
    """
    from limbeck.inference.predictor import example_for
    from limbeck.publishing import publication as publishing

    settings = publishing.PublishSettings(private=private, revision=revision, license_id=license_id)
    commit = None
    if dry_run:
        outgoing = publishing.prepare(run, repo, settings)
    else:
        published = publishing.publish(run, repo, settings, progress=screen.following())
        outgoing, commit = published.publication, published.commit
    if as_json:
        sizes = {file.name: file.size_bytes for file in outgoing.files}
        place = {"page": outgoing.page, "revision": outgoing.place.revision, "commit": commit}
        screen.show_json({**place, "dry_run": dry_run, "private": private, "files": sizes})
        return
    rows = [[file.name, f"{file.size_bytes:,}"] for file in outgoing.files]
    rows.append([f"{len(outgoing.files)} files", f"{outgoing.size_bytes:,}"])
    screen.show_table(f"{'Would be uploaded' if dry_run else 'Uploaded'} to {outgoing.page}", ["file", "bytes"], rows)
    card = next(file.content for file in outgoing.files if file.name == "README.md")
    if dry_run and isinstance(card, bytes):
        screen.show_line("README.md:")
        for line in card.decode("utf-8").splitlines():
            screen.show_line(f"  {line}")
        screen.show_line(
            "Nothing was uploaded. What limbeck.json says about data and settings becomes public too: check it first."
        )
    else:
        screen.show_line(f"commit {commit}")
        screen.show_next("predict", f"hub:{outgoing.place.repo}", example_for(run))

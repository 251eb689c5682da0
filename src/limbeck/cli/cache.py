"""`limbeck cache`: what is kept on disk, and how to remove it."""

import time

import typer

from limbeck.cli import options, screen
from limbeck.cli.help_screen import HelpfulCommand, HelpfulGroup

cache = typer.Typer(
    name="cache",
    cls=HelpfulGroup,
    help="List or clear the cached features.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("list", cls=HelpfulCommand)
@options.speaking
def show(cache_dir: options.CacheFolder = None, as_json: options.AsJson = False) -> None:
    """List the cached features, most recently used first."""
    from limbeck.features.cache import FeatureCache
    from limbeck.inference.kept import KeptResults

    kept = FeatureCache(cache_dir)
    listings = kept.listings()
    measured, measured_bytes = KeptResults().count()
    total_bytes = sum(entry.size_bytes for entry in listings)
    if as_json:
        entries = [
            {
                "name": entry.name,
                "what": entry.what,
                "bytes": entry.size_bytes,
                "texts": entry.texts,
                "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.last_used_s)),
            }
            for entry in listings
        ]
        screen.show_json(
            {"folder": str(kept.folder), "bytes": total_bytes, "entries": entries, "measurements": measured}
        )
        return
    rows = [
        [
            entry.what,
            f"{entry.texts:,}",
            f"{entry.size_bytes / 2**20:,.1f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.last_used_s)),
        ]
        for entry in listings
    ]
    screen.show_table(f"Cached features in {kept.folder}", ["what", "texts", "MiB", "last used"], rows)
    screen.show_line(f"{_counted(len(rows))}, {total_bytes / 2**20:,.1f} of at most {kept.max_bytes / 2**20:,.0f} MiB")
    if measured:
        screen.show_line(f"Beside them: {measured:,} results of measuring engines, {measured_bytes / 2**10:,.1f} KiB")


@cache.command("clear", cls=HelpfulCommand)
@options.speaking
def clear(cache_dir: options.CacheFolder = None, as_json: options.AsJson = False) -> None:
    """Remove all cached features; they are computed again when they are needed."""
    from limbeck.features.cache import FeatureCache

    kept = FeatureCache(cache_dir)
    removed = kept.clear()
    if as_json:
        freed = sum(entry.size_bytes for entry in removed)
        screen.show_json({"folder": str(kept.folder), "entries": len(removed), "bytes": freed})
        return
    freed_mib = sum(entry.size_bytes for entry in removed) / 2**20
    screen.show_line(f"removed {_counted(len(removed))}, {freed_mib:,.1f} MiB")


def _counted(entries: int) -> str:
    return f"{entries:,} {'entry' if entries == 1 else 'entries'}"

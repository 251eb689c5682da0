"""`limbeck cache`: what is kept on disk, and how to remove it."""

import time

import typer

from limbeck.cli import options, screen
from limbeck.cli.help_screen import HelpfulCommand, HelpfulGroup

cache = typer.Typer(
    name="cache",
    cls=HelpfulGroup,
    help="List or clear the cached features, and what searches for near-duplicates keep.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("list", cls=HelpfulCommand)
@options.speaking
def show(cache_dir: options.CacheFolder = None, as_json: options.AsJson = False) -> None:
    """List the cached features, most recently used first, and what is kept beside them."""
    from limbeck.auditing.kept_searches import kept_searches, searches_folder
    from limbeck.features.cache import FeatureCache
    from limbeck.inference.kept import KeptResults

    kept = FeatureCache(cache_dir)
    listings = kept.listings()
    measured, measured_bytes = KeptResults().count()
    searches = kept_searches(searches_folder())
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
            {
                "folder": str(kept.folder),
                "bytes": total_bytes,
                "entries": entries,
                "measurements": measured,
                "near_searches": [
                    {"folder": str(one.folder), "bytes": one.size_bytes, "done": one.is_done} for one in searches
                ],
            }
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
    if searches:
        broken = sum(not one.is_done for one in searches)
        near_mib = sum(one.size_bytes for one in searches) / 2**20
        screen.show_line(
            f"{_counted(len(searches), 'search', 'searches')} for near-duplicates in {searches_folder()}, "
            f"{broken:,} not ended, {near_mib:,.1f} MiB"
        )


@cache.command("clear", cls=HelpfulCommand)
@options.speaking
def clear(cache_dir: options.CacheFolder = None, as_json: options.AsJson = False) -> None:
    """Remove all cached features and searches for near-duplicates; they are made again when they are needed.

    With --cache-dir, only the features in that folder. A search that works meanwhile stays.
    """
    from limbeck.auditing.kept_searches import clear_searches, searches_folder
    from limbeck.features.cache import FeatureCache

    kept = FeatureCache(cache_dir)
    removed = kept.clear()
    searches, in_use = clear_searches(searches_folder()) if cache_dir is None else ([], [])
    near_bytes = sum(one.size_bytes for one in searches)
    if as_json:
        freed = sum(entry.size_bytes for entry in removed)
        screen.show_json(
            {
                "folder": str(kept.folder),
                "entries": len(removed),
                "bytes": freed,
                "near_searches": len(searches),
                "near_bytes": near_bytes,
            }
        )
        return
    freed_mib = sum(entry.size_bytes for entry in removed) / 2**20
    screen.show_line(f"removed {_counted(len(removed))}, {freed_mib:,.1f} MiB")
    if searches:
        found = _counted(len(searches), "search", "searches")
        screen.show_line(f"removed {found} for near-duplicates, {near_bytes / 2**20:,.1f} MiB")
    for one in in_use:
        screen.show_line(f"{one.folder} stays: another process searches there")


def _counted(number: int, one: str = "entry", many: str = "entries") -> str:
    return f"{number:,} {one if number == 1 else many}"

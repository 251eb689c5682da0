"""Options of a command, made from settings classes: name, type, choices, default and help stand there, once.

In: settings classes, and which of their fields a command has. Out: options for typer, and the flags that were given, of
which settings are built. It does not know what a setting does.

    @takes(From(ReadSettings, without=("labels",)))
    def audit(flags: Flags, data: Data) -> None: ...

An option that is not given is absent, so that a TOML file, or else the class's default, speaks for it. A new field of a
class is a new option of each command that takes the class.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from limbeck.cli import help_screen
from limbeck.errors import SettingsError
from limbeck.setting_tables import OFF, SettingsT, build, meanings, names_of, settable
from limbeck.settings import AuditSettings, CleanSettings, FeatureSettings, ReadSettings

NAMES = {
    "batch_rows": ("--batch-size",),
    "learning_rate": ("--learning-rate", "--lr"),
    "most_trials": ("--trials",),
}
"""Options whose name is not that of the field."""
OPTION_GROUPS = {
    ReadSettings: help_screen.DATA,
    FeatureSettings: help_screen.FEATURES,
    AuditSettings: None,
    CleanSettings: None,
}
"""Where the options of a class stand in the help; those of other classes stand with training."""
MACHINE_FIELDS = frozenset(
    {
        "device",
        "precision",
        "engine",
        "token_budget",
        "checkpoint_every_s",
        "keep_checkpoints",
        "tensorboard",
        "cache_dir",
    }
)
"""Fields that are about the machine, whatever the class."""
_DEFAULT = " Default: "
_WIDEST_CHOICES = 60
"""Signs that the choices of an option may take in the help, or its words say what there is."""


@dataclass(frozen=True, kw_only=True)
class From:
    """A settings class, and which of its fields are options of a command.

    Attributes:
        kind: the class.
        only: these fields alone; all but those of `without` when not given.
        without: not these.
        defaults: what this command has in the place of the class's default.
        names: options whose name is another in this command, by field.
        method: the method that the class is the settings of, where a command has several.
        group: where the options stand in the help.
    """

    kind: type
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    method: str | None = None
    group: str | None = help_screen.TRAINING

    @property
    def fields(self) -> list[str]:
        """The names of the fields that are options."""
        return [name for name in self.only or settable(self.kind) if name not in self.without]

    def default_words(self, name: str) -> str:
        """Say the default of a field; where it is None, the class's docstring says what holds then."""
        value = self.defaults.get(name, settable(self.kind)[name].default)
        if value is None or value is MISSING:
            return meanings(self.kind).get(name, "").partition(_DEFAULT)[2].removesuffix(".")
        return said(value, option_names(name, self.names)[0])

    def meaning(self, name: str) -> str:
        """Say what a field means, without its default."""
        return meanings(self.kind).get(name, "").partition(_DEFAULT)[0]


@dataclass(frozen=True)
class Flags:
    """The options that were given, by the name of their field."""

    given: Mapping[str, Any]

    def of(self, source: From | type) -> dict[str, Any]:
        """Return those that a class has a field for."""
        names = source.fields if isinstance(source, From) else settable(source)
        return {name: value for name, value in self.given.items() if name in names}

    def build(self, kind: type[SettingsT], *below: Mapping[str, Any], where: str = "flags") -> SettingsT:
        """Build settings: the flags over mappings over the class's defaults.

        Raises:
            SettingsError: gathers every value that the class does not take.
        """
        return build(kind, *below, self.of(kind), where=where)


def takes(*sources: From) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of settings classes, in the place of its parameter `flags`.

    Args:
        sources: a field that several of them have is one option.
    """
    methods = tuple(dict.fromkeys(one.method for one in sources if one.method))
    made = {name: _Option(name, having, methods) for name, having in _by_field(sources).items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**words: Any) -> None:
            given = {name: words.pop(name) for name in made}
            read = {name: made[name].read(value) for name, value in given.items() if value is not None}
            command(flags=Flags(read), **words)

        own = inspect.signature(command, eval_str=True)
        params: list[inspect.Parameter] = []
        for one in own.parameters.values():
            params += [option.parameter for option in made.values()] if one.name == "flags" else [one]
        params = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in params]
        # What typer reads; `run` itself takes whatever it is given.
        run.__signature__ = own.replace(parameters=params)  # type: ignore[attr-defined]  # functions have it when set
        run.__annotations__ = {one.name: one.annotation for one in params}
        return run

    return decorate


def option_names(name: str, own: Mapping[str, tuple[str, ...]] = NAMES) -> tuple[str, ...]:
    """Return what a field's option is called."""
    return own.get(name) or NAMES.get(name) or (f"--{name.replace('_', '-')}",)


def said(value: Any, name: str = "") -> str:
    """Say a default as it would be given; of a switch, which of its two names holds."""
    if isinstance(value, bool):
        return name.removeprefix("--") if value else f"no-{name.removeprefix('--')}"
    if isinstance(value, tuple):
        return ",".join(map(said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by_field(sources: Iterable[From]) -> dict[str, list[From]]:
    """Gather the sources of each field."""
    found: dict[str, list[From]] = {}
    for source in sources:
        for name in source.fields:
            found.setdefault(name, []).append(source)
    return found


class _Option:
    """A field, or fields of one name, as an option.

    Args:
        name: of the field.
        sources: those that have it.
        methods: all that the command has.
    """

    def __init__(self, name: str, sources: Sequence[From], methods: Sequence[str]) -> None:
        hints = [_hints_of(one.kind)[name] for one in sources]
        self._kinds = [kind for hint in hints for kind in _kinds(hint)]
        self._choices = list(
            dict.fromkeys(choice for kind in self._kinds if get_origin(kind) is Literal for choice in get_args(kind))
        )
        self._can_be_off = any(
            type(None) in get_args(hint) and settable(one.kind)[name].default is not None
            for hint, one in zip(hints, sources, strict=True)
        )
        self.names = option_names(name, {key: value for one in sources for key, value in one.names.items()})
        names = (f"{self.names[0]}/--no-{self.names[0].removeprefix('--')}",) if bool in self._kinds else self.names
        option = typer.Option(
            *names, help=_help(name, sources, methods), rich_help_panel=_group(name, sources), metavar=self._metavar()
        )
        self.parameter = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[self._taken() | None, option]
        )

    @property
    def _is_number(self) -> bool:
        return bool({int, float} & set(self._kinds))

    def _list_of(self) -> type | None:
        """Return what the option is a list of, where it is one."""
        return next((get_args(kind)[0] for kind in self._kinds if get_origin(kind) is tuple), None)

    def _taken(self) -> Any:
        """Return the type that typer checks; numbers and lists are words to it, and are read here."""
        if bool in self._kinds:
            return bool
        return Literal[tuple(self._choices)] if self._choices and not self._is_number else str

    def _metavar(self) -> str | None:
        """Return what stands for the value in the help; typer knows choices itself."""
        if (item := self._list_of()) is not None:
            return "NAME,…" if item is str else "NUMBER,…"
        if not self._is_number:
            return "NAME" if len("|".join(self._choices)) > _WIDEST_CHOICES else None
        kind = "NUMBER" if float in self._kinds else "INTEGER"
        return "|".join([kind, *self._choices, *([OFF] if self._can_be_off else [])])

    def read(self, word: Any) -> Any:
        """Read a value that was given.

        Raises:
            SettingsError: it is no number, or not a list of what is wanted.
        """
        if (item := self._list_of()) is not None:
            return names_of(word) if item is str else self._listed(word, item)
        return self._number(word) if self._is_number else word

    def _number(self, word: str) -> Any:
        if word == OFF or word in self._choices:
            return word
        try:
            return int(word) if int in self._kinds else float(word)
        except ValueError as error:
            others = [*self._choices, *([OFF] if self._can_be_off else [])]
            wanted = " or ".join(["a number such as 2e-4" if float in self._kinds else "a whole number", *others])
            raise SettingsError(f"{self.names[0]} {word!r} is not possible: give {wanted}") from error

    def _listed(self, words: str, item: Callable[[str], Any]) -> tuple[Any, ...]:
        try:
            return tuple(item(word) for word in words.split(","))
        except ValueError as error:
            kind = "whole numbers" if item is int else "numbers"
            raise SettingsError(f"{self.names[0]} {words}: give {kind}, separated by commas, as in 0,2,4") from error


@functools.cache
def _hints_of(kind: type) -> dict[str, Any]:
    """Return the types of a class's fields: each of its options asks, whenever limbeck starts."""
    return get_type_hints(kind)


def _kinds(hint: Any) -> list[Any]:
    """Return the types that an annotation allows beside None."""
    if get_origin(hint) in (Literal, tuple) or not get_args(hint):
        return [hint]
    return [kind for one in get_args(hint) if one is not type(None) for kind in _kinds(one)]


def _group(name: str, sources: Sequence[From]) -> str | None:
    """Return where an option stands in the help; a seed, which is of everything, stands among the first."""
    if name == "seed":
        return None
    return help_screen.MACHINE if name in MACHINE_FIELDS else OPTION_GROUPS.get(sources[0].kind, sources[0].group)


def _help(name: str, sources: Sequence[From], methods: Sequence[str]) -> str:
    """Say what a field means and its default, once; where methods differ, or not all have it, whose it is."""
    texts: dict[str, list[str]] = {}
    for one in sources:
        texts.setdefault(one.meaning(name), []).append(one.method or "")
    told = [
        f"{', '.join(whose)}: {text}" if all(whose) and whose != list(methods) else _sentence(text)
        for text, whose in texts.items()
    ]
    return f"{' '.join(told)}{_default_of(name, sources)}"


def _default_of(name: str, sources: Sequence[From]) -> str:
    """Say the default, and whose it is where methods differ."""
    words = {one.default_words(name): one for one in sources}
    if len(words) > 1:
        each = [(one.method, one.default_words(name)) for one in sources if one.method]
        return f" [default: {'; '.join(f'{method} {said}' for method, said in each)}]"
    (default,) = words
    return f" [default: {default}]" if default else ""


def _sentence(text: str) -> str:
    """Begin with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"

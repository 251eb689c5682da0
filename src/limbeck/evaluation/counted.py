"""Numbers as they stand in a sentence: counts and the words that agree with them, shares. In: a number. Out: text."""


class Counted(str):
    """A number with separators; in a sentence `{rows}` is the number and `{rows:row|rows}` the word that agrees.

    Example:
        >>> "{n} {n:row|rows}, {m} {m:row|rows}".format(n=counted(1), m=counted(1200))
        '1 row, 1,200 rows'
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        """Return the number, or of two words between a bar the first for 1 and the second for any other."""
        one, bar, many = spec.partition("|")
        if not bar:
            return super().__format__(spec)
        return one if self == "1" else many


def counted(value: float) -> Counted:
    """Return a number with separators, at most two decimals."""
    return Counted(f"{value:,.2f}".rstrip("0").rstrip("."))


def quantity(count: int, unit: str) -> str:
    """Say in English how many of something there are.

    Args:
        count: how many.
        unit: what is counted, in the plural; words after the first stay as they are.

    Example:
        >>> quantity(1, "rows"), quantity(1, "classes"), quantity(1234, "texts with [UNK]")
        ('1 row', '1 class', '1,234 texts with [UNK]')
    """
    noun, space, rest = unit.partition(" ")
    if count == 1 and noun == "more":
        return f"{count} more {quantity(count, rest).split(' ', 1)[1]}"
    if count == 1:
        noun = noun.removesuffix("es") if noun.endswith("sses") else noun.removesuffix("s")
    return f"{count:,} {noun}{space}{rest}"


def percent(share: float) -> str:
    """Return a share as "12.3 %", and "<0.01 %" rather than a zero that is none.

    Example:
        >>> percent(0.3333), percent(0.0333), percent(0.00001), percent(0.0)
        ('33.3 %', '3.33 %', '<0.01 %', '0 %')
    """
    if not share:
        return "0 %"
    if share < 0.0001:
        return "<0.01 %"
    digits = f"{100 * share:.2f}" if share < 0.1 else f"{100 * share:.1f}"
    return f"{digits.rstrip('0').rstrip('.')} %"

"""A number as it stands in a sentence, and the word that agrees with it. In: a number. Out: text, in any language."""


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

"""Characters in texts that are drawn as nothing: where they have a use, and where they are stray.

In: texts. Out: the stray ones, or a text that shows them. Names are compared by `names`: there none has a use.
It does not know what is wrong with a text that holds them.
"""

import re
from collections.abc import Callable

INVISIBLE = (
    "\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e01ef"
)
"""A character class of all that is drawn as nothing, control characters and white space aside (Python's and RE2's)."""
CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
"""A character class of what commands a terminal or ends a line where nobody sees it; no tab, no line feed."""

_EMOJI = "\u203c-\u2199\u21a9-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
"""Arabic, Syriac, Indic, Burmese, Khmer, Mongolian: there the joiners change how a word is written."""
_JAMO = "\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff"
_IN_USE = "|".join(
    (
        f"(?<=[0-9#*\u00a9\u00ae{_EMOJI}])[\ufe0e\ufe0f]",  # how an emoji is drawn
        f"(?<=[\ufe0f{_EMOJI}])\u200d(?=[{_EMOJI}])",  # families and professions
        "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f",  # flags of regions
        f"(?<=[{_JOINING}])[\u200c\u200d]",
        f"(?<=[{_JAMO}])[\u200c\u200d\u1160]|[\u115f\u1160](?=[{_JAMO}])",
        f"(?<=[{_HAN}])[\ufe00-\ufe0f\U000e0100-\U000e01ef]",
        "(?<=[\u2801-\u28ff])\u2800+|\u2800+(?=[\u2801-\u28ff])",  # the space of Braille
    )
)
_STRAY = re.compile(f"{_IN_USE}|([{INVISIBLE}])")
_UNSEEN = re.compile(f"{_IN_USE}|([{INVISIBLE}{CONTROL}])")


def find_stray(text: str) -> int | None:
    r"""Return where the first invisible character stands that has no use there; None where there is none.

    The joiners inside emoji and inside Persian or Hindi words have one.

    Example:
        >>> find_stray("ab\u200bc"), find_stray("👩\u200d👧 ❤\ufe0f"), find_stray("می\u200cخواهم")
        (2, None, None)
    """
    return next((match.start() for match in _STRAY.finditer(text) if match.group(1)), None)


def show_unseen(text: str, shown: Callable[[str], str]) -> str:
    r"""Return a text in which `shown` stands for each control character and each stray invisible one.

    Example:
        >>> show_unseen("a\u202eb", lambda sign: f"<{ord(sign):x}>")
        'a<202e>b'
    """
    return _UNSEEN.sub(lambda match: shown(match.group(1)) if match.group(1) else match.group(), text)

"""Names of XML as names of a database: snake_case, singulars of plain English, lengths that databases keep."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePath

from etl.mapping.paths import local_name

NAME_BYTES = 63
"""What PostgreSQL keeps of a name."""
DIGEST_CHARACTERS = 8
FILE_WORDS = 3
"""A file with a longer name says more in it than what its records are."""

_BORDERS = re.compile(
    r"(?<=[^\W\d_A-Z])(?=[A-Z])"  # dateCompleted
    r"|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z]{2})"  # ISSNLinking, but URLs
    r"|(?<=\d)(?=[A-Z][^\W\d_A-Z])"  # Line2Text
)
_ONE_WORD = re.compile(r"[A-Z]{2}[^\W\d_A-Z]+")
"""XPath, EMail, JMdict."""
_OTHER_CHARACTERS = re.compile(r"[\W_]+")
_IRREGULAR = {
    "children": "child",
    "cookies": "cookie",
    "feet": "foot",
    "men": "man",
    "mice": "mouse",
    "movies": "movie",
    "people": "person",
    "women": "woman",
}
_NO_PLURALS = frozenset({"news", "series", "species", "lens", "canvas", "atlas", "alias", "bias", "gas", "its", "has"})
_GATHERING = ("list", "set", "collection", "array", "group")


def word_set(words: str) -> frozenset[str]:
    """A set of words that are written with blanks between them."""
    return frozenset(words.split())


@lru_cache(maxsize=65536)
def snake_case(name: str) -> str:
    """``PubmedArticle`` is pubmed_article, ``MedlineTA`` medline_ta, ``x-y.z`` x_y_z; letters of every script stay."""
    divided = name if _ONE_WORD.fullmatch(name) else _BORDERS.sub("_", name)
    words = _OTHER_CHARACTERS.sub("_", divided).strip("_").lower()
    if not words:
        return "unnamed"
    return f"_{words}" if words[0].isdigit() else words


def name_of(tag: str) -> str:
    """What elements or attributes of that name are called in a database, namespaces aside."""
    return snake_case(local_name(tag))


def file_name(label: str) -> str:
    """``dumps/PostHistory.xml.gz`` is post_history; words with digits are dates and numbers, and left out.

    Empty where nothing is left, and where there is no suffix: that is no name of a file.
    """
    stem, dot, _ = PurePath(label).name.partition(".")
    words = [word for word in snake_case(stem).split("_") if word and not any(map(str.isdigit, word))]
    return "_".join(words) if stem and dot and len(words) <= FILE_WORDS else ""


def singular(name: str) -> str:
    """The singular of the last word of a snake_case name, where plain English has one; else the name."""
    before, underscore, word = name.rpartition("_")
    return f"{before}{underscore}{_singular_word(word)}"


def _singular_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _NO_PLURALS or len(word) < 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if re.search(r"(?:sses|shes|tches|xes|zzes|(?<![oa])uses|iases)\Z", word):
        return word[:-2]
    return word[:-1]


def is_plural_of(name: str, item: str) -> bool:
    """Whether something of the first name plainly holds things of the second: artists, sub_tracks, author_list."""
    if name == item:
        return False
    before, _, last = name.rpartition("_")
    if last in _GATHERING and before:
        return last == "list" or before in (item, singular(item)) or before.endswith(f"_{item}")
    if any(name == item + word for word in _GATHERING):
        return True
    one = singular(name)
    # extraartists holds artists; ages do not hold an e.
    return one != name and (one == item or one.endswith(f"_{item}" if len(item) < 4 else item))


def shortened(name: str, limit: int = NAME_BYTES) -> str:
    """The name, or its beginning with a digest of the whole where it is longer than `limit` bytes."""
    if len(name.encode()) <= limit:
        return name
    digest = sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    start = name.encode()[: limit - DIGEST_CHARACTERS - 1].decode(errors="ignore")
    return f"{start.rstrip('_')}_{digest}"

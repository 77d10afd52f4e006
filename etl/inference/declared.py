"""What a schema says of the values of an attribute, or of the text of an element, in place of values that were seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.inference.values import Guess, ValueProfile
from etl.mapping.model import ColumnType


@dataclass(frozen=True, slots=True)
class Lexical:
    """A simple type, as far as a column is concerned."""

    type: ColumnType
    formats: tuple[str, ...] = ()
    """Forms of strptime that valid values may have beside the type's own."""
    collapse: bool = False
    """The lengths that the type allows are those without blanks too many."""
    may_be_empty: bool = False
    """Valid values may be NULL in the database for being empty."""
    remarks: tuple[str, ...] = ()
    """What a person should know of it."""
    is_id: bool = False
    """Each value occurs once in a document."""


@dataclass(slots=True, eq=False)
class Declaration:
    """All that is declared of the values of one column."""

    lexical: Lexical
    required: bool
    """Each element or attribute has a value, and none of them NULL."""
    default: str | None = None
    """What the schema puts where there is no value."""
    remarks: list[str] = field(default_factory=list)
    documentation: str = ""
    key: tuple[DeclaredValues, ...] = ()
    """The values that together are different in all elements of a document; it is one of them."""


class DeclaredValues(ValueProfile):
    """A profile of values that nobody has seen: how many there may be is made up, their type is not."""

    __slots__ = ("declaration",)

    def __init__(self, declaration: Declaration, count: int) -> None:
        super().__init__()
        self.declaration = declaration
        self.count = count

    @property
    def unique(self) -> bool:
        """There is a key that is made of these values."""
        return bool(self.declaration.key)

    def guess(self) -> Guess:
        """The type that is declared."""
        return Guess(self.declaration.lexical.type, "")

    @property
    def comment(self) -> str:
        """What is to be known of the column."""
        remarks = dict.fromkeys([*self.declaration.lexical.remarks, *self.declaration.remarks])
        return "; ".join(part for part in [*remarks, self.declaration.documentation] if part)

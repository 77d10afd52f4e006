"""English names of elements that say little by themselves: what they mean depends on the element around them."""

from __future__ import annotations

from etl.inference.words import word_set

MEANINGLESS = word_set("row r rec record object data element value")
"""They only say that they are one of several: the element around them says of what."""

VAGUE_RECORDS = MEANINGLESS | {"item", "entry"}
"""Elements of records that are named together with what they are in."""

VAGUE_ROWS = VAGUE_RECORDS | {"name", "id", "text", "string", "li"}
"""The same for elements that repeat in a record."""

SAYS_NOTHING = word_set(
    "rows records items entries root data database list result results rowset recordset resultset dataset set "
    "table document documents xml export dump body response objects elements values content contents collection"
)
"""They only say that they hold something."""

NEEDS_CONTEXT = word_set(
    "id name title type value code key text label description comment note date time timestamp year month day "
    "hour minute second number count size length status state version url uri link href lang language format "
    "class kind source content body data index order position first last start end from to width height category "
    "country city amount price unit email phone street address abstract volume issue model rank host port"
)
"""They do not say of what: columns from deeper inside a record get the name of the element around them too."""

"""Words as names."""

from __future__ import annotations

import pytest

from etl.inference.words import is_plural_of, shortened, singular, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PubmedArticle", "pubmed_article"),
        ("MedlineTA", "medline_ta"),
        ("DateCompleted", "date_completed"),
        ("ISSNLinking", "issn_linking"),
        ("NlmUniqueID", "nlm_unique_id"),
        ("ELocationID", "e_location_id"),
        ("sort-name", "sort_name"),
        ("x.y..z", "x_y_z"),
        ("uri150", "uri150"),
        ("Line2Text", "line2_text"),
        ("Cartn_x", "cartn_x"),
        ("_private", "private"),
        ("_1", "_1"),
        ("___", "unnamed"),
        ("Straße", "straße"),
        ("日本語", "日本語"),
        ("ÄrzteHaus", "ärzte_haus"),
        ("EMPNO", "empno"),
        ("JMdict", "jmdict"),
        ("XPath", "xpath"),
        ("resultURLs", "result_urls"),
        ("PDBxThing", "pdbx_thing"),
    ],
)
def test_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("artists", "artist"),
        ("categories", "category"),
        ("releases", "release"),
        ("boxes", "box"),
        ("batches", "batch"),
        ("caches", "cache"),
        ("statuses", "status"),
        ("aliases", "alias"),
        ("addresses", "address"),
        ("houses", "house"),
        ("causes", "cause"),
        ("children", "child"),
        ("people", "person"),
        ("address", "address"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("series", "series"),
        ("movies", "movie"),
        ("sub_tracks", "sub_track"),
        ("ties", "tie"),
        ("gas", "gas"),
        ("data", "data"),
    ],
)
def test_singular(name: str, expected: str) -> None:
    assert singular(name) == expected


def test_plurals_of() -> None:
    assert is_plural_of("artists", "artist")
    assert is_plural_of("author_list", "author")
    assert not is_plural_of("ages", "e")
    assert not is_plural_of("tag", "tag")
    assert is_plural_of("contact_group", "contact")
    assert not is_plural_of("age_group", "person")


def test_shortened_names_keep_their_beginning_and_differ() -> None:
    one, two = shortened("x" * 100 + "1"), shortened("x" * 100 + "2")
    assert one != two
    assert one.startswith("xxx")
    assert len(one) == 63
    assert len(shortened("日" * 50).encode()) <= 63
    assert shortened("short") == "short"

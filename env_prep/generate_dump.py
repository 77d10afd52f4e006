"""Makes XML dumps: the same bytes for the same kind, size and seed, on every machine. Standard library only.

    python env_prep/generate_dump.py nested --size 200MB --output releases.xml.gz

Kinds:
    catalog         a small music catalogue: labels and releases with artists, genres, tracks and sub-tracks; clean
    catalog-dirty   the same with records that are broken in every way a dump is broken in practice
    nested          like the releases of Discogs: some 34 elements and 5 rows (of 5 tables) in a kilobyte
    flat            like the posts of Stack Exchange: one element a record, all values in attributes, escaped HTML
    wide-paths      like an archive of forms: 100 kinds of records with 99 elements each, 10,000 paths in all

The large kinds put each record together from pools of ready pieces: 200 MB take seconds, records still differ.
One file, however long, so that it can be copied elsewhere and run by itself.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape, quoteattr

_UNITS = {"GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1, "": 1}
_WRITE_BYTES = 1 << 20


def _words(text: str) -> list[str]:
    return text.split("|")


# A little world: every name is made up. Letters of many scripts (2 to 4 bytes each in UTF-8), `&` and `<` are wanted.
# ruff: noqa: RUF001
_FIRST = _words("Amber|Blue|Crooked|Distant|Electric|Frozen|Golden|Little|Midnight|Paper|Quiet|Red|Salt|Silver|Wild")
_SECOND = _words("Anchor|Birds|Comet|Døgn|Engine|Forest|Garden|Harbour|Île|Kıyı|Lantern|Meadow|Öresund|River|Żuraw")
_PLACES = _words("Aarhus|Brno|Cádiz|Dakar|Évora|Fez|Göteborg|İzmir|Kraków|Lviv|Malmö|Nara|Oulu|Porto|Tromsø|Zürich")
_PEOPLE = _words(
    "Ada Nightingale|Bashō Tanaka|Chloé Lefèvre|Dag Øverland|Elif Yıldız|Fyodor Ветров|Gráinne Ní Bhriain|Hana 小林"
    "|Íñigo Peña|Jóhanna Þórsdóttir|Kwame Asante|Λυδία Μακρή|Miguel Muñoz|Nour الهادي|Oskar Žák|Priya Sundaram"
    "|Renée & Sons|Søren Ågård|The <Angle> Brackets|Umi 🌊|Vera Šimková|Wim van Dijk|Zoë Quartet|山田 花子"
)
_GENRES = _words("Ambient|Baroque|Chanson|Drone|Electronic|Fado|Folk|Funk & Soul|Jazz|Lullaby|Polka|Rock|Tango")
_COUNTRIES = _words("Argentina|Côte d'Ivoire|Denmark|Iceland|Japan|Portugal|Sweden|Türkiye|UK|US")
_ROLES = _words("Composed By|Guitar|Mastered By|Mixed By|Photography By|Piano|Producer|Recorded By|Vocals|Written-By")
_FORMATS = _words("Cassette|CD|File|Vinyl")
_QUALITIES = _words("Correct|Needs Vote|Complete and Correct")
_SENTENCES = _words(
    "Recorded in one evening, with the windows open.|The tape was found in an attic & restored by hand."
    "|Limited to 500 copies; the sleeve was printed in “midnight” blue.|If a < b, the b-side is longer."
    "|Für Freunde von Regen, Tee und langen Zügen.|海の音が聞こえます。|Side B plays at 45 rpm.|Pour les nuits d’été."
    "|Thanks to everyone at the harbour café.|Played on instruments that were built for this album."
)
_LABELS = (
    ("L01", "Lantern & Tide", "Dakar", 1987),
    ("L02", "Nordlys Optagelser", "Tromsø", 1994),
    ("L03", "夜汽車レコード", "Nara", 2003),
    ("L04", "Discos del Faro", "Cádiz", 1979),
    ("L05", "Żuraw", "Kraków", 2011),
)


Write = Callable[[bytes], object]


@dataclass(frozen=True)
class Kind:
    """What a dump is made of: ``head``, records (there is always one more), ``tail``."""

    head: str
    records: Callable[[Random], Iterator[bytes]]
    tail: str
    size: int
    """Default size in bytes."""


def write_dump(kind: str, write: Write, *, size: int | None = None, seed: int = 1) -> int:
    """Write a dump of at least `size` bytes (it ends with the record that reaches them); return its records."""
    spec = KINDS[kind]
    wanted = spec.size if size is None else size
    written = len(spec.head.encode())
    buffer = bytearray(spec.head.encode())
    records = 0
    for record in spec.records(Random(seed)):
        buffer += record
        written += len(record)
        records += 1
        if len(buffer) >= _WRITE_BYTES:
            write(bytes(buffer))
            buffer.clear()
        if written >= wanted:
            break
    write(bytes(buffer) + spec.tail.encode())
    return records


# --- catalog -----------------------------------------------------------------------------------------------------


def _catalog_head() -> str:
    labels = "".join(
        f'    <label id="{key}" founded="{year}">\n'
        f"      <name>{escape(name)}</name>\n"
        f"      <city>{city}</city>\n"
        "    </label>\n"
        for key, name, city, year in _LABELS
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<!DOCTYPE catalogue [\n"
        '  <!ENTITY house "Lantern &#38;amp; Tide">\n'
        '  <!ENTITY live "recorded live">\n'
        "]>\n"
        "<!-- A made-up catalogue. <release> in a comment is not a release. -->\n"
        '<catalogue updated="2026-03-14">\n'
        f"  <labels>\n{labels}  </labels>\n"
        "  <releases>\n"
    )


def _catalog(rng: Random) -> Iterator[bytes]:
    for number in count(1001):
        yield _catalog_release(rng, number).encode()


def _catalog_release(rng: Random, number: int) -> str:
    first, second = rng.choice(_FIRST), rng.choice(_SECOND)
    lines = [f'    <release id="{number}" status="{rng.choice(["Accepted", "Accepted", "Draft"])}">']
    lines += [f"      <title>{first} {second}</title>"]
    lines += ["      <artists>", *_catalog_artists(rng, rng.randint(1, 3), "        "), "      </artists>"]
    label = rng.choice(_LABELS)
    lines += [f'      <label ref="{label[0]}" catno="{label[0]}-{rng.randint(1, 999):03}"/>']
    lines += ["      <genres>"]
    lines += [f"        <genre>{escape(genre)}</genre>" for genre in rng.sample(_GENRES, rng.randint(1, 3))]
    lines += ["      </genres>"]
    if rng.random() < 0.9:
        year, month, day = rng.randint(1979, 2025), rng.randint(1, 12), rng.randint(1, 28)
        lines += [f"      <released>{year}-{month:02}-{day:02}</released>"]
    lines += [f'      <price currency="EUR">{rng.randint(5, 60)}.{rng.choice(["00", "50", "90"])}</price>']
    lines += [f'      <rating votes="{rng.randint(0, 900)}">{rng.randint(100, 500) / 100:.2f}</rating>']
    lines += [_catalog_notes(rng)]
    lines += ["      <tracklist>"]
    for place in range(1, rng.randint(3, 8)):
        lines += _catalog_track(rng, place)
    lines += ["      </tracklist>", "    </release>", ""]
    return "\n".join(lines)


def _catalog_artists(rng: Random, many: int, indent: str) -> list[str]:
    chosen = rng.sample(range(len(_PEOPLE)), many)
    return [
        f'{indent}<artist id="{who + 1}"><name>{escape(_PEOPLE[who])}</name><role>{rng.choice(_ROLES)}</role></artist>'
        for who in chosen
    ]


def _catalog_notes(rng: Random) -> str:
    sentence = rng.choice(_SENTENCES)
    return "      " + rng.choice(
        (
            f"<notes>{escape(sentence)}</notes>",
            f"<notes><![CDATA[{sentence} <b>Not</b> a tag: </release>]]></notes>",
            "<notes>A session at &house;, &live; in " + rng.choice(_PLACES) + ". &#9834;</notes>",
            "<!-- no notes yet: </release> -->",
        )
    )


def _catalog_track(rng: Random, place: int) -> list[str]:
    position = f"{'AB'[place > 4]}{place}"
    lines = [f'        <track position="{position}">']
    lines += [
        f"          <title>{rng.choice(_SECOND)} {rng.choice(('in', 'über', '&amp;'))} {rng.choice(_PLACES)}</title>"
    ]
    lines += [f"          <duration>00:{rng.randint(0, 12):02}:{rng.randint(0, 59):02}</duration>"]
    if rng.random() < 0.4:
        lines += ["          <artists>", *_catalog_artists(rng, rng.randint(1, 2), " " * 12), "          </artists>"]
    if rng.random() < 0.15:
        lines += ["          <sub_tracks>"]
        lines += [
            f'            <track position="{position}.{letter}"><title>{rng.choice(_FIRST)} Interlude</title></track>'
            for letter in "abc"[: rng.randint(2, 3)]
        ]
        lines += ["          </sub_tracks>"]
    return [*lines, "        </track>"]


# --- catalog-dirty -----------------------------------------------------------------------------------------------

# What a clean record gets in place of what matches; each kind of dirt is used twice.
_DIRT = (
    (rb"</tracklist>(?=\s*</release>\s*\Z)", b"</trackslit>"),
    (rb"<title>", b"<title>Rock & Roll: "),
    (rb"<title>", b"<title>&nightjar; "),
    (rb"<title>", b"<title>Bell\x07 "),
    (rb"<title>", b"<title>Caf\xe9 "),
    (rb"<released>[^<]*", b"<released>1999-02-30"),
    (rb'votes="[^"]*"', b'votes="99999999999"'),
    (rb'(?<=currency="EUR">)[^<]*', b"about 12"),
    (rb' id="[^"]*"', b""),
    (rb"</release>\s*\Z", b"\n"),
) * 2
_DIRT_EVERY = 11


def _catalog_dirty(rng: Random) -> Iterator[bytes]:
    waiting = list(_DIRT)
    for number, record in enumerate(_catalog(rng), 1):
        if waiting and number % _DIRT_EVERY == 0:
            # A record without the place for it (some have no date) leaves the dirt to the next one.
            dirty, done = re.subn(waiting[0][0], waiting[0][1], record, count=1)
            del waiting[:done]
            yield dirty
        else:
            yield record


# --- nested ------------------------------------------------------------------------------------------------------

_POOL = 4096


def _nested(rng: Random) -> Iterator[bytes]:
    artists = [_nested_artist(rng) for _ in range(_POOL)]
    labels = [_nested_label(rng) for _ in range(_POOL)]
    tracks = [
        f"</position><title>{_title(rng)}</title><duration>{rng.randint(0, 12)}:{rng.randint(0, 59):02}</duration>"
        for _ in range(_POOL)
    ]
    middles = [_nested_middle(rng) for _ in range(_POOL)]
    titles = [_title(rng) for _ in range(_POOL)]
    positions = [f"<track><position>{'ABCD'[place // 6 % 4]}{place % 6 + 1}" for place in range(24)]

    def pick(pool: list[str], bits: int) -> str:
        return pool[bits % _POOL]

    for number in count(1):
        # One draw of many bits a record: picking from it is several times faster than a draw for each piece.
        bits = rng.getrandbits(512)
        parts = [f'<release id="{number}" status="Accepted"><artists>', pick(artists, bits)]
        if bits >> 12 & 7 == 0:
            parts.append(pick(artists, bits >> 15))
        parts += ["</artists><title>", pick(titles, bits >> 27), "</title><labels>", pick(labels, bits >> 39)]
        if bits >> 51 & 7 == 0:
            parts.append(pick(labels, bits >> 54))
        parts += ["</labels>", pick(middles, bits >> 66)]
        parts.append(
            f'<master_id is_main_release="{"true" if bits >> 78 & 1 else "false"}">{bits >> 79 & 0xFFFFF}</master_id>'
        )
        parts.append("<tracklist>")
        for place in range(3 + (bits >> 99) % 13):
            mine = bits >> 103 + 25 * place
            parts += [positions[place], pick(tracks, mine)]
            if mine >> 12 & 7 == 0:
                parts += ["<artists>", pick(artists, mine >> 13), "</artists>"]
            parts.append("</track>")
        parts.append("</tracklist></release>\n")
        yield "".join(parts).encode()


def _title(rng: Random) -> str:
    words = [rng.choice(_FIRST), rng.choice(_SECOND), rng.choice(("of", "&", "und", "–", "в")), rng.choice(_PLACES)]
    text = escape(" ".join(words[: rng.choice((1, 2, 2, 4))]))
    # The dumps of Discogs once held numeric references for every letter beyond ASCII; parsers must know both forms.
    return text.encode("ascii", "xmlcharrefreplace").decode() if rng.random() < 0.5 else text


def _nested_label(rng: Random) -> str:
    name, catno = quoteattr(rng.choice(_LABELS)[1]), f"{rng.choice(_FIRST)[:3].upper()} {rng.randint(1, 9999):04}"
    return f'<label name={name} catno="{catno}" id="{rng.randint(1, 900_000)}"/>'


def _nested_artist(rng: Random) -> str:
    number = rng.randint(1, 9_000_000)
    name = escape(rng.choice(_PEOPLE)) + rng.choice(("", "", f" ({rng.randint(2, 9)})"))
    variation = f"<anv>{escape(name.split()[0])}</anv>" if rng.random() < 0.2 else "<anv/>"
    join = rng.choice(("<join/>", "<join/>", "<join>&amp;</join>", "<join>feat.</join>"))
    return f"<artist><id>{number}</id><name>{name}</name>{variation}{join}<role/><tracks/></artist>"


def _nested_middle(rng: Random) -> str:
    guests = [_nested_artist(rng) for _ in range(rng.choice((0, 0, 1)))]
    extra = "".join(guest.replace("<role/>", f"<role>{rng.choice(_ROLES)}</role>") for guest in guests)
    genres = "".join(f"<genre>{escape(genre)}</genre>" for genre in rng.sample(_GENRES, rng.randint(1, 2)))
    styles = "".join(f"<style>{escape(genre)}</style>" for genre in rng.sample(_GENRES, rng.randint(0, 2)))
    date = rng.choice(("{y}", "{y}-{m:02}-{d:02}", "{y}-{m:02}-00", "")).format(
        y=rng.randint(1950, 2025), m=rng.randint(1, 12), d=rng.randint(1, 28)
    )
    notes = escape("\n\n".join(rng.sample(_SENTENCES, rng.randint(1, 3)))) if rng.random() < 0.5 else ""
    images = "".join(
        f'<image type="{kind}" uri="" uri150="" width="600" height="{rng.randint(300, 600)}"/>'
        for kind in ("primary", "secondary")[: rng.randint(1, 2)]
    )
    video = f"https://video.example/watch?v={rng.getrandbits(64):016x}"
    return (
        f"<images>{images}</images><extraartists>{extra}</extraartists>"
        f'<formats><format name="{rng.choice(_FORMATS)}" qty="{rng.randint(1, 3)}" text=""><descriptions>'
        f"<description>{rng.choice(('LP', '12&quot;', 'Album', 'Single'))}</description>"
        f"<description>33 &#8531; RPM</description></descriptions></format></formats>"
        f"<genres>{genres}</genres><styles>{styles}</styles>"
        f"<country>{rng.choice(_COUNTRIES)}</country><released>{date}</released><notes>{notes}</notes>"
        f"<data_quality>{rng.choice(_QUALITIES)}</data_quality><identifiers>"
        f'<identifier type="Matrix / Runout" description="Side A" value="{rng.randint(1, 99_999)} A1"/></identifiers>'
        f'<videos><video src="{video}" duration="{rng.randint(60, 600)}" embed="true"><title>{_title(rng)}</title>'
        f"<description>{escape(' '.join(rng.choices(_SENTENCES, k=4)))}</description></video></videos>"
    )


# --- flat --------------------------------------------------------------------------------------------------------


def _flat(rng: Random) -> Iterator[bytes]:
    bodies = [_flat_body(rng) for _ in range(_POOL)]
    titles = [quoteattr(f"How do I tune a {rng.choice(_FIRST)} {rng.choice(_SECOND)}?") for _ in range(_POOL)]
    tags = [
        quoteattr("".join(f"<{word.lower()}>" for word in rng.sample(_FIRST, rng.randint(1, 4)))) for _ in range(_POOL)
    ]
    days = [
        f"{year}-{month:02}-{day:02}T" for year in range(2010, 2025) for month in range(1, 13) for day in range(1, 29)
    ]
    for number in count(1):
        bits = rng.getrandbits(256)
        day = days[number // 40 % len(days)]
        time = f"{bits % 24:02}:{(bits >> 5) % 60:02}:{(bits >> 11) % 60:02}.{(bits >> 17) % 1000:03}"
        question = bits >> 27 & 1
        parts = [f'  <row Id="{number}" PostTypeId="{2 - question}"']
        if question and bits >> 28 & 1:
            parts.append(f' AcceptedAnswerId="{number + (bits >> 29 & 63) + 1}"')
        elif not question:
            parts.append(f' ParentId="{max(1, number - (bits >> 29 & 63))}"')
        parts.append(f' CreationDate="{day}{time}" Score="{(bits >> 35 & 127) - 8}"')
        if question:
            parts.append(f' ViewCount="{bits >> 42 & 0xFFFF}"')
        parts += [' Body="', bodies[(bits >> 58) % _POOL], f'" OwnerUserId="{bits >> 70 & 0xFFFFF}"']
        parts.append(f' LastActivityDate="{day}{time}"')
        if question:
            parts += [f" Title={titles[(bits >> 90) % _POOL]} Tags={tags[(bits >> 102) % _POOL]}"]
            parts.append(f' AnswerCount="{bits >> 114 & 7}"')
        parts.append(f' CommentCount="{bits >> 117 & 15}" ContentLicense="CC BY-SA 4.0" />\n')
        yield "".join(parts).encode()


_PARAGRAPHS = (
    "<p>{}</p>\n",
    '<p>See <a href="https://example.org/?a=1&amp;b=2">{}</a></p>\n',
    "<pre><code>{}\n</code></pre>\n",
)


def _flat_body(rng: Random) -> str:
    texts = [escape(" ".join(rng.choices(_SENTENCES, k=rng.randint(1, 3)))) for _ in range(rng.randint(1, 5))]
    html = "\n".join(rng.choice(_PARAGRAPHS).format(text) for text in texts)
    return escape(html, {'"': "&quot;", "\n": "&#xA;"})


# --- wide-paths --------------------------------------------------------------------------------------------------

_FORMS, _SECTIONS = 100, 9
_FIELDS = _words(
    "amount_paid|begin_date|contact_person|description|fee_rate|gross_income|hearing_date|issued_by|legal_name|net_share"
)
_SECTION_POOL = 16


def _wide_paths(rng: Random) -> Iterator[bytes]:
    sections = [
        [[_wide_section(rng, section) for _ in range(_SECTION_POOL)] for section in range(_SECTIONS)]
        for _ in range(_FORMS)
    ]
    for number in count(1):
        bits = rng.getrandbits(128)
        # Every kind comes early and again and again, but not in turn.
        form = number % _FORMS if number <= _FORMS else bits % _FORMS
        parts = [f'<form{form:02} id="{number}">']
        for section, pool in enumerate(sections[form]):
            mine = bits >> 16 + 8 * section
            if mine & 7 or number <= _FORMS:
                parts.append(pool[mine >> 3 & _SECTION_POOL - 1])
        parts.append(f"</form{form:02}>\n")
        yield "".join(parts).encode()


def _wide_section(rng: Random, section: int) -> str:
    values = (
        lambda: str(rng.randint(1, 10**6)),
        lambda: f"{rng.randint(1979, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        lambda: escape(rng.choice(_PEOPLE)),
        lambda: f"{rng.choice(_FIRST)} {rng.choice(_SECOND)}",
        lambda: f"{rng.randint(0, 9999) / 100:.2f}",
    )
    # Which kind of value a field has depends on its place alone.
    fields = "".join(
        f"<{name}_{section}>{values[place % len(values)]()}</{name}_{section}>\n" for place, name in enumerate(_FIELDS)
    )
    return f"<section_{section}>\n{fields}</section_{section}>\n"


KINDS = {
    "catalog": Kind(_catalog_head(), _catalog, "  </releases>\n</catalogue>\n", 400_000),
    "catalog-dirty": Kind(_catalog_head(), _catalog_dirty, "  </releases>\n</catalogue>\n", 400_000),
    "nested": Kind("<releases>\n", _nested, "</releases>\n", 200 * 10**6),
    "flat": Kind('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n', _flat, "</posts>\n", 200 * 10**6),
    "wide-paths": Kind("<forms>\n", _wide_paths, "</forms>\n", 100 * 10**6),
}


# --- command line ------------------------------------------------------------------------------------------------


def parse_size(text: str) -> int:
    """Bytes from ``200MB``, ``1.5GB`` or ``4096`` (decimal units); raises ArgumentTypeError on anything else."""
    digits = text.strip().upper()
    for unit, factor in _UNITS.items():
        number = digits.removesuffix(unit) if unit else digits
        if digits.endswith(unit) and number.replace(".", "", 1).strip().isdecimal():
            return round(float(number) * factor)
    raise argparse.ArgumentTypeError(f"{text!r} is not a size; write it like 200MB, 1.5GB or 4096.")


@contextmanager
def open_output(path: str) -> Iterator[Write]:
    """What writes to `path`: ``-`` is standard output; a name that ends in ``.gz`` is compressed, without a time."""
    if path == "-":
        yield sys.stdout.buffer.write
        return
    with Path(path).open("wb") as file:
        if path.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
                yield packed.write
        else:
            yield file.write


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "--size", type=parse_size, help="uncompressed, as in 200MB (default: 200MB; wide-paths 100MB, catalogues 400KB)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, another dump (default: 1)")
    parser.add_argument("--output", default="-", help="file, compressed if it ends in .gz (default: standard output)")
    options = parser.parse_args(arguments)
    try:
        with open_output(options.output) as write:
            records = write_dump(options.kind, write, size=options.size, seed=options.seed)
    except OSError as error:
        print(f"Cannot write {options.output}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{options.kind}: {records} records", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

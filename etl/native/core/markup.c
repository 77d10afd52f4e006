/* Reads what is no tag: character data, references, comments, CDATA sections, processing instructions. */
#include <string.h>

#include "chars.h"
#include "scanner.h"

static const uint8_t LINE_END[1] = {'\n'};

/* Pass over bytes of that class, and over characters that are not ASCII; DECLINED where one is no Char. */
static inline etl_status pass(etl_scanner *scanner, uint8_t byte_class)
{
    const uint8_t *at = scanner->at, *end = scanner->end;
    for (;;) {
        while (at < end && (etl_byte_class[*at] & byte_class))
            at++;
        if (at == end || *at < 0x80)
            break;
        size_t size = etl_char_size(at, end);
        if (size == 0) {
            scanner->at = at;
            return etl_decline(scanner, "bytes that are no UTF-8, or a character that XML does not allow");
        }
        at += size;
    }
    scanner->at = at;
    return ETL_OK;
}

static int starts_with(const uint8_t *at, size_t left, const char *text, size_t size)
{
    size_t i = 0;
    while (i < size && i < left && at[i] == (uint8_t)text[i])
        i++;
    return i == size;
}

/* Production 68, for the five entities that need no declaration: the bytes of the reference, 0 where it is another. */
static size_t known_entity(const uint8_t *at, size_t left, const char **stands_for)
{
    switch (left > 2 ? at[1] : 0) {
    case 'l':
        *stands_for = "<";
        return starts_with(at, left, "&lt;", 4) ? 4 : 0;
    case 'g':
        *stands_for = ">";
        return starts_with(at, left, "&gt;", 4) ? 4 : 0;
    case 'q':
        *stands_for = "\"";
        return starts_with(at, left, "&quot;", 6) ? 6 : 0;
    case 'a':
        *stands_for = at[2] == 'm' ? "&" : "'";
        return starts_with(at, left, "&amp;", 5) ? 5 : starts_with(at, left, "&apos;", 6) ? 6 : 0;
    default:
        return 0;
    }
}

/* Production 68, for the others: those that are known to be text alone. */
static etl_status read_declared(etl_scanner *scanner, etl_text *text)
{
    const uint8_t *name = scanner->at + 1, *at = name, *end = scanner->end;
    while (at < end && etl_byte_class[*at] & ETL_NAME_BYTE)
        at++;
    const etl_entity *entity = NULL;
    if (at < end && *at == ';')
        entity = etl_entity_find(scanner->entities, scanner->entity_count, (etl_text){name, (uint32_t)(at - name)});
    if (entity == NULL)
        return etl_decline(scanner, "an entity that is not declared, or is not text alone");
    scanner->entity_cost += entity->cost;
    if (scanner->entity_cost > ETL_MOST_ENTITY_COST)
        return etl_decline(scanner, "a record with very many references to entities");
    *text = entity->text;
    scanner->at = at + 1;
    return ETL_OK;
}

/* Productions 66 and 68. */
etl_status etl_read_reference(etl_scanner *scanner, uint8_t *room, etl_text *text)
{
    const char *stands_for;
    size_t known = known_entity(scanner->at, (size_t)(scanner->end - scanner->at), &stands_for);
    if (known) {
        scanner->at += known;
        *text = (etl_text){(const uint8_t *)stands_for, 1};
        return ETL_OK;
    }
    const uint8_t *at = scanner->at + 1, *end = scanner->end;
    if (at == end || *at != '#')
        return read_declared(scanner, text);
    at++;
    int hexadecimal = at < end && *at == 'x';
    at += hexadecimal;
    uint32_t code = 0, base = hexadecimal ? 16 : 10;
    const uint8_t *first = at;
    for (; at < end && *at != ';'; at++) {
        uint32_t digit = *at >= '0' && *at <= '9'   ? (uint32_t)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (uint32_t)(*at - 'a' + 10)
                         : *at >= 'A' && *at <= 'F' ? (uint32_t)(*at - 'A' + 10)
                                                    : base;
        if (digit >= base || code > 0x10FFFF)
            return etl_decline(scanner, "an ill-formed character reference");
        code = code * base + digit;
    }
    if (at == end || at == first || !etl_is_char(code))
        return etl_decline(scanner, "a reference to a character that XML does not allow");
    *text = (etl_text){room, (uint32_t)etl_write_char(code, room)};
    scanner->at = at + 1;
    return ETL_OK;
}

/* XML 1.0, 2.11: "\r\n" and "\r" alone are line feeds. At a carriage return. */
static void pass_line_end(etl_scanner *scanner)
{
    scanner->at++;
    if (scanner->at < scanner->end && *scanner->at == '\n')
        scanner->at++;
}

/* Room for a character that stays as long as the rows do; NULL where there is no memory. */
static uint8_t *room_for_character(etl_scanner *scanner)
{
    enum { AT_ONCE = 4096, MOST = 4 };
    if (scanner->characters_left < MOST) {
        scanner->characters = etl_arena_take(&scanner->arena, AT_ONCE);
        if (scanner->characters == NULL)
            return NULL;
        scanner->characters_left = AT_ONCE;
    }
    return scanner->characters;
}

static etl_status read_referred(etl_scanner *scanner)
{
    uint8_t *room = room_for_character(scanner);
    etl_text text;
    if (room == NULL)
        return ETL_NOMEM;
    etl_status status = etl_read_reference(scanner, room, &text);
    if (status == ETL_OK && text.at == room) {
        scanner->characters += text.size;
        scanner->characters_left -= text.size;
    }
    return status == ETL_OK ? etl_gather_text(scanner, text.at, text.size) : status;
}

/* Production 14, CharData, and references; up to the next "<". */
etl_status etl_read_text(etl_scanner *scanner)
{
    while (scanner->at < scanner->end && *scanner->at != '<') {
        const uint8_t *first = scanner->at;
        etl_status status = pass(scanner, ETL_PLAIN_TEXT);
        while (status == ETL_OK && scanner->at < scanner->end && *scanner->at == ']') {
            if (scanner->end - scanner->at > 2 && scanner->at[1] == ']' && scanner->at[2] == '>')
                return etl_decline(scanner, "]]> in text");
            scanner->at++;
            status = pass(scanner, ETL_PLAIN_TEXT);
        }
        if (status == ETL_OK)
            status = etl_gather_text(scanner, first, (size_t)(scanner->at - first));
        if (status != ETL_OK || scanner->at == scanner->end || *scanner->at == '<')
            return status;
        if (*scanner->at == '&') {
            status = read_referred(scanner);
        } else if (*scanner->at == '\r') {
            pass_line_end(scanner);
            status = etl_gather_text(scanner, LINE_END, 1);
        } else {
            return etl_decline(scanner, "a character that XML does not allow");
        }
        if (status != ETL_OK)
            return status;
    }
    return ETL_OK;
}

static int ahead(const etl_scanner *scanner, const char *text, size_t size)
{
    return (size_t)(scanner->end - scanner->at) >= size && memcmp(scanner->at, text, size) == 0;
}

/* Whether "-", "?" or "]" stands here, with which a terminator may begin. */
static int may_end(const etl_scanner *scanner)
{
    return scanner->at < scanner->end && (*scanner->at == '-' || *scanner->at == '?' || *scanner->at == ']');
}

/* Go on to `terminator`, over Chars alone; of a CDATA section they are text. */
static etl_status pass_to(etl_scanner *scanner, const char *terminator, size_t size, int is_text)
{
    for (;;) {
        const uint8_t *first = scanner->at;
        etl_status status = pass(scanner, ETL_PLAIN_SPECIAL);
        while (status == ETL_OK && may_end(scanner) && !ahead(scanner, terminator, size)) {
            scanner->at++;
            status = pass(scanner, ETL_PLAIN_SPECIAL);
        }
        if (status == ETL_OK && is_text)
            status = etl_gather_text(scanner, first, (size_t)(scanner->at - first));
        if (status != ETL_OK || ahead(scanner, terminator, size))
            return status;
        if (scanner->at == scanner->end)
            return etl_decline(scanner, "a comment, CDATA section or processing instruction without its end");
        if (*scanner->at != '\r')
            return etl_decline(scanner, "a character that XML does not allow");
        pass_line_end(scanner);
        if (is_text && (status = etl_gather_text(scanner, LINE_END, 1)) != ETL_OK)
            return status;
    }
}

/* Production 15: no "--" inside, nor a "-" before the end. */
static etl_status read_comment(etl_scanner *scanner)
{
    scanner->at += 4;
    etl_status status = pass_to(scanner, "--", 2, 0);
    if (status == ETL_OK && !ahead(scanner, "-->", 3))
        status = etl_decline(scanner, "-- in a comment");
    if (status == ETL_OK)
        scanner->at += 3;
    return status;
}

/* Production 16; a target with a colon, or like "xml", is for libxml2 to judge. */
static etl_status read_instruction(etl_scanner *scanner)
{
    scanner->at += 2;
    const uint8_t *target = scanner->at;
    while (scanner->at < scanner->end && etl_byte_class[*scanner->at] & ETL_NAME_BYTE)
        scanner->at++;
    size_t size = (size_t)(scanner->at - target);
    if (!etl_is_ncname(target, size) || size > ETL_NAME_BYTES_LIMIT ||
        (size == 3 && (target[0] | 32) == 'x' && (target[1] | 32) == 'm' && (target[2] | 32) == 'l'))
        return etl_decline(scanner, "a processing instruction with an unusual target");
    if (!ahead(scanner, "?>", 2) && (scanner->at == scanner->end || !(etl_byte_class[*scanner->at] & ETL_SPACE)))
        return etl_decline(scanner, "a processing instruction without white space behind its target");
    etl_status status = pass_to(scanner, "?>", 2, 0);
    if (status == ETL_OK)
        scanner->at += 2;
    return status;
}

/* Production 18; it may stand in elements only. */
static etl_status read_cdata(etl_scanner *scanner)
{
    if (scanner->depth + scanner->around == 0)
        return etl_decline(scanner, "text outside of the root element");
    scanner->at += 9;
    etl_status status = pass_to(scanner, "]]>", 3, 1);
    if (status == ETL_OK)
        scanner->at += 3;
    return status;
}

etl_status etl_read_special(etl_scanner *scanner)
{
    if (ahead(scanner, "<!--", 4))
        return read_comment(scanner);
    if (ahead(scanner, "<?", 2))
        return read_instruction(scanner);
    if (ahead(scanner, "<![CDATA[", 9))
        return read_cdata(scanner);
    return etl_decline(scanner, "markup that cannot stand inside of elements");
}

/* Copy what stays as it is; `*at` is then at `end`, at a reference, or at white space to be looked at. */
static uint8_t *copy_plain(const uint8_t **at, const uint8_t *end, uint8_t *out)
{
    const uint8_t *first = *at, *last = first;
    while (last < end && *last != '&' && *last >= 0x20)
        last++;
    memcpy(out, first, (size_t)(last - first));
    *at = last;
    return out + (last - first);
}

etl_status etl_normalise(etl_scanner *scanner, etl_scanned_attribute *attribute)
{
    if (!attribute->has_breaks)
        return ETL_OK;
    uint8_t *first = etl_arena_take(&scanner->arena, (size_t)attribute->value.size + attribute->longer), *out = first;
    if (out == NULL)
        return ETL_NOMEM;
    const uint8_t *before = scanner->at, *end = scanner->end;
    etl_status status = ETL_OK;
    scanner->at = attribute->value.at;
    scanner->end = scanner->at + attribute->value.size;
    for (;;) {
        out = copy_plain(&scanner->at, scanner->end, out);
        if (scanner->at == scanner->end)
            break;
        if (*scanner->at == '&') {
            uint8_t room[4];
            etl_text text;
            status = etl_read_reference(scanner, room, &text);
            if (status != ETL_OK)
                break;
            memcpy(out, text.at, text.size);
            out += text.size;
        } else {
            /* A tab, a line feed, a carriage return, or the last two as one. */
            if (*scanner->at == '\r')
                pass_line_end(scanner);
            else
                scanner->at++;
            *out++ = ' ';
        }
    }
    scanner->at = before;
    scanner->end = end;
    attribute->value = (etl_text){first, (uint32_t)(out - first)};
    attribute->has_breaks = 0;
    return status;
}

/* Reads start tags and end tags: names, attributes, namespaces (XML 1.0, productions 40 to 44; Namespaces in XML 1.0). */
#include <string.h>

#include "chars.h"
#include "scanner.h"

static const char XMLNS_URI[] = "http://www.w3.org/2000/xmlns/";

static void pass_space(etl_scanner *scanner)
{
    while (scanner->at < scanner->end && etl_byte_class[*scanner->at] & ETL_SPACE)
        scanner->at++;
}

static int is_name_byte(uint8_t byte)
{
    return (etl_byte_class[byte] & ETL_NAME_BYTE) != 0;
}

/* Whether the bytes at `at` are this name, and the name ends there. */
static int is_name(const etl_name *name, const uint8_t *at, const uint8_t *end)
{
    if ((size_t)(end - at) <= name->size || is_name_byte(at[name->size]))
        return 0;
    if (name->size <= 8 && end - at >= 8) {
        static const uint8_t ones[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
        uint64_t head, mask;
        memcpy(&head, at, 8);
        memcpy(&mask, ones + 8 - name->size, 8);
        return (head & mask) == name->head;
    }
    return memcmp(name->text, at, name->size) == 0;
}

/* A QName; what follows it is no part of a name. */
static etl_status read_name(etl_scanner *scanner, uint32_t *number)
{
    etl_name *names = scanner->names.names;
    if (scanner->names.count) {
        uint32_t guess = names[scanner->last_name].follower;
        if (is_name(&names[guess], scanner->at, scanner->end)) {
            scanner->at += names[guess].size;
            *number = scanner->last_name = guess;
            return ETL_OK;
        }
    }
    const uint8_t *at = scanner->at;
    while (at < scanner->end && is_name_byte(*at))
        at++;
    if (at == scanner->end)
        return etl_decline(scanner, "a tag without its end");
    etl_status status = etl_names_number(&scanner->names, scanner->at, (size_t)(at - scanner->at), number);
    if (status == ETL_DECLINED)
        return etl_decline(scanner, "an ill-formed name, or too many names");
    if (status != ETL_OK)
        return status;
    scanner->names.names[scanner->last_name].follower = *number;
    scanner->last_name = *number;
    scanner->at = at;
    return ETL_OK;
}

/* Production 10, at the opening quote. */
static etl_status read_value(etl_scanner *scanner, etl_scanned_attribute *attribute)
{
    if (scanner->at == scanner->end || (*scanner->at != '"' && *scanner->at != '\''))
        return etl_decline(scanner, "an attribute without quotes");
    const uint8_t quote = *scanner->at++;
    const uint8_t *first = scanner->at, *end = scanner->end;
    attribute->has_breaks = 0;
    attribute->longer = 0;
    while (scanner->at < end) {
        const uint8_t *at = scanner->at;
        while (at < end && etl_byte_class[*at] & ETL_PLAIN_VALUE)
            at++;
        scanner->at = at;
        if (at == end)
            break;
        if (*at == quote) {
            attribute->value = (etl_text){first, (uint32_t)(at - first)};
            scanner->at++;
            return ETL_OK;
        }
        if (*at >= 0x80) {
            size_t size = etl_char_size(at, end);
            if (size == 0)
                return etl_decline(scanner, "bytes that are no UTF-8, or a character that XML does not allow");
            scanner->at += size;
        } else if (*at == '&') {
            uint8_t room[4];
            etl_text text;
            etl_status status = etl_read_reference(scanner, room, &text);
            if (status != ETL_OK)
                return status;
            attribute->has_breaks = 1;
            if (text.size > (size_t)(scanner->at - at))
                attribute->longer += text.size - (uint32_t)(scanner->at - at);
        } else if (etl_byte_class[*at] & ETL_SPACE) {
            scanner->at++;
            attribute->has_breaks = 1;
        } else if (*at == '"' || *at == '\'') {
            scanner->at++;
        } else {
            return etl_decline(scanner, "< or a forbidden character in an attribute");
        }
    }
    return etl_decline(scanner, "an attribute without its end");
}

static etl_status read_attribute(etl_scanner *scanner)
{
    if (scanner->found_count >= scanner->bounds.attributes)
        return etl_decline(scanner, "more attributes than limits.attributes allows");
    if (!etl_make_room(&scanner->found, scanner->found_count, &scanner->found_capacity, sizeof *scanner->found))
        return ETL_NOMEM;
    etl_scanned_attribute *attribute = &scanner->found[scanner->found_count];
    etl_status status = read_name(scanner, &attribute->name);
    if (status != ETL_OK)
        return status;
    etl_name *name = &scanner->names.names[attribute->name];
    if (name->element == scanner->element)
        return etl_decline(scanner, "an attribute that is there twice");
    name->element = scanner->element;
    attribute->uri = 0;
    pass_space(scanner);
    if (scanner->at == scanner->end || *scanner->at != '=')
        return etl_decline(scanner, "an attribute without a value");
    scanner->at++;
    pass_space(scanner);
    status = read_value(scanner, attribute);
    scanner->found_count++;
    return status;
}

static int is_letter(uint8_t byte)
{
    return (byte | 32) >= 'a' && (byte | 32) <= 'z';
}

/* A URI that nobody would doubt: letters and digits, with some punctuation. libxml2 refuses what is no URI (RFC 3986),
   and warns of one without a scheme. */
static int is_plain_uri(etl_text uri)
{
    const uint8_t *at = uri.at, *end = uri.at + uri.size;
    if (at == end || !is_letter(*at))
        return 0;
    while (at < end && (is_letter(*at) || etl_is_digit(*at)))
        at++;
    if (at == end || *at++ != ':')
        return 0;
    if (end - at > 2 && at[0] == '/' && at[1] == '/') {
        at += 2;
        if (!is_letter(*at) && !etl_is_digit(*at))
            return 0;
        while (at < end && (is_letter(*at) || etl_is_digit(*at) || *at == '.' || *at == '-'))
            at++;
        if (at < end && *at != '/' && *at != '#')
            return 0;
    } else if (at == end || (!is_letter(*at) && !etl_is_digit(*at))) {
        return 0;
    }
    int fragment = 0;
    for (; at < end; at++) {
        int again = *at == '#' && fragment;
        fragment |= *at == '#';
        if (again || !(is_letter(*at) || etl_is_digit(*at) || memchr("./:_-#", *at, 6) != NULL))
            return 0;
    }
    return 1;
}

static int is_text(etl_text text, const char *other)
{
    return etl_same_text(text, (etl_text){(const uint8_t *)other, (uint32_t)strlen(other)});
}

/* Namespaces in XML 1.0, section 3; whatever it forbids, or an unusual URI, is for libxml2 to judge. */
static etl_status bind(etl_scanner *scanner, const etl_scanned_attribute *attribute)
{
    const etl_name *name = &scanner->names.names[attribute->name];
    uint32_t prefix = name->declares, uri = 0;
    if (prefix == ETL_PREFIX_XML || prefix == ETL_PREFIX_XMLNS)
        return etl_decline(scanner, "a declaration of the prefix xml or xmlns");
    if (prefix != ETL_PREFIX_NONE || attribute->value.size) {
        if (attribute->has_breaks || !is_plain_uri(attribute->value) || is_text(attribute->value, XMLNS_URI))
            return etl_decline(scanner, "an unusual namespace");
        etl_status status = etl_names_uri(&scanner->names, attribute->value.at, attribute->value.size, &uri);
        if (status != ETL_OK)
            return status == ETL_DECLINED ? etl_decline(scanner, "too many namespaces") : status;
        if (uri == scanner->xml_uri)
            return etl_decline(scanner, "an unusual namespace");
    }
    if (!etl_make_room(&scanner->replaced, scanner->replaced_count, &scanner->replaced_capacity,
                       sizeof *scanner->replaced))
        return ETL_NOMEM;
    etl_status status = etl_room_for_prefixes(scanner);
    if (status != ETL_OK)
        return status;
    scanner->replaced[scanner->replaced_count++] = (etl_binding){prefix, scanner->bound[prefix]};
    scanner->bound[prefix] = uri;
    return ETL_OK;
}

void etl_unbind(etl_scanner *scanner, uint32_t first)
{
    while (scanner->replaced_count > first) {
        etl_binding before = scanner->replaced[--scanner->replaced_count];
        scanner->bound[before.prefix] = before.uri;
    }
}

static int declares(const etl_names *names, uint32_t number)
{
    return names->names[number].declares != ETL_NONE;
}

/* The namespace a prefix stands for. */
static etl_status resolve(etl_scanner *scanner, uint32_t prefix, uint32_t *uri)
{
    etl_status status = etl_room_for_prefixes(scanner);
    if (status != ETL_OK)
        return status;
    *uri = scanner->bound[prefix];
    return *uri == ETL_NONE ? etl_decline(scanner, "a prefix that is not declared") : ETL_OK;
}

static etl_text local_name(const etl_name *name)
{
    return (etl_text){name->text + name->local_at, name->size - name->local_at};
}

/* Of the attributes of libxml2's own (xml:id, ...) only those are plain data. */
static int is_known_xml_attribute(etl_text local)
{
    return is_text(local, "lang") || is_text(local, "space") || is_text(local, "base");
}

/* Whether an attribute before this one is the same by another prefix. */
static int is_twice(const etl_scanner *scanner, uint32_t place)
{
    const etl_scanned_attribute *found = scanner->found;
    const etl_name *names = scanner->names.names;
    for (uint32_t i = 0; i < place; i++)
        if (found[i].uri == found[place].uri &&
            etl_same_text(local_name(&names[found[i].name]), local_name(&names[found[place].name])))
            return 1;
    return 0;
}

/* Give the attributes their namespaces, and take the declarations out. */
static etl_status resolve_attributes(etl_scanner *scanner)
{
    enum { MOST_PREFIXED = 64 };
    uint32_t kept = 0, prefixed = 0;
    for (uint32_t i = 0; i < scanner->found_count; i++) {
        etl_scanned_attribute attribute = scanner->found[i];
        if (declares(&scanner->names, attribute.name))
            continue;
        const etl_name *name = &scanner->names.names[attribute.name];
        if (name->prefix != ETL_PREFIX_NONE) {
            etl_status status = resolve(scanner, name->prefix, &attribute.uri);
            if (status != ETL_OK)
                return status;
            if (attribute.uri == scanner->xml_uri && !is_known_xml_attribute(local_name(name)))
                return etl_decline(scanner, "an unusual attribute of XML's own namespace");
            if (++prefixed > MOST_PREFIXED)
                return etl_decline(scanner, "very many attributes with prefixes");
        }
        scanner->found[kept] = attribute;
        if (attribute.uri && is_twice(scanner, kept))
            return etl_decline(scanner, "an attribute that is there twice");
        kept++;
    }
    scanner->found_count = kept;
    return ETL_OK;
}

/* All after the tag's name. */
static etl_status read_attributes(etl_scanner *scanner, int *empty)
{
    int plain = 1;
    for (;;) {
        const uint8_t *before = scanner->at;
        pass_space(scanner);
        if (scanner->at == scanner->end)
            return etl_decline(scanner, "a tag without its end");
        if (*scanner->at == '>' || *scanner->at == '/')
            break;
        if (scanner->at == before)
            return etl_decline(scanner, "no white space before an attribute");
        etl_status status = read_attribute(scanner);
        if (status != ETL_OK)
            return status;
        const etl_scanned_attribute *last = &scanner->found[scanner->found_count - 1];
        if (declares(&scanner->names, last->name)) {
            status = bind(scanner, last);
            if (status != ETL_OK)
                return status;
            plain = 0;
        } else if (scanner->names.names[last->name].prefix != ETL_PREFIX_NONE) {
            plain = 0;
        }
    }
    *empty = *scanner->at == '/';
    scanner->at += *empty;
    if (scanner->at == scanner->end || *scanner->at != '>')
        return etl_decline(scanner, "a tag without its end");
    scanner->at++;
    return plain ? ETL_OK : resolve_attributes(scanner);
}

etl_status etl_read_start_tag(etl_scanner *scanner, uint32_t *name, uint32_t *uri, int *empty)
{
    scanner->at++;
    scanner->element++;
    scanner->found_count = 0;
    etl_status status = read_name(scanner, name);
    if (status != ETL_OK)
        return status;
    status = read_attributes(scanner, empty);
    if (status != ETL_OK)
        return status;
    uint32_t prefix = scanner->names.names[*name].prefix;
    if (prefix == ETL_PREFIX_XMLNS)
        return etl_decline(scanner, "an element with the prefix xmlns");
    return resolve(scanner, prefix, uri);
}

/* Production 42; its name is that of the element that is open. */
etl_status etl_read_end_tag(etl_scanner *scanner)
{
    if (scanner->depth == 0)
        return etl_decline(scanner, "an end tag without its element");
    const etl_name *name = &scanner->names.names[scanner->frames[scanner->depth - 1].name];
    scanner->at += 2;
    if (!is_name(name, scanner->at, scanner->end))
        return etl_decline(scanner, "an end tag of another element");
    scanner->at += name->size;
    pass_space(scanner);
    if (scanner->at == scanner->end || *scanner->at != '>')
        return etl_decline(scanner, "an end tag without its end");
    scanner->at++;
    return ETL_OK;
}

/* The lexical rules of numbers, as etl/mapping/numbers.py has them. By hand: strtod and printf depend on the locale. */
#include <string.h>

#include "chars.h"
#include "lexical_types.h"

static size_t digits_at(const uint8_t *text, size_t size, size_t at)
{
    size_t end = at;
    while (end < size && etl_is_digit(text[end]))
        end++;
    return end - at;
}

static uint64_t largest_of(uint32_t name)
{
    return name == ETL_TYPE_SMALLINT ? INT16_MAX : name == ETL_TYPE_INTEGER ? INT32_MAX : INT64_MAX;
}

/* [+-]?0*[0-9]+ */
etl_lexed etl_lex_integer(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    enum { MOST_DIGITS = 19 }; /* of the largest bigint; any number of so many digits fits into 64 bits */
    const int has_sign = size > 0 && (text[0] == '+' || text[0] == '-');
    const int negative = has_sign && text[0] == '-';
    size_t first = has_sign ? 1 : 0;
    if (first == size)
        return ETL_LEX_UNSURE;
    while (first + 1 < size && text[first] == '0')
        first++;
    const size_t count = size - first;
    if (count > MOST_DIGITS)
        return ETL_LEX_UNSURE;
    uint64_t number = 0;
    for (size_t at = first; at < size; at++) {
        if (!etl_is_digit(text[at]))
            return ETL_LEX_UNSURE;
        number = number * 10 + (uint64_t)(text[at] - '0');
    }
    if (number > largest_of(type->name) + (negative ? 1 : 0))
        return ETL_LEX_UNSURE;
    const int minus = negative && number != 0;
    const size_t signs = minus ? 1 : 0;
    if (first == signs && has_sign == minus)
        return ETL_LEX_SAME;
    canonical[0] = '-';
    memcpy(canonical + signs, text + first, count);
    *written = signs + count;
    return ETL_LEX_WRITTEN;
}

/* A number's digits without its point, and how many of them stand before the point once the exponent is applied: may
   be less than none or more than there are, zeros stand there then. */
typedef struct {
    const uint8_t *whole;
    int64_t whole_size;
    const uint8_t *fraction;
    int64_t size; /* of both */
    int64_t point;
    int negative;
    int as_it_stands; /* neither a plus sign, nor an exponent, nor a point without digits at both sides */
} decimal;

static uint8_t digit_of(const decimal *number, int64_t at)
{
    if (at < 0 || at >= number->size)
        return '0';
    return at < number->whole_size ? number->whole[at] : number->fraction[at - number->whole_size];
}

/* [eE][+-]?[0-9]+ up to the end, of at most 4 digits. */
static int parse_exponent(const uint8_t *text, size_t size, int64_t *exponent)
{
    enum { MOST_DIGITS = 4 };
    if (size < 2 || (text[0] != 'e' && text[0] != 'E'))
        return 0;
    size_t at = 1;
    const int negative = text[at] == '-';
    if (negative || text[at] == '+')
        at++;
    const size_t digits = digits_at(text, size, at);
    if (digits == 0 || digits > MOST_DIGITS || at + digits != size)
        return 0;
    int64_t number = 0;
    for (; at < size; at++)
        number = number * 10 + (text[at] - '0');
    *exponent = negative ? -number : number;
    return 1;
}

/* [+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? */
static int parse(const uint8_t *text, size_t size, decimal *number)
{
    const size_t first = size > 0 && (text[0] == '+' || text[0] == '-') ? 1 : 0;
    const size_t whole = digits_at(text, size, first);
    size_t at = first + whole;
    const int has_point = at < size && text[at] == '.';
    if (has_point)
        at++;
    const size_t fraction = has_point ? digits_at(text, size, at) : 0;
    if (whole + fraction == 0)
        return 0;
    int64_t exponent = 0;
    const int has_exponent = at + fraction < size;
    if (has_exponent && !parse_exponent(text + at + fraction, size - at - fraction, &exponent))
        return 0;
    *number = (decimal){
        .whole = text + first,
        .whole_size = (int64_t)whole,
        .fraction = text + at,
        .size = (int64_t)(whole + fraction),
        .point = (int64_t)whole + exponent,
        .negative = first == 1 && text[0] == '-',
        .as_it_stands = text[0] != '+' && !has_exponent && whole > 0 && has_point == (fraction > 0),
    };
    return 1;
}

/* The first digit that is not 0 from `at` on; `end` where all are. */
static int64_t first_significant(const decimal *number, int64_t at, int64_t end)
{
    while (at < end && digit_of(number, at) == '0')
        at++;
    return at;
}

/* What PostgreSQL's numeric holds without declared precision. */
enum { NUMERIC_WHOLE = 131072, NUMERIC_FRACTION = 16383 };

etl_lexed etl_lex_numeric(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    decimal number;
    if (!parse(text, size, &number))
        return ETL_LEX_UNSURE;
    const int declared = type->precision >= 0;
    const int64_t whole_limit = declared ? (int64_t)type->precision - type->scale : NUMERIC_WHOLE;
    const int64_t fraction_limit = declared ? type->scale : NUMERIC_FRACTION;
    const int64_t point = number.point;
    const int64_t start = first_significant(&number, 0, point);
    const int64_t whole = point > start ? point - start : 0;
    const int64_t end = number.size > point ? number.size : point;
    const int64_t fraction = end - point < fraction_limit ? end - point : fraction_limit;
    /* Digits that cannot be kept may be zeros only. */
    if (whole > whole_limit || first_significant(&number, point + fraction, end) < end)
        return ETL_LEX_UNSURE;
    const int minus = number.negative && (whole > 0 || first_significant(&number, point, end) < end);
    const int64_t padded = declared ? type->scale : fraction;
    const int no_leading_zero = start == 0 || (start == 1 && point == 1);
    if (number.as_it_stands && no_leading_zero && end - point == padded && minus == number.negative)
        return ETL_LEX_SAME;

    if (whole + padded > ETL_CANONICAL_BYTES - 3) /* sign, 0, point */
        return ETL_LEX_UNSURE;
    uint8_t *to = canonical;
    if (minus)
        *to++ = '-';
    if (whole == 0)
        *to++ = '0';
    for (int64_t at = point - whole; at < point; at++)
        *to++ = digit_of(&number, at);
    if (padded > 0)
        *to++ = '.';
    for (int64_t at = 0; at < padded; at++)
        *to++ = at < fraction ? digit_of(&number, point + at) : '0';
    *written = (size_t)(to - canonical);
    return ETL_LEX_WRITTEN;
}

/* Digits with the point behind `point` of them: 1 to `count`, or outside, where zeros are. */
static uint8_t *write_plain(uint8_t *to, const uint8_t *digits, int64_t count, int64_t point)
{
    if (point <= 0) {
        *to++ = '0';
        *to++ = '.';
        for (int64_t at = point; at < 0; at++)
            *to++ = '0';
    }
    for (int64_t at = 0; at < count || at < point; at++) {
        if (at == point && at > 0)
            *to++ = '.';
        *to++ = at < count ? digits[at] : '0';
    }
    return to;
}

/* 1.5e+20: at least two digits of an exponent (here at most three). */
static uint8_t *write_scientific(uint8_t *to, const uint8_t *digits, int64_t count, int64_t exponent)
{
    to = write_plain(to, digits, count, 1);
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    const int64_t amount = exponent < 0 ? -exponent : exponent;
    if (amount >= 100)
        *to++ = (uint8_t)('0' + amount / 100);
    *to++ = (uint8_t)('0' + amount / 10 % 10);
    *to++ = (uint8_t)('0' + amount % 10);
    return to;
}

enum { DOUBLE_DIGITS = 15, REAL_DIGITS = 6 };

/* Decimals of at most DBL_DIG (FLT_DIG) significant digits, within the range of normal numbers, are told apart by a
   double (a float): C11 5.2.4.2.2. So no shorter one reads back as the same number, and none of the same length does:
   such a decimal is the shortest form of its number, and its value needs not be known. */
etl_lexed etl_lex_floating(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    const int single = type->name == ETL_TYPE_REAL;
    const int64_t most = single ? REAL_DIGITS : DOUBLE_DIGITS;
    const int64_t range = single ? 36 : 300;
    decimal number;
    if (!parse(text, size, &number))
        return ETL_LEX_UNSURE;
    const int64_t first = first_significant(&number, 0, number.size);
    int64_t end = number.size;
    while (end > first && digit_of(&number, end - 1) == '0')
        end--;
    const int64_t count = end - first;
    const int64_t exponent = number.point - 1 - first;
    if (count > most || (count > 0 && (exponent > range || exponent < -range)))
        return ETL_LEX_UNSURE;

    uint8_t digits[DOUBLE_DIGITS];
    for (int64_t at = 0; at < count; at++)
        digits[at] = digit_of(&number, first + at);
    uint8_t *to = canonical;
    if (number.negative)
        *to++ = '-';
    if (count == 0)
        *to++ = '0';
    else if (exponent > -5 && exponent < most)
        to = write_plain(to, digits, count, exponent + 1);
    else
        to = write_scientific(to, digits, count, exponent);
    *written = (size_t)(to - canonical);
    return etl_lex_compared(text, size, canonical, *written);
}

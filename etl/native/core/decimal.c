/* POSIX 2008: locales of a thread. */
#define _POSIX_C_SOURCE 200809L

#include "decimal.h"

#include <float.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "lexical.h"

/* "00" to "99". */
static const char PAIRS[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                            "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
                            "9899";

size_t etl_write_number(uint8_t *out, uint64_t number)
{
    uint8_t digits[ETL_NUMBER_DIGITS];
    size_t first = sizeof digits;
    for (; number >= 100; number /= 100)
        memcpy(digits + (first -= 2), PAIRS + 2 * (number % 100), 2);
    if (number >= 10)
        memcpy(digits + (first -= 2), PAIRS + 2 * number, 2);
    else
        digits[--first] = (uint8_t)('0' + number);
    memcpy(out, digits + first, sizeof digits - first);
    return sizeof digits - first;
}

etl_status etl_read_integer(etl_text text, int64_t *number)
{
    size_t i = text.size && text.at[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + i;
    uint64_t amount = 0;
    if (i == text.size)
        return ETL_DECLINED;
    int negative = i != 0;
    for (; i < text.size; i++) {
        uint32_t digit = (uint32_t)text.at[i] - '0';
        if (digit > 9 || amount > (limit - digit) / 10)
            return ETL_DECLINED;
        amount = amount * 10 + digit;
    }
    /* Not -(int64_t)amount, which the smallest number has no room for. */
    *number = negative && amount ? -(int64_t)(amount - 1) - 1 : (int64_t)amount;
    return ETL_OK;
}

typedef struct {
    uint64_t digits; /* up to the 2^53 that doubles hold exactly */
    int exponent;
    int negative;
} decimal;

static const uint64_t EXACT = UINT64_C(1) << 53;

/* An exponent's sign and digits, to the end. */
static int exponent_of(const uint8_t *at, const uint8_t *end, int *exponent)
{
    int negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end || end - at > 4)
        return 0;
    int amount = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        amount = amount * 10 + (*at - '0');
    }
    *exponent = negative ? -amount : amount;
    return 1;
}

/* Whether the text is a decimal of so few digits. */
static int few_digits(etl_text text, decimal *parts)
{
    const uint8_t *at = text.at, *end = at + text.size;
    *parts = (decimal){0};
    if (at < end && *at == '-') {
        parts->negative = 1;
        at++;
    }
    int fraction = 0, some = 0, point = 0;
    for (; at < end; at++) {
        if (*at == '.' && !point) {
            point = 1;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        parts->digits = parts->digits * 10 + (uint64_t)(*at - '0');
        if (parts->digits > EXACT)
            return 0;
        some = 1;
        fraction += point;
    }
    if (at < end && (*at != 'e' || !exponent_of(at + 1, end, &parts->exponent)))
        return 0;
    parts->exponent -= fraction;
    return some;
}

/* Powers of ten that doubles hold exactly. */
static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { LARGEST_POWER = sizeof POWERS / sizeof *POWERS - 1 };

/* Where both numbers are exact, one operation rounds once, so it gives the nearest double: W. D. Clinger, "How to Read
   Floating Point Numbers Accurately", PLDI 1990. Not where intermediate results are wider than a double. */
static int read_exactly(etl_text text, double *number)
{
    decimal parts;
    if (FLT_EVAL_METHOD != 0 || !few_digits(text, &parts))
        return 0;
    if (parts.exponent < -LARGEST_POWER || parts.exponent > LARGEST_POWER)
        return 0;
    double digits = (double)parts.digits;
    digits = parts.exponent < 0 ? digits / POWERS[-parts.exponent] : digits * POWERS[parts.exponent];
    *number = parts.negative ? -digits : digits;
    return 1;
}

etl_status etl_read_double(etl_text text, double *number)
{
    if (text.size == 0 || text.size > ETL_CANONICAL_BYTES)
        return ETL_DECLINED;
    if (read_exactly(text, number))
        return ETL_OK;
    char copy[ETL_CANONICAL_BYTES + 1];
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    /* strtod() reads the decimal point of the thread's locale. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return ETL_NOMEM;
    locale_t before = uselocale(plain);
    char *end;
    *number = strtod(copy, &end);
    uselocale(before);
    freelocale(plain);
    return end == copy + text.size ? ETL_OK : ETL_DECLINED;
}

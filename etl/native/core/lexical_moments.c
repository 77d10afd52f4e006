/* The lexical rules of dates and times, as etl/mapping/moments.py has them. */
#include <string.h>

#include "chars.h"
#include "lexical_types.h"

typedef struct {
    int year;
    int month;
    int day;
    int hour; /* to 24, which is midnight at the end of the day */
    int minute;
    int second;
    const uint8_t *fraction; /* digits without zeros at the end */
    size_t fraction_size;
} moment;

enum { DATE_BYTES = 10, TIME_BYTES = 8, FRACTION_DIGITS = 6, LAST_YEAR = 9999 };

/* The number that two digits are, else -1. */
static int two_digits(const uint8_t *at)
{
    return etl_is_digit(at[0]) && etl_is_digit(at[1]) ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

static void write_two(uint8_t *to, int number)
{
    to[0] = (uint8_t)('0' + number / 10);
    to[1] = (uint8_t)('0' + number % 10);
}

static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* YYYY-MM-DD, a day of the calendar of the years 0001 to 9999; `at` has DATE_BYTES. */
static int read_date(const uint8_t *at, moment *read)
{
    const int century = two_digits(at);
    const int year = two_digits(at + 2);
    const int month = two_digits(at + 5);
    const int day = two_digits(at + 8);
    if (century < 0 || year < 0 || at[4] != '-' || at[7] != '-')
        return 0;
    read->year = century * 100 + year;
    read->month = month;
    read->day = day;
    return read->year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days_of(read->year, month);
}

/* hh:mm:ss(?:\.[0-9]+)? at the beginning of `size` bytes: how many bytes it has, 0 where it is no time of day or more
   than six digits of a second are not 0. */
static size_t read_time(const uint8_t *at, size_t size, moment *read)
{
    if (size < TIME_BYTES || at[2] != ':' || at[5] != ':')
        return 0;
    read->hour = two_digits(at);
    read->minute = two_digits(at + 3);
    read->second = two_digits(at + 6);
    read->fraction = at;
    size_t end = TIME_BYTES;
    size_t digits = 0;
    if (size > TIME_BYTES && at[TIME_BYTES] == '.') {
        read->fraction = at + ++end;
        while (end < size && etl_is_digit(at[end]))
            end++;
        digits = end - TIME_BYTES - 1;
        if (digits == 0)
            return 0;
        while (digits > 0 && read->fraction[digits - 1] == '0')
            digits--;
    }
    read->fraction_size = digits;
    if (read->hour < 0 || read->minute < 0 || read->second < 0 || digits > FRACTION_DIGITS)
        return 0;
    const int midnight = read->hour == 24 && read->minute == 0 && read->second == 0 && digits == 0;
    return midnight || (read->hour <= 23 && read->minute <= 59 && read->second <= 59) ? end : 0;
}

/* Z or [+-]hh(?::?mm)?, all of `size` bytes, of at most 15:59 hours: minutes from UTC. */
static int read_offset(const uint8_t *at, size_t size, int *minutes)
{
    *minutes = 0;
    if (size == 1 && at[0] == 'Z')
        return 1;
    if (size < 3 || (at[0] != '+' && at[0] != '-'))
        return 0;
    const size_t colon = size == 6 && at[3] == ':' ? 1 : 0;
    if (size != 3 && size != 5 + colon)
        return 0;
    const int hour = two_digits(at + 1);
    const int minute = size == 3 ? 0 : two_digits(at + 3 + colon);
    if (hour < 0 || hour > 15 || minute < 0 || minute > 59)
        return 0;
    *minutes = (hour * 60 + minute) * (at[0] == '-' ? -1 : 1);
    return 1;
}

static int next_day(moment *moved)
{
    if (++moved->day > days_of(moved->year, moved->month)) {
        moved->day = 1;
        if (++moved->month > 12) {
            moved->month = 1;
            moved->year++;
        }
    }
    return moved->year <= LAST_YEAR;
}

static int previous_day(moment *moved)
{
    if (--moved->day == 0) {
        if (--moved->month == 0) {
            moved->month = 12;
            moved->year--;
        }
        moved->day = days_of(moved->year, moved->month);
    }
    return moved->year > 0;
}

/* By less than a day; 24:00:00 becomes the next day even where `minutes` is 0. False where the calendar ends: also
   where only the way there leaves it, as in the reference. */
static int move_back(moment *moved, int minutes)
{
    if (moved->hour == 24) {
        moved->hour = 0;
        if (!next_day(moved))
            return 0;
    }
    const int day = 24 * 60;
    const int rest = moved->hour * 60 + moved->minute - minutes;
    moved->hour = (rest + day) % day / 60;
    moved->minute = (rest + day) % day % 60;
    return rest < 0 ? previous_day(moved) : rest >= day ? next_day(moved) : 1;
}

static uint8_t *write_date(uint8_t *to, const moment *read)
{
    write_two(to, read->year / 100);
    write_two(to + 2, read->year % 100);
    to[4] = '-';
    write_two(to + 5, read->month);
    to[7] = '-';
    write_two(to + 8, read->day);
    return to + DATE_BYTES;
}

static uint8_t *write_time(uint8_t *to, const moment *read)
{
    write_two(to, read->hour);
    to[2] = ':';
    write_two(to + 3, read->minute);
    to[5] = ':';
    write_two(to + 6, read->second);
    to += TIME_BYTES;
    if (read->fraction_size > 0) {
        *to++ = '.';
        memcpy(to, read->fraction, read->fraction_size);
    }
    return to + read->fraction_size;
}

static etl_lexed timestamp(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    const size_t before = DATE_BYTES + 1;
    moment read;
    if (size < before || !read_date(text, &read) || (text[DATE_BYTES] != 'T' && text[DATE_BYTES] != ' '))
        return ETL_LEX_UNSURE;
    const size_t time = read_time(text + before, size - before, &read);
    if (time == 0)
        return ETL_LEX_UNSURE;
    const size_t rest = size - before - time;
    const int with_zone = type->name == ETL_TYPE_TIMESTAMPTZ;
    int minutes = 0;
    if (rest > 0 ? !with_zone || !read_offset(text + before + time, rest, &minutes) : with_zone && !type->utc)
        return ETL_LEX_UNSURE;
    if (!move_back(&read, minutes))
        return ETL_LEX_UNSURE;
    uint8_t *to = write_date(canonical, &read);
    *to++ = ' ';
    to = write_time(to, &read);
    if (with_zone) {
        memcpy(to, "+00:00", 6);
        to += 6;
    }
    *written = (size_t)(to - canonical);
    return etl_lex_compared(text, size, canonical, *written);
}

etl_lexed etl_lex_moment(const etl_type *type, const uint8_t *text, size_t size, uint8_t *canonical, size_t *written)
{
    moment read;
    switch (type->name) {
    case ETL_TYPE_DATE:
        return size == DATE_BYTES && read_date(text, &read) ? ETL_LEX_SAME : ETL_LEX_UNSURE;
    case ETL_TYPE_TIME:
        if (size == 0 || read_time(text, size, &read) != size)
            return ETL_LEX_UNSURE;
        *written = (size_t)(write_time(canonical, &read) - canonical);
        return etl_lex_compared(text, size, canonical, *written);
    default:
        return timestamp(type, text, size, canonical, written);
    }
}

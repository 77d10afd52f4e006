#define _POSIX_C_SOURCE 200809L

#include "files.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* Whether all of a file went into `text`, which has room for `most` bytes; what fills it may not be all. */
static bool read_file(const char *name, uint8_t *text, size_t most, size_t *size)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = 0;
    *size = 0;
    while (*size < most && (got = read(file, text + *size, most - *size)) > 0)
        *size += (size_t)got;
    close(file);
    return got == 0 && *size < most;
}

size_t etl_read_files(const char *const *names, size_t count, uint8_t *text, size_t room, uint32_t largest,
                      uint32_t *sizes)
{
    size_t place = 0, size;
    while (place < count && room > largest && read_file(names[place], text, (size_t)largest + 1, &size)) {
        sizes[place++] = (uint32_t)size;
        text += size;
        room -= size;
    }
    return place;
}

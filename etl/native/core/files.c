#define _POSIX_C_SOURCE 200809L

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool append(etl_buffer *buffer, const void *bytes, size_t size)
{
    if (etl_buffer_reserve(buffer, size) != ETL_OK)
        return false;
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    return true;
}

static etl_listing list_entry(int folder, const char *name, etl_buffer *names, etl_buffer *sizes)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ETL_LISTED : ETL_NOT_LISTED; /* it was removed meanwhile */
    if (S_ISLNK(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink != 1))
        return ETL_NOT_LISTED;
    if (!S_ISREG(status.st_mode))
        return ETL_LISTED;
    uint64_t size = (uint64_t)status.st_size;
    bool kept = append(names, name, strlen(name)) && append(names, "/", 1) && append(sizes, &size, sizeof size);
    return kept ? ETL_LISTED : ETL_LIST_NOMEM;
}

etl_listing etl_list_folder(const char *folder, etl_buffer *names, etl_buffer *sizes)
{
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return ETL_NOT_LISTED;
    etl_listing listing = ETL_LISTED;
    const struct dirent *entry;
    errno = 0;
    while (listing == ETL_LISTED && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            listing = list_entry(dirfd(entries), entry->d_name, names, sizes);
        errno = 0;
    }
    if (listing == ETL_LISTED && errno != 0)
        listing = ETL_NOT_LISTED;
    closedir(entries);
    return listing;
}

/* Whether all of a file went into `text`, which has room for `most` bytes; what fills it may not be all. */
static bool read_file(const char *name, uint8_t *text, size_t most, size_t *size)
{
    /* Should it be no file any more, nothing is waited for. */
    int file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

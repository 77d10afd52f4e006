/* core: cut.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"

static const etl_cut_name names[] = {{(const unsigned char *)"e", 1}, {(const unsigned char *)"p:f", 3}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The records found lie one behind the other inside the text, and each is found again in what ends with it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t spans[2 * 64];
    etl_cut_job job = {data, size, names, 2, 200, 100, 0, SIZE_MAX};
    etl_cut_result found = etl_cut(&job, 0, 64, spans);
    size_t before = 0;
    if (found.at > size || found.reached > size || found.reached < found.at || found.count > 64)
        abort();
    for (size_t number = 0; number < found.count; number++) {
        size_t start = spans[2 * number], end = spans[2 * number + 1];
        if (start < before || end <= start || data[start] != '<' || data[end - 1] != '>')
            abort();
        before = end;
    }
    if (before != found.at && found.count > 0)
        abort();
    job.length = found.at;
    if (etl_cut(&job, 0, 64, spans).count != found.count)
        abort();
    return 0;
}

/* core: cut.c */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"

static const etl_cut_name names[] = {{(const unsigned char *)"e", 1}, {(const unsigned char *)"p:long-name", 11}};

/* Cuts the text in a block of exactly its size, so that a sanitizer sees a byte too many. */
static etl_cut_result cut(const char *text, size_t room, size_t stop, uint32_t *spans)
{
    size_t length = strlen(text);
    unsigned char *exact = malloc(length > 0 ? length : 1);
    etl_cut_result result;
    assert(exact != NULL);
    memcpy(exact, text, length);
    etl_cut_job job = {exact, length, names, 2, 1000, 100, 0, stop};
    result = etl_cut(&job, 0, room, spans);
    free(exact);
    return result;
}

static void count_is(const char *text, size_t count, size_t at)
{
    etl_cut_result result = cut(text, 100, SIZE_MAX, NULL);
    if (result.count != count || result.at != at || result.reached < at) {
        printf("%s: %zu records up to %zu, looked up to %zu\n", text, result.count, result.at, result.reached);
        exit(1);
    }
}

static void every_beginning(const char *text)
{
    char part[256];
    for (size_t length = 0; length <= strlen(text); length++) {
        memcpy(part, text, length);
        part[length] = '\0';
        assert(cut(part, 100, SIZE_MAX, NULL).at <= length);
    }
}

int main(void)
{
    static const char *const all =
        "<e/> <e a='>' b=\"'\">x<f/></e >\n<p:long-name><e/><!-- </p:long-name> --><?x </e>?><![CDATA[</e>]]></p:long-name>"
        "<e><e><e/></e>a longer text, so that a whole block of it is compared at once</e></r>";
    uint32_t spans[8];
    etl_cut_result result = cut(all, 4, SIZE_MAX, spans);
    assert(result.count == 4 && result.at == strlen(all) - 4);
    assert(spans[0] == 0 && spans[1] == 4 && spans[2] == 5 && spans[7] == result.at);
    assert(cut(all, 2, SIZE_MAX, NULL).count == 2);
    assert(cut(all, 9, 4, NULL).count == 1);
    every_beginning(all);
    count_is("", 0, 0);
    count_is("<e><e></e>", 0, 0);
    count_is("<e/>&amp;<e/>", 1, 4);
    count_is("<e/> <!-- <e> --> <?x?> <e/>", 2, 28);
    count_is("<e/><!DOCTYPE e><e/>", 1, 4);
    count_is("<e/><!-- <e/>", 1, 4);
    count_is("<e xmlns='u'/>", 0, 0);
    count_is("<e a='xmlns'/>", 1, 14);
    count_is("<e a='<'/>", 0, 0);
    count_is("<e><e a='<'/></e>", 0, 0);
    count_is("<ee/>", 0, 0);
    count_is("<e></e x>", 0, 0);
    assert(etl_count_lines((const unsigned char *)"\n\n", 2) == 2 && etl_count_lines(NULL, 0) == 0);
    puts("ok");
    return 0;
}

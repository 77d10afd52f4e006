/* Gathers the text of elements: a slice of the document where it stands there in one piece, which is nearly always so.

   Text goes into one growing string as long as any element is open whose string value is wanted; an element's value is
   then the part that came since it began, so elements inside of each other need no copies of their own. The last piece
   is held back (`pending`): if nothing else comes, it is the value as it stands. Text that an element has for itself,
   without that of its children, is kept in pieces and joined at its end. */
#include <string.h>

#include "scanner.h"

static const uint8_t NOTHING[1] = {0};

/* Of own text: a hostile one could have one for each of its bytes. */
enum { MOST_PIECES = 1 << 18 };

/* A place for the string with `more` bytes left: at first for the whole run, of which no byte is gathered twice; what
   entities stand for may be longer than that. Values that point into the place before stay good. */
static etl_status make_place(etl_scanner *scanner, size_t more)
{
    size_t capacity = (size_t)(scanner->end - scanner->begin);
    if (scanner->gathered != NULL)
        capacity = 2 * scanner->gathered_size + more;
    uint8_t *place = etl_arena_take(&scanner->arena, capacity < more ? more : capacity);
    if (place == NULL)
        return ETL_NOMEM;
    if (scanner->gathered_size)
        memcpy(place, scanner->gathered, scanner->gathered_size);
    scanner->gathered = place;
    scanner->gathered_capacity = capacity < more ? more : capacity;
    return ETL_OK;
}

/* Put `pending` into the string. */
static etl_status flush(etl_scanner *scanner)
{
    etl_text text = scanner->pending;
    if (text.size == 0)
        return ETL_OK;
    if (scanner->gathered == NULL || text.size > scanner->gathered_capacity - scanner->gathered_size) {
        etl_status status = make_place(scanner, text.size);
        if (status != ETL_OK)
            return status;
    }
    memcpy(scanner->gathered + scanner->gathered_size, text.at, text.size);
    scanner->gathered_size += text.size;
    scanner->pending.size = 0;
    return ETL_OK;
}

etl_status etl_gather_text(etl_scanner *scanner, const uint8_t *text, size_t size)
{
    if (size == 0 || scanner->depth == 0)
        return ETL_OK;
    const etl_frame *frame = &scanner->frames[scanner->depth - 1];
    if (frame->nil)
        return ETL_OK;
    etl_text piece = {text, (uint32_t)size};
    if (frame->keeps_pieces) {
        if (scanner->piece_count == MOST_PIECES)
            return etl_decline(scanner, "a text of very many pieces");
        if (!etl_make_room(&scanner->pieces, scanner->piece_count, &scanner->piece_capacity, sizeof(etl_text)))
            return ETL_NOMEM;
        scanner->pieces[scanner->piece_count++] = piece;
    }
    if (scanner->gathering == 0)
        return ETL_OK;
    etl_status status = flush(scanner);
    scanner->pending = piece;
    return status;
}

etl_status etl_gather_begin(etl_scanner *scanner, etl_frame *frame)
{
    frame->first_piece = scanner->piece_count;
    if (!frame->gathers)
        return ETL_OK;
    etl_status status = flush(scanner);
    frame->gathered_from = scanner->gathered_size;
    scanner->gathering++;
    return status;
}

etl_status etl_gather_string(etl_scanner *scanner, const etl_frame *frame, etl_text *value)
{
    if (scanner->pending.size && scanner->gathered_size == frame->gathered_from) {
        *value = scanner->pending;
        return ETL_OK;
    }
    etl_status status = flush(scanner);
    size_t size = scanner->gathered_size - frame->gathered_from;
    *value = size ? (etl_text){scanner->gathered + frame->gathered_from, (uint32_t)size} : (etl_text){NOTHING, 0};
    return status;
}

etl_status etl_gather_own(etl_scanner *scanner, const etl_frame *frame, etl_text *value)
{
    uint32_t count = scanner->piece_count - frame->first_piece;
    *value = (etl_text){NOTHING, 0};
    if (count == 0)
        return ETL_OK;
    const etl_text *pieces = scanner->pieces + frame->first_piece;
    if (count == 1) {
        *value = pieces[0];
        return ETL_OK;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += pieces[i].size;
    uint8_t *joined = etl_arena_take(&scanner->arena, size);
    if (joined == NULL)
        return ETL_NOMEM;
    *value = (etl_text){joined, (uint32_t)size};
    for (uint32_t i = 0; i < count; i++) {
        memcpy(joined, pieces[i].at, pieces[i].size);
        joined += pieces[i].size;
    }
    return ETL_OK;
}

void etl_gather_end(etl_scanner *scanner, const etl_frame *frame)
{
    scanner->piece_count = frame->first_piece;
    if (!frame->gathers)
        return;
    scanner->gathering--;
    if (scanner->gathering == 0)
        scanner->pending.size = 0;
}

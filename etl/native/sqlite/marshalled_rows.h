/* A function of SQLite that has rows as `TupleRows` carries them for its table. */
#ifndef ETL_MARSHALLED_ROWS_H
#define ETL_MARSHALLED_ROWS_H

struct sqlite3;
struct sqlite3_api_routines;

/* Make `etl_marshalled_rows` known to a connection: an entry point of an extension, as sqlite3_auto_extension takes.
   https://www.sqlite.org/c3ref/auto_extension.html */
int etl_marshalled_rows_init(struct sqlite3 *connection, char **message, const struct sqlite3_api_routines *api);

#endif

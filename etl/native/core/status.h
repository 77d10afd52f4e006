/* What every function of the core that can fail answers. */
#ifndef ETL_STATUS_H
#define ETL_STATUS_H

typedef enum {
    ETL_OK = 0,
    /* Not certain of being exactly as the reference is: lxml is to do it. */
    ETL_DECLINED = 1,
    ETL_NOMEM = 2
} etl_status;

#endif

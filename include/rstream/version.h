/* rstream: RabbitMQ Streams client. Version numbers and symbol visibility.
 *
 * This header, like every public header of rstream, compiles as C99 and as C++. */
#ifndef RSTREAM_VERSION_H
#define RSTREAM_VERSION_H

#define RSTREAM_VERSION_MAJOR 0
#define RSTREAM_VERSION_MINOR 1
#define RSTREAM_VERSION_PATCH 0
#define RSTREAM_VERSION_TEXT  "0.1.0"

/* One number that grows with each release: major * 10000 + minor * 100 + patch. */
#define RSTREAM_VERSION_NUMBER \
  (RSTREAM_VERSION_MAJOR * 10000 + RSTREAM_VERSION_MINOR * 100 + RSTREAM_VERSION_PATCH)

#if defined(_WIN32)
#define RSTREAM_EXPORT
#else
#define RSTREAM_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is running, which may be newer than the header a
 * program was compiled with. Never fails. Thread: any. Since 0.1.0. */
RSTREAM_EXPORT int rstream_version_number(void);
RSTREAM_EXPORT const char *rstream_version_text(void);

#ifdef __cplusplus
}
#endif
#endif

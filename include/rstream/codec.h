/* How messages are packed: the codec of bodies, and the compression of sub-entries. */
#ifndef RSTREAM_CODEC_H
#define RSTREAM_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the body that an application gives or gets relates to the message in the stream. */
typedef enum rstream_codec {
  RSTREAM_CODEC_RAW = 0, /* the body is the message, byte for byte */
  RSTREAM_CODEC_AMQP = 1 /* the message is AMQP 1.0, as other clients write it; the body
                            is the content of its data section */
} rstream_codec;

/* How the messages of a sub-entry are compressed together. The container is the one that
 * other clients use. 5 to 7 have no meaning of their own: an application may register a
 * codec for them, but brokers from 4.3.5 on refuse to store such entries. */
typedef enum rstream_compression {
  RSTREAM_COMPRESSION_NONE = 0,
  RSTREAM_COMPRESSION_GZIP = 1,   /* RFC 1952; always built in */
  RSTREAM_COMPRESSION_SNAPPY = 2, /* framing format; when its library was found */
  RSTREAM_COMPRESSION_LZ4 = 3,    /* frame format; when its library was found */
  RSTREAM_COMPRESSION_ZSTD = 4    /* RFC 8878; when its library was found */
} rstream_compression;

#ifdef __cplusplus
}
#endif
#endif

/* How messages are packed: the codec of bodies, and the compression of sub-entries.
 *
 * Compressing and decompressing happen on the loop's thread, in contexts that are made at
 * the first use and kept. zlib takes its memory from the environment's allocator; the
 * libraries of Snappy, LZ4 and Zstandard take theirs from malloc, Snappy's some for each
 * 64 KiB it compresses. */
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

/* A compression of the application's own: for a number that has no meaning yet, or in the
 * place of one that is built in (another library, another level).
 *
 * The three functions are called on the loop's thread, from within sending and consuming,
 * and must not call back into rstream. They must not keep the memory they are given. What
 * they return is checked; a failure concerns the sub-entry at hand and nothing else. */
typedef struct rstream_compressor {
  size_t struct_size;  /* set by rstream_compressor_init() */
  uint8_t compression; /* 1 to 7, see rstream_compression */

  /* Required. The most that `size` bytes can become when they are compressed. */
  size_t (*bound)(size_t size, void *user);

  /* Required. Compresses `size` bytes into at most `capacity`. Returns how many it wrote,
   * at least 1, or a negative number. */
  ptrdiff_t (*compress)(const uint8_t *raw, size_t size, uint8_t *to, size_t capacity,
                        void *user);

  /* Required. Decompresses `size` bytes into `capacity`, which is what the sub-entry says
   * that they become. It must neither write more, whatever the bytes are, nor believe
   * them: they come from the network. Returns how many it wrote, which must be `capacity`
   * to be accepted, or a negative number. */
  ptrdiff_t (*decompress)(const uint8_t *packed, size_t size, uint8_t *to,
                          size_t capacity, void *user);

  void *user; /* passed to each of them */
} rstream_compressor;

#define rstream_compressor_init(c) rstream_compressor_init_sized((c), sizeof *(c))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_compressor_init_sized(rstream_compressor *compressor,
                                                  size_t size);

struct rstream_env;

/* Makes an environment use `*compressor`, which is copied, for its number from now on. It
 * stays until the environment is closed and the last chunk that was retained is released:
 * for those its decompress() may still be called, on the thread that reads them.
 *
 * Errors: RSTREAM_EINVAL (a function is missing, the number is not 1 to 7), RSTREAM_EBUSY
 * (what it would replace has been used already; best register before anything is opened),
 * RSTREAM_ECLOSED. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_register_compressor(struct rstream_env *env,
                                                   const rstream_compressor *compressor);

/* 1 when sub-entries of this compression (rstream_compression, or a number that was
 * registered) can be packed and unpacked, else 0. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_has_compression(const struct rstream_env *env,
                                               int compression);

#ifdef __cplusplus
}
#endif
#endif

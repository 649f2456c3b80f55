#pragma once

// Private to the files tls*.cpp: TLS as mbedTLS does it, with nothing of sockets.
// Ciphertext goes through two callbacks, text comes and goes in calls.

#include "net/tls.h"

namespace rstream {

struct tls_session;

// Both return how many bytes were taken; 0 means none at the moment.
struct tls_io {
  size_t (*receive)(void *owner, uint8_t *to, size_t size);
  size_t (*send)(void *owner, const uint8_t *from, size_t size);
};

// Memory that the connections of an environment use in turns: nothing is left in it when
// a call returns.
struct tls_scratch {
  uint8_t received[64u << 10];  // ciphertext: enough to make system calls rare
  uint8_t record[16u << 10];    // small frames that go out as one record
};
tls_scratch &tls_scratch_of(tls_config &config);

// Codes of libuv.
[[nodiscard]] int tls_session_create(tls_session **session, tls_config &config,
                                     const char *host, const tls_io &io, void *owner);
// Not from inside the application's verify callback.
void tls_session_release(tls_session *session);

// What a call comes to when it moves no text: more ciphertext is needed, or it is over.
constexpr ptrdiff_t tls_hungry = 0;

// 1 when hands are shaken, tls_hungry, or a negative code.
[[nodiscard]] ptrdiff_t tls_session_handshake(tls_session &session);
// Bytes of text, tls_hungry, or a negative code; the peer's end is a code, too.
[[nodiscard]] ptrdiff_t tls_session_read(tls_session &session, std::span<uint8_t> to);
// Makes one record of `text` or of its beginning; send() must have room for
// tls_session_record_bytes() and take it. Bytes of text, or a negative code.
[[nodiscard]] ptrdiff_t tls_session_write(tls_session &session,
                                          std::span<const uint8_t> text);
// How large a record of so much text can become.
size_t tls_session_record_bytes(const tls_session &session, size_t text);
// The most text that fits a record.
size_t tls_session_text_bytes(const tls_session &session);
// Says that nothing more comes.
void tls_session_end(tls_session &session);
// What the code that was told last means; nullptr when the code says it all.
const char *tls_session_trouble(const tls_session &session);
// Sets it: something that only the transport knows.
void tls_session_set_trouble(tls_session &session, const char *text);

}  // namespace rstream

/* Error codes.
 *
 * Every function that can fail returns an int: 0 or a count is success, a negative number
 * is an error. There are three families, told apart by their range:
 *
 *   -1 .. -4095         codes of libuv, passed through (UV_ECONNREFUSED, UV_ENOTFOUND
 * ...) -20001 .. -20999    codes of rstream, below -21001 .. -21999    response codes of
 * the broker: RSTREAM_EBROKER_BASE - code, so that "stream does not exist" (0x02) is
 * -21002
 */
#ifndef RSTREAM_ERROR_H
#define RSTREAM_ERROR_H

#include "rstream/version.h"

#define RSTREAM_EBROKER_BASE (-21000)

/* Whether asking again later, without changing anything, can help. */
#define RSTREAM_FINAL 0
#define RSTREAM_RETRY 1

/* XX(number, name, text, retry)
 *
 * EAGAIN        The window is full: messages or bytes in flight reached their limit.
 * Nothing was taken; on_writable fires once there is room again. EINVAL        An
 * argument or an option is out of range; rstream_env_error_text() tells which. ENOMEM
 * Memory could not be had. The call had no effect, or the handle in question ends with
 * this reason; nothing else is disturbed. ECANCELED     The request was given up because
 * its handle is closing. ECLOSED       The handle is closed or closing. As the outcome of
 * a message: the producer was closed before the broker's confirm came; the message may or
 * may not be stored. ETIMEDOUT     A deadline passed: connect, handshake, request, or
 * drain. EMSGSIZE      The message can never fit a frame of the size negotiated with the
 * broker. EPROTO        The peer broke the protocol; the connection was closed. ECONNLOST
 * The connection ended. As the outcome of a message: it may or may not be stored.
 * ECHECKSUM     A chunk arrived whose CRC-32 does not match its bytes.
 * ENOTSUP       This broker, or this build of rstream, does not have the feature.
 * EURI          The URI is malformed.
 * EBUSY         Not now: for example stepping the loop from inside a callback.
 * EHEARTBEAT    Nothing was heard from the broker for two heartbeat intervals.
 * ECODEC        An entry of a chunk is damaged or uses a compression that is not built
 * in. ENOLEADER     The stream has no leader at the moment. EUNAVAILABLE  The stream
 * became unavailable: deleted, moved, or its node went away. ECLOSEDBYPEER The broker
 * closed the connection with a Close frame; the reason text has its words. ELIMIT A limit
 * of this library was reached. ENOROUTE      A message to a super stream has no partition
 * to go to. ETLS TLS could not be established, or broke. ECERT The
 * broker's certificate was refused: untrusted, expired, for another host. ECLIENTCERT The
 * broker refused the client's certificate, or the client has none to show.
 */
#define RSTREAM_ERROR_MAP(XX)                                                            \
  XX(-20001, EAGAIN, "the window is full, wait for on_writable", RSTREAM_RETRY)          \
  XX(-20002, EINVAL, "invalid argument", RSTREAM_FINAL)                                  \
  XX(-20003, ENOMEM, "out of memory", RSTREAM_RETRY)                                     \
  XX(-20004, ECANCELED, "canceled because the handle is closing", RSTREAM_FINAL)         \
  XX(-20005, ECLOSED, "the handle is closed", RSTREAM_FINAL)                             \
  XX(-20006, ETIMEDOUT, "the deadline passed", RSTREAM_RETRY)                            \
  XX(-20007, EMSGSIZE, "the message does not fit a frame", RSTREAM_FINAL)                \
  XX(-20008, EPROTO, "the peer broke the protocol", RSTREAM_RETRY)                       \
  XX(-20009, ECONNLOST, "the connection was lost", RSTREAM_RETRY)                        \
  XX(-20010, ECHECKSUM, "the chunk's checksum does not match", RSTREAM_RETRY)            \
  XX(-20011, ENOTSUP, "not supported by this broker or build", RSTREAM_FINAL)            \
  XX(-20012, EURI, "malformed URI", RSTREAM_FINAL)                                       \
  XX(-20013, EBUSY, "not possible at this moment", RSTREAM_RETRY)                        \
  XX(-20014, EHEARTBEAT, "the broker has been silent for two heartbeats", RSTREAM_RETRY) \
  XX(-20015, ECODEC, "an entry can't be decoded", RSTREAM_FINAL)                         \
  XX(-20016, ENOLEADER, "the stream has no leader at the moment", RSTREAM_RETRY)         \
  XX(-20017, EUNAVAILABLE, "the stream became unavailable", RSTREAM_RETRY)               \
  XX(-20018, ECLOSEDBYPEER, "the broker closed the connection", RSTREAM_RETRY)           \
  XX(-20019, ELIMIT, "a limit of the library was reached", RSTREAM_RETRY)                \
  XX(-20020, ENOROUTE, "no partition for this routing key", RSTREAM_FINAL)               \
  XX(-20021, ETLS, "TLS could not be established, or broke", RSTREAM_RETRY)              \
  XX(-20022, ECERT, "the broker's certificate was refused", RSTREAM_FINAL)               \
  XX(-20023, ECLIENTCERT, "the broker refused the client's certificate", RSTREAM_FINAL)  \
  XX(-21002, BROKER_STREAM_DOES_NOT_EXIST, "stream does not exist", RSTREAM_FINAL)       \
  XX(-21003, BROKER_SUBSCRIPTION_ID_EXISTS, "subscription id already exists",            \
     RSTREAM_FINAL)                                                                      \
  XX(-21004, BROKER_SUBSCRIPTION_ID_MISSING, "subscription id does not exist",           \
     RSTREAM_FINAL)                                                                      \
  XX(-21005, BROKER_STREAM_EXISTS, "stream already exists", RSTREAM_FINAL)               \
  XX(-21006, BROKER_STREAM_NOT_AVAILABLE, "stream not available", RSTREAM_RETRY)         \
  XX(-21007, BROKER_SASL_MECHANISM, "SASL mechanism not supported", RSTREAM_FINAL)       \
  XX(-21008, BROKER_AUTHENTICATION_FAILURE, "authentication failure", RSTREAM_FINAL)     \
  XX(-21009, BROKER_SASL_ERROR, "SASL error", RSTREAM_FINAL)                             \
  XX(-21010, BROKER_SASL_CHALLENGE, "SASL challenge", RSTREAM_FINAL)                     \
  XX(-21011, BROKER_LOOPBACK_ONLY, "this user may connect over loopback only",           \
     RSTREAM_FINAL)                                                                      \
  XX(-21012, BROKER_VHOST_ACCESS, "virtual host access failure", RSTREAM_FINAL)          \
  XX(-21013, BROKER_UNKNOWN_FRAME, "unknown frame", RSTREAM_FINAL)                       \
  XX(-21014, BROKER_FRAME_TOO_LARGE, "frame too large", RSTREAM_FINAL)                   \
  XX(-21015, BROKER_INTERNAL_ERROR, "internal error of the broker", RSTREAM_RETRY)       \
  XX(-21016, BROKER_ACCESS_REFUSED, "access refused", RSTREAM_FINAL)                     \
  XX(-21017, BROKER_PRECONDITION_FAILED, "precondition failed", RSTREAM_FINAL)           \
  XX(-21018, BROKER_PUBLISHER_DOES_NOT_EXIST, "publisher does not exist", RSTREAM_RETRY) \
  XX(-21019, BROKER_NO_OFFSET, "no offset is stored", RSTREAM_FINAL)                     \
  XX(-21020, BROKER_SASL_MECHANISM_CHANGE, "can't change the SASL mechanism",            \
     RSTREAM_FINAL)                                                                      \
  XX(-21021, BROKER_USERNAME_CHANGE, "can't change the user name", RSTREAM_FINAL)

typedef enum rstream_error {
  RSTREAM_OK = 0,
#define RSTREAM_ERROR_ENUM(number, name, text, retry) RSTREAM_##name = number,
  RSTREAM_ERROR_MAP(RSTREAM_ERROR_ENUM)
#undef RSTREAM_ERROR_ENUM
      RSTREAM_ERROR_LAST = -22000
} rstream_error;

#ifdef __cplusplus
extern "C" {
#endif

/* A sentence for a code of any of the three families: "stream does not exist". Static
 * text, never NULL; an unknown code gives "unknown error". Thread: any. Since 0.1.0. */
RSTREAM_EXPORT const char *rstream_error_text(int code);

/* The enumerator's name: "RSTREAM_EAGAIN", "UV_ECONNREFUSED". Static text, never NULL; an
 * unknown code gives "UNKNOWN". Thread: any. Since 0.1.0. */
RSTREAM_EXPORT const char *rstream_error_name(int code);

/* 1 when the same call may succeed later without any change by the application (a
 * connection that was lost, a stream without a leader), 0 when it will not (a wrong
 * password, a stream that does not exist). Codes of libuv count as retriable. Thread:
 * any. Since 0.1.0. */
RSTREAM_EXPORT int rstream_error_is_retriable(int code);

#ifdef __cplusplus
}
#endif
#endif

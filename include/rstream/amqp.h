/* AMQP 1.0 messages: what goes into them, and how to read them.
 *
 * A stream stores bytes. For AMQP clients, and for the other stream clients, these bytes
 * are an AMQP 1.0 message: sections one behind the other, most of them optional.
 *
 *   header                   list of 5: durable, priority ...
 *   delivery-annotations     map, for the next hop only
 *   message-annotations      map: "x-..." keys of brokers and routers
 *   properties               list of 13: message-id, subject, content-type ...
 *   application-properties   map of strings to simple values, the application's own
 *   the body                 data (bytes), or amqp-sequence (lists), or amqp-value
 *   footer                   map
 *
 * To publish, fill a rstream_amqp_sections; nothing in it is kept after the call. To
 * read, ask for what is wanted: nothing is decoded before, nothing is copied, nothing is
 * allocated, and what is handed out is borrowed from the message's bytes.
 *
 * Every function here may be called by any thread; none ever blocks. */
#ifndef RSTREAM_AMQP_H
#define RSTREAM_AMQP_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values */

/* The types of AMQP 1.0. The numbers are those of this library, not those on the wire. */
typedef enum rstream_amqp_type {
  RSTREAM_AMQP_NULL = 0,        /* no value; what a zeroed rstream_amqp_value is */
  RSTREAM_AMQP_BOOLEAN = 1,     /* as.u: 0 or 1 */
  RSTREAM_AMQP_UBYTE = 2,       /* as.u: 8 bits */
  RSTREAM_AMQP_USHORT = 3,      /* as.u: 16 bits */
  RSTREAM_AMQP_UINT = 4,        /* as.u: 32 bits */
  RSTREAM_AMQP_ULONG = 5,       /* as.u */
  RSTREAM_AMQP_BYTE = 6,        /* as.i: 8 bits */
  RSTREAM_AMQP_SHORT = 7,       /* as.i: 16 bits */
  RSTREAM_AMQP_INT = 8,         /* as.i: 32 bits */
  RSTREAM_AMQP_LONG = 9,        /* as.i */
  RSTREAM_AMQP_FLOAT = 10,      /* as.f */
  RSTREAM_AMQP_DOUBLE = 11,     /* as.d */
  RSTREAM_AMQP_DECIMAL32 = 12,  /* as.raw: IEEE 754 decimal, 4 bytes, big-endian */
  RSTREAM_AMQP_DECIMAL64 = 13,  /* as.raw: 8 bytes */
  RSTREAM_AMQP_DECIMAL128 = 14, /* as.raw: 16 bytes */
  RSTREAM_AMQP_CHAR = 15,       /* as.u: one Unicode character */
  RSTREAM_AMQP_TIMESTAMP = 16,  /* as.i: milliseconds since 1970, UTC */
  RSTREAM_AMQP_UUID = 17,       /* as.raw: 16 bytes */
  RSTREAM_AMQP_BINARY = 18,     /* as.bytes, size */
  RSTREAM_AMQP_STRING = 19,     /* as.bytes, size: UTF-8, not NUL-terminated */
  RSTREAM_AMQP_SYMBOL = 20,     /* as.bytes, size: ASCII, not NUL-terminated */
  RSTREAM_AMQP_LIST = 21,       /* as.items, size: so many values of any types */
  RSTREAM_AMQP_MAP = 22,   /* as.items, size: keys and values in turn, so size is even */
  RSTREAM_AMQP_ARRAY = 23, /* as.items, size: so many values of one type */
  RSTREAM_AMQP_DESCRIBED = 24, /* as.items[0] tells what as.items[1] means; size 2 */
  RSTREAM_AMQP_UNKNOWN = 25    /* only received: a type of no AMQP 1.0, see `encoded` */
} rstream_amqp_type;

/* Values may be nested this deep: so many lists, maps, arrays and described values inside
 * each other, that of the section counted. Deeper ones are refused when publishing and
 * are RSTREAM_ECODEC when reading. */
#define RSTREAM_AMQP_MAX_DEPTH 32

/* What describes a DESCRIBED value, in its encoded form, may have so many bytes less one
 * for each value inside the other. Longer ones are refused likewise. */
#define RSTREAM_AMQP_MAX_DESCRIPTOR_BYTES 65534

/* An array whose elements are null, or true, 0 or [] in the short form, costs no bytes
 * per element. One of more elements than this is refused likewise, since it could keep a
 * reader busy for hours. */
#define RSTREAM_AMQP_MAX_EMPTY_ELEMENTS 256

struct rstream_amqp_value;

/* A compound value as it was received; the pointers are for this library's use. An
 * array's element does not lie next to its constructor, so there are two. */
typedef struct rstream_amqp_encoded {
  const uint8_t *payload;     /* `size` bytes */
  const uint8_t *constructor; /* `constructor_size` bytes */
} rstream_amqp_encoded;

typedef union rstream_amqp_payload {
  uint64_t u;
  int64_t i;
  float f;
  double d;
  const void *bytes;
  const struct rstream_amqp_value *items;
  uint8_t raw[16];
  rstream_amqp_encoded encoded;
} rstream_amqp_payload;

/* One value, 24 bytes for ever: arrays of them may be passed. It borrows what it points
 * to. Make it with one of the functions below, or zero it and fill it in. */
typedef struct rstream_amqp_value {
  uint8_t type;              /* rstream_amqp_type */
  uint8_t encoded;           /* 0: made by a program. Else this is a LIST, MAP, ARRAY,
                                DESCRIBED or UNKNOWN as received: read it with
                                rstream_amqp_items(), or publish it as it is. Set by the
                                library alone. */
  uint16_t constructor_size; /* of such a value, else 0 */
  uint32_t size;             /* of BINARY, STRING, SYMBOL: bytes. Of a LIST, MAP, ARRAY or
                                DESCRIBED made by a program: items. */
  rstream_amqp_payload as;
} rstream_amqp_value;

/* A key and its value, 48 bytes for ever. */
typedef struct rstream_amqp_pair {
  rstream_amqp_value key;
  rstream_amqp_value value;
} rstream_amqp_pair;

/* These make values, borrowing what they are given. NULL text and NULL bytes give a null
 * value, NULL and no items an empty LIST, MAP or ARRAY. What is impossible, like more
 * than UINT32_MAX bytes, gives a value that is refused when it is published. Text is not
 * checked here but then: a STRING has to be UTF-8, a SYMBOL ASCII. Since 0.1.0. */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_null(void);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_boolean(int is_true);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_ubyte(uint8_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_ushort(uint16_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_uint(uint32_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_ulong(uint64_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_byte(int8_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_short(int16_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_int(int32_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_long(int64_t value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_float(float value);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_double(double value);
/* `raw` has 4, 8 and 16 bytes, big-endian; they are copied into the value. */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_decimal32(const void *raw);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_decimal64(const void *raw);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_decimal128(const void *raw);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_char(uint32_t character);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_timestamp(int64_t ms);
/* `raw` has 16 bytes; they are copied into the value. */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_uuid(const void *raw);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_binary(const void *bytes, size_t size);
/* NUL-terminated, or of so many bytes. */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_string(const char *text);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_string_n(const char *text, size_t size);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_symbol(const char *text);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_symbol_n(const char *text, size_t size);
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_list(const rstream_amqp_value *items,
                                                    size_t count);
/* So many pairs; as.items sees them as keys and values in turn. */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_map(const rstream_amqp_pair *pairs,
                                                   size_t count);
/* Elements have one type. They can't be described, unless the whole array was received.
 */
RSTREAM_EXPORT rstream_amqp_value rstream_amqp_array(const rstream_amqp_value *items,
                                                     size_t count);
/* `descriptor_and_value` has two items. */
RSTREAM_EXPORT rstream_amqp_value
rstream_amqp_described(const rstream_amqp_value *descriptor_and_value);

/* "string", "ulong" ... as the AMQP specification spells it; "unknown" for all else.
 * Static text, never NULL. Since 0.1.0. */
RSTREAM_EXPORT const char *rstream_amqp_type_name(int type);

/* ---- sections, to publish */

/* A null member is absent. Set with rstream_amqp_header_init(). */
typedef struct rstream_amqp_header {
  size_t struct_size;
  rstream_amqp_value durable;        /* BOOLEAN; absent means false */
  rstream_amqp_value priority;       /* UBYTE; absent means 4 */
  rstream_amqp_value ttl;            /* UINT, milliseconds */
  rstream_amqp_value first_acquirer; /* BOOLEAN; absent means false */
  rstream_amqp_value delivery_count; /* UINT; absent means 0 */
} rstream_amqp_header;

#define rstream_amqp_header_init(h) rstream_amqp_header_init_sized((h), sizeof *(h))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_amqp_header_init_sized(rstream_amqp_header *header,
                                                   size_t size);

/* A null member is absent. Set with rstream_amqp_properties_init(). */
typedef struct rstream_amqp_properties {
  size_t struct_size;
  rstream_amqp_value message_id;           /* ULONG, UUID, BINARY or STRING */
  rstream_amqp_value user_id;              /* BINARY */
  rstream_amqp_value to;                   /* STRING */
  rstream_amqp_value subject;              /* STRING */
  rstream_amqp_value reply_to;             /* STRING */
  rstream_amqp_value correlation_id;       /* ULONG, UUID, BINARY or STRING */
  rstream_amqp_value content_type;         /* SYMBOL */
  rstream_amqp_value content_encoding;     /* SYMBOL */
  rstream_amqp_value absolute_expiry_time; /* TIMESTAMP */
  rstream_amqp_value creation_time;        /* TIMESTAMP */
  rstream_amqp_value group_id;             /* STRING */
  rstream_amqp_value group_sequence;       /* UINT */
  rstream_amqp_value reply_to_group_id;    /* STRING */
} rstream_amqp_properties;

#define rstream_amqp_properties_init(p) \
  rstream_amqp_properties_init_sized((p), sizeof *(p))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_amqp_properties_init_sized(
    rstream_amqp_properties *properties, size_t size);

typedef enum rstream_amqp_body_type {
  RSTREAM_AMQP_BODY_DATA = 0,     /* one data section: bytes */
  RSTREAM_AMQP_BODY_VALUE = 1,    /* an amqp-value section: one value of any type */
  RSTREAM_AMQP_BODY_SEQUENCE = 2, /* amqp-sequence sections: lists */
  RSTREAM_AMQP_BODY_NONE = 3,     /* no body, which is not quite legal */
  RSTREAM_AMQP_BODY_DATA_LIST = 4 /* several data sections */
} rstream_amqp_body_type;

/* Everything of a message but the bytes of a data body. Set with
 * rstream_amqp_sections_init(), then fill in what the message shall have; all of it may
 * be absent.
 *
 * The broker stores all of it as it is. But when it hands a message to consumers of AMQP
 * 0-9-1 or 1.0 (seen with 4.0 and 4.3) it fails over message annotations whose keys are
 * not SYMBOLs that begin with "x-", and over values that are NULL or decimal, and those
 * consumers then receive nothing more. */
typedef struct rstream_amqp_sections {
  size_t struct_size;
  const rstream_amqp_header *header;
  const rstream_amqp_pair *delivery_annotations; /* keys: SYMBOL, or ULONG */
  size_t delivery_annotation_count;
  const rstream_amqp_pair *message_annotations; /* keys: SYMBOL, or ULONG */
  size_t message_annotation_count;
  const rstream_amqp_properties *properties;
  const rstream_amqp_pair *application_properties; /* keys: STRING. Values: anything but
                                                      LIST, MAP, ARRAY, DESCRIBED */
  size_t application_property_count;
  const rstream_amqp_pair *footer; /* keys: SYMBOL, or ULONG */
  size_t footer_count;
  rstream_amqp_body_type
      body_type; /* default: DATA, of the bytes passed beside this. With
                    any other type there must not be any such bytes. */
  const rstream_amqp_value *body_values; /* VALUE: one. SEQUENCE: LISTs. DATA_LIST:
                                            BINARYs. Each becomes a section. */
  size_t body_value_count;
} rstream_amqp_sections;

#define rstream_amqp_sections_init(s) rstream_amqp_sections_init_sized((s), sizeof *(s))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_amqp_sections_init_sized(rstream_amqp_sections *sections,
                                                     size_t size);

/* Whether a message can be made of these sections: 0, or RSTREAM_EINVAL, and then `*why`
 * says what is wrong ("subject must be a string"): static text; `why` may be NULL.
 * Sending checks the same. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_check(const rstream_amqp_sections *sections,
                                      const char **why);

/* Makes the message's bytes, as they would be published: for tests, for bindings, and for
 * whoever wants to publish them raw. `sections` may be NULL: then it is a data body
 * alone. `body` and `body_size` are the bytes of a data body.
 *
 * Returns how many bytes the message has; they are in `out` if that is not more than
 * `out_size`, else what is in `out` is of no use. `out` may be NULL when `out_size` is 0.
 * Errors: RSTREAM_EINVAL (see rstream_amqp_check()), RSTREAM_EMSGSIZE (a part has more
 * than 4 GiB). Since 0.1.0. */
RSTREAM_EXPORT int64_t rstream_amqp_encode(const rstream_amqp_sections *sections,
                                           const void *body, size_t body_size, void *out,
                                           size_t out_size);

/* ---- reading: values */

/* Walks the sections of a message, or the items of a value. It lies where the caller
 * wants, on the stack as a rule, needs no end, and may be copied, to go on twice from one
 * place. Its members are the library's own; their number will not change. */
typedef struct rstream_amqp_iter {
  const uint8_t *at;
  const uint8_t *end;
  const uint8_t *constructor;
  uint32_t left;
  uint16_t constructor_size;
  uint8_t kind;
  uint8_t depth;
  uint64_t reserved;
} rstream_amqp_iter;

/* Starts over the items of a LIST, the keys and values in turn of a MAP, the elements of
 * an ARRAY, or the descriptor and the value of a DESCRIBED; received or made by a
 * program.
 *
 *   rstream_amqp_iter it;
 *   rstream_amqp_value item;
 *   if (rstream_amqp_items(&it, &list) == 0) {
 *     while (rstream_amqp_next(&it, &item) == 1) ...
 *   }
 *
 * Returns 0. Errors: RSTREAM_EINVAL (another type), RSTREAM_ECODEC (broken, or nested
 * more than RSTREAM_AMQP_MAX_DEPTH deep); rstream_amqp_next() then says so, too. Since
 * 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_items(rstream_amqp_iter *it,
                                      const rstream_amqp_value *value);

/* Reads the next item: 1. At the end 0, and `*item` is as it was. Errors: RSTREAM_ECODEC,
 * from here on, when the bytes are broken or the count does not match them;
 * RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_next(rstream_amqp_iter *it, rstream_amqp_value *item);

/* Whether a STRING, SYMBOL or BINARY is exactly this NUL-terminated text: 1 or 0; 0 for
 * any other type and for NULL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_is_text(const rstream_amqp_value *value,
                                        const char *text);

/* The value of a key of a MAP, the last one if the key is there several times. Text finds
 * a STRING and a SYMBOL alike; a ULONG, UINT, USHORT or UBYTE finds any of these types.
 *
 *   rstream_amqp_map_find(&map, rstream_amqp_symbol("x-stream-filter"), &value)
 *
 * Returns 1, or 0 when it is not there or null; `*value` is as it was then. Errors:
 * RSTREAM_EINVAL (no MAP, or another type of key), RSTREAM_ECODEC. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_map_find(const rstream_amqp_value *map,
                                         rstream_amqp_value key,
                                         rstream_amqp_value *value);

/* ---- reading: messages
 *
 * `message` and `message_size` are the message as it is stored: rstream_message_view.body
 * of a consumer that reads raw bytes. Bytes that are no AMQP 1.0 message are
 * RSTREAM_ECODEC, which means just that: they may be good for something else.
 *
 * Only what must be passed to find what was asked for is looked at. So a broken message
 * may well give what stands before the break; rstream_amqp_validate() looks at
 * everything. Sections are found in any order; of two of a kind the first one counts. */

/* The numbers are the descriptors on the wire. */
typedef enum rstream_amqp_section {
  RSTREAM_AMQP_SECTION_UNKNOWN = 0,                   /* of no AMQP 1.0 */
  RSTREAM_AMQP_SECTION_HEADER = 0x70,                 /* LIST */
  RSTREAM_AMQP_SECTION_DELIVERY_ANNOTATIONS = 0x71,   /* MAP */
  RSTREAM_AMQP_SECTION_MESSAGE_ANNOTATIONS = 0x72,    /* MAP */
  RSTREAM_AMQP_SECTION_PROPERTIES = 0x73,             /* LIST */
  RSTREAM_AMQP_SECTION_APPLICATION_PROPERTIES = 0x74, /* MAP */
  RSTREAM_AMQP_SECTION_DATA = 0x75,                   /* BINARY */
  RSTREAM_AMQP_SECTION_SEQUENCE = 0x76,               /* LIST */
  RSTREAM_AMQP_SECTION_VALUE = 0x77,                  /* any type */
  RSTREAM_AMQP_SECTION_FOOTER = 0x78                  /* MAP */
} rstream_amqp_section;

/* The members of the section header, in their order. */
typedef enum rstream_amqp_header_field {
  RSTREAM_AMQP_DURABLE = 0,
  RSTREAM_AMQP_PRIORITY = 1,
  RSTREAM_AMQP_TTL = 2,
  RSTREAM_AMQP_FIRST_ACQUIRER = 3,
  RSTREAM_AMQP_DELIVERY_COUNT = 4
} rstream_amqp_header_field;

/* The members of the section properties, in their order; types as in
 * rstream_amqp_properties. */
typedef enum rstream_amqp_property {
  RSTREAM_AMQP_MESSAGE_ID = 0,
  RSTREAM_AMQP_USER_ID = 1,
  RSTREAM_AMQP_TO = 2,
  RSTREAM_AMQP_SUBJECT = 3,
  RSTREAM_AMQP_REPLY_TO = 4,
  RSTREAM_AMQP_CORRELATION_ID = 5,
  RSTREAM_AMQP_CONTENT_TYPE = 6,
  RSTREAM_AMQP_CONTENT_ENCODING = 7,
  RSTREAM_AMQP_ABSOLUTE_EXPIRY_TIME = 8,
  RSTREAM_AMQP_CREATION_TIME = 9,
  RSTREAM_AMQP_GROUP_ID = 10,
  RSTREAM_AMQP_GROUP_SEQUENCE = 11,
  RSTREAM_AMQP_REPLY_TO_GROUP_ID = 12
} rstream_amqp_property;

/* One property: 1 and its value, as it came, of whatever type; 0 when it is absent or
 * null,
 * `*value` is as it was then. Errors: RSTREAM_ECODEC, RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_find_property(const void *message, size_t message_size,
                                              rstream_amqp_property which,
                                              rstream_amqp_value *value);

/* The same of the header. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_find_header_field(const void *message,
                                                  size_t message_size,
                                                  rstream_amqp_header_field which,
                                                  rstream_amqp_value *value);

/* The same of one application property, by its NUL-terminated key, the last one if there
 * are several. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_find_application_property(const void *message,
                                                          size_t message_size,
                                                          const char *key,
                                                          rstream_amqp_value *value);

/* The same of one message annotation. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_find_message_annotation(const void *message,
                                                        size_t message_size,
                                                        const char *key,
                                                        rstream_amqp_value *value);

/* The first section of a kind: 1 and its content, or 0. A content that has not the
 * section's type is RSTREAM_ECODEC, except that null may stand for a LIST or MAP. Read
 * the content with rstream_amqp_items() or rstream_amqp_map_find(). Errors:
 * RSTREAM_ECODEC, RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_find_section(const void *message, size_t message_size,
                                             rstream_amqp_section which,
                                             rstream_amqp_value *content);

/* Starts over all sections of a message. Returns 0. Errors: RSTREAM_EINVAL.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_sections_of(rstream_amqp_iter *it, const void *message,
                                            size_t message_size);

/* The next section: 1, or 0 at the end. Of an unknown one `*content` is the whole, a
 * DESCRIBED. Errors: RSTREAM_ECODEC, from here on; RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_next_section(rstream_amqp_iter *it,
                                             rstream_amqp_section *which,
                                             rstream_amqp_value *content);

/* The body of a message, borrowed from it. */
typedef struct rstream_amqp_body {
  size_t struct_size; /* set by the caller; cut to it */
  rstream_amqp_body_type type;
  const uint8_t *bytes;     /* DATA: the content. VALUE, SEQUENCE, DATA_LIST: the body's
                               sections as encoded, to be read with
                               rstream_amqp_sections_of(). NONE: nothing. */
  size_t size;              /* of bytes */
  rstream_amqp_value value; /* DATA: a BINARY, the same bytes. VALUE: the value. Else
                               null. */
} rstream_amqp_body;

/* Set struct_size first. Returns 0, also for a message without a body. Errors:
 * RSTREAM_ECODEC (a section is broken or in the wrong company), RSTREAM_EINVAL.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_body_get(const void *message, size_t message_size,
                                         rstream_amqp_body *body);

/* Copies the content of all data sections, one behind the other. Returns how many bytes
 * that are, and has copied as many of them as `out_size` allows; 0 for another body or
 * none. `out` may be NULL when `out_size` is 0. Errors: RSTREAM_ECODEC, RSTREAM_EINVAL.
 * Since 0.1.0. */
RSTREAM_EXPORT int64_t rstream_amqp_copy_data(const void *message, size_t message_size,
                                              void *out, size_t out_size);

/* Looks at every value of every section: 0, or RSTREAM_ECODEC when something can't be
 * read. Text is not checked for UTF-8. Since 0.1.0. */
RSTREAM_EXPORT int rstream_amqp_validate(const void *message, size_t message_size);

#ifdef __cplusplus
}
#endif
#endif

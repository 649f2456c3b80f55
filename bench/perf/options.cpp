#include "perf/options.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "perf/body.h"
#include "perf/embedded.h"

namespace perf {

namespace {

constexpr uint32_t most_handles = 1000;
// A frame of 1 MiB less what surrounds the body. The library refuses what the broker's
// own limit does not allow.
constexpr uint32_t largest_size = (1 << 20) - 21;
constexpr uint64_t most_messages = UINT64_C(1) << 44;
constexpr uint32_t most_confirms = 1 << 24;
constexpr uint32_t most_sub_entry = UINT16_MAX;

constexpr const char *codec_names[] = {"raw", "amqp"};
constexpr const char *routing_names[] = {"hash", "key"};
constexpr uint32_t most_partitions = 1000;
constexpr const char *compression_names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

struct parser {
  options &o;
  bool uri_given = false;
  bool messages_given = false;
  bool producers_given = false;
  bool consumers_given = false;
  bool confirms_given = false;
  const char *for_super_stream = nullptr;  // an option that only it heeds
  const char *for_tls = nullptr;           // an option that only TLS heeds
  const char *for_producers = nullptr;     // an option that only they heed
  const char *for_consumers = nullptr;
  bool publish_only = false;
  bool consume_only = false;
  bool wrong = false;
};

void complain(parser &p, const char *name, const char *text) {
  if (!p.wrong) fprintf(stderr, "rstream-perf: %s %s\n", name, text);
  p.wrong = true;
}

uint64_t number(parser &p, const char *name, const char *text, uint64_t low,
                uint64_t high) {
  char *end = nullptr;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  bool digits = text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
  if (digits && value >= low && value <= high) return value;
  char range[96];
  snprintf(range, sizeof range, "takes a number from %" PRIu64 " to %" PRIu64, low, high);
  complain(p, name, range);
  return low;
}

uint32_t number32(parser &p, const char *name, const char *text, uint32_t low,
                  uint32_t high) {
  return static_cast<uint32_t>(number(p, name, text, low, high));
}

// Which of `names` it is.
template <size_t count>
int choice(parser &p, const char *name, const char *text,
           const char *const (&names)[count], const char *complaint) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(text, names[i]) == 0) return static_cast<int>(i);
  }
  complain(p, name, complaint);
  return 0;
}

void parse_values(parser &p, const char *name, const char *text, value_list &list) {
  list.count = 0;
  for (const char *value = text;;) {
    size_t length = strcspn(value, ",");
    if (length == 0) complain(p, name, "takes values with a comma between them");
    if (list.count == filter_values_most) complain(p, name, "takes 64 values at most");
    if (p.wrong) return;
    list.values[list.count++] = {value, length};
    if (value[length] == 0) return;
    value += length + 1;
  }
}

void parse_offset(parser &p, const char *name, const char *text) {
  static const char stamp[] = "timestamp:";
  if (strcmp(text, "first") == 0) {
    p.o.offset_type = RSTREAM_OFFSET_FIRST;
  } else if (strcmp(text, "last") == 0) {
    p.o.offset_type = RSTREAM_OFFSET_LAST;
  } else if (strcmp(text, "next") == 0) {
    p.o.offset_type = RSTREAM_OFFSET_NEXT;
  } else if (strncmp(text, stamp, sizeof stamp - 1) == 0) {
    p.o.offset_type = RSTREAM_OFFSET_TIMESTAMP;
    p.o.timestamp_ms =
        static_cast<int64_t>(number(p, name, text + sizeof stamp - 1, 0, INT64_MAX));
  } else if (text[0] >= '0' && text[0] <= '9') {
    p.o.offset_type = RSTREAM_OFFSET_OFFSET;
    p.o.offset_value = number(p, name, text, 0, UINT64_MAX);
  } else {
    complain(p, name, "takes first, last, next, a number, or timestamp:MS");
  }
}

// ---- the options: here and in struct options is all there is to add for another one

struct option_row {
  const char *name;
  const char *value;  // what the help calls it; nullptr: a flag
  const char *help;   // lines
  void (*set)(parser &p, const char *name, const char *text);  // no text for a flag
};

constexpr option_row option_rows[] = {
    {"--uri", "URI",
     "rabbitmq-stream://user:password@host:port/vhost; several,\n"
     "with commas between them, are tried in this order\n"
     "(default: $RSTREAM_BROKER_URI, else guest at localhost:5552)",
     [](parser &p, const char *, const char *text) {
       p.o.uri = text;
       p.uri_given = true;
     }},
    {"--tls-ca", "FILE",
     "certificate authorities to trust (default: those of the system)",
     [](parser &p, const char *name, const char *text) {
       p.o.tls_ca = text;
       p.for_tls = name;
     }},
    {"--tls-cert", "FILE", "the client's certificate; needs --tls-key",
     [](parser &p, const char *name, const char *text) {
       p.o.tls_cert = text;
       p.for_tls = name;
     }},
    {"--tls-key", "FILE", "its private key",
     [](parser &p, const char *name, const char *text) {
       p.o.tls_key = text;
       p.for_tls = name;
     }},
    {"--tls-insecure", nullptr, "DO NOT CHECK who the broker is",
     [](parser &p, const char *name, const char *) {
       p.o.tls_insecure = true;
       p.for_tls = name;
     }},
    {"--external", nullptr, "log in with the certificate (SASL EXTERNAL)",
     [](parser &p, const char *, const char *) { p.o.external = true; }},
    {"--load-balancer", nullptr,
     "the URI is that of a load balancer: dial it until it leads to\n"
     "the node that is wanted",
     [](parser &p, const char *, const char *) { p.o.load_balancer = true; }},
    {"--embedded", nullptr,
     "no server: an in-memory broker in a thread of this program,\n"
     "to see what the client itself costs. Nothing is stored.",
     [](parser &p, const char *, const char *) { p.o.embedded = true; }},
    {"--stream", "NAME", "created when missing, then deleted at the end (rstream-perf)",
     [](parser &p, const char *, const char *text) { p.o.stream = text; }},
    {"--super-stream", "NAME", "instead of --stream: created when missing, then deleted",
     [](parser &p, const char *, const char *text) { p.o.super_stream = text; }},
    {"--partitions", "N", "of the super stream that is created (3)",
     [](parser &p, const char *name, const char *text) {
       p.o.partitions = number32(p, name, text, 1, most_partitions);
       p.for_super_stream = name;
     }},
    {"--routing", "HOW",
     "to its partitions: hash, with a thousand keys, or key, with one\n"
     "for each partition (hash)",
     [](parser &p, const char *name, const char *text) {
       p.o.routing = static_cast<rstream_routing>(
           choice(p, name, text, routing_names, "takes hash or key"));
       p.for_super_stream = name;
     }},
    {"--producers", "N", "(1)",
     [](parser &p, const char *name, const char *text) {
       p.o.producers = number32(p, name, text, 0, most_handles);
       p.producers_given = true;
     }},
    {"--consumers", "N", "each reads the whole stream (1)",
     [](parser &p, const char *name, const char *text) {
       p.o.consumers = number32(p, name, text, 0, most_handles);
       p.consumers_given = true;
     }},
    {"--size", "BYTES", "of a message (10)",
     [](parser &p, const char *name, const char *text) {
       p.o.size = number32(p, name, text, 0, largest_size);
     }},
    {"--messages", "N",
     "to publish, over all producers; with --consume-only, to read,\n"
     "for each consumer (1000000)",
     [](parser &p, const char *name, const char *text) {
       p.o.messages = number(p, name, text, 1, most_messages);
       p.messages_given = true;
     }},
    {"--time", "SECONDS", "publish, or with --consume-only read, for so long instead",
     [](parser &p, const char *name, const char *text) {
       p.o.time_s = number32(p, name, text, 1, 7 * 24 * 3600);
     }},
    {"--rate", "N",
     "messages per second over all producers, each due at a fixed\n"
     "time from which its latency counts (default: full speed)",
     [](parser &p, const char *name, const char *text) {
       p.o.rate = number(p, name, text, 1, 100000000);
     }},
    {"--batch-size", "N", "messages per Publish frame (default: what a loop turn brings)",
     [](parser &p, const char *name, const char *text) {
       p.o.batch_size = number32(p, name, text, 1, 1 << 24);
     }},
    {"--batch-bytes", "N", "a Publish frame is closed at this size (default: likewise)",
     [](parser &p, const char *name, const char *text) {
       p.o.batch_bytes = number32(p, name, text, 1, UINT32_MAX);
       p.for_producers = name;
     }},
    {"--linger-ms", "N", "an open frame waits so long for more messages (0)",
     [](parser &p, const char *name, const char *text) {
       p.o.linger_ms = number32(p, name, text, 0, UINT32_MAX);
       p.for_producers = name;
     }},
    {"--heartbeat", "SECONDS", "after two of them in silence a connection is lost (60)",
     [](parser &p, const char *name, const char *text) {
       p.o.heartbeat_s = number32(p, name, text, 1, 3600);
     }},
    {"--stall", "SECONDS", "the run ends when nothing moves for so long (30)",
     [](parser &p, const char *name, const char *text) {
       p.o.stall_s = number32(p, name, text, 1, 24 * 3600);
     }},
    {"--confirms", "N",
     "messages of a producer that may wait for confirms (10000 times\n"
     "--sub-entry)",
     [](parser &p, const char *name, const char *text) {
       p.o.confirms = number32(p, name, text, 1, most_confirms);
       p.confirms_given = true;
     }},
    {"--codec", "CODEC", "of producers and consumers: raw, or amqp for AMQP 1.0 (raw)",
     [](parser &p, const char *name, const char *text) {
       p.o.codec = static_cast<rstream_codec>(
           choice(p, name, text, codec_names, "takes raw or amqp"));
     }},
    {"--sub-entry", "N", "messages are stored in sub-entries of up to N (1: singly)",
     [](parser &p, const char *name, const char *text) {
       p.o.sub_entry = number32(p, name, text, 1, most_sub_entry);
     }},
    {"--compression", "NAME", "of sub-entries: none, gzip, snappy, lz4, zstd (none)",
     [](parser &p, const char *name, const char *text) {
       p.o.compression = static_cast<rstream_compression>(choice(
           p, name, text, compression_names, "takes none, gzip, snappy, lz4 or zstd"));
     }},
    {"--filter-values", "A,B",
     "messages have these filter values, one after the other;\n"
     "RabbitMQ 3.13; not with --sub-entry",
     [](parser &p, const char *name, const char *text) {
       parse_values(p, name, text, p.o.filter_values);
     }},
    {"--name", "NAME",
     "of the producer, for deduplication; of several, NAME-1,\n"
     "NAME-2 and so on",
     [](parser &p, const char *name, const char *text) {
       p.o.name = text;
       p.for_producers = name;
     }},
    {"--filter", "A,B",
     "consume messages with one of these filter values. The broker\n"
     "chooses whole chunks; with --filter-values as well, which tells\n"
     "what was published, exactly those messages are consumed",
     [](parser &p, const char *name, const char *text) {
       parse_values(p, name, text, p.o.filter);
       p.for_consumers = name;
     }},
    {"--consumer-name", "NAME",
     "consumers store how far they came, and begin behind what is\n"
     "stored; of several, NAME-1, NAME-2 and so on",
     [](parser &p, const char *name, const char *text) {
       p.o.consumer_name = text;
       p.for_consumers = name;
     }},
    {"--store-every", "N", "store the offset after N messages (10000, or 5 seconds)",
     [](parser &p, const char *name, const char *text) {
       p.o.store_every = number32(p, name, text, 1, UINT32_MAX);
       p.for_consumers = name;
     }},
    {"--single-active-consumer", nullptr,
     "consumers share one name, and one at a time receives. With\n"
     "--consume-only each reads --messages, then the next goes on",
     [](parser &p, const char *name, const char *) {
       p.o.single_active = true;
       p.for_consumers = name;
     }},
    {"--consumer-rate", "N", "messages per second that a consumer takes at most",
     [](parser &p, const char *name, const char *text) {
       p.o.consumer_rate = number32(p, name, text, 1, 100000000);
       p.for_consumers = name;
     }},
    {"--credits", "N", "chunks the broker may send ahead to a consumer (10)",
     [](parser &p, const char *name, const char *text) {
       p.o.credits = static_cast<uint16_t>(number(p, name, text, 1, INT16_MAX));
     }},
    {"--offset", "WHERE",
     "first, last, next, a number, or timestamp:MS since 1970\n"
     "(next; first with --consume-only or --single-active-consumer)",
     parse_offset},
    {"--publish-only", nullptr, "no consumers",
     [](parser &p, const char *, const char *) { p.publish_only = true; }},
    {"--consume-only", nullptr, "no producers",
     [](parser &p, const char *, const char *) { p.consume_only = true; }},
    {"--chunk-callback", nullptr, "one callback per chunk instead of one per message",
     [](parser &p, const char *, const char *) { p.o.chunk_callback = true; }},
    {"--verify", nullptr,
     "number and fill each message; check that each confirmed one\n"
     "is consumed once, in order and unchanged; needs --size 6",
     [](parser &p, const char *, const char *) { p.o.verify = true; }},
    {"--json", nullptr, "one JSON object on stdout; the table goes to stderr then",
     [](parser &p, const char *, const char *) { p.o.json = true; }},
    {"--keep", nullptr, "do not delete the stream",
     [](parser &p, const char *, const char *) { p.o.keep = true; }},
};

const option_row *option_find(const char *name) {
  for (const option_row &row : option_rows) {
    if (strcmp(row.name, name) == 0) return &row;
  }
  return nullptr;
}

constexpr int title_width = 20;

void print_row(const char *name, const char *value, const char *help) {
  char title[32];
  snprintf(title, sizeof title, "%s%s%s", name, *value == 0 ? "" : " ", value);
  if (strlen(title) > title_width) {  // has a line of its own
    printf("  %s\n", title);
    title[0] = 0;
  }
  for (const char *line = help;; title[0] = 0) {
    int length = static_cast<int>(strcspn(line, "\n"));
    printf("  %-*s %.*s\n", title_width, title, length, line);
    if (line[length] == 0) return;
    line += length + 1;
  }
}

// ---- what can only be judged with all options known

void settle_embedded(parser &p) {
  const options &o = p.o;
  if (p.uri_given) complain(p, "--uri", "and --embedded exclude each other");
  if (o.keep) complain(p, "--keep", "has nothing to keep with --embedded");
  const char *objection = embedded_objection(o);
  if (objection != nullptr) complain(p, "--embedded", objection);
}

// What is published, and how.
void settle_messages(parser &p) {
  options &o = p.o;
  if (o.compression != RSTREAM_COMPRESSION_NONE && o.sub_entry == 1)
    complain(p, "--compression", "needs --sub-entry 2 or more: it packs sub-entries");
  if (o.filter_values.count > 0 && o.sub_entry > 1) {
    complain(p, "--filter-values",
             "and --sub-entry exclude each other: sub-entries have no filter value");
  }
  if (!p.confirms_given) o.confirms = std::min(o.confirms * o.sub_entry, most_confirms);
  if (o.producers > 0) return;
  if (p.for_producers != nullptr)
    complain(p, p.for_producers, "is for producers, and there are none");
  // With --embedded it tells what there is to read.
  if (o.sub_entry > 1 && !o.embedded)
    complain(p, "--sub-entry", "is for producers, and there are none");
  // With --filter, it tells what there is to choose from.
  if (o.filter_values.count > 0 && o.filter.count == 0)
    complain(p, "--filter-values", "is for producers, and there are none");
}

bool is_among(const value_list &list, std::string_view value) {
  const std::string_view *end = list.values + list.count;
  return std::find(list.values, end, value) != end;
}

void settle_filter(parser &p) {
  options &o = p.o;
  if (o.filter.count == 0) return;
  if (o.filter_values.count == 0) {
    if (o.producers > 0)
      complain(p, "--filter", "needs --filter-values: else nothing published has one");
    return;
  }
  o.filter_exact = true;
  bool any = false;
  for (uint32_t i = 0; i < o.filter_values.count; i++) {
    o.filter_wants[i] = is_among(o.filter, o.filter_values.values[i]);
    any = any || o.filter_wants[i];
  }
  if (!any) complain(p, "--filter", "has none of --filter-values");
  if (o.producers > 0 && !o.verify && o.size < plain_choice_least)
    complain(p, "--filter", "needs --size 9 or more: each body tells which value it has");
}

// Who consumes, and from where.
void settle_consumers(parser &p) {
  options &o = p.o;
  if (o.consumers == 0 && p.for_consumers != nullptr)
    complain(p, p.for_consumers, "is for consumers, and there are none");
  if (o.store_every > 0 && o.consumer_name == nullptr)
    complain(p, "--store-every", "needs --consumer-name, under which to store");
  if (o.single_active && o.consumer_name == nullptr)
    complain(p, "--single-active-consumer", "needs --consumer-name, which they share");
  if (o.offset_type == RSTREAM_OFFSET_DEFAULT) {
    bool all = o.producers == 0 || o.single_active;
    o.offset_type = all ? RSTREAM_OFFSET_FIRST : RSTREAM_OFFSET_NEXT;
  }
  if (o.producers == 0 || o.consumers == 0) return;
  if (o.offset_type == RSTREAM_OFFSET_OFFSET && o.offset_value > 0)
    complain(p, "--offset", "takes a number only with --consume-only");
  if (o.offset_type == RSTREAM_OFFSET_NEXT && o.single_active) {
    complain(p, "--offset",
             "next and --single-active-consumer exclude each other: which message that "
             "is depends on when one becomes active");
  }
}

void settle_super_stream(parser &p) {
  const options &o = p.o;
  if (o.super_stream == nullptr) {
    if (p.for_super_stream != nullptr)
      complain(p, p.for_super_stream, "is for --super-stream");
    return;
  }
  if (o.consumer_name != nullptr && !o.single_active && o.consumers > 1)
    complain(p, "--super-stream", "and names for several consumers exclude each other");
}

void settle_connection(parser &p) {
  const options &o = p.o;
  if (!o.tls_cert != !o.tls_key) complain(p, "--tls-cert", "and --tls-key go together");
  if (o.external && !o.tls_cert) complain(p, "--external", "needs --tls-cert");
  bool tls = o.uri && strncmp(o.uri, "rabbitmq-stream+tls:", 20) == 0;
  if (p.for_tls && !tls && !o.embedded)
    complain(p, p.for_tls, "needs a URI that begins with rabbitmq-stream+tls://");
  if (p.for_tls && o.embedded)
    complain(p, p.for_tls, "and --embedded exclude each other");
}

void settle(parser &p) {
  options &o = p.o;
  if (p.publish_only && p.consume_only) {
    complain(p, "--publish-only", "and --consume-only exclude each other");
  }
  if (p.publish_only && p.consumers_given && o.consumers > 0) {
    complain(p, "--publish-only", "and --consumers exclude each other");
  }
  if (p.consume_only && p.producers_given && o.producers > 0) {
    complain(p, "--consume-only", "and --producers exclude each other");
  }
  if (p.publish_only) o.consumers = 0;
  if (p.consume_only) o.producers = 0;
  if (o.producers == 0 && o.consumers == 0)
    complain(p, "nothing", "to do: no producers, no consumers");
  if (o.time_s > 0 && p.messages_given)
    complain(p, "--messages", "and --time exclude each other");
  if (o.time_s > 0) o.messages = 0;
  settle_connection(p);
  settle_consumers(p);
  settle_messages(p);
  settle_super_stream(p);
  settle_filter(p);
  if (o.embedded) settle_embedded(p);
  if (!o.verify || o.producers == 0) return;
  if (o.size < verified_body_least) {
    complain(p, "--verify",
             "needs --size 6 or more: each body carries a number of 4 bytes, its "
             "producer and a check byte");
  }
  if (o.producers > verified_producers_most)
    complain(p, "--verify", "allows 256 producers at most");
  if (o.messages / o.producers >= verified_sequences_most) {
    complain(p, "--verify", "counts up to 4294967295 messages per producer");
  }
}

}  // namespace

handle_name numbered_name(const char *name, uint32_t count, uint32_t index) {
  handle_name n;
  if (count == 1) {
    snprintf(n.text, sizeof n.text, "%s", name);
  } else {
    snprintf(n.text, sizeof n.text, "%s-%" PRIu32, name, index + 1);
  }
  return n;
}

const char *codec_name(rstream_codec codec) { return codec_names[codec]; }

const char *routing_name(rstream_routing routing) { return routing_names[routing]; }

const char *compression_name(rstream_compression compression) {
  return compression_names[compression];
}

parse_result options_parse(options &o, int argc, char **argv) {
  parser p{.o = o};
  const char *uri = getenv("RSTREAM_BROKER_URI");
  if (uri != nullptr && *uri != 0) o.uri = uri;
  for (int i = 1; i < argc && !p.wrong; i++) {
    const char *name = argv[i];
    if (strcmp(name, "--help") == 0) return parse_result::help;
    const option_row *row = option_find(name);
    if (row == nullptr) {
      complain(p, name, "is not an option; see --help");
    } else if (row->value == nullptr) {
      row->set(p, name, nullptr);
    } else if (i + 1 == argc) {
      complain(p, name, "lacks its value; see --help");
    } else {
      row->set(p, name, argv[++i]);
    }
  }
  if (!p.wrong) settle(p);
  return p.wrong ? parse_result::wrong : parse_result::run;
}

void options_help() {
  puts(
      "Usage: rstream-perf [OPTION]...\n"
      "Publishes to a stream and consumes from it, and tells how fast that went.\n");
  for (const option_row &row : option_rows) {
    print_row(row.name, row.value == nullptr ? "" : row.value, row.help);
  }
  print_row("--help", "", "this text");
  puts(
      "\n"
      "Progress goes to stderr once per second. The exit status is 0 if everything\n"
      "asked for was done: all published, confirmed, consumed, and with --verify found\n"
      "right. It is 1 if not, also when nothing moved for --stall seconds or a signal\n"
      "ended the run early, and 2 for wrong options.");
}

}  // namespace perf

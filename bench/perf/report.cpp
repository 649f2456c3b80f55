#include "perf/report.h"

#include <cinttypes>
#include <cstring>
#include <initializer_list>
#include <utility>

namespace perf {

namespace {

// 1234567 as "1,234,567".
struct grouped {
  char text[32];
};

grouped group(uint64_t value) {
  char digits[24];
  int count = snprintf(digits, sizeof digits, "%" PRIu64, value);
  grouped g;
  char *to = g.text;
  for (int i = 0; i < count; i++) {
    if (i > 0 && (count - i) % 3 == 0) *to++ = ',';
    *to++ = digits[i];
  }
  *to = 0;
  return g;
}

double per_second(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double ns_per_message(double seconds, uint64_t count) {
  return count > 0 ? seconds * 1e9 / static_cast<double>(count) : 0;
}

uint64_t rounded(double value) { return static_cast<uint64_t>(value + 0.5); }

void count_row(FILE *to, const char *what, uint64_t count) {
  fprintf(to, "%-20s %15s\n", what, group(count).text);
}

void load_row(FILE *to, const char *what, uint64_t count, double seconds,
              const cpu_time &cpu) {
  fprintf(to, "%-20s %15s %14s %9.1f %9.1f %9.1f\n", what, group(count).text,
          group(rounded(per_second(count, seconds))).text,
          ns_per_message(cpu.user_s + cpu.system_s, count),
          ns_per_message(cpu.user_s, count), ns_per_message(cpu.system_s, count));
}

void latency_row(FILE *to, const char *what, const histogram *h) {
  if (h == nullptr || h->count == 0) return;
  fprintf(to, "%-20s %15s", what, group(h->count).text);
  for (double part : {0.5, 0.95, 0.99, 0.999})
    fprintf(to, " %9" PRIu32, histogram_quantile(*h, part));
  fprintf(to, " %9" PRIu32 "\n", h->max);
}

void json_string(FILE *to, const char *text) {
  fputc('"', to);
  for (const char *p = text; *p != 0; p++) {
    unsigned char c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\') {
      fprintf(to, "\\%c", c);
    } else if (c < 0x20) {
      fprintf(to, "\\u%04x", c);
    } else {
      fputc(c, to);
    }
  }
  fputc('"', to);
}

// What was not measured is null.
void json_latency(FILE *to, const char *name, const histogram *h) {
  static const struct {
    const char *name;
    double part;
  } quantiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};
  bool known = h != nullptr && h->count > 0;
  fprintf(to, ",\"%s\":{", name);
  for (const auto &q : quantiles) {
    if (known) {
      fprintf(to, "\"%s\":%" PRIu32 ",", q.name, histogram_quantile(*h, q.part));
    } else {
      fprintf(to, "\"%s\":null,", q.name);
    }
  }
  if (known) {
    fprintf(to, "\"max\":%" PRIu32 "}", h->max);
  } else {
    fputs("\"max\":null}", to);
  }
}

const char *comma(bool &any) { return std::exchange(any, true) ? ", " : ""; }

void consuming_line(FILE *to, const options &o, bool &any) {
  if (o.filter.count > 0) fprintf(to, "%sfilter: %" PRIu32, comma(any), o.filter.count);
  if (o.filter.count > 0) fputs(o.filter_exact ? ", exact" : ", by chunk", to);
  if (o.consumer_name != nullptr)
    fprintf(to, "%s%s %s", comma(any), o.single_active ? "single active" : "consumer",
            o.consumer_name);
  if (o.store_every > 0)
    fprintf(to, "%sstored every %" PRIu32, comma(any), o.store_every);
  if (o.consumer_rate > 0)
    fprintf(to, "%s%" PRIu32 "/s per consumer", comma(any), o.consumer_rate);
}

// What the options make of the messages, if they make anything of them.
void making_line(FILE *to, const options &o) {
  bool any = false;
  if (o.super_stream != nullptr)
    fprintf(to, "%s%" PRIu32 " partitions by %s", comma(any), o.partitions,
            routing_name(o.routing));
  if (o.codec == RSTREAM_CODEC_AMQP) fprintf(to, "%sAMQP 1.0", comma(any));
  if (o.sub_entry > 1) fprintf(to, "%ssub-entries of %" PRIu32, comma(any), o.sub_entry);
  if (o.compression != RSTREAM_COMPRESSION_NONE)
    fprintf(to, "%s%s", comma(any), compression_name(o.compression));
  if (o.filter_values.count > 0)
    fprintf(to, "%sfilter values: %" PRIu32, comma(any), o.filter_values.count);
  if (o.name != nullptr) fprintf(to, "%sname %s", comma(any), o.name);
  if (o.linger_ms > 0) fprintf(to, "%slinger %" PRIu32 " ms", comma(any), o.linger_ms);
  consuming_line(to, o, any);
  if (any) fputc('\n', to);
}

void json_text(FILE *to, const char *name, const char *text) {
  fprintf(to, ",\"%s\":", name);
  if (text == nullptr) {
    fputs("null", to);
  } else {
    json_string(to, text);
  }
}

void json_making(FILE *to, const options &o) {
  if (o.super_stream != nullptr)
    fprintf(to, ",\"partitions\":%" PRIu32 ",\"routing\":\"%s\"", o.partitions,
            routing_name(o.routing));
  fprintf(to,
          ",\"codec\":\"%s\",\"sub_entry\":%" PRIu32
          ",\"compression\":\"%s\",\"filter_values\":%" PRIu32 ",\"linger_ms\":%" PRIu32,
          codec_name(o.codec), o.sub_entry, compression_name(o.compression),
          o.filter_values.count, o.linger_ms);
  json_text(to, "name", o.name);
}

void json_consuming(FILE *to, const result &r, const options &o) {
  fprintf(to, ",\"filter\":%" PRIu32 ",\"consumer_rate\":%" PRIu32, o.filter.count,
          o.consumer_rate);
  json_text(to, "consumer_name", o.consumer_name);
  fprintf(to, ",\"single_active\":%s,\"store_every\":%" PRIu32,
          o.single_active ? "true" : "false", o.store_every);
  fprintf(to, ",\"behind\":%" PRIu64 ",\"behind_most\":%" PRIu64, r.behind,
          r.behind_most);
  if (o.single_active) fprintf(to, ",\"activations\":%" PRIu64, r.activations);
  fputs(",\"stored_offset\":", to);
  if (r.stored.found) {
    fprintf(to, "%" PRIu64, r.stored.offset);
  } else {
    fputs("null", to);
  }
}

// What consumers could see of themselves.
void consuming_rows(FILE *to, const result &r, const options &o) {
  count_row(to, "behind at the end", r.behind);
  count_row(to, "behind at most", r.behind_most);
  if (o.single_active) count_row(to, "activations", r.activations);
  if (r.stored.found) count_row(to, "stored offset", r.stored.offset);
}

}  // namespace

void progress_line(progress &before, const progress &now, const options &o) {
  double seconds = static_cast<double>(now.line_us - before.line_us) / 1e6;
  fprintf(stderr, "%4.0f s", static_cast<double>(now.line_us - now.start_us) / 1e6);
  if (o.producers > 0) {
    fprintf(stderr, "   published %12s/s   confirmed %12s/s",
            group(rounded(per_second(now.published - before.published, seconds))).text,
            group(rounded(per_second(now.confirmed - before.confirmed, seconds))).text);
  }
  if (now.errored > 0) fprintf(stderr, "   errored %s", group(now.errored).text);
  if (o.consumers > 0) {
    fprintf(stderr, "   consumed %12s/s   behind %12s",
            group(rounded(per_second(now.consumed - before.consumed, seconds))).text,
            group(now.behind).text);
  }
  fputc('\n', stderr);
  before = now;
}

void report_table(FILE *to, const result &r, const options &o) {
  if (o.embedded) fputs("embedded broker, in this process: no server took part\n", to);
  fprintf(to, "%s, %" PRIu32 " producer%s, %" PRIu32 " consumer%s, %" PRIu32 " bytes\n",
          stream_name(o), o.producers, o.producers == 1 ? "" : "s", o.consumers,
          o.consumers == 1 ? "" : "s", o.size);
  making_line(to, o);
  fprintf(to, "%-20s %15s %14s %9s %9s %9s\n", "", "messages", "messages/s", "CPU ns",
          "user", "system");
  if (o.producers > 0) {
    load_row(to, "published", r.published, r.publish_s, r.publish_cpu);
    count_row(to, "confirmed", r.confirmed);
    count_row(to, "errored", r.errored);
  }
  if (o.consumers > 0) {
    load_row(to, "consumed", r.consumed, r.consume_s, r.consume_cpu);
    consuming_rows(to, r, o);
  }
  if (o.embedded)
    fprintf(to, "%-20s %30s %9.1f seconds of CPU\n", "embedded broker", "",
            r.broker_cpu_s);
  if (r.confirm_latency != nullptr || r.latency != nullptr) {
    fprintf(to, "%-20s %15s %9s %9s %9s %9s %9s\n", "latency, us", "measured", "p50",
            "p95", "p99", "p99.9", "max");
    latency_row(to, "publish to confirm", r.confirm_latency);
    latency_row(to, "publish to consume", r.latency);
  }
  if (o.verify && o.consumers > 0) {
    fprintf(to,
            "verified: %" PRIu64 " lost, %" PRIu64 " duplicated, %" PRIu64
            " out of order, %" PRIu64 " damaged, %" PRIu64 " wrong offsets\n",
            r.lost, r.duplicated, r.out_of_order, r.damaged, r.offset_errors);
    if (o.filter_exact) fprintf(to, "not asked for: %" PRIu64 "\n", r.unwanted);
    if (r.first_problem[0] != 0) fprintf(to, "the first: %s\n", r.first_problem);
  }
}

void report_json(FILE *to, const result &r, const options &o) {
  fputs("{\"stream\":", to);
  json_string(to, stream_name(o));
  fprintf(to,
          ",\"ok\":%s,\"producers\":%" PRIu32 ",\"consumers\":%" PRIu32
          ",\"size\":%" PRIu32,
          r.ok ? "true" : "false", o.producers, o.consumers, o.size);
  json_making(to, o);
  fprintf(to,
          ",\"published\":%" PRIu64 ",\"confirmed\":%" PRIu64 ",\"errored\":%" PRIu64
          ",\"consumed\":%" PRIu64,
          r.published, r.confirmed, r.errored, r.consumed);
  fprintf(to,
          ",\"publish_s\":%.6f,\"consume_s\":%.6f,\"publish_rate\":%.0f,\"consume_rate\":"
          "%.0f",
          r.publish_s, r.consume_s, per_second(r.published, r.publish_s),
          per_second(r.consumed, r.consume_s));
  fprintf(to, ",\"publish_cpu_ns_per_msg\":%.2f,\"consume_cpu_ns_per_msg\":%.2f",
          ns_per_message(r.publish_cpu.user_s + r.publish_cpu.system_s, r.published),
          ns_per_message(r.consume_cpu.user_s + r.consume_cpu.system_s, r.consumed));
  if (o.embedded) fprintf(to, ",\"embedded\":true,\"broker_cpu_s\":%.6f", r.broker_cpu_s);
  json_latency(to, "confirm_latency_us", r.confirm_latency);
  json_latency(to, "latency_us", r.latency);
  if (o.consumers > 0) json_consuming(to, r, o);
  if (o.verify && o.consumers > 0) {
    fprintf(to,
            ",\"lost\":%" PRIu64 ",\"duplicated\":%" PRIu64 ",\"out_of_order\":%" PRIu64
            ",\"damaged\":%" PRIu64 ",\"offset_errors\":%" PRIu64,
            r.lost, r.duplicated, r.out_of_order, r.damaged, r.offset_errors);
    if (o.filter_exact) fprintf(to, ",\"unwanted\":%" PRIu64, r.unwanted);
  }
  fputs("}\n", to);
}

}  // namespace perf

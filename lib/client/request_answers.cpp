#include "client/request_answers.h"

#include <cinttypes>
#include <cstdio>

namespace rstream {

namespace {

void add_text(create_arguments &a, const char *key, std::string_view value) {
  if (value.data()) a.list[a.count++] = {key, value};
}

void add_number(create_arguments &a, const char *key, uint64_t value) {
  if (value == 0) return;  // the broker's default
  char *text = a.digits[a.numbers++];
  int n = snprintf(text, create_arguments::digits_bytes, "%" PRIu64, value);
  add_text(a, key, {text, static_cast<size_t>(n)});
}

std::string_view text_or_null(const char *text) {
  return text ? std::string_view(text) : std::string_view();
}

}  // namespace

void request_on_result(locator_op *op, int status, wire::bytes, const char *text) {
  auto callback = request_callback<rstream_result_cb>(op);
  if (callback) callback(op->env, status, text, op->user);
}

void create_arguments_of(create_arguments &a, const rstream_stream_options &o) {
  add_number(a, "max-length-bytes", o.max_length_bytes);
  add_text(a, "max-age", text_or_null(o.max_age));
  add_number(a, "stream-max-segment-size-bytes", o.max_segment_bytes);
  add_number(a, "initial-cluster-size", o.initial_cluster_size);
  add_text(a, "queue-leader-locator", text_or_null(o.leader_locator));
  add_number(a, "stream-filter-size-bytes", o.filter_size_bytes);
}

}  // namespace rstream
